//! An event loop on mio, with readiness events: `cargo run --bin mio_loop [ADDR]`. `framewire-echo` is the complete version
//! of this; `io_uring_echo` does the same with completions.
//!
//! One receive buffer serves every connection of the thread, so an idle connection has none. The host manages the poll, that
//! buffer, and bytes that a socket does not take yet. Sockets are edge-triggered, so each is read until it is empty. While
//! replies wait for a peer that does not read, that peer is not read either. (A server for strangers would also look at its
//! peers once a second, for those that are silent, and those that do not close.)

use framewire_examples::Echo;
use mio::{
    Events, Interest, Poll, Registry, Token,
    net::{TcpListener, TcpStream},
};
use slab::Slab;
use std::{
    env,
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    time::Duration,
};

const LISTENER: Token = Token(usize::MAX);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
/// So many reads of a peer, then the others have their turn.
const READS: usize = 16;

struct Peer {
    socket: TcpStream,
    echo: Echo,
    /// Replies, of which the first bytes are written.
    out: Vec<u8>,
    written: usize,
    /// We have ended our side. What still arrives is discarded until the peer ends its own: closing a socket with unread bytes would
    /// take back what it has not read yet.
    shut: bool,
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9006".to_owned());
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let (mut poll, mut events, mut peers) = (Poll::new()?, Events::with_capacity(1024), Slab::<Peer>::new());
    let mut rx = vec![0; 256 << 10]; // the one receive buffer
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut accepted = true;
    loop {
        match poll.poll(&mut events, (!accepted).then_some(Duration::from_millis(100))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            let token = event.token();
            if token == LISTENER {
                accepted = false;
            } else if let Some(peer) = peers.get_mut(token.0)
                && !peer.ready(&mut rx, poll.registry(), token).unwrap_or(false)
            {
                peers.remove(token.0); // closes the socket
            }
        }
        accepted = accepted || accept(&listener, &mut peers, poll.registry());
    }
}

/// Accepts all connections that wait. `false`: some still wait, and no event will tell.
fn accept(listener: &TcpListener, peers: &mut Slab<Peer>, registry: &Registry) -> bool {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                let slot = peers.vacant_entry();
                if registry.register(&mut socket, Token(slot.key()), BOTH).is_ok() {
                    slot.insert(Peer::new(socket));
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return true,
                ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                _ => {
                    eprintln!("accept: {error}"); // such as: too many open files
                    return false;
                }
            },
        }
    }
}

impl Peer {
    fn new(socket: TcpStream) -> Self {
        let _ = socket.set_nodelay(true);
        Self { socket, echo: Echo::new(), out: Vec::new(), written: 0, shut: false }
    }

    /// Writes waiting bytes, then reads, until the socket would block. `false`: the connection is over.
    fn ready(&mut self, rx: &mut [u8], registry: &Registry, token: Token) -> io::Result<bool> {
        for _ in 0..READS {
            if !self.write()? {
                return Ok(true); // without reading more
            }
            if self.echo.has_ended() && !self.shut {
                self.shut = true;
                self.socket.shutdown(Shutdown::Write)?;
            }
            match self.socket.read(rx) {
                Ok(0) => return Ok(false),
                Ok(_) if self.shut => {}
                Ok(n) => self.echo.receive(&mut rx[..n], &mut self.out),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        registry.reregister(&mut self.socket, token, BOTH)?; // the event comes again if there is more
        Ok(true)
    }

    /// Whether all is written.
    fn write(&mut self) -> io::Result<bool> {
        while self.written < self.out.len() {
            match self.socket.write(&self.out[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        self.out = Vec::new(); // an idle connection holds no memory for replies
        Ok(true)
    }
}
