//! sockudo-ws: its protocol without a stream, on the host's buffers. Sent payload of up to 8 KiB is copied, and longer
//! payload referenced, as in its own streams.

use crate::{
    batch::Compression,
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use ::sockudo_ws::{
    DeflateConfig, Message, OpCode, Role,
    frame::encode_frame_header,
    protocol::{CompressedProtocol, Protocol},
};
use bytes::{Bytes, BytesMut};
use framewire::Kind;
use std::io::IoSlice;

pub(super) struct Sockudo {
    socket: Socket,
    protocol: Protocol,
    compressed: Option<CompressedProtocol>,
    rx: BytesMut,
    messages: Vec<Message>,
    tx: BytesMut,
}

const CORK: usize = 16 << 10;
const COPY_BELOW: usize = 8 << 10;
const LIMIT: usize = 16 << 20;

impl Peer for Sockudo {
    const ABOUT: About =
        About { name: "sockudo-ws", package: "sockudo-ws", part: Part::Peer, validates: Validation::Always };
    const IN_HAND: bool = true;

    type Outgoing = Message;

    fn new(socket: Socket) -> Self {
        Self {
            socket,
            protocol: Protocol::new(Role::Server, LIMIT, LIMIT),
            compressed: None,
            rx: BytesMut::new(),
            messages: Vec::new(),
            tx: BytesMut::with_capacity(CORK),
        }
    }

    fn with_deflate(socket: Socket, compression: Compression) -> Option<Self> {
        let config = DeflateConfig {
            server_no_context_takeover: !compression.takeover,
            client_no_context_takeover: !compression.takeover,
            compression_level: Compression::LEVEL.into(),
            compression_threshold: 0,
            ..DeflateConfig::default()
        };
        let compressed = Some(CompressedProtocol::server(LIMIT, LIMIT, config));
        Some(Self { compressed, ..Self::new(socket) })
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
        self.process()?;
        for message in self.messages.drain(..) {
            match message {
                Message::Text(bytes) => sink.message(Kind::Text, &bytes),
                Message::Binary(bytes) => sink.message(Kind::Binary, &bytes),
                _ => {}
            }
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Message {
        match kind {
            Kind::Text => Message::Text(payload.clone()),
            Kind::Binary => Message::Binary(payload.clone()),
        }
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            self.send(&message).expect("an open connection");
        }
        self.flush();
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        self.process()?;
        let mut messages = std::mem::take(&mut self.messages);
        for message in messages.drain(..) {
            if message.is_text() || message.is_binary() {
                self.send(&message)?;
            }
        }
        self.messages = messages;
        self.flush();
        Ok(())
    }
}

impl Sockudo {
    #[inline]
    fn process(&mut self) -> ::sockudo_ws::Result<()> {
        match &mut self.compressed {
            Some(compressed) => compressed.process_into(&mut self.rx, &mut self.messages),
            None => self.protocol.process_into(&mut self.rx, &mut self.messages),
        }
    }

    #[inline]
    fn send(&mut self, message: &Message) -> ::sockudo_ws::Result<()> {
        let payload = message.as_bytes();
        match &mut self.compressed {
            Some(compressed) => compressed.encode_message(message, &mut self.tx)?,
            None if payload.len() < COPY_BELOW => self.protocol.encode_message(message, &mut self.tx)?,
            None => {
                let opcode = if message.is_text() { OpCode::Text } else { OpCode::Binary };
                encode_frame_header(&mut self.tx, opcode, payload.len(), true, None);
                self.socket.write_vectored(&[IoSlice::new(&self.tx), IoSlice::new(payload)]);
                self.tx.clear();
            }
        }
        if self.tx.len() >= CORK - COPY_BELOW {
            self.flush();
        }
        Ok(())
    }

    #[inline]
    fn flush(&mut self) {
        if !self.tx.is_empty() {
            self.socket.write(&self.tx);
            self.tx.clear();
        }
    }
}
