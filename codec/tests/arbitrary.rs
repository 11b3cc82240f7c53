//! Whatever arrives and whatever the host calls, in any order: nothing panics, overflow checks included, and what
//! each call promises holds.

mod common;

use common::*;
use core::str;
use framewire::{
    Client, Close, CloseCode, Connection, Decoder, Event, Header, Kind, Limits, Opcode, ProtocolError, Rsv,
    Server, State, frame, mask::Key, utf8,
};
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// Bytes that look like frames more often than chance would have it.
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

/// One public call, with whatever arguments.
#[derive(Clone, Debug)]
enum Call {
    Receive(Bytes),
    /// Through the assembler: so much missing, so much read.
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

/// The verbs that `Side` leaves out.
trait Verbs: Side {
    fn header(conn: &mut Connection<Self>, kind: Kind, rsv: Rsv, len: u64) -> bool;
    fn part(conn: &mut Connection<Self>, kind: Kind, rsv: Rsv, len: u64, last: bool) -> bool;
}

impl Verbs for Server {
    fn header(conn: &mut Connection<Self>, kind: Kind, rsv: Rsv, len: u64) -> bool {
        conn.message(kind, rsv, len).is_ok()
    }
    fn part(conn: &mut Connection<Self>, kind: Kind, rsv: Rsv, len: u64, last: bool) -> bool {
        conn.fragment(kind, rsv, len, last).is_ok()
    }
}

impl Verbs for Client {
    fn header(conn: &mut Connection<Self>, kind: Kind, rsv: Rsv, len: u64) -> bool {
        conn.message(Key::new(KEY), kind, rsv, len).is_ok()
    }
    fn part(conn: &mut Connection<Self>, kind: Kind, rsv: Rsv, len: u64, last: bool) -> bool {
        conn.fragment(Key::new(KEY), kind, rsv, len, last).is_ok()
    }
}

struct Host<S: Side> {
    conn: Connection<S>,
    joiner: Joiner,
    #[cfg(feature = "alloc")]
    assembler: framewire::Assembler,
}

fn call<S: Verbs>(host: &mut Host<S>, call: &Call) {
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
            // What went there is not the joiner's.
            host.joiner = Joiner::default();
        }
        #[cfg(feature = "alloc")]
        Call::Anew => host.assembler = framewire::Assembler::with_memory(100, vec![7; 50]),
        #[cfg(not(feature = "alloc"))]
        Call::Direct(..) | Call::Anew => {}
        &Call::Reply(which) => drop(S::reply(conn, &events()[which])),
        &Call::Fail(which) => {
            S::fail(conn, ERRORS[which]);
            assert_eq!(conn.state(), State::Closed);
        }
        Call::Eof => drop(conn.receive_eof()),
        Call::Message(text, Bytes(bytes)) => {
            if !text || str::from_utf8(bytes).is_ok() {
                let sent = S::message(conn, kind(*text), bytes);
                assert!(sent.is_err() || open_to_send);
            }
        }
        &Call::Header(text, bits, len) => {
            let sent = S::header(conn, kind(text), rsv(bits), len);
            assert!(!sent || (open_to_send && len < 1 << 63));
        }
        &Call::Fragment(text, bits, len, last) => {
            let sent = S::part(conn, kind(text), rsv(bits), len, last);
            assert!(!sent || (open_to_send && len < 1 << 63));
        }
        Call::Ping(Bytes(bytes)) => assert!(S::ping(conn, bytes).is_err() || open_to_send),
        &Call::Pong(len) => {
            assert!(S::pong(conn, &vec![0; len]).is_err() || (open_to_send && len <= 125));
        }
        &Call::Close(code, len) => {
            if S::close(conn, code, &"r".repeat(len)).is_ok() {
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
        assert!(S::ping(conn, b"").is_err());
    }
}

fn host<S: Verbs>(calls: &[Call], limits: Limits, bits: u8) {
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
                // Also after an error: nonsense, but no panic.
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

fn connection<S: Side>(limits: Limits, bits: u8) -> Connection<S> {
    Connection::new().with_limits(limits).with_extension_bits(rsv(bits))
}

/// Headers that no wire could have given, and the other values that anybody can make.
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
