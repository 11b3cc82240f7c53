//! What the tests share: frames written from the RFC without the crate's help, a host that plays a wire in pieces and notes what came of it, and an oracle that says what should have.
#![allow(dead_code, reason = "each test binary uses its part")]

use core::str;
use framewire::{
    Client, CloseCode, Connection, Decoder, Event, Header, Kind, Limits, Part, ProtocolError, Role, Rsv,
    SendError, State, mask::Key,
};

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;
pub(crate) const CONTINUATION: u8 = 0x80;
/// Takes the FIN bit off the first byte of a frame.
pub(crate) const MORE: u8 = 0x7F;

/// The key of the RFC's examples; clients under test mask control frames with it.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A key that differs from one payload length to the next, so that a key kept too long shows.
pub(crate) fn key(len: usize) -> [u8; 4] {
    (len as u32).wrapping_mul(0x9E37_79B9).wrapping_add(0x1234_5678).to_be_bytes()
}

/// XOR as RFC 6455 §5.3 spells it.
pub(crate) fn masked(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
}

/// A header, from RFC 6455 §5.2.
pub(crate) fn head(first: u8, key: Option<[u8; 4]>, len: u64) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut wire = vec![first];
    if len < 126 {
        wire.push(bit + len as u8);
    } else if len < 65536 {
        wire.push(bit + 126);
        wire.extend((len as u16).to_be_bytes());
    } else {
        wire.push(bit + 127);
        wire.extend(len.to_be_bytes());
    }
    wire.extend(key.iter().flatten());
    wire
}

/// A frame, from RFC 6455 §5.2.
pub(crate) fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut wire = head(first, key, payload.len() as u64);
    wire.extend(masked(key.unwrap_or_default(), payload));
    wire
}

/// A frame as its peer sends it to a role.
pub(crate) fn to<S: Role>(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, (!is_client::<S>()).then(|| key(payload.len())), payload)
}

/// A header alone as its peer sends it to a role.
pub(crate) fn head_to<S: Role>(first: u8, len: u64) -> Vec<u8> {
    head(first, (!is_client::<S>()).then_some(KEY), len)
}

/// A control frame as a role under test sends it.
pub(crate) fn from<S: Role>(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, is_client::<S>().then_some(KEY), payload)
}

/// The payload of a close frame.
pub(crate) fn closing(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

pub(crate) fn cat(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

/// The reserved bits with these three bits of the wire.
pub(crate) fn rsv(first: u8) -> Rsv {
    [(0x40, Rsv::RSV1), (0x20, Rsv::RSV2), (0x10, Rsv::RSV3)]
        .into_iter()
        .filter(|(bit, _)| first & bit != 0)
        .fold(Rsv::NONE, |all, (_, one)| all | one)
}

/// Whether a role masks what it sends.
pub(crate) fn is_client<R: Role>() -> bool {
    R::key(Key::default).into().is_some()
}

/// The key of control frames under test.
pub(crate) fn fixed<R: Role>() -> R::Key {
    R::key(|| Key::new(KEY))
}

/// A whole message as it goes on the wire, by each method that makes one.
pub(crate) fn message<R: Role>(
    conn: &mut Connection<R>,
    kind: Kind,
    payload: &[u8],
) -> Result<Vec<u8>, SendError> {
    let key = R::key(|| Key::new(key(payload.len())));
    let text = str::from_utf8(payload);

    let mut appended = b"before".to_vec();
    let result = match (kind, text) {
        (Kind::Text, Ok(text)) => conn.append_text(&mut appended, text, key),
        (Kind::Text, Err(_)) => panic!("a test sends text"),
        (Kind::Binary, _) => conn.append_binary(&mut appended, payload, key),
    };
    let (before, appended) = appended.split_at(6);
    assert_eq!(before, b"before");

    let mut bytes = payload.to_vec();
    let header = conn.header_in_place(kind, &mut bytes, key);
    assert_eq!(header.map(|_| ()), result);
    assert_eq!(
        header,
        match text {
            Ok(text) if kind == Kind::Text => conn.text_header(text, key),
            _ if kind == Kind::Binary => conn.binary_header(payload, key),
            _ => unreachable!("no text"),
        }
    );
    let Ok(header) = header else {
        assert_eq!((bytes, appended), (payload.to_vec(), &b""[..]), "what was refused stays as it was");
        return header.map(|_| Vec::new());
    };
    let wire = [&header[..], &bytes].concat();
    assert_eq!(wire, appended);
    Ok(wire)
}

pub(crate) fn fragment<R: Role>(
    conn: &mut Connection<R>,
    kind: Kind,
    payload: &[u8],
    last: bool,
) -> Result<Vec<u8>, SendError> {
    let key = key(payload.len());
    let header =
        conn.fragment_header(kind, Rsv::NONE, payload.len() as u64, last, R::key(|| Key::new(key)))?;
    Ok([&header[..], &masked(if is_client::<R>() { key } else { [0; 4] }, payload)].concat())
}

/// What came, however it was cut: parts are joined to messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message(Kind, Rsv, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Vec<u8>),
}

pub(crate) fn text(text: &str) -> Item {
    Item::Message(Kind::Text, Rsv::NONE, text.into())
}

pub(crate) fn binary(bytes: &[u8]) -> Item {
    Item::Message(Kind::Binary, Rsv::NONE, bytes.into())
}

/// Joins the parts of a message, and holds them to what `Part` promises.
#[derive(Default)]
pub(crate) struct Joiner {
    open: Option<(Kind, Rsv, Vec<u8>)>,
}

impl Joiner {
    pub(crate) fn push(&mut self, event: Event<'_>) -> Option<Item> {
        let (whole, bytes) = match event {
            Event::Text(text) => (Kind::Text, text.as_bytes().to_vec()),
            Event::Binary(bytes) => (Kind::Binary, bytes.to_vec()),
            Event::Part(part) => return self.join(part),
            Event::Ping(payload) => return Some(Item::Ping(payload.to_vec())),
            Event::Pong(payload) => return Some(Item::Pong(payload.to_vec())),
            Event::Close(payload) => return Some(Item::Close(payload.to_vec())),
        };
        assert!(self.open.is_none(), "a whole message inside another");
        Some(Item::Message(whole, Rsv::NONE, bytes))
    }

    fn join(&mut self, part: Part<'_>) -> Option<Item> {
        assert!(part.last || !part.bytes().is_empty(), "an empty part in the middle of a message");
        let (kind, rsv, bytes) = self.open.get_or_insert((part.kind, part.rsv, Vec::new()));
        assert_eq!((*kind, *rsv), (part.kind, part.rsv), "the parts of a message agree");
        bytes.extend_from_slice(part.bytes());
        if !part.last {
            return None;
        }
        self.open.take().map(|(kind, rsv, bytes)| Item::Message(kind, rsv, bytes))
    }
}

/// What a host sees and sends from the first byte to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Messages and control frames, in order.
    pub(crate) items: Vec<Item>,
    /// What `reply` gave.
    pub(crate) replies: Vec<u8>,
    pub(crate) error: Option<ProtocolError>,
    /// What `fail` gave.
    pub(crate) farewell: Option<Vec<u8>>,
}

