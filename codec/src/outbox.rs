//! A stage (feature `std`): gathers the replies to one read for one vectored write, and keeps the bytes that the socket
//! did not take.
//!
//! An [`Outbox`] copies headers, control frames and small payloads into one buffer, and references large payloads, also
//! those in the receive buffer, which it borrows. Then it is [written](Outbox::write). If the socket does not take
//! everything, the rest moves to a [`Backlog`], which belongs to the connection and holds memory only while bytes wait.
//!
//! ```
//! use framewire::outbox::{Backlog, Memory, Outbox, Written};
//! use framewire::{Connection, Event, Kind, Server, Unmasked};
//! use std::io::{self, Write};
//!
//! /// Echoes the texts of a read. `memory` serves all connections of the thread.
//! fn echo(
//!     connection: &mut Connection<Server>,
//!     mut read: &mut [u8],
//!     memory: &mut Memory,
//!     socket: &mut impl Write,
//!     backlog: &mut Backlog,
//! ) -> io::Result<()> {
//!     let mut outbox = Outbox::new(memory);
//!     while let Some(event) = connection.receive(&mut read).map_err(io::Error::other)? {
//!         connection.reply(&event, Unmasked).iter().for_each(|frame| outbox.push(frame));
//!         if let Event::Text(text) = event {
//!             outbox.message(connection, Kind::Text, text.as_bytes().into(), Unmasked).map_err(io::Error::other)?;
//!         }
//!     }
//!     if let Written::Rest(rest) = outbox.write(socket, Some(&mut *backlog), drop)? {
//!         rest.keep(backlog, drop); // until the socket is writable again: `Backlog::flush`
//!     }
//!     Ok(())
//! }
//!
//! let (mut socket, mut backlog) = (Vec::new(), Backlog::default());
//! let mut read = *b"\x81\x82\0\0\0\0Hi\x81\x85\0\0\0\0again"; // masked with keys of zero bytes
//! echo(&mut Connection::new(), &mut read, &mut Memory::default(), &mut socket, &mut backlog)?;
//! assert_eq!(socket, b"\x81\x02Hi\x81\x05again");
//! assert!(backlog.is_empty());
//! # Ok::<(), io::Error>(())
//! ```

mod backlog;

pub use backlog::Backlog;

#[cfg(feature = "deflate")]
use crate::deflate::{DeflatePool, Deflated, Deflater};
#[cfg(feature = "bytes")]
use crate::owned::SendQueue;
use crate::{
    connection::{Role, Sending},
    error::SendError,
    event::Kind,
    frame::{HeaderBytes, Rsv},
    mask::{self, Key},
    vectored::{io_slices, retry},
};
use alloc::{borrow::Cow, vec::Vec};
#[cfg(feature = "bytes")]
use bytes::Bytes;
use core::mem;
use std::io::{self, IoSlice, Write};

/// The frames of one write. `'b` is the lifetime of the payloads that it borrows, usually that of the receive buffer.
///
/// ```text
/// copied  h p h p h p h │ h p h │ h p
///                       ▲       ▲
/// large                 P0      P1             on the wire: copied[..a] P0 copied[a..b] P1 copied[b..]
/// ```
#[derive(Debug)]
#[must_use = "its frames must be written"]
pub struct Outbox<'b> {
    memory: &'b mut Memory,
    /// Each payload with the number of copied bytes that precede it.
    large: Vec<(usize, Cow<'b, [u8]>)>,
}

/// The memory of an [`Outbox`], which the next one uses again. One serves all connections of a thread.
#[derive(Debug, Default)]
pub struct Memory {
    copied: Vec<u8>,
    large: Vec<(usize, Cow<'static, [u8]>)>,
    /// The number of bytes in the large payloads of the present outbox.
    large_len: usize,
}

impl Memory {
    /// The most memory for copied bytes that [`shrink`](Self::shrink) leaves.
    const KEEP: usize = 256 << 10;

    /// Frees memory that unusually many bytes needed. Call it now and then, for example once a second.
    pub fn shrink(&mut self) {
        if self.copied.capacity() > Self::KEEP {
            self.copied = Vec::new();
        }
    }
}

/// The most slices of one write.
const MAX_SLICES: usize = 64;

impl<'b> Outbox<'b> {
    /// Payloads of at least this many bytes are referenced. For smaller ones, a copy costs less than one more slice of
    /// the write (docs/tried.md).
    pub const REFERENCE_FROM: usize = 4 << 10;

    /// An empty outbox.
    #[inline]
    pub fn new(memory: &'b mut Memory) -> Self {
        memory.copied.clear();
        memory.large_len = 0;
        Self { memory, large: Vec::new() }
    }

    /// How many bytes are to be written.
    #[inline]
    pub fn len(&self) -> usize {
        self.memory.copied.len() + self.memory.large_len
    }

