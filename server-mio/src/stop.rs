//! Stops a server from outside its loop.

use mio::{Registry, Token};
use std::{io, sync::Arc};

/// Stops a [`Server`](crate::Server) from any thread; on Unix from a signal handler, too.
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<Inner>);

impl StopHandle {
    /// Makes a poll tell of a stop with this token.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Inner::new(registry, token).map(|inner| Self(Arc::new(inner)))
    }

    /// Stops the server: it accepts no more connections, sends those that are open a close with
    /// [`GOING_AWAY`](framewire::CloseCode::GOING_AWAY), and ends when all are closed, or after
    /// [`close_timeout`](crate::Config::close_timeout). A second call, or one after the end, does nothing.
    ///
    /// # Errors
    /// Those of waking a thread.
    pub fn stop(&self) -> io::Result<()> {
        self.0.stop()
    }
}

/// Any byte that is written here stops the server, and a signal handler may write one.
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

    /// A pipe that becomes readable at a stop.
    #[derive(Debug)]
    pub(super) struct Inner {
        pub(super) write: net::UnixStream,
        /// Open for as long as `write`: a write never fails because the server has ended.
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
                // It is full of bytes that say the same.
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
