//! The ends of connections: by either side, with and without a closing handshake.

use super::*;
use std::{io::Read, net::Shutdown, thread, time::Duration};

#[test]
fn the_reply_to_a_close_has_its_code() {
    let program = start(&[]);
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        let mut client = program.connect();
        client.text("last words");
        client.send(&close(code, "a reason: größer"));
        client.expect_text("last words");
        client.expect_close(code);
        client.expect_end();
    }
    let mut client = program.connect();
    client.send(&frame(CLOSE, b""));
    assert_eq!(client.next(), Got::Close(1005, String::new()));
    client.expect_end();
}

#[test]
fn what_follows_a_close_is_not_read() {
    let program = start(&[]);
    let mut client = program.connect();
    client.send(&[frame(TEXT, b"before"), close(1000, ""), frame(TEXT, b"after"), vec![0xFF; 1000]].concat());
    client.expect_text("before");
    client.expect_close(1000);
    client.send(&noise(100_000, 1));
    client.expect_end();
    program.check();
}

/// Messages before a protocol error are echoed; then the close has the error's code.
#[test]
fn protocol_errors() {
    let program = start(&[]);
    let large = noise(30_000, 1);
    for (what, bytes, code) in [
        ("reserved opcode", frame(0x83, b""), 1002),
        ("reserved control opcode", frame(0x8B, b""), 1002),
        ("RSV1", frame(TEXT | RSV1, b"x"), 1002),
        ("RSV2", frame(TEXT | 0x20, b"x"), 1002),
        ("RSV3", frame(PING | 0x10, b"x"), 1002),
        ("not masked", b"\x81\x05Hello".to_vec(), 1002),
        ("ping of 126 bytes", frame(PING, &[0; 126]), 1002),
        ("fragmented ping", frame(PING & MORE, b""), 1002),
        ("continuation without a start", frame(CONTINUATION, b"x"), 1002),
        ("a message in a message", [frame(TEXT & MORE, b"x"), frame(TEXT, b"y")].concat(), 1002),
        ("16-bit length of 5", b"\x82\xFE\x00\x05\0\0\0\0Hello".to_vec(), 1002),
        ("64-bit length of 5", b"\x82\xFF\0\0\0\0\0\0\0\x05\0\0\0\0Hello".to_vec(), 1002),
        ("length of 2^63", b"\x82\xFF\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec(), 1002),
        ("close of one byte", frame(CLOSE, b"x"), 1002),
        ("close 1005", close(1005, ""), 1002),
        ("close 999", close(999, ""), 1002),
        ("close with a bad reason", frame(CLOSE, b"\x03\xE8\xFF"), 1007),
        ("text that is not UTF-8", frame(TEXT, b"ab\xFFcd"), 1007),
        (
            "a surrogate over two fragments",
            [frame(TEXT & MORE, b"\xED"), frame(CONTINUATION, b"\xA0\x80")].concat(),
            1007,
        ),
        ("a text that ends inside a character", frame(TEXT, b"\xF0\x9F"), 1007),
    ] {
        let mut client = program.connect();
        client.send(
            &[frame(TEXT, b"one"), frame(BINARY, &large), frame(PING, b"two"), bytes, frame(TEXT, b"no")]
                .concat(),
        );
        client.expect_text("one");
        client.expect_binary(&large);
        assert_eq!(client.next(), Got::Pong(b"two".to_vec()), "{what}");
        match client.next() {
            Got::Close(got, _) => assert_eq!(got, code, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        client.expect_end();
    }
    program.check();
}

/// A frame header alone is enough to exceed a limit: no payload is needed.
#[test]
fn limits() {
    let program = start(&["--max-frame", "1000", "--max-message", "1500"]);
    for (bytes, code) in [
        (head(BINARY, 1001), 1009),
        (head(BINARY, u64::MAX >> 1), 1009),
        ([frame(BINARY & MORE, &[1; 1000]), head(CONTINUATION, 501)].concat(), 1009),
        (
            [
                frame(BINARY & MORE, &[1; 1000]),
                frame(CONTINUATION & MORE, &[2; 499]),
                head(CONTINUATION & MORE, 2),
            ]
            .concat(),
            1009,
        ),
    ] {
        let mut client = program.connect();
        client.binary(&[7; 1000]); // fits
        client.send(&[frame(BINARY & MORE, &[1; 750]), frame(CONTINUATION, &[1; 750])].concat()); // fits
        client.send(&bytes);
        client.expect_binary(&[7; 1000]);
        client.expect_binary(&[1; 1500]);
        client.expect_close(code);
        client.expect_end();
    }
    program.check();
}

#[test]
fn an_announced_length_costs_no_memory() {
    let program = start(&["--max-message", "1G"]);
    program.check();
    let before = program.memory();
    let clients: Vec<Client> = (0..50)
        .map(|_| {
            let mut client = program.connect();
            client.send(&head(BINARY, 1 << 30));
            client.send(&[0; 100]);
            client
        })
        .collect();
    program.check();
    let grown = program.memory().saturating_sub(before);
    assert!(grown < 2 * MIB, "50 announced lengths of 1 GiB took {grown} bytes");
    drop(clients);
}

/// The client closes its side of the stream after sending: all echoes still come.
#[test]
fn half_close() {
    let program = start(&[]);
    let mut client = program.connect();
    let payloads: Vec<Vec<u8>> = (0..40).map(|i| noise(100_000 * (i % 4) + i, i as u64)).collect();
    let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(BINARY, payload)).collect();
    let mut sender = client.socket.try_clone();
    let sending = thread::spawn(move || {
        std::io::Write::write_all(&mut sender, &wire).unwrap();
        sender.shutdown_write();
    });
    for payload in &payloads {
        client.expect_binary(payload);
    }
    client.expect_end();
    sending.join().unwrap();

    // The end of the stream right behind a message, and behind a message that came with the request.
    let mut client = program.connect();
    client.text("and gone");
    client.socket.shutdown_write();
    client.expect_text("and gone");
    client.expect_end();
    let mut client = Client::on(Socket::Tcp(program.tcp()), &[], &frame(TEXT, b"with the head"));
    client.socket.shutdown_write();
    client.expect_text("with the head");
    client.expect_end();
}

#[test]
fn abrupt_ends() {
    let program = start(&["--close-timeout", "1"]);
    let mut other = program.connect();
    let before = program.descriptors();
    for round in 0..10 {
        // The stream ends before a frame, in a header, in a payload, in a fragmented message, and in a large message that is
        // read directly into its memory.
        for bytes in [
            vec![],
            vec![0x82],
            head(BINARY, 70_000)[..9].to_vec(),
            head(BINARY, 10),
            [head(BINARY, 100), vec![0; 50]].concat(),
            frame(TEXT & MORE, b"the first fragment"),
            [head(BINARY, 1 << 20), vec![0; 300_000]].concat(),
        ] {
            let mut client = program.connect();
            client.send(&bytes);
            if round % 2 == 0 {
                client.socket.shutdown_write();
                assert_eq!(client.all(), []);
            }
        }
        // A reset: the client closes before it has read an echo that arrived.
        let mut client = program.connect();
        client.send(&frame(BINARY, &[1; 50_000]));
        client.send(&head(BINARY, 100_000));
        thread::sleep(Duration::from_millis(2));
        drop(client);
        let stream = program.tcp();
        stream.shutdown(Shutdown::Both).unwrap();
        other.check();
    }
    program.check(); // after this, all earlier connections are accepted
    until("the server closes their sockets", || program.descriptors() <= before);
    other.close();
}

#[test]
fn a_silent_peer_is_pinged_and_dropped() {
    let program = start(&["--idle-timeout", "1", "--pong-timeout", "1"]);
    let mut dead = program.connect();
    let mut alive = program.connect();
    // One peer gets a ping, does not answer, and is dropped.
    assert_eq!(dead.next(), Got::Ping(Vec::new()));
    // The other answers twice, and stays.
    for _ in 0..2 {
        assert_eq!(alive.next(), Got::Ping(Vec::new()));
        alive.send(&frame(PONG, b""));
    }
    assert_eq!(dead.all(), []);
    alive.check();
}

#[test]
fn a_peer_that_does_not_close_is_closed() {
    let program = start(&["--close-timeout", "1"]);
    let before = start(&[]).descriptors();
    // One peer sends a close, but does not close its socket. Another breaks the protocol, and continues to send.
    let mut client = program.connect();
    client.send(&close(1000, ""));
    client.expect_close(1000);
    client.expect_end();
    let mut flood = program.connect();
    flood.send(&frame(0x83, b""));
    flood.expect_close(1002);
    let mut sender = flood.socket.try_clone();
    let flooding =
        thread::spawn(move || while std::io::Write::write_all(&mut sender, &[0xFF; 10_000]).is_ok() {});
    until("the server closes their sockets", || program.descriptors() <= before);
    flooding.join().unwrap();
    program.check();
    drop(client);
}

/// A peer that reads slowly gets all its echoes and the close, although the kernel reports room for more bytes only when much of
/// its buffer is free.
#[test]
fn a_slow_reader_gets_everything() {
    let program = start(&["--close-timeout", "2"]);
    let mut client = program.connect();
    let Socket::Tcp(socket) = &client.socket else { unreachable!("it is TCP") };
    socket2::SockRef::from(socket).set_recv_buffer_size(64 * KIB).unwrap();
    let payload = noise(8 * MIB, 1);
    client.send(&[frame(BINARY, &payload), close(1000, "")].concat());
    let expected = [wire::frame(BINARY, None, &payload), wire::frame(CLOSE, None, &wire::closing(1000, ""))];
    let mut got = Vec::new();
    let mut buffer = [0; 16 * KIB];
    // 200 KiB a second, for longer than the timeout; then as fast as it can.
    for _ in 0..100 {
        let n = client.socket.read(&mut buffer).unwrap();
        got.extend_from_slice(&buffer[..n]);
        thread::sleep(Duration::from_millis(80));
    }
    client.socket.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), expected.concat().len());
    assert!(got == expected.concat());
}

