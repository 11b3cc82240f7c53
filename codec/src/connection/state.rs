//! How far a connection, and each of its directions, has come.

/// How far a connection is from its end (RFC 6455 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages may go both ways.
    Open,
    /// We sent a close; messages may still arrive.
    CloseSent,
    /// The peer sent a close; [`reply`](crate::SendHalf::reply) to it is still owed.
    CloseReceived,
    /// Nothing will be received and nothing may be sent any more: both closes have passed, or the connection failed.
    /// Once the queued bytes are written, a server closes the socket; a client waits a little for the server to do so.
    Closed,
}

/// The messages of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow<T> {
    /// No message is open.
    Between,
    /// A message is open: from its first header to its last byte, or from its first fragment to its last.
    Open(T),
    /// There will be no more messages: this side's close has passed, or the connection failed.
    Over,
}
