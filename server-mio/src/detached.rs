//! Connections that a handler has taken over: blocking streams on sockets that do not block, each with a poll of its own.

use crate::{
    records::Peer,
    transport::{Accepted, Socket, Transport},
};
use mio::{Events, Interest, Poll, Token, Waker};
use std::{
    fmt,
    io::{self, Read, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// A connection that has left the server's loop, because its handler has [taken it over](crate::Admission::TakeOver). It can
/// be sent to a thread.
///
/// [`Read`] and [`Write`] block, for as long as the timeouts allow, and then fail with
/// [`TimedOut`](io::ErrorKind::TimedOut). The first reads return the bytes that came behind the request, if any did. With
/// timeouts of zero, no call blocks, and [`wait`](Self::wait) waits for the socket: so one thread can read and write at the
/// same time.
///
/// Dropping it closes the socket. It is no longer one of the server's
/// [`max_connections`](crate::Config::max_connections), and no timeout of the server ends it: the handler must bound both the
/// number and the life of what it takes over.
pub struct Detached {
    socket: Accepted<Socket>,
    poll: Poll,
    events: Events,
    interrupter: Interrupter,
    peer: Option<Peer>,
    head: Vec<u8>,
    /// The bytes that came behind the head; `taken` of them have been read.
    rest: Vec<u8>,
    taken: usize,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// The socket may be read, or written: no call has found the contrary since the last event.
    readable: bool,
    writable: bool,
    peer_closed: bool,
}

/// What [`Detached::wait`] waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// A read would not block.
    pub read: bool,
    /// A write would not block.
    pub write: bool,
}

/// Interrupts a [`Detached`] from any thread. A clone interrupts the same one.
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<(Waker, AtomicBool)>);

const SOCKET: Token = Token(0);
const INTERRUPT: Token = Token(1);

impl Detached {
    /// Takes a socket that no poll has registered, and what was read from it.
    pub(crate) fn new(
        mut socket: Accepted<Socket>,
        peer: Option<Peer>,
        head: Vec<u8>,
        rest: Vec<u8>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), INTERRUPT)?;
        poll.registry().register(
            socket.socket().source(),
            SOCKET,
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(Self {
            socket,
            poll,
            events: Events::with_capacity(4),
            interrupter: Interrupter(Arc::new((waker, AtomicBool::new(false)))),
            peer,
            head,
            rest,
            taken: 0,
            read_timeout: None,
            write_timeout: None,
            readable: true,
            writable: true,
            peer_closed: false,
        })
    }

    /// The head of the request, with its empty line. [`Request::parse`](framewire::handshake::Request::parse) reads it.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Sets how long a read may block. `None`, the default: without end. Zero: it does not block.
    pub const fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    /// Sets how long a write may block. `None`, the default: without end. Zero: it does not block.
    pub const fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.write_timeout = timeout;
    }

    /// Waits until the socket may be read or written, but no longer than `timeout`. Also returns when the peer closes its
    /// side, and when an [`Interrupter`] interrupts. Sometimes it returns without a reason.
    ///
    /// # Errors
    /// Those of the operating system's poll.
    pub fn wait(&mut self, what: Wait, timeout: Option<Duration>) -> io::Result<()> {
        if what.read && (self.readable || self.taken < self.rest.len()) || what.write && self.writable {
            return Ok(());
        }
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            if event.token() == SOCKET {
                self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
                self.peer_closed |= event.is_read_closed() || event.is_error();
            }
        }
        Ok(())
    }

    /// Whether the peer has closed its side, or has reset the connection, as far as [`wait`](Self::wait) was told. There may be
    /// bytes to read before that.
    #[must_use]
    pub const fn peer_has_closed(&self) -> bool {
        self.peer_closed
    }

    /// Closes our side, so that the peer reads the end of the stream. The peer can still write. It does not block: over TLS,
    /// bytes may be left for which the socket has no room now. Reads, and [`flush`](Write::flush), go on with them.
    ///
    /// # Errors
    /// Those of the operating system, such as that the peer has reset the connection.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.stream().shutdown_write()
    }

    /// Resets the connection (RST): the peer's calls fail, and bytes that it has not received may be lost. A Unix socket is only
    /// closed.
    ///
    /// # Errors
    /// Those of the operating system. The connection is then closed in the usual way.
    pub fn abort(mut self) -> io::Result<()> {
        self.socket.socket().reset_on_close()
    }

    /// The peer's address. `None` if it is gone, and for a Unix socket.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.socket.peer()
    }

    /// The connection as [`Handler::ended`](crate::Handler::ended) knows it, for the lines of an access log. `None` unless
    /// [`Config::records`](crate::Config::records) is set.
    #[must_use]
    pub const fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// A handle that interrupts this connection, from any thread.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Repeats a call on the socket until it does not block. `timeout` is for all of it.
    fn blocking<T>(
        &mut self,
        what: Wait,
        timeout: Option<Duration>,
        mut call: impl FnMut(&mut dyn Transport) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut deadline = None; // most calls need no clock
        loop {
            match call(self.socket.stream()) {
                // Over TLS, a peer can cause this again and again, so it takes time as well.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.readable |= what.read;
                    self.writable |= what.write;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable &= !what.read;
                    self.writable &= !what.write;
                }
                other => return other,
            }
            if timeout == Some(Duration::ZERO) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if self.interrupter.is_interrupted() {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "interrupted"));
            }
            let now = Instant::now();
            deadline = deadline.or_else(|| now.checked_add(timeout?)); // none if it is too far away
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            if left == Some(Duration::ZERO) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.wait(what, left)?;
        }
    }
}

