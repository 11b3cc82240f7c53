//! All sessions of a loop, and the order of their turns. This module has no poll and no clock: the server passes events and
//! time to it.

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{
    budget,
    compression::Pools,
    config::Config,
    handler::{Handler, Taken},
    line::Line,
    session::{Next, Session, Turn},
    shared::{Buffers, Shared},
    stats::Stats,
    transport::{Accepted, Transport},
};
use slab::Slab;
use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

/// All sessions of a loop. `T` is the type of their sockets.
#[derive(Debug)]
pub(crate) struct Sessions<H, T> {
    sessions: Slab<Entry<T>>,
    /// The keys of sessions that may have more to read, which no event will report.
    again: VecDeque<usize>,
    buffers: Buffers,
    shared: Shared<H>,
    /// The key at which the next sweep begins, and the bytes that were found to wait for sockets before it.
    swept: usize,
    queued: u64,
    /// How many sessions have ended since the last [`take_ended`](Self::take_ended).
    ended: usize,
    /// The sockets of sessions that have ended because the handler has taken their connections over.
    taken: Vec<(Accepted<T>, Taken)>,
}

/// A session, on a socket or over TLS. They are of different types, so that a session need not look which it is: plain ones pay
/// nothing for TLS.
#[derive(Debug)]
enum Entry<T> {
    Plain(Session<T>),
    #[cfg(feature = "tls")]
    Tls(Box<Session<Tls<T>>>),
}

macro_rules! each {
    ($entry:expr, $session:ident => $call:expr) => {
        match $entry {
            Entry::Plain($session) => $call,
            #[cfg(feature = "tls")]
            Entry::Tls($session) => $call,
        }
    };
}

/// How many sweeps check all sessions. One sweep checks only a part of them, so that no turn of the loop is long.
pub(crate) const SWEEPS_FOR_ALL: usize = 4;

/// Room for so many sessions is kept. Room for more is given back if less than a quarter of it is used, up to the last session,
/// whose key stays.
const KEPT: usize = 1024;

impl<H: Handler, T: Transport> Sessions<H, T> {
    pub(crate) fn new(config: Arc<Config>, handler: H) -> Self {
        Self {
            sessions: Slab::new(),
            again: VecDeque::new(),
            buffers: Buffers::new(&config),
            shared: Shared::new(config, handler),
            swept: 0,
            queued: 0,
            ended: 0,
            taken: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.shared.stats
    }

    /// The time on the loop's clock, in seconds.
    pub(crate) fn now(&self) -> u32 {
        self.shared.now
    }

    /// The key of the next session.
    pub(crate) fn next_key(&self) -> usize {
        self.sessions.vacant_key()
    }

    /// Adds a session for an accepted connection, and returns its key.
    pub(crate) fn insert(&mut self, accepted: Accepted<T>) -> usize {
        self.shared.stats.connections.add(1);
        self.shared.stats.accepted.add(1);
        let mut entry = match accepted {
            Accepted::Plain(socket) => Entry::Plain(Session::new(socket, self.shared.now)),
            #[cfg(feature = "tls")]
            Accepted::Tls(tls) => Entry::Tls(Box::new(Session::new(*tls, self.shared.now))),
        };
        each!(&mut entry, session => session.begin_record(&mut self.shared));
        self.sessions.insert(entry)
    }

    /// Begins a turn of the loop. `now` is the time on the loop's clock. `alone`: the turn has at most one event.
    #[inline]
    pub(crate) fn begin_turn(&mut self, now: Duration, alone: bool) {
        // Saturates after 136 years.
        self.shared.now = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        self.shared.time = now;
        self.buffers.turn(alone);
    }

    /// Passes an event to the session with this key.
    #[inline]
    pub(crate) fn ready(&mut self, key: usize, turn: Turn) {
        let Some(Entry::Plain(session)) = self.sessions.get_mut(key) else {
            return self.ready_with_tls(key, turn);
        };
        match session.ready(turn, &mut self.buffers, &mut self.shared) {
            Next::Wait => {}
            next => self.follow(key, next),
        }
    }

    /// As [`ready`](Self::ready), for a session with TLS.
    #[inline(never)]
    fn ready_with_tls(&mut self, key: usize, turn: Turn) {
        let Some(entry) = self.sessions.get_mut(key) else { return };
        match each!(entry, session => session.ready(turn, &mut self.buffers, &mut self.shared)) {
            Next::Wait => {}
            next => self.follow(key, next),
        }
    }

    /// Ends a turn of the loop, after its events: each session that may have more to read gets one more turn, if messages are
    /// compressed as far as the budget allows. If it still has more, that waits for the next turn of the loop.
    #[inline]
    pub(crate) fn end_turn(&mut self) {
        for _ in 0..self.again.len() {
            let Some(key) = self.again.pop_front() else { break };
            // If the key was reused, this is another session, which has not asked.
            if let Some(entry) = self.sessions.get_mut(key) {
                let next = each!(entry, session => session.again(&mut self.buffers, &mut self.shared));
                self.follow(key, next);
            }
        }
        if self.shared.compression.is_some() {
            self.end_compressed_turn();
        }
    }

    /// Whether a session waits for a turn that no event will report.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        !self.again.is_empty() || self.shared.compression.as_deref().is_some_and(Pools::has_turns)
    }

