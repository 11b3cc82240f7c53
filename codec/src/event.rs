//! The events that a [`Connection`](crate::Connection) returns.

use crate::{control::Control, frame::Rsv, utf8::Validator};

/// An item that arrived. An event borrows the host's receive buffer and nothing else, so the connection can send a
/// reply while the host holds the event.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A whole text message: one frame, all of it in the buffer.
    Text(&'b str),
    /// A whole binary message: one frame, all of it in the buffer.
    Binary(&'b mut [u8]),
    /// The next bytes of a message that is fragmented, not wholly in the buffer, or encoded by an extension.
    Part(Part<'b>),
    /// A ping (RFC 6455 §5.5.2). [`reply`](crate::Sending::reply) makes its pong.
    Ping(Control<'b>),
    /// A pong, asked for or not (RFC 6455 §5.5.3).
    Pong(Control<'b>),
    /// The peer's close (RFC 6455 §5.5.1): [`as_close`](Control::as_close) returns its code and reason. Bytes after it
    /// are discarded.
    Close(Control<'b>),
}

/// Bytes of one message (RFC 6455 §5.4), as they arrived. They are empty only if a message ends with an empty fragment,
/// or if one that was inflated fills the part before.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// Whether the message is text or binary.
    pub kind: Kind,
    /// The reserved bits of the message's first frame. If there are any, an extension encoded the bytes and must decode
    /// them; the bytes of a text are then not validated yet.
    pub rsv: Rsv,
    /// Whether the message ends here.
    pub last: bool,
    bytes: &'b mut [u8],
    span: Span,
}

/// A record of the validation of a piece of a text: its states before and after. Pieces form a valid text if each one
/// begins in the state in which the one before it ended.
///
/// Only validation makes one, since [`Assembled`](crate::Assembled) relies on it. Whoever puts it into a [`Part`] puts the
/// bytes there that were validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    before: Validator,
    after: Validator,
}

impl Span {
    /// For bytes that were not validated: no text continues with them.
    pub(crate) const NONE: Self = Self { before: Validator::FAILED, after: Validator::FAILED };

    /// For a piece that took a validator from one state to the other.
    #[inline(always)]
    pub(crate) const fn new(before: Validator, after: Validator) -> Self {
        Self { before, after }
    }

    /// For a whole text.
    #[cfg(feature = "alloc")]
    pub(crate) const fn of(_: &str) -> Self {
        Self { before: Validator::new(), after: Validator::new() }
    }

    /// The state of a text after this piece, if `text` is its state before; otherwise it has failed.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn after(self, text: Validator) -> Validator {
        if text == self.before { self.after } else { Validator::FAILED }
    }
}

impl<'b> Part<'b> {
    /// A part that the host made, for example by an extension of its own. Its bytes count as not validated.
    pub const fn new(kind: Kind, rsv: Rsv, bytes: &'b mut [u8], last: bool) -> Self {
        Self { kind, rsv, last, bytes, span: Span::NONE }
    }

    /// A part whose bytes were validated, unless the span is [`Span::NONE`].
    #[inline]
    pub(crate) const fn checked(kind: Kind, rsv: Rsv, bytes: &'b mut [u8], last: bool, span: Span) -> Self {
        Self { kind, rsv, last, bytes, span }
    }

    /// The unmasked bytes. Those of a text without an extension are valid UTF-8, except that they may begin or end
    /// inside a character.
    #[inline]
    pub const fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The bytes, to work on in place.
    #[inline]
    pub const fn into_bytes(self) -> &'b mut [u8] {
        self.bytes
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn span(&self) -> Span {
        self.span
    }
}

/// The kind of a message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}
