//! Echoes: messages of every size, cut at every place, in order.

use super::*;
use std::{thread, time::Duration};

const RECEIVE_BUFFER: usize = 256 * KIB;

#[test]
fn every_length_is_echoed() {
    let program = start(&[]);
    let mut client = program.connect();
    for len in
        (0..300).chain([1000, 4095, 4096, 4097, 16 * KIB, 65534, 65535, 65536, 65537, 100_000, MIB, MIB + 1])
    {
        let payload = noise(len, len as u64);
        client.binary(&payload);
        client.expect_binary(&payload);
        client.text(&words(len));
        client.expect_text(&words(len));
    }
    client.close();
}

#[test]
fn large_messages_are_echoed() {
    let program = start(&["--max-message", "64M"]);
    for len in [16 * MIB, 64 * MIB] {
        let mut client = program.connect();
        let payload = noise(len, 1);
        client.binary(&payload);
        client.expect_binary(&payload);
        client.check();
    }
    let mut client = program.connect();
    let text = words(16 * MIB);
    client.text(&text);
    client.expect_text(&text);
    client.close();
}

/// Small frames of every kind, sent byte by byte.
#[test]
fn byte_by_byte() {
    let program = start(&[]);
    let mut client = program.connect();
    for len in [0, 1, 2, 125, 126, 127, 300] {
        let payload = noise(len, len as u64);
        for byte in frame(BINARY, &payload).into_iter().chain(frame(TEXT, words(len).as_bytes())) {
            client.send(&[byte]);
        }
        client.expect_binary(&payload);
        client.expect_text(&words(len));
    }
    for byte in [frame(PING, &[9; 125]), close(4001, "in pieces")].concat() {
        client.send(&[byte]);
    }
    assert_eq!(client.next(), Got::Pong(vec![9; 125]));
    client.expect_close(4001);
    client.expect_end();
}

/// Messages of all sizes in one stream, cut at random places.
#[test]
fn random_cuts() {
    let program = start(&[]);
    for (seed, most) in [(1, 7), (2, 100), (3, 5000), (4, 70_000), (5, 400_000)] {
        let mut random = Random(seed);
        let sizes: Vec<usize> = (0..60)
            .map(|_| match random.below(6) {
                0 => random.below(4),
                1 => 120 + random.below(12),
                2 => random.below(most.min(5000)),
                3 => 65530 % most.max(200) + random.below(12),
                4 => random.below(most),
                _ => random.below(most.min(300_000)),
            })
            .collect();
        let wire: Vec<u8> = sizes.iter().flat_map(|&len| frame(BINARY, &noise(len, len as u64))).collect();
        let mut client = program.connect();
        let mut sender = client.socket.try_clone();
        let sending = thread::spawn(move || {
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(1 + random.below(most)));
                std::io::Write::write_all(&mut sender, piece).unwrap();
                rest = behind;
            }
        });
        for len in sizes {
            client.expect_binary(&noise(len, len as u64));
        }
        sending.join().unwrap();
        client.close();
    }
}

/// A stream with several kinds of headers, cut once at each place.
#[test]
fn every_cut() {
    let program = start(&[]);
    let mut client = program.connect();
    let payload = noise(130, 5);
    let wire = [
        frame(TEXT, "grüße".as_bytes()),
        frame(BINARY & MORE, b"frag"),
        frame(PING, b"between"),
        frame(CONTINUATION, b"ment"),
        frame(BINARY, &payload),
        frame(BINARY, b""),
    ]
    .concat();
    for cut in 0..=wire.len() {
        client.send(&wire[..cut]);
        thread::sleep(Duration::from_micros(300)); // the pieces then often arrive in two reads; the test holds either way
        client.send(&wire[cut..]);
        client.expect_text("grüße");
        assert_eq!(client.next(), Got::Pong(b"between".to_vec()), "cut at {cut}");
        client.expect_binary(b"fragment");
        client.expect_binary(&payload);
        client.expect_binary(b"");
    }
    client.close();
}

#[test]
fn fragments_with_pings_between() {
    let program = start(&[]);
    let mut client = program.connect();
    let text = words(50_000);
    for size in [1, 7, 1000, 49_999, 50_000] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let mut sender = client.socket.try_clone();
        let mut wire = Vec::new();
        let mut pings = 0;
        for (i, piece) in pieces.iter().enumerate() {
            let first = if i == 0 { TEXT } else { CONTINUATION };
            wire.extend(frame(if i + 1 == pieces.len() { first } else { first & MORE }, piece));
            if i % 10 == 3 && i + 1 < pieces.len() {
                wire.extend(frame(PING, &(i as u32).to_be_bytes()));
                wire.extend(frame(CONTINUATION & MORE, b""));
                pings += 1;
            }
        }
        let sending = thread::spawn(move || std::io::Write::write_all(&mut sender, &wire).unwrap());
        for i in 0..pings {
            assert_eq!(client.next(), Got::Pong((i * 10 + 3_u32).to_be_bytes().to_vec()));
        }
        client.expect_text(&text);
        sending.join().unwrap();
    }
    // Empty fragments only.
    client.send(
        &[frame(BINARY & MORE, b""), frame(CONTINUATION & MORE, b""), frame(CONTINUATION, b"")].concat(),
    );
    client.expect_binary(b"");
    client.close();
}

#[test]
fn ten_thousand_in_one_burst_keep_their_order() {
    let program = start(&[]);
    let mut client = program.connect();
    let message = |i: usize| format!("{i:>0$}", 5 + i % 60);
    let wire: Vec<u8> = (0..10_000).flat_map(|i| frame(TEXT, message(i).as_bytes())).collect();
    let mut sender = client.socket.try_clone();
    let sending = thread::spawn(move || std::io::Write::write_all(&mut sender, &wire).unwrap());
    for i in 0..10_000 {
        client.expect_text(&message(i));
    }
    sending.join().unwrap();
    client.close();
}

