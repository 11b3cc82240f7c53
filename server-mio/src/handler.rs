//! What a message gets: the only file that knows that this server echoes.

use crate::reply::Reply;
use framewire::Kind;
use std::borrow::Cow;

/// Handles one whole message. The payload is borrowed from the receive buffer where it arrived at once, and owned
/// where it was put together.
#[inline(always)]
pub fn message<'b>(kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
    // Refused only where we closed already: then the peer no longer waits for an echo.
    let _ = reply.send(kind, payload);
}
