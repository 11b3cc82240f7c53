//! Peers that send and do not read: they are paused, nothing is lost, and other peers are served.

use super::*;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A low high-water mark, and small socket buffers, so that the kernel takes little.
const TIGHT: &[&str] = &["--high-water", "64K", "--send-buffer", "16K", "--receive-buffer", "16K"];

/// Sends in the background, and counts the bytes sent.
fn send_all(client: &Client, wire: Vec<u8>) -> (Arc<AtomicUsize>, JoinHandle<()>) {
    let mut socket = client.socket.try_clone();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let sending = thread::spawn(move || {
        let mut rest = &wire[..];
        while !rest.is_empty() {
            match socket.write(&rest[..rest.len().min(16 * KIB)]) {
                Ok(n) => rest = &rest[n..],
                Err(error) => panic!("after {} bytes: {error}", count.load(SeqCst)),
            }
            count.store(wire.len() - rest.len(), SeqCst);
        }
    });
    (sent, sending)
}

/// Waits until the peer's sending blocks: the count does not change any more.
fn blocked(sent: &AtomicUsize) -> usize {
    let begun = Instant::now();
    let mut last = (sent.load(SeqCst), Instant::now());
    loop {
        thread::sleep(Duration::from_millis(20));
        let now = sent.load(SeqCst);
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() > Duration::from_millis(400) {
            return now;
        }
        assert!(begun.elapsed() < PATIENCE, "the peer's sending does not block");
    }
}

#[test]
fn a_peer_that_does_not_read_is_not_read() {
    let program = start(TIGHT);
    program.check();
    let memory = program.memory();
    let mut client = program.connect();
    let payloads: Vec<Vec<u8>> = (0..3000).map(|i| noise(i * 7 % 20_000, i as u64)).collect();
    let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(BINARY, payload)).collect();
    let total = wire.len();
    let (sent, sending) = send_all(&client, wire);
    let taken = blocked(&sent);
    assert!(taken < total / 2, "{taken} of {total} bytes were taken");
    let grown = program.memory().saturating_sub(memory);
    assert!(grown < 2 * MIB, "the server grew by {grown} bytes");
    // The server does not spin, and serves others.
    let cpu = program.cpu();
    thread::sleep(Duration::from_millis(300));
    assert!(program.cpu() - cpu <= 5);
    program.check();
    // The peer reads: all echoes come, in order.
    for payload in &payloads {
        client.expect_binary(payload);
    }
    sending.join().unwrap();
    client.close();
}

/// Small messages, whose replies are copied and merged, and pings.
#[test]
fn small_messages_and_pings_pause_a_peer() {
    let program = start(TIGHT);
    for opcode in [BINARY, PING] {
        let memory = program.memory();
        let mut client = program.connect();
        let count = 200_000_u32;
        let wire: Vec<u8> = (0..count).flat_map(|i| frame(opcode, &[i.to_be_bytes(); 10].concat())).collect();
        let total = wire.len();
        let (sent, sending) = send_all(&client, wire);
        assert!(blocked(&sent) < total);
        let grown = program.memory().saturating_sub(memory);
        assert!(grown < 2 * MIB, "the server grew by {grown} bytes");
        for i in 0..count {
            let payload = [i.to_be_bytes(); 10].concat();
            match client.next() {
                Got::Binary(bytes) | Got::Pong(bytes) => assert_eq!(bytes, payload),
                other => panic!("{other:?}"),
            }
        }
        sending.join().unwrap();
        client.check();
    }
}

/// Large messages pause a peer, too: the server holds no more than the message that exceeds the mark and the next one.
#[test]
fn large_messages_pause_a_peer() {
    let program = start(&["--high-water", "64K"]);
    program.check();
    let memory = program.memory();
    let mut client = program.connect();
    let payloads: Vec<Vec<u8>> = (0..12).map(|i| noise(2 * MIB + i, i as u64)).collect();
    let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(BINARY, payload)).collect();
    let total = wire.len();
    let (sent, sending) = send_all(&client, wire);
    assert!(blocked(&sent) < total);
    let grown = program.memory().saturating_sub(memory);
    assert!(grown < 10 * MIB, "the server grew by {grown} bytes");
    for payload in &payloads {
        client.expect_binary(payload);
    }
    sending.join().unwrap();
    client.close();
}

/// The smallest send buffer that the kernel allows, messages of many sizes, and reads of many sizes: writes stop at every
/// place.
#[test]
fn every_partial_write() {
    let program = start(&["--send-buffer", "1K", "--high-water", "8K"]);
    for (seed, piece) in [(1, 13), (2, 700), (3, 4096), (4, 50_000)] {
        let mut client = program.connect();
        let mut random = Random(seed);
        let sizes: Vec<usize> = (0..300)
            .map(|_| match random.below(3) {
                0 => random.below(130),
                1 => 4090 + random.below(12),
                _ => random.below(5000),
            })
            .collect();
        let wire: Vec<u8> = sizes.iter().flat_map(|&len| frame(BINARY, &noise(len, len as u64))).collect();
        let expected: Vec<u8> = sizes
            .iter()
            .flat_map(|&len| [&unmasked_head(len)[..], &noise(len, len as u64)].concat())
            .collect();
        let (_, sending) = send_all(&client, wire);
        let mut got = Vec::new();
        let mut buffer = vec![0; piece];
        while got.len() < expected.len() {
            let n = client.socket.read(&mut buffer[..1 + random.below(piece)]).unwrap();
            assert_ne!(n, 0);
            got.extend_from_slice(&buffer[..n]);
        }
        assert!(got == expected, "the echoes differ");
        sending.join().unwrap();
        client.close();
    }
}

