//! Sending: compresses a long message in steps.

use super::{
    budget::Instant,
    deflate_pool::{Context, DeflatePool, Piece},
    deflater::Deflater,
};
use crate::{
    connection::{Role, Sending, whole_header},
    error::SendError,
    event::Kind,
    frame::{HeaderBytes, Rsv},
    mask::{self, Key},
};
use alloc::{boxed::Box, vec::Vec};
use core::{fmt, ops::ControlFlow};

/// A message that is compressed in steps. [`Deflater::begin`] makes it, and shows how it is used.
///
/// Between two steps, it holds the payload, and in at most as much memory again what is compressed of it, but no
/// compressor.
#[must_use = "the connection counts this message as sent: compress all of it, and write its frame"]
pub struct Deflating {
    kind: Kind,
    key: Option<Key>,
    payload: Vec<u8>,
    /// The first `taken` bytes of the payload, compressed.
    compressed: Vec<u8>,
    taken: usize,
    number: u32,
    /// From the first step on.
    lent: Option<Lent>,
}

/// A frame to be written: a whole message that was compressed in steps.
#[must_use = "the connection counts this frame as sent: write all of it"]
pub struct Deflated {
    header: HeaderBytes,
    payload: Vec<u8>,
}

/// What a message needs to be compressed.
struct Lent {
    bits: u8,
    /// The bytes before the message, to which it may refer. The message is pushed at its end, if it is sent compressed.
    context: Option<Box<Context>>,
    number: Instant,
}

