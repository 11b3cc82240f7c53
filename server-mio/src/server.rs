//! A server: the poll and the clock around the turns of an event loop.

use crate::{
    config::Config,
    event_loop::{Event, EventLoop},
    handler::Handler,
    listener::{Address, Listener},
    session::Turn,
    spread::Seat,
    stats::Stats,
    stop::StopHandle,
    transport::{Accepted, Network, Socket},
};
use mio::{Events, Interest, Poll, Token, Waker, event};
use std::{io, num::NonZeroUsize, sync::Arc, time::Instant};

/// A server: one loop for one thread. [`run`](Self::run) serves until a [`StopHandle`] stops it.
///
/// Several servers, each on a thread of its own, share an address if [`Listener::bind`] binds it for all of them. They then have
/// about equally many connections.
#[derive(Debug)]
pub struct Server<H> {
    sockets: Sockets,
    stop: StopHandle,
    event_loop: EventLoop<H, Socket>,
    began: Instant,
}

/// The listening sockets, and the poll for all sockets.
#[derive(Debug)]
struct Sockets {
    poll: Poll,
    listeners: Vec<Listener>,
    /// Present if other servers share the connections. It counts as one more listener.
    seat: Option<Seat<Accepted<Socket>>>,
}

// A session's token is its key in the slab. These are above any such key.
const STOP: Token = Token(usize::MAX >> 1);
const LISTENERS: usize = (usize::MAX >> 1) + 1;

/// The most events in one turn of the loop.
const EVENTS: usize = 1024;

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
    pub fn new(config: Arc<Config>, mut listeners: Vec<Listener>, handler: H) -> io::Result<Self> {
        let poll = Poll::new()?;
        let stop = StopHandle::new(poll.registry(), STOP)?;
        for (i, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener.source(), Token(LISTENERS + i), Interest::READABLE)?;
        }
        let seat = match listeners.iter().find_map(Listener::place) {
            Some(place) => place.open(Waker::new(poll.registry(), Token(LISTENERS + listeners.len()))?),
            None => None,
        };
        Ok(Self {
            sockets: Sockets { poll, listeners, seat },
            stop,
            event_loop: EventLoop::new(config, handler, EVENTS),
            began: Instant::now(),
        })
    }

    /// The listening sockets.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.sockets.listeners
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        self.event_loop.stats().clone()
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
        let stats = self.stats();
        let mut turn = None; // when it began
        loop {
            let mut ended = None;
            let timeout = self.event_loop.timeout(|| *ended.insert(self.began.elapsed()));
            if let (Some(began), Some(ended)) = (turn, ended) {
                stats.turns.record(ended.saturating_sub(began));
                turn = None;
            }
            match self.sockets.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = self.began.elapsed();
            if let Some(began) = turn.replace(now).filter(|_| timeout.is_some()) {
                stats.turns.record(now.saturating_sub(began)); // it did not sleep
            }
            if !self.event_loop.turn(now, events.iter().map(translate), &mut self.sockets) {
                return Ok(());
            }
        }
    }
}

/// An event of mio as one of the loop.
#[inline]
fn translate(event: &event::Event) -> Event {
    match event.token() {
        STOP => Event::Stop,
        Token(listener) if listener >= LISTENERS => Event::Listener(listener - LISTENERS),
        Token(key) => Event::Session(
            key,
            Turn {
                readable: event.is_readable(),
                writable: event.is_writable(),
                short: event.is_read_closed() || event.is_priority(),
            },
        ),
    }
}

impl Network for Sockets {
    type Socket = Socket;

    fn listeners(&self) -> usize {
        self.listeners.len() + usize::from(self.seat.is_some())
    }

    fn accept(&mut self, listener: usize, full: bool) -> io::Result<Option<Accepted<Socket>>> {
        match (self.listeners.get(listener), &self.seat) {
            (Some(listener), None) => listener.accept().map(Some),
            (Some(listener), Some(seat)) => seat.place(listener.accept()?, full),
            (None, Some(seat)) => seat.take().map(Some).ok_or_else(|| io::ErrorKind::WouldBlock.into()),
            (None, None) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn can_pass_on(&self, listener: usize, most: usize) -> bool {
        let is_inbox = listener >= self.listeners.len();
        !is_inbox && self.seat.as_ref().is_some_and(|seat| seat.others_have_room(most))
    }

    fn ended(&mut self, sessions: usize) {
        if let Some(seat) = &self.seat {
            seat.ended(sessions);
        }
    }

    fn register(&mut self, socket: &mut Socket, key: usize) -> io::Result<()> {
        let interests = Interest::READABLE | Interest::WRITABLE;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interests = interests | Interest::PRIORITY;
        self.poll.registry().register(socket.source(), Token(key), interests)
    }

    fn release(&mut self, mut socket: Accepted<Socket>) -> Option<Accepted<Socket>> {
        match self.poll.registry().deregister(socket.socket().source()) {
            Ok(()) => Some(socket),
            Err(error) => {
                log::error!("cannot hand a connection over: {error}");
                None
            }
        }
    }

    fn close_listeners(&mut self) {
        self.seat = None;
        self.listeners.clear();
    }
}