fn unmasked_head(len: usize) -> Vec<u8> {
    let mut bytes = head(BINARY, len as u64);
    bytes.truncate(bytes.len() - 4);
    bytes[1] &= 0x7F;
    bytes
}

#[test]
fn a_peer_that_reads_byte_by_byte() {
    let program = start(&["--send-buffer", "1K", "--high-water", "1"]);
    let client = program.connect();
    let payloads: Vec<Vec<u8>> = (0..200).map(|i| noise(i, i as u64)).collect();
    let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(BINARY, payload)).collect();
    let expected: Vec<u8> =
        payloads.iter().flat_map(|payload| [&unmasked_head(payload.len())[..], payload].concat()).collect();
    let (_, sending) = send_all(&client, wire);
    let mut socket = client.socket.try_clone();
    let mut byte = [0];
    for (at, expected) in expected.iter().enumerate() {
        socket.read_exact(&mut byte).unwrap();
        assert_eq!(byte[0], *expected, "byte {at}");
    }
    sending.join().unwrap();
    client.close();
}

/// The peer ends its stream while it is paused: the messages that it sent before are still echoed.
#[test]
fn half_closed_while_paused() {
    let program = start(TIGHT);
    let mut client = program.connect();
    let wire = frame(BINARY, &[3; 1000]).repeat(1000);
    let (sent, sending) = send_all(&client, wire);
    blocked(&sent);
    let socket = client.socket.try_clone();
    let reading = thread::spawn(move || {
        for _ in 0..1000 {
            client.expect_binary(&[3; 1000]);
        }
        client.expect_end();
    });
    sending.join().unwrap();
    socket.shutdown_write();
    reading.join().unwrap();
}

/// A close, or a protocol error, behind echoes that the peer does not read yet: the server's close comes after them.
#[test]
fn a_close_comes_after_queued_echoes() {
    let program = start(TIGHT);
    for (last, code) in [(close(4000, ""), 4000), (frame(0xF0, b""), 1002)] {
        let mut client = program.connect();
        let wire = [frame(BINARY, &[3; 9000]).repeat(100), last].concat();
        let (_, sending) = send_all(&client, wire);
        thread::sleep(Duration::from_millis(100));
        for _ in 0..100 {
            client.expect_binary(&[3; 9000]);
        }
        client.expect_close(code);
        client.expect_end();
        sending.join().unwrap();
    }
}

#[test]
fn a_peer_that_never_reads_is_dropped() {
    let program = start(&["--idle-timeout", "1", "--pong-timeout", "1", "--high-water", "64K"]);
    let before = program.descriptors();
    let client = program.connect();
    let mut socket = client.socket.try_clone();
    let wire = frame(BINARY, &[1; 100_000]);
    let flooding = thread::spawn(move || while socket.write_all(&wire).is_ok() {});
    until("the server closes its socket", || program.descriptors() <= before);
    flooding.join().unwrap();
    program.check();
    drop(client);
}

/// One peer floods and reads at full speed, one floods and does not read, several send garbage: another one is served meanwhile.
#[test]
fn others_are_served_meanwhile() {
    let program = start(&[]);
    let mut flooder = program.connect();
    let reader = flooder.socket.try_clone();
    let stop = Arc::new(AtomicUsize::new(0));
    let stopped = stop.clone();
    let flooding = thread::spawn(move || {
        let wire = frame(BINARY, &[9; 1000]).repeat(200);
        while stopped.load(SeqCst) == 0 {
            flooder.send(&wire);
        }
        flooder.socket.shutdown_write();
    });
    let reading = thread::spawn(move || {
        let mut reader = reader;
        io::copy(&mut reader, &mut io::sink()).unwrap_or_default();
    });
    let greedy = program.connect();
    let mut socket = greedy.socket.try_clone();
    let greed =
        thread::spawn(move || while socket.write_all(&[0x82, 0x80, 0, 0, 0, 0].repeat(10_000)).is_ok() {});
    let mut polite = program.connect();
    for _ in 0..200 {
        polite.check();
    }
    for _ in 0..20 {
        let mut garbage = program.tcp();
        let _ = garbage.write_all(&noise(1000, 4));
        program.check();
    }
    stop.store(1, SeqCst);
    flooding.join().unwrap();
    reading.join().unwrap();
    if let Socket::Tcp(socket) = &greedy.socket {
        TcpStream::shutdown(socket, std::net::Shutdown::Both).unwrap();
    }
    greed.join().unwrap();
    polite.close();
}
