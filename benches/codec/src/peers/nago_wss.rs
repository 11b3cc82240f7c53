//! nago-wss: its core without a stream, on the host's buffer, with a loop like that of its own connection. A payload is cut out of
//! the buffer, uncopied, and its assembler makes the message.

use super::gather::Gather;
use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use ::nago_wss::proto::{Assembler, Header, Limits, Message, OpCode, mask};
use arrayvec::ArrayVec;
use bytes::{Buf, Bytes, BytesMut};
use framewire::Kind;

pub(super) struct NagoWss {
    socket: Socket,
    assembler: Assembler,
    rx: BytesMut,
    messages: Vec<Message>,
}

impl Peer for NagoWss {
    const ABOUT: About =
        About { name: "nago-wss", package: "nago-wss", part: Part::Peer, validates: Validation::Always };
    const IN_HAND: bool = true;

    type Outgoing = (Kind, Bytes);

    fn new(socket: Socket) -> Self {
        let assembler = Assembler::new(Limits::default());
        Self { socket, assembler, rx: BytesMut::new(), messages: Vec::new() }
    }

    #[inline]
    fn fill(&mut self) -> bool {
        if !self.socket.arrive() {
            return false;
        }
        self.socket.append_to(&mut self.rx);
        true
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        while let Some(message) = self.next()? {
            if let Some((kind, payload)) = data(&message) {
                sink.message(kind, payload);
            }
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        (kind, payload.clone())
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        let mut out = Gather::new(&self.socket);
        for (kind, payload) in &*messages {
            out.push(header(*kind, payload.len()), payload);
        }
        out.flush();
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        while let Some(message) = self.next()? {
            self.messages.push(message);
        }
        let mut out = Gather::new(&self.socket);
        for (kind, payload) in self.messages.iter().filter_map(data) {
            out.push(header(kind, payload.len()), payload);
        }
        out.flush();
        drop(out);
        self.messages.clear();
        Ok(())
    }
}

impl NagoWss {
    /// The next message that has arrived as a whole.
    #[inline]
    fn next(&mut self) -> Outcome<Option<Message>> {
        loop {
            let decoded = Header::decode(&self.rx, self.assembler.limits().max_frame);
            let Ok((header, start)) = decoded.map_err(|error| format!("{error:?}"))? else {
                return Ok(None);
            };
            let len = header.payload_len as usize;
            if self.rx.len() < start + len {
                return Ok(None);
            }
            let key = header.mask.ok_or("an unmasked frame")?;
            self.rx.advance(start);
            let mut payload = self.rx.split_to(len);
            mask::apply(&mut payload, key, 0);
            let message = self.assembler.accept(header.opcode, header.fin, payload.freeze());
            if let Some(message) = message.map_err(|error| format!("{error:?}"))? {
                return Ok(Some(message));
            }
        }
    }
}

#[inline]
fn data(message: &Message) -> Option<(Kind, &[u8])> {
    match message {
        Message::Text(text) => Some((Kind::Text, text)),
        Message::Binary(bytes) => Some((Kind::Binary, bytes)),
        _ => None,
    }
}

#[inline]
fn header(kind: Kind, len: usize) -> ArrayVec<u8, { Header::MAX_ENCODED_LEN }> {
    let opcode = if kind == Kind::Text { OpCode::Text } else { OpCode::Binary };
    let header = Header { fin: true, opcode, mask: None, payload_len: len as u64 };
    let mut bytes = ArrayVec::from([0; Header::MAX_ENCODED_LEN]);
    let written = header.encode(&mut bytes).expect("room for the longest header");
    bytes.truncate(written);
    bytes
}
