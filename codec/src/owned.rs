//! A stage (feature `bytes`), for hosts that use [`Bytes`] and [`BytesMut`], and that keep messages.
//!
//! [`Reader`] splits messages off the host's `BytesMut` without copying them. [`SendQueue`] holds frames to be written,
//! and lends them to vectored writes. [`PreparedFrame`] is encoded once and sent to any number of peers. With feature
//! `deflate`, `Message::inflate` is the easy way to inflate a message, and `PreparedMessage` is compressed once for
//! many peers.

mod prepared;
mod queue;

pub use crate::utf8::Utf8Bytes;
#[cfg(feature = "deflate")]
pub use prepared::PreparedMessage;
pub use prepared::{EncodedFrame, PreparedFrame};
pub use queue::SendQueue;

use crate::{
    connection::Receive,
    control::Control,
    error::ProtocolError,
    event::{Event, Kind},
    frame::Rsv,
};
use bytes::{Buf, Bytes, BytesMut};
use core::mem;

/// A whole message, or a control frame. It is owned, and shares the memory into which it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A message that an extension encoded and must decode.
    Encoded {
        /// The kind of the message once it is decoded.
        kind: Kind,
        /// The reserved bits of its first frame.
        rsv: Rsv,
        /// The encoded bytes.
        bytes: Bytes,
    },
    /// A ping (RFC 6455 §5.5.2). [`reply`](crate::Sending::reply) makes its pong, see [`event`](Self::event).
    Ping(Control<'static>),
    /// A pong (RFC 6455 §5.5.3).
    Pong(Control<'static>),
    /// The peer's close (RFC 6455 §5.5.1). [`reply`](crate::Sending::reply) makes the answer.
    Close(Control<'static>),
}

impl Message {
    /// The control frame as an event, for [`reply`](crate::Sending::reply); `None` for data, which needs no reply.
    pub fn event(&self) -> Option<Event<'_>> {
        match self {
            Self::Ping(control) => Some(Event::Ping(Control::lent(control))),
            Self::Pong(control) => Some(Event::Pong(Control::lent(control))),
            Self::Close(control) => Some(Event::Close(Control::lent(control))),
            _ => None,
        }
    }

    /// Inflates a message that is compressed by permessage-deflate (RFC 7692 §7.2.2), and returns any other message
    /// unchanged. The inflated message is in new memory, which grows as it is inflated.
    ///
    /// This is the easy way to inflate. [`Reader`] returns compressed messages whole, so each needs a decompressor only
    /// during this call. A pool with one decompressor then serves any number of peers, and
    /// [`ready`](crate::deflate::Inflater::ready) never returns `None`.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use framewire::deflate::{InflateConfig, InflatePool, Inflater};
    /// use framewire::{Kind, Rsv, Server, extension::DeflateParams, owned::Message};
    ///
    /// let mut pool = InflatePool::new(InflateConfig { messages: 1, ..InflateConfig::default() });
    /// let mut inflater = Inflater::<Server>::new(&DeflateParams::default(), &pool)?;
    ///
    /// // As `Reader::next` returns it.
    /// let bytes = Bytes::from_static(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    /// let message = Message::Encoded { kind: Kind::Text, rsv: Rsv::RSV1, bytes };
    /// if let Some(mut ready) = inflater.ready(&mut pool) {
    ///     assert_eq!(message.inflate(&mut ready)?, Message::Text("Hello".into()));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Ready::inflate_text`](crate::deflate::Ready::inflate_text).
    #[cfg(feature = "deflate")]
    pub fn inflate(self, ready: &mut crate::deflate::Ready<'_>) -> Result<Self, ProtocolError> {
        match self {
            Self::Encoded { kind, rsv, bytes } if rsv.contains(Rsv::RSV1) => Ok(match kind {
                Kind::Text => Self::Text(ready.inflate_text(&bytes)?.into()),
                Kind::Binary => Self::Binary(ready.inflate_binary(&bytes)?.into()),
            }),
            other => Ok(other),
        }
    }
}

/// Takes messages off the front of a `BytesMut`, to which the host only appends.
///
/// A message of one frame is split off the buffer and never copied, however many reads it took to arrive. Only
/// fragments are copied, to put them together. Bytes of an incomplete message wait in the buffer, so its memory grows
/// with the bytes received, up to [`Limits::message`](crate::Limits::message).
///
/// ```
/// use bytes::BytesMut;
/// use framewire::{Connection, Server, Unmasked, owned::{Message, Reader}};
///
/// let mut connection = Connection::<Server>::new();
/// let mut reader = Reader::new();
/// let mut buffer = BytesMut::new();
/// let wire = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut messages = Vec::new();
/// for bytes in wire.chunks(4) {
///     buffer.extend_from_slice(bytes); // a read
///     while let Some(message) = reader.next(&mut connection, &mut buffer)? {
///         if let Some(frame) = message.event().and_then(|event| connection.reply(&event, Unmasked)) {
///             // write the frame
///         }
///         messages.push(message);
///     }
/// }
/// assert_eq!(messages, [Message::Text("Hello".into())]);
/// # Ok::<(), framewire::ProtocolError>(())
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    /// How many bytes at the front of the host's buffer are decoded payload of the open message.
    ready: usize,
    /// The payload before those bytes, from earlier fragments.
    gathered: BytesMut,
}

