//! The honest peers beside an attack, and how long they wait.

use super::*;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A hundred peers of a server, on one thread. Each sends a short message five times a second, whether or not its earlier ones
/// are answered: if it waited, a long pause of the server would count as only one message.
pub(crate) struct Crowd {
    waits: Arc<Mutex<Vec<Duration>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How long the peers of a crowd waited for their echoes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// Half of the echoes came within this time.
    pub(crate) p50: Duration,
    /// 99 of 100 echoes came within this time.
    pub(crate) p99: Duration,
}

const PEERS: usize = 100;

/// The time between two messages of the crowd.
const PERIOD: Duration = Duration::from_millis(2);

const MESSAGE: &[u8] = b"still here?";

impl Crowd {
    /// Connects to a server, and begins to send.
    pub(crate) fn new(program: &Program) -> Self {
        let poll = Poll::new().unwrap();
        let peers = (0..PEERS).map(|i| Peer::new(program, &poll, Token(i))).collect();
        let (waits, over) = (Arc::default(), Arc::default());
        let thread = thread::spawn({
            let (waits, over) = (Arc::clone(&waits), Arc::clone(&over));
            move || run(poll, peers, &waits, &over)
        });
        Self { waits, over, thread: Some(thread) }
    }

    /// The waits that ended since the last call.
    pub(crate) fn waits(&self) -> Waits {
        let mut waits = mem::take(&mut *self.waits.lock().expect("the honest peers are served"));
        assert!(!waits.is_empty(), "no honest peer was served");
        waits.sort_unstable();
        let [p50, p99] = [50, 99].map(|percent| waits[waits.len() * percent / 100]);
        Waits { p50, p99 }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the honest peers are served");
    }
}

fn run(mut poll: Poll, mut peers: Vec<Peer>, waits: &Mutex<Vec<Duration>>, over: &AtomicBool) {
    let message = frame(BINARY, MESSAGE);
    let echo = [&[BINARY, MESSAGE.len() as u8], MESSAGE].concat();
    let mut events = Events::with_capacity(PEERS);
    let mut due = Instant::now();
    let mut next = 0;
    while !over.load(SeqCst) {
        poll.poll(&mut events, Some(due.saturating_duration_since(Instant::now()))).unwrap();
        let now = Instant::now();
        if !events.is_empty() {
            let mut waits = waits.lock().unwrap();
            events.iter().for_each(|event| peers[event.token().0].receive(&echo, now, &mut waits));
        }
        if now >= due {
            peers[next].send(&message);
            next = (next + 1) % PEERS;
            due += PERIOD;
        }
    }
}

struct Peer {
    socket: TcpStream,
    /// The times at which the messages were sent whose echoes are missing.
    sent: VecDeque<Instant>,
    /// The bytes that have arrived of the next echo.
    received: usize,
}

impl Peer {
    fn new(program: &Program, poll: &Poll, token: Token) -> Self {
        let Socket::Tcp(socket) = program.connect().socket else { panic!("not over TCP") };
        socket.set_nonblocking(true).unwrap();
        let mut socket = TcpStream::from_std(socket);
        poll.registry().register(&mut socket, token, Interest::READABLE).unwrap();
        Self { socket, sent: VecDeque::new(), received: 0 }
    }

    fn send(&mut self, message: &[u8]) {
        assert!(self.sent.front().is_none_or(|sent| sent.elapsed() < PATIENCE), "an honest peer waits");
        self.sent.push_back(Instant::now());
        assert_eq!(self.socket.write(message).unwrap(), message.len());
    }

    fn receive(&mut self, echo: &[u8], now: Instant, waits: &mut Vec<Duration>) {
        let mut rx = [0; KIB];
        loop {
            let n = match self.socket.read(&mut rx) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                other => other.unwrap(),
            };
            assert_ne!(n, 0, "the server closes the connection of an honest peer");
            for byte in &rx[..n] {
                assert_eq!(*byte, echo[self.received], "an echo is as the message");
                self.received = (self.received + 1) % echo.len();
                if self.received == 0 {
                    let sent = self.sent.pop_front().expect("an echo for each message");
                    waits.push(now.saturating_duration_since(sent));
                }
            }
        }
    }
}
