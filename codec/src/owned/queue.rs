//! What is to be written, in order.

use crate::{
    control::ControlFrame,
    frame::HeaderBytes,
    mask::{self, Key},
};
use alloc::collections::VecDeque;
use bytes::{Buf, Bytes, BytesMut};

/// Frames that wait to be written: a [`Buf`], which lends its bytes to one vectored write and forgets what was
/// written of them, wherever a partial write stopped.
///
/// Headers, control frames and small payloads are copied together; larger payloads are referenced where they are.
/// The queue has no bound of its own: how much may wait ([`remaining`](Buf::remaining)) before the host stops
/// reading from the peer is the host's to say.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use bytes::{Buf, Bytes};
/// use framewire::{Connection, Server, owned::SendQueue};
/// use std::io::{IoSlice, Write};
///
/// let mut connection = Connection::<Server>::new();
/// let mut queue = SendQueue::new();
/// let payload = Bytes::from_static(b"Hello");
/// queue.push(connection.binary(&payload).unwrap(), payload);
///
/// let mut socket = Vec::new();
/// while queue.has_remaining() {
///     let mut slices = [IoSlice::new(&[]); 64];
///     let filled = queue.chunks_vectored(&mut slices);
///     let written = socket.write_vectored(&slices[..filled])?;
///     queue.advance(written);
/// }
/// assert_eq!(socket, b"\x82\x05Hello");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct SendQueue {
    /// In order, before `tail`. None of them is empty.
    pieces: VecDeque<Bytes>,
    /// What was copied since the last piece.
    tail: BytesMut,
    /// Bytes in `pieces`.
    in_pieces: usize,
}

impl SendQueue {
    /// Payloads of less than this many bytes are copied: a copy in cache costs less than a piece of its own.
    pub const COPY_BELOW: usize = 1024;

    /// A queue with nothing in it, and no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a frame. A client's payload is masked already, or goes by [`push_masked`](Self::push_masked).
    pub fn push(&mut self, header: HeaderBytes, payload: Bytes) {
        self.tail.extend_from_slice(&header);
        self.push_bytes(payload);
    }

    /// Queues a frame whose payload, as it goes on the wire, is copied: one that is only lent, such as a compressed one.
    pub fn push_copied(&mut self, header: HeaderBytes, payload: &[u8]) {
        self.tail.extend_from_slice(&header);
        self.tail.extend_from_slice(payload);
    }

    /// Queues a frame of a client and masks a copy of its payload with the key that the header was made with; the
    /// payload itself stays as it is.
    pub fn push_masked(&mut self, header: HeaderBytes, key: Key, payload: &[u8]) {
        self.tail.extend_from_slice(&header);
        let start = self.tail.len();
        self.tail.extend_from_slice(payload);
        mask::apply(key, &mut self.tail[start..]);
    }

    /// Queues a control frame.
    pub fn push_control(&mut self, frame: &ControlFrame) {
        self.tail.extend_from_slice(frame);
    }

    /// Queues bytes that are a whole frame, or the next of a payload whose header went before.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() < Self::COPY_BELOW {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        for piece in [self.tail.split().freeze(), bytes] {
            if !piece.is_empty() {
                self.in_pieces += piece.len();
                self.pieces.push_back(piece);
            }
        }
    }
}

impl Buf for SendQueue {
    fn remaining(&self) -> usize {
        self.in_pieces + self.tail.len()
    }

    fn chunk(&self) -> &[u8] {
        match self.pieces.front() {
            Some(piece) => piece,
            None => &self.tail,
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let tail = Some(&self.tail[..]).filter(|tail| !tail.is_empty());
        let pieces = self.pieces.iter().map(|piece| &piece[..]).chain(tail);
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = std::io::IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// Forgets the first `n` bytes, which are written; all of them where there are fewer.
    fn advance(&mut self, mut n: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let step = n.min(piece.len());
            piece.advance(step);
            self.in_pieces -= step;
            n -= step;
            if !piece.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
        self.tail.advance(n.min(self.tail.len()));
    }
}
