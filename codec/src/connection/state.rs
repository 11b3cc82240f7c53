//! The state of a connection, and of each direction.

/// The state of a connection (RFC 6455 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages may go in both directions.
    Open,
    /// This end sent a close. Messages may still arrive.
    CloseSent,
    /// The peer sent a close. This end must still answer it, with [`reply`](crate::Sending::reply).
    CloseReceived,
    /// No message is received or sent any more: both ends sent a close, or the connection failed. If it failed, the
    /// close that tells the peer why comes from [`fail`](crate::Connection::fail). Once the queued bytes are written, a
    /// server closes the socket; a client waits a little for the server to do so.
    Closed,
}

impl State {
    /// The state after either end's close, or after both.
    pub(super) const fn of(ours: bool, theirs: bool) -> Self {
        match (ours, theirs) {
            (false, false) => Self::Open,
            (true, false) => Self::CloseSent,
            (false, true) => Self::CloseReceived,
            (true, true) => Self::Closed,
        }
    }
}
