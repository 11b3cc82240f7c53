//! What a [`Connection`](crate::Connection) hands to the host.

use crate::{control::Control, frame::Rsv};

/// What arrived. It borrows the host's receive buffer and nothing else: the connection stays free for replies.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A whole text message: one frame, and all of it was in hand.
    Text(&'b str),
    /// A whole binary message: one frame, and all of it was in hand.
    Binary(&'b mut [u8]),
    /// The next bytes of a message that is fragmented, that was not wholly in hand, or that an extension coded.
    Part(Part<'b>),
    /// A ping (RFC 6455 §5.5.2). [`reply`](crate::Connection::reply) makes its pong.
    Ping(Control<'b>),
    /// A pong, asked for or not (RFC 6455 §5.5.3).
    Pong(Control<'b>),
    /// The peer closes (RFC 6455 §5.5.1); `payload.as_close()` has the code and the reason. Nothing that follows is interpreted.
    Close(Control<'b>),
}

/// Bytes of one message, as they arrived. Empty only where a message ends with an empty fragment.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// What the message is.
    pub kind: Kind,
    /// The reserved bits of the message's first frame. Where there are any, the bytes are an extension's to decode:
    /// also those of a text, which are not yet known to be UTF-8.
    pub rsv: Rsv,
    /// The bytes, unmasked. Those of a text may end inside a character; up to there they are UTF-8.
    pub bytes: &'b mut [u8],
    /// Whether the message ends here.
    pub last: bool,
}

/// What a message is (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}
