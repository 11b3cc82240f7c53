//! Stops a server from outside its loop.

use mio::{Registry, Token};
use std::{io, sync::Arc};

/// Stops a [`Server`](crate::Server) from any thread and, on Unix, from a signal handler.
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<Inner>);

impl StopHandle {
    /// Registers with a poll, which reports a stop as an event with this token.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Inner::new(registry, token).map(|inner| Self(Arc::new(inner)))
    }

    /// Stops the server: it accepts no more connections, sends those that are open a close with
    /// [`GOING_AWAY`](framewire::CloseCode::GOING_AWAY), and ends when all are closed, or after
    /// [`close_timeout`](crate::Config::close_timeout). A second call, or a call after the end, does nothing.
    ///
    /// # Errors
    /// An error of the operating system, if it cannot wake the server's thread.
    pub fn stop(&self) -> io::Result<()> {
        self.0.stop()
    }
}

/// A byte written to this descriptor stops the server. A signal handler may write it.
#[cfg(unix)]
impl std::os::fd::AsFd for StopHandle {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.write.as_fd()
    }
}

#[cfg(unix)]
use unix::Inner;

#[cfg(unix)]
mod unix {
    use mio::{Interest, Registry, Token, event::Source, net::UnixStream};
    use std::{
        io::{self, Write},
        os::unix::net,
    };

    /// A pair of sockets: a stop writes to one, and the poll watches the other.
    #[derive(Debug)]
    pub(super) struct Inner {
        pub(super) write: net::UnixStream,
        /// Kept open as long as `write`, so that a write does not fail after the server has ended.
        _read: UnixStream,
    }

    impl Inner {
        pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let (read, write) = net::UnixStream::pair()?;
            read.set_nonblocking(true)?;
            write.set_nonblocking(true)?;
            let mut read = UnixStream::from_std(read);
            read.register(registry, token, Interest::READABLE)?;
            Ok(Self { write, _read: read })
        }

        pub(super) fn stop(&self) -> io::Result<()> {
            match (&self.write).write(&[0]) {
                // Full of earlier stops.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
                other => other.map(drop),
            }
        }
    }
}

#[cfg(not(unix))]
use elsewhere::Inner;

#[cfg(not(unix))]
mod elsewhere {
    use mio::{Registry, Token, Waker};
    use std::io;

    #[derive(Debug)]
    pub(super) struct Inner(Waker);

    impl Inner {
        pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            Waker::new(registry, token).map(Self)
        }

        pub(super) fn stop(&self) -> io::Result<()> {
            self.0.wake()
        }
    }
}
