//! Framewire for hosts that use `Bytes`: owned messages, like those of most peers.

use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use bytes::{Buf, Bytes, BytesMut};
use framewire::owned::{Message, Reader, SendQueue};
use framewire::{Connection, Kind, Rsv, Server, Unmasked};
use std::io::IoSlice;

pub(super) struct FramewireBytes {
    socket: Socket,
    connection: Connection<Server>,
    reader: Reader,
    buffer: BytesMut,
    queue: SendQueue,
}

impl Peer for FramewireBytes {
    const ABOUT: About = About {
        name: "framewire, `Bytes`",
        package: "framewire",
        part: Part::OursToo,
        validates: Validation::Always,
    };
    const IN_HAND: bool = true;

    type Outgoing = (Kind, Bytes);

    fn new(socket: Socket) -> Self {
        Self {
            socket,
            connection: Connection::new(),
            reader: Reader::new(),
            buffer: BytesMut::new(),
            queue: SendQueue::new(),
        }
    }

    #[inline]
    fn fill(&mut self) -> bool {
        if !self.socket.arrive() {
            return false;
        }
        self.socket.append_to(&mut self.buffer);
        true
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        while let Some(message) = self.reader.next(&mut self.connection, &mut self.buffer)? {
            match message {
                Message::Text(text) => sink.message(Kind::Text, text.as_bytes()),
                Message::Binary(bytes) => sink.message(Kind::Binary, &bytes),
                _ => {}
            }
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        (kind, payload.clone())
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        for (kind, payload) in messages.drain(..) {
            let queued = self.queue.push_message(&mut self.connection, kind, Rsv::NONE, payload, Unmasked);
            queued.expect("an open connection");
        }
        self.flush();
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        while let Some(message) = self.reader.next(&mut self.connection, &mut self.buffer)? {
            if let Some(frame) = message.event().and_then(|event| self.connection.reply(&event, Unmasked)) {
                self.queue.push_control(frame);
            }
            match message {
                Message::Text(text) => self.queue.push_text(&mut self.connection, text, Unmasked)?,
                Message::Binary(bytes) => self.queue.push_binary(&mut self.connection, bytes, Unmasked)?,
                _ => {}
            }
        }
        self.flush();
        Ok(())
    }
}

impl FramewireBytes {
    fn flush(&mut self) {
        while self.queue.has_remaining() {
            let mut slices = [IoSlice::new(&[]); 64];
            let filled = self.queue.chunks_vectored(&mut slices);
            let written = self.socket.write_vectored(&slices[..filled]);
            self.queue.advance(written);
        }
    }
}
