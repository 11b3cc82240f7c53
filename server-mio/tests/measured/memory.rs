//! The memory of connections that are idle, in their handshake, or in the middle of a message.

use super::*;
use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    thread,
    time::Duration,
};

const CONNECTIONS: usize = 10_000;

/// The most bytes that an idle connection may take.
const MOST: usize = 200;

#[test]
fn an_idle_connection_takes_no_more_than_its_entry() {
    const RAISE: &str = "ulimit -n $(ulimit -Hn)";
    if env::var_os("FRAMEWIRE_RAISED").is_none() {
        // std cannot raise the limit on descriptors, so a shell raises it and becomes this test.
        let name = "memory::an_idle_connection_takes_no_more_than_its_entry";
        let output = Command::new("/bin/sh")
            .args(["-c", &format!("{RAISE} && exec \"$0\" --nocapture --exact {name}")])
            .arg(env::current_exe().unwrap())
            .env("FRAMEWIRE_RAISED", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{said}");
        let ran = said.contains("1 passed");
        assert!(output.status.success() && ran, "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let program = start_with(RAISE, &["--listen", "127.0.0.1:0", "--idle-timeout", "0"]);
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limit: usize = limit.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    let count = CONNECTIONS.min(limit - 100);

    // The server allocates some memory only once: not part of the measurement.
    for _ in 0..3 {
        let mut client = program.connect();
        for payload in [noise(125, 1), noise(100 * KIB, 2)] {
            client.binary(&payload);
            client.expect_binary(&payload);
        }
        client.close();
    }

    let before = program.memory();
    let request = upgrade("");
    let mut peers: Vec<TcpStream> = (0..count)
        .map(|_| {
            let mut peer = program.tcp();
            peer.write_all(request.as_bytes()).unwrap();
            peer.read_exact(&mut [0; 129]).unwrap();
            peer
        })
        .collect();
    let each = |what: &str, count: usize| {
        let each = || program.memory().saturating_sub(before) / count;
        println!("{what}: {} bytes a connection", each());
        until("the memory of a connection is within its limit", || each() <= MOST);
    };
    each("opened", count);

    // In debug builds, large echoes on all connections would take too long.
    let some = if cfg!(debug_assertions) { count / 10 } else { count };
    for (what, len, some) in [("after an echo each", 125, count), ("after 100 KiB each", 100 * KIB, some)] {
        let payload = noise(len, 3);
        let wire = frame(BINARY, &payload);
        let mut echo = vec![0; wire.len() - 4];
        for peer in &mut peers[..some] {
            peer.write_all(&wire).unwrap();
            peer.read_exact(&mut echo).unwrap();
            assert!(echo.ends_with(&payload));
        }
        each(what, count);
    }

    // 250 unfinished messages at once: the server does not keep their memory for each connection.
    let wire = frame(BINARY, &noise(8 * KIB, 4));
    let mut echo = vec![0; wire.len() - 4];
    let (first, second) = wire.split_at(5 * KIB);
    for crowd in peers[..some].chunks_mut(250) {
        crowd.iter_mut().for_each(|peer| peer.write_all(first).unwrap());
        crowd.iter_mut().for_each(|peer| peer.write_all(second).unwrap());
        crowd.iter_mut().for_each(|peer| peer.read_exact(&mut echo).unwrap());
    }
    each("after crowds", count);
}

/// An unfinished request takes memory for the bytes that have arrived, and is refused after the handshake timeout.
#[test]
fn half_open_handshakes() {
    let program = start(&["--handshake-timeout", "1", "--close-timeout", "1"]);
    program.check();
    let (before, descriptors) = (program.memory(), program.descriptors());
    let head = &upgrade(&format!("Cookie: {}", "c".repeat(7000)))[..7000];
    let peers: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut peer = program.tcp();
            head.as_bytes().chunks(1000).for_each(|piece| peer.write_all(piece).unwrap());
            peer
        })
        .collect();
    let grown = program.memory().saturating_sub(before);
    assert!(grown < peers.len() * 10 * KIB, "{} half-open handshakes took {grown} bytes", peers.len());
    until("the server closes their sockets", || program.descriptors() <= descriptors);
    program.check();
}

/// Peers send messages of many sizes, read nothing, and vanish. What stays of their memory is used for the next storm. glibc keeps
/// most of it; jemalloc, if it is installed, returns it.
#[test]
#[ignore = "it takes a minute"]
fn storms() {
    const JEMALLOC: &str = "export LD_PRELOAD=libjemalloc.so.2 \
        MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
    for (allocator, setup) in [("glibc", ""), ("jemalloc", JEMALLOC)] {
        let program = start_with(setup, &["--listen", "127.0.0.1:0", "--send-buffer", "16K"]);
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", program.pid())).unwrap();
        if allocator == "jemalloc" && !maps.contains("jemalloc") {
            println!("jemalloc is not installed");
            continue;
        }
        let peaks = [(); 3].map(|()| {
            let peak = storm(&program);
            thread::sleep(Duration::from_secs(3));
            println!("{allocator}: {} MiB at the peak, {} afterwards", peak / MIB, program.memory() / MIB);
            peak
        });
        assert!(peaks[2] < peaks[0] + peaks[0] / 4, "each storm takes more memory: {peaks:?}");
        assert!(allocator == "glibc" || program.memory() < peaks[0] / 10, "jemalloc keeps memory");
    }
}

/// 800 peers with half a megabyte of unread echoes each, which vanish in any order. Returns the most memory.
fn storm(program: &Program) -> usize {
    const SIZES: [usize; 8] = [200, 1000, 3000, 9000, 20_000, 40_000, 70_000, 120_000];
    let before = program.descriptors();
    let mut random = Random(1);
    let mut peers: Vec<TcpStream> = (0..800)
        .map(|_| {
            let mut peer = program.tcp();
            socket2::SockRef::from(&peer).set_recv_buffer_size(4 * KIB).unwrap();
            peer.write_all(upgrade("").as_bytes()).unwrap();
            peer.read_exact(&mut [0; 129]).unwrap();
            peer
        })
        .collect();
    for _ in 0..12 {
        for _ in 0..peers.len() {
            let peer = random.below(peers.len());
            peers[peer].write_all(&frame(BINARY, &noise(SIZES[random.below(SIZES.len())], 1))).unwrap();
        }
    }
    program.check();
    let peak = program.memory();
    while !peers.is_empty() {
        peers.swap_remove(random.below(peers.len()));
    }
    until("the server closes their sockets", || program.descriptors() <= before);
    peak
}

/// The memory of a fragmented message depends on its bytes, not on the number of its fragments.
#[test]
fn tiny_fragments() {
    let program = start(&[]);
    program.check();
    let before = program.memory();
    let mut client = program.connect();
    let fragments =
        [frame(CONTINUATION & MORE, b""), frame(CONTINUATION & MORE, b"x")].concat().repeat(100_000);
    client.send(&frame(BINARY & MORE, b""));
    client.send(&fragments);
    client.send(&frame(CONTINUATION & MORE, b""));
    let grown = program.memory().saturating_sub(before);
    assert!(grown < 2 * MIB, "200,000 fragments took {grown} bytes");
    client.send(&frame(CONTINUATION, b""));
    client.expect_binary(&[b'x'; 100_000]);
    client.close();
}
