//! permessage-deflate through the server's sockets: negotiation, echoes, waiting for a decompressor, and memory.

use super::*;
use framewire::{
    Assembler, Client as ClientRole, Connection, Event, Header, Kind, Limits, Rsv,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater},
    extension::{DeflateOffer, DeflateParams},
    handshake::{ClientHandshake, ClientKey, HeadBuffer, HeadLimits, HeaderSlots, Response},
    mask::Key,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

pub(super) const OFFER: DeflateOffer = DeflateOffer {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: Some(15),
};

/// A client that compresses its messages.
pub(super) struct Peer<S = TcpStream> {
    socket: S,
    params: DeflateParams,
    connection: Connection<ClientRole>,
    inflater: Inflater<ClientRole>,
    deflater: Deflater<ClientRole>,
    inflate: InflatePool,
    deflate: DeflatePool,
    assembler: Assembler,
    /// How many messages were received compressed, and how many uncompressed.
    received: (usize, usize),
}

impl Peer {
    fn connect(program: &Program, offer: DeflateOffer) -> Option<Self> {
        Self::on(program.tcp(), offer)
    }

    /// The next message; `None` if none comes in this time.
    fn next(&mut self, patience: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        self.receive()
    }

    fn expect(&mut self, payload: &[u8]) {
        let got = self.next(PATIENCE).expect("an echo in time");
        assert!(got == payload, "{} bytes for {}", got.len(), payload.len());
    }

    fn echo(&mut self, payload: &[u8]) {
        self.send(payload);
        self.expect(payload);
    }
}

impl<S: Read + Write> Peer<S> {
    /// `None` if the server does not compress.
    pub(super) fn on(mut socket: S, offer: DeflateOffer) -> Option<Self> {
        let offers = [offer];
        let handshake = ClientHandshake::new("test.example", "/", ClientKey::new([7; 16])).deflate(&offers);
        socket.write_all(&handshake.to_vec().unwrap()).unwrap();
        let (mut rx, mut buffer) = (vec![0; 4096], HeadBuffer::new(HeadLimits::default()));
        let params = loop {
            let n = socket.read(&mut rx).unwrap();
            if let Some(head) = buffer.push(&rx[..n]).unwrap() {
                assert_eq!(head.consumed, n);
                let mut slots = HeaderSlots::new();
                let response = Response::parse(head.bytes, &mut slots).unwrap();
                break handshake.check(&response).unwrap().unwrap().deflate?;
            }
        };
        let inflate =
            InflatePool::new(InflateConfig { messages: 1, message: u64::MAX, ..Default::default() });
        Some(Self {
            socket,
            params,
            connection: Connection::new().with_limits(Limits::NONE).with_extension_bits(Rsv::RSV1),
            inflater: Inflater::new(&params, &inflate).unwrap(),
            deflater: Deflater::new(&params),
            inflate,
            deflate: DeflatePool::new(DeflateConfig::default()),
            assembler: Assembler::new(u64::MAX),
            received: (0, 0),
        })
    }

    fn frame(&mut self, kind: Kind, payload: &[u8]) -> Vec<u8> {
        let key = Key::new([1, 2, 3, 4]);
        let sent = self.deflater.message(&mut self.connection, kind, payload, &mut self.deflate, key);
        let mut frame = Vec::new();
        sent.unwrap().append_to(&mut frame);
        frame
    }

    pub(super) fn send(&mut self, payload: &[u8]) {
        let frame = self.frame(Kind::Binary, payload);
        self.socket.write_all(&frame).unwrap();
    }

    /// The next message; `None` if none comes in the socket's time.
    pub(super) fn receive(&mut self) -> Option<Vec<u8>> {
        // Each read stays within one message: a byte of its header, or at most the missing payload.
        loop {
            let mut rx = [0; 64 * KIB];
            let room = match usize::try_from(self.connection.remaining()).unwrap() {
                0 => 1,
                missing => missing.min(rx.len()),
            };
            let n = match self.socket.read(&mut rx[..room]) {
                Ok(0) => panic!("the server closed"),
                Ok(n) => n,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) => panic!("{error}"),
            };
            let mut input = &mut rx[..n];
            let mut ready = self.inflater.ready(&mut self.inflate).unwrap();
            while let Some(event) = self.connection.receive(&mut input).unwrap() {
                let part = match event {
                    Event::Part(part) => part,
                    Event::Binary(bytes) => {
                        self.received.1 += 1;
                        return Some(bytes.to_vec());
                    }
                    Event::Close(close) => panic!("{:?}", close.as_close()),
                    other => panic!("{other:?}"),
                };
                let (compressed, last) = (!part.rsv.is_none(), part.last);
                let mut parts = ready.feed(part);
                while let Some(part) = parts.next_part().unwrap() {
                    if let Some(message) = self.assembler.push(part).unwrap() {
                        let count = if compressed { &mut self.received.0 } else { &mut self.received.1 };
                        *count += 1;
                        assert!(last && input.is_empty());
                        return Some(message.into_vec());
                    }
                }
            }
        }
    }
}

