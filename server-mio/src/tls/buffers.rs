//! The buffers of TLS: those of the thread, and bytes that wait in one connection.

use std::io::IoSliceMut;

/// The buffers of a thread. They hold nothing between two calls.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Received bytes, which are decrypted here.
    pub(super) received: Vec<u8>,
    /// Plaintext that is gathered from several slices.
    pub(super) gathered: Vec<u8>,
    /// Encrypted bytes.
    pub(super) encrypted: Encrypted,
}

impl Scratch {
    /// The first `len` bytes of the buffer for received bytes.
    pub(super) fn received(&mut self, len: usize) -> &mut [u8] {
        if self.received.len() < len {
            self.received.resize(len, 0);
        }
        &mut self.received[..len]
    }
}

/// Encrypted bytes in a buffer that is cleared only once, because that costs.
#[derive(Debug, Default)]
pub(super) struct Encrypted {
    buffer: Vec<u8>,
    len: usize,
}

impl Encrypted {
    pub(super) const fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Room for at least `len` more bytes.
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        if self.buffer.len() - self.len < len {
            self.buffer.resize(self.len + len, 0);
        }
        &mut self.buffer[self.len..]
    }

    /// Adds the first `len` bytes of the room.
    pub(super) fn add(&mut self, len: usize) {
        self.len = (self.len + len).min(self.buffer.len());
    }
}

/// Bytes that wait in one connection. They hold memory only as long as they do.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    /// How many of them are gone.
    gone: usize,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Removes the first `len` bytes.
    pub(super) fn advance(&mut self, len: usize) {
        self.gone += len;
        if self.gone >= self.bytes.len() {
            *self = Self::default();
        }
    }
}

/// The buffers of a vectored read.
#[derive(Debug)]
pub(super) struct Sink<'s, 'b> {
    slices: &'s mut [IoSliceMut<'b>],
    /// How many slices are full, and how many bytes of the next one.
    full: usize,
    taken: usize,
}

impl<'s, 'b> Sink<'s, 'b> {
    pub(super) const fn new(slices: &'s mut [IoSliceMut<'b>]) -> Self {
        Self { slices, full: 0, taken: 0 }
    }

    pub(super) fn room(&self) -> usize {
        self.slices[self.full..].iter().map(|slice| slice.len()).sum::<usize>() - self.taken
    }

    /// Copies as many bytes as there is room for, and returns how many.
    pub(super) fn put(&mut self, bytes: &[u8]) -> usize {
        let mut put = 0;
        while let Some(slice) = self.slices.get_mut(self.full) {
            let room = &mut slice[self.taken..];
            let n = room.len().min(bytes.len() - put);
            room[..n].copy_from_slice(&bytes[put..put + n]);
            put += n;
            if n < room.len() {
                self.taken += n;
                break;
            }
            (self.full, self.taken) = (self.full + 1, 0);
        }
        put
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_fills_its_slices_in_order() {
        let (mut a, mut b, mut c) = ([0; 3], [0; 0], [0; 4]);
        let mut slices = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b), IoSliceMut::new(&mut c)];
        let mut sink = Sink::new(&mut slices);
        assert_eq!((sink.put(b"ab"), sink.room()), (2, 5));
        assert_eq!((sink.put(b"cde"), sink.room()), (3, 2));
        assert_eq!((sink.put(b"fgh"), sink.room()), (2, 0));
        assert_eq!(sink.put(b"h"), 0);
        assert_eq!((&a, &c), (b"abc", b"defg"));
    }

    #[test]
    fn what_waits_holds_no_memory_once_it_is_gone() {
        let mut waiting = Waiting::default();
        waiting.push(b"abc");
        waiting.advance(2);
        waiting.push(b"de");
        assert_eq!(waiting.rest(), b"cde");
        waiting.advance(3);
        assert!(waiting.is_empty() && waiting.bytes.capacity() == 0);
    }
}
