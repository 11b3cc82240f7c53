//! A stage (bytes): for hosts that live on [`Bytes`] and [`BytesMut`], and that keep messages.
//!
//! [`Reader`] cuts messages out of the host's `BytesMut` without copying them; [`SendQueue`] holds what is to be
//! written and lends it to vectored writes; [`PreparedFrame`] is encoded once and sent to any number of peers.

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

/// A whole message, or a control frame. Owned: it shares the memory into which it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A message that an extension encoded and must decode.
    Encoded {
        /// What the message will be.
        kind: Kind,
        /// The reserved bits of its first frame.
        rsv: Rsv,
        /// Its bytes, encoded.
        bytes: Bytes,
    },
    /// A ping.
    Ping(Control<'static>),
    /// A pong.
    Pong(Control<'static>),
    /// The peer closes.
    Close(Control<'static>),
}

impl Message {
    /// A control frame as the event that [`reply`](crate::SendHalf::reply) takes; `None` for data.
    pub fn event(&self) -> Option<Event<'_>> {
        match self {
            Self::Ping(control) => Some(Event::Ping(Control::lent(control))),
            Self::Pong(control) => Some(Event::Pong(Control::lent(control))),
            Self::Close(control) => Some(Event::Close(Control::lent(control))),
            _ => None,
        }
    }

    /// Inflates a message that permessage-deflate encoded (RFC 7692 §7.2.2); returns any other message unchanged. The inflated message is
    /// new memory, which grows with what comes out.
    ///
    /// A host on [`Reader`] has compressed messages whole, so that each needs a decompressor for the length of this
    /// call only: a pool of one serves any number of peers, and is always ready.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use framewire::deflate::{InflateConfig, InflatePool, Inflater};
    /// use framewire::{Kind, Rsv, Server, extension::DeflateParams, owned::Message};
    ///
    /// let mut pool = InflatePool::new(InflateConfig { messages: 1, ..InflateConfig::default() });
    /// let mut inflater = Inflater::<Server>::new(&DeflateParams::default(), &pool)?;
    ///
    /// // What `Reader::next` gives.
    /// let bytes = Bytes::from_static(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    /// let message = Message::Encoded { kind: Kind::Text, rsv: Rsv::RSV1, bytes };
    /// if let Some(mut ready) = inflater.ready(&mut pool) {
    ///     assert_eq!(message.inflate(&mut ready)?, Message::Text("Hello".into()));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Inflated::next_part`](crate::deflate::Inflated::next_part).
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

/// Reads messages out of a `BytesMut` that the host only appends to.
///
/// A message of one frame is cut out of the buffer and never copied, however many reads it took to arrive; only
/// the fragments of a message, between which headers stand, are moved together. What has arrived of a message
/// waits in the buffer, so its memory grows with the bytes received, up to [`Limits::message`](crate::Limits).
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
    /// Payload of the open message, decoded, that waits at the front of the host's buffer.
    ready: usize,
    /// Payload that came before it, from fragments that headers or control frames set apart.
    gathered: BytesMut,
}

impl Reader {
    /// A reader for a connection that has received nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next message off the front of `buffer`. After `Ok(None)`, the host appends what it reads, and
    /// leaves what is in the buffer alone: it belongs to a message that is not whole.
    ///
    /// # Errors
    /// As [`Connection::receive`](crate::Connection::receive). What is in the buffer is useless then.
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
            // Payload ends where the connection left off: that is how an event becomes a place in the buffer.
            let end = held - input.len();
            let message = match event {
                None => {
                    buffer.truncate(self.ready); // what the connection remembers need not stand here
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

    /// Clears the front of the buffer up to `end`, where something else than the waiting payload's continuation
    /// stands behind it.
    fn gather(&mut self, buffer: &mut BytesMut, end: usize) {
        if self.ready == 0 {
            // Nothing waits. A handle on nothing would share the buffer all the same, which could not grow in place then.
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

/// Cuts the `len` bytes that end at `end` out of the buffer, and drops what stands before them.
#[inline]
fn cut(buffer: &mut BytesMut, end: usize, len: usize) -> Bytes {
    buffer.advance(end - len);
    buffer.split_to(len).freeze()
}

/// Cuts the `len` bytes at the address `at` out of the buffer, which were just lent as text, and drops what stands
/// before them.
#[inline]
#[allow(unsafe_code)]
fn cut_text(buffer: &mut BytesMut, at: usize, len: usize) -> Utf8Bytes {
    let start = at - buffer.as_ptr().addr();
    let bytes = cut(buffer, start + len, len);
    // SAFETY: the caller had them as a `&str` at this very address, and nothing has written to the buffer since.
    unsafe { Utf8Bytes::new_unchecked(bytes) }
}
