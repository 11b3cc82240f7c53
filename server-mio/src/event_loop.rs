//! The turns of the loop: they accept connections, pass events to sessions, and check timeouts. This module has no poll and no
//! clock: the server passes events and time to it.
//!
//! Each socket is registered once, for reading and writing, edge-triggered, so a message costs no system call but the receive
//! and the send. If a socket may have more to read, no event reports that, so the loop reads it again after the others had
//! their turn.

use crate::{
    config::Config,
    detached::Detached,
    handler::{Handler, Taken},
    session::Turn,
    sessions::{SWEEPS_FOR_ALL, Sessions},
    stats::{Fault, Stats},
    transport::{Accepted, Network, Transport},
};
use std::{collections::VecDeque, fmt, io, mem, sync::Arc, time::Duration};

/// All state of a loop but its poll and its listeners. `T` is the type of the sockets of its sessions.
#[derive(Debug)]
pub(crate) struct EventLoop<H, T> {
    sessions: Sessions<H, T>,
    /// The numbers of listeners that may have more connections, which no event will report.
    again: VecDeque<usize>,
    /// Accepting failed. The loop tries again when a session ends, and after each sweep.
    stuck: bool,
    /// The time, in seconds, at which this was last logged.
    complained: Option<u32>,
    /// A connection that was accepted, but not registered because that failed. It is tried before others.
    accepted: Option<Accepted<T>>,
    /// The most events of one turn.
    events: usize,
    /// The time of the next sweep.
    sweep: Duration,
    /// For how many turns the sweep was postponed.
    postponed: usize,
    /// The latest time at which a stopped loop ends.
    ending: Option<Duration>,
}

/// An event of the poll.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The loop is to stop.
    Stop,
    /// The listener with this number may have connections.
    Listener(usize),
    /// The session with this key is to take a turn.
    Session(usize, Turn),
}

/// The time between two sweeps: each session is swept once a second.
pub(crate) const SWEEP: Duration = Duration::from_millis(1000 / SWEEPS_FOR_ALL as u64);

/// The most connections accepted from one listener before sessions get their turn. Few in tests, which have few connections.
const ACCEPT: usize = if cfg!(test) { 2 } else { 256 };

/// The seconds between two log lines that say that accepting failed.
const COMPLAIN: u32 = 60;

impl<H: Handler, T: Transport> EventLoop<H, T> {
    /// Makes a loop. `events` is the most that one turn gets; at least 1.
    pub(crate) fn new(config: Arc<Config>, handler: H, events: usize) -> Self {
        Self {
            sessions: Sessions::new(config, handler),
            again: VecDeque::new(),
            stuck: false,
            complained: None,
            accepted: None,
            events,
            sweep: SWEEP,
            postponed: 0,
            ending: None,
        }
    }

    /// The counters.
    pub(crate) fn stats(&self) -> &Arc<Stats> {
        self.sessions.stats()
    }

    /// The sessions, whether accepting waits for another try, and the time of the next sweep.
    #[cfg(test)]
    pub(crate) const fn probe(&self) -> (&Sessions<H, T>, bool, Duration) {
        (&self.sessions, self.stuck, self.sweep)
    }

    /// See [`Sessions::limit_budget`].
    #[cfg(test)]
    pub(crate) fn limit_budget(&mut self, most: usize) {
        self.sessions.limit_budget(most);
    }

    /// How long the poll may wait for events. `now` returns the time since the loop began.
    pub(crate) fn timeout(&self, now: impl FnOnce() -> Duration) -> Option<Duration> {
        if self.sessions.has_more() || !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        // There is nothing to sweep: sleep until a client connects.
        if self.sessions.is_empty() && !self.stuck && self.ending.is_none() {
            return None;
        }
        Some(self.sweep.saturating_sub(now()))
    }

    /// Takes a turn. `now` is the time since the loop began. Returns whether the loop goes on; otherwise it was stopped, and has
    /// ended.
    #[inline]
    pub(crate) fn turn(
        &mut self,
        now: Duration,
        events: impl Iterator<Item = Event> + Clone,
        network: &mut impl Network<Socket = T>,
    ) -> bool {
        self.sessions.begin_turn(now, events.clone().nth(1).is_none());
        for event in events.clone() {
            match event {
                Event::Session(key, turn) => self.sessions.ready(key, turn),
                Event::Listener(number) => self.accept(number, network),
                Event::Stop => self.stop(now, network),
            }
        }
        self.sessions.end_turn();
        self.accept_more(network);
        if now >= self.sweep && !self.postpone_sweep(events) {
            self.sweep = now + SWEEP;
            self.sessions.sweep();
            self.make_room(network);
        }
        !self.has_ended(now)
    }

