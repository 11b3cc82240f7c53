//! The state of all sessions, for the simulation's invariants.

use super::{Entry, Sessions};
use crate::session::{Queue, Session, View};

impl<H, T> Sessions<H, T> {
    /// Each session: its key, its state and its socket.
    pub(crate) fn views(&self) -> impl Iterator<Item = (usize, View, &T)> {
        self.sessions.iter().map(|(key, entry)| match entry {
            Entry::Plain(session) => {
                let (view, socket) = session.view();
                (key, view, socket)
            }
            #[cfg(feature = "tls")]
            Entry::Tls(session) => {
                let (view, tls) = session.view();
                (key, view, tls.inner())
            }
        })
    }

    /// All sessions without TLS.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &Session<T>> {
        self.sessions.iter().filter_map(|(_, entry)| entry.plain())
    }

    /// The keys of sessions that get a turn without an event.
    pub(crate) fn keys_again(&self) -> impl Iterator<Item = usize> {
        self.again.iter().copied()
    }

    /// The keys of sessions in a queue that [`Pools`](crate::compression::Pools) has, in their order.
    pub(crate) fn keys_in(&self, queue: Queue) -> Vec<usize> {
        let Some(pools) = self.shared.compression.as_deref() else { return Vec::new() };
        let line = match queue {
            Queue::None | Queue::Again => return Vec::new(),
            Queue::Working => &pools.working,
            Queue::Heavy => &pools.heavy,
            Queue::Line => &pools.line,
        };
        line.keys().collect()
    }

    /// Limits what compression does in one turn of a session, and in proportion what it does in one turn of the loop.
    pub(crate) fn limit_budget(&mut self, most: usize) {
        if let Some(pools) = &mut self.shared.compression {
            pools.budget.most = most;
            pools.budget.begin_loop();
        }
    }

    /// Whether a decompressor is free.
    pub(crate) fn has_decompressor(&self) -> bool {
        self.shared.compression.as_ref().is_some_and(|pools| pools.inflate.has_decompressor())
    }

    /// How many sessions there is room for without an allocation. A sweep checks a quarter of them.
    pub(crate) fn capacity(&self) -> usize {
        self.sessions.capacity()
    }
}

impl<T> Entry<T> {
    fn plain(&self) -> Option<&Session<T>> {
        match self {
            Self::Plain(session) => Some(session),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }
}
