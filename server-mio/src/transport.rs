//! Connected sockets: the only module that reads and writes them. Its traits let tests replace the operating system.

#[cfg(feature = "tls")]
use crate::tls::{Inner, Tls};
#[cfg(unix)]
use mio::net::UnixStream;
use mio::{event::Source, net::TcpStream};
use socket2::SockRef;
use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::{self, MaybeUninit},
    net::{Shutdown, SocketAddr},
    time::Duration,
};

/// A socket, a replacement for one, or TLS on one. It does not block: a call that would is an error of the kind
/// [`WouldBlock`](io::ErrorKind::WouldBlock). A read that is [`Interrupted`](io::ErrorKind::Interrupted) has done its share of
/// work, and is to be repeated after the others had their turn. After an error of the kind
/// [`InvalidData`](io::ErrorKind::InvalidData), the peer must be able to read why: our side is to be closed, and the stream read
/// to its end. [`flush`](Write::flush) is called when the socket can be written, but is neither read nor written.
pub(crate) trait Transport: Read + Write {
    /// Closes our side: the peer reads the end of the stream.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Whether closing the socket at once is as good as closing our side and waiting for the peer to close its own, if the peer has
    /// sent its last byte.
    fn may_close_at_once(&self) -> bool;

    /// Writes as [`write`](Write::write) does. The end of our side follows at once, so the kernel may hold the bytes back until
    /// then, to send both together.
    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    /// Called before the socket is dropped because the peer has closed its side, and all is written.
    fn end(&mut self) {}

    /// Whether the handshake of TLS is not over.
    fn is_securing(&self) -> bool {
        false
    }

    /// How many encrypted bytes were received since this was last asked. They may carry few bytes, or none.
    fn encrypted(&mut self) -> usize {
        0
    }

    /// Whether there may be more to read, besides what a read says that fills its buffer or may be short.
    #[inline(always)]
    fn has_left(&self) -> bool {
        false
    }

    /// Whether a read may leave bytes although it does not fill its buffer, and no event has said so.
    fn may_read_short(&self) -> bool;

    /// The error of the socket, such as a reset by the peer, also if there are bytes to read before it.
    ///
    /// # Errors
    /// That error.
    fn check(&self) -> io::Result<()>;

    /// Whether a read would not block: there are bytes, the end of the stream, or an error. An error is not
    /// [reported](Self::check) again.
    fn has_input(&self) -> bool;

    /// The address of the peer, if it has one and is still connected.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub(crate) enum Accepted<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<Tls<S>>),
}

impl<S> Accepted<S> {
    /// The socket, for the poll.
    pub(crate) const fn socket(&mut self) -> &mut S {
        match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.inner_mut(),
        }
    }
}

impl<S: Transport> Accepted<S> {
    pub(crate) fn stream(&mut self) -> &mut dyn Transport {
        match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => &mut **tls,
        }
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(socket) => socket.peer(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.peer(),
        }
    }
}

/// The listening sockets and the poll, or a replacement for them.
pub(crate) trait Network {
    /// A connected socket.
    type Socket: Transport;

    /// How many listening sockets there are. They are numbered from 0.
    fn listeners(&self) -> usize;

    /// Accepts the next connection of a listener. `None` if another server gets it; if this server is `full`, it gets none.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, and those of the operating system.
    fn accept(&mut self, listener: usize, full: bool) -> io::Result<Option<Accepted<Self::Socket>>>;

    /// Whether another server with fewer than `most` connections would get one of this listener.
    fn can_pass_on(&self, listener: usize, most: usize) -> bool;

    /// So many sessions have ended.
    fn ended(&mut self, sessions: usize);

    /// Makes the poll report the events of a socket, for the session with this key.
    ///
    /// # Errors
    /// Those of the operating system.
    fn register(&mut self, socket: &mut Self::Socket, key: usize) -> io::Result<()>;

