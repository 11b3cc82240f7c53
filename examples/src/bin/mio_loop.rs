//! An event loop on mio, with readiness events: `cargo run --bin mio_loop [ADDR]`. `framewire-echo` is the complete version
//! of this; `io_uring_echo` does the same with completions.
//!
//! One receive buffer serves every connection of the thread, so an idle connection has none. The host manages the poll, that
//! buffer, and bytes that a socket does not take yet. Sockets are edge-triggered, so each is read until it is empty. While
//! replies wait for a peer that does not read, that peer is not read either. (A server for strangers would also look at its
//! peers once a second, for those that are silent.)

use framewire_examples::Echo;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use slab::Slab;
use std::{
    env,
    io::{self, ErrorKind, Read, Write},
};

const LISTENER: Token = Token(usize::MAX);

struct Peer {
    socket: TcpStream,
    echo: Echo,
    /// Replies, of which the first bytes are written.
    out: Vec<u8>,
    written: usize,
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9006".to_owned());
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let (mut poll, mut events, mut peers) = (Poll::new()?, Events::with_capacity(1024), Slab::<Peer>::new());
    let mut rx = vec![0; 256 << 10]; // the one receive buffer
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    let slot = peers.vacant_entry();
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut socket, Token(slot.key()), interest)?;
                    slot.insert(Peer::new(socket));
                }
            } else if let Some(peer) = peers.get_mut(event.token().0)
                && !peer.ready(&mut rx).unwrap_or(false)
            {
                peers.remove(event.token().0); // closes the socket
            }
        }
    }
}

impl Peer {
    fn new(socket: TcpStream) -> Self {
        let _ = socket.set_nodelay(true);
        Self { socket, echo: Echo::new(), out: Vec::new(), written: 0 }
    }

    /// Writes waiting bytes, then reads, until the socket would block. `false`: the connection is over.
    fn ready(&mut self, rx: &mut [u8]) -> io::Result<bool> {
        loop {
            if !self.write()? {
                return Ok(true); // without reading more
            }
            if self.echo.has_ended() {
                return Ok(false);
            }
            match self.socket.read(rx) {
                Ok(0) => return Ok(false),
                Ok(n) => self.echo.receive(&mut rx[..n], &mut self.out),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
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