    /// Whether there is nothing to be written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Queues a copy of these bytes, such as a control frame or the head of a handshake.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.memory.copied.extend_from_slice(bytes);
    }

    /// Queues a message (RFC 6455 §5.6). A client's payload is masked: in place if it is owned, otherwise in a copy.
    /// The caller promises that a text is UTF-8.
    ///
    /// # Errors
    /// As [`Sending::message_header`]; nothing is queued then.
    #[inline(always)]
    pub fn message<R: Role>(
        &mut self,
        connection: &mut Sending<R>,
        kind: Kind,
        payload: Cow<'b, [u8]>,
        key: R::Key,
    ) -> Result<(), SendError> {
        let header = connection.message_header(kind, Rsv::NONE, payload.len() as u64, key)?;
        match key.into() {
            None => self.push_frame(header, payload),
            Some(key) => self.push_masked(header, payload, key),
        }
        Ok(())
    }

    /// Queues a message (RFC 7692 §7.2.1), compressed by `deflater` if that makes it shorter; see
    /// [`Deflater::message`]. The caller promises that a text is UTF-8.
    ///
    /// # Errors
    /// As [`Deflater::message`]; nothing is queued then.
    #[cfg(feature = "deflate")]
    pub fn deflated_message<R: Role>(
        &mut self,
        connection: &mut Sending<R>,
        deflater: &mut Deflater<R>,
        pool: &mut DeflatePool,
        kind: Kind,
        payload: Cow<'b, [u8]>,
        key: R::Key,
    ) -> Result<(), SendError> {
        let frame = deflater.message(connection, kind, &payload, pool, key)?;
        let header = *frame.header();
        if frame.is_unchanged() {
            self.push_frame(header, payload);
            return Ok(());
        }
        header.append_to(&mut self.memory.copied);
        if frame.payload().len() < Self::REFERENCE_FROM {
            self.push(frame.payload());
        } else {
            self.push_large(frame.payload().to_vec().into()); // the next message overwrites the pool's buffer
        }
        Ok(())
    }

    /// Queues a message that was [compressed in steps](Deflater::begin).
    #[cfg(feature = "deflate")]
    pub fn push_deflated(&mut self, frame: Deflated) {
        let (header, payload) = frame.into_parts();
        self.push_frame(header, payload.into());
    }

    #[inline(always)]
    fn push_frame(&mut self, header: HeaderBytes, payload: Cow<'b, [u8]>) {
        header.append_to(&mut self.memory.copied);
        if payload.len() < Self::REFERENCE_FROM {
            self.push(&payload);
        } else {
            self.push_large(payload);
        }
    }

    fn push_masked(&mut self, header: HeaderBytes, payload: Cow<'b, [u8]>, key: Key) {
        header.append_to(&mut self.memory.copied);
        if payload.len() < Self::REFERENCE_FROM {
            let start = self.memory.copied.len();
            self.push(&payload);
            mask::apply(key, &mut self.memory.copied[start..]);
        } else {
            let mut payload = payload.into_owned();
            mask::apply(key, &mut payload);
            self.push_large(payload.into());
        }
    }

    #[inline(never)]
    fn push_large(&mut self, payload: Cow<'b, [u8]>) {
        if self.large.capacity() == 0 {
            self.large = mem::take(&mut self.memory.large);
        }
        self.memory.large_len += payload.len();
        self.large.push((self.memory.copied.len(), payload));
    }

