//! The user instructions that an echo costs a server.
//!
//! The client makes the server do the same in each run: it suspends the server's process while it writes or reads, on all
//! connections, and resumes it until it waits for events. The server runs under callgrind twice, with messages in all rounds
//! and in half of them. The difference, without start-up, handshakes and most stops, is divided by the number of messages.

use crate::{
    callgrind, raw,
    wire::{KEY, frame},
};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What a client does to a server.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The first byte of each frame.
    pub first: u8,
    /// Bytes of a message.
    pub size: usize,
    /// The number of connections.
    pub connections: usize,
    /// Messages of a connection in each round.
    pub in_flight: usize,
    /// In so many rounds more, messages are counted.
    pub rounds: usize,
}

/// How long the server may take until it waits for events or is stopped, and until it has replied.
const PATIENCE: Duration = Duration::from_secs(10);

/// The C library must not use `rep movsb`, which callgrind counts once for each byte.
const NO_STRING_INSTRUCTIONS: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM");

/// The most runs of a load. A server may also do something by the clock, so that a slow run takes slightly more.
const TRIES: usize = 5;

/// Compares the instructions for a message with their budget. The server is this file with these arguments. It prints where it
/// listens, `ws://HOST:PORT/`, and ends at SIGTERM.
pub fn judge(
    gate: &mut callgrind::Gate,
    name: &str,
    budget: u64,
    file: &Path,
    arguments: &[&str],
    load: Load,
) {
    let mut taken = per_message(file, arguments, load);
    for _ in 1..TRIES {
        if taken > budget as f64 {
            taken = taken.min(per_message(file, arguments, load));
        }
    }
    gate.judge(name, taken, budget);
}

/// Prints the instructions for a message of a server that is as those of [`judge`], and has no budget.
pub fn record(name: &str, file: &Path, arguments: &[&str], load: Load) {
    callgrind::record(name, per_message(file, arguments, load));
}

fn per_message(file: &Path, arguments: &[&str], load: Load) -> f64 {
    let more = cost(file, arguments, load, 2 * load.rounds) - cost(file, arguments, load, load.rounds);
    more as f64 / (load.connections * load.in_flight * load.rounds) as f64
}

/// The instructions of a server that gets messages in `rounds` of its rounds.
fn cost(file: &Path, arguments: &[&str], load: Load, rounds: usize) -> u64 {
    let server = callgrind::command(file, &[])
        .args(arguments)
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
