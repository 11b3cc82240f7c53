//! A queue of frames to be written.

#[cfg(feature = "deflate")]
use crate::deflate::{Deflated, Outgoing};
use crate::{
    connection::{Role, Sending},
    control::ControlFrame,
    error::SendError,
    event::Kind,
    frame::{HeaderBytes, Rsv},
    mask::{self, Key},
    utf8::Utf8Bytes,
};
use alloc::{collections::VecDeque, vec::Vec};
use bytes::{Buf, Bytes};

/// Frames that wait to be written. The queue is a [`Buf`]: it lends its bytes to vectored writes, and drops as many as
/// a write took.
///
/// Headers, control frames and small payloads are copied into one buffer; larger payloads are referenced. A client's
/// payload is masked here: in its own memory if nothing else refers to it, otherwise in a copy.
///
/// The queue has no limit of its own. The host stops reading from the peer once too many bytes wait
/// ([`remaining`](Buf::remaining)). An empty queue keeps at most a few KiB of memory.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use bytes::{Buf, Bytes};
/// use framewire::{Connection, Server, Unmasked, owned::SendQueue};
/// use std::io::{IoSlice, Write};
///
/// let mut connection = Connection::<Server>::new();
/// let mut queue = SendQueue::new();
/// queue.push_binary(&mut connection, Bytes::from_static(b"Hello"), Unmasked).unwrap();
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
    /// Headers, control frames and small payloads. The first `written` bytes are written.
    copied: Vec<u8>,
    written: usize,
    /// The payloads that are referenced, in order.
    pieces: VecDeque<Piece>,
    /// How many bytes of `copied` precede the last piece.
    placed: usize,
    /// The number of bytes in `pieces`.
    in_pieces: usize,
}

/// A payload that is referenced, and the number of copied bytes between it and the piece before.
#[derive(Debug)]
struct Piece {
    copied: usize,
    bytes: Bytes,
}

impl SendQueue {
    /// Payloads of fewer bytes are copied: this costs less than one more piece.
    pub const COPY_BELOW: usize = 2048;

    /// The most memory for copied bytes that an empty queue keeps.
    const KEEP: usize = 4 << 10;
    const KEEP_PIECES: usize = 16;

    /// An empty queue, without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no bytes wait.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Frees the memory that an empty queue keeps, for a connection that will send nothing for a while. Does nothing if
    /// bytes wait.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// How many bytes of memory the queue holds for copied bytes, also while it is empty.
    pub fn capacity(&self) -> usize {
        self.copied.capacity()
    }

    /// Queues a text message (RFC 6455 §5.6).
    ///
    /// # Errors
    /// As [`Sending::text_header`]; nothing is queued then.
    pub fn push_text<R: Role>(
        &mut self,
        connection: &mut Sending<R>,
        text: Utf8Bytes,
        key: R::Key,
    ) -> Result<(), SendError> {
        self.push_message(connection, Kind::Text, Rsv::NONE, text.into_bytes(), key)
    }

    /// Queues a binary message (RFC 6455 §5.6).
    ///
    /// # Errors
    /// As [`Sending::binary_header`]; nothing is queued then.
    pub fn push_binary<R: Role>(
        &mut self,
        connection: &mut Sending<R>,
        payload: Bytes,
        key: R::Key,
    ) -> Result<(), SendError> {
        self.push_message(connection, Kind::Binary, Rsv::NONE, payload, key)
    }

    /// Queues a message, for example one that an extension encoded with the bits `rsv`. The caller promises that a text
    /// is UTF-8 once decoded.
    ///
    /// # Errors
    /// As [`Sending::message_header`]; nothing is queued then.
    pub fn push_message<R: Role>(
        &mut self,
        connection: &mut Sending<R>,
        kind: Kind,
        rsv: Rsv,
        payload: Bytes,
        key: R::Key,
    ) -> Result<(), SendError> {
        let header = connection.message_header(kind, rsv, payload.len() as u64, key)?;
        self.push_frame(header, payload, key.into());
        Ok(())
    }

    /// Queues the next fragment of a message (RFC 6455 §5.4), as [`Sending::fragment_header`] describes.
    ///
    /// # Errors
    /// As [`Sending::fragment_header`]; nothing is queued then.
    pub fn push_fragment<R: Role>(
        &mut self,
        connection: &mut Sending<R>,
        kind: Kind,
        rsv: Rsv,
        payload: Bytes,
        last: bool,
        key: R::Key,
    ) -> Result<(), SendError> {
        let header = connection.fragment_header(kind, rsv, payload.len() as u64, last, key)?;
        self.push_frame(header, payload, key.into());
        Ok(())
    }