/// Plays `wire` to `conn`, cut at the rising places `cuts`, as a host would; holds it to the promises that need no
/// expectation: after `Ok(None)` the input is empty, errors stay, and the failed connection sends nothing.
pub(crate) fn play<S: Role>(conn: &mut Connection<S>, wire: &[u8], cuts: &[usize]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut joiner = Joiner::default();
    let mut from = 0;
    for &cut in cuts.iter().chain([&wire.len()]) {
        let cut = cut.min(wire.len());
        let mut piece = wire[from..cut].to_vec(); // its own memory: nothing behind it is in reach
        from = cut;
        let mut input = &mut piece[..];
        let result = loop {
            match conn.receive(&mut input) {
                Ok(Some(event)) => {
                    outcome
                        .replies
                        .extend(conn.reply(&event, fixed::<S>).iter().flat_map(|frame| frame.iter()));
                    outcome.items.extend(joiner.push(event));
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(input.is_empty(), "the input is taken");
        assert_eq!(conn.receive(&mut input), result.map(|()| None), "said again without input");
        match (result, outcome.error) {
            (Ok(()), None) => {}
            (Err(error), None) => {
                outcome.error = Some(error);
                outcome.farewell = conn.fail(error, fixed::<S>).map(|frame| frame.to_vec());
                assert_failed(conn, error);
            }
            (now, before) => assert_eq!(now.err(), before, "the error stays"),
        }
    }
    outcome
}

/// Nothing may come out of a connection that failed.
pub(crate) fn assert_failed<S: Role>(conn: &mut Connection<S>, error: ProtocolError) {
    assert_eq!((conn.state(), conn.close_expected(), conn.remaining()), (State::Closed, true, 0));
    assert_eq!(conn.receive_eof(), Err(error));
    assert_eq!(conn.fail(error, fixed::<S>), None, "a second close");
    assert_sends_closed(conn);
    let mut more = to::<S>(TEXT, b"more");
    let mut input = &mut more[..];
    assert_eq!(conn.receive(&mut input), Err(error));
    assert!(input.is_empty());
    for event in events() {
        assert_eq!(conn.reply(&event, fixed::<S>), None, "{event:?}");
    }
}

/// Every verb says that the connection is closed, also where something else is wrong with what it is asked.
pub(crate) fn assert_sends_closed<S: Role>(conn: &mut Connection<S>) {
    let closed = Err(SendError::Closed);
    for kind in [Kind::Text, Kind::Binary] {
        assert_eq!(message(conn, kind, b"x"), Err(SendError::Closed));
        assert_eq!(fragment(conn, kind, b"x", false), Err(SendError::Closed));
        assert_eq!(fragment(conn, kind, b"x", true), Err(SendError::Closed));
    }
    assert_eq!(conn.ping(&[0; 126], fixed::<S>()), closed);
    assert_eq!(conn.pong(b"", fixed::<S>()), closed);
    assert_eq!(conn.close(CloseCode::new(1000), "", fixed::<S>()), closed);
    assert_eq!(conn.close(CloseCode::new(1005), "reason", fixed::<S>()), closed);
}

/// A ping and a close, as events: a control's payload cannot be made but by receiving it.
pub(crate) fn events() -> Vec<Event<'static>> {
    let mut conn = Connection::<Client>::new();
    let mut wire = cat(&[frame(PING, None, b"p"), frame(CLOSE, None, &closing(1000, ""))]);
    let mut input = &mut wire[..];
    let mut events = Vec::new();
    while let Some(event) = conn.receive(&mut input).unwrap() {
        events.push(match event {
            Event::Ping(payload) => Event::Ping(payload.into_owned()),
            Event::Close(payload) => Event::Close(payload.into_owned()),
            other => panic!("{other:?}"),
        });
    }
    events
}

/// A header as the oracle reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) len: u64,
    pub(crate) wire_len: usize,
}

/// RFC 6455 §5.2 and §5.5, on a header that is whole, or on as much of it as is wrong.
pub(crate) fn read_head(wire: &[u8]) -> Result<Option<Head>, ProtocolError> {
    let at = |i: usize| wire.get(i).copied();
    let Some(first) = at(0) else { return Ok(None) };
    let opcode = first % 16;
    if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
        return Err(ProtocolError::ReservedOpcode);
    }
    if opcode >= 8 && first < 128 {
        return Err(ProtocolError::FragmentedControl);
    }
    let Some(second) = at(1) else { return Ok(None) };
    let short = u64::from(second % 128);
    if opcode >= 8 && short > 125 {
        return Err(ProtocolError::ControlTooLong);
    }
    let extra = [0, 2, 8][short.saturating_sub(125) as usize];
    let mut len = 0;
    for i in 0..extra {
        let Some(byte) = at(2 + i) else { return Ok(None) };
        len = len * 256 + u128::from(byte);
    }
    let (len, least) = match extra {
        0 => (u128::from(short), 0),
        2 => (len, 126),
        _ => (len, 65536),
    };
    if len >= 1 << 63 {
        return Err(ProtocolError::LengthOutOfRange);
    }
    if len < least {
        return Err(ProtocolError::LengthNotMinimal);
    }
    let (mut key, mut wire_len) = (None, 2 + extra);
    if second >= 128 {
        let Some(bytes) = wire.get(wire_len..wire_len + 4) else { return Ok(None) };
        key = Some([bytes[0], bytes[1], bytes[2], bytes[3]]);
        wire_len += 4;
    }
    Ok(Some(Head { first, key, len: len as u64, wire_len }))
}

