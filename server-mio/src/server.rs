//! The loop: one thread, one poll, any number of connections.
//!
//! Sockets are registered once, for reading and writing, edge-triggered: no system call per message but the receive
//! and the send. A socket that may hold more than was read, of which no event will tell, is looked at again after
//! the others had their turn.

use crate::{
    options::Config,
    session::{Next, Session, Shared},
    signals::Signals,
    socket::Listener,
    stats::Stats,
};
use mio::{Events, Interest, Poll, Token, event::Event};
use slab::Slab;
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// One loop and what it owns.
#[derive(Debug)]
pub struct Server {
    poll: Poll,
    listeners: Vec<Listener>,
    /// Listeners that may have connections waiting, of which no event will tell.
    waiting: Vec<usize>,
    signals: Signals,
    sessions: Slab<Session>,
    /// Sessions to be looked at again.
    again: Vec<usize>,
    shared: Shared,
    began: Instant,
    /// When the next sessions are swept, and where the last sweep stopped.
    sweep: Instant,
    swept: usize,
    /// By when everything is over, once it is ending.
    ending: Option<Instant>,
}

// Sessions have their slab's keys for tokens; these are far above any.
const SIGNALS: Token = Token(usize::MAX >> 1);
const LISTENERS: usize = (usize::MAX >> 1) + 1;

/// A sweep looks at a quarter of the sessions, so that no turn of the loop is long: each is seen once a second.
const SWEEP: Duration = Duration::from_millis(250);
const SWEEPS_FOR_ALL: usize = 4;

/// The most connections accepted at one go, before those that are there have their turn.
const ACCEPT: usize = 256;

impl Server {
    pub fn new(config: Arc<Config>, listeners: Vec<Listener>, signals: Signals) -> io::Result<Self> {
        let now = Instant::now();
        let mut server = Self {
            poll: Poll::new()?,
            waiting: Vec::new(),
            listeners,
            signals,
            sessions: Slab::new(),
            again: Vec::new(),
            shared: Shared::new(config),
            began: now,
            sweep: now + SWEEP,
            swept: 0,
            ending: None,
        };
        server.signals.register(server.poll.registry(), SIGNALS)?;
        for (i, listener) in server.listeners.iter_mut().enumerate() {
            server.poll.registry().register(listener, Token(LISTENERS + i), Interest::READABLE)?;
        }
        Ok(server)
    }

    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    pub fn stats(&self) -> Arc<Stats> {
        self.shared.stats.clone()
    }

    /// Serves until a signal ends it.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = Instant::now();
            // Saturates after 136 years.
            self.shared.now = u32::try_from((now - self.began).as_secs()).unwrap_or(u32::MAX);
            for event in &events {
                self.handle(event);
            }
            self.look_again();
            if now >= self.sweep {
                self.sweep(now);
            }
            if let Some(deadline) = self.ending {
                if self.sessions.is_empty() || now >= deadline {
                    log::info!("stopped; {} connections were left", self.sessions.len());
                    return Ok(());
                }
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        // Nothing to sweep: sleep until somebody comes. A listener that could not accept is tried at each sweep.
        if self.sessions.is_empty() && self.waiting.is_empty() && self.ending.is_none() {
            return None;
        }
        Some(self.sweep.saturating_duration_since(Instant::now()))
    }

    #[inline]
    fn handle(&mut self, event: &Event) {
        match event.token() {
            SIGNALS => self.end(),
            Token(key) if key < LISTENERS => {
                let (readable, writable) = (event.is_readable(), event.is_writable());
                self.look(key, readable, writable, event.is_read_closed());
            }
            Token(listener) => self.accept(listener - LISTENERS),
        }
    }

    /// Looks at one session. It may be another than the event meant, in a place that has become free since: then
    /// the look comes to nothing.
    #[inline]
    fn look(&mut self, key: usize, readable: bool, writable: bool, closed: bool) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        match session.ready(readable, writable, closed, &mut self.shared) {
            Next::Wait => {}
            next => self.follow(key, next),
        }
    }

    fn follow(&mut self, key: usize, next: Next) {
        match next {
            Next::Wait => {}
            Next::Again => self.again.push(key),
            Next::Drop => {
                let session = self.sessions.remove(key);
                self.shared.stats.connections.subtract(1);
                if session.is_held_back() {
                    self.shared.stats.held_back.subtract(1);
                }
                // Closing the socket also ends its registration.
            }
        }
    }

    fn look_again(&mut self) {
        for key in std::mem::take(&mut self.again) {
            self.look(key, true, false, false);
        }
    }

    /// Accepts what waits. Where that is not possible now (no file descriptors, too many connections), the listener
    /// waits for the next sweep: the connections do, too, in the kernel's queue.
    fn accept(&mut self, listener: usize) {
        self.waiting.retain(|&other| other != listener);
        for _ in 0..ACCEPT {
            let Some(from) = self.listeners.get(listener) else { return };
            if self.sessions.len() >= self.shared.config.max_connections {
                break;
            }
            let socket = match from.accept() {
                Ok(socket) => socket,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    // The peer was gone before it was its turn.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => continue,
                    _ => {
                        log::warn!("cannot accept: {error}; trying again");
                        self.shared.stats.errors.add(1);
                        break;
                    }
                },
            };
            let entry = self.sessions.vacant_entry();
            let mut session = Session::new(socket, self.shared.now);
            let token = Token(entry.key());
            let interests = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.poll.registry().register(session.socket(), token, interests) {
                log::warn!("cannot watch a connection: {error}");
                self.shared.stats.errors.add(1);
                continue;
            }
            entry.insert(session);
            self.shared.stats.connections.add(1);
            self.shared.stats.accepted.add(1);
        }
        self.waiting.push(listener);
    }

    /// What time alone brings about.
    fn sweep(&mut self, now: Instant) {
        self.sweep = now + SWEEP;
        let len = self.sessions.capacity();
        let end = (self.swept + len.div_ceil(SWEEPS_FOR_ALL)).min(len);
        for key in self.swept..end {
            if let Some(session) = self.sessions.get_mut(key) {
                let next = session.sweep(&mut self.shared);
                self.follow(key, next);
            }
        }
        self.swept = if end >= len { 0 } else { end };
        for listener in std::mem::take(&mut self.waiting) {
            self.accept(listener);
        }
    }

    /// The first signal: no new connections, a close for those that are there, and a bound on their time.
    fn end(&mut self) {
        if self.ending.is_some() {
            return;
        }
        log::info!("stopping; {} connections are told", self.sessions.len());
        self.ending = Some(Instant::now() + Duration::from_secs(self.shared.config.close_timeout.into()));
        self.listeners.clear();
        self.waiting.clear();
        for key in 0..self.sessions.capacity() {
            if let Some(session) = self.sessions.get_mut(key) {
                let next = session.go_away(&mut self.shared);
                self.follow(key, next);
            }
        }
    }
}
