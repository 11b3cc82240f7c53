//! Gathers frames for one vectored write, without moving their payloads.

use crate::socket::Socket;
use arrayvec::ArrayVec;
use std::io::IoSlice;

/// The most frames in one write.
const FRAMES: usize = 64;

/// Headers by value, payloads by reference.
pub(super) struct Gather<'a, H> {
    socket: &'a Socket,
    frames: ArrayVec<(H, &'a [u8]), FRAMES>,
}

impl<'a, H: AsRef<[u8]>> Gather<'a, H> {
    #[inline]
    pub(super) fn new(socket: &'a Socket) -> Self {
        Self { socket, frames: ArrayVec::new() }
    }

    /// Adds a frame. Writes first if there is no room for another.
    #[inline]
    pub(super) fn push(&mut self, header: H, payload: &'a [u8]) {
        self.frames.push((header, payload));
        if self.frames.is_full() {
            self.flush();
        }
    }

    /// Writes all frames.
    #[inline]
    pub(super) fn flush(&mut self) {
        let mut slices = ArrayVec::<_, { 2 * FRAMES }>::new();
        for (header, payload) in &self.frames {
            slices.push(IoSlice::new(header.as_ref()));
            slices.push(IoSlice::new(payload));
        }
        if !slices.is_empty() {
            self.socket.write_vectored(&slices);
        }
        drop(slices);
        self.frames.clear();
    }
}
