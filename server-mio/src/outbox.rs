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
    mem,
};

/// What is to be written. Borrowed payloads live as long as the receive buffer is lent, `'b`.
#[derive(Debug)]
pub struct Outbox<'b> {
    memory: &'b mut Memory,
    /// Each with the length that the cork had when it came.
    large: Vec<(usize, Cow<'b, [u8]>)>,
    /// Bytes in `large`.
    large_len: usize,
}

/// The memory of an outbox, which the next one uses again.
#[derive(Debug, Default)]
pub struct Memory {
    cork: Vec<u8>,
    large: Vec<(usize, Cow<'static, [u8]>)>,
}

/// Payloads from this size on are written from where they are. Below it, a copy into the cork, which is in cache,
/// costs less than a slice of its own does in the kernel (docs/tried.md).
const REFERENCE_FROM: usize = 4 << 10;

/// The most slices that one write is given.
const MAX_SLICES: usize = 64;

impl<'b> Outbox<'b> {
    #[inline]
    pub fn new(memory: &'b mut Memory) -> Self {
        Self { memory, large: Vec::new(), large_len: 0 }
    }

    /// Bytes to be written.
    #[inline]
    pub fn len(&self) -> usize {
        self.memory.cork.len() + self.large_len
    }

    /// Queues bytes, which are copied: a control frame, a head.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.memory.cork.extend_from_slice(bytes);
    }

    /// Queues a data frame.
    #[inline(always)]
    pub fn push_frame(&mut self, header: HeaderBytes, payload: Cow<'b, [u8]>) {
        header.append_to(&mut self.memory.cork);
        if payload.len() < REFERENCE_FROM {
            self.push(&payload);
        } else {
            self.push_large(payload);
        }
    }

    /// Queues a data frame whose payload is only lent for the moment.
    pub fn push_copied(&mut self, header: HeaderBytes, payload: &[u8]) {
        header.append_to(&mut self.memory.cork);
        if payload.len() < REFERENCE_FROM {
            self.push(payload);
        } else {
            self.push_large(payload.to_vec().into());
        }
    }

    #[inline(never)]
    fn push_large(&mut self, payload: Cow<'b, [u8]>) {
        if self.large.capacity() == 0 {
            self.large = mem::take(&mut self.memory.large);
        }
        self.large_len += payload.len();
        self.large.push((self.memory.cork.len(), payload));
    }

    /// Writes as much as the socket takes at once, and tells how much that is.
    #[inline]
    pub fn write(&self, socket: &mut impl Write) -> io::Result<usize> {
        if self.large.is_empty() {
            return retry(|| socket.write(&self.memory.cork));
        }
        self.write_vectored(socket)
    }