/// After a clean close the server closes its socket at once. The kernel has the echoes, and the peer still gets all of them.
#[test]
fn a_slow_reader_gets_what_the_kernel_holds() {
    let program = start(&[]);
    let before = start(&[]).descriptors();
    let mut client = program.connect();
    let Socket::Tcp(socket) = &client.socket else { unreachable!("it is TCP") };
    socket2::SockRef::from(socket).set_recv_buffer_size(4 * KIB).unwrap();
    let payloads: Vec<_> = (0..20).map(|seed| noise(3000, seed)).collect();
    for payload in &payloads {
        client.binary(payload);
    }
    client.send(&close(1000, "bye"));
    until("the server closes the socket", || program.descriptors() <= before);
    let mut got = Vec::new();
    let mut buffer = [0; 2 * KIB];
    loop {
        thread::sleep(Duration::from_millis(5));
        match client.socket.read(&mut buffer).expect("no reset") {
            0 => break,
            n => got.extend_from_slice(&buffer[..n]),
        }
    }
    let echoes: Vec<_> = payloads.iter().flat_map(|payload| wire::frame(BINARY, None, payload)).collect();
    let expected = [echoes, wire::frame(CLOSE, None, &wire::closing(1000, ""))].concat();
    assert_eq!(got.len(), expected.len());
    assert!(got == expected);
}

