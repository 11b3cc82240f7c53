//! nexus-web: its reader, into whose buffer the socket is read, and its writer. A message borrows the reader, so replies of
//! up to 8 KiB are copied, and longer ones are written by themselves, uncopied.

use super::gather::Gather;
use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use ::nexus_web::ws::{FrameHeader, FrameReader, FrameWriter, Message, Role};
use bytes::Bytes;
use framewire::Kind;
use std::io::IoSlice;

pub(super) struct Nexus {
    socket: Socket,
    reader: FrameReader,
    writer: FrameWriter,
    cork: Vec<u8>,
}

const CORK: usize = 64 << 10;
const COPY_UP_TO: usize = 8 << 10;

impl Peer for Nexus {
    const ABOUT: About =
        About { name: "nexus-web", package: "nexus-web", part: Part::Peer, validates: Validation::UnlessCut };
    const IN_HAND: bool = true;

    type Outgoing = (Kind, Bytes);

    fn new(socket: Socket) -> Self {
        let room = (1 << 20).max(2 * socket.wire_len());
        Self {
            socket,
            reader: FrameReader::builder().role(Role::Server).buffer_capacity(room).build(),
            writer: FrameWriter::new(Role::Server),
            cork: vec![0; CORK],
        }
    }

    #[inline]
    fn fill(&mut self) -> bool {
        if !self.socket.arrive() {
            return false;
        }
        if self.reader.should_compact() || self.reader.spare().len() < self.socket.wire_len() {
            self.reader.compact();
        }
        let n = self.socket.read(self.reader.spare());
        self.reader.filled(n);
        true
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        while let Some(message) = self.reader.next()? {
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
            out.push(Header(self.writer.build_header(first_byte(*kind), payload.len()).0), payload);
        }
        out.flush();
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        let Self { socket, reader, writer, cork } = self;
        let mut corked = 0;
        while let Some(message) = reader.next()? {
            let Some((kind, payload)) = data(&message) else { continue };
            let is_large = payload.len() > COPY_UP_TO;
            if corked > 0 && (is_large || corked + payload.len() + 14 > CORK) {
                socket.write(&cork[..corked]);
                corked = 0;
            }
            if is_large {
                let (header, _) = writer.build_header(first_byte(kind), payload.len());
                socket.write_vectored(&[IoSlice::new(header.as_bytes()), IoSlice::new(payload)]);
            } else {
                corked += match kind {
                    Kind::Text => writer.encode_text(payload, &mut cork[corked..]),
                    Kind::Binary => writer.encode_binary(payload, &mut cork[corked..]),
                };
            }
        }
        if corked > 0 {
            socket.write(&cork[..corked]);
        }
        Ok(())
    }
}

#[inline]
fn data<'a>(message: &'a Message<'_>) -> Option<(Kind, &'a [u8])> {
    match message {
        Message::Text(text) => Some((Kind::Text, text.as_bytes())),
        Message::Binary(bytes) => Some((Kind::Binary, bytes)),
        _ => None,
    }
}

/// FIN and the opcode.
fn first_byte(kind: Kind) -> u8 {
    if kind == Kind::Text { 0x81 } else { 0x82 }
}

struct Header(FrameHeader);

impl AsRef<[u8]> for Header {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
