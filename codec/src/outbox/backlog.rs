//! Bytes that a socket did not take yet.

use crate::vectored::{io_slices, retry};
use alloc::{borrow::Cow, collections::VecDeque, vec::Vec};
use std::io::{self, IoSlice, Write};

/// Bytes that wait until the socket is writable again, in order. An empty backlog holds no memory.
#[derive(Debug, Default)]
pub struct Backlog {
    pieces: VecDeque<Vec<u8>>,
    /// How many bytes of the first piece are written.
    written: usize,
    len: usize,
}

/// Copied bytes go into pieces of at least this size, so that a million small replies do not take a million pieces.
const PIECE: usize = 16 << 10;

impl Backlog {
    /// How many bytes wait. A host stops reading from a peer once this exceeds its limit.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes wait.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends these bytes, except the first `skip`, which are written already. Borrowed bytes are copied. Owned bytes are
    /// kept without a copy if they are many, and if their allocation is not much larger: it is held until they are written.
    pub fn push(&mut self, bytes: Cow<'_, [u8]>, skip: usize) {
        drop(self.push_or_copy(bytes, skip));
    }

    /// As [`push`](Self::push); returns owned bytes that it did not keep.
    pub(super) fn push_or_copy(&mut self, bytes: Cow<'_, [u8]>, skip: usize) -> Option<Vec<u8>> {
        let fresh = bytes.len().saturating_sub(skip);
        self.len += fresh;
        match bytes {
            Cow::Owned(bytes)
                if fresh >= PIECE
                    && bytes.capacity() / 2 <= fresh
                    && (skip == 0 || self.pieces.is_empty()) =>
            {
                self.written += skip;
                self.pieces.push_back(bytes);
                None
            }
            Cow::Owned(bytes) => {
                self.copy(&bytes[bytes.len() - fresh..]);
                Some(bytes)
            }
            Cow::Borrowed(bytes) => {
                self.copy(&bytes[bytes.len() - fresh..]);
                None
            }
        }
    }

    /// No piece grows: while it is moved, it would take its memory twice.
    fn copy(&mut self, bytes: &[u8]) {
        match self.pieces.back_mut() {
            _ if bytes.is_empty() => {}
            Some(last) if bytes.len() <= last.capacity() - last.len() => last.extend_from_slice(bytes),
            _ => {
                let mut piece = Vec::with_capacity(bytes.len().max(PIECE));
                piece.extend_from_slice(bytes);
                self.pieces.push_back(piece);
            }
        }
    }

    /// Writes as much as the socket takes now: it is called until everything is written or it would block. The memory of
    /// pieces that are written goes to `freed`.
    ///
    /// # Errors
    /// Those of the socket; [`WriteZero`](io::ErrorKind::WriteZero) if it took nothing without an error. Bytes that
    /// were not written stay in the backlog.
    pub fn flush(&mut self, socket: &mut impl Write, mut freed: impl FnMut(Vec<u8>)) -> io::Result<()> {
        while self.len > 0 {
            let mut slices = [IoSlice::new(&[]); 64];
            let slices = io_slices(self.pieces.iter().map(|piece| &piece[..]), self.written, &mut slices);
            let n = match retry(|| socket.write_vectored(slices)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            self.len -= n;
            self.written += n;
            while let Some(first) = self.pieces.front() {
                if self.written < first.len() {
                    break;
                }
                self.written -= first.len();
                self.pieces.pop_front().map(&mut freed);
            }
        }
        if self.is_empty() {
            *self = Self::default();
        }
        Ok(())
    }
}
