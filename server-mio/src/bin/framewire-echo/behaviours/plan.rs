//! What a connection does, as its URL asks.

use framewire::{CloseCode, Kind};
use std::time::Duration;

/// What a connection does. The default is an echo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) opening: Opening,
    pub(super) replies: Replies,
    pub(super) wire: Wire,
    pub(super) own: Own,
    pub(super) ending: Option<Ending>,
    pub(super) after: Option<After>,
    /// The reason in the server's close.
    pub(super) reason: String,
    pub(super) close_reply: Answer,
    pub(super) pong: Answer,
}

/// The opening handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) delay: Duration,
    /// Only so many bytes of the response are sent.
    pub(super) cut: Option<usize>,
    /// The status of a response that does not open a WebSocket, and where it leads.
    pub(super) status: Option<u16>,
    pub(super) location: Option<String>,
    /// The token that the client must have.
    pub(super) bearer: Option<String>,
    pub(super) accept: Accept,
    /// Chosen whether the client asked for it or not.
    pub(super) subprotocol: Option<String>,
    /// The value of `Sec-WebSocket-Extensions`.
    pub(super) extension: Option<String>,
}

/// The value of `Sec-WebSocket-Accept`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Accept {
    #[default]
    Right,
    Wrong,
    Missing,
}

/// The answers to messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replies {
    pub(super) none: bool,
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) seed: Option<u64>,
}

/// How bytes and frames are sent and received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wire {
    /// The most bytes of payload in a frame.
    pub(super) fragment: Option<usize>,
    /// Bytes a second.
    pub(super) rate: Option<u64>,
    pub(super) read_rate: Option<u64>,
    /// The most bytes in a write, and the pause after it.
    pub(super) slice: Option<usize>,
    pub(super) gap: Duration,
    /// The longest message of the client.
    pub(super) max_message: Option<u64>,
}

/// What the server sends of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) greeting: Option<String>,
    pub(super) headers: bool,
    pub(super) stats: bool,
    /// How many messages, of which size, and how often.
    pub(super) push: u64,
    pub(super) push_size: usize,
    pub(super) push_every: Duration,
    pub(super) push_kind: Kind,
    pub(super) ping: Option<Duration>,
}

/// How the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A close with this code; [`CloseCode::NO_STATUS`]: without one.
    Close(CloseCode),
    /// A reset.
    Abort,
    /// The server closes its side, and still reads.
    HalfClose,
    /// The stream ends without a close frame.
    Drop,
    /// The server neither reads nor writes any more.
    Silence,
}

/// When it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Once so many messages were received, and those before them answered.
    Messages(u64),
    /// So long after the handshake.
    Time(Duration),
    /// Once so many bytes of frames were sent.
    Bytes(u64),
}

/// Whether, and how late, the server answers a control frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answer {
    #[default]
    AtOnce,
    Late(Duration),
    Never,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            opening: Opening::default(),
            replies: Replies::default(),
            wire: Wire::default(),
            own: Own {
                greeting: None,
                headers: false,
                stats: false,
                push: 0,
                push_size: 16,
                push_every: Duration::from_secs(1),
                push_kind: Kind::Text,
                ping: None,
            },
            ending: None,
            after: None,
            reason: String::new(),
            close_reply: Answer::AtOnce,
            pong: Answer::AtOnce,
        }
    }
}