    /// Writes the frames, as much as the socket takes now, and returns those that it did not take. If bytes are waiting,
    /// nothing is written, and the frames are appended to these bytes. Owned payloads that are not needed any more go to
    /// `freed`.
    ///
    /// The socket is called until everything is written or it would block ([`WouldBlock`](io::ErrorKind::WouldBlock)). A
    /// socket that knows that a short write has filled it can answer the next call so without a system call.
    ///
    /// # Errors
    /// The error of the first write; [`WriteZero`](io::ErrorKind::WriteZero) if it took nothing without an error. If a later
    /// write fails, the rest is returned without its error.
    #[inline(always)] // one call, and its result in registers
    pub fn write(
        self,
        socket: &mut impl Write,
        waiting: Option<&mut Backlog>,
        freed: impl FnMut(Vec<u8>),
    ) -> io::Result<Written<'b>> {
        if let Some(waiting) = waiting.filter(|waiting| !waiting.is_empty()) {
            Rest { outbox: self, written: 0 }.keep(waiting, freed);
            return Ok(Written::All);
        }
        let mut written = 0;
        if self.large.is_empty() && !self.is_empty() {
            written = taken(retry(|| socket.write(&self.memory.copied)))?;
            if written == self.len() {
                self.recycle(freed);
                return Ok(Written::All);
            }
            if written == 0 {
                return Ok(Written::Rest(Rest { outbox: self, written }));
            }
        }
        self.write_vectored(socket, written, freed)
    }

    #[inline(never)]
    fn write_vectored(
        self,
        socket: &mut impl Write,
        mut written: usize,
        freed: impl FnMut(Vec<u8>),
    ) -> io::Result<Written<'b>> {
        while written < self.len() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let slices = io_slices(self.pieces(), written, &mut slices);
            match taken(retry(|| socket.write_vectored(slices))) {
                Ok(0) => break,
                Ok(n) => written += n,
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if written < self.len() {
            return Ok(Written::Rest(Rest { outbox: self, written }));
        }
        self.recycle(freed);
        Ok(Written::All)
    }

    /// Gives the memory back to [`Memory`], for the next outbox, and owned payloads to `freed`.
    #[inline(always)]
    fn recycle(self, freed: impl FnMut(Vec<u8>)) {
        if self.large.capacity() == 0 {
            mem::forget(self); // it owns nothing: this spares the check of each write that it does not
        } else {
            self.recycle_large(freed);
        }
    }

    #[inline(never)]
    fn recycle_large(mut self, mut freed: impl FnMut(Vec<u8>)) {
        for (_, payload) in self.large.drain(..) {
            if let Cow::Owned(bytes) = payload {
                freed(bytes);
            }
        }
        // Collecting in place keeps the vector's memory: only the lifetime in its type changes.
        self.memory.large = self.large.into_iter().map(|_| (0, Cow::Borrowed(&[][..]))).collect();
    }

    /// The pieces in the order in which they are written. Some may be empty.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.large.iter().map(|&(end, _)| end));
        let between = self
            .large
            .iter()
            .zip(starts)
            .flat_map(|((end, payload), start)| [&self.memory.copied[start..*end], payload]);
        let last = self.large.last().map_or(0, |&(end, _)| end);
        between.chain([&self.memory.copied[last..]])
    }
}

/// What a write took: 0 bytes if the socket would block.
#[inline(always)]
fn taken(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// How much a write took.
#[derive(Debug)]
#[must_use = "if there is a rest, it must be written later: keep it"]
pub enum Written<'b> {
    /// Everything was written, or appended to the bytes that wait.
    All,
    /// The socket did not take these frames.
    Rest(Rest<'b>),
}

/// The frames that a socket did not take.
#[derive(Debug)]
#[must_use = "these bytes must be written later: keep them"]
pub struct Rest<'b> {
    outbox: Outbox<'b>,
    /// How many of its first bytes are written.
    written: usize,
}

impl Rest<'_> {
    /// Appends the bytes to the backlog. Borrowed payloads are copied, and so are owned ones that are small or would keep
    /// much unused memory; these go to `freed`. Other owned payloads are moved.
    pub fn keep(self, backlog: &mut Backlog, mut freed: impl FnMut(Vec<u8>)) {
        self.pieces(|piece, skip| {
            if let Some(bytes) = backlog.push_or_copy(piece, skip) {
                freed(bytes);
            }
        });
    }

    /// Appends the bytes to a queue, for a host that also queues [`Bytes`]. Borrowed payloads are copied. Owned payloads
    /// are not: `share` makes `Bytes` of them, for example with [`Bytes::from`].
    #[cfg(feature = "bytes")]
    pub fn queue(self, queue: &mut SendQueue, mut share: impl FnMut(Vec<u8>) -> Bytes) {
        self.pieces(|piece, skip| match piece {
            Cow::Borrowed(bytes) if bytes.len() - skip < SendQueue::COPY_BELOW => {
                queue.push_copy(&bytes[skip..])
            }
            Cow::Borrowed(bytes) => queue.push_bytes(Bytes::copy_from_slice(&bytes[skip..])),
            Cow::Owned(bytes) => queue.push_bytes(share(bytes).slice(skip..)),
        });
    }

    /// Calls `keep` with each piece, and with the number of its first bytes that are written: perhaps all.
    fn pieces(mut self, mut keep: impl FnMut(Cow<'_, [u8]>, usize)) {
        let mut skip = self.written;
        let mut keep = |piece: Cow<'_, [u8]>| {
            let skipped = skip.min(piece.len());
            skip -= skipped;
            keep(piece, skipped);
        };
        let mut start = 0;
        for (end, payload) in self.outbox.large.drain(..) {
            keep(Cow::Borrowed(&self.outbox.memory.copied[start..end]));
            keep(payload);
            start = end;
        }
        keep(Cow::Borrowed(&self.outbox.memory.copied[start..]));
        self.outbox.recycle_large(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_an_unusually_large_write_is_freed() {
        let mut memory = Memory::default();
        for (len, kept) in [(Memory::KEEP / 2, true), (4 * Memory::KEEP, false)] {
            Outbox::new(&mut memory).push(&alloc::vec![7; len]);
            memory.shrink();
            assert_eq!(memory.copied.capacity() >= len, kept);
        }
    }
}
