//! The line of statistics.

use framewire_mio::{Counter, Fault, Stats};
use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Prints the sums of all loops' counters once each period, until standard output is closed.
pub(crate) fn report(loops: &[Arc<Stats>], period: Duration) {
    let sum = |counter: fn(&Stats) -> &Counter| loops.iter().map(|stats| counter(stats).get()).sum::<u64>();
    let (mut messages, mut bytes, mut at) = (0, 0, Instant::now());
    loop {
        thread::sleep(period);
        let seconds = at.elapsed().as_secs_f64();
        at = Instant::now();
        let (messages_before, bytes_before) = (messages, bytes);
        messages = sum(|stats| &stats.messages);
        bytes = sum(|stats| &stats.bytes);
        let failed = loops.iter().map(|stats| stats.faults.get(Fault::Tls)).sum();
        let tls = match (sum(|stats| &stats.tls_handshakes), failed) {
            (0, 0) => String::new(),
            (handshakes, failed) => format!(", {handshakes} TLS handshakes, {failed} failed"),
        };
        let printed = writeln!(
            io::stdout(),
            "{} connections, {:.0} messages/s, {:.1} MB/s, {} paused, {} accepted, {} errors{tls}",
            sum(|stats| &stats.connections),
            (messages - messages_before) as f64 / seconds,
            (bytes - bytes_before) as f64 / seconds / 1e6,
            sum(|stats| &stats.paused),
            sum(|stats| &stats.accepted),
            loops.iter().map(|stats| stats.errors()).sum::<u64>(),
        );
        if printed.is_err() {
            return;
        }
    }
}