/// Messages that end near the end of the receive buffer, or near the size from which a message is read directly; and messages
/// that fill the buffer exactly. The client waits for each echo, so the test fails if the server waits for an event although
/// there is more to read.
#[test]
fn messages_that_end_near_the_end_of_the_buffer() {
    let program = start(&["--receive-buffer", "4M"]);
    let mut client = program.connect();
    for end in [RECEIVE_BUFFER, 2 * RECEIVE_BUFFER, 3 * RECEIVE_BUFFER, 16 * KIB, 32 * KIB] {
        for off in [0, 1, 2, 3, 7, 13, 14, 15] {
            for past in [false, true] {
                let total = if past { end + off } else { end - off };
                // One message of `total` bytes on the wire; then two, the second of which crosses the end.
                let payload = noise(total - head(0, total as u64).len(), total as u64);
                client.binary(&payload);
                client.expect_binary(&payload);
                let first = noise(total - 40, 1);
                let second = noise(1000, 2);
                client.send(&[frame(BINARY, &first), frame(BINARY, &second)].concat());
                client.expect_binary(&first);
                client.expect_binary(&second);
            }
        }
    }
    // Whole messages that fill the buffer exactly.
    let small = frame(BINARY, &[5; 122]);
    let wire = small.repeat(2 * RECEIVE_BUFFER / small.len());
    assert_eq!(wire.len() % RECEIVE_BUFFER, 0);
    client.send(&wire);
    for _ in 0..wire.len() / small.len() {
        client.expect_binary(&[5; 122]);
    }
    client.close();
}

/// After a large message, the next read into the shared buffer is short. Here messages of about that size follow, then many
/// small ones.
#[test]
fn messages_behind_a_large_one() {
    const START: usize = 16 * KIB + 14;
    let program = start(&[]);
    let mut client = program.connect();
    let large = noise(RECEIVE_BUFFER + 1, 1);
    let after_a_large_one = |client: &mut Client| {
        client.binary(&large);
        client.expect_binary(&large);
    };
    for total in [START - 1, START, START + 1, 2 * START, START + 16 * KIB] {
        after_a_large_one(&mut client);
        let payload = noise(total - head(0, total as u64).len(), total as u64);
        client.binary(&payload);
        client.expect_binary(&payload);
    }
    // 241 frames of 68 bytes, and one of 10.
    let (small, last) = (noise(62, 2), noise(4, 3));
    let wire = [frame(BINARY, &small).repeat(241), frame(BINARY, &last)].concat();
    assert_eq!(wire.len(), START);
    after_a_large_one(&mut client);
    client.send(&wire);
    (0..241).for_each(|_| client.expect_binary(&small));
    client.expect_binary(&last);

    after_a_large_one(&mut client);
    let mut sender = client.socket.try_clone();
    let wire = frame(BINARY, &noise(KIB, 4)).repeat(2000);
    let sending = thread::spawn(move || std::io::Write::write_all(&mut sender, &wire).unwrap());
    (0..2000).for_each(|_| client.expect_binary(&noise(KIB, 4)));
    sending.join().unwrap();
    client.close();
}

#[test]
fn sizes_mixed_without_waiting() {
    let program = start(&[]);
    let mut client = program.connect();
    let mut sender = client.socket.try_clone();
    let sizes: Vec<usize> = {
        let mut random = Random(9);
        let kinds = [
            0, 1, 125, 126, 127, 4095, 4096, 4097, 20_000, 65_535, 65_536, 262_130, 262_144, 300_000, 900_000,
        ];
        (0..400).map(|_| kinds[random.below(kinds.len())]).collect()
    };
    let wires = sizes.clone();
    let sending = thread::spawn(move || {
        for len in wires {
            std::io::Write::write_all(&mut sender, &frame(BINARY, &noise(len, len as u64))).unwrap();
        }
    });
    for len in sizes {
        client.expect_binary(&noise(len, len as u64));
    }
    sending.join().unwrap();
    client.close();
}

#[test]
fn a_thousand_connections_at_once() {
    let program = start(&[]);
    let mut clients: Vec<Client> = (0..1000).map(|_| program.connect()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.text(&format!("I am {i}"));
    }
    for (i, client) in clients.iter_mut().enumerate().rev() {
        client.expect_text(&format!("I am {i}"));
    }
    let large: Vec<Vec<u8>> = (0..10).map(|i| noise(40_000, i)).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.binary(&large[i % 10]);
    }
    for (i, client) in clients.iter_mut().enumerate() {
        client.expect_binary(&large[i % 10]);
    }
    for client in &mut clients {
        client.send(&close(1000, ""));
    }
    for mut client in clients {
        client.expect_close(1000);
        client.expect_end();
    }
    let settled = start(&[]).descriptors();
    until("the server closes their sockets", || program.descriptors() <= settled);
}

/// A read stops at urgent data. The server must read again without an event, because more came behind it.
#[test]
#[cfg(target_os = "linux")]
fn urgent_data_delays_nothing() {
    let program = start(&[]);
    let mut client = program.connect();
    program.signal("STOP"); // so that all bytes have arrived before the first read
    client.binary(b"before");
    if let Socket::Tcp(socket) = &client.socket {
        socket2::SockRef::from(socket).send_out_of_band(b"!").unwrap();
    }
    client.binary(b"behind");
    thread::sleep(Duration::from_millis(200));
    program.signal("CONT");
    client.expect_binary(b"before");
    client.expect_binary(b"behind");
    client.close();
}