impl Reader {
    /// A reader for one connection that has not received anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next message off the front of `buffer`. After `Ok(None)`, the host appends the next bytes that it
    /// reads. It must not change the bytes in the buffer, which belong to an incomplete message.
    ///
    /// # Errors
    /// As [`Connection::receive`](crate::Connection::receive). The bytes in the buffer are useless then.
    pub fn next(
        &mut self,
        connection: &mut impl Receive,
        buffer: &mut BytesMut,
    ) -> Result<Option<Message>, ProtocolError> {
        loop {
            let held = buffer.len();
            self.ready = self.ready.min(held);
            let mut input = &mut buffer[self.ready..];
            let event = connection.receive(&mut input)?;
            // The payload of the event ends where the connection stopped. This gives its place in the buffer.
            let end = held - input.len();
            let message = match event {
                None => {
                    buffer.truncate(self.ready); // the connection remembers the rest
                    return Ok(None);
                }
                Some(Event::Text(text)) => {
                    let (at, len) = (text.as_ptr().addr(), text.len());
                    Message::Text(cut_text(buffer, at, len))
                }
                Some(Event::Binary(bytes)) => {
                    let len = bytes.len();
                    Message::Binary(cut(buffer, end, len))
                }
                Some(Event::Part(part)) => {
                    let (kind, rsv, last, len) = (part.kind, part.rsv, part.last, part.bytes().len());
                    if self.ready + len < end {
                        self.gather(buffer, end - len);
                    }
                    self.ready += len;
                    if !last {
                        continue;
                    }
                    let bytes = self.finish(buffer);
                    match kind {
                        _ if !rsv.is_none() => Message::Encoded { kind, rsv, bytes },
                        // Validated again: between two reads, the host can change the bytes in its buffer.
                        Kind::Text => {
                            Message::Text(bytes.try_into().map_err(|_| ProtocolError::InvalidUtf8)?)
                        }
                        Kind::Binary => Message::Binary(bytes),
                    }
                }
                Some(Event::Ping(control)) => {
                    let control = control.into_owned();
                    self.gather(buffer, end);
                    Message::Ping(control)
                }
                Some(Event::Pong(control)) => {
                    let control = control.into_owned();
                    self.gather(buffer, end);
                    Message::Pong(control)
                }
                Some(Event::Close(control)) => {
                    let control = control.into_owned();
                    self.gather(buffer, end);
                    Message::Close(control)
                }
            };
            return Ok(Some(message));
        }
    }

    /// Clears the front of the buffer up to `end`, because the bytes behind the decoded payload are not its
    /// continuation: moves the payload to `gathered`.
    fn gather(&mut self, buffer: &mut BytesMut, end: usize) {
        if self.ready == 0 {
            // No payload waits. An empty `BytesMut` would still share the buffer, so that it could not grow in place.
            buffer.advance(end);
            return;
        }
        let payload = buffer.split_to(mem::take(&mut self.ready));
        buffer.advance(end - payload.len());
        if self.gathered.is_empty() {
            self.gathered = payload;
        } else {
            self.gathered.extend_from_slice(&payload);
        }
    }

    /// The message whose last byte has arrived.
    fn finish(&mut self, buffer: &mut BytesMut) -> Bytes {
        let payload = buffer.split_to(mem::take(&mut self.ready));
        if self.gathered.is_empty() {
            return payload.freeze();
        }
        let mut message = mem::take(&mut self.gathered);
        message.extend_from_slice(&payload);
        message.freeze()
    }
}

/// Splits the `len` bytes that end at `end` off the buffer, and drops the bytes before them.
#[inline]
fn cut(buffer: &mut BytesMut, end: usize, len: usize) -> Bytes {
    buffer.advance(end - len);
    buffer.split_to(len).freeze()
}

/// Splits the `len` bytes at the address `at`, which were just lent as text, off the buffer, and drops the bytes before
/// them.
#[inline]
#[allow(unsafe_code)]
fn cut_text(buffer: &mut BytesMut, at: usize, len: usize) -> Utf8Bytes {
    let start = at - buffer.as_ptr().addr();
    let bytes = cut(buffer, start + len, len);
    // SAFETY: the caller had these bytes as a `&str` at this address, and nothing has written to the buffer since.
    unsafe { Utf8Bytes::new_unchecked(bytes) }
}
