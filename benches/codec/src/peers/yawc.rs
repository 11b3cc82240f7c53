//! yawc: its stream and sink, polled until they would wait. It is configured to validate text.

use crate::{
    batch::Compression,
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::{Socket, poll, ready},
    work::Part,
};
use ::yawc::{CompressionLevel, Frame, OpCode, Options, Role, WebSocket};
use bytes::Bytes;
use framewire::Kind;
use futures_util::SinkExt;

pub(super) struct Yawc {
    socket: Socket,
    peer: WebSocket<Socket>,
}

impl Peer for Yawc {
    const ABOUT: About =
        About { name: "yawc", package: "yawc", part: Part::Peer, validates: Validation::Always };

    type Outgoing = Frame;

    fn new(socket: Socket) -> Self {
        Self {
            peer: WebSocket::from_stream(socket.clone(), Role::Server, options()).expect("sound options"),
            socket,
        }
    }

    fn with_deflate(socket: Socket, compression: Compression) -> Option<Self> {
        let mut options = options()
            .with_compression_level(CompressionLevel::new(Compression::LEVEL.into()))
            .with_compression_threshold(0);
        if !compression.takeover {
            options = options.server_no_context_takeover().client_no_context_takeover();
        }
        let header = Some(compression.header());
        let peer = WebSocket::from_stream_with_extensions(socket.clone(), Role::Server, header, options);
        Some(Self { peer: peer.expect("sound options"), socket })
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        while let Some(frame) = poll(|cx| self.peer.poll_next_frame(cx)) {
            let frame = frame?;
            match frame.opcode() {
                OpCode::Text => sink.message(Kind::Text, frame.payload()),
                OpCode::Binary => sink.message(Kind::Binary, frame.payload()),
                _ => return Err("closed, for what was received".into()),
            }
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Frame {
        match kind {
            Kind::Text => Frame::text(payload.clone()),
            Kind::Binary => Frame::binary(payload.clone()),
        }
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Frame>) {
        for message in messages.drain(..) {
            ready(self.peer.feed(message)).expect("an open connection");
        }
        ready(self.peer.flush()).expect("an open connection");
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        while let Some(frame) = poll(|cx| self.peer.poll_next_frame(cx)) {
            let frame = frame?;
            if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
                ready(self.peer.feed(frame))?;
            }
        }
        Ok(ready(self.peer.flush())?)
    }
}

fn options() -> Options {
    Options::default().without_compression().with_utf8().with_limits(16 << 20, 32 << 20)
}
