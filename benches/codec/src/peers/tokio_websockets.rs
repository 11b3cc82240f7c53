//! tokio-websockets: its stream and sink, polled until they would wait.

use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::{Socket, poll, ready},
    work::Part,
};
use ::tokio_websockets::{Limits, Message, ServerBuilder, WebSocketStream};
use bytes::Bytes;
use framewire::Kind;
use futures_util::{SinkExt, StreamExt};

pub(super) struct TokioWebSockets {
    socket: Socket,
    peer: WebSocketStream<Socket>,
}

impl Peer for TokioWebSockets {
    const ABOUT: About = About {
        name: "tokio-websockets",
        package: "tokio-websockets",
        part: Part::Peer,
        validates: Validation::Always,
    };

    type Outgoing = Message;

    fn new(socket: Socket) -> Self {
        let limits = Limits::default().max_payload_len(Some(16 << 20));
        Self { peer: ServerBuilder::new().limits(limits).serve(socket.clone()), socket }
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        while let Some(message) = poll(|cx| self.peer.poll_next_unpin(cx)) {
            let message = message.ok_or("the stream has ended")??;
            let kind = if message.is_text() { Kind::Text } else { Kind::Binary };
            sink.message(kind, message.as_payload());
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Message {
        match kind {
            Kind::Text => Message::text(payload.clone()),
            Kind::Binary => Message::binary(payload.clone()),
        }
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            ready(self.peer.feed(message)).expect("an open connection");
        }
        ready(self.peer.flush()).expect("an open connection");
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        while let Some(message) = poll(|cx| self.peer.poll_next_unpin(cx)) {
            let message = message.ok_or("the stream has ended")??;
            if message.is_text() || message.is_binary() {
                ready(self.peer.feed(message))?;
            }
        }
        Ok(ready(self.peer.flush())?)
    }
}
