//! A server under attack: measures its memory, its CPU time as a ratio to that of an honest client, and whether another client
//! is served meanwhile.

use super::*;
use std::{
    fs,
    io::{self, Read, Write},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

/// The unit in which an attacker's effort is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes sent. An honest client sends messages of 125 bytes, five hundred in each write.
    Byte,
    /// Writes, each of which may cost the server a read. An honest client sends one message of 125 bytes at a time.
    Write,
    /// Connections. An honest client makes a handshake, an echo and a closing handshake.
    Connection,
}

/// The cost of an attack to the server.
#[derive(Debug)]
pub(crate) struct Cost {
    unit: Unit,
    units: usize,
    /// Nanoseconds of CPU time for each unit of the attacker, and for each unit of an honest client.
    cpu: (f64, f64),
    /// The most by which the server's memory grew, in bytes.
    pub(crate) grown: usize,
    /// How many echoes another client received meanwhile, and how long the slowest took.
    echoes: usize,
    slowest: Duration,
}

/// A server, its memory before an attack, and the cost of an honest client.
pub(crate) struct Siege {
    pub(crate) program: Program,
    memory: usize,
    unit: Unit,
    honest: f64,
}

impl Siege {
    /// Starts a server, and measures the cost of an honest client.
    pub(crate) fn new(unit: Unit, options: &[&str]) -> Self {
        let program = start(options);
        let honest = match unit {
            Unit::Byte => bytes as fn(&Program) -> usize,
            Unit::Write => messages,
            Unit::Connection => connections,
        };
        honest(&program);
        let before = nanoseconds(&program);
        let units = honest(&program);
        let honest = (nanoseconds(&program) - before) as f64 / units as f64;
        Self { memory: program.memory(), program, unit, honest }
    }

    /// Runs an attack, and measures it. The attack returns how many units it used, and values, such as connections, that are
    /// kept until the measurement is over.
    pub(crate) fn run<T>(&self, attack: impl FnOnce(&Program) -> (usize, T)) -> (Cost, T) {
        let (pid, address) = (self.program.pid(), self.program.address().to_owned());
        let (over, echoes, peak) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let (over, echoes, peak) = (&over, &echoes, &peak);
        let before = nanoseconds(&self.program);
        thread::scope(|scope| {
            let other = scope.spawn(move || {
                let (mut client, mut slowest) = (Client::connect(&address), Duration::ZERO);
                while !over.load(SeqCst) {
                    let began = Instant::now();
                    client.check();
                    slowest = slowest.max(began.elapsed());
                    echoes.fetch_add(1, SeqCst);
                    peak.fetch_max(memory(pid), SeqCst);
                    thread::sleep(Duration::from_millis(5)); // so that it adds little to the cost
                }
                slowest
            });
            let ends = OnDrop(over); // also if the attack panics
            until("another client is served", || echoes.load(SeqCst) > 0);
            echoes.store(0, SeqCst);
            let (units, lent) = attack(&self.program);
            // The last bytes of the attack may still be in the kernel.
            until("another client is served", || echoes.load(SeqCst) > 0);
            let echoes = echoes.load(SeqCst);
            drop(ends);
            let slowest = other.join().expect("another client is served");
            let cpu = (at_rest(&self.program) - before) as f64 / units as f64;
            let grown = peak.load(SeqCst).max(self.program.memory()).saturating_sub(self.memory);
            (Cost { unit: self.unit, units, cpu: (cpu, self.honest), grown, echoes, slowest }, lent)
        })
    }
}

impl Cost {
    /// Prints the cost as a row of a table, and checks that its memory and its ratio of CPU time are within these limits.
    pub(crate) fn is_within(&self, what: &str, memory: usize, ratio: f64) {
        let Self { unit, units, cpu: (cpu, honest), grown, echoes, slowest } = self;
        let unit = format!("{unit:?}").to_lowercase();
        println!(
            "| {what} | {} {unit}s | {} KiB of {} | {:.2} of {ratio} | {echoes}, the slowest {} ms |",
            grouped(*units),
            grouped(grown.div_ceil(KIB)),
            grouped(memory.div_ceil(KIB)),
            cpu / honest,
            slowest.as_millis(),
        );
        assert!(*grown <= memory, "{what}: {grown} bytes of memory, {memory} are allowed");
        assert!(
            cpu / honest <= ratio,
            "{what}: {cpu:.1} ns a {unit}, {:.1} times what an honest client takes, {ratio} is allowed",
            cpu / honest
        );
    }
}

/// Writes until the server takes no more, or `most` bytes; returns how many bytes it took.
pub(crate) fn pour(socket: &Socket, wire: &[u8], most: usize) -> usize {
    let Socket::Tcp(socket) = socket else { panic!("not over TCP") };
    let mut socket = socket.try_clone().unwrap();
    socket.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    while sent < most {
        match socket.write(&wire[sent % wire.len()..]) {
            Ok(n) => sent += n,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => panic!("after {sent} bytes: {error}"),
        }
    }
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    sent
}

/// The CPU time that the server's one thread has used.
fn nanoseconds(program: &Program) -> u64 {
    program.check(); // the server sleeps after this, and the kernel has counted its time
    let stat = fs::read_to_string(format!("/proc/{}/schedstat", program.pid())).expect("procfs");
    stat.split_whitespace().next().expect("a number").parse().expect("a number")
}

/// The same, once the server has no work left: a turn over a full receive buffer takes longer than three checks.
fn at_rest(program: &Program) -> u64 {
    let mut times = [nanoseconds(program); 3];
    until("the server has no work left", || {
        times = [times[1], times[2], nanoseconds(program)];
        times[2] - times[0] < 500_000 && times[1] != times[0]
    });
    times[2]
}

fn bytes(program: &Program) -> usize {
    exchange(program, &frame(BINARY, &[b'h'; 125]))
}

/// Sends a message of 125 bytes repeatedly, and reads the echoes. Returns how many bytes it sent.
pub(crate) fn exchange(program: &Program, message: &[u8]) -> usize {
    const TIMES: usize = 400;
    let client = program.connect();
    let wire = message.repeat(500);
    let mut sender = client.socket.try_clone();
    let mut receiver = client.socket.try_clone();
    thread::scope(|scope| {
        scope.spawn(|| (0..TIMES).for_each(|_| sender.write_all(&wire).unwrap()));
        let mut left = TIMES * 500 * 127;
        let mut rx = vec![0; 256 * KIB];
        while left > 0 {
            left -= receiver.read(&mut rx).unwrap();
        }
    });
    client.close();
    TIMES * wire.len()
}

fn messages(program: &Program) -> usize {
    let mut client = program.connect();
    let wire = frame(BINARY, &[b'h'; 125]);
    for _ in 0..5000 {
        client.send(&wire);
        client.expect_binary(&[b'h'; 125]);
    }
    client.close();
    5000
}

fn connections(program: &Program) -> usize {
    for _ in 0..500 {
        let mut client = program.connect();
        client.check();
        client.close();
    }
    500
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