    /// Ends the registration of a socket, and returns it for use outside the loop. `None`: it was closed, because that failed, or
    /// because it is a replacement.
    fn release(&mut self, socket: Accepted<Self::Socket>) -> Option<Accepted<Socket>>;

    /// Closes the listening sockets.
    fn close_listeners(&mut self);
}

/// A TCP or Unix socket, and whether a short vectored write has just filled it. The one that follows is then answered
/// without a system call: the poll reports when the socket can be written again.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream, bool),
    #[cfg(unix)]
    Unix(UnixStream, bool),
}

macro_rules! each {
    ($self:expr, $socket:ident $(, $full:ident)? => $call:expr) => {
        match $self {
            Socket::Tcp($socket, .. $(, $full)?) => $call,
            #[cfg(unix)]
            Socket::Unix($socket, .. $(, $full)?) => $call,
        }
    };
}

impl Socket {
    /// The socket, for the poll.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        each!(self, socket => socket)
    }

    /// Makes closing the socket reset the connection, if it is one of TCP.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        each!(self, socket => SockRef::from(socket).set_linger(Some(Duration::ZERO)))
    }
}

impl Transport for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        each!(self, socket => socket.shutdown(Shutdown::Write))
    }

    /// Not a Unix socket: a read that ends early does not tell that the peer's last byte was read.
    fn may_close_at_once(&self) -> bool {
        matches!(self, Self::Tcp(..))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket, _) => {
                SockRef::from(&*socket).send_with_flags(bytes, libc::MSG_MORE | libc::MSG_NOSIGNAL)
            }
            other => other.write(bytes),
        }
    }

    /// A read of a Unix socket ends behind bytes that came with a file descriptor (`SCM_RIGHTS`).
    fn may_read_short(&self) -> bool {
        !matches!(self, Self::Tcp(..))
    }

    fn check(&self) -> io::Result<()> {
        each!(self, socket => socket.take_error())?.map_or(Ok(()), Err)
    }

    fn has_input(&self) -> bool {
        let peeked = each!(self, socket => SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]));
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket, _) => socket.peer_addr().ok(),
            #[cfg(unix)]
            Self::Unix(..) => None,
        }
    }
}

impl Read for Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| each!(self, socket => socket.read(buffer)))
    }

    #[inline]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        retry(|| each!(self, socket => socket.read_vectored(buffers)))
    }
}

impl Write for Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, socket => socket.write(bytes))
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, socket, full => {
            if mem::take(full) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let written = socket.write_vectored(slices)?;
            *full = written < slices.iter().map(|slice| slice.len()).sum();
            Ok(written)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the last bytes to a socket: see [`Transport::write_last`].
pub(crate) struct Last<'s, T>(pub(crate) &'s mut T);

impl<T: Transport> Write for Last<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_last(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "tls")]
impl<S: Transport> Inner for S {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Transport::shutdown_write(self)
    }

    fn may_read_short(&self) -> bool {
        Transport::may_read_short(self)
    }
}

#[cfg(feature = "tls")]
impl<S: Transport> Transport for Tls<S> {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.close()
    }

    fn end(&mut self) {
        let _ = self.close(); // nobody waits for it
    }

    fn is_securing(&self) -> bool {
        self.is_handshaking()
    }

    fn encrypted(&mut self) -> usize {
        self.take_received()
    }

    fn has_left(&self) -> bool {
        self.has_more()
    }

    /// The peer ends TLS after it has ended the WebSocket.
    fn may_close_at_once(&self) -> bool {
        false
    }

    fn may_read_short(&self) -> bool {
        false // it knows
    }

    fn check(&self) -> io::Result<()> {
        self.inner().check()
    }

    fn has_input(&self) -> bool {
        Self::has_input(self) || Transport::has_input(self.inner())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.inner().peer()
    }
}

/// Repeats a read that a signal interrupted. (The outbox and the backlog do that for writes.)
#[inline]
fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
