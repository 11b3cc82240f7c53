//! What a server counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of one server. Only its loop writes them, so an addition needs no lock; any thread may read them.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections at present.
    pub connections: Counter,
    /// Connections since the start.
    pub accepted: Counter,
    /// Whole messages received since the start.
    pub messages: Counter,
    /// Bytes of frames received since the start.
    pub bytes: Counter,
    /// Connections that are not read at present, because they do not take what they are sent.
    pub paused: Counter,
    /// Peers that broke the protocol, were lost or were silent for too long, since the start.
    pub errors: Counter,
}

/// A number with one writer.
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

    /// The number as of now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
