//! What a message gets: a text with how many bytes it has, and the value of the last one.

use crate::outbox::Outbox;
use framewire::{
    Connection, Kind, Rsv, Server,
    deflate::{DeflatePool, Deflater},
};
use std::borrow::Cow;

/// The way back to the peer, while one of its messages is handled.
#[derive(Debug)]
pub struct Reply<'a, 'b> {
    connection: &'a mut Connection<Server>,
    outbox: &'a mut Outbox<'b>,
}

impl<'a, 'b> Reply<'a, 'b> {
    /// Without compression, which nobody asks for here.
    pub fn new(
        connection: &'a mut Connection<Server>,
        outbox: &'a mut Outbox<'b>,
        _: Option<(&'a mut Deflater<Server>, &'a mut DeflatePool)>,
    ) -> Self {
        Self { connection, outbox }
    }
}

/// Handles one whole message.
#[inline]
pub fn message<'b>(_: Kind, payload: Cow<'b, [u8]>, reply: Reply<'_, 'b>) {
    let text = format!("{} {}", payload.len(), payload.last().copied().unwrap_or(0));
    // Refused only where we closed already: then the peer no longer waits for an answer.
    if let Ok(header) = reply.connection.message(Kind::Text, Rsv::NONE, text.len() as u64) {
        reply.outbox.push_frame(header, text.into_bytes().into());
    }
}