/// A peer that sends more after its close breaks the protocol, and may be reset for it. It gets what was sent before all the same.
#[test]
fn what_comes_after_a_clean_close_destroys_nothing() {
    let program = start(&[]);
    let before = start(&[]).descriptors();
    let mut client = program.connect();
    client.send(&[frame(TEXT, b"last words"), close(1000, "")].concat());
    until("the server closes the socket", || program.descriptors() <= before);
    let _ = std::io::Write::write_all(&mut client.socket, &noise(10_000, 1));
    client.expect_text("last words");
    client.expect_close(1000);
    program.check();
}

/// The same while echoes wait in the server: it does not close before they are taken, and discards what comes meanwhile.
#[test]
fn what_comes_after_a_close_does_not_end_a_backlog() {
    let program = start(&[]);
    let mut client = program.connect();
    let payload = noise(8 * MIB, 1);
    client.send(&[frame(BINARY, &payload), close(1000, "")].concat());
    let mut sender = client.socket.try_clone();
    let noisy = thread::spawn(move || {
        for _ in 0..50 {
            thread::sleep(Duration::from_millis(2));
            let _ = std::io::Write::write_all(&mut sender, &noise(1000, 2));
        }
    });
    noisy.join().unwrap();
    client.expect_binary(&payload);
    client.expect_close(1000);
    client.expect_end();
    program.check();
}

