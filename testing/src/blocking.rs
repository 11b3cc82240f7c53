//! A blocking client on `std::net`: a host of the codec, with compression.
//!
//! If a write fails, the other end may have said why before: [`Socket::receive`] returns all that has arrived, and then the
//! error of the write. The methods that send return only errors of the caller.

use core::time::Duration;
use framewire::{
    Assembler, Client, CloseCode, Connection, Event, Kind, Limits, Part, ProtocolError, Rsv, State,
    deflate::{DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, NoWindow},
    extension::{DeflateOffer, DeflateParams},
    handshake::{ClientHandshake, ClientKey, HeadBuffer, HeadLimits, HeaderSlots, Response},
    mask::{self, Key},
};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

/// How long the other end may send nothing before the client gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open connection and its socket.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    connection: Connection<Client>,
    /// If the server has agreed to compress.
    compression: Option<Compression>,
    /// Parts of a message that is not whole yet.
    assembler: Assembler,
    /// The bytes that were read. Those in `start..end` are not decoded yet.
    rx: Vec<u8>,
    start: usize,
    end: usize,
    /// The frame to be written. It is kept, so that a message costs no allocation.
    tx: Vec<u8>,
    /// Bytes read and written since the handshake.
    pub traffic: (u64, u64),
}

/// The socket, with the first write that failed.
#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    unwritten: Option<io::Error>,
}

/// permessage-deflate. The pools could serve any number of connections of a thread; here, each has its own.
#[derive(Debug)]
struct Compression {
    params: DeflateParams,
    inflater: Inflater<Client>,
    deflater: Deflater<Client>,
    inflate: InflatePool,
    deflate: DeflatePool,
}

/// An item that the other end sent.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Message(Kind, Vec<u8>),
    /// A pong. (Pings are answered, and not returned.)
    Pong(Vec<u8>),
    /// A close, with its code and reason. It was answered, and the other end has closed the socket.
    Close(CloseCode, String),
}

impl Socket {
    /// Connects to `url`, which is `ws://HOST:PORT/PATH`. Also returns the subprotocol that the server chose. Without
    /// `offers`, nothing is compressed.
    pub fn connect(
        url: &str,
        subprotocols: &[&str],
        offers: &[DeflateOffer],
    ) -> io::Result<(Self, Option<String>)> {
        let bare = url.strip_prefix("ws://").ok_or_else(|| invalid("the URL must begin with ws://"))?;
        let at = bare.find(['/', '?']).unwrap_or(bare.len());
        let (host, target) = match bare.split_at(at) {
            (host, "") => (host, "/"),
            parts => parts,
        };
        let mut stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;

        let handshake = ClientHandshake::new(host, target, ClientKey::new(random()))
            .subprotocols(subprotocols)
            .deflate(offers);
        stream.write_all(&handshake.to_vec().map_err(io::Error::other)?)?;

        // The head may arrive in pieces, and frames with it.
        let mut rx = vec![0; 64 << 10];
        let mut buffer = HeadBuffer::new(HeadLimits::default());
        let (head, start, end) = loop {
            let n = stream.read(&mut rx)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = buffer.push(&rx[..n]).map_err(io::Error::other)? {
                break (head.bytes.to_vec(), head.consumed, n);
            }
        };
        let mut slots = HeaderSlots::new();
        let response = Response::parse(&head, &mut slots).map_err(io::Error::other)?;
        let Some(negotiated) = handshake.check(&response).map_err(io::Error::other)? else {
            return Err(invalid(&format!("the server answered {}", response.status())));
        };
        let subprotocol = negotiated.subprotocol.map(str::to_owned);
        let compression = negotiated.deflate.map(Compression::new).transpose().map_err(io::Error::other)?;
        let mut connection = Connection::new();
        if compression.is_some() {
            connection = connection.with_extension_bits(Rsv::RSV1); // the mark of compressed messages
        }

        let socket = Self {
            stream: Stream { socket: stream, unwritten: None },
            connection,
            compression,
            assembler: Assembler::new(Limits::CLIENT.message),
            rx,
            start,
            end,
            tx: Vec::new(),
            traffic: (0, 0),
        };
        Ok((socket, subprotocol))
    }

    /// How the server has agreed to compress.
    pub fn agreed(&self) -> Option<DeflateParams> {
        self.compression.as_ref().map(|compression| compression.params)
    }

