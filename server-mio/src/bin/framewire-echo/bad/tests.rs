//! Each case with a strict client on the codec, and clients that are not strict.

use super::{Peer, SECTIONS, all, case::*, find, list};
use framewire::{
    Assembler, Client, Connection, Event, Kind, Limits, ProtocolError, Rsv,
    deflate::{InflateConfig, InflatePool, Inflater},
    extension::DeflateOffer,
    handshake::{
        ClientHandshake, ClientKey, HandshakeError, HeadBuffer, HeadLimits, HeaderSlots, Request, Response,
    },
    mask::Key,
};
use std::{
    collections::HashSet,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

/// How a client's connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It refused the response to its handshake.
    Refused(HandshakeError),
    /// The response has this status.
    Status(u16),
    /// The stream ended inside the response.
    HeadCut,
    Failed(ProtocolError),
    /// Both sides have closed.
    Closed,
}

/// How a connection must end with a case.
fn due(name: &str) -> Ended {
    use Ended::{Closed, Failed, HeadCut, Refused, Status};
    use HandshakeError as H;
    use ProtocolError as P;
    match name {
        "status-200" => Status(200),
        "http-1.0" => Refused(H::InvalidUpgradeResponse),
        "status-line" => Refused(H::InvalidStatusLine),
        "upgrade-missing" | "upgrade-wrong" | "connection-missing" | "connection-wrong" => {
            Refused(H::InvalidUpgradeResponse)
        }
        "accept-missing" | "accept-wrong" | "accept-case" | "accept-cut" | "accept-twice" => {
            Refused(H::InvalidAccept)
        }
        "subprotocol-unasked" | "subprotocol-twice" => Refused(H::UnexpectedSubprotocol),
        "extension-unasked" => Refused(H::UnexpectedExtension),
        "header-colon" | "header-nul" | "header-name" => Refused(H::InvalidHeader),
        "head-too-long" => Refused(H::HeadTooLong),
        "head-cut" => HeadCut,
        "deflate-unasked" | "deflate-twice" | "deflate-unknown" | "deflate-repeated" | "deflate-value"
        | "deflate-no-value" | "deflate-bits-7" | "deflate-bits-16" | "deflate-bits-zero" => {
            Refused(H::UnexpectedExtension)
        }
        _ if name.starts_with("masked-") => Failed(P::MaskUnexpected),
        _ if name.starts_with("rsv") || name.starts_with("deflate-rsv") => Failed(P::ReservedBit),
        _ if name.starts_with("opcode-") => Failed(P::ReservedOpcode),
        "length-bit-63" => Failed(P::LengthOutOfRange),
        "length-2-62" | "length-2-62-text" => Failed(P::FrameTooBig),
        _ if name.starts_with("length-") => Failed(P::LengthNotMinimal),
        "ping-fragment" | "pong-fragment" | "close-fragment" => Failed(P::FragmentedControl),
        "ping-126" | "pong-126" | "close-126" | "ping-65536" => Failed(P::ControlTooLong),
        "continuation-alone" | "continuation-first" | "continuation-after" => {
            Failed(P::UnexpectedContinuation)
        }
        "text-inside-text" | "binary-inside-text" | "text-inside-binary" | "message-open" => {
            Failed(P::ExpectedContinuation)
        }
        "header-cut" | "frame-cut" | "message-cut" => Failed(P::UnexpectedEof),
        "close-1-byte" => Failed(P::CloseTooShort),
        "close-utf8" | "close-utf8-cut" => Failed(P::InvalidUtf8),
        "text-after-close" | "ping-after-close" | "fragment-after-close" | "close-after-close" => Closed,
        _ if name.starts_with("close-") => Failed(P::InvalidCloseCode),
        "deflate-bomb" | "deflate-bomb-text" => Failed(P::MessageTooBig),
        _ if name.starts_with("utf8-") || name.starts_with("deflate-utf8") => Failed(P::InvalidUtf8),
        _ if name.starts_with("deflate-") => Failed(P::CorruptDeflate),
        _ if name.starts_with("good-") => Closed,
        _ => panic!("what is due for {name}?"),
    }
}