/// A peer may get a ping after it has sent its close, and has to answer (RFC 6455 §5.5.2). That does not make the kernel reset the
/// connection before the peer has read the rest.
#[test]
fn a_pong_may_follow_a_close() {
    let program = start(&["--idle-timeout", "1", "--pong-timeout", "100"]);
    let mut client = program.connect();
    assert_eq!(client.next(), Got::Ping(Vec::new()));
    client.send(&[frame(TEXT, b"last words"), close(1000, "")].concat());
    thread::sleep(Duration::from_millis(20));
    client.send(&frame(PONG, b""));
    thread::sleep(Duration::from_millis(20));
    client.send(&frame(PONG, b"once more"));
    client.expect_text("last words");
    client.expect_close(1000);
    client.expect_end();
}

#[test]
fn a_close_may_come_inside_a_message() {
    let program = start(&[]);
    let mut client = program.connect();
    client.send(&frame(BINARY & MORE, b"unfinished"));
    client.send(&close(1000, "inside a message"));
    client.expect_close(1000);
    client.expect_end();
}

/// A process that was suspended (by a debugger, or a closed laptop) has not read from its peers: it pings them before it drops
/// them.
#[test]
fn a_suspended_server_pings_before_it_drops() {
    let program = start(&["--idle-timeout", "1", "--pong-timeout", "1"]);
    let mut client = program.connect();
    program.signal("STOP");
    thread::sleep(Duration::from_millis(2500));
    program.signal("CONT");
    assert_eq!(client.next(), Got::Ping(Vec::new()));
    client.send(&frame(PONG, b""));
    client.check();
}

/// While the process is suspended, more peers send pongs than one turn of the loop handles.
#[test]
#[ignore = "takes 20 seconds"]
fn a_suspended_server_reads_all_peers_before_it_drops_any() {
    let program = start(&["--idle-timeout", "4", "--pong-timeout", "10"]);
    let mut clients: Vec<Client> = (0..2500).map(|_| program.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.next(), Got::Ping(Vec::new()));
    }
    program.signal("STOP");
    for client in &mut clients {
        client.send(&frame(PONG, b""));
        client.text("still here?");
    }
    thread::sleep(Duration::from_secs(13));
    program.signal("CONT");
    for client in &mut clients {
        client.expect_text("still here?");
    }
}

/// When a message fails, its memory is freed at once. The error is counted once, although more of the message arrives.
#[test]
fn a_failed_message_is_not_kept() {
    let program = start(&["--close-timeout", "1000", "--stats", "1"]);
    program.check();
    let before = program.memory();
    let clients: Vec<Client> = (0..12)
        .map(|_| {
            let mut client = program.connect();
            let mut bytes = frame(TEXT, &[b'x'; 4 * MIB]);
            bytes[3 * MIB] = !bytes[3 * MIB];
            client.send(&bytes);
            client.expect_close(1007);
            client
        })
        .collect();
    let grown = program.memory().saturating_sub(before);
    assert!(grown < 6 * MIB, "12 failed messages take {grown} bytes");
    until("a line of statistics with 12 errors", || program.line().ends_with(" 12 errors"));
    drop(clients);
}