    /// Sends a message.
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let key = key();
        let Self { connection, compression, tx, .. } = self;
        tx.clear();
        let sent = match compression {
            None => connection
                .message_header(kind, Rsv::NONE, payload.len() as u64, key)
                .map(|header| put_masked(tx, &header, key, payload)),
            Some(c) => c
                .deflater
                .message(connection, kind, payload, &mut c.deflate, key)
                .map(|sent| sent.append_to(tx)),
        };
        sent.map_err(io::Error::other)?;
        self.write();
        Ok(())
    }

    /// Sends a message in fragments.
    pub fn send_fragments(&mut self, kind: Kind, fragments: &[&[u8]]) -> io::Result<()> {
        for (i, fragment) in fragments.iter().enumerate() {
            let (key, last) = (key(), i + 1 == fragments.len());
            let Self { connection, compression, tx, .. } = self;
            tx.clear();
            let sent = match compression {
                None => connection
                    .fragment_header(kind, Rsv::NONE, fragment.len() as u64, last, key)
                    .map(|header| put_masked(tx, &header, key, fragment)),
                Some(c) => c
                    .deflater
                    .fragment(connection, kind, fragment, last, &mut c.deflate, key)
                    .map(|sent| sent.append_to(tx)),
            };
            sent.map_err(io::Error::other)?;
            self.write();
        }
        Ok(())
    }

    /// Sends a ping.
    pub fn ping(&mut self, payload: &[u8]) -> io::Result<()> {
        let frame = self.connection.ping(payload, key()).map_err(io::Error::other)?;
        self.stream.write(&frame);
        Ok(())
    }

    /// Sends a close. Items up to the other end's close are still received.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> io::Result<()> {
        let frame = self.connection.close(code, reason, key()).map_err(io::Error::other)?;
        self.stream.write(&frame);
        Ok(())
    }

    /// Waits for the next item from the other end.
    pub fn receive(&mut self) -> io::Result<Received> {
        loop {
            let mut input = &mut self.rx[self.start..self.end];
            let outcome = self.connection.receive(&mut input);
            self.start = self.end - input.len();
            let event = match outcome {
                Ok(Some(event)) => event,
                Ok(None) => {
                    self.read()?;
                    continue;
                }
                Err(error) => return Err(self.fail(error)),
            };
            if let Some(frame) = self.connection.reply(&event, key) {
                self.stream.write(&frame);
            }
            match event {
                Event::Text(text) => return Ok(Received::Message(Kind::Text, text.as_bytes().to_vec())),
                Event::Binary(bytes) => return Ok(Received::Message(Kind::Binary, bytes.to_vec())),
                Event::Part(part) => match assemble(part, self.compression.as_mut(), &mut self.assembler) {
                    Ok(Some((kind, bytes))) => return Ok(Received::Message(kind, bytes)),
                    Ok(None) => {}
                    Err(error) => return Err(self.fail(error)),
                },
                Event::Ping(_) => {}
                Event::Pong(payload) => return Ok(Received::Pong(payload.to_vec())),
                Event::Close(payload) => {
                    let close = payload.as_close();
                    let received = Received::Close(close.code, close.reason.to_owned());
                    self.wait_for_end();
                    return Ok(received);
                }
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        (self.start, self.end) = (0, self.stream.read(&mut self.rx)?);
        self.traffic.0 += self.end as u64;
        if self.end == 0 {
            self.connection.receive_eof().map_err(io::Error::other)?;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Fails the connection, and tells the other end why.
    fn fail(&mut self, error: ProtocolError) -> io::Error {
        if let Some(frame) = self.connection.fail(error, key) {
            self.stream.write(&frame);
        }
        self.wait_for_end();
        io::Error::other(error)
    }

    /// Waits a while for the server to close the socket first (RFC 6455 §7.1.1).
    fn wait_for_end(&mut self) {
        debug_assert_eq!(self.connection.state(), State::Closed);
        let _ = self.stream.socket.set_read_timeout(Some(Duration::from_secs(2)));
        while self.stream.read(&mut self.rx).is_ok_and(|n| n > 0) {}
    }

    /// Writes the frame that is in `tx`.
    fn write(&mut self) {
        self.traffic.1 += self.tx.len() as u64;
        self.stream.write(&self.tx);
    }
}

impl Stream {
    /// Writes all, unless a write has failed before.
    fn write(&mut self, bytes: &[u8]) {
        if self.unwritten.is_none() {
            self.unwritten = self.socket.write_all(bytes).err();
        }
    }

    /// Reads; if nothing more arrives, reports the write that failed.
    fn read(&mut self, rx: &mut [u8]) -> io::Result<usize> {
        match (self.socket.read(rx), &self.unwritten) {
            (Ok(0) | Err(_), Some(error)) => Err(io::Error::new(error.kind(), error.to_string())),
            (read, _) => read,
        }
    }
}

impl Compression {
    fn new(params: DeflateParams) -> Result<Self, NoWindow> {
        let inflate =
            InflatePool::new(InflateConfig { message: Limits::CLIENT.message, ..InflateConfig::default() });
        Ok(Self {
            params,
            inflater: Inflater::new(&params, &inflate)?,
            deflater: Deflater::new(&params),
            inflate,
            deflate: DeflatePool::default(),
        })
    }
}

/// Appends a frame, and masks the copy of its payload.
fn put_masked(tx: &mut Vec<u8>, header: &[u8], key: Key, payload: &[u8]) {
    tx.extend_from_slice(header);
    tx.extend_from_slice(payload);
    mask::apply(key, &mut tx[header.len()..]);
}

/// Inflates a part if it is compressed; returns the message once it is whole.
fn assemble(
    part: Part<'_>,
    compression: Option<&mut Compression>,
    assembler: &mut Assembler,
) -> Result<Option<(Kind, Vec<u8>)>, ProtocolError> {
    let Some(Compression { inflater, inflate, .. }) = compression else {
        return Ok(assembler.push(part)?.map(|message| (message.kind, message.into_vec())));
    };
    // If connections share a pool, ask this before the socket is read.
    let mut ready = inflater.ready(inflate).expect("nobody else has a part in the pool");
    let mut parts = ready.feed(part);
    let mut whole = None;
    while let Some(part) = parts.next_part()? {
        whole = assembler.push(part)?.map(|message| (message.kind, message.into_vec()));
    }
    Ok(whole)
}

/// A new masking key, which the author of the payload cannot predict (RFC 6455 §10.3).
fn key() -> Key {
    Key::new(random())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