    #[inline(never)]
    fn write_vectored(&self, socket: &mut impl Write) -> io::Result<usize> {
        let mut written = 0;
        loop {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let slices = io_slices(self.pieces(), written, &mut slices);
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
            match retry(|| socket.write_vectored(slices)) {
                Ok(n) => {
                    written += n;
                    // A short write: the socket is full. It will say when it is not.
                    if n < offered || written == self.len() {
                        return Ok(written);
                    }
                }
                Err(error) if written > 0 && error.kind() == io::ErrorKind::WouldBlock => return Ok(written),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes out everything but the first `written` bytes, piece by piece, each with the number of its first bytes
    /// that are written already.
    pub fn take_rest(&mut self, written: usize, mut keep: impl FnMut(Cow<'_, [u8]>, usize)) {
        let mut skip = written;
        let mut keep = |piece: Cow<'_, [u8]>| {
            let skipped = skip.min(piece.len());
            skip -= skipped;
            if skipped < piece.len() {
                keep(piece, skipped);
            }
        };
        let mut start = 0;
        for (end, payload) in self.large.drain(..) {
            keep(Cow::Borrowed(&self.memory.cork[start..end]));
            keep(payload);
            start = end;
        }
        keep(Cow::Borrowed(&self.memory.cork[start..]));
        self.memory.cork.clear();
        self.large_len = 0;
    }

    /// Empties it, and gives its memory back. The payloads that were handed over go to `freed`.
    #[inline]
    pub fn recycle(self, freed: impl FnMut(Vec<u8>)) {
        self.memory.cork.clear();
        if self.large.capacity() != 0 {
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
        // Collecting in place keeps the vector's memory: only the lifetime of what it could hold changes.
        self.memory.large = self.large.into_iter().map(|_| (0, Cow::Borrowed(&[][..]))).collect();
    }

    /// The pieces in the order of the wire; some may be empty.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.large.iter().map(|&(end, _)| end));
        let between = self
            .large
            .iter()
            .zip(starts)
            .flat_map(|((end, payload), start)| [&self.memory.cork[start..*end], payload]);
        let last = self.large.last().map_or(0, |&(end, _)| end);
        between.chain([&self.memory.cork[last..]])
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

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::backlog::Backlog;
    use framewire::{Connection, Kind, Rsv, Server};

    /// A socket that takes so many bytes, at most so many at once, and no more.
    #[derive(Debug, Default)]
    pub struct Sink {
        pub taken: Vec<u8>,
        pub room: usize,
        pub at_once: usize,
    }

    impl Sink {
        pub fn new(room: usize, at_once: usize) -> Self {
            Self { taken: Vec::new(), room, at_once }
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let offered = slices.iter().map(|slice| slice.len()).sum::<usize>();
            let n = offered.min(self.room).min(self.at_once);
            if n == 0 && offered > 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let end = self.taken.len() + n;
            slices.iter().for_each(|slice| self.taken.extend_from_slice(slice));
            self.taken.truncate(end);
            self.room -= n;
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Replies of every kind, and the bytes that they are.
    fn replies<'b>(memory: &'b mut Memory, rx: &'b [u8], sizes: &[usize]) -> (Outbox<'b>, Vec<u8>) {
        let mut connection = Connection::<Server>::new();
        let (mut outbox, mut wire) = (Outbox::new(memory), Vec::new());
        for (i, &len) in sizes.iter().enumerate() {
            let payload = &rx[i..i + len];
            let header = connection.message(Kind::Binary, Rsv::NONE, len as u64).unwrap();
            wire.extend_from_slice(&header);
            wire.extend_from_slice(payload);
            let owned = i % 3 == 2;
            outbox.push_frame(header, if owned { payload.to_vec().into() } else { payload.into() });
            if i % 4 == 1 {
                outbox.push(b"pong");
                wire.extend_from_slice(b"pong");
            }
        }
        assert_eq!(outbox.len(), wire.len());
        (outbox, wire)
    }

    const L: usize = REFERENCE_FROM;
    const MIXES: [&[usize]; 6] =
        [&[], &[0, 1, 125], &[L], &[L, L + 1, 5 * L], &[7, L, 0, L - 1, L, L, 300, 5 * L], &[5 * L, 5]];

    #[test]
    fn every_partial_write() {
        let rx: Vec<u8> = (0..6 * L).map(|i| (i * 7 + i / 251) as u8).collect();
        for sizes in MIXES {
            let total = replies(&mut Memory::default(), &rx, sizes).1.len();
            for room in (0..total).step_by(13).chain(0..total.min(300)).chain([total]) {
                let mut memory = Memory::default();
                let (mut outbox, wire) = replies(&mut memory, &rx, sizes);
                let mut sink = Sink::new(room, usize::MAX);
                let written = match outbox.write(&mut sink) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    other => other.unwrap(),
                };
                assert_eq!(written, room);
                let mut backlog = Backlog::default();
                outbox.take_rest(written, |bytes, skip| backlog.push(bytes, skip));
                assert_eq!((outbox.len(), backlog.len()), (0, wire.len() - written));
                sink.room = usize::MAX;
                backlog.flush(&mut sink, drop).unwrap();
                assert!(sink.taken == wire, "{sizes:?} after {room}");
            }
        }
    }

    #[test]
    fn more_pieces_than_one_write_takes() {
        let rx = vec![5; L + 200];
        let mut memory = Memory::default();
        let (outbox, wire) = replies(&mut memory, &rx, &[L; 200]);
        let mut sink = Sink::new(usize::MAX, usize::MAX);
        assert_eq!(outbox.write(&mut sink).unwrap(), wire.len());
        assert!(sink.taken == wire);
    }

    /// The memory is used again, and what was handed over is handed back.
    #[test]
    fn recycling() {
        let rx = vec![5; L + 9];
        let mut memory = Memory::default();
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (outbox, _) = replies(&mut memory, &rx, &[L; 9]);
            let mut freed = 0;
            outbox.recycle(|bytes| freed += bytes.len());
            assert_eq!((memory.cork.len(), memory.large.len(), freed), (0, 0, 3 * L));
            seen.push((memory.cork.as_ptr(), memory.large.as_ptr(), memory.large.capacity()));
        }
        assert_eq!(seen[0], seen[1]);
        assert!(seen[0].2 >= 9);
    }
}
