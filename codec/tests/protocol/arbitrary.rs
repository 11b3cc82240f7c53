//! Any bytes and any calls of the host, in any order: nothing panics, with overflow checks on, and each call keeps its
//! promises.

use crate::sending::message;
use core::str;
use framewire::{
    Client, Close, CloseCode, Connection, Decoder, Event, Header, Kind, Limits, Opcode, ProtocolError,
    Receive, Role, Server, State, frame, mask::Key, utf8,
};
use framewire_testing::{host::*, rfc6455::*, wire::*};
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// Bytes that look like frames more often than random ones do.
#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

impl Arbitrary for Bytes {
    fn arbitrary(g: &mut Gen) -> Self {
        let len = usize::arbitrary(g) % 60;
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            match u8::arbitrary(g) % 8 {
                0 => bytes.push(u8::arbitrary(g)),
                1 => bytes.extend(u64::arbitrary(g).to_be_bytes()),
                2 => bytes.extend([0; 4]),
                3 => bytes.push(*g.choose(&[126, 127, 0xFE, 0xFF]).unwrap()),
                4 | 5 => {
                    bytes.push(*g.choose(&[0, 1, 2, 8, 9, 10, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A]).unwrap())
                }
                _ => bytes.push(*g.choose(&[0, 1, 2, 5, 0x80, 0x81, 0x82, 0x85]).unwrap()),
            }
        }
        Self(bytes)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

const ERRORS: [ProtocolError; 4] = [
    ProtocolError::UnexpectedEof,
    ProtocolError::MessageTooBig,
    ProtocolError::InvalidUtf8,
    ProtocolError::ReservedOpcode,
];

/// One public call, with any arguments.
#[derive(Clone, Debug)]
enum Call {
    Receive(Bytes),
    /// Through the assembler, with this many bytes missing and this many read.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    Direct(u64, usize),
    Anew,
    Reply(usize),
    Fail(usize),
    Eof,
    Message(bool, Bytes),
    Header(bool, u8, u64),
    Fragment(bool, u8, u64, bool),
    Ping(Bytes),
    Pong(usize),
    Close(u16, usize),
    Clone,
}

impl Arbitrary for Call {
    fn arbitrary(g: &mut Gen) -> Self {
        let text = bool::arbitrary(g);
        let len = *g.choose(&[0, 1, 125, 126, 0xFFFF, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX]).unwrap();
        match u8::arbitrary(g) % 40 {
            0..=17 => Self::Receive(Bytes::arbitrary(g)),
            18..=20 => Self::Direct(len, *g.choose(&[0, 1, 1000, usize::MAX]).unwrap()),
            21 => Self::Anew,
            22..=24 => Self::Reply(usize::arbitrary(g) % 2),
            25 => Self::Fail(usize::arbitrary(g) % ERRORS.len()),
            26 => Self::Eof,
            27 | 28 => Self::Message(text, Bytes::arbitrary(g)),
            29 | 30 => Self::Header(text, u8::arbitrary(g), len),
            31..=33 => Self::Fragment(text, u8::arbitrary(g), len, bool::arbitrary(g)),
            34 => Self::Ping(Bytes::arbitrary(g)),
            35 => Self::Pong(usize::arbitrary(g) % 200),
            36 => Self::Close(*g.choose(&[1000, 1005, 0, 4999]).unwrap(), usize::arbitrary(g) % 200),
            _ => Self::Clone,
        }
    }
}

struct Host<S: Role> {
    conn: Connection<S>,
    joiner: Joiner,
    #[cfg(feature = "alloc")]
    assembler: framewire::Assembler,
}

fn call<S: Role>(host: &mut Host<S>, call: &Call) {
    let conn = &mut host.conn;
    let kind = |text| if text { Kind::Text } else { Kind::Binary };
    let open_to_send = matches!(conn.state(), State::Open | State::CloseReceived);
    match call {
        Call::Receive(Bytes(bytes)) => {
            let mut bytes = bytes.clone();
            let mut input = &mut bytes[..];
            let result = loop {
                let before = input.len();
                match conn.receive(&mut input) {
                    Ok(Some(event)) => {
                        assert!(input.len() < before, "an event without a byte");
                        assert!(!matches!(event, Event::Close(_)) || input.is_empty());
                        host.joiner.push(event);
                    }
                    end => break end.map(drop),
                }
            };
            assert!(input.is_empty());
            assert!(result.is_ok() || conn.state() == State::Closed);
        }
        #[cfg(feature = "alloc")]
        &Call::Direct(missing, n) => {
            let room = host.assembler.spare(missing).len();
            assert!(room as u64 <= missing && room <= 100);
            let before = conn.remaining();
            let _ = host.assembler.receive(conn, n);
            assert!(conn.state() == State::Closed || before - conn.remaining() <= 100);
            // The joiner does not see these parts.
            host.joiner = Joiner::default();
        }
        #[cfg(feature = "alloc")]
        Call::Anew => host.assembler = framewire::Assembler::with_memory(100, vec![7; 50]),
        #[cfg(not(feature = "alloc"))]
        Call::Direct(..) | Call::Anew => {}
        &Call::Reply(which) => drop(conn.reply(&events()[which], fixed::<S>)),
        &Call::Fail(which) => {
            let _ = conn.fail(ERRORS[which], fixed::<S>);
            assert_eq!(conn.state(), State::Closed);
        }
        Call::Eof => drop(conn.receive_eof()),
        Call::Message(text, Bytes(bytes)) => {
            if !text || str::from_utf8(bytes).is_ok() {
                let sent = message(conn, kind(*text), bytes);
                assert!(sent.is_err() || open_to_send);
            }
        }
        &Call::Header(text, bits, len) => {
            let sent = conn.message_header(kind(text), rsv(bits), len, fixed::<S>()).is_ok();
            assert!(!sent || (open_to_send && len < 1 << 63));
        }
        &Call::Fragment(text, bits, len, last) => {
            let sent = conn.fragment_header(kind(text), rsv(bits), len, last, fixed::<S>()).is_ok();
            assert!(!sent || (open_to_send && len < 1 << 63));
        }
        Call::Ping(Bytes(bytes)) => assert!(conn.ping(bytes, fixed::<S>()).is_err() || open_to_send),
        &Call::Pong(len) => {
            assert!(conn.pong(&vec![0; len], fixed::<S>()).is_err() || (open_to_send && len <= 125));
        }
        &Call::Close(code, len) => {
            if conn.close(CloseCode::new(code), &"r".repeat(len), fixed::<S>()).is_ok() {
                assert!(open_to_send && len <= 123 && conn.close_expected());
            }
        }
        Call::Clone => {
            let clone = conn.clone();
            assert_eq!(format!("{clone:?}"), format!("{conn:?}"));
            *conn = clone;
        }
    }
    assert_eq!(conn.state() == State::Closed, conn.state() == State::Closed && conn.remaining() == 0);
    if matches!(conn.state(), State::CloseSent | State::Closed) {
        assert!(conn.close_expected());
        assert!(conn.ping(b"", fixed::<S>()).is_err());
    }
}

fn host<S: Role>(calls: &[Call], limits: Limits, bits: u8) {
    let mut host = Host {
        conn: Connection::<S>::new().with_limits(limits).with_extension_bits(rsv(bits)),
        joiner: Joiner::default(),
        #[cfg(feature = "alloc")]
        assembler: framewire::Assembler::new(100),
    };
    for step in calls {
        call(&mut host, step);
    }
}

#[test]
fn any_sequence_of_calls() {
    fn check(calls: Vec<Call>, bits: u8, frame: u64, message: u64) {
        for limits in [Limits::SERVER, Limits::NONE, Limits { frame, message }] {
            host::<Server>(&calls, limits, bits);
            host::<Client>(&calls, limits, bits);
        }
    }
    QuickCheck::new().tests(4000).quickcheck(check as fn(Vec<Call>, u8, u64, u64));
}

/// What a host does between two reads.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Nothing,
    Close,
    Fail(ProtocolError),
    FailWith,
}