impl<R: Role> Deflater<R> {
    /// Begins a whole message that is compressed in steps, so that a long one does not hold up other connections. Its
    /// frame is that of [`message`](Self::message), apart from a few bytes for each step. A client's payload is masked
    /// at the end, in one go. The caller promises that a text is UTF-8.
    ///
    /// The connection counts the message as sent from now on: write its frame before all data frames and closes that
    /// are made later. (Pings and pongs may overtake it.) From its first step to its last, other messages are sent
    /// uncompressed. If it is dropped in between, all later ones are. It is sent uncompressed itself if a message that was
    /// made later has been compressed before its first step: so begin messages in the order in which you step them.
    ///
    /// ```
    /// use framewire::deflate::{DeflatePool, Deflater};
    /// use framewire::{Connection, Kind, Rsv, Server, Unmasked, extension::DeflateParams};
    /// use std::ops::ControlFlow;
    ///
    /// let mut connection = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
    /// let (mut deflater, mut pool) = (Deflater::<Server>::new(&DeflateParams::default()), DeflatePool::default());
    ///
    /// let text = "again ".repeat(100_000);
    /// let mut deflating = deflater.begin(&mut connection, Kind::Text, text.into_bytes(), Unmasked)?;
    /// let frame = loop {
    ///     match deflating.step(&mut deflater, &mut pool, 64 << 10) {
    ///         ControlFlow::Continue(more) => deflating = more, // other connections have their turn
    ///         ControlFlow::Break(frame) => break frame,
    ///     }
    /// };
    /// let mut tx = Vec::new();
    /// frame.append_to(&mut tx);
    /// assert!(tx[0] == 0xC1 && tx.len() < 10_000); // a text, with RSV1
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`]; and [`SendError::ReservedBit`] if the connection was not told
    /// of the extension, with [`with_extension_bits`](crate::Connection::with_extension_bits).
    pub fn begin(
        &mut self,
        connection: &mut Sending<R>,
        kind: Kind,
        payload: Vec<u8>,
        key: R::Key,
    ) -> Result<Deflating, SendError> {
        connection.may_send_message()?;
        connection.may_set(Rsv::RSV1)?;
        let (key, number) = (key.into(), self.number());
        Ok(Deflating { kind, key, payload, compressed: Vec::new(), taken: 0, number, lent: None })
    }
}

impl Deflating {
    /// Compresses the next bytes of the payload, at most `most`, but at least one. Returns the frame after the last ones.
    /// Each step may use another pool.
    ///
    /// The deflater must be the one with which the message was begun: it lends its window to the message.
    pub fn step<R: Role>(
        mut self,
        deflater: &mut Deflater<R>,
        pool: &mut DeflatePool,
        most: usize,
    ) -> ControlFlow<Deflated, Self> {
        let lent = match self.lent.take() {
            Some(lent) => lent,
            None => match deflater.lend(self.number, &self.payload, pool) {
                Some((bits, context)) => Lent { bits, context, number: pool.number() },
                None => return ControlFlow::Break(self.finish(false)),
            },
        };
        let last = self.remaining() <= most;
        let (len, index) = self.compress(&lent, pool, most.max(1), last);
        if !self.append(pool.compressed(len)) {
            deflater.take_back(lent.context);
            return ControlFlow::Break(self.finish(false));
        }
        if !last {
            if let Some(index) = index {
                pool.leave(index, (lent.number, self.taken as u64));
            }
            self.lent = Some(lent);
            return ControlFlow::Continue(self);
        }
        let mut context = lent.context;
        if let Some(context) = &mut context {
            context.window.push(&self.payload);
            if let Some(index) = index {
                pool.leave(index, context.id());
            }
        }
        deflater.take_back(context);
        ControlFlow::Break(self.finish(true))
    }

    /// How many bytes of the payload are not compressed yet.
    pub fn remaining(&self) -> usize {
        self.payload.len() - self.taken
    }

    /// Compresses the next bytes, and returns their length in the pool's buffer, and the compressor that has done it.
    /// They are stored, without a compressor, if they would not become shorter.
    fn compress(
        &mut self,
        lent: &Lent,
        pool: &mut DeflatePool,
        most: usize,
        last: bool,
    ) -> (usize, Option<usize>) {
        let (done, rest) = self.payload.split_at(self.taken);
        let bytes = &rest[..most.min(rest.len())];
        self.taken += bytes.len();
        let context = lent.context.as_deref();
        let [older, newer] = context.map_or([&[][..]; 2], |context| context.window.pieces());
        let from =
            if done.is_empty() { context.map(Context::id) } else { Some((lent.number, done.len() as u64)) };
        let (message, bits) = (self.payload.len(), lent.bits);
        let piece = Piece { bytes, before: [older, newer, done], from, message, bits, last };
        match pool.compress_piece(&piece) {
            Some((len, index)) => (len, Some(index)),
            None => (pool.store(bytes, None, last), None),
        }
    }

    /// Appends compressed bytes, unless the message would then not become shorter. Returns whether it did. Memory grows
    /// as that of a `Vec`, but not beyond the length of the payload.
    fn append(&mut self, bytes: &[u8]) -> bool {
        let len = self.compressed.len() + bytes.len();
        if len >= self.payload.len() {
            return false;
        }
        if len > self.compressed.capacity() {
            let capacity = len.max(2 * self.compressed.len()).min(self.payload.len());
            self.compressed.reserve_exact(capacity - self.compressed.len());
        }
        self.compressed.extend_from_slice(bytes);
        true
    }

    fn finish(self, compressed: bool) -> Deflated {
        let (rsv, mut payload) =
            if compressed { (Rsv::RSV1, self.compressed) } else { (Rsv::NONE, self.payload) };
        if let Some(key) = self.key {
            mask::apply(key, &mut payload);
        }
        Deflated { header: whole_header(self.kind, rsv, payload.len() as u64, self.key), payload }
    }
}

impl Deflated {
    /// Appends the frame to a buffer that is to be written.
    pub fn append_to(self, buffer: &mut Vec<u8>) {
        self.header.append_to(buffer);
        buffer.extend_from_slice(&self.payload);
    }

    /// The header of the frame, for a vectored write.
    #[must_use = "write it, and the payload after it"]
    pub const fn header(&self) -> &HeaderBytes {
        &self.header
    }

    /// The payload as it goes on the wire: compressed or not, and masked by a client. It is written after the header.
    #[must_use = "write it after the header"]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The header and the payload.
    pub(crate) fn into_parts(self) -> (HeaderBytes, Vec<u8>) {
        (self.header, self.payload)
    }
}

/// The payload is left out: it may be long, and private.
impl fmt::Debug for Deflating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflating")
            .field("kind", &self.kind)
            .field("len", &self.payload.len())
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

/// The payload is left out: it may be long, and private.
impl fmt::Debug for Deflated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflated").field("header", &self.header).finish_non_exhaustive()
    }
}
