//! A connection without a kernel: it gives the bytes of a [`Batch`] in reads of some length, and takes written bytes.
//!
//! Reading copies the bytes into the reader's buffer, once for every contender, as a kernel would. Writing only looks at the
//! bytes: the kernel's work on them is not the codec's, and a contender that copies payload before it writes pays for that.
//! Asynchronous code is polled once, with a waker that does nothing, as it never has to wait.

use crate::{
    batch::{Arrival, Batch},
    work::used,
};
use bytes::BytesMut;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    io::{self, IoSlice},
    iter,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// A read copies so many bytes at a time. Larger copies use `rep movsb`, which on AMD's Zen takes fifteen times as long if the
/// source is up to 31 bytes before the destination, both taken modulo 4,096: then luck would decide.
const BLOCK: usize = 1 << 10;

/// One end of the connection; a clone is the same end.
#[derive(Clone)]
pub struct Socket(Rc<Inner>);

/// The bytes that were written, and the number of writes: with a kernel, each would be a system call.
#[derive(Debug)]
pub struct Sent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The number of writes.
    pub writes: usize,
}

struct Inner {
    batch: Rc<Batch>,
    /// The end of each read in the wire.
    reads: Vec<usize>,
    /// The most bytes that one read gives.
    most: usize,
    /// Reads that have arrived.
    arrived: Cell<usize>,
    /// Whether the next read follows one that is used up, instead of `WouldBlock`.
    flows: Cell<bool>,
    /// Bytes of the wire that have been read.
    at: Cell<usize>,
    writes: Cell<usize>,
    written: Cell<usize>,
    record: RefCell<Option<Vec<u8>>>,
}

impl Socket {
    /// A connection whose other end sends this batch.
    pub fn new(batch: &Rc<Batch>, arrival: Arrival) -> Self {
        Self(Rc::new(Inner {
            batch: batch.clone(),
            reads: batch.reads(arrival),
            most: if arrival == Arrival::Stream { Arrival::STREAM } else { usize::MAX },
            arrived: Cell::new(0),
            flows: Cell::new(false),
            at: Cell::new(0),
            writes: Cell::new(0),
            written: Cell::new(0),
            record: RefCell::new(None),
        }))
    }

    /// Starts again: nothing has arrived or been written.
    pub fn rewind(&self) {
        self.0.arrived.set(0);
        self.0.flows.set(false);
        self.0.at.set(0);
        self.0.writes.set(0);
        self.0.written.set(0);
    }

    /// The next read's bytes arrive, as if a poll had said so; `false` if none is left, and all that has arrived was read.
    #[inline]
    pub fn arrive(&self) -> bool {
        let Inner { batch, reads, arrived, at, .. } = &*self.0;
        if arrived.get() == reads.len() {
            return at.get() < batch.wire.len();
        }
        arrived.set(arrived.get() + 1);
        true
    }

    /// All bytes arrive, still in reads of their length. For futures that must not be dropped while they wait, and so must
    /// not read more than has arrived. `false` if all had arrived already.
    pub fn arrive_all(&self) -> bool {
        !self.0.flows.replace(true) && self.arrive()
    }

    /// Messages that will arrive.
    pub fn messages(&self) -> usize {
        self.0.batch.payloads.len()
    }

    /// Bytes that will arrive.
    pub fn wire_len(&self) -> usize {
        self.0.batch.wire.len()
    }

    /// The most bytes that one read brings.
    pub fn longest_read(&self) -> usize {
        let starts = iter::once(&0).chain(&self.0.reads);
        let longest = self.0.reads.iter().zip(starts).map(|(end, start)| end - start).max();
        longest.unwrap_or(0).min(self.0.most)
    }

    /// The length of the longest message that will arrive.
    pub fn longest(&self) -> usize {
        self.0.batch.payloads.iter().map(bytes::Bytes::len).max().unwrap_or(0)
    }

    /// Reads as much as one read brings, and appends it.
    #[inline]
    pub fn append_to(&self, to: &mut BytesMut) {
        let bytes = self.take(usize::MAX);
        to.reserve(bytes.len());
        bytes.chunks(BLOCK).for_each(|block| to.extend_from_slice(block));
    }

    /// Up to `max` of the bytes that have arrived; none if a read would block.
    #[inline]
    fn take(&self, max: usize) -> &[u8] {
        let Inner { batch, reads, most, arrived, flows, at, .. } = &*self.0;
        let start = at.get();
        let mut read = arrived.get();
        if flows.get() && read < reads.len() && reads[read - 1] == start {
            read += 1;
            arrived.set(read);
        }
        let end = if read == 0 { 0 } else { reads[read - 1] };
        let end = end.min(start.saturating_add(max.min(*most)));
        at.set(end);
        &batch.wire[start..end]
    }

    /// Reads; 0 if it would block.
    #[inline]
    pub fn read(&self, to: &mut [u8]) -> usize {
        let bytes = self.take(to.len());
        for (to, from) in to.chunks_mut(BLOCK).zip(bytes.chunks(BLOCK)) {
            to[..from.len()].copy_from_slice(from);
        }
        bytes.len()
    }

    /// Writes all bytes.
    #[inline]
    pub fn write(&self, bytes: &[u8]) {
        self.0.writes.set(self.0.writes.get() + 1);
        self.look(bytes);
    }

    /// Writes all slices, at once.
    #[inline]
    pub fn write_vectored(&self, slices: &[IoSlice<'_>]) -> usize {
        let before = self.0.written.get();
        self.0.writes.set(self.0.writes.get() + 1);
        for slice in slices {
            self.look(slice);
        }
        self.0.written.get() - before
    }

    /// Keeps all bytes that are written from now on.
    pub fn record(&self) {
        self.0.record.replace(Some(Vec::new()));
    }

    /// The bytes that were kept, and the number of writes.
    pub fn sent(&self) -> Sent {
        Sent { bytes: self.0.record.take().expect("`record` was called"), writes: self.0.writes.get() }
    }

    #[inline]
    fn look(&self, bytes: &[u8]) {
        used(bytes);
        self.0.written.set(self.0.written.get() + bytes.len());
        if let Some(record) = &mut *self.0.record.borrow_mut() {
            record.extend_from_slice(bytes);
        }
    }
}

/// The value of a future that never has to wait.
///
/// # Panics
/// If it waits.
#[inline]
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("everything has arrived, and everything can be written"),
    }
}

/// Polls once; `None` if it would block.
#[inline]
pub fn poll<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl io::Read for Socket {
    #[inline]
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match Self::read(self, to) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl io::Write for Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(self, bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(Self::write_vectored(self, slices))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.take(to.remaining()) {
            [] => Poll::Pending,
            bytes => {
                bytes.chunks(BLOCK).for_each(|block| to.put_slice(block));
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl tokio::io::AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Self::write(&self, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(Self::write_vectored(&self, slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_util::io::AsyncRead for Socket {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        match Self::read(&self, to) {
            0 => Poll::Pending,
            n => Poll::Ready(Ok(n)),
        }
    }
}

impl futures_util::io::AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Self::write(&self, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(Self::write_vectored(&self, slices)))
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
