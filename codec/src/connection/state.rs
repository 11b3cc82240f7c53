//! The state of a connection, and of each direction.

/// The state of a connection (RFC 6455 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages may go in both directions.
    Open,
    /// This end sent a close. Messages may still arrive.
    CloseSent,
    /// The peer sent a close. This end must still answer it, with [`reply`](crate::SendHalf::reply).
    CloseReceived,
    /// Nothing is received or sent any more: both ends sent a close, or the connection failed. Once the queued bytes
    /// are written, a server closes the socket; a client waits a little for the server to do so.
    Closed,
}

/// The messages of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow<T> {
    /// No message is open.
    Between,
    /// A message is open: incoming, from its first header to its last byte; outgoing, between its first and its last
    /// fragment.
    Open(T),
    /// No message follows: this direction's close has passed, or the connection failed.
    Over,
}
