//! Attacks with compression, as in attack.rs. The honest client does not compress.

use super::{
    attack::{BUFFERS, HIGH_WATER, SLACK},
    flood::{Flood, paced},
    siege::{Siege, Unit},
    *,
};
use framewire::{
    Client as ClientRole, Connection, Kind, Rsv,
    deflate::{DeflatePool, Deflater},
    extension::DeflateParams,
    mask::Key,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// The configured limit on the memory of the pools.
const POOLS: usize = 16 * MIB;

const OPTIONS: &[&str] = &["--compression", "--compression-memory", "16M"];

/// How many messages may be open at the same time.
const DECOMPRESSORS: usize = POOLS / 4 / (80 * KIB);

/// The default of `--max-message`.
const MESSAGE: usize = 16 * MIB;

/// The first byte of a compressed message in one frame, and of its first fragment.
const WHOLE: u8 = BINARY | RSV1;
const FIRST: u8 = WHOLE & MORE;

/// A message that inflates to a thousand times its size, within the limit: the server inflates it, and compresses the echo.
#[test]
#[ignore = "measures"]
fn bombs_within_the_limit() {
    const BOMBS: usize = 60;
    let bomb = bomb(MESSAGE);
    let siege = Siege::new(Unit::Byte, OPTIONS);
    let (cost, ()) = siege.run(|program| {
        let mut peer = connect(program, "");
        for _ in paced(BOMBS, 30) {
            peer.write_all(&bomb).unwrap();
            let mut head = [0; 4];
            peer.read_exact(&mut head).unwrap();
            assert_eq!(head[..2], [WHOLE, 126]);
            peer.read_exact(&mut vec![0; u16::from_be_bytes([head[2], head[3]]).into()]).unwrap();
        }
        (BOMBS * bomb.len(), ())
    });
    cost.must_be_within("bombs of 16 MiB, echoed", POOLS + 4 * MESSAGE + SLACK, 6000.0);
}

/// A message that inflates beyond the limit: the server inflates up to the limit, then fails the connection.
#[test]
#[ignore = "measures"]
fn bombs_over_the_limit() {
    const COUNT: usize = 200;
    let bomb = bomb(MIB + MIB / 8);
    let siege = Siege::new(Unit::Connection, &[OPTIONS, &["--max-message", "1M"]].concat());
    let (cost, ()) = siege.run(|program| {
        for _ in paced(COUNT, 100) {
            let mut peer = connect(program, "");
            peer.write_all(&bomb).unwrap();
            let mut answer = [0; 4];
            peer.read_exact(&mut answer).unwrap();
            assert_eq!((answer[0], &answer[2..]), (CLOSE, &1009_u16.to_be_bytes()[..]));
        }
        (COUNT, ())
    });
    cost.must_be_within("bombs of 1 KiB, for a limit of 1 MiB", POOLS + 4 * MIB + SLACK, 40.0);
}

/// Many peers, and messages that take most of the server's time: bombs; and chains of references that reach further back than
/// the server's window, so that it finds nothing to compress.
#[test]
#[ignore = "measures"]
fn many_expensive_messages() {
    let chain = compressed(&noise(20_000, 1).repeat(MESSAGE / 20_000));
    for (name, peers, message, offer, rate, ratio) in [
        ("200 peers: 2 bombs of 16 MiB each", 200, bomb(MESSAGE).repeat(2), "", 1_600_000, 6000.0),
        ("20 peers: a chain of far references each", 20, chain, "; server_max_window_bits=9", MIB, 12_000.0),
    ] {
        let siege = Siege::new(Unit::Byte, OPTIONS);
        let flood = Flood { wire: &message, each: message.len(), rate, reads: true };
        let (cost, peers) = siege.run(|program| {
            let peers: Vec<TcpStream> = (0..peers).map(|_| connect(program, offer)).collect();
            (flood.pour(&peers), peers)
        });
        let memory = POOLS + peers.len().min(DECOMPRESSORS) * (HIGH_WATER + 2 * MESSAGE + BUFFERS) + SLACK;
        drop(peers);
        cost.must_be_within(name, memory, ratio);
    }
}

/// Compressed bytes that inflate to nothing: no limit on the inflated length bounds this work.
#[test]
#[ignore = "measures"]
fn streams_that_inflate_to_nothing() {
    const STORED: &[u8] = &[0, 0, 0, 0xFF, 0xFF];
    const FINAL: &[u8] = &[1, 0, 0, 0xFF, 0xFF];
    // A final block begins a new stream, to which the window is copied. One is allowed for each 64 bytes.
    let window = noise(32 * KIB, 1);
    let finals = [FINAL, &STORED.repeat(12)].concat().repeat(10_000);
    for (name, payload, blocks, ratio) in [
        ("empty stored blocks", &[][..], STORED.repeat(200_000), 60.0),
        ("empty blocks with a code each", &[], code_tables(4000), 250.0),
        ("empty final blocks, after 32 KiB", &window, finals, 100.0),
    ] {
        let siege = Siege::new(Unit::Byte, OPTIONS);
        let wire = frame(CONTINUATION & MORE, &blocks);
        let times = 12 * MIB / wire.len(); // the limit also counts compressed bytes
        let flood = Flood { wire: &wire, each: times * wire.len(), rate: 6 * MIB, reads: false };
        let (cost, mut peer) = siege.run(|program| {
            let mut peer = connect(program, "");
            peer.write_all(&frame(FIRST, &stored(payload))).unwrap();
            (flood.pour([&peer]), peer)
        });
        peer.write_all(&frame(CONTINUATION, b"\0")).unwrap();
        let expected = wire::frame(BINARY, None, payload);
        let mut echo = vec![0; expected.len()];
        peer.read_exact(&mut echo).unwrap();
        assert!(echo == expected, "the message is echoed");
        drop(peer);
        cost.must_be_within(&format!("{name}, one message"), POOLS + SLACK, ratio);
    }
}

/// A stored block (RFC 1951 §3.2.4), or nothing for no bytes.
fn stored(payload: &[u8]) -> Vec<u8> {
    if payload.is_empty() {
        return Vec::new();
    }
    let len = payload.len() as u16;
    [&[0], &len.to_le_bytes()[..], &(!len).to_le_bytes(), payload].concat()
}

#[test]
#[ignore = "measures"]
fn fragments() {
    const COUNT: usize = 1_000_000;
    for (name, payload, ratio) in
        [("empty fragments", &b""[..], 60.0), ("fragments of one byte", b"\0", 100.0)]
    {
        let siege = Siege::new(Unit::Byte, OPTIONS);
        // The bytes of empty stored blocks, one in each fragment.
        let wire = match payload {
            b"" => frame(CONTINUATION & MORE, b"").repeat(5000),
            _ => [0, 0, 0, 0xFF, 0xFF].map(|byte| frame(CONTINUATION & MORE, &[byte])).concat().repeat(1000),
        };
        let flood = Flood { wire: &wire, each: COUNT / 5000 * wire.len(), rate: 3 * MIB, reads: false };
        let (cost, peer) = siege.run(|program| {
            let mut peer = connect(program, "");
            peer.write_all(&frame(FIRST, &[])).unwrap();
            (flood.pour([&peer]), peer)
        });
        drop(peer);
        cost.must_be_within(&format!("1,000,000 {name}, compressed"), POOLS + SLACK, ratio);
    }
}

/// Connects and offers compression with these parameters.
fn connect(program: &Program, parameters: &str) -> TcpStream {
    let mut peer = program.tcp();
    let offer = format!("permessage-deflate{parameters}");
    peer.write_all(upgrade(&format!("Sec-WebSocket-Extensions: {offer}\r\n")).as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    assert!(head.contains(&offer), "{head}");
    peer
}

/// A message of zeros.
fn bomb(len: usize) -> Vec<u8> {
    compressed(&vec![0; len])
}

/// A compressed message.
fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut connection = Connection::<ClientRole>::new().with_extension_bits(Rsv::RSV1);
    let mut deflater = Deflater::<ClientRole>::new(&DeflateParams::default());
    let (key, mut pool) = (Key::new([1, 2, 3, 4]), DeflatePool::default());
    let sent = deflater.message(&mut connection, Kind::Binary, payload, &mut pool, key).unwrap();
    let mut frame = Vec::new();
    sent.append_to(&mut frame);
    frame
}

/// Empty blocks with long code tables (RFC 1951 §3.2.7): 286 codes for literals and lengths, of 8 and 9 bits, and 30 codes for
/// distances, of 4 and 5 bits.
fn code_tables(blocks: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    for _ in 0..blocks {
        bits.push(0b100, 3); // not the last block; dynamic codes
        bits.push(286 - 257, 5);
        bits.push(30 - 1, 5);
        bits.push(12 - 4, 4);
        // The code lengths of the code for code lengths: two bits for 4, 5, 8 and 9, and none for others.
        for length in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4] {
            bits.push(if [4, 5, 8, 9].contains(&length) { 2 } else { 0 }, 3);
        }
        // So the code for 4 is 00, for 5 is 01, for 8 is 10, for 9 is 11, most significant bit first.
        let lengths = [(226, 0b01), (60, 0b11), (2, 0b00), (28, 0b10)];
        lengths.into_iter().for_each(|(count, code)| (0..count).for_each(|_| bits.push(code, 2)));
        // The end of the block is symbol 256: the 31st code of 9 bits.
        let code: u32 = (226 << 1) + 30;
        (0..9).rev().for_each(|bit| bits.push(code >> bit & 1, 1));
    }
    bits.push(0, 3); // an empty stored block, which ends at a byte boundary
    bits.bytes.extend([0, 0, 0xFF, 0xFF]);
    bits.bytes
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Unused bits of the last byte.
    room: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.room == 0 {
                self.bytes.push(0);
                self.room = 8;
            }
            *self.bytes.last_mut().expect("pushed") |= ((value >> bit & 1) as u8) << (8 - self.room);
            self.room -= 1;
        }
    }
}
