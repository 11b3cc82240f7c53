//! ws-framer: its two framers over the host's buffers. The receiving one moves the bytes after a message to the front of its
//! buffer before the next message. So its buffer holds a message and a little more, as on a microcontroller.

use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use ::ws_framer::{WsFrame, WsRxFramer, WsTxFramer};
use bytes::Bytes;
use framewire::Kind;

pub(super) struct WsFramer {
    socket: Socket,
    rx: WsRxFramer<'static>,
    tx: WsTxFramer<'static>,
}

impl Peer for WsFramer {
    const ABOUT: About =
        About { name: "ws-framer", package: "ws-framer", part: Part::Peer, validates: Validation::Always };

    type Outgoing = (Kind, Bytes, String);

    fn new(socket: Socket) -> Self {
        let room = socket.longest() + 1024;
        // Never freed: the framers borrow their buffers, and this struct could not own both.
        let [rx, tx] = [room, room].map(|room| Vec::leak(vec![0; room]));
        Self { socket, rx: WsRxFramer::new(rx), tx: WsTxFramer::new(false, tx) }
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        loop {
            match self.socket.read(self.rx.read_buf()) {
                0 => return Ok(()),
                n => self.rx.advance(n),
            }
            while let Some(frame) = self.rx.next_frame() {
                match frame? {
                    WsFrame::Text(text) => sink.message(Kind::Text, text.as_bytes()),
                    WsFrame::Binary(bytes) => sink.message(Kind::Binary, bytes),
                    _ => {}
                }
            }
        }
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        match kind {
            Kind::Text => (kind, Bytes::new(), String::from_utf8(payload.to_vec()).expect("sound text")),
            Kind::Binary => (kind, payload.clone(), String::new()),
        }
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        for (kind, bytes, text) in &*messages {
            let frame = match kind {
                Kind::Text => self.tx.text(text),
                Kind::Binary => self.tx.binary(bytes),
            };
            self.socket.write(frame.expect("room for the longest message"));
        }
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        loop {
            match self.socket.read(self.rx.read_buf()) {
                0 => return Ok(()),
                n => self.rx.advance(n),
            }
            while let Some(frame) = self.rx.next_frame() {
                if let frame @ (WsFrame::Text(_) | WsFrame::Binary(_)) = frame? {
                    self.socket.write(self.tx.frame(frame).expect("room for the longest message"));
                }
            }
        }
    }
}
