//! The loop: connect, warm up, measure, drain.

use crate::{
    failure::Failure,
    peer::{Opening, Peer, Shared},
    plan::{Load, Plan, Until},
    process::Usage,
    report::Report,
    schedule::Schedule,
    tally::{Measured, Tally},
};
use framewire::extension::{DeflateParams, DeflateResponse};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    collections::BTreeSet,
    io,
    net::{SocketAddr, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

/// Runs the plan. Calls `progress` now and then with the part that is done, from 0 to 1, and the current activity.
pub fn run(plan: &Plan, mut progress: impl FnMut(f64, &str)) -> Result<Report, Failure> {
    if let Some(churn) = plan.churn {
        return crate::churn::run(plan, churn, progress);
    }
    let mut generator = Generator::new(plan)?;
    generator.connect(&mut progress)?;
    let measured = generator.measure(&mut progress)?;
    progress(1.0, "waiting for the last replies");
    generator.drain()?;
    if !plan.hold.is_zero() {
        thread::sleep(plan.hold);
    }
    let idle = generator.usage()?;
    let agreed = agreed(&generator.peers);
    generator.close();
    Ok(Report::new(plan, &measured, idle, agreed, &generator.tally))
}

/// The parameters of permessage-deflate that were agreed on; several, if connections differ.
fn agreed(peers: &[Peer]) -> Option<String> {
    let all: BTreeSet<String> = peers.iter().filter_map(Peer::agreed).map(|params| stated(&params)).collect();
    (!all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join(", "))
}

/// The parameters as in the server's response.
fn stated(params: &DeflateParams) -> String {
    let stated = |bits: u8| Some(bits).filter(|&bits| bits < 15);
    let answer = DeflateResponse {
        server_no_context_takeover: params.server_no_context_takeover,
        client_no_context_takeover: params.client_no_context_takeover,
        server_max_window_bits: stated(params.server_max_window_bits),
        client_max_window_bits: stated(params.client_max_window_bits),
    };
    answer.to_string()
}

struct Generator<'a> {
    plan: &'a Plan,
    poll: Poll,
    events: Events,
    clock: Instant,
    peers: Vec<Peer>,
    shared: Shared,
    tally: Tally,
    /// The schedule of an open loop, once it has begun.
    schedule: Option<Schedule>,
    /// The number of messages that may still be sent.
    quota: u64,
    /// The messages that are due: on which connection, and since when.
    due: Vec<(usize, u64)>,
    /// The connections that may have more to read, although no event will tell.
    unread: BTreeSet<usize>,
}

impl<'a> Generator<'a> {
    /// How many connections are opened at once: fewer than the shortest queue of a listener.
    const OPENING: usize = 64;
    /// How often anything but the sockets is checked.
    const TICK: Duration = Duration::from_millis(50);
    /// The poll sleeps in milliseconds; for anything that is due sooner, the loop stays awake.
    const AWAKE: u64 = 2_000_000;
    /// An open loop that is this far ahead can never be caught up with.
    const OVERRUN: usize = 4_000_000;

