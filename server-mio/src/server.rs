//! The loop: one thread, one poll, any number of connections.
//!
//! Sockets are registered once, for reading and writing, edge-triggered: no system call per message but the receive
//! and the send. A socket that may hold more than was read, of which no event will tell, is looked at again after
//! the others had their turn.

use crate::{
    config::Config,
    handler::Handler,
    listener::{Address, Listener},
    session::{Next, Session},
    shared::{Buffers, Shared},
    stats::Stats,
    stop::StopHandle,
};
use mio::{Events, Interest, Poll, Token, event::Event};
use slab::Slab;
use std::{
    collections::VecDeque,
    fmt, io, mem,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

/// A server: one loop for one thread. [`run`](Self::run) serves until a [`StopHandle`] stops it.
///
/// Several servers, each on a thread of its own, share an address if [`Listener::bind`] binds it for all of them.
#[derive(Debug)]
pub struct Server<H> {
    poll: Poll,
    listeners: Vec<Listener>,
    stop: StopHandle,
    sessions: Slab<Session>,
    /// The tokens of what may have more to give, of which no event will tell.
    again: VecDeque<usize>,
    /// Sessions that wait for a decompressor.
    starved: VecDeque<usize>,
    /// Connections wait that could not be accepted. They are tried again when one that is there ends, and with each
    /// sweep.
    stuck: bool,
    /// When that was last said, on the loop's clock.
    complained: Option<u32>,
    buffers: Buffers,
    shared: Shared<H>,
    began: Instant,
    /// When the next sessions are swept, and where the last sweep stopped.
    sweep: Instant,
    swept: usize,
    /// Turns of the loop for which it was put off.
    postponed: usize,
    /// By when everything is over, once it is ending.
    ending: Option<Instant>,
}

// Sessions have their slab's keys for tokens; these are far above any.
const STOP: Token = Token(usize::MAX >> 1);
const LISTENERS: usize = (usize::MAX >> 1) + 1;

/// The most events of one turn of the loop.
const EVENTS: usize = 1024;

/// A sweep looks at a quarter of the sessions, so that no turn of the loop is long: each is seen once a second.
const SWEEP: Duration = Duration::from_millis(250);
const SWEEPS_FOR_ALL: usize = 4;

/// The most connections accepted at one go, before those that are there have their turn.
const ACCEPT: usize = 256;

/// The most sessions that look for a decompressor in one turn of the loop: those that find none wait again.
const STARVED: usize = 16;

/// How often it is said that connections cannot be accepted: at most once in so many seconds.
const COMPLAIN: u32 = 60;

impl<H: Handler> Server<H> {
    /// Listens at these addresses.
    ///
    /// # Errors
    /// Those of [`Listener::bind`] and [`new`](Self::new).
    pub fn bind(addresses: &[Address], config: Config, handler: H) -> io::Result<Self> {
        let lists = Listener::bind(addresses, NonZeroUsize::MIN, &config)?;
        Self::new(Arc::new(config), lists.into_iter().flatten().collect(), handler)
    }

    /// Listens with sockets that are bound already: one of several servers at one address.
    ///
    /// # Errors
    /// Those of making a poll (`epoll`, `kqueue`) and of registering the listeners with it.
    pub fn new(config: Arc<Config>, listeners: Vec<Listener>, handler: H) -> io::Result<Self> {
        let now = Instant::now();
        let poll = Poll::new()?;
        let stop = StopHandle::new(poll.registry(), STOP)?;
        let mut server = Self {
            poll,
            listeners,
            stop,
            sessions: Slab::new(),
            again: VecDeque::new(),
            starved: VecDeque::new(),
            stuck: false,
            complained: None,
            buffers: Buffers::new(&config),
            shared: Shared::new(config, handler),
            began: now,
            sweep: now + SWEEP,
            swept: 0,
            postponed: 0,
            ending: None,
        };
        for (i, listener) in server.listeners.iter_mut().enumerate() {
            server.poll.registry().register(listener.source(), Token(LISTENERS + i), Interest::READABLE)?;
        }
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// What it counts.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        self.shared.stats.clone()
    }

    /// Stops it, from any thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until a [`StopHandle`] stops it.
    ///
    /// # Errors
    /// Those of the poll. Nothing that a peer does is one.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = Instant::now();
            // Saturates after 136 years.
            self.shared.now = u32::try_from((now - self.began).as_secs()).unwrap_or(u32::MAX);
            self.buffers.turn(events.iter().nth(1).is_none());
            for event in &events {
                self.handle(event);
            }
            self.look_again();
            self.feed_starved();
            if now >= self.sweep && !self.postpone_sweep(&events) {
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
        // Nothing to sweep: sleep until somebody comes.
        if self.sessions.is_empty() && !self.stuck && self.ending.is_none() {
            return None;
        }
        Some(self.sweep.saturating_duration_since(Instant::now()))
    }

    #[inline]
    fn handle(&mut self, event: &Event) {
        match event.token() {
            STOP => self.end(),
            Token(listener) if listener >= LISTENERS => self.accept(listener),
            Token(key) => {
                let Some(session) = self.sessions.get_mut(key) else { return };
                let (readable, writable) = (event.is_readable(), event.is_writable());
                let short = event.is_read_closed() || event.is_priority();
                match session.ready(readable, writable, short, &mut self.buffers, &mut self.shared) {
                    Next::Wait => {}
                    next => self.follow(key, next),
                }
            }
        }
    }

    fn follow(&mut self, key: usize, next: Next) {
        match next {
            Next::Wait => {}
            Next::Again => self.again.push_back(key),
            Next::Starved => self.starved.push_back(key),
            Next::Drop => {
                let session = self.sessions.remove(key);
                self.shared.stats.connections.subtract(1);
                if session.is_held_back() {
                    self.shared.stats.paused.subtract(1);
                }
                // Closing the socket also ends its registration.
                if mem::take(&mut self.stuck) {
                    self.again.extend(LISTENERS..LISTENERS + self.listeners.len());
                }
            }
        }
    }

    /// Gives those that had more a turn, one each; what they then still have is for the next time.
    fn look_again(&mut self) {
        for _ in 0..self.again.len() {
            let Some(token) = self.again.pop_front() else { return };
            match token {
                listener if listener >= LISTENERS => self.accept(listener),
                key => {
                    // It may be another session, in a place that has become free since: its look comes to nothing.
                    if let Some(session) = self.sessions.get_mut(key) {
                        let next = session.again(&mut self.buffers, &mut self.shared);
                        self.follow(key, next);
                    }
                }
            }
        }
    }

    /// Gives those that wait for a decompressor a turn, as far as there are any.
    #[inline]
    fn feed_starved(&mut self) {
        let Some(pools) = &mut self.shared.compression else { return };
        if !self.starved.is_empty() && pools.inflate.has_decompressor() {
            let some = self.starved.len().min(STARVED);
            self.again.extend(self.starved.drain(..some));
        }
        pools.starved = self.starved.len();
    }

    /// Accepts what waits. Where that is not possible now (no file descriptors, too many connections), it goes on
    /// waiting, in the kernel's queue.
    fn accept(&mut self, token: usize) {
        for _ in 0..ACCEPT {
            let Some(listener) = self.listeners.get(token - LISTENERS) else { return };
            if self.sessions.len() >= self.shared.config.max_connections {
                return self.get_stuck(&"there are as many connections as may be");
            }
            let socket = match listener.accept() {
                Ok(socket) => socket,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    // The peer was gone before it was its turn.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => continue,
                    _ => return self.get_stuck(&error),
                },
            };
            let entry = self.sessions.vacant_entry();
            let mut session = Session::new(socket, self.shared.now);
            let key = Token(entry.key());
            let interests = Interest::READABLE | Interest::WRITABLE;
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let interests = interests | Interest::PRIORITY;
            if let Err(error) = self.poll.registry().register(session.socket().source(), key, interests) {
                return self.get_stuck(&error);
            }
            entry.insert(session);
            self.shared.stats.connections.add(1);
            self.shared.stats.accepted.add(1);
        }
        if !self.again.contains(&token) {
            self.again.push_back(token);
        }
    }

    #[cold]
    fn get_stuck(&mut self, why: &dyn fmt::Display) {
        self.stuck = true;
        // Said once, not for each that waits.
        if self.complained.is_none_or(|at| self.shared.now - at >= COMPLAIN) {
            self.complained = Some(self.shared.now);
            self.shared.stats.errors.add(1);
            log::warn!("connections wait, none is accepted: {why}");
        }
    }

    /// Whether peers may have been heard of whose turn has not come: nobody is to be judged before. Each has one event
    /// at most, so there is an end to that. Where the loop was stopped for long, it takes some turns.
    fn postpone_sweep(&mut self, events: &Events) -> bool {
        let more = self.postponed < self.sessions.len() / EVENTS && events.iter().count() >= EVENTS;
        self.postponed = if more { self.postponed + 1 } else { 0 };
        more
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
        self.swept = end;
        if end == len {
            self.swept = 0;
            self.shared.rest();
        }
        if mem::take(&mut self.stuck) {
            (LISTENERS..LISTENERS + self.listeners.len()).for_each(|listener| self.accept(listener));
        }
    }

    /// No new connections, a close for those that are there, and a bound on their time.
    fn end(&mut self) {
        if self.ending.is_some() {
            return;
        }
        log::info!("stopping; {} connections are told", self.sessions.len());
        self.ending = Some(Instant::now() + Duration::from_secs(self.shared.config.close_timeout.into()));
        self.listeners.clear();
        self.stuck = false;
        for key in 0..self.sessions.capacity() {
            if let Some(session) = self.sessions.get_mut(key) {
                let next = session.go_away(&mut self.shared);
                self.follow(key, next);
            }
        }
    }
}
