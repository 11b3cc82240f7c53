//! The user instructions that an echo costs the server, and their budgets: `cargo bench --bench instructions`. Needs valgrind.
//!
//! The client makes the server do the same in each run: it suspends the server's process while it writes or reads, on all
//! connections, and resumes it until it waits for events. The server runs under callgrind twice, with messages in all rounds
//! and in half of them. The difference, without start-up, handshakes and most stops, is divided by the number of messages.

use framewire_testing::{
    callgrind, raw,
    wire::{BINARY, KEY, TEXT, frame},
};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Name, budget in instructions a message, and the load.
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

/// The most runs of a load. The server also sweeps its sessions by the clock, so a slow run takes slightly more.
const TRIES: usize = 5;

/// How long the server may take until it waits for events or is stopped, and until it has replied.
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
        let mut taken = per_message(load);
        for _ in 1..TRIES {
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

    /// Suspends the process as soon as it waits for events, and resumes it after this work.
    fn suspended(&self, work: impl FnOnce()) {
        self.wait_until(b'S');
        self.signal("-STOP");
        self.wait_until(b'T');
        work();
        self.signal("-CONT");
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

    let mut sockets: Vec<_> = (0..load.connections).map(|_| open(address)).collect();
    for round in 0..2 * load.rounds {
        if round >= rounds {
            server.suspended(|| {});
            continue;
        }
        let mut left = vec![&*sent; sockets.len()];
        let mut received = vec![Vec::new(); sockets.len()];
        let begin = Instant::now();
        while received.iter().any(|received| received.len() < expected.len()) {
            assert!(begin.elapsed() < PATIENCE, "the server does not reply");
            server.suspended(|| {
                for ((socket, left), received) in sockets.iter_mut().zip(&mut left).zip(&mut received) {
                    fill(socket, left);
                    drain(socket, received);
                }
            });
        }
        assert!(received.iter().all(|received| *received == expected));
    }
}

fn open(address: &str) -> TcpStream {
    let socket = raw::open(address);
    socket.set_nonblocking(true).expect("a socket");
    socket
}

/// Writes as much as the kernel takes.
fn fill(socket: &mut TcpStream, left: &mut &[u8]) {
    while !left.is_empty() {
        match socket.write(left) {
            Ok(len) => *left = &left[len..],
            Err(error) => return assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

/// Reads until nothing is left in the kernel.
fn drain(socket: &mut TcpStream, to: &mut Vec<u8>) {
    let end = socket.read_to_end(to).expect_err("the server does not close");
    assert_eq!(end.kind(), io::ErrorKind::WouldBlock);
}
