//! wtx, with payloads that borrow its buffer. It writes each message by itself. With compression, it compresses each message
//! by itself, whatever was agreed on.

use crate::{
    batch::Compression,
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::{Socket, ready},
    work::Part,
};
use ::wtx::{
    collection::Vector,
    rng::Xorshift64,
    stream::{StreamReader, StreamWriter},
    web_socket::{
        DeflateConfig, Frame, OpCode, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
        compression::{Flate2, NegotiatedCompression, NegotiatedFlate2, WindowBits},
    },
};
use arrayvec::ArrayVec;
use bytes::Bytes;
use framewire::Kind;
use std::io::IoSlice;

pub(super) struct Wtx {
    socket: Socket,
    plain: WebSocket<()>,
    deflate: Option<WebSocket<Option<NegotiatedFlate2>>>,
    buffer: Vector<u8>,
}

type WebSocket<C> = WebSocketOwned<C, Xorshift64, Socket, false>;

impl Peer for Wtx {
    const ABOUT: About =
        About { name: "wtx", package: "wtx", part: Part::Peer, validates: Validation::Always };

    type Outgoing = (Kind, Vec<u8>);

    fn new(socket: Socket) -> Self {
        Self { plain: connection(&socket, ()), socket, deflate: None, buffer: Vector::new() }
    }

    fn with_deflate(socket: Socket, compression: Compression) -> Option<Self> {
        if compression.takeover {
            return None;
        }
        let flate2 = Flate2::from(DeflateConfig {
            client_max_window_bits: WindowBits::Fifteen,
            compression_level: Compression::LEVEL.try_into().ok()?,
            server_max_window_bits: WindowBits::Fifteen,
        });
        let header = [b"sec-websocket-extensions".as_slice(), compression.header().as_bytes()];
        let negotiated =
            ::wtx::web_socket::Compression::<false>::negotiate(flate2, [header].into_iter()).ok()?;
        let deflate = Some(connection(&socket, negotiated));
        Some(Self { deflate, ..Self::new(socket) })
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive_all()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        match &mut self.deflate {
            Some(peer) => decode(peer, &mut self.buffer, self.socket.messages(), sink),
            None => decode(&mut self.plain, &mut self.buffer, self.socket.messages(), sink),
        }
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        (kind, payload.to_vec())
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        match &mut self.deflate {
            Some(peer) => encode(peer, messages),
            None => encode(&mut self.plain, messages),
        }
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        let (mut common, mut reader, mut writer) = self.plain.split_mut();
        for _ in 0..self.socket.messages() {
            let origin = WebSocketPayloadOrigin::Adaptive;
            let mut frame = ready(reader.read_frame(&mut self.buffer, &mut common, origin))?;
            ready(writer.write_frame(&mut common, &mut frame))?;
        }
        Ok(())
    }
}

fn connection<C: NegotiatedCompression>(socket: &Socket, compression: C) -> WebSocket<C> {
    WebSocketOwned::new(compression, false, Xorshift64::new(1), socket.clone(), WebSocketBuffer::new())
}

#[inline]
fn decode<C: NegotiatedCompression>(
    peer: &mut WebSocket<C>,
    buffer: &mut Vector<u8>,
    messages: usize,
    sink: &mut impl Sink,
) -> Outcome {
    for _ in 0..messages {
        let frame = ready(peer.read_frame(buffer, WebSocketPayloadOrigin::Adaptive))?;
        let kind = if frame.op_code() == OpCode::Text { Kind::Text } else { Kind::Binary };
        sink.message(kind, frame.payload());
    }
    Ok(())
}

#[inline]
fn encode<C: NegotiatedCompression>(peer: &mut WebSocket<C>, messages: &mut [(Kind, Vec<u8>)]) {
    for (kind, payload) in messages {
        let opcode = if *kind == Kind::Text { OpCode::Text } else { OpCode::Binary };
        let mut frame = Frame::new_fin(opcode, &mut payload[..]);
        ready(peer.write_frame(&mut frame)).expect("an open connection");
    }
}

impl StreamReader for Socket {
    #[inline]
    async fn read(&mut self, bytes: &mut [u8]) -> ::wtx::Result<usize> {
        Ok(Self::read(self, bytes))
    }
}

impl StreamWriter for Socket {
    #[inline]
    async fn write_all(&mut self, bytes: &[u8]) -> ::wtx::Result<()> {
        self.write(bytes);
        Ok(())
    }

    #[inline]
    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> ::wtx::Result<()> {
        let slices: ArrayVec<_, 8> = bytes.iter().map(|bytes| IoSlice::new(bytes)).collect();
        self.write_vectored(&slices);
        Ok(())
    }
}
