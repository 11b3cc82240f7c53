//! The user instructions that an echo costs the server, and their budgets: `cargo bench --bench instructions`. Needs valgrind.
//!
//! The client makes the server do the same in each run: each connection sends its messages in one write, then the client waits
//! for all replies; while it sends, it suspends the server's process. The server runs under callgrind twice, with messages in
//! all rounds and in half of them. The difference, without start-up, handshakes and stops, is divided by the number of
//! messages.

use framewire_testing::{
    callgrind, raw,
    wire::{BINARY, KEY, TEXT, frame},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Name, budget in instructions a message, and the load.
///
/// How much of a message of 1 MiB one read brings depends on timing, and changes the count by 7 %. So the least of several
/// runs counts, and the budget is the largest of such results.
const LOADS: [(&str, u64, Load); 5] = [
    (
        "125 B, 100 connections",
        394,
        Load { first: BINARY, size: 125, connections: 100, in_flight: 1, rounds: 40 },
    ),
    (
        "125 B of text, 100 connections",
        419,
        Load { first: TEXT, size: 125, connections: 100, in_flight: 1, rounds: 40 },
    ),
    (
        "16 B, 100 connections, 16 in flight",
        164,
        Load { first: BINARY, size: 16, connections: 100, in_flight: 16, rounds: 20 },
    ),
    (
        "1 KiB, 10 connections, 16 in flight",
        386,
        Load { first: BINARY, size: 1024, connections: 10, in_flight: 16, rounds: 40 },
    ),
    (
        "1 MiB, 4 connections",
        75600,
        Load { first: BINARY, size: 1 << 20, connections: 4, in_flight: 1, rounds: 20 },
    ),
];

/// Bytes that the kernel surely takes for a connection that the server does not read.
const HELD: usize = 32 << 10;

/// The most runs of a load that depends on timing.
const TRIES: usize = 10;

/// How long the server may take until it waits for events, or is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The C library must not use `rep movsb`, which callgrind counts once for each byte.
const NO_STRING_INSTRUCTIONS: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM");

#[derive(Clone, Copy)]
struct Load {
    first: u8,
    size: usize,
    connections: usize,
    in_flight: usize,
    rounds: usize,
}

fn main() {
    let mut gate = callgrind::Gate::open();
    for (name, budget, load) in LOADS {
        let tries = if load.is_held() { 1 } else { TRIES };
        let mut taken = per_message(load);
        for _ in 1..tries {
            if taken > budget as f64 {
                taken = taken.min(per_message(load));
            }
        }
        gate.judge(name, taken, budget);
    }
    process::exit(gate.verdict());
}

fn per_message(load: Load) -> f64 {
    let more = cost(load, 2 * load.rounds) - cost(load, load.rounds);
    more as f64 / (load.connections * load.in_flight * load.rounds) as f64
}

impl Load {
    /// Whether the server is suspended while messages are sent: the kernel must have room for them.
    fn is_held(&self) -> bool {
        self.size * self.in_flight <= HELD
    }
}

/// The instructions of a server that gets messages in `rounds` of its rounds.
fn cost(load: Load, rounds: usize) -> u64 {
    let mut command = callgrind::command(Path::new(env!("CARGO_BIN_EXE_framewire-echo")), &[]);
    let server = command
        .args(["--listen", "127.0.0.1:0"])
        .env(NO_STRING_INSTRUCTIONS.0, NO_STRING_INSTRUCTIONS.1)
        .stdout(Stdio::piped())
        .spawn()
        .expect("valgrind is installed");
    let mut server = Server(server);
    let said = BufReader::new(server.0.stdout.take().expect("it is piped")).lines();
    let address = said
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("ws://")?.1.trim_end_matches('/').to_owned()));
    drive(&address.expect("it says where it listens"), &server, load, rounds);
    server.signal("-TERM");
    callgrind::instructions(&mut server.0)
}

/// A server's process, which is killed when this is dropped.
struct Server(Child);

impl Server {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill is installed").success());
    }

    /// Suspends the process as soon as it waits for events.
    fn stop(&self) {
        self.wait_until(b'S');
        self.signal("-STOP");
        self.wait_until(b'T');
    }

    /// Waits until the process is in this state, a letter of proc(5). The field comes after a name in parentheses.
    fn wait_until(&self, state: u8) {
        let begin = Instant::now();
        loop {
            let stat = fs::read(format!("/proc/{}/stat", self.0.id())).expect("it lives");
            let name = stat.iter().rposition(|&byte| byte == b')').expect("it has a name");
            if stat.get(name + 2) == Some(&state) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&stat));
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails if the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn drive(address: &str, server: &Server, load: Load, rounds: usize) {
    let payload: Vec<u8> = (b' '..b'z').cycle().take(load.size).collect();
    let sent = frame(load.first, Some(KEY), &payload).repeat(load.in_flight);
    let expected = frame(load.first, None, &payload).repeat(load.in_flight);

    let mut sockets: Vec<_> = (0..load.connections).map(|_| raw::open(address)).collect();
    let mut received = vec![0; expected.len()];
    for round in 0..2 * load.rounds {
        let sent = if round < rounds { &*sent } else { &[] };
        if load.is_held() {
            server.stop();
        }
        for socket in &mut sockets {
            socket.write_all(sent).expect("the server takes it");
        }
        if load.is_held() {
            server.signal("-CONT");
        }
        if sent.is_empty() {
            continue;
        }
        for socket in &mut sockets {
            socket.read_exact(&mut received).expect("the server replies");
            assert!(received == expected);
        }
    }
}