/// What a role is to make of `wire`: RFC 6455 read slowly, with all of the wire in hand.
pub(crate) fn oracle<S: Role>(wire: &[u8], limits: Limits, extension_bits: Rsv) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(error) = oracle_frames::<S>(wire, limits, extension_bits, &mut outcome) {
        let owed = !matches!(outcome.items.last(), Some(Item::Close(_)));
        let payload = closing(error.close_code().get(), &error.to_string());
        outcome.farewell = owed.then(|| from::<S>(CLOSE, &payload));
        outcome.error = Some(error);
    }
    outcome
}

fn oracle_frames<S: Role>(
    mut wire: &[u8],
    limits: Limits,
    extension_bits: Rsv,
    outcome: &mut Outcome,
) -> Result<(), ProtocolError> {
    let mut open: Option<(Kind, Rsv, Vec<u8>, u128)> = None;
    while let Some(head) = read_head(wire)? {
        match (is_client::<S>(), head.key) {
            (false, None) => return Err(ProtocolError::MaskMissing),
            (true, Some(_)) => return Err(ProtocolError::MaskUnexpected),
            _ => {}
        }
        let opcode = head.first % 16;
        let bits = rsv(head.first);
        let allowed = matches!(opcode, 1 | 2) && extension_bits.contains(bits);
        if !bits.is_none() && !allowed {
            return Err(ProtocolError::ReservedBit);
        }
        let behind = &wire[head.wire_len..];
        let have = head.len.min(behind.len() as u64) as usize;
        let payload = masked(head.key.unwrap_or_default(), &behind[..have]);
        let whole = have as u64 == head.len;
        if opcode >= 8 {
            if !whole {
                return Ok(());
            }
            match opcode {
                9 => {
                    outcome.replies.extend(from::<S>(PONG, &payload));
                    outcome.items.push(Item::Ping(payload));
                }
                10 => outcome.items.push(Item::Pong(payload)),
                _ => {
                    let code = match payload[..] {
                        [] => 1000,
                        [_] => return Err(ProtocolError::CloseTooShort),
                        [high, low, ..] => u16::from_be_bytes([high, low]),
                    };
                    let sendable = [1000..=1003, 1007..=1014, 3000..=4999].iter().any(|r| r.contains(&code));
                    if !sendable {
                        return Err(ProtocolError::InvalidCloseCode);
                    }
                    if str::from_utf8(payload.get(2..).unwrap_or_default()).is_err() {
                        return Err(ProtocolError::InvalidUtf8);
                    }
                    outcome.replies.extend(from::<S>(CLOSE, &payload[..payload.len().min(2)]));
                    outcome.items.push(Item::Close(payload));
                    return Ok(());
                }
            }
        } else {
            match (opcode, &open) {
                (0, None) => return Err(ProtocolError::UnexpectedContinuation),
                (1 | 2, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
                _ => {}
            }
            let kind = if opcode == 1 { Kind::Text } else { Kind::Binary };
            let (kind, rsv, bytes, declared) = open.get_or_insert((kind, bits, Vec::new(), 0));
            *declared += u128::from(head.len);
            if head.len > limits.frame {
                return Err(ProtocolError::FrameTooBig);
            }
            if *declared > u128::from(limits.message) {
                return Err(ProtocolError::MessageTooBig);
            }
            bytes.extend(payload);
            let ends = whole && head.first >= 128;
            if *kind == Kind::Text && rsv.is_none() {
                match str::from_utf8(bytes) {
                    Err(error) if ends || error.error_len().is_some() => {
                        return Err(ProtocolError::InvalidUtf8);
                    }
                    _ => {}
                }
            }
            if !whole {
                return Ok(());
            }
            if ends {
                let (kind, rsv, bytes, _) = open.take().unwrap();
                outcome.items.push(Item::Message(kind, rsv, bytes));
            }
        }
        wire = &wire[head.wire_len + have..];
    }
    Ok(())
}

/// Frames, each with its payload so far and whether that is all of it; and the error.
pub(crate) type Frames = (Vec<(Header, Vec<u8>, bool)>, Option<ProtocolError>);

/// Reads a wire with a decoder.
pub(crate) fn decode(mut decoder: Decoder, wire: &[u8], cuts: &[usize]) -> Frames {
    let mut frames: Vec<(Header, Vec<u8>, bool)> = vec![];
    let mut from = 0;
    for cut in cuts.iter().copied().chain([wire.len()]) {
        let mut piece = wire[from..cut].to_vec();
        from = cut;
        let mut input = &mut piece[..];
        loop {
            let chunk = match decoder.decode(&mut input) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            };
            if chunk.offset == 0 {
                assert!(chunk.is_first());
                frames.push((chunk.header, vec![], false));
            }
            let (header, payload, whole) = frames.last_mut().expect("a first chunk");
            assert!(!*whole, "a chunk behind the last");
            assert_eq!((*header, payload.len() as u64), (chunk.header, chunk.offset));
            assert!(chunk.is_last() || !chunk.bytes.is_empty(), "an empty chunk");
            payload.extend_from_slice(chunk.bytes);
            *whole = chunk.is_last();
            let missing = header.payload_len - payload.len() as u64;
            assert_eq!((decoder.remaining(), decoder.is_between_frames()), (missing, *whole));
        }
        assert!(input.is_empty(), "the input is taken");
    }
    (frames, None)
}

/// What a decoder is to make of a wire, frame by frame.
pub(crate) fn decoded(mut wire: &[u8], unmask: bool) -> Frames {
    let mut frames = vec![];
    loop {
        let head = match read_head(wire) {
            Ok(Some(head)) => head,
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        };
        let header = Header::parse(wire).unwrap().unwrap(); // held to the same oracle in header.rs
        let behind = &wire[head.wire_len..];
        let have = head.len.min(behind.len() as u64) as usize;
        let whole = have as u64 == head.len;
        if whole || have > 0 {
            let key = if unmask { head.key.unwrap_or_default() } else { [0; 4] };
            frames.push((header, masked(key, &behind[..have]), whole));
        }
        if !whole {
            return (frames, None);
        }
        wire = &behind[have..];
    }
}

pub(crate) fn decoders() -> [(Decoder, bool); 2] {
    [(Decoder::new(), true), (Decoder::pass_through(), false)]
}