/// Text that compresses well.
fn prose(len: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0.. {
        if text.len() >= len {
            break;
        }
        text.extend_from_slice(format!("compresses {} times, or {i}; ", i * 7919 % 1000).as_bytes());
    }
    text.truncate(len);
    text
}

#[test]
fn echoes_with_every_parameter() {
    let cases: [(&[&str], DeflateOffer, DeflateParams); 4] = [
        (&[], OFFER, DeflateParams::default()),
        (
            &["--server-no-context-takeover", "--client-no-context-takeover", "--compression-level", "9"],
            OFFER,
            DeflateParams {
                server_no_context_takeover: true,
                client_no_context_takeover: true,
                ..DeflateParams::default()
            },
        ),
        (
            &["--server-max-window-bits", "10", "--client-max-window-bits", "11", "--compression-level", "1"],
            OFFER,
            DeflateParams {
                server_max_window_bits: 10,
                client_max_window_bits: 11,
                ..DeflateParams::default()
            },
        ),
        (
            &["--compression-min", "1000"],
            DeflateOffer { server_max_window_bits: Some(9), server_no_context_takeover: true, ..OFFER },
            DeflateParams {
                server_max_window_bits: 9,
                server_no_context_takeover: true,
                ..DeflateParams::default()
            },
        ),
    ];
    for (options, offer, params) in cases {
        let program = start(&[&["--compression"], options].concat());
        let mut peer = Peer::connect(&program, offer).unwrap();
        assert_eq!(peer.params, params);
        for len in [0, 10, 300, 900, 1500, 70_000, 300, 1 << 20, 3 << 20] {
            let before = peer.received.0;
            peer.echo(&prose(len));
            let least = if options.contains(&"1000") { 1000 } else { 64 };
            assert_eq!(peer.received.0 > before, len >= least, "{len} bytes with {options:?}");
            peer.echo(&noise(len.min(1 << 20), len as u64));
        }
        // Many at once.
        let frames: Vec<_> = (0..500).flat_map(|i| peer.frame(Kind::Binary, &prose(50 + 10 * i))).collect();
        let mut socket = peer.socket.try_clone().unwrap();
        let sender = std::thread::spawn(move || socket.write_all(&frames).unwrap());
        (0..500).for_each(|i| peer.expect(&prose(50 + 10 * i)));
        sender.join().unwrap();
        // One message in small pieces.
        let text = prose(2000);
        let frame = peer.frame(Kind::Binary, &text);
        for piece in frame.chunks(7) {
            peer.socket.write_all(piece).unwrap();
        }
        peer.expect(&text);
        program.check();
    }
}