/// Plays a case with a client that runs on a thread of its own.
fn play<T: Send>(
    case: &Case,
    timeout: Duration,
    client: impl FnOnce(TcpStream) -> T + Send,
) -> ((Did, Verdict), T) {
    play_at(None, case, timeout, client)
}

fn play_at<T: Send>(
    at: Option<usize>,
    case: &Case,
    timeout: Duration,
    client: impl FnOnce(TcpStream) -> T + Send,
) -> ((Did, Verdict), T) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            client(stream)
        });
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(timeout)).unwrap();
        stream.set_write_timeout(Some(timeout)).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let mut slots = HeaderSlots::new();
        let upgrade = Request::parse(&head, &mut slots).unwrap().upgrade().unwrap().expect("an upgrade");
        let outcome = case.play(at, &mut stream, &upgrade);
        drop(stream);
        (outcome, client.join().unwrap())
    })
}

const PATIENT: Duration = Duration::from_secs(30);

/// A strict client, which echoes. It reads at most `step` bytes at once.
fn strict(mut stream: TcpStream, offers: &[DeflateOffer], step: usize) -> Ended {
    let key = || Key::new(*b"\x37\xfa\x21\x3d");
    let handshake = ClientHandshake::new("localhost", "/", ClientKey::new(*b"the sample nonce"))
        .subprotocols(&["chat", "superchat"])
        .deflate(offers);
    stream.write_all(&handshake.to_vec().unwrap()).unwrap();
    let (mut rx, mut rest) = (vec![0; step], Vec::new());
    let mut buffer = HeadBuffer::new(HeadLimits::default());
    let head = loop {
        let n = stream.read(&mut rx).unwrap();
        if n == 0 {
            return Ended::HeadCut;
        }
        match buffer.push(&rx[..n]) {
            Ok(Some(head)) => {
                rest.extend(&rx[head.consumed..n]);
                break head.bytes.to_vec();
            }
            Ok(None) => {}
            Err(error) => return Ended::Refused(error),
        }
    };
    let mut slots = HeaderSlots::new();
    let response = match Response::parse(&head, &mut slots) {
        Ok(response) => response,
        Err(error) => return Ended::Refused(error),
    };
    let params = match handshake.check(&response) {
        Ok(Some(negotiated)) => negotiated.deflate,
        Ok(None) => return Ended::Status(response.status()),
        Err(error) => return Ended::Refused(error),
    };

    let mut pool = InflatePool::new(InflateConfig { message: 16 << 20, ..InflateConfig::default() });
    let mut inflater = Inflater::<Client>::new(&params.unwrap_or_default(), &pool).unwrap();
    let mut connection = Connection::<Client>::new().with_limits(Limits::SERVER);
    if params.is_some() {
        connection = connection.with_extension_bits(Rsv::RSV1);
    }
    let mut assembler = Assembler::new(16 << 20);
    let mut outcome = None;
    while outcome.is_none() {
        let mut tx = Vec::new();
        let mut received = || -> Result<bool, ProtocolError> {
            let mut input = &mut rest[..];
            while let Some(event) = connection.receive(&mut input)? {
                if let Some(frame) = connection.reply(&event, key) {
                    tx.extend_from_slice(&frame);
                }
                let mut echo =
                    |kind, bytes: &[u8]| connection.append_message(&mut tx, kind, bytes, key()).unwrap();
                match event {
                    Event::Text(text) => echo(Kind::Text, text.as_bytes()),
                    Event::Binary(bytes) => echo(Kind::Binary, bytes),
                    Event::Part(part) => {
                        let mut ready = inflater.ready(&mut pool).unwrap();
                        let mut parts = ready.feed(part);
                        while let Some(part) = parts.next_part()? {
                            if let Some(message) = assembler.push(part)? {
                                echo(message.kind, message.bytes());
                            }
                        }
                    }
                    Event::Close(_) => return Ok(true),
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
            Ok(false)
        };
        match received() {
            Ok(true) => outcome = Some(Ended::Closed),
            Ok(false) => {}
            Err(error) => {
                if let Some(frame) = connection.fail(error, key) {
                    tx.extend_from_slice(&frame);
                }
                outcome = Some(Ended::Failed(error));
            }
        }
        stream.write_all(&tx).unwrap();
        if outcome.is_none() {
            let n = stream.read(&mut rx).unwrap();
            if n == 0 {
                outcome = connection.receive_eof().err().map(Ended::Failed);
            }
            rest = rx[..n].to_vec();
        }
    }
    // Reads to the end, so that no reset destroys the close.
    while stream.read(&mut [0; 65536]).is_ok_and(|n| n > 0) {}
    outcome.unwrap()
}

const OFFERS: [DeflateOffer; 1] = [DeflateOffer {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: Some(15),
}];

fn applies(case: &Case, offers: &[DeflateOffer]) -> bool {
    match case.needs {
        Needs::Nothing => true,
        Needs::NoDeflate => offers.is_empty(),
        Needs::Deflate(_) | Needs::Takeover => !offers.is_empty(),
    }
}

fn each_with_the_strict_client(step: usize) {
    for offers in [&[][..], &OFFERS] {
        for case in all().filter(|case| applies(case, offers) || step > 1) {
            let ((did, verdict), ended) = play(case, PATIENT, |stream| strict(stream, offers, step));
            if !applies(case, offers) {
                assert_eq!(
                    (did, verdict, ended),
                    (Did::Untested, Verdict::Untested, Ended::Closed),
                    "{}",
                    case.name
                );
                continue;
            }
            let due = due(case.name);
            assert_eq!((verdict, ended), (Verdict::Strict, due), "{} {did:?}", case.name);
            // The code that the server has seen is that of the error.
            match due {
                Ended::Failed(ProtocolError::UnexpectedEof) => {}
                Ended::Failed(error) => {
                    assert_eq!(did, Did::Close(error.close_code().get()), "{}", case.name);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_strict_client_refuses_each_with_the_right_error() {
    each_with_the_strict_client(1 << 16);
}

#[test]
fn and_byte_by_byte() {
    each_with_the_strict_client(1);
}

/// The last byte of a frame's header, of a block of the kernels, of a receive buffer; and the first byte of the next one.
const PLACES: [usize; 12] = [0, 1, 31, 32, 63, 64, 125, 126, 127, 65_535, 65_536, 1 << 20];

#[test]
fn a_text_goes_wrong_where_the_query_says() {
    for Case { name, frames, .. } in
        SECTIONS.iter().filter(|each| each.title == "Text").flat_map(|each| each.cases)
    {
        for at in PLACES {
            let (mut wire, mut text) = (frames.to_vec(Some(at)), Vec::new());
            let mut input = &mut wire[..];
            while let Some((_, payload)) = framewire::frame::take(&mut input).unwrap() {
                text.extend_from_slice(payload);
            }
            assert_eq!(std::str::from_utf8(&text).unwrap_err().valid_up_to(), at, "{name}");
        }
    }
}

#[test]
fn the_strict_client_refuses_a_text_wherever_it_goes_wrong() {
    for name in ["utf8-middle", "utf8-cut", "utf8-fragments"] {
        for at in PLACES {
            for step in [1000, 1 << 16] {
                let strict = |stream| strict(stream, &[], step);
                let ((did, _), ended) = play_at(Some(at), find(name).unwrap(), PATIENT, strict);
                assert_eq!(ended, Ended::Failed(ProtocolError::InvalidUtf8), "{name} at {at}");
                assert_eq!(did, Did::Close(1007), "{name} at {at}");
            }
        }
    }
}

#[test]
fn queries() {
    let at = |name: &str, query: &str| find(name).unwrap().at(Some(query));
    assert_eq!(find("utf8-cut").unwrap().at(None), Ok(None));
    assert_eq!(at("masked-text", ""), Ok(None));
    assert_eq!(at("utf8-cut", "at=0"), Ok(Some(0)));
    assert_eq!(at("utf8-fragments", "at=1048576"), Ok(Some(1 << 20)));
    for wrong in ["at", "at=", "at=x", "at=-1", "at=1048577", "at=99999999999999999999"] {
        assert!(at("utf8-cut", wrong).unwrap_err().contains("from 0 to 1048576"), "{wrong}");
    }
    for wrong in ["At=1", "at=1&at=1", "at=1&delay=1s", "delay=1s"] {
        assert!(at("utf8-cut", wrong).unwrap_err().contains("one parameter"), "{wrong}");
    }
    for name in ["masked-text", "deflate-utf8", "good-text", "accept-wrong"] {
        assert!(at(name, "at=1").unwrap_err().contains("utf8-"), "{name}");
    }
}

/// Sends a request, and at the same time what follows it.
fn begin(stream: &mut TcpStream, offers: &[DeflateOffer], then: &[u8]) {
    let handshake =
        ClientHandshake::new("localhost", "/", ClientKey::new(*b"the sample nonce")).deflate(offers);
    stream.write_all(&[&handshake.to_vec().unwrap(), then].concat()).unwrap();
}

/// Reads to the end.
fn drain(mut stream: TcpStream) {
    let _ = io::copy(&mut stream, &mut io::sink());
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    framewire_testing::wire::frame(first, Some(*b"\x37\xfa\x21\x3d"), payload)
}

const SHORT: Duration = Duration::from_millis(5);

fn offers_for(case: &Case) -> &'static [DeflateOffer] {
    if applies(case, &[]) { &[] } else { &OFFERS }
}

/// A client that looks at nothing, and answers the probe, a close, and what follows it.
#[test]
fn a_client_that_goes_on_is_lenient() {
    for case in all() {
        let blind =
            [frame(0x8A, b"framewire: are you there?"), frame(0x88, b"\x03\xe8"), frame(0x8A, b"late")];
        let ((did, verdict), ()) = play(case, SHORT, |mut stream| {
            begin(&mut stream, offers_for(case), &blind.concat());
            drain(stream);
        });
        assert_eq!(did, Did::GoOn, "{}", case.name);
        let due = match case.expected {
            Expected::Accept => Verdict::Strict,
            Expected::Answer(_) => Verdict::Broken,
            _ => Verdict::Lenient,
        };
        assert_eq!(verdict, due, "{}", case.name);
    }
}

#[test]
fn a_client_that_echoes_the_violation_is_lenient() {
    for name in ["masked-text", "utf8-latin-1", "text-inside-text", "frame-cut", "deflate-distance"] {
        let case = find(name).unwrap();
        let ((_, verdict), ()) = play(case, SHORT, |mut stream| {
            // And then drops the connection.
            begin(&mut stream, offers_for(case), &frame(0x81, b"Gr\xFC\xDFe"));
        });
        assert_eq!(verdict, Verdict::Lenient, "{name}");
    }
}

/// It passes for strict in what it must refuse, and not in what it must accept.
#[test]
fn a_client_that_refuses_everything_does_not_pass() {
    for case in all() {
        let ((did, verdict), ()) =
            play(case, PATIENT, |mut stream| begin(&mut stream, offers_for(case), b""));
        let good = matches!(case.expected, Expected::Accept | Expected::Answer(_));
        assert_eq!(did, Did::Drop, "{}", case.name);
        assert_eq!(verdict, if good { Verdict::Broken } else { Verdict::Strict }, "{}", case.name);
    }
}

/// A client that sends nothing, and closes its side once the server has closed its own. It takes no time.
#[derive(Default)]
struct Silent {
    taken: Vec<u8>,
    /// After so many bytes it takes none for the timeout of the stream, and then takes some again.
    stall: Option<usize>,
    ended: bool,
}

impl Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        if self.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }
}

impl Write for Silent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.stall.map_or(usize::MAX, |stall| stall - self.taken.len());
        if room == 0 {
            self.stall = None;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = bytes.len().min(room);
        self.taken.extend(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Peer for Silent {
    fn finish(&mut self) -> io::Result<()> {
        self.ended = true;
        Ok(())
    }
}

impl Silent {
    fn play(&mut self, case: &Case) -> (Did, Verdict) {
        let handshake = ClientHandshake::new("localhost", "/", ClientKey::new(*b"the sample nonce"));
        let request = handshake.deflate(offers_for(case)).to_vec().unwrap();
        let mut slots = HeaderSlots::new();
        let upgrade = Request::parse(&request, &mut slots).unwrap().upgrade().unwrap().expect("an upgrade");
        case.play(None, self, &upgrade)
    }
}

#[test]
fn a_client_that_does_nothing_does_not_pass() {
    for case in all() {
        // Once the stream has ended, a client that still reads the response cannot be told from one that refuses it.
        let end = case.expected == Expected::Refuse || case.expected == Expected::End;
        let (_, verdict) = Silent::default().play(case);
        assert_eq!(verdict, if end { Verdict::Strict } else { Verdict::NoReaction }, "{}", case.name);
    }
}

#[test]
fn nothing_follows_a_frame_that_is_not_whole() {
    let mut client = Silent { stall: Some(1000), ..Silent::default() };
    let (did, _) = client.play(find("ping-65536").unwrap());
    assert_eq!((did, client.taken.len()), (Did::Nothing, 1000));
}

#[test]
fn close_codes_are_judged() {
    let verdict = |name: &str, code| find(name).unwrap().verdict(Did::Close(code));
    assert_eq!(verdict("masked-text", 1002), Verdict::Strict);
    assert_eq!(verdict("masked-text", 1007), Verdict::OtherCode);
    assert_eq!(verdict("masked-text", 1000), Verdict::Lenient);
    assert_eq!(verdict("close-1005", 1005), Verdict::Lenient);
    assert_eq!(verdict("good-close-3000", 3000), Verdict::Strict);
    assert_eq!(verdict("good-close-3000", 1002), Verdict::Broken);
    assert_eq!(verdict("good-text", 1002), Verdict::Broken);
    assert_eq!(verdict("ping-after-close", 1000), Verdict::Strict);
}

/// Two messages with one echo, and one that differs.
#[test]
fn echoes_are_compared() {
    let case = find("good-text").unwrap();
    for (echo, due) in [("\u{1F44B} gr\u{fc}\u{df} Gott", Did::GoOn), ("Hello", Did::Garble)] {
        let sent = [frame(0x81, echo.as_bytes()), frame(0x81, b"framewire: what do you echo?")].concat();
        let ((did, _), ()) = play(case, SHORT, |mut stream| {
            begin(&mut stream, &[], &sent);
            drain(stream);
        });
        assert_eq!(did, due, "{echo}");
    }
}

#[test]
fn names_are_unique_and_fit_a_path() {
    let mut names = HashSet::new();
    for case in all() {
        let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        assert!(case.name.bytes().all(fits), "{}", case.name);
        assert!(names.insert(case.name), "{} is there twice", case.name);
        assert_eq!(find(case.name).map(|found| found.name), Some(case.name));
        assert!(list().contains(&format!("  {} ", case.name)), "{}", case.name);
    }
    assert!(find("no-such-case").is_none());
    assert_eq!(SECTIONS.iter().map(|section| section.cases.len()).sum::<usize>(), names.len());
}

/// docs/conformance.md names each case, in the table of its section, and no other.
#[test]
fn the_page_names_each_case() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, cases) = page.split_once("\n## Cases for clients\n").expect("the section of the cases");
    let cases = cases.split_once("\n## ").map_or(cases, |(cases, _)| cases);
    let named: Vec<&str> = cases
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| line.split('|').nth(2).unwrap_or_default().split('`').skip(1).step_by(2))
        .collect();
    let due: Vec<&str> = all().map(|case| case.name).collect();
    assert_eq!(named, due);
}
