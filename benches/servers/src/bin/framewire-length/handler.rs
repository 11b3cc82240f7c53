//! What a message gets: a text with how many bytes it has, and the value of the last one.

use crate::reply::Reply;
use framewire::Kind;
use std::borrow::Cow;

/// Handles one whole message.
#[inline]
pub fn message<'b>(_: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
    let text = format!("{} {}", payload.len(), payload.last().copied().unwrap_or(0));
    // Refused only where we closed already: then the peer no longer waits for an answer.
    let _ = reply.send(Kind::Text, text.into_bytes().into());
}
