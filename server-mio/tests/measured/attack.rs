//! Attacks, and the most that each may cost the server: memory, and CPU time as a ratio to that of an honest client. Honest
//! peers must be served meanwhile. Each attack prints a row for the table in docs/security.md. An attack lasts about two seconds,
//! at a rate that leaves the server some time, so that the waits of the honest peers say more than that it is busy.
//!
//! The attacks measure, and take a while, so `.ci/run attack` runs them in release mode, one after the other. Other files test
//! the server's answers, with smaller inputs.

use super::{
    flood::{Flood, paced, stream},
    siege::{Siege, Unit},
    *,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

/// The memory of a peer with unfinished work, besides the bytes in the formula of docs/operations.md.
const PLACE: usize = 600;

/// Memory that the allocator keeps, and the buffers that all connections share.
pub(crate) const SLACK: usize = 2 * MIB;

/// The default of `--high-water`.
pub(crate) const HIGH_WATER: usize = MIB;

/// The default size of the receive buffer, and the replies to its messages.
pub(crate) const BUFFERS: usize = 512 * KIB;

#[test]
#[ignore = "measures"]
fn declared_lengths() {
    const PEERS: usize = 1000;
    // Without a limit on messages: memory must not grow even then.
    let siege = Siege::new(Unit::Connection, &["--max-message", &i64::MAX.to_string()]);
    let (cost, mut peers) = siege.run(|program| {
        let peers: Vec<Client> = paced(PEERS, 500)
            .map(|i| {
                let mut peer = program.connect();
                peer.send(&head(BINARY, 1 << (17 + i % 46)));
                peer
            })
            .collect();
        (PEERS, peers)
    });
    // The server still waits for the payload.
    let peer = &mut peers[0];
    peer.send(&[0; 1 << 17]);
    peer.expect_binary(&mask_away(1 << 17));
    drop(peers);
    cost.must_be_within("declared lengths to 2^62, and no byte", PEERS * PLACE + SLACK, 2.0);
}

/// The payload that results from unmasking `len` zero bytes.
fn mask_away(len: usize) -> Vec<u8> {
    let frame = frame(0, &vec![0; len]);
    frame[frame.len() - len..].to_vec()
}

#[test]
#[ignore = "measures"]
fn fragments() {
    const COUNT: usize = 4_000_000;
    for (payload, name, memory) in
        [(&b""[..], "empty fragments of one message", 0), (b"x", "fragments of one byte", 2 * COUNT)]
    {
        let siege = Siege::new(Unit::Byte, &[]);
        let (cost, mut client) = siege.run(|program| {
            let mut client = program.connect();
            client.send(&frame(BINARY & MORE, b""));
            let fragment = frame(CONTINUATION & MORE, payload);
            let wire = fragment.repeat(10_000);
            let flood = Flood { wire: &wire, each: COUNT * fragment.len(), rate: 12 * MIB, reads: false };
            (flood.pour([stream(&client)]), client)
        });
        client.send(&frame(CONTINUATION, b""));
        client.expect_binary(&payload.repeat(COUNT));
        client.close();
        cost.must_be_within(&format!("4,000,000 {name}"), memory + SLACK, 20.0);
    }
}

/// A pause between two writes, so that the server reads each by itself.
const PAUSE: Duration = Duration::from_micros(10);

#[test]
#[ignore = "measures"]
fn byte_by_byte() {
    let siege = Siege::new(Unit::Write, &[]);
    let (cost, ()) = siege.run(|program| {
        let mut sent = 0;
        for _ in 0..4 {
            let mut peer = program.tcp();
            let head = upgrade(&format!("Cookie: {}", "c".repeat(8000)));
            for byte in &head.as_bytes()[..8100] {
                peer.write_all(&[*byte]).unwrap();
                thread::sleep(PAUSE);
                sent += 1;
            }
        }
        (sent, ())
    });
    cost.must_be_within("a head, byte by byte", 4 * (8 * KIB + PLACE) + SLACK, 4.0);

    let siege = Siege::new(Unit::Write, &[]);
    let (cost, ()) = siege.run(|program| {
        let mut client = program.connect();
        client.send(&head(BINARY, 16 << 20));
        client.send(&[0; 64 * KIB]);
        for _ in 0..30_000 {
            client.send(&[0]);
            thread::sleep(PAUSE);
        }
        (30_000, ())
    });
    cost.must_be_within("a frame of 16 MiB, byte by byte", 4 * 64 * KIB + SLACK, 4.0);
}

#[test]
#[ignore = "measures"]
fn floods_of_control_frames_unread() {
    const PEERS: usize = 10;
    let each = HIGH_WATER + BUFFERS;
    for (name, wire) in [
        ("pings of no bytes, pongs not read", frame(PING, b"")),
        ("pings of 125 bytes, pongs not read", frame(PING, &[b'p'; 125])),
        ("messages of one byte, echoes not read", frame(BINARY, b"x")),
    ] {
        let siege = Siege::new(Unit::Byte, &[]);
        let flood = Flood { wire: &wire.repeat(10_000), each: 64 * MIB, rate: 64 * MIB, reads: false };
        let (cost, peers) = siege.run(|program| {
            let peers: Vec<Client> = (0..PEERS).map(|_| program.connect()).collect();
            (flood.pour(peers.iter().map(stream)), peers)
        });
        drop(peers);
        cost.must_be_within(&format!("10 peers: {name}"), PEERS * each + SLACK, 50.0);
    }
}

/// Peers that read the pongs, so the server never stops reading from them.
#[test]
#[ignore = "measures"]
fn many_pingers() {
    const PEERS: usize = 200;
    let siege = Siege::new(Unit::Byte, &[]);
    let wire = frame(PING, b"").repeat(1000);
    let flood = Flood { wire: &wire, each: 40 * wire.len(), rate: 16 * MIB, reads: true };
    let (cost, peers) = siege.run(|program| {
        let peers: Vec<Client> = (0..PEERS).map(|_| program.connect()).collect();
        (flood.pour(peers.iter().map(stream)), peers)
    });
    drop(peers);
    cost.must_be_within("200 peers: pings of no bytes", PEERS * PLACE + SLACK, 50.0);
}

#[test]
#[ignore = "measures"]
fn floods_after_the_end() {
    let closes = close(1000, "bye").repeat(10_000);
    let headers = "X-Another: and one more\r\n".repeat(4000).into_bytes();
    let start = "GET / HTTP/1.1\r\n".as_bytes();
    for (name, first, wire) in
        [("closes", None, &closes), ("noise after a close", Some(close(1000, "")), &noise(MIB, 1))]
    {
        let siege = Siege::new(Unit::Byte, &["--close-timeout", "60"]);
        let flood = Flood { wire, each: 64 * MIB, rate: 32 * MIB, reads: false };
        let (cost, peer) = siege.run(|program| {
            let mut client = program.connect();
            first.iter().for_each(|first| client.send(first));
            (flood.pour([stream(&client)]), client)
        });
        drop(peer);
        cost.must_be_within(&format!("64 MiB of {name}, nothing read"), SLACK, 2.0);
    }
    let siege = Siege::new(Unit::Byte, &["--close-timeout", "60"]);
    let (cost, mut peer) = siege.run(|program| {
        let mut peer = program.tcp();
        peer.write_all(start).unwrap();
        let flood = Flood { wire: &headers, each: 64 * MIB, rate: 32 * MIB, reads: false };
        (flood.pour([&peer]), peer)
    });
    let mut answer = [0; 12];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    drop(peer);
    cost.must_be_within("64 MiB of headers", 8 * KIB + SLACK, 2.0);
}

/// A masking key of zero makes messages no more expensive. (codec/tests/protocol/attack.rs tests that they are correct.)
#[test]
#[ignore = "measures"]
fn keys_of_zero() {
    let siege = Siege::new(Unit::Byte, &[]);
    let message = [&[BINARY, 0x80 | 125, 0, 0, 0, 0], &noise(125, 3)[..]].concat();
    let wire = message.repeat(500);
    let flood = Flood { wire: &wire, each: 800 * wire.len(), rate: 24 * MIB, reads: true };
    let (cost, peer) = siege.run(|program| {
        let client = program.connect();
        (flood.pour([stream(&client)]), client)
    });
    peer.close(); // all echoes have come
    cost.must_be_within("keys of zero", HIGH_WATER + BUFFERS + SLACK, 3.0);
}

#[test]
#[ignore = "measures"]
fn connections_that_fail() {
    const COUNT: usize = 2000;
    let siege = Siege::new(Unit::Connection, &[]);
    let wrong: Vec<Vec<u8>> = (1..8)
        .flat_map(|bits| [CONTINUATION, TEXT, PING].map(|first| frame(first | bits << 4, b"")))
        .collect();
    let (cost, ()) = siege.run(|program| {
        for i in paced(COUNT, 1000) {
            let mut client = program.connect();
            client.send(&wrong[i % wrong.len()]);
            client.expect_close(1002);
        }
        (COUNT, ())
    });
    cost.must_be_within("connections that break the protocol", SLACK, 2.0);

    let siege = Siege::new(Unit::Connection, &[]);
    let garbage = noise(300, 1);
    let (cost, ()) = siege.run(|program| {
        for i in paced(COUNT, 1000) {
            let mut peer = program.tcp();
            if i % 2 == 0 {
                peer.write_all(&garbage).unwrap();
            }
        }
        (COUNT, ())
    });
    cost.must_be_within("connections of garbage, and of nothing", SLACK, 2.0);
}

/// Text that becomes invalid within its first MiB, in fragments of a few bytes.
#[test]
#[ignore = "measures"]
fn text_that_goes_wrong() {
    let siege = Siege::new(Unit::Byte, &[]);
    let text = words(MIB);
    let (cost, ()) = siege.run(|program| {
        let (mut random, mut sent) = (Random(1), 0);
        for round in paced(40, 20) {
            let mut bytes = text.clone().into_bytes();
            let at = random.below(bytes.len());
            bytes[at] = 0xFF;
            let mut wire = frame(TEXT & MORE, b"");
            bytes[..=at]
                .chunks(1 + round % 7)
                .for_each(|bytes| wire.extend(frame(CONTINUATION & MORE, bytes)));
            let mut client = program.connect();
            client.send(&wire);
            client.expect_close(1007);
            sent += wire.len();
        }
        (sent, ())
    });
    cost.must_be_within("text that goes wrong, in tiny fragments", 2 * MIB + SLACK, 30.0);
}

#[test]
#[ignore = "measures"]
fn half_open_handshakes() {
    const PEERS: usize = 10_000;
    let head = &upgrade(&format!("Cookie: {}", "c".repeat(8000)))[..8000];
    for (name, head, each) in
        [("with 8,000 bytes of head", head, 8 * KIB + PLACE), ("without a byte", "", 200)]
    {
        let siege = Siege::new(Unit::Connection, &["--handshake-timeout", "20", "--close-timeout", "1"]);
        let all = siege.descriptors + PEERS;
        let (cost, peers) = siege.run(|program| {
            let peers: Vec<TcpStream> = paced(PEERS, 5000)
                .map(|_| {
                    let mut peer = program.tcp();
                    peer.write_all(head.as_bytes()).unwrap();
                    peer
                })
                .collect();
            until("all of them are accepted", || program.descriptors() >= all);
            (PEERS, peers)
        });
        cost.must_be_within(&format!("10,000 half-open handshakes {name}"), PEERS * each + SLACK, 2.0);
        drop(peers); // the server has closed them
    }
}

/// Megabytes are queued for these peers, and they read a byte a second.
#[test]
#[ignore = "measures"]
fn slow_readers() {
    const PEERS: usize = 10;
    let options = ["--idle-timeout", "5", "--pong-timeout", "5"];
    let siege = Siege::new(Unit::Byte, &options);
    let wire = frame(BINARY, &noise(100_000, 1));
    let flood = Flood { wire: &wire, each: 64 * MIB, rate: 64 * MIB, reads: false };
    let (cost, mut peers) = siege.run(|program| {
        let mut peers: Vec<Client> = (0..PEERS).map(|_| program.connect()).collect();
        let sent = flood.pour(peers.iter().map(stream));
        read_slowly(&mut peers, 3);
        (sent, peers)
    });
    // If the kernel has room, the server does not see that a peer reads a byte a second.
    until("the server drops them", || {
        read_slowly(&mut peers, 1);
        cost.siege.program.descriptors() <= cost.siege.descriptors
    });
    let each = HIGH_WATER + 2 * 100_000 + BUFFERS;
    cost.must_be_within("10 peers that read a byte a second", PEERS * each + SLACK, 3.0);
}

fn read_slowly(peers: &mut [Client], seconds: usize) {
    for _ in 0..seconds {
        for peer in &mut *peers {
            let _ = peer.socket.read(&mut [0]); // fails once the server has dropped the peer
        }
        thread::sleep(Duration::from_secs(1));
    }
}