    fn new(plan: &'a Plan) -> Result<Self, Failure> {
        // Each connection takes a file descriptor. If the limit is too low, opening them fails.
        let _ = rlimit::increase_nofile_limit(u64::MAX);
        let is_open_loop = matches!(plan.load, Load::Rate(_));
        Ok(Self {
            plan,
            poll: Poll::new().map_err(Failure::Own)?,
            // Few at once, if a schedule must be kept between them.
            events: Events::with_capacity(if is_open_loop { 64 } else { 1024 }),
            clock: Instant::now(),
            peers: Vec::with_capacity(plan.connections),
            shared: Shared::new(plan),
            tally: Tally::new(is_open_loop),
            schedule: None,
            quota: match plan.until {
                Until::Time(_) => u64::MAX,
                Until::Messages(messages) => messages,
            },
            due: Vec::new(),
            unread: BTreeSet::new(),
        })
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    /// Opens all connections.
    fn connect(&mut self, progress: &mut impl FnMut(f64, &str)) -> Result<(), Failure> {
        let (host, target) = (&self.plan.url.host, &self.plan.url.target);
        let address = resolve(self.plan)?;
        let failed = |error| Failure::Connect(address.to_string(), error);
        let count = self.plan.connections;
        let mut opening: Vec<Option<Opening>> = (0..count).map(|_| None).collect();
        let mut peers: Vec<Option<Peer>> = (0..count).map(|_| None).collect();
        let (mut begun, mut done) = (0, 0);
        while done < count {
            let mut now = self.now();
            if begun == done {
                self.tally.heard = now; // it owes nothing
            }
            let ramp = self.plan.ramp.as_nanos() as u64;
            while begun < count
                && begun - done < Self::OPENING
                && now >= (ramp as f64 * begun as f64 / count as f64) as u64
            {
                let socket = TcpStream::connect(address).map_err(failed)?;
                let mut new = Opening::start(begun, socket, host, target, &mut self.shared)?;
                let interests = Interest::READABLE | Interest::WRITABLE;
                self.poll
                    .registry()
                    .register(&mut new.socket, Token(begun), interests)
                    .map_err(Failure::Own)?;
                opening[begun] = Some(new);
                begun += 1;
                now = self.now();
            }
            self.check_silence(now, begun - done)?;
            progress(0.0, "connecting");
            let pause = if ramp > 0 { Duration::from_millis(1) } else { Self::TICK };
            self.poll(pause)?;
            let now = self.now();
            for event in &self.events {
                let Token(i) = event.token();
                if let Some(peer) = &mut peers[i] {
                    // Bytes that a server sends unasked.
                    let ended = event.is_read_closed();
                    let (_, more) = peer.read(ended, &mut self.shared, &mut self.tally, now)?;
                    self.unread.extend(more.then_some(i));
                    peer.unblock();
                    peer.flush(&mut self.shared)?;
                    continue;
                }
                let Some(each) = &mut opening[i] else { continue };
                let Some(mut opened) = each.ready(host, target, &mut self.shared)? else { continue };
                let each = opening[i].take().expect("it is being opened");
                let peer = peers[i].insert(each.into_peer(&opened, &self.shared)?);
                peer.take(&mut opened.rest, &mut self.shared, &mut self.tally, now)?;
                self.unread.extend(opened.more.then_some(i));
                done += 1;
                self.tally.heard = now;
            }
        }
        self.peers = peers.into_iter().flatten().collect();
        Ok(())
    }

    /// Loads the server, and counts replies once the warm-up is over.
    fn measure(&mut self, progress: &mut impl FnMut(f64, &str)) -> Result<Measured, Failure> {
        let begin = self.now();
        self.tally.heard = begin;
        let warm = begin + self.plan.warm_up.as_nanos() as u64;
        let mut started = None;
        if warm == begin {
            started = Some(self.start_counting()?);
        }
        match self.plan.load {
            Load::Rate(rate) => self.schedule = Some(Schedule::new(self.now(), rate)),
            Load::InFlight(count) => {
                for i in 0..self.peers.len() {
                    self.send(i, count)?;
                }
            }
        }
        let mut shown = begin;
        loop {
            let now = self.now();
            self.check_silence(now, self.tally.outstanding)?;
            let mut wake = warm;
            if let Some(before) = &started {
                let (is_over, part) = match self.plan.until {
                    Until::Time(time) => {
                        wake = self.tally.from + time.as_nanos() as u64;
                        (now >= wake, (now - self.tally.from) as f64 / time.as_nanos() as f64)
                    }
                    Until::Messages(count) => {
                        wake = u64::MAX;
                        (self.tally.messages >= count, self.tally.messages as f64 / count as f64)
                    }
                };
                if is_over {
                    return self.stop_counting(before);
                }
                if now - shown > Self::TICK.as_nanos() as u64 {
                    shown = now;
                    progress(part, "measuring");
                }
            } else if now >= warm {
                started = Some(self.start_counting()?);
                continue;
            } else if now - shown > Self::TICK.as_nanos() as u64 {
                shown = now;
                progress(0.0, "warming up");
            }
            self.turn(wake.saturating_sub(now))?;
        }
    }

    fn start_counting(&mut self) -> Result<(Option<Usage>, Usage), Failure> {
        let usage = (self.usage()?, own_usage()?);
        self.tally.from = self.now();
        self.tally.is_counting = true;
        Ok(usage)
    }

    fn stop_counting(&mut self, before: &(Option<Usage>, Usage)) -> Result<Measured, Failure> {
        self.tally.is_counting = false;
        self.tally.to = self.now();
        // What is due and was not sent is late as well.
        if let Some(schedule) = &mut self.schedule {
            while self.quota > 0
                && let Some((_, intended)) = schedule.take(self.tally.to)
            {
                self.tally.sent(intended, self.tally.to);
                self.quota -= 1;
            }
        }
        self.quota = 0;
        let seconds = (self.tally.to - self.tally.from) as f64 / 1e9;
        let server = before.0.zip(self.usage()?);
        Ok(Measured { seconds, server, own: (before.1, own_usage()?) })
    }

    /// Waits for all replies that are owed.
    fn drain(&mut self) -> Result<(), Failure> {
        let begin = self.now();
        if self.schedule.take().is_none() {
            // In a closed loop, messages that were not sent do not matter; in an open loop, they are part of the result.
            for peer in &mut self.peers {
                self.tally.outstanding -= peer.cancel();
            }
        }
        self.tally.heard = self.tally.heard.max(begin);
        while self.tally.outstanding > 0 {
            let now = self.now();
            self.check_silence(now, self.tally.outstanding)?;
            // A server that sends just enough not to be silent.
            if now - begin > 6 * self.plan.patience.as_nanos() as u64 {
                return Err(self.silent(self.tally.outstanding));
            }
            self.turn(u64::MAX)?;
        }
        Ok(())
    }

    /// Closes all connections, as far as a second allows: all results are known by now.
    fn close(&mut self) {
        let begin = self.now();
        for peer in &mut self.peers {
            let _ = peer.close(&mut self.shared);
        }
        while self.now() - begin < 1_000_000_000 && !self.peers.iter().all(Peer::is_closed) {
            if self.turn(100_000_000).is_err() {
                return;
            }
        }
    }

    /// Waits for the sockets for at most this many nanoseconds, and serves them.
    fn turn(&mut self, wait: u64) -> Result<(), Failure> {
        let mut wait = Duration::from_nanos(wait).min(Self::TICK);
        if let Some(schedule) = self.schedule.as_ref().filter(|_| self.quota > 0) {
            let due = schedule.due().saturating_sub(self.now());
            wait = wait.min(Duration::from_nanos(due.saturating_sub(Self::AWAKE)));
        }
        if !self.unread.is_empty() {
            wait = Duration::ZERO;
        }
        self.poll(wait)?;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let outcome = self.handle(&events);
        self.events = events;
        outcome?;
        self.send_due()
    }

    fn handle(&mut self, events: &Events) -> Result<(), Failure> {
        let unread = std::mem::take(&mut self.unread);
        for event in events {
            let Token(i) = event.token();
            if event.is_writable() {
                self.peers[i].unblock();
            }
            let ended = event.is_read_closed() || event.is_error();
            if event.is_readable() || ended {
                self.read(i, ended)?;
            } else {
                self.answer(i, 0)?;
            }
        }
        unread.into_iter().try_for_each(|i| self.read(i, false))
    }

    fn read(&mut self, peer: usize, ended: bool) -> Result<(), Failure> {
        let now = self.now();
        let (answered, more) = self.peers[peer].read(ended, &mut self.shared, &mut self.tally, now)?;
        self.unread.extend(more.then_some(peer));
        self.answer(peer, answered)
    }

    /// Sends what is to be sent after this many replies on a connection.
    fn answer(&mut self, peer: usize, answered: usize) -> Result<(), Failure> {
        if self.schedule.is_some() {
            self.peers[peer].flush(&mut self.shared)?;
            self.send_due()
        } else {
            self.send(peer, answered)
        }
    }

    /// Sends this many messages on a connection, as far as messages may still be sent, and anything that it has queued.
    fn send(&mut self, peer: usize, count: usize) -> Result<(), Failure> {
        let count = self.quota.min(count as u64);
        self.quota -= count;
        let peer = &mut self.peers[peer];
        if count > 0 {
            let now = self.clock.elapsed().as_nanos() as u64;
            self.tally.ask(count as usize, now);
            for _ in 0..count {
                peer.push(self.shared.corpus.next(&mut self.shared.random, now));
            }
        }
        peer.flush(&mut self.shared)
    }

    /// Sends messages that are due by an open loop's schedule, on the connections in turn: a few, so that a sender that cannot
    /// keep up still reads replies and sees that the time is up.
    fn send_due(&mut self) -> Result<(), Failure> {
        let now = self.now();
        let Some(schedule) = &mut self.schedule else { return Ok(()) };
        while self.quota > 0 && self.due.len() < 64 {
            let Some((n, intended)) = schedule.take(now) else { break };
            let peer = (n % self.peers.len() as u64) as usize;
            self.peers[peer].push(self.shared.corpus.next(&mut self.shared.random, intended));
            self.due.push((peer, intended));
            self.quota -= 1;
            self.tally.ask(1, now);
        }
        if self.tally.outstanding > Self::OVERRUN {
            return Err(Failure::Overrun { owed: self.tally.outstanding });
        }
        for i in 0..self.due.len() {
            let (peer, intended) = self.due[i];
            // If the socket is full, the lateness is not the sender's.
            let now = self.now();
            self.tally.sent(intended, now);
            self.peers[peer].flush(&mut self.shared)?;
        }
        self.due.clear();
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<(), Failure> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(Failure::Own(error)),
            _ => Ok(()),
        }
    }

    fn check_silence(&self, now: u64, owed: usize) -> Result<(), Failure> {
        // If nothing is owed, the server need not send anything.
        let is_silent =
            owed > 0 && now.saturating_sub(self.tally.heard) > self.plan.patience.as_nanos() as u64;
        if is_silent { Err(self.silent(owed)) } else { Ok(()) }
    }

    const fn silent(&self, owed: usize) -> Failure {
        Failure::Silent { owed, patience: self.plan.patience }
    }

    fn usage(&self) -> Result<Option<Usage>, Failure> {
        let of = |pid| Usage::of(pid).map_err(|error| Failure::Process(pid, error));
        self.plan.pid.map(of).transpose()
    }
}

/// The address of the server.
pub(crate) fn resolve(plan: &Plan) -> Result<SocketAddr, Failure> {
    let unresolved = |error| Failure::Resolve(plan.url.address.clone(), error);
    let address = plan.url.address.to_socket_addrs().map_err(unresolved)?.next();
    address.ok_or_else(|| unresolved(io::Error::other("it has no address")))
}

pub(crate) fn own_usage() -> Result<Usage, Failure> {
    Usage::of(std::process::id()).map_err(Failure::Own)
}
