//! Framewire in a host with a receive buffer: events borrow the buffer, the rest of a large frame is read directly into the
//! message, and replies are gathered.

use super::gather::Gather;
use crate::{
    batch::Compression,
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use bytes::Bytes;
use framewire::deflate::{DeflatePool, Deflater, InflatePool, Inflater};
use framewire::{Assembler, Connection, Event, Kind, Rsv, Server, Unmasked};
use std::{io::IoSlice, mem};

/// If `WANTS`, the host asks before each read how much to read, and where to; if not, it fills its buffer.
pub(super) struct Framewire<const WANTS: bool> {
    socket: Socket,
    connection: Connection<Server>,
    assembler: Assembler,
    rx: Vec<u8>,
    /// Bytes in `rx`, or in the assembler's memory, that are not decoded yet.
    filled: usize,
    direct: usize,
    deflate: Option<Deflate>,
}

struct Deflate {
    inflater: Inflater<Server>,
    inflate_pool: InflatePool,
    deflater: Deflater<Server>,
    deflate_pool: DeflatePool,
}

impl<const WANTS: bool> Peer for Framewire<WANTS> {
    const ABOUT: About = About {
        name: if WANTS { "framewire" } else { "framewire, filling its buffer" },
        package: "framewire",
        part: if WANTS { Part::Ours } else { Part::OursToo },
        validates: Validation::Always,
    };
    const IN_HAND: bool = true;

    type Outgoing = (Kind, Bytes);

    fn new(socket: Socket) -> Self {
        Self {
            connection: Connection::new(),
            assembler: Assembler::new(16 << 20),
            rx: vec![0; socket.longest_read()],
            filled: 0,
            direct: 0,
            socket,
            deflate: None,
        }
    }

    fn with_deflate(socket: Socket, compression: Compression) -> Option<Self> {
        let params = compression.params();
        let inflate_pool = InflatePool::default();
        let deflate = Deflate {
            inflater: Inflater::new(&params, &inflate_pool).ok()?,
            inflate_pool,
            deflater: Deflater::new(&params),
            deflate_pool: compression.pool(),
        };
        let connection = Connection::new().with_extension_bits(Rsv::RSV1);
        Some(Self { connection, deflate: Some(deflate), ..Self::new(socket) })
    }

    #[inline]
    fn fill(&mut self) -> bool {
        if !self.socket.arrive() {
            return false;
        }
        let room = self.rx.len();
        let spare = if WANTS { self.assembler.spare_for(&self.connection, room) } else { None };
        match spare {
            Some(spare) => self.direct = self.socket.read(spare),
            None => {
                let want = if WANTS { self.connection.want(room) } else { room };
                self.filled = self.socket.read(&mut self.rx[..want]);
            }
        }
        true
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        if self.deflate.is_some() {
            return self.inflate(sink);
        }
        if self.direct > 0
            && let Some(message) =
                self.assembler.receive(&mut self.connection, mem::take(&mut self.direct))?
        {
            sink.message(message.kind, message.bytes());
        }
        let mut input = &mut self.rx[..mem::take(&mut self.filled)];
        loop {
            match self.connection.receive(&mut input) {
                Ok(Some(event)) => {
                    if let Some(frame) = self.connection.reply(&event, Unmasked) {
                        self.socket.write(&frame);
                    }
                    match event {
                        Event::Text(text) => sink.message(Kind::Text, text.as_bytes()),
                        Event::Binary(bytes) => sink.message(Kind::Binary, bytes),
                        Event::Part(part) => {
                            if let Some(message) = self.assembler.push(part)? {
                                sink.message(message.kind, message.bytes());
                            }
                        }
                        _ => {}
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        (kind, payload.clone())
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        if let Some(Deflate { deflater, deflate_pool, .. }) = &mut self.deflate {
            for (kind, payload) in &*messages {
                let sent = deflater
                    .message(&mut self.connection, *kind, payload, deflate_pool, Unmasked)
                    .expect("an open connection");
                self.socket.write_vectored(&[IoSlice::new(sent.header()), IoSlice::new(sent.payload())]);
            }
            return;
        }
        let mut out = Gather::new(&self.socket);
        for (kind, payload) in &*messages {
            let header = self.connection.message_header(*kind, Rsv::NONE, payload.len() as u64, Unmasked);
            out.push(header.expect("an open connection"), payload);
        }
        out.flush();
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        let Self { socket, connection, assembler, rx, filled, direct, .. } = self;
        if *direct > 0
            && let Some(message) = assembler.receive(connection, mem::take(direct))?
        {
            let bytes = message.bytes();
            let header = connection.message_header(message.kind, Rsv::NONE, bytes.len() as u64, Unmasked)?;
            socket.write_vectored(&[IoSlice::new(&header), IoSlice::new(bytes)]);
        }
        let mut input = &mut rx[..mem::take(filled)];
        let mut out = Gather::new(socket);
        loop {
            match connection.receive(&mut input) {
                Ok(Some(event)) => {
                    if let Some(frame) = connection.reply(&event, Unmasked) {
                        out.flush();
                        socket.write(&frame);
                    }
                    match event {
                        Event::Text(text) => {
                            out.push(connection.text_header(text, Unmasked)?, text.as_bytes())
                        }
                        Event::Binary(bytes) => out.push(connection.binary_header(bytes, Unmasked)?, bytes),
                        Event::Part(part) => {
                            if let Some(message) = assembler.push(part)? {
                                out.flush();
                                let bytes = message.bytes();
                                let header = connection.message_header(
                                    message.kind,
                                    Rsv::NONE,
                                    bytes.len() as u64,
                                    Unmasked,
                                )?;
                                socket.write_vectored(&[IoSlice::new(&header), IoSlice::new(bytes)]);
                            }
                        }
                        _ => {}
                    }
                }
                Ok(None) => break,
                Err(error) => return Err(error.into()),
            }
        }
        out.flush();
        Ok(())
    }
}

impl<const WANTS: bool> Framewire<WANTS> {
    /// The loop of `framewire::deflate`.
    fn inflate(&mut self, sink: &mut impl Sink) -> Outcome {
        let Some(Deflate { inflater, inflate_pool, .. }) = &mut self.deflate else { return Ok(()) };
        let mut ready = inflater.ready(inflate_pool).expect("a pool for one connection");
        let mut input = &mut self.rx[..mem::take(&mut self.filled)];
        loop {
            match self.connection.receive(&mut input) {
                Ok(Some(Event::Text(text))) => sink.message(Kind::Text, text.as_bytes()),
                Ok(Some(Event::Binary(bytes))) => sink.message(Kind::Binary, bytes),
                Ok(Some(Event::Part(part))) => {
                    let mut parts = ready.feed(part);
                    while let Some(part) = parts.next_part()? {
                        if part.last && self.assembler.is_empty() {
                            sink.message(part.kind, part.bytes());
                        } else if let Some(message) = self.assembler.push(part)? {
                            sink.message(message.kind, message.bytes());
                        }
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
