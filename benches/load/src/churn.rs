//! The loop of a churn: each connection is opened, has a few messages echoed, and leaves; then another takes its place.

use crate::{
    failure::Failure,
    generator::{own_usage, resolve},
    peer::{Opening, Peer, Shared},
    plan::{Churn, Leave, Load, Plan, Until},
    process::Usage,
    report::Report,
    tally::{Measured, Tally},
};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

/// Runs the plan. Calls `progress` now and then with the part that is done, from 0 to 1, and the current activity.
pub(crate) fn run(plan: &Plan, churn: Churn, mut progress: impl FnMut(f64, &str)) -> Result<Report, Failure> {
    let mut loading = Loading::new(plan, churn)?;
    let measured = loading.measure(&mut progress)?;
    progress(1.0, "waiting for the last connections");
    loading.drain()?;
    let idle = loading.usage()?;
    Ok(Report::new(plan, &measured, idle, None, &loading.tally))
}

struct Loading<'a> {
    plan: &'a Plan,
    churn: Churn,
    address: SocketAddr,
    poll: Poll,
    clock: Instant,
    /// The connection with the number n has the place n modulo their count.
    places: Vec<Option<Connection>>,
    /// The places of no connection.
    free: Vec<usize>,
    /// How many connections have been opened.
    opened: u64,
    /// How many connections may still be opened.
    quota: u64,
    /// The connections that may have more to read, although no event will tell.
    unread: VecDeque<usize>,
    shared: Shared,
    tally: Tally,
}

struct Connection {
    number: usize,
    began: u64,
    phase: Phase,
}

enum Phase {
    Opening(Box<Opening>),
    /// So many messages are still to be sent, and so many replies to come.
    Open {
        peer: Peer,
        unsent: usize,
        missing: usize,
    },
    /// It has sent a close, and waits for the server's and for the end of the stream.
    Closing(Peer),
}

impl<'a> Loading<'a> {
    const TICK: Duration = Duration::from_millis(50);
    /// The most connections that are opened between two polls, so that others do not wait for long.
    const OPENING: usize = 64;

    fn new(plan: &'a Plan, churn: Churn) -> Result<Self, Failure> {
        let _ = rlimit::increase_nofile_limit(u64::MAX);
        let address = resolve(plan)?;
        if churn.sources > 1 && !matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback()) {
            return Err(Failure::Sources);
        }
        Ok(Self {
            plan,
            churn,
            address,
            poll: Poll::new().map_err(Failure::Own)?,
            clock: Instant::now(),
            places: (0..plan.connections).map(|_| None).collect(),
            free: (0..plan.connections).rev().collect(),
            opened: 0,
            quota: match plan.until {
                Until::Time(_) => u64::MAX,
                Until::Messages(count) => count,
            },
            unread: VecDeque::new(),
            shared: Shared::new(plan),
            tally: Tally::new(false),
        })
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    fn measure(&mut self, progress: &mut impl FnMut(f64, &str)) -> Result<Measured, Failure> {
        let mut events = Events::with_capacity(1024);
        let begin = self.now();
        let warm = begin + self.plan.warm_up.as_nanos() as u64;
        let mut started = None;
        self.tally.heard = begin;
        let mut shown = 0;
        loop {
            let now = self.now();
            let Some(before) = &started else {
                if now >= warm {
                    started = Some((self.usage()?, own_usage()?));
                    self.tally.from = self.now();
                    self.tally.is_counting = true;
                } else {
                    self.turn(&mut events, warm - now)?;
                }
                continue;
            };
            let (end, part) = match self.plan.until {
                Until::Time(time) => {
                    let end = self.tally.from + time.as_nanos() as u64;
                    (end, (now - self.tally.from) as f64 / time.as_nanos() as f64)
                }
                Until::Messages(count) => {
                    let is_over = self.tally.connections >= count;
                    (if is_over { now } else { u64::MAX }, self.tally.connections as f64 / count as f64)
                }
            };
            if now >= end {
                self.tally.is_counting = false;
                self.tally.to = now;
                self.quota = 0;
                let server = before.0.zip(self.usage()?);
                let seconds = (self.tally.to - self.tally.from) as f64 / 1e9;
                return Ok(Measured { seconds, server, own: (before.1, own_usage()?) });
            }
            if now - shown > Self::TICK.as_nanos() as u64 {
                shown = now;
                progress(part, "measuring");
            }
            self.turn(&mut events, end - now)?;
        }
    }

