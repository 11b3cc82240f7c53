//! What a loop counts, for whoever runs it: one line every so often.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Counters of one loop. Only the loop writes them, so an addition needs no lock.
#[derive(Debug, Default)]
pub struct Stats {
    pub connections: Counter,
    pub accepted: Counter,
    pub messages: Counter,
    pub bytes: Counter,
    /// Connections that are not read because they do not take what they are sent.
    pub held_back: Counter,
    pub errors: Counter,
}

/// A number with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub fn subtract(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Prints a line of all loops' counters each period, as long as somebody takes it.
pub fn report(loops: &[Arc<Stats>], period: Duration) {
    let sum = |counter: fn(&Stats) -> &Counter| loops.iter().map(|stats| counter(stats).get()).sum::<u64>();
    let (mut messages, mut bytes, mut at) = (0, 0, Instant::now());
    loop {
        thread::sleep(period);
        let seconds = at.elapsed().as_secs_f64();
        at = Instant::now();
        let (messages_before, bytes_before) = (messages, bytes);
        messages = sum(|stats| &stats.messages);
        bytes = sum(|stats| &stats.bytes);
        let printed = writeln!(
            io::stdout(),
            "{} connections, {:.0} messages/s, {:.1} MB/s, {} held back, {} accepted, {} errors",
            sum(|stats| &stats.connections),
            (messages - messages_before) as f64 / seconds,
            (bytes - bytes_before) as f64 / seconds / 1e6,
            sum(|stats| &stats.held_back),
            sum(|stats| &stats.accepted),
            sum(|stats| &stats.errors),
        );
        if printed.is_err() {
            return;
        }
    }
}