impl Arbitrary for Deed {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 8 {
            0 => Self::Close,
            1 => Self::Fail(*g.choose(&ERRORS).unwrap()),
            2 => Self::FailWith,
            _ => Self::Nothing,
        }
    }
}

/// A connection that is split does the same as one that is not.
#[test]
fn any_wire_in_halves() {
    fn same<S: Role>(steps: &[(Bytes, Deed)], end: Deed) {
        let mut whole = Connection::<S>::new();
        let (mut receiving, mut sending) = whole.clone().split();
        for (Bytes(piece), deed) in steps {
            match *deed {
                Deed::Nothing => {}
                Deed::Close => {
                    let frame = whole.close(CloseCode::NORMAL, "", fixed::<S>());
                    assert_eq!(frame, sending.close(CloseCode::NORMAL, "", fixed::<S>()));
                }
                Deed::Fail(error) => {
                    let frame = whole.fail(error, fixed::<S>);
                    receiving.fail(error);
                    let first = receiving.receive_eof().unwrap_err();
                    assert_eq!(frame, sending.fail(first, fixed::<S>));
                }
                Deed::FailWith => {
                    let frame = whole.fail_with(CloseCode::POLICY, "no", fixed::<S>);
                    assert_eq!(frame, sending.fail_with(CloseCode::POLICY, "no", fixed::<S>));
                    receiving.stop();
                }
            }
            let (mut a, mut b) = (piece.clone(), piece.clone());
            let (mut a, mut b) = (&mut a[..], &mut b[..]);
            let result = loop {
                let (one, other) = (whole.receive(&mut a), receiving.receive(&mut b));
                assert_eq!(one, other);
                assert_eq!(whole.remaining(), receiving.remaining());
                match one {
                    Ok(Some(event)) => {
                        assert_eq!(whole.reply(&event, fixed::<S>), sending.reply(&event, fixed::<S>));
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            if let Err(error) = result {
                // Some hosts tell the peer a reason of their own.
                let (a, b) = if let Deed::Fail(_) = end {
                    let one = whole.fail_with(CloseCode::INTERNAL, "", fixed::<S>);
                    (one.ok(), sending.fail_with(CloseCode::INTERNAL, "", fixed::<S>).ok())
                } else {
                    (whole.fail(error, fixed::<S>), sending.fail(error, fixed::<S>))
                };
                assert_eq!(a, b);
            }
            assert_eq!(whole.state(), sending.state());
            assert_eq!(receiving.is_over(), whole.is_over());
            assert_eq!(
                message(&mut whole, Kind::Text, b"x").is_ok(),
                sending.ping(b"", fixed::<S>()).is_ok()
            );
        }
        let mut joined = Connection::join(receiving, sending);
        assert_eq!(format!("{joined:?}"), format!("{whole:?}"));
        assert_eq!(joined.receive_eof(), whole.receive_eof());
        if let Deed::Fail(error) = end {
            assert_eq!(joined.fail(error, fixed::<S>), whole.fail(error, fixed::<S>));
        }
        assert_eq!((joined.state(), joined.remaining()), (whole.state(), whole.remaining()));
    }
    fn check(steps: Vec<(Bytes, Deed)>, end: Deed) {
        same::<Server>(&steps, end);
        same::<Client>(&steps, end);
    }
    QuickCheck::new().tests(4000).quickcheck(check as fn(Vec<(Bytes, Deed)>, Deed));
}

/// A failure by the application ends both directions, whatever was sent before, and says why if nothing was.
#[test]
fn failing_with_a_reason() {
    fn role<S: Role>() {
        let policy = |conn: &mut Connection<S>| conn.fail_with(CloseCode::POLICY, "no", fixed::<S>);
        let told = |frame: framewire::ControlFrame| {
            assert_eq!(frame[..], from::<S>(CLOSE, &closing(1008, "no")));
        };
        let over = |conn: &mut Connection<S>| {
            assert_eq!((conn.state(), conn.remaining()), (State::Closed, 0));
            assert_eq!(conn.receive(&mut &mut to::<S>(TEXT, b"more")[..]), Ok(None));
            assert_eq!(conn.receive_eof(), Ok(()));
            assert_eq!(policy(conn), Err(framewire::SendError::Closed), "once");
        };
        let mut conn = Connection::<S>::new();
        assert_eq!(
            conn.fail_with(CloseCode::ABNORMAL, "", fixed::<S>),
            Err(framewire::SendError::InvalidCloseCode)
        );
        assert_eq!(
            conn.fail_with(CloseCode::POLICY, &"r".repeat(124), fixed::<S>),
            Err(framewire::SendError::ControlTooLong)
        );
        assert_eq!(conn.state(), State::Open, "a refused failure changes nothing");
        told(policy(&mut conn).unwrap());
        over(&mut conn);

        // Without a code.
        conn = Connection::new();
        let frame = conn.fail_with(CloseCode::NO_STATUS, "", fixed::<S>).unwrap();
        assert_eq!(frame[..], from::<S>(CLOSE, b""));

        // Inside a frame: what is missing of it is not awaited.
        conn = Connection::new();
        assert!(conn.receive(&mut &mut to::<S>(TEXT, &[b'a'; 100])[..50]).is_ok());
        told(policy(&mut conn).unwrap());
        over(&mut conn);

        // After our own close, nothing more is sent.
        conn = Connection::new();
        assert!(conn.close(CloseCode::NORMAL, "", fixed::<S>()).is_ok());
        assert_eq!(policy(&mut conn), Err(framewire::SendError::Closed));
        over(&mut conn);

        // After an error, in place of what the error would say.
        conn = Connection::new();
        assert!(conn.receive(&mut &mut [0x83, 0][..]).is_err());
        assert_eq!(conn.close(CloseCode::POLICY, "", fixed::<S>()), Err(framewire::SendError::Closed));
        told(policy(&mut conn).unwrap());
        assert_eq!(conn.fail(ProtocolError::ReservedOpcode, fixed::<S>), None);
    }
    role::<Server>();
    role::<Client>();
}

/// A key is drawn only for a frame.
#[test]
fn keys_are_drawn_for_frames_only() {
    let draw = || -> Key { panic!("no frame") };
    let mut conn = Connection::<Client>::new();
    let [ping, close] = &events()[..] else { panic!("two events") };
    assert!(conn.close(CloseCode::NORMAL, "", Key::new(KEY)).is_ok());
    assert!(conn.reply(ping, Key::new(KEY)).is_some(), "a close forbids data, not pongs");
    assert_eq!(conn.reply(close, draw), None);
    assert_eq!(conn.fail(ProtocolError::InvalidUtf8, draw), None);
    assert_eq!(conn.reply(ping, draw), None);
    assert!(conn.fail_with(CloseCode::POLICY, "", draw).is_err());
}

#[test]
fn any_bytes_at_any_level() {
    fn check(Bytes(bytes): Bytes, more: Bytes, bits: u8) {
        let mut input = bytes.clone();
        let mut input = &mut input[..];
        while let Ok(Some((header, payload))) = frame::take(&mut input) {
            assert_eq!(header.payload_len, payload.len() as u64);
        }
        for mut decoder in [Decoder::new(), Decoder::pass_through()] {
            for piece in [&bytes, &more.0, &bytes] {
                let mut piece = piece.clone();
                let mut input = &mut piece[..];
                while let Ok(Some(chunk)) = decoder.decode(&mut input) {
                    let (first, last) = (chunk.is_first(), chunk.is_last());
                    assert_eq!(first, chunk.offset == 0);
                    assert_eq!(last, decoder.remaining() == 0);
                }
                // After an error the results mean nothing, but nothing may panic.
            }
        }
        for limits in [Limits::NONE, Limits::SERVER, Limits { frame: 10, message: 20 }] {
            let whole = play(&mut connection::<Server>(limits, bits), &bytes, &[]);
            assert_eq!(whole, oracle::<Server>(&bytes, limits, rsv(bits)));
            let whole = play(&mut connection::<Client>(limits, bits), &bytes, &[]);
            assert_eq!(whole, oracle::<Client>(&bytes, limits, rsv(bits)));
        }
        let _ = (Close::parse(&bytes), Header::parse(&bytes), utf8::validate(&bytes));
    }
    QuickCheck::new().tests(10_000).quickcheck(check as fn(Bytes, Bytes, u8));
}

fn connection<S: Role>(limits: Limits, bits: u8) -> Connection<S> {
    Connection::new().with_limits(limits).with_extension_bits(rsv(bits))
}

/// Headers that cannot arrive, and other values that a caller can make.
#[test]
fn any_value() {
    fn check(fin: bool, bits: u8, opcode: u8, payload_len: u64, key: Option<u32>, offset: u64, code: u16) {
        let Some(opcode) = Opcode::from_bits(opcode % 16) else { return };
        let key = key.map(|key| Key::new(key.to_be_bytes()));
        let header = Header { fin, rsv: rsv(bits), opcode, key, payload_len };
        assert_eq!(header.encode().len(), header.wire_len());
        let chunk = framewire::Chunk { header, offset, bytes: &mut [1, 2, 3] };
        let _ = (chunk.is_first(), chunk.is_last(), CloseCode::new(code).may_be_sent());
    }
    let check = check as fn(bool, u8, u8, u64, Option<u32>, u64, u16);
    QuickCheck::new().tests(10_000).quickcheck(check);
    check(true, 0, 2, u64::MAX, None, u64::MAX, 0);
}
