//! The bytes that back-references can reach.

use alloc::vec::Vec;

/// The last bytes of a stream, at most 2 to the power of the window bits. The next message may refer to them. Its
/// memory grows with the bytes that are pushed, up to its size.
#[derive(Debug)]
pub(super) struct Window {
    /// A ring buffer, once it is full.
    bytes: Vec<u8>,
    /// The place of the oldest byte once it is full: the next byte replaces it.
    next: usize,
    size: usize,
    /// Counts changes: a compressor that read in another version is stale.
    version: u64,
}

impl Window {
    /// An empty window of this many bits. It has no memory yet.
    pub(super) const fn new(bits: u8) -> Self {
        Self { bytes: Vec::new(), next: 0, size: 1 << bits, version: 0 }
    }

    /// Empties the window, and changes its size to this many bits. The memory stays.
    pub(super) fn restart(&mut self, bits: u8) {
        self.bytes.clear();
        self.next = 0;
        self.size = 1 << bits;
        self.version += 1;
    }

    /// Appends the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.version += 1;
        let bytes = &bytes[bytes.len().saturating_sub(self.size)..];
        let (grow, bytes) = bytes.split_at(bytes.len().min(self.size - self.bytes.len()));
        if self.bytes.capacity() - self.bytes.len() < grow.len() {
            // Capacity doubles, as that of a `Vec`, but does not exceed the size.
            let capacity = (self.bytes.len() + grow.len()).next_power_of_two().min(self.size);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(grow);
        let (end, start) = bytes.split_at(bytes.len().min(self.size - self.next));
        self.bytes[self.next..self.next + end.len()].copy_from_slice(end);
        self.bytes[..start.len()].copy_from_slice(start);
        self.next = (self.next + bytes.len()) % self.size;
    }

    /// The bytes in order, in two pieces, either of which may be empty.
    pub(super) fn pieces(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at(self.next.min(self.bytes.len()));
        [older, newer]
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

/// The last `most` bytes of these pieces, or all if there are fewer, in order. Any piece may be empty.
pub(super) fn last<const N: usize>(mut pieces: [&[u8]; N], most: usize) -> [&[u8]; N] {
    let mut left = most;
    for piece in pieces.iter_mut().rev() {
        *piece = &piece[piece.len().saturating_sub(left)..];
        left -= piece.len();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::{Window, last};
    use alloc::vec::Vec;
    use framewire_testing::miri::thin;

    #[test]
    fn a_window_has_the_last_bytes_in_any_steps() {
        for step in thin(3, [2000, 600, 257, 256, 255, 100, 7, 2, 1]) {
            let len = if cfg!(miri) { 600 } else { 2000_u32 };
            let all: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8).collect();
            let mut window = Window::new(8);
            for (i, bytes) in all.chunks(step).enumerate() {
                window.push(bytes);
                let came = &all[..(i * step + bytes.len())];
                assert_eq!(window.pieces().concat(), came[came.len().saturating_sub(256)..]);
                for most in [0, 1, 100, 255, 256, 1000] {
                    let kept = most.min(came.len()).min(256);
                    assert_eq!(last(window.pieces(), most).concat(), came[came.len() - kept..]);
                }
                assert!(window.bytes.capacity() <= 256);
            }
            window.restart(9);
            assert_eq!(window.pieces().concat(), b"");
        }
    }
}
