//! Spreads connections evenly over several servers.
//!
//! The kernel spreads the connections of a TCP address by a hash (`SO_REUSEPORT`), which is fair only on average: of 64 servers
//! with 512 connections, one had 3 and another 14. So a server that has more connections than another passes on what it accepts.

use mio::Waker;
use std::{
    collections::VecDeque,
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// The place of one server among several. `S` is the type of sockets.
#[derive(Debug)]
pub(crate) struct Place<S> {
    servers: Arc<Servers<S>>,
    index: usize,
}

/// The place of a server that runs. Others pass connections to it until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat<S>(Place<S>);

#[derive(Debug)]
struct Servers<S> {
    /// How many connections each server has, with those that were passed to it; [`CLOSED`] if it takes none. They are next to each
    /// other, as each accepted connection looks at all of them.
    loads: Box<[AtomicUsize]>,
    inboxes: Box<[Inbox<S>]>,
}

/// Connections that were passed to a server.
struct Inbox<S> {
    sockets: Mutex<VecDeque<S>>,
    waker: OnceLock<Waker>,
}

/// The load of a server that does not run.
const CLOSED: usize = usize::MAX;

/// A server keeps what it accepts while it has at most this part more than the least loaded one, and one connection. So servers with
/// many connections hardly ever pass one on.
const PART: usize = 32;

impl<S> Place<S> {
    /// The places of so many servers.
    pub(crate) fn all(servers: usize) -> impl Iterator<Item = Self> {
        let shared = Arc::new(Servers {
            loads: (0..servers).map(|_| AtomicUsize::new(CLOSED)).collect(),
            inboxes: (0..servers).map(|_| Inbox::default()).collect(),
        });
        (0..servers).map(move |index| Self { servers: Arc::clone(&shared), index })
    }

    /// Begins to take connections, of which the waker tells. `None` if the place is taken.
    pub(crate) fn open(self, waker: Waker) -> Option<Seat<S>> {
        self.servers.inboxes[self.index].waker.set(waker).ok()?;
        self.servers.loads[self.index].store(0, Relaxed);
        Some(Seat(self))
    }
}

impl<S> Clone for Place<S> {
    fn clone(&self) -> Self {
        Self { servers: Arc::clone(&self.servers), index: self.index }
    }
}

impl<S> Seat<S> {
    /// Whether another server has fewer than `most` connections.
    pub(crate) fn others_have_room(&self, most: usize) -> bool {
        self.0.servers.loads.iter().any(|load| load.load(Relaxed) < most)
    }

    /// Returns an accepted connection if this server should serve it; otherwise passes it on. `full`: this server has no room; if
    /// nobody has, the connection waits in an [inbox](Self::take).
    ///
    /// # Errors
    /// An error of the operating system, if it cannot wake the other server's thread, which then learns of the connection later.
    pub(crate) fn place(&self, mut socket: S, full: bool) -> io::Result<Option<S>> {
        let Place { servers, index: own } = &self.0;
        loop {
            let (target, load) = servers.choose(*own, full);
            let reserved = servers.loads[target].compare_exchange(load, load + 1, Relaxed, Relaxed);
            if reserved.is_err() {
                continue; // another server was faster, or a connection has ended
            }
            if target == *own && !full {
                return Ok(Some(socket));
            }
            match servers.pass(target, socket) {
                Ok(woken) => return woken.map(|()| None),
                Err(back) => socket = back, // it has just ended
            }
        }
    }

    /// Takes a connection that was passed to this server.
    pub(crate) fn take(&self) -> Option<S> {
        self.0.servers.inboxes[self.0.index].lock().pop_front()
    }

    /// Tells the others that so many connections of this server have ended.
    pub(crate) fn ended(&self, connections: usize) {
        self.0.servers.loads[self.0.index].fetch_sub(connections, Relaxed);
    }
}

/// The connections that nobody has taken are closed, as the listeners are.
impl<S> Drop for Seat<S> {
    fn drop(&mut self) {
        let Place { servers, index } = &self.0;
        let mut sockets = servers.inboxes[*index].lock();
        servers.loads[*index].store(CLOSED, Relaxed);
        sockets.clear();
    }
}

impl<S> Servers<S> {
    /// The server that should serve the next connection that `own` accepts, and its load.
    fn choose(&self, own: usize, full: bool) -> (usize, usize) {
        let loads = self.loads.iter().map(|load| load.load(Relaxed)).enumerate();
        let (least, load) = loads.min_by_key(|(_, load)| *load).unwrap_or((own, 0));
        let own_load = self.loads[own].load(Relaxed);
        let keeps = !full && own_load <= load.saturating_add(1 + load / PART);
        if keeps { (own, own_load) } else { (least, load) }
    }

    /// Passes a connection to a server. Returns it if that server has ended.
    fn pass(&self, target: usize, socket: S) -> Result<io::Result<()>, S> {
        let inbox = &self.inboxes[target];
        let mut sockets = inbox.lock();
        if self.loads[target].load(Relaxed) == CLOSED {
            return Err(socket);
        }
        sockets.push_back(socket);
        // If there are others, the server is awake, or about to be.
        let is_first = sockets.len() == 1;
        drop(sockets);
        Ok(match inbox.waker.get().filter(|_| is_first) {
            Some(waker) => waker.wake(),
            None => Ok(()),
        })
    }
}

impl<S> Inbox<S> {
    /// A panic of another server leaves nothing half done here.
    fn lock(&self) -> MutexGuard<'_, VecDeque<S>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Default for Inbox<S> {
    fn default() -> Self {
        Self { sockets: Mutex::default(), waker: OnceLock::new() }
    }
}

impl<S> fmt::Debug for Inbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("waiting", &self.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};

    /// Seats, and the polls of their wakers.
    fn seats(count: usize) -> (Vec<Seat<u32>>, Vec<Poll>) {
        let polls: Vec<Poll> = (0..count).map(|_| Poll::new().unwrap()).collect();
        let wakers = polls.iter().map(|poll| Waker::new(poll.registry(), Token(0)).unwrap());
        let seats = Place::all(count).zip(wakers).map(|(place, waker)| place.open(waker).unwrap()).collect();
        (seats, polls)
    }

    fn loads(seat: &Seat<u32>) -> Vec<usize> {
        seat.0.servers.loads.iter().map(|load| load.load(Relaxed)).collect()
    }

    fn is_even(loads: &[usize]) -> bool {
        loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 2
    }

    #[test]
    fn connections_are_spread_evenly_wherever_they_come() {
        let (seats, _polls) = seats(64);
        for n in 0..512 {
            // The worst hash.
            let kept = seats[0].place(n, false).unwrap();
            assert!(kept.is_none() || is_even(&loads(&seats[0])));
        }
        assert!(is_even(&loads(&seats[0])), "{:?}", loads(&seats[0]));
        assert_eq!(loads(&seats[0]).iter().sum::<usize>(), 512);
        let passed: usize = seats.iter().map(|seat| std::iter::from_fn(|| seat.take()).count()).sum();
        assert_eq!(passed, 512 - loads(&seats[0])[0]);
    }

    #[test]
    fn several_servers_accept_at_once() {
        let (seats, _polls) = seats(8);
        std::thread::scope(|scope| {
            for seat in &seats {
                scope.spawn(move || {
                    (0..1000).for_each(|n| {
                        seat.place(n, false).unwrap();
                    })
                });
            }
        });
        let loads = loads(&seats[0]);
        assert_eq!(loads.iter().sum::<usize>(), 8000);
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(most - least <= 2 + least / PART, "{loads:?}");
    }

    #[test]
    fn connections_that_end_make_room() {
        let (seats, _polls) = seats(2);
        assert_eq!((0..10).filter(|&n| seats[0].place(n, false).unwrap().is_some()).count(), 6);
        seats[1].ended(4);
        assert_eq!(loads(&seats[0]), [6, 0]);
        assert!(seats[0].others_have_room(1) && !seats[1].others_have_room(0));
        assert_eq!(seats[1].place(10, false).unwrap(), Some(10));
        // A server without room passes on what it would keep otherwise; the least loaded one may be itself.
        assert_eq!(seats[0].place(11, true).unwrap(), None);
        seats[1].ended(1);
        assert_eq!(seats[1].place(12, true).unwrap(), None);
        assert_eq!(std::iter::from_fn(|| seats[1].take()).collect::<Vec<_>>()[4..], [11, 12]);
    }

    #[test]
    fn a_server_that_has_ended_gets_nothing() {
        let (mut seats, _polls) = seats(2);
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        assert!(seats[0].0.clone().open(waker).is_none(), "the place is taken");
        seats.pop();
        assert_eq!((0..100).filter(|&n| seats[0].place(n, false).unwrap().is_some()).count(), 100);
        assert_eq!(loads(&seats[0]), [100, CLOSED]);
        // One that has just ended.
        assert_eq!(seats[0].0.servers.pass(1, 7).unwrap_err(), 7);
    }
}