    /// Accepts again from listeners that may have more connections, and from all if accepting failed before and a session has
    /// ended since.
    #[inline]
    fn accept_more(&mut self, network: &mut impl Network<Socket = T>) {
        for _ in 0..self.again.len() {
            let Some(listener) = self.again.pop_front() else { break };
            self.accept(listener, network);
        }
        if self.sessions.ended() > 0 {
            self.make_room(network);
        }
    }

    /// Called when sessions have ended, and now and then.
    #[inline(never)]
    fn make_room(&mut self, network: &mut impl Network<Socket = T>) {
        network.ended(self.sessions.take_ended());
        self.hand_over(network);
        self.accept_stuck(network);
    }

    /// Hands over the connections that the handler has taken over.
    #[cold]
    #[inline(never)]
    fn hand_over(&mut self, network: &mut impl Network<Socket = T>) {
        for (socket, Taken { by, peer, head, rest }) in self.sessions.take_taken() {
            let Some(socket) = network.release(socket) else { continue };
            match Detached::new(socket, peer, head, rest) {
                Ok(connection) => by(connection),
                Err(error) => log::error!("cannot hand a connection over: {error}"),
            }
        }
    }

    fn accept_stuck(&mut self, network: &mut impl Network<Socket = T>) {
        if mem::take(&mut self.stuck) {
            (0..network.listeners()).for_each(|listener| self.accept(listener, network));
        }
    }

    /// Accepts connections. If that fails (no file descriptors, too many connections), they wait in the kernel's queue.
    fn accept(&mut self, number: usize, network: &mut impl Network<Socket = T>) {
        let most = self.sessions.config().max_connections;
        for _ in 0..ACCEPT {
            if number >= network.listeners() {
                return;
            }
            let full = self.sessions.len() >= most;
            if full && !network.can_pass_on(number, most) {
                return self.get_stuck(&"the limit on connections is reached");
            }
            let before = self.accepted.take_if(|_| !full);
            let mut accepted =
                match before.map_or_else(|| network.accept(number, full), |each| Ok(Some(each))) {
                    Ok(Some(accepted)) => accepted,
                    Ok(None) => continue,
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => return,
                        // A signal came, or the peer has gone.
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => continue,
                        _ => return self.get_stuck(&error),
                    },
                };
            if let Err(error) = network.register(accepted.socket(), self.sessions.next_key()) {
                self.accepted = Some(accepted);
                return self.get_stuck(&error);
            }
            self.sessions.insert(accepted);
        }
        if !self.again.contains(&number) {
            self.again.push_back(number);
        }
    }

    #[cold]
    fn get_stuck(&mut self, why: &dyn fmt::Display) {
        self.stuck = true;
        // Not for each connection.
        let now = self.sessions.now();
        if self.complained.is_none_or(|at| now - at >= COMPLAIN) {
            self.complained = Some(now);
            self.sessions.stats().faults.add(Fault::Accept);
            log::warn!("cannot accept connections, so they wait: {why}");
        }
    }

    /// Postpones a sweep if there may be more events than one turn takes: the event of a peer must be handled before its
    /// silence is judged. Each session has at most one event, so the number of turns is bounded.
    fn postpone_sweep(&mut self, events: impl Iterator<Item = Event>) -> bool {
        let more = self.postponed < self.sessions.len() / self.events && events.count() >= self.events;
        self.postponed = if more { self.postponed + 1 } else { 0 };
        more
    }

    /// Stops: accepts no more connections, sends a close to all peers, and sets the time at which the loop ends.
    fn stop(&mut self, now: Duration, network: &mut impl Network<Socket = T>) {
        if self.ending.is_some() {
            return;
        }
        log::info!("stopping; {} connections are open", self.sessions.len());
        let time = Duration::from_secs(self.sessions.config().close_timeout.into());
        self.ending = Some(now + time);
        network.close_listeners();
        self.accepted = None;
        self.stuck = false;
        self.sessions.go_away();
    }

    #[inline]
    fn has_ended(&mut self, now: Duration) -> bool {
        let ended = self.ending.is_some_and(|deadline| self.sessions.is_empty() || now >= deadline);
        if ended {
            log::info!("stopped; {} connections were still open", self.sessions.len());
            self.sessions.end_records();
        }
        ended
    }
}
