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
    /// What was copied, in one piece: headers, control frames, small payloads.
    copied: BytesMut,
    /// What is referenced, in order.
    pieces: VecDeque<Piece>,
    /// Bytes in `copied` that go before some piece.
    placed: usize,
    /// Bytes in `pieces`.
    in_pieces: usize,
}

/// So many of the copied bytes, and then these.
#[derive(Debug)]
struct Piece {
    copied: usize,
    bytes: Bytes,
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
        self.copied.extend_from_slice(&header);
        self.push_bytes(payload);
    }

    /// Queues a frame whose payload, as it goes on the wire, is copied: one that is only lent, such as a compressed one.
    pub fn push_copied(&mut self, header: HeaderBytes, payload: &[u8]) {
        self.copied.extend_from_slice(&header);
        self.copied.extend_from_slice(payload);
    }

    /// Queues a frame of a client and masks a copy of its payload with the key that the header was made with; the
    /// payload itself stays as it is.
    pub fn push_masked(&mut self, header: HeaderBytes, key: Key, payload: &[u8]) {
        self.copied.extend_from_slice(&header);
        let start = self.copied.len();
        self.copied.extend_from_slice(payload);
        mask::apply(key, &mut self.copied[start..]);
    }

    /// Queues a control frame.
    pub fn push_control(&mut self, frame: &ControlFrame) {
        self.copied.extend_from_slice(frame);
    }

    /// Queues bytes that are a whole frame, or the next of a payload whose header went before.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() < Self::COPY_BELOW {
            self.copied.extend_from_slice(&bytes);
            return;
        }
        self.in_pieces += bytes.len();
        self.pieces.push_back(Piece { copied: self.copied.len() - self.placed, bytes });
        self.placed = self.copied.len();
    }
}

impl Buf for SendQueue {
    fn remaining(&self) -> usize {
        self.copied.len() + self.in_pieces
    }

    fn chunk(&self) -> &[u8] {
        match self.pieces.front() {
            Some(Piece { copied: 0, bytes }) => bytes,
            Some(piece) => &self.copied[..piece.copied],
            None => &self.copied,
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let (mut copied, mut filled) = (&self.copied[..], 0);
        let mut lend = |chunk: &'a [u8]| {
            if let Some(slice) = slices.get_mut(filled).filter(|_| !chunk.is_empty()) {
                *slice = std::io::IoSlice::new(chunk);
                filled += 1;
            }
            filled < slices.len()
        };
        for piece in &self.pieces {
            let before;
            (before, copied) = copied.split_at(piece.copied);
            if !lend(before) || !lend(&piece.bytes) {
                return filled;
            }
        }
        lend(copied);
        filled
    }

    /// Forgets the first `n` bytes, which are written; all of them where there are fewer.
    fn advance(&mut self, mut n: usize) {
        let mut copied = 0; // all at once, behind the loop
        while let Some(Piece { copied: before, bytes }) = self.pieces.front_mut() {
            if n < *before + bytes.len() {
                let step = n.min(*before);
                *before -= step;
                copied += step;
                bytes.advance(n - step);
                self.in_pieces -= n - step;
                break;
            }
            n -= *before + bytes.len();
            copied += *before;
            self.in_pieces -= bytes.len();
            self.pieces.pop_front();
        }
        self.placed -= copied;
        if self.pieces.is_empty() {
            copied += n;
        }
        self.copied.advance(copied.min(self.copied.len()));
    }
}
