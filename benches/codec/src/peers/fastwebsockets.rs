//! fastwebsockets: its frames, collected to messages. Its futures must not be dropped while they wait, so this reads as
//! many messages as have arrived. It writes each message by itself.

use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::{Socket, ready},
    work::Part,
};
use ::fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use bytes::Bytes;
use framewire::Kind;

pub(super) struct FastWebSockets {
    socket: Socket,
    peer: FragmentCollector<Socket>,
}

impl Peer for FastWebSockets {
    const ABOUT: About = About {
        name: "fastwebsockets",
        package: "fastwebsockets",
        part: Part::Peer,
        validates: Validation::Always,
    };

    type Outgoing = (Kind, Bytes);

    fn new(socket: Socket) -> Self {
        Self {
            peer: FragmentCollector::new(WebSocket::after_handshake(socket.clone(), Role::Server)),
            socket,
        }
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive_all()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        for _ in 0..self.socket.messages() {
            let frame = ready(self.peer.read_frame())?;
            let kind = if frame.opcode == OpCode::Text { Kind::Text } else { Kind::Binary };
            sink.message(kind, &frame.payload);
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        (kind, payload.clone())
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        for (kind, payload) in messages.drain(..) {
            let payload = Payload::Borrowed(&payload); // a `BytesMut` of shared bytes would be a copy
            let frame = match kind {
                Kind::Text => Frame::text(payload),
                Kind::Binary => Frame::binary(payload),
            };
            ready(self.peer.write_frame(frame)).expect("an open connection");
        }
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        for _ in 0..self.socket.messages() {
            let frame = ready(self.peer.read_frame())?;
            ready(self.peer.write_frame(frame))?;
        }
        Ok(())
    }
}