impl Read for Detached {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = &self.rest[self.taken..];
        if !rest.is_empty() {
            let n = rest.read(buffer)?;
            self.taken += n;
            return Ok(n);
        }
        self.rest = Vec::new();
        self.taken = 0;
        self.blocking(Wait { read: true, write: false }, self.read_timeout, |socket| socket.read(buffer))
    }
}

impl Write for Detached {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blocking(Wait { read: false, write: true }, self.write_timeout, |socket| socket.write(bytes))
    }

    /// Waits for what [`shutdown_write`](Detached::shutdown_write) has left. Bytes that were written need no flush.
    fn flush(&mut self) -> io::Result<()> {
        self.blocking(Wait { read: false, write: true }, self.write_timeout, |socket| socket.flush())
    }
}

/// Nothing of the bytes: they may be private.
impl fmt::Debug for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Interrupter {
    /// Interrupts: a [`wait`](Detached::wait) that waits returns; and each read or write that would block fails, from now on,
    /// with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted).
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn interrupt(&self) -> io::Result<()> {
        self.0.1.store(true, SeqCst);
        self.0.0.wake()
    }

    /// Whether it was called.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.1.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::net::TcpStream;
    use std::net::TcpListener;

    /// A stream that always has more to do keeps to the timeouts, and can be interrupted.
    #[test]
    fn work_without_end_takes_time_as_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = Accepted::Plain(Socket::Tcp(socket, false));
        let mut detached = Detached::new(socket, None, Vec::new(), Vec::new()).unwrap();
        let mut read = |timeout| {
            let interrupted = |_: &mut dyn Transport| Err::<(), _>(io::ErrorKind::Interrupted.into());
            let outcome = detached.blocking(Wait { read: true, write: false }, timeout, interrupted);
            detached.interrupter.interrupt().unwrap();
            outcome.unwrap_err().kind()
        };
        assert_eq!(read(Some(Duration::from_millis(20))), io::ErrorKind::TimedOut);
        assert_eq!(read(Some(Duration::ZERO)), io::ErrorKind::TimedOut);
        assert_eq!(read(None), io::ErrorKind::ConnectionAborted);
    }

    #[test]
    fn the_longest_timeout_is_without_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = Accepted::Plain(Socket::Tcp(socket, false));
        let mut detached = Detached::new(socket, None, Vec::new(), Vec::new()).unwrap();
        let mut outcomes = [Err(io::ErrorKind::Interrupted.into()), Ok(7)].into_iter();
        let read = Wait { read: true, write: false };
        assert_eq!(detached.blocking(read, Some(Duration::MAX), |_| outcomes.next().unwrap()).unwrap(), 7);
    }
}
