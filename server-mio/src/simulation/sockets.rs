//! The server's sockets in the simulated kernel.

use super::{
    connection::Failure,
    kernel::{Kernel, LISTENERS},
};
use crate::transport::{self, Accepted, Network, Transport};
use std::{
    cell::RefCell,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    rc::Rc,
};

/// A connected socket. The kernel closes it when it is dropped.
pub(super) struct Socket {
    kernel: Rc<RefCell<Kernel>>,
    pub(super) number: usize,
}

/// What the handler writes to a connection that it has taken over.
const TAKEN: &[u8] = b"HTTP/1.1 299 Taken\r\n\r\n";

/// The listeners and the poll.
pub(super) struct Sockets(pub(super) Rc<RefCell<Kernel>>);

impl Network for Sockets {
    type Socket = Socket;

    fn listeners(&self) -> usize {
        if self.0.borrow().listeners.is_some() { LISTENERS } else { 0 }
    }

    fn accept(&mut self, listener: usize, _: bool) -> io::Result<Option<Accepted<Socket>>> {
        let number = self.0.borrow_mut().accept(listener)?;
        Ok(Some(Accepted::Plain(Socket { kernel: Rc::clone(&self.0), number })))
    }

    fn can_pass_on(&self, _: usize, _: usize) -> bool {
        false
    }

    fn ended(&mut self, _: usize) {}

    fn register(&mut self, socket: &mut Socket, key: usize) -> io::Result<()> {
        Ok(self.0.borrow_mut().register(socket.number, key)?)
    }

    /// The handler answers at once.
    fn release(&mut self, mut socket: Accepted<Socket>) -> Option<Accepted<transport::Socket>> {
        self.0.borrow_mut().release(socket.socket().number, TAKEN);
        None
    }

    fn close_listeners(&mut self) {
        self.0.borrow_mut().listeners = None;
    }
}

impl Transport for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(self.kernel.borrow_mut().shut(self.number)?)
    }

    fn may_close_at_once(&self) -> bool {
        !self.may_read_short()
    }

    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(&[IoSlice::new(bytes)], true)
    }

    fn may_read_short(&self) -> bool {
        self.kernel.borrow().connections[self.number].unix
    }

    fn check(&self) -> io::Result<()> {
        Ok(self.kernel.borrow_mut().check(self.number)?)
    }

    fn has_input(&self) -> bool {
        self.kernel.borrow_mut().peek(self.number)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        Ok(self.kernel.borrow_mut().read(self.number, room, |mut bytes| {
            for buffer in buffers {
                let (here, rest) = bytes.split_at(buffer.len().min(bytes.len()));
                buffer[..here.len()].copy_from_slice(here);
                bytes = rest;
            }
        })?)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.put(slices, false)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket {
    fn put(&self, slices: &[IoSlice<'_>], last: bool) -> io::Result<usize> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        Ok(self.kernel.borrow_mut().write(self.number, len, last, |queue, mut n| {
            for slice in slices {
                let here = &slice[..slice.len().min(n)];
                queue.extend(here);
                n -= here.len();
            }
        })?)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.kernel.borrow_mut().close(self.number);
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::WouldBlock => io::ErrorKind::WouldBlock.into(),
            Failure::Interrupted => io::ErrorKind::Interrupted.into(),
            Failure::Reset => io::ErrorKind::ConnectionReset.into(),
            Failure::Aborted => io::ErrorKind::ConnectionAborted.into(),
            Failure::NoBuffers => Self::other("no buffer space available"),
            Failure::NoDescriptors => Self::other("too many open files"),
        }
    }
}