#[test]
fn compression_needs_the_option_and_an_offer() {
    let program = start(&[]);
    assert!(Peer::connect(&program, OFFER).is_none());
    let program = start(&["--compression", "--client-max-window-bits", "12"]);
    assert!(Peer::connect(&program, DeflateOffer { client_max_window_bits: None, ..OFFER }).is_none());
    program.check(); // a client without an offer is served uncompressed
    let mut client = program.connect();
    client.send(&frame(TEXT | RSV1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
    client.expect_close(1002);
}

#[test]
fn bad_compressed_messages_fail() {
    let program = start(&["--compression", "--max-message", "1M"]);
    let bomb = Peer::connect(&program, OFFER).unwrap().frame(Kind::Binary, &vec![0; 100 << 20]);
    assert!(bomb.len() < 200 << 10);
    let before = program.memory();
    for (frame, code) in [
        (frame(BINARY | RSV1, b"\x07"), 1007),
        (frame(BINARY | RSV1, b"\xf2\x48\xcd"), 1007),
        (frame(TEXT | RSV1, b"\x00\x01\x00\xfe\xff\xff\x00"), 1007),
        (frame(PING | RSV1, b""), 1002),
        ([frame((BINARY & MORE) | RSV1, b"\xf2"), frame(CONTINUATION | RSV1, b"")].concat(), 1002),
        (bomb, 1009),
    ] {
        for _ in 0..5 {
            let mut peer = Peer::connect(&program, OFFER).unwrap();
            peer.echo(&prose(100));
            peer.socket.write_all(&frame).unwrap();
            let mut wire = Vec::new();
            peer.socket.read_to_end(&mut wire).unwrap();
            let header = Header::parse(&wire).unwrap().unwrap();
            assert_eq!(wire[header.wire_len()..][..2], [(code >> 8) as u8, code as u8], "{code}");
        }
    }
    let grown = program.memory().saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown}");
    Peer::connect(&program, OFFER).unwrap().echo(&prose(1000));
}

/// The least memory that can be configured: one decompressor, and no window.
const SMALLEST: [&str; 3] = ["--compression", "--compression-memory", "1"];

#[test]
fn at_the_memory_limit_peers_wait_until_a_message_ends() {
    let program = start(&[&SMALLEST[..], &["--compression-timeout", "1000"]].concat());
    let mut peers = [(); 4].map(|()| Peer::connect(&program, OFFER).unwrap());
    assert!(peers.iter().all(|peer| peer.params.client_no_context_takeover));
    for peer in &mut peers {
        peer.echo(&prose(500)); // one decompressor serves all, one after the other
    }
    let [holder, rest @ ..] = &mut peers;
    for round in 0..3 {
        let text = prose(5000 + round);
        let frame = holder.frame(Kind::Binary, &text);
        holder.socket.write_all(&frame[..100]).unwrap();
        program.check();
        rest.iter_mut().for_each(|peer| peer.send(&prose(700)));
        for peer in rest.iter_mut() {
            assert_eq!(peer.next(Duration::from_millis(100)), None, "it waits");
        }
        program.check(); // uncompressed connections are served; a new one gets no compression
        assert!(Peer::connect(&program, OFFER).is_none());
        if round < 2 {
            holder.socket.write_all(&frame[100..]).unwrap();
            holder.expect(&text);
        } else {
            holder.socket.shutdown(std::net::Shutdown::Both).unwrap(); // its message never ends
        }
        rest.iter_mut().for_each(|peer| peer.expect(&prose(700)));
    }
    let busy = program.cpu();
    rest[0].socket.write_all(&frame((BINARY & MORE) | RSV1, b"\xf2")).unwrap();
    rest[1].send(&prose(700));
    assert_eq!(rest[1].next(Duration::from_secs(1)), None);
    assert!(program.cpu() - busy < 50, "the server is busy while a peer waits");
}

/// A peer that waits for a decompressor resets its connection: the server closes its socket before a decompressor is free.
#[test]
fn a_waiting_peer_resets() {
    let program = start(&[&SMALLEST[..], &["--compression-timeout", "1000"]].concat());
    let [mut holder, mut waits] = [(); 2].map(|()| Peer::connect(&program, OFFER).unwrap());
    let before = program.descriptors();
    let frame = holder.frame(Kind::Binary, &prose(5000));
    holder.socket.write_all(&frame[..100]).unwrap();
    program.check();
    waits.send(&prose(700));
    program.check();
    socket2::SockRef::from(&waits.socket).set_linger(Some(Duration::ZERO)).unwrap();
    drop(waits);
    until("the server closes its socket", || program.descriptors() < before);
    holder.socket.write_all(&frame[100..]).unwrap();
    holder.expect(&prose(5000));
}

#[test]
fn a_peer_that_never_ends_its_message_is_closed_when_others_wait() {
    let options = ["--compression-timeout", "1", "--idle-timeout", "1", "--pong-timeout", "3"];
    let program = start(&[&SMALLEST[..], &options].concat());
    let mut holder = Peer::connect(&program, OFFER).unwrap();
    let mut waits = Peer::connect(&program, OFFER).unwrap();
    let frame = holder.frame(Kind::Binary, &prose(50_000));
    holder.socket.write_all(&frame[..100]).unwrap();
    program.check();
    let mut socket = holder.socket.try_clone().unwrap();
    let dribble = std::thread::spawn(move || {
        // Slow, but never silent for long.
        for byte in &frame[100..] {
            if socket.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    waits.echo(&prose(700));
    let mut wire = Vec::new();
    let _ = holder.socket.read_to_end(&mut wire); // may fail with a reset: the other thread still writes
    assert!(wire.is_empty() || wire.ends_with(b"a compressed message takes too long"));
    drop(holder);
    dribble.join().unwrap();
}

/// One read brings many messages that inflate to much more: the echoes queued for a peer that does not read are still limited
/// by the high-water mark.
#[test]
fn inflated_messages_pause_a_peer() {
    let options = ["--compression", "--max-message", "1M", "--high-water", "1M"];
    let program = start(&options);
    // The payload repeats every 20,000 bytes, which is inside the client's window, but outside the server's of 512 bytes.
    let offer = DeflateOffer { server_max_window_bits: Some(9), ..OFFER };
    let mut peer = Peer::connect(&program, offer).unwrap();
    let payload = noise(20_000, 1).repeat(52);
    peer.echo(&payload);
    assert_eq!(peer.received, (0, 1), "the echo is uncompressed");
    let before = program.memory();
    let mut frames = Vec::new();
    for _ in 0..40 {
        frames.extend(peer.frame(Kind::Binary, &payload));
    }
    assert!(frames.len() < MIB, "{}", frames.len());
    let mut socket = peer.socket.try_clone().unwrap();
    let sender = std::thread::spawn(move || socket.write_all(&frames).unwrap());
    std::thread::sleep(Duration::from_secs(1));
    let grown = program.memory().saturating_sub(before);
    assert!(grown < 12 * MIB, "{} KiB of 40 MiB wait", grown >> 10);
    (0..40).for_each(|_| peer.expect(&payload));
    sender.join().unwrap();
    peer.echo(&prose(100));
}

/// The memory of an idle connection that has echoed a message larger than a window.
#[test]
fn idle_connections() {
    const COUNT: usize = 1000;
    // The allocator works in pages, so a measurement with so few connections is not more exact than this.
    const SOME: usize = KIB;
    let none: &[&str] = &["--server-no-context-takeover", "--client-no-context-takeover"];
    let small: &[&str] = &["--server-max-window-bits", "10", "--client-max-window-bits", "10"];
    let cases: [(&str, Option<&[&str]>, usize); 5] = [
        ("not compressed", None, SOME),
        ("compressed, no context takeover", Some(none), SOME),
        ("context takeover, 10 bits", Some(small), SOME + 2 * KIB),
        ("context takeover, 15 bits", Some(&["--compression-memory", "1G"]), SOME + 2 * 40 * KIB),
        (
            "context takeover, 15 bits, 4 MiB of memory",
            Some(&["--compression-memory", "4M"]),
            SOME + 4 * MIB / COUNT,
        ),
    ];
    for (what, options, most) in cases {
        let options: Vec<_> = options.map_or(vec![], |options| [&["--compression"], options].concat());
        let idle = ["--idle-timeout", "0"];
        let program = start_with(
            "ulimit -n $(ulimit -Hn)",
            &[&["--listen", "127.0.0.1:0"], &idle[..], &options].concat(),
        );
        let text = prose(40 * KIB);
        let request = upgrade("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
        // The server allocates some memory only once: not part of the measurement.
        for _ in 0..20 {
            if let Some(mut peer) = Peer::connect(&program, OFFER) {
                peer.echo(&text);
            }
        }
        let mut scratch = Peer::connect(&program, OFFER);
        let before = program.memory();
        let mut deflate = DeflatePool::default();
        let peers: Vec<_> = (0..COUNT)
            .map(|_| {
                let mut socket = program.tcp();
                socket.write_all(request.as_bytes()).unwrap();
                let mut head = [0; 4096];
                let n = socket.read(&mut head).unwrap();
                assert!(head[..n].ends_with(b"\r\n\r\n"));
                let compressed = head.windows(4).any(|at| at == b"perm");
                let frame = match (&mut scratch, compressed) {
                    (Some(_), true) => {
                        let mut connection = Connection::<ClientRole>::new().with_extension_bits(Rsv::RSV1);
                        let params = DeflateParams { client_max_window_bits: 9, ..DeflateParams::default() };
                        let mut deflater = Deflater::<ClientRole>::new(&params);
                        let key = Key::new([0; 4]);
                        let sent = deflater.message(&mut connection, Kind::Binary, &text, &mut deflate, key);
                        let mut frame = Vec::new();
                        sent.unwrap().append_to(&mut frame);
                        frame
                    }
                    _ => frame(BINARY, &text),
                };
                socket.write_all(&frame).unwrap();
                let mut header = [0; 2];
                socket.read_exact(&mut header).unwrap();
                assert_eq!((header[0] & 0x40 != 0, header[1]), (compressed, 126));
                let mut len = [0; 2];
                socket.read_exact(&mut len).unwrap();
                let mut echo = vec![0; u16::from_be_bytes(len).into()];
                socket.read_exact(&mut echo).unwrap();
                socket
            })
            .collect();
        let each = || program.memory().saturating_sub(before) / peers.len();
        until("the memory of a connection is within its limit", || each() <= most);
        println!("{what}: {} bytes a connection", each());
    }
}
