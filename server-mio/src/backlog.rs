//! What a socket would not take yet.

use crate::outbox::retry;
use framewire::vectored::io_slices;
use std::{
    collections::VecDeque,
    io::{self, IoSlice, Write},
};

/// Bytes that wait until the socket can be written again, in order. Holds no memory while it is empty.
#[derive(Debug, Default)]
pub struct Backlog {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that are written.
    written: usize,
    len: usize,
}

/// Pieces up to this size are put behind one another in one, so that a million small replies are no million pieces.
const MERGE_UP_TO: usize = 4 << 10;

impl Backlog {
    /// Bytes that wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a piece behind the others; its first `skip` bytes are written already.
    pub fn push(&mut self, piece: Vec<u8>, skip: usize) {
        let fresh = piece.len() - skip;
        if fresh == 0 {
            return;
        }
        self.len += fresh;
        match self.pieces.back_mut() {
            None => {
                self.written = skip;
                self.pieces.push_back(piece);
            }
            Some(last) if fresh <= MERGE_UP_TO => last.extend_from_slice(&piece[skip..]),
            Some(_) if skip == 0 => self.pieces.push_back(piece),
            Some(_) => self.pieces.push_back(piece[skip..].to_vec()),
        }
    }

    /// Writes as much as the socket takes. What was written whole is freed: its pieces go to `freed`.
    pub fn flush(&mut self, socket: &mut impl Write, mut freed: impl FnMut(Vec<u8>)) -> io::Result<()> {
        while self.len > 0 {
            let mut slices = [IoSlice::new(&[]); 64];
            let slices = io_slices(self.pieces.iter().map(|piece| &piece[..]), self.written, &mut slices);
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
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
            if n < offered {
                break; // the socket is full
            }
        }
        if self.is_empty() {
            *self = Self::default();
        }
        Ok(())
    }
}