    /// How many sessions have ended since the last [`take_ended`](Self::take_ended).
    #[inline]
    pub(crate) fn ended(&self) -> usize {
        self.ended
    }

    /// How many sessions have ended since the last call.
    pub(crate) fn take_ended(&mut self) -> usize {
        mem::take(&mut self.ended)
    }

    /// Takes the connections that the handler has taken over. There are none unless a session has [ended](Self::take_ended).
    pub(crate) fn take_taken(&mut self) -> Vec<(Accepted<T>, Taken)> {
        mem::take(&mut self.taken)
    }

    /// Checks the timeouts of the next quarter of the sessions.
    pub(crate) fn sweep(&mut self) {
        let len = self.sessions.capacity();
        let end = (self.swept + len.div_ceil(SWEEPS_FOR_ALL)).min(len);
        for key in self.swept..end {
            if let Some(entry) = self.sessions.get_mut(key) {
                let next = each!(entry, session => session.sweep(&mut self.shared));
                self.queued += each!(&*entry, session => session.backlog()) as u64;
                self.follow(key, next);
            }
        }
        self.swept = end;
        if end == len {
            self.swept = 0;
            if len > KEPT && self.sessions.len() < len / 4 {
                self.sessions.shrink_to_fit();
            }
            self.shared.rest();
            self.buffers.outbox.shrink();
            self.publish();
        }
    }

    /// Publishes the counters that would cost time if they were always right.
    #[inline(never)]
    fn publish(&mut self) {
        let stats = &self.shared.stats;
        stats.queued.set(mem::take(&mut self.queued));
        stats.sent.set(self.shared.sent);
        stats
            .compression_memory
            .set(self.shared.compression.as_ref().map_or(0, |pools| pools.memory() as u64));
    }

    /// Ends the records of all connections. Called when the loop ends.
    pub(crate) fn end_records(&mut self) {
        self.publish();
        if self.shared.records.is_some() {
            for (_, entry) in &mut self.sessions {
                each!(entry, session => session.end_record(&mut self.shared));
            }
        }
    }

    /// Tells every peer that the server stops.
    pub(crate) fn go_away(&mut self) {
        self.shared.handler.stopping();
        for key in 0..self.sessions.capacity() {
            if let Some(entry) = self.sessions.get_mut(key) {
                let next = each!(entry, session => session.go_away(&mut self.shared));
                self.follow(key, next);
            }
        }
    }

    fn follow(&mut self, key: usize, next: Next) {
        match next {
            Next::Wait => {}
            Next::Again => self.again.push_back(key),
            Next::Work | Next::Line => {
                if let Some(entry) = self.sessions.get_mut(key) {
                    each!(entry, session => session.join(next, key, &mut self.shared));
                }
            }
            // Closing the socket also ends its registration with the poll.
            Next::Drop => drop(self.remove(key)),
            Next::HandOver => {
                let socket = match self.remove(key) {
                    Entry::Plain(session) => Accepted::Plain(session.into_socket()),
                    #[cfg(feature = "tls")]
                    Entry::Tls(session) => Accepted::Tls(Box::new(session.into_socket())),
                };
                self.shared.stats.taken_over.add(1);
                self.taken.extend(self.shared.taken.take().map(|taken| (socket, taken)));
            }
        }
    }

    #[inline(never)]
    fn remove(&mut self, key: usize) -> Entry<T> {
        let mut entry = self.sessions.remove(key);
        each!(&mut entry, session => session.leave(&mut self.shared));
        self.shared.stats.connections.subtract(1);
        self.ended += 1;
        if self.sessions.is_empty() {
            self.queued = 0;
            self.publish(); // nothing is swept any more
        }
        entry
    }

    /// Calls sessions in the line as long as a decompressor is free. Then gives those that have more to do a turn, in their
    /// order, as long as the budget lasts.
    #[inline(never)]
    fn end_compressed_turn(&mut self) {
        while let Some(key) = self.pools().and_then(Pools::call) {
            if let Some(entry) = self.sessions.get_mut(key) {
                each!(entry, session => session.called(key, &mut self.shared));
            }
        }
        self.work(budget::WORKING, |pools| &mut pools.working);
        self.work(budget::HEAVY, |pools| &mut pools.heavy);
        if let Some(pools) = self.pools() {
            pools.budget.begin_loop();
        }
    }

    fn work(&mut self, part: usize, queue: fn(&mut Pools) -> &mut Line) {
        let Some(pools) = self.pools() else { return };
        pools.budget.begin_part(part);
        let end = queue(pools).end();
        while let Some(pools) = self.pools().filter(|pools| !pools.budget.is_over()) {
            let Some(key) = queue(pools).call_before(end) else { return };
            if let Some(entry) = self.sessions.get_mut(key) {
                let next = each!(entry, session => session.work(&mut self.buffers, &mut self.shared));
                self.follow(key, next);
            }
        }
    }

    fn pools(&mut self) -> Option<&mut Pools> {
        self.shared.compression.as_deref_mut()
    }
}

#[cfg(test)]
mod probe;
#[cfg(test)]
mod tests;
