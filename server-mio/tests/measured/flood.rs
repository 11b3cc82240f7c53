//! Attackers that keep to a rate, all on one thread: the server and the honest peers need the rest of the machine.

use super::*;
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// Bytes that attackers send.
pub(crate) struct Flood<'a> {
    /// The bytes of a write, repeated.
    pub(crate) wire: &'a [u8],
    /// The most bytes that each peer sends.
    pub(crate) each: usize,
    /// The most bytes a second that all peers send together.
    pub(crate) rate: usize,
    /// Whether the peers read the replies.
    pub(crate) reads: bool,
}

/// The time between two rounds of writes.
const TICK: Duration = Duration::from_millis(2);

/// A flood ends once no byte has moved for this long.
const STUCK: Duration = Duration::from_millis(300);

impl Flood<'_> {
    /// Sends from these peers in turn, until all is sent and answered, or the server takes no more. Returns how many bytes it
    /// took.
    pub(crate) fn pour<'p>(&self, peers: impl IntoIterator<Item = &'p TcpStream>) -> usize {
        let mut peers: Vec<(&TcpStream, usize)> = peers.into_iter().map(|peer| (peer, 0)).collect();
        peers.iter().for_each(|(peer, _)| peer.set_nonblocking(true).unwrap());
        let (all, began) = (peers.len() * self.each, Instant::now());
        let (mut sent, mut next, mut moved) = (0, 0, began);
        while moved.elapsed() < STUCK && (self.reads || sent < all) {
            let due = (began.elapsed().as_secs_f64() * self.rate as f64) as usize;
            let mut blocked = 0;
            while sent < due && blocked < peers.len() {
                let (peer, done) = &mut peers[next];
                let n = self.write(peer, *done);
                *done += n;
                sent += n;
                next = (next + 1) % peers.len();
                blocked += 1;
                if n > 0 {
                    blocked = 0;
                    moved = Instant::now();
                }
            }
            if self.reads && peers.iter().fold(false, |came, (peer, _)| read_all(peer) || came) {
                moved = Instant::now();
            }
            thread::sleep(TICK);
        }
        peers.iter().for_each(|(peer, _)| peer.set_nonblocking(false).unwrap());
        sent
    }

    /// Writes up to the end of the wire, after `done` bytes of this peer.
    fn write(&self, mut peer: &TcpStream, done: usize) -> usize {
        let rest = &self.wire[done % self.wire.len()..];
        match peer.write(&rest[..rest.len().min(self.each - done)]) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("after {done} bytes: {error}"),
        }
    }
}

/// Reads what has arrived. Returns whether that was anything.
fn read_all(mut peer: &TcpStream) -> bool {
    let mut rx = [0; 16 * KIB];
    let mut came = false;
    loop {
        match peer.read(&mut rx) {
            Ok(0) => panic!("the server closes a connection"),
            Ok(n) if n < rx.len() => return true,
            Ok(_) => came = true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return came,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The socket of a client.
pub(crate) fn stream(client: &Client) -> &TcpStream {
    let Socket::Tcp(socket) = &client.socket else { panic!("not over TCP") };
    socket
}

/// Counts up to `count`, at most `rate` numbers a second.
pub(crate) fn paced(count: usize, rate: u32) -> impl Iterator<Item = usize> {
    let began = Instant::now();
    (0..count).inspect(move |&i| {
        let due = Duration::from_secs(i as u64) / rate;
        thread::sleep(due.saturating_sub(began.elapsed()));
    })
}
