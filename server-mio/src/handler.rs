//! The trait that an application implements.

use crate::reply::Reply;
use framewire::{
    Kind,
    handshake::{self, Request},
};
use std::borrow::Cow;

/// Handles the messages and the plain HTTP requests of a server. One handler serves all connections of a server, on the
/// server's thread: if it blocks, all of them wait; if it panics, [`Server::run`](crate::Server::run) does.
pub trait Handler {
    /// Handles one whole message. The payload of a [`Kind::Text`] is valid UTF-8.
    ///
    /// The payload is borrowed from the receive buffer if one read brought the whole message in one frame, and owned if the
    /// server assembled it. Both can be [sent back](Reply::send) without a copy.
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, reply: Reply<'_, 'b>);

    /// Responds to an HTTP request that does not ask for a WebSocket. The connection is closed after the response. The
    /// server omits the body if the method is `HEAD`. The default is 404 for every request.
    fn request(&mut self, request: &Request<'_, '_>) -> handshake::PlainResponse<'_> {
        let _ = request;
        handshake::PlainResponse::new(404)
    }
}
