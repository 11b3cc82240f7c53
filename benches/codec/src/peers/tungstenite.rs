//! tungstenite, over a socket that says when it would block.

use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use ::tungstenite::{
    Error, Message, Utf8Bytes, WebSocket,
    protocol::{Role, WebSocketConfig},
};
use bytes::Bytes;
use framewire::Kind;
use std::io::ErrorKind::WouldBlock;

pub(super) struct Tungstenite {
    socket: Socket,
    peer: WebSocket<Socket>,
}

impl Peer for Tungstenite {
    const ABOUT: About = About {
        name: "tungstenite",
        package: "tungstenite",
        part: Part::Peer,
        validates: Validation::Always,
    };

    type Outgoing = Message;

    fn new(socket: Socket) -> Self {
        let peer = WebSocket::from_raw_socket(socket.clone(), Role::Server, Some(WebSocketConfig::default()));
        Self { socket, peer }
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        loop {
            match self.peer.read() {
                Ok(Message::Text(text)) => sink.message(Kind::Text, text.as_bytes()),
                Ok(Message::Binary(bytes)) => sink.message(Kind::Binary, &bytes),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Message {
        match kind {
            Kind::Text => Message::Text(Utf8Bytes::try_from(payload.clone()).expect("sound text")),
            Kind::Binary => Message::Binary(payload.clone()),
        }
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            self.peer.write(message).expect("an open connection");
        }
        self.peer.flush().expect("an open connection");
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        loop {
            match self.peer.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => self.peer.write(message)?,
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.peer.flush()?)
    }
}
