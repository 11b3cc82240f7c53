//! The replies of one readiness event, gathered for one vectored write.
//!
//! Headers, control frames and small payloads are copied one behind the other into the *cork*; large payloads stay
//! where they are and are put between:
//!
//! ```text
//! cork    h p h p h p h │ h p h │ h p
//!                       ▲       ▲
//! large                 P0      P1             on the wire: cork[..a] P0 cork[a..b] P1 cork[b..]
//! ```

use framewire::{HeaderBytes, vectored::io_slices};
use std::{
    borrow::Cow,
    io::{self, IoSlice, Write},
};

/// What is to be written. Borrowed payloads live as long as the receive buffer is lent, `'b`.
#[derive(Debug, Default)]
pub struct Outbox<'b> {
    cork: Vec<u8>,
    /// Each with the length that the cork had when it came.
    large: Vec<(usize, Cow<'b, [u8]>)>,
    len: usize,
}

/// Payloads from this size on are written from where they are. Below it, a copy into the cork, which is in cache,
/// costs less than a slice of its own does in the kernel (docs/performance.md).
const REFERENCE_FROM: usize = 4 << 10;

/// The most slices that one write is given.
const MAX_SLICES: usize = 64;

impl<'b> Outbox<'b> {
    /// Bytes to be written.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Queues bytes, which are copied: a control frame, a head.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.cork.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Queues a data frame.
    #[inline]
    pub fn push_frame(&mut self, header: HeaderBytes, payload: Cow<'b, [u8]>) {
        self.push(&header);
        if payload.len() < REFERENCE_FROM {
            self.push(&payload);
        } else {
            self.len += payload.len();
            self.large.push((self.cork.len(), payload));
        }
    }

    /// Writes as much as the socket takes at once, and tells how much that is.
    pub fn write(&self, socket: &mut impl Write) -> io::Result<usize> {
        if self.large.is_empty() {
            return retry(|| socket.write(&self.cork));
        }
        let mut written = 0;
        loop {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let slices = io_slices(self.pieces(), written, &mut slices);
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
            match retry(|| socket.write_vectored(slices)) {
                Ok(n) => {
                    written += n;
                    // A short write: the socket is full. It will say when it is not.
                    if n < offered || written == self.len {
                        return Ok(written);
                    }
                }
                Err(error) if written > 0 && error.kind() == io::ErrorKind::WouldBlock => return Ok(written),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes out everything but the first `written` bytes: pieces to be kept, each with the number of its first
    /// bytes that are written already. Large payloads that were handed over are not copied.
    pub fn take_rest(&mut self, written: usize, mut keep: impl FnMut(Vec<u8>, usize)) {
        let mut skip = written;
        let mut keep = |piece: Cow<'_, [u8]>| {
            let skipped = skip.min(piece.len());
            skip -= skipped;
            match piece {
                _ if skipped == piece.len() => {}
                Cow::Borrowed(bytes) => keep(bytes[skipped..].to_vec(), 0),
                Cow::Owned(bytes) => keep(bytes, skipped),
            }
        };
        let mut start = 0;
        for (end, payload) in self.large.drain(..) {
            keep(Cow::Borrowed(&self.cork[start..end]));
            keep(payload);
            start = end;
        }
        keep(Cow::Borrowed(&self.cork[start..]));
        self.cork.clear();
        self.len = 0;
    }

    /// An empty outbox for another receive buffer, with the memory of this one. The payloads that were handed over
    /// go to `freed`.
    pub fn recycle<'a>(mut self, mut freed: impl FnMut(Vec<u8>)) -> Outbox<'a> {
        self.cork.clear();
        for (_, payload) in self.large.drain(..) {
            if let Cow::Owned(bytes) = payload {
                freed(bytes);
            }
        }
        // Collecting in place keeps the vector's memory: only the lifetime of what it could hold changes.
        let large = self.large.into_iter().map(|_| (0, Cow::Borrowed(&[][..]))).collect();
        Outbox { cork: self.cork, large, len: 0 }
    }

    /// The pieces in the order of the wire; some may be empty.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.large.iter().map(|&(end, _)| end));
        let between = self
            .large
            .iter()
            .zip(starts)
            .flat_map(|((end, payload), start)| [&self.cork[start..*end], payload]);
        let last = self.large.last().map_or(0, |&(end, _)| end);
        between.chain([&self.cork[last..]])
    }
}

/// Calls again where a signal got in between.
pub fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