    /// Lets the connections that are open come to their end.
    fn drain(&mut self) -> Result<(), Failure> {
        let mut events = Events::with_capacity(1024);
        let begin = self.now();
        self.tally.heard = self.tally.heard.max(begin);
        while self.open() > 0 {
            if self.now() - begin > 6 * self.plan.patience.as_nanos() as u64 {
                return Err(self.silent());
            }
            self.turn(&mut events, u64::MAX)?;
        }
        Ok(())
    }

    /// Opens connections in free places; then waits for the sockets for at most this many nanoseconds, and serves them.
    fn turn(&mut self, events: &mut Events, wait: u64) -> Result<(), Failure> {
        for _ in 0..Self::OPENING {
            let Some(place) = self.free.pop_if(|_| self.quota > 0) else { break };
            self.open_at(place)?;
        }
        let can_open = self.quota > 0 && !self.free.is_empty();
        let mut wait = Duration::from_nanos(wait).min(Self::TICK);
        if can_open || !self.unread.is_empty() {
            wait = Duration::ZERO;
        }
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(Failure::Own(error)),
            _ => {}
        }
        let patience = self.plan.patience.as_nanos() as u64;
        if events.is_empty() && self.open() > 0 && self.now().saturating_sub(self.tally.heard) > patience {
            return Err(self.silent());
        }
        for _ in 0..self.unread.len() {
            let Some(number) = self.unread.pop_front() else { break };
            self.serve(number, false)?;
        }
        for event in &*events {
            let Token(number) = event.token();
            self.serve(number, event.is_read_closed() || event.is_error())?;
        }
        Ok(())
    }

    fn open(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn open_at(&mut self, place: usize) -> Result<(), Failure> {
        let number = self.opened as usize * self.places.len() + place;
        let began = self.now();
        if self.open() == 1 {
            self.tally.heard = began; // the server owed nothing until now
        }
        let failed = |error| Failure::Connect(self.address.to_string(), error);
        let socket = connect(self.address, self.churn.sources, self.opened).map_err(failed)?;
        let Plan { url, .. } = self.plan;
        let mut opening = Opening::start(number, socket, &url.host, &url.target, &mut self.shared)?;
        let interests = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut opening.socket, Token(number), interests);
        registered.map_err(Failure::Own)?;
        let phase = Phase::Opening(Box::new(opening));
        self.places[place] = Some(Connection { number, began, phase });
        self.opened += 1;
        self.quota -= 1;
        Ok(())
    }

    /// Goes on with a connection, if it is still there. `ended`: the server is known to have closed its side.
    fn serve(&mut self, number: usize, ended: bool) -> Result<(), Failure> {
        let place = number % self.places.len();
        let Some(connection) = self.places[place].take_if(|each| each.number == number) else {
            return Ok(()); // an event of a connection that has left
        };
        let now = self.now();
        let Connection { began, phase, .. } = connection;
        let next = match phase {
            Phase::Opening(opening) => self.shake_hands(*opening, began, ended, now)?,
            Phase::Open { peer, unsent, missing } => {
                self.converse(peer, unsent, missing, began, ended, now)?
            }
            Phase::Closing(peer) => self.close(peer, ended, now)?,
        };
        match next {
            Some(phase) => self.places[place] = Some(Connection { number, began, phase }),
            None => {
                self.free.push(place);
                self.tally.connections += u64::from(self.tally.is_counting);
            }
        }
        Ok(())
    }

    fn shake_hands(
        &mut self,
        mut opening: Opening,
        began: u64,
        ended: bool,
        now: u64,
    ) -> Result<Option<Phase>, Failure> {
        let Plan { url, .. } = self.plan;
        let Some(mut opened) = opening.ready(&url.host, &url.target, &mut self.shared)? else {
            return Ok(Some(Phase::Opening(Box::new(opening))));
        };
        self.tally.heard = now;
        let mut peer = opening.into_peer(&opened, &self.shared)?;
        peer.take(&mut opened.rest, &mut self.shared, &mut self.tally, now)?;
        if opened.more || ended {
            self.unread.push_back(peer.index());
        }
        let count = self.churn.echoes;
        if count == 0 {
            self.tally.first(now - began);
            return self.leave(peer);
        }
        let at_once = match self.plan.load {
            Load::InFlight(in_flight) => in_flight.min(count),
            Load::Rate(_) => 1,
        };
        self.send(&mut peer, at_once)?;
        Ok(Some(Phase::Open { peer, unsent: count - at_once, missing: count }))
    }

    fn converse(
        &mut self,
        mut peer: Peer,
        unsent: usize,
        missing: usize,
        began: u64,
        ended: bool,
        now: u64,
    ) -> Result<Option<Phase>, Failure> {
        let (answered, more) = peer.read(ended, &mut self.shared, &mut self.tally, now)?;
        if more {
            self.unread.push_back(peer.index());
        }
        if answered > 0 && missing == self.churn.echoes {
            self.tally.first(now - began);
        }
        if answered == missing {
            return self.leave(peer);
        }
        peer.unblock();
        let count = answered.min(unsent);
        self.send(&mut peer, count)?;
        Ok(Some(Phase::Open { peer, unsent: unsent - count, missing: missing - answered }))
    }

    fn close(&mut self, mut peer: Peer, ended: bool, now: u64) -> Result<Option<Phase>, Failure> {
        let (_, more) = peer.read(ended, &mut self.shared, &mut self.tally, now)?;
        if peer.has_left() {
            self.tally.heard = now;
            return if peer.is_closed() { Ok(None) } else { Err(peer.ended("it ended without a close")) };
        }
        if more {
            self.unread.push_back(peer.index());
        }
        peer.unblock();
        peer.flush(&mut self.shared)?;
        Ok(Some(Phase::Closing(peer)))
    }

    fn send(&mut self, peer: &mut Peer, count: usize) -> Result<(), Failure> {
        let now = self.now();
        self.tally.ask(count, now);
        for _ in 0..count {
            peer.push(self.shared.corpus.next(&mut self.shared.random, now));
        }
        peer.flush(&mut self.shared)
    }

    fn leave(&mut self, mut peer: Peer) -> Result<Option<Phase>, Failure> {
        match self.churn.leave {
            Leave::Close => {
                peer.close(&mut self.shared)?;
                return Ok(Some(Phase::Closing(peer)));
            }
            Leave::Fin => {}
            // Without a time to linger, the kernel resets the connection when the socket is closed.
            Leave::Reset => {
                let linger = SockRef::from(peer.socket()).set_linger(Some(Duration::ZERO));
                linger.map_err(Failure::Own)?;
            }
        }
        Ok(None)
    }

    fn silent(&self) -> Failure {
        Failure::Silent { owed: self.open(), patience: self.plan.patience }
    }

    fn usage(&self) -> Result<Option<Usage>, Failure> {
        let of = |pid| Usage::of(pid).map_err(|error| Failure::Process(pid, error));
        self.plan.pid.map(of).transpose()
    }
}

/// Begins to connect, from one of so many addresses.
fn connect(address: SocketAddr, sources: u8, number: u64) -> io::Result<TcpStream> {
    if sources <= 1 {
        return TcpStream::connect(address);
    }
    let mut tries = 0;
    loop {
        // 127.0.0.1, 127.0.0.2, …; each has its own ports.
        let last = 1 + ((number + tries) % u64::from(sources)) as u8;
        let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Allows the port of a connection that has ended. The kernel may then also choose that of one that is open.
        socket.set_reuse_address(true)?;
        socket.bind(&from.into())?;
        match socket.connect(&address.into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && tries < 100 => tries += 1,
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => return Ok(TcpStream::from_std(socket.into())),
        }
    }
}
