//! What a server does with requests and messages.

use crate::reply::Reply;
use framewire::{
    Kind,
    handshake::{self, Request},
};
use std::borrow::Cow;

/// What a server does with requests and messages. One handler serves all connections of a server, on its thread: if it
/// blocks, all of them wait, and its panic is the server's.
pub trait Handler {
    /// Handles one whole message. The payload of a [`Kind::Text`] is valid UTF-8.
    ///
    /// The payload is borrowed from the receive buffer if the message arrived whole, and owned if the server put it
    /// together. Either can be [sent back](Reply::send) without a copy.
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, reply: Reply<'_, 'b>);

    /// Answers an HTTP request that does not ask for a WebSocket, after which the connection is closed. The server omits
    /// the body if the method is `HEAD`. The default is 404 for everything.
    fn request(&mut self, request: &Request<'_, '_>) -> handshake::PlainResponse<'_> {
        let _ = request;
        handshake::PlainResponse::new(404)
    }
}
