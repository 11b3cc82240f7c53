//! A server under attack: measures its memory, its CPU time as a ratio to that of an honest client, and how long honest peers
//! wait meanwhile.

use super::{
    crowd::{Crowd, Waits},
    flood::paced,
    *,
};
use std::{
    fs,
    io::{Read, Write},
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
    /// Connections. An honest client makes a handshake, an echo and a closing handshake, a thousand times a second.
    Connection,
}

/// A server, and the cost of an honest client.
pub(crate) struct Siege {
    pub(crate) program: Program,
    unit: Unit,
    /// Nanoseconds of the server's CPU time for each unit of an honest client.
    honest: f64,
    /// The server's memory and file descriptors before an attack.
    memory: usize,
    pub(crate) descriptors: usize,
}

/// The cost of an attack to the server.
pub(crate) struct Cost {
    pub(crate) siege: Siege,
    units: usize,
    time: Duration,
    /// Nanoseconds of the server's CPU time for each unit of the attacker.
    cpu: f64,
    /// The most by which the server's memory grew, in bytes.
    grown: usize,
    /// How long honest peers wait, without the attack and beside it.
    quiet: Waits,
    waits: Waits,
}

/// For how long the honest peers are alone.
const QUIET: Duration = Duration::from_secs(2);

/// The time in which the server frees memory that it has kept for reuse.
const AFTERWARDS: Duration = Duration::from_secs(3);

impl Siege {
    /// Starts a server, and measures the cost of an honest client.
    pub(crate) fn new(unit: Unit, options: &[&str]) -> Self {
        let program = start(options);
        let descriptors = program.descriptors();
        let honest = match unit {
            Unit::Byte => bytes as fn(&Program) -> usize,
            Unit::Write => messages,
            Unit::Connection => connections,
        };
        honest(&program);
        let before = nanoseconds(&program);
        let units = honest(&program);
        let honest = (nanoseconds(&program) - before) as f64 / units as f64;
        Self { memory: program.memory(), program, unit, honest, descriptors }
    }

    /// Runs an attack twice: alone, for its cost, which the honest peers would blur; and beside the honest peers, for their
    /// waits. The attack returns how many units it used, and its connections, which stay open.
    pub(crate) fn run<T>(self, attack: impl Fn(&Program) -> (usize, T)) -> (Cost, T) {
        let program = &self.program;
        let before = nanoseconds(program);
        let (peak, (units, peers)) = peak(program.pid(), || attack(program));
        let cpu = (at_rest(program) - before) as f64 / units as f64;
        let grown = peak.max(program.memory()).saturating_sub(self.memory);
        drop(peers);
        self.until_alone();

        let crowd = Crowd::new(program);
        thread::sleep(QUIET);
        let quiet = crowd.waits();
        let began = Instant::now();
        let (_, peers) = attack(program);
        let time = began.elapsed();
        at_rest(program); // the last bytes of the attack may still be in the kernel
        let waits = crowd.waits();
        drop(crowd);
        (Cost { siege: self, units, time, cpu, grown, quiet, waits }, peers)
    }

    fn until_alone(&self) {
        until("all peers have gone", || self.program.descriptors() <= self.descriptors);
    }
}

/// Samples a process's memory during some work. Returns the most that was seen.
fn peak<T>(pid: u32, work: impl FnOnce() -> T) -> (usize, T) {
    let (over, peak) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                peak.fetch_max(memory(pid), SeqCst);
                thread::sleep(Duration::from_millis(5)); // so that it takes little of the machine
            }
        });
        let _ends = OnDrop(&over); // also if the work panics
        let done = work();
        (peak.load(SeqCst), done)
    })
}

impl Cost {
    /// Waits until the attackers, whose connections the caller has dropped, are gone. Prints the cost as a row of a table, and
    /// checks that its memory and its ratio of CPU time are within these limits.
    pub(crate) fn must_be_within(self, what: &str, memory: usize, ratio: f64) {
        let Self { siege, units, time, cpu, grown, quiet, waits } = &self;
        siege.until_alone();
        thread::sleep(AFTERWARDS);
        let kept = siege.program.memory().saturating_sub(siege.memory);
        let (unit, cpu_ratio) = (format!("{:?}", siege.unit).to_lowercase(), cpu / siege.honest);
        println!(
            "| {what} | {} {unit}s, {:.1} s | {} KiB of {} | {} KiB | {cpu_ratio:.2} of {ratio} | {} | {} |",
            grouped(*units),
            time.as_secs_f64(),
            grouped(grown.div_ceil(KIB)),
            grouped(memory.div_ceil(KIB)),
            grouped(kept.div_ceil(KIB)),
            beside(waits.p50, quiet.p50),
            beside(waits.p99, quiet.p99),
        );
        assert!(*grown <= memory, "{what}: {grown} bytes of memory, {memory} are allowed");
        assert!(
            cpu_ratio <= ratio,
            "{what}: {cpu:.1} ns a {unit}, {cpu_ratio:.1} times what an honest client takes, {ratio} is allowed",
        );
    }
}

/// A time as a ratio to the same without the attack.
fn beside(wait: Duration, quiet: Duration) -> String {
    format!("{:.1} ({:.2} ms)", wait.as_secs_f64() / quiet.as_secs_f64(), wait.as_secs_f64() * 1e3)
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
    const TIMES: usize = 400;
    let client = program.connect();
    let wire = frame(BINARY, &[b'h'; 125]).repeat(500);
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
    for _ in paced(500, 1000) {
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
