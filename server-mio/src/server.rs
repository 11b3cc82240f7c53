//! The loop: one thread, one poll, any number of connections.
//!
//! Each socket is registered once, for reading and writing, edge-triggered, so a message costs no system call but the receive
//! and the send. If a socket may have more to read, no event reports that, so the loop reads it again after the others had
//! their turn.

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
    /// The numbers of listeners that may have more connections, which no event will report.
    again: VecDeque<usize>,
    /// Accepting failed. The server tries again when a session ends, and after each sweep.
    stuck: bool,
    /// The time, on the loop's clock, at which this was last logged.
    complained: Option<u32>,
    /// A connection that was accepted, but not registered because that failed. It is tried before others.
    accepted: Option<Socket>,
    began: Instant,
    /// The time of the next sweep.
    sweep: Instant,
    /// For how many turns of the loop the sweep was postponed.
    postponed: usize,
    /// The latest time at which a stopped server ends.
    ending: Option<Instant>,
}

// A session's token is its key in the slab. These are above any such key.
const STOP: Token = Token(usize::MAX >> 1);
const LISTENERS: usize = (usize::MAX >> 1) + 1;

/// The most events in one turn of the loop.
const EVENTS: usize = 1024;

/// The time between two sweeps: each session is swept once a second.
const SWEEP: Duration = Duration::from_millis(1000 / SWEEPS_FOR_ALL as u64);

/// The most connections accepted from one listener before sessions get their turn.
const ACCEPT: usize = 256;

/// The seconds between two log lines that say that accepting failed.
const COMPLAIN: u32 = 60;

impl<H: Handler> Server<H> {
    /// Makes a server that listens at these addresses.
    ///
    /// # Errors
    /// Those of [`Listener::bind`] and [`new`](Self::new).
    pub fn bind(addresses: &[Address], config: Config, handler: H) -> io::Result<Self> {
        let lists = Listener::bind(addresses, NonZeroUsize::MIN, &config)?;
        Self::new(Arc::new(config), lists.into_iter().flatten().collect(), handler)
    }

    /// Makes a server on sockets that are bound already. Several servers share an address in this way.
    ///
    /// # Errors
    /// An error of the operating system, if it cannot make a poll (`epoll`, `kqueue`) or register the listeners.
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

    /// The listening sockets.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        self.sessions.stats().clone()
    }

    /// A handle that stops the server from any thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until a [`StopHandle`] stops it.
    ///
    /// # Errors
    /// An error of the operating system, if polling fails. A peer cannot cause one.
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
                    log::info!("stopped; {} connections were still open", self.sessions.len());
                    return Ok(());
                }
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if self.sessions.has_more() || !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        // There is nothing to sweep: sleep until a client connects.
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

    /// Accepts again from listeners that may have more connections, and from all if accepting failed before and a session has
    /// ended since.
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

    /// Accepts connections. If that fails (no file descriptors, too many connections), they wait in the kernel's queue.
    fn accept(&mut self, number: usize) {
        for _ in 0..ACCEPT {
            let Some(listener) = self.listeners.get(number) else { return };
            if self.sessions.len() >= self.sessions.config().max_connections {
                return self.get_stuck(&"the limit on connections is reached");
            }
            let mut socket = match self.accepted.take().map_or_else(|| listener.accept(), Ok) {
                Ok(socket) => socket,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    // A signal came, or the peer has gone.
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
        // Not for each connection.
        let now = self.sessions.now();
        if self.complained.is_none_or(|at| now - at >= COMPLAIN) {
            self.complained = Some(now);
            self.sessions.stats().errors.add(1);
            log::warn!("cannot accept connections, so they wait: {why}");
        }
    }

    /// Postpones a sweep if there may be more events than one turn takes: the event of a peer must be handled before its
    /// silence is judged. Each session has at most one event, so the number of turns is bounded.
    fn postpone_sweep(&mut self, events: &Events) -> bool {
        let more = self.postponed < self.sessions.len() / EVENTS && events.iter().count() >= EVENTS;
        self.postponed = if more { self.postponed + 1 } else { 0 };
        more
    }

    /// Stops: accepts no more connections, sends a close to all peers, and sets the time at which the server ends.
    fn end(&mut self) {
        if self.ending.is_some() {
            return;
        }
        log::info!("stopping; {} connections are open", self.sessions.len());
        let time = Duration::from_secs(self.sessions.config().close_timeout.into());
        self.ending = Some(Instant::now() + time);
        self.listeners.clear();
        self.accepted = None;
        self.stuck = false;
        self.sessions.go_away();
    }
}
