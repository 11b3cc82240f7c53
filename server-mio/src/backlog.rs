//! What a socket would not take yet.

use crate::outbox::retry;
use framewire::vectored::io_slices;
use std::{
    borrow::Cow,
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

/// What is copied goes into pieces of at least this size, so that a million small replies are no million pieces.
const PIECE: usize = 16 << 10;

impl Backlog {
    /// Bytes that wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts bytes behind the others, of which the first `skip` are written already. What is borrowed is copied; what
    /// is owned and large is kept as it is. No piece ever grows: one that moved would take its memory twice.
    pub fn push(&mut self, bytes: Cow<'_, [u8]>, skip: usize) {
        let fresh = bytes.len().saturating_sub(skip);
        self.len += fresh;
        match bytes {
            Cow::Owned(bytes) if fresh >= PIECE && (skip == 0 || self.pieces.is_empty()) => {
                self.written += skip;
                self.pieces.push_back(bytes);
            }
            bytes => self.copy(&bytes[bytes.len() - fresh..]),
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        match self.pieces.back_mut() {
            Some(last) if bytes.len() <= last.capacity() - last.len() => last.extend_from_slice(bytes),
            _ => {
                let mut piece = Vec::with_capacity(bytes.len().max(PIECE));
                piece.extend_from_slice(bytes);
                self.pieces.push_back(piece);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::tests::Sink;

    #[test]
    fn every_order_of_pushes_and_writes() {
        let bytes: Vec<u8> = (0..3 * PIECE).map(|i| (i * 5 + i / 253) as u8).collect();
        for at_once in [1000, 4096, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, usize::MAX] {
            let (mut backlog, mut sink, mut wire) = (Backlog::default(), Sink::new(0, at_once), Vec::new());
            for (i, len) in
                [1, 3000, PIECE, 7, 2 * PIECE, PIECE - 1, 0, 5, PIECE, 100].into_iter().enumerate()
            {
                let piece = &bytes[i..i + len];
                wire.extend_from_slice(piece);
                let skip = if backlog.is_empty() { len / 3 } else { 0 };
                sink.taken.extend_from_slice(&piece[..skip]); // by the write before
                backlog.push(if i % 2 == 0 { piece.into() } else { piece.to_vec().into() }, skip);
                assert_eq!(backlog.len(), wire.len() - sink.taken.len());
                sink.room = at_once.min(i * 3001);
                backlog.flush(&mut sink, drop).unwrap();
            }
            while !backlog.is_empty() {
                sink.room = at_once;
                backlog.flush(&mut sink, drop).unwrap();
            }
            assert!(sink.taken == wire, "{at_once} at once");
        }
    }

    /// As much memory as bytes wait, and no more than a piece beside; none once nothing waits.
    #[test]
    fn memory() {
        let mut backlog = Backlog::default();
        for i in 0..100_000_usize {
            backlog.push((&[7; 90][..i % 90]).into(), 0);
        }
        backlog.push(vec![8; 10 * PIECE].into(), 0);
        backlog.push((&[9; 5][..]).into(), 0);
        let memory = |backlog: &Backlog| backlog.pieces.iter().map(Vec::capacity).sum::<usize>();
        assert!(memory(&backlog) < backlog.len() + backlog.len() / 100 + 2 * PIECE);
        let mut freed = 0;
        backlog.flush(&mut Sink::new(usize::MAX, usize::MAX), |piece| freed += piece.len()).unwrap();
        assert_eq!((backlog.len(), memory(&backlog), backlog.pieces.capacity()), (0, 0, 0));
        assert!(freed > 10 * PIECE);
    }

    #[test]
    fn a_socket_that_fails() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut backlog = Backlog::default();
        backlog.push(b"x"[..].into(), 0);
        assert_eq!(backlog.flush(&mut Broken, drop).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
