//! The trait that an application implements.

use crate::{
    detached::Detached,
    records::{Ending, Peer},
    reply::Reply,
};
use framewire::{
    Kind,
    handshake::{self, Request, Response},
};
use std::{borrow::Cow, fmt};

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

    /// Decides what becomes of a request, whether it asks for a WebSocket or not. The server has refused malformed requests and
    /// pages of [origins](crate::Config::origins) that may not connect. The default is [`Admission::Serve`] for every request.
    fn admit(&mut self, request: &Request<'_, '_>) -> Admission<'_> {
        let _ = request;
        Admission::Serve
    }

    /// Called once, when the server begins to stop. The default does nothing.
    fn stopping(&mut self) {}

    /// Called with each response to a request, for an access log, if [`Config::records`](crate::Config::records) is set. There
    /// is no request if what came is not HTTP. Whoever takes a connection over makes its response, and knows it as
    /// [`Detached::peer`].
    fn responded(&mut self, peer: Peer, request: Option<&Request<'_, '_>>, response: &Response<'_, '_>) {
        let _ = (peer, request, response);
    }

    /// Called at the end of each connection, for an access log, if [`Config::records`](crate::Config::records) is set.
    fn ended(&mut self, peer: Peer, ending: &Ending) {
        let _ = (peer, ending);
    }
}

/// What becomes of a request: [`Handler::admit`] decides it.
pub enum Admission<'a> {
    /// The server opens the WebSocket for which the request asks. If it asks for none, [`Handler::request`] responds.
    Serve,
    /// The server sends this response in place of any other, and closes the connection. It omits the body if the method is
    /// `HEAD`.
    Respond(handshake::PlainResponse<'a>),
    /// The connection leaves the server before anything is sent. The function gets it, and the head of the request with it.
    ///
    /// The server calls the function on its own thread, and all connections wait for it. So it should only pass the connection
    /// on, for example to a thread. The server's stop does not end connections that have left it: see
    /// [`Handler::stopping`] and [`Interrupter`](crate::Interrupter).
    ///
    /// ```
    /// use framewire::{Kind, handshake::Request};
    /// use framewire_mio::{Admission, Config, Handler, Reply, Server};
    /// use std::{borrow::Cow, io::{Read, Write}, net::TcpStream, thread};
    ///
    /// /// Takes each connection over, and sends back the head of its request.
    /// struct Heads;
    ///
    /// impl Handler for Heads {
    ///     fn message<'b>(&mut self, _: Kind, _: Cow<'b, [u8]>, _: Reply<'_, 'b>) {}
    ///
    ///     fn admit(&mut self, _: &Request<'_, '_>) -> Admission<'_> {
    ///         Admission::TakeOver(Box::new(|mut connection| {
    ///             thread::spawn(move || {
    ///                 let head = connection.head().to_vec();
    ///                 connection.write_all(&head)
    ///             });
    ///         }))
    ///     }
    /// }
    ///
    /// let server = Server::bind(&["127.0.0.1:0".parse()?], Config::default(), Heads)?;
    /// let (address, stop) = (server.listeners()[0].to_string(), server.stop_handle());
    /// let thread = thread::spawn(move || server.run());
    ///
    /// let mut client = TcpStream::connect(&address)?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer)?;
    /// assert_eq!(answer, "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n");
    /// # stop.stop()?;
    /// # thread.join().expect("no panic")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    TakeOver(TakeOver),
}

/// The function that gets a connection that was [taken over](Admission::TakeOver).
pub type TakeOver = Box<dyn FnOnce(Detached) + Send>;

impl fmt::Debug for Admission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve => f.write_str("Serve"),
            Self::Respond(response) => f.debug_tuple("Respond").field(response).finish(),
            Self::TakeOver(_) => f.write_str("TakeOver(..)"),
        }
    }
}

/// A connection that is leaving the loop: who gets it, what its record calls it, the head of its request, and what came behind
/// that.
pub(crate) struct Taken {
    pub(crate) by: TakeOver,
    pub(crate) peer: Option<Peer>,
    pub(crate) head: Vec<u8>,
    pub(crate) rest: Vec<u8>,
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Taken(..)")
    }
}
