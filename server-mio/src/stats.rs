//! The counters of a server.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of one server. Only its loop writes them, so counting needs no lock; any thread may read them.
#[derive(Debug, Default)]
pub struct Stats {
    /// Open connections.
    pub connections: Counter,
    /// Connections accepted since the start.
    pub accepted: Counter,
    /// Connections that the handler has taken over since the start. They no longer count as open.
    pub taken_over: Counter,
    /// Whole messages received since the start.
    pub messages: Counter,
    /// Bytes of frames received since the start.
    pub bytes: Counter,
    /// Open connections from which the server does not read, because too much is queued for them.
    pub paused: Counter,
    /// Errors since the start: refused handshakes, protocol errors, lost connections, timeouts (all but that of closing),
    /// and times at which no connection could be accepted.
    pub errors: Counter,
}

/// A number that only one thread writes.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn subtract(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// The current number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
