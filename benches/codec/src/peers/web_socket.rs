//! web-socket, over a `BufReader`, so that it does not read headers byte by byte. It does not validate text. It sends text
//! only as a `&str`, so sending one back requires validation. It writes each message by itself.

use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::{Socket, ready},
    work::Part,
};
use ::web_socket::{DataType, Event, MessageType, WebSocket};
use bytes::Bytes;
use framewire::Kind;
use tokio::io::BufReader;

pub(super) struct WebSocketCrate {
    socket: Socket,
    peer: WebSocket<BufReader<Socket>>,
}

impl Peer for WebSocketCrate {
    const ABOUT: About =
        About { name: "web-socket", package: "web-socket", part: Part::Peer, validates: Validation::Never };

    type Outgoing = (Kind, Bytes);

    fn new(socket: Socket) -> Self {
        Self { peer: WebSocket::server(BufReader::new(socket.clone())), socket }
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive_all()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        for _ in 0..self.socket.messages() {
            let (kind, payload) = self.next()?;
            sink.message(kind, &payload);
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        (kind, payload.clone())
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        for (kind, payload) in &*messages {
            self.send(*kind, payload).expect("an open connection");
        }
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        for _ in 0..self.socket.messages() {
            let (kind, payload) = self.next()?;
            if kind == Kind::Text {
                std::str::from_utf8(&payload)?;
            }
            self.send(kind, &payload)?;
        }
        Ok(())
    }
}

impl WebSocketCrate {
    #[inline]
    fn next(&mut self) -> Outcome<(Kind, Box<[u8]>)> {
        match ready(self.peer.recv())? {
            Event::Data { ty: DataType::Complete(MessageType::Text), data } => Ok((Kind::Text, data)),
            Event::Data { ty: DataType::Complete(MessageType::Binary), data } => Ok((Kind::Binary, data)),
            event => Err(format!("{event:?}").into()),
        }
    }

    /// Sends known UTF-8 without validating it again: through the function that makes a frame of a `&str`.
    #[inline]
    fn send(&mut self, kind: Kind, data: &[u8]) -> std::io::Result<()> {
        let opcode = if kind == Kind::Text { 1 } else { 2 };
        ready(self.peer.send_raw(::web_socket::Frame { fin: true, opcode, data }))
    }
}
