//! What is received and sent.

use crate::close::Closed;
use bytes::Bytes;
use framewire::{Kind, owned::Utf8Bytes};

/// A whole message (RFC 6455 §5.6). A clone shares its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, which is known to be UTF-8.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// What [`WebSocket::next_event`](crate::WebSocket::next_event) receives: messages, and the control frames that
/// [`recv`](crate::WebSocket::recv) handles without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message.
    Message(Message),
    /// A ping (RFC 6455 §5.5.2). Its pong is queued already.
    Ping(Bytes),
    /// A pong (RFC 6455 §5.5.3), also one that answers a keepalive ping.
    Pong(Bytes),
    /// The peer's close (RFC 6455 §5.5.1). The answer is queued already; the next event is `None`.
    Close(Closed),
}

impl Message {
    /// The number of bytes of the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Binary(_) => None,
        }
    }

    /// The bytes of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_str().as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The bytes of either kind, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.into_parts().1
    }

    #[inline]
    pub(crate) fn into_parts(self) -> (Kind, Bytes) {
        match self {
            Self::Text(text) => (Kind::Text, text.into_bytes()),
            Self::Binary(bytes) => (Kind::Binary, bytes),
        }
    }
}

impl From<Utf8Bytes> for Message {
    fn from(text: Utf8Bytes) -> Self {
        Self::Text(text)
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&'static [u8]> for Message {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Binary(Bytes::from_static(bytes))
    }
}
