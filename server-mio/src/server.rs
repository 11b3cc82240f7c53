//! The loop: one thread, one poll, any number of connections.
//!
//! Sockets are registered once, for reading and writing, edge-triggered: no system call per message but the receive
//! and the send. A socket that may hold more than was read, of which no event will tell, is read again after the others
//! had their turn.

use crate::{
    config::Config,
    handler::Handler,
    listener::{Address, Listener},
    session::Turn,
    sessions::{SWEEPS_FOR_ALL, Sessions},
    stats::Stats,
    stop::StopHandle,
    transport::Socket,
};
use mio::{Events, Interest, Poll, Token, event::Event};
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
    sessions: Sessions<H, Socket>,
    /// Listeners, by number, that may have more connections, of which no event will tell.
    again: VecDeque<usize>,
    /// Some connections could not be accepted. They are tried again when a session ends, and after each sweep.
    stuck: bool,
    /// When that was last logged, on the loop's clock.
    complained: Option<u32>,
    /// A connection that was accepted and could not be registered: it is tried before others.
    accepted: Option<Socket>,
    began: Instant,
    /// When the next sessions are swept.
    sweep: Instant,
    /// For how many turns of the loop the sweep was put off.
    postponed: usize,
    /// When the server ends at the latest, after it was stopped.
    ending: Option<Instant>,
}

// Sessions have their slab's keys for tokens; these are far above any.
const STOP: Token = Token(usize::MAX >> 1);
const LISTENERS: usize = (usize::MAX >> 1) + 1;

/// The most events of one turn of the loop.
const EVENTS: usize = 1024;

/// Each session is swept once a second.
const SWEEP: Duration = Duration::from_millis(1000 / SWEEPS_FOR_ALL as u64);

/// The most connections accepted at once, before sessions have their turn.
const ACCEPT: usize = 256;

/// That connections cannot be accepted is logged at most once in so many seconds.
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
            sessions: Sessions::new(config, handler),
            again: VecDeque::new(),
            stuck: false,
            complained: None,
            accepted: None,
            began: now,
            sweep: now + SWEEP,
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
        self.sessions.stats().clone()
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
            let seconds = u32::try_from((now - self.began).as_secs()).unwrap_or(u32::MAX);
            self.sessions.begin_turn(seconds, events.iter().nth(1).is_none());
            for event in &events {
                self.handle(event);
            }
            self.sessions.end_turn();
            self.accept_more();
            if now >= self.sweep && !self.postpone_sweep(&events) {
                self.sweep = now + SWEEP;
                self.sessions.sweep();
                self.accept_stuck();
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
        if self.sessions.has_more() || !self.again.is_empty() {
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
            Token(listener) if listener >= LISTENERS => self.accept(listener - LISTENERS),
            Token(key) => {
                let turn = Turn {
                    readable: event.is_readable(),
                    writable: event.is_writable(),
                    short: event.is_read_closed() || event.is_priority(),
                    called: false,
                };
                self.sessions.ready(key, turn);
            }
        }
    }

    /// Gives the listeners that had more another turn, and all of them if there is room again.
    #[inline]
    fn accept_more(&mut self) {
        for _ in 0..self.again.len() {
            let Some(listener) = self.again.pop_front() else { break };
            self.accept(listener);
        }
        if self.sessions.take_ended() {
            self.accept_stuck();
        }
    }

    fn accept_stuck(&mut self) {
        if mem::take(&mut self.stuck) {
            (0..self.listeners.len()).for_each(|listener| self.accept(listener));
        }
    }

    /// Accepts the connections that wait. If that is not possible now (no file descriptors, too many connections), they go
    /// on waiting, in the kernel's queue.
    fn accept(&mut self, number: usize) {
        for _ in 0..ACCEPT {
            let Some(listener) = self.listeners.get(number) else { return };
            if self.sessions.len() >= self.sessions.config().max_connections {
                return self.get_stuck(&"there are as many connections as may be");
            }
            let mut socket = match self.accepted.take().map_or_else(|| listener.accept(), Ok) {
                Ok(socket) => socket,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    // The peer has gone meanwhile.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => continue,
                    _ => return self.get_stuck(&error),
                },
            };
            let key = Token(self.sessions.next_key());
            let interests = Interest::READABLE | Interest::WRITABLE;
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let interests = interests | Interest::PRIORITY;
            if let Err(error) = self.poll.registry().register(socket.source(), key, interests) {
                self.accepted = Some(socket);
                return self.get_stuck(&error);
            }
            self.sessions.insert(socket);
        }
        if !self.again.contains(&number) {
            self.again.push_back(number);
        }
    }

    #[cold]
    fn get_stuck(&mut self, why: &dyn fmt::Display) {
        self.stuck = true;
        // Logged once, not for each connection.
        let now = self.sessions.now();
        if self.complained.is_none_or(|at| now - at >= COMPLAIN) {
            self.complained = Some(now);
            self.sessions.stats().errors.add(1);
            log::warn!("connections wait, none is accepted: {why}");
        }
    }

    /// Puts a sweep off if more events may wait than one turn takes: no peer is judged by its silence before its event was
    /// handled. Each session has one event at most, so that ends; after a long stop of the loop, it takes some turns.
    fn postpone_sweep(&mut self, events: &Events) -> bool {
        let more = self.postponed < self.sessions.len() / EVENTS && events.iter().count() >= EVENTS;
        self.postponed = if more { self.postponed + 1 } else { 0 };
        more
    }

    /// No new connections, a close for those that are there, and a bound on their time.
    fn end(&mut self) {
        if self.ending.is_some() {
            return;
        }
        log::info!("stopping; {} connections are told", self.sessions.len());
        let time = Duration::from_secs(self.sessions.config().close_timeout.into());
        self.ending = Some(Instant::now() + time);
        self.listeners.clear();
        self.accepted = None;
        self.stuck = false;
        self.sessions.go_away();
    }
}