    /// Queues a copy of a frame that a [`Deflater`](crate::deflate::Deflater) made.
    #[cfg(feature = "deflate")]
    pub fn push_outgoing(&mut self, frame: Outgoing<'_>) {
        frame.append_to(&mut self.copied);
    }

    /// Queues a message that was [compressed in steps](crate::deflate::Deflater::begin).
    #[cfg(feature = "deflate")]
    pub fn push_deflated(&mut self, frame: Deflated) {
        let (header, payload) = frame.into_parts();
        header.append_to(&mut self.copied);
        self.push_bytes(payload);
    }

    /// Queues a control frame.
    pub fn push_control(&mut self, frame: ControlFrame) {
        self.copied.extend_from_slice(&frame);
    }

    /// Queues whole frames that are already encoded, for example an [`EncodedFrame`](super::EncodedFrame).
    pub fn push_bytes(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if bytes.len() < Self::COPY_BELOW {
            self.copied.extend_from_slice(&bytes);
            return;
        }
        self.in_pieces += bytes.len();
        let copied = self.copied.len() - self.placed.max(self.written);
        self.pieces.push_back(Piece { copied, bytes });
        self.placed = self.copied.len();
    }

    /// Queues a copy of these bytes.
    #[cfg(feature = "std")]
    pub(crate) fn push_copy(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    fn push_frame(&mut self, header: HeaderBytes, payload: Bytes, key: Option<Key>) {
        header.append_to(&mut self.copied);
        let Some(key) = key else { return self.push_bytes(payload) };
        if payload.len() >= Self::COPY_BELOW {
            return self.push_bytes(masked(key, payload));
        }
        let start = self.copied.len();
        self.copied.extend_from_slice(&payload);
        mask::apply(key, &mut self.copied[start..]);
    }

    /// Gives memory back. An empty queue keeps little. Another queue drops its written bytes once they are more than
    /// half, and memory that is more than four times the rest.
    fn release(&mut self) {
        if self.written == self.copied.len() && self.pieces.is_empty() {
            self.copied.clear();
            (self.written, self.placed) = (0, 0);
            if self.copied.capacity() > Self::KEEP {
                self.copied = Vec::new();
            }
            if self.pieces.capacity() > Self::KEEP_PIECES {
                self.pieces = VecDeque::new();
            }
        } else if self.written > Self::KEEP && self.written > self.copied.len() / 2 {
            self.copied.drain(..self.written);
            self.placed = self.placed.saturating_sub(self.written);
            self.written = 0;
            let enough = self.copied.len().max(Self::KEEP);
            if self.copied.capacity() > 4 * enough {
                self.copied.shrink_to(2 * enough);
            }
        }
    }
}

/// Masks the payload: in its own memory if nothing else refers to it, otherwise in a copy.
fn masked(key: Key, payload: Bytes) -> Bytes {
    match payload.try_into_mut() {
        Ok(mut payload) => {
            mask::apply(key, &mut payload);
            payload.freeze()
        }
        Err(shared) => {
            let mut copy = shared.to_vec();
            mask::apply(key, &mut copy);
            copy.into()
        }
    }
}

impl Buf for SendQueue {
    fn remaining(&self) -> usize {
        self.copied.len() - self.written + self.in_pieces
    }

    fn chunk(&self) -> &[u8] {
        let copied = &self.copied[self.written..];
        match self.pieces.front() {
            Some(Piece { copied: 0, bytes }) => bytes,
            Some(piece) => &copied[..piece.copied],
            None => copied,
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let (mut copied, mut filled) = (&self.copied[self.written..], 0);
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

    /// Drops the first `n` bytes, which are written, or all bytes if there are fewer.
    fn advance(&mut self, mut n: usize) {
        while let Some(Piece { copied, bytes }) = self.pieces.front_mut() {
            if n < *copied + bytes.len() {
                let step = n.min(*copied);
                *copied -= step;
                self.written += step;
                bytes.advance(n - step);
                self.in_pieces -= n - step;
                return self.release();
            }
            n -= *copied + bytes.len();
            self.written += *copied;
            self.in_pieces -= bytes.len();
            self.pieces.pop_front();
        }
        self.written += n.min(self.copied.len() - self.written);
        self.release();
    }
}
