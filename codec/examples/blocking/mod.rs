//! A blocking client on `std::net`: all that a host adds to the codec. Shared by the examples, of which not each needs
//! all of it.

#![allow(dead_code, unreachable_pub)]

use core::time::Duration;
use framewire::{
    Assembler, Client, CloseCode, Connection, Event, HeaderBytes, Kind, Limits, Part, ProtocolError, Rsv,
    SendError, State,
    deflate::{DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, NoWindow, Outgoing},
    extension::{DeflateOffer, DeflateParams},
    handshake::{self, ClientHandshake, ClientKey, HeadBuffer, HeaderSlots, Response},
    mask::{self, Key},
};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

/// How long the other end may be silent before the client gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that is open, and its socket.
pub struct Socket {
    stream: TcpStream,
    connection: Connection<Client>,
    /// Where the server has agreed to compress.
    compression: Option<Compression>,
    /// Parts of a message that is not whole yet.
    assembler: Assembler,
    /// What was read; `start..end` is not decoded yet.
    rx: Vec<u8>,
    start: usize,
    end: usize,
    /// A frame before it is written. Kept, so that a message costs no allocation.
    tx: Vec<u8>,
    /// Bytes read and written since the handshake.
    pub traffic: (u64, u64),
}

/// permessage-deflate. The pools could serve any number of connections of a thread; here, each has its own.
struct Compression {
    params: DeflateParams,
    inflater: Inflater<Client>,
    deflater: Deflater<Client>,
    inflate: InflatePool,
    deflate: DeflatePool,
}

/// What the other end sent.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Message(Kind, Vec<u8>),
    /// A pong. (Pings are answered, and not worth telling of.)
    Pong(Vec<u8>),
    /// A close, with its code and reason. It has been answered, and the other end has closed the socket.
    Close(CloseCode, String),
}

impl Socket {
    /// Connects to `url`, which is `ws://HOST:PORT/PATH`. Also gives the subprotocol that the server chose. Without
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

        // The head may arrive in pieces, and frames right behind it.
        let mut rx = vec![0; 64 << 10];
        let mut buffer = HeadBuffer::new(handshake::HeadLimits::default());
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
            connection = connection.with_extension_bits(Rsv::RSV1); // compressed messages are marked with it
        }

        let socket = Self {
            stream,
            connection,
            compression,
            assembler: Assembler::new(Limits::CLIENT.message as usize),
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
        self.send_frame(payload, |connection, compression, key, bytes| match compression {
            None => plain(connection.message(key, kind, Rsv::NONE, bytes.len() as u64), key, bytes),
            Some(c) => c.deflater.message(connection, key, kind, bytes, &mut c.deflate),
        })
    }

    /// Sends a message in fragments.
    pub fn send_fragments(&mut self, kind: Kind, fragments: &[&[u8]]) -> io::Result<()> {
        for (i, fragment) in fragments.iter().enumerate() {
            let last = i + 1 == fragments.len();
            self.send_frame(fragment, |connection, compression, key, bytes| match compression {
                None => {
                    plain(connection.fragment(key, kind, Rsv::NONE, bytes.len() as u64, last), key, bytes)
                }
                Some(c) => c.deflater.fragment(connection, key, kind, bytes, last, &mut c.deflate),
            })?;
        }
        Ok(())
    }

    /// Sends a ping.
    pub fn ping(&mut self, payload: &[u8]) -> io::Result<()> {
        let frame = self.connection.ping(key(), payload).map_err(io::Error::other)?;
        self.stream.write_all(&frame)
    }

    /// Sends a close. What still arrives, up to the other end's close, is received as before.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> io::Result<()> {
        let frame = self.connection.close(key(), code, reason).map_err(io::Error::other)?;
        self.stream.write_all(&frame)
    }

    /// Waits for what the other end sends next.
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
                self.stream.write_all(&frame)?;
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

    /// Tells the other end what it did wrong.
    fn fail(&mut self, error: ProtocolError) -> io::Error {
        if let Some(frame) = self.connection.fail(error, key) {
            if let Err(error) = self.stream.write_all(&frame) {
                return error;
            }
        }
        self.wait_for_end();
        io::Error::other(error)
    }

    /// The server closes first (RFC 6455 §7.1.1); the client waits for that, for a while.
    fn wait_for_end(&mut self) {
        debug_assert_eq!(self.connection.state(), State::Closed);
        let _ = self.stream.set_read_timeout(Some(Duration::from_secs(2)));
        while self.stream.read(&mut self.rx).is_ok_and(|n| n > 0) {}
    }

    /// Has a copy of the payload masked, perhaps compressed, and gets a header for it; writes both.
    fn send_frame(
        &mut self,
        payload: &[u8],
        frame: impl for<'p> FnOnce(
            &mut Connection<Client>,
            Option<&'p mut Compression>,
            Key,
            &mut [u8],
        ) -> Result<Outgoing<'p>, SendError>,
    ) -> io::Result<()> {
        self.tx.clear();
        self.tx.extend_from_slice(payload);
        let sent = frame(&mut self.connection, self.compression.as_mut(), key(), &mut self.tx);
        let sent = sent.map_err(io::Error::other)?;
        match sent.payload {
            Some(compressed) => {
                self.tx.clear();
                self.tx.extend_from_slice(&sent.header);
                self.tx.extend_from_slice(compressed);
            }
            None => {
                self.tx.splice(..0, sent.header.iter().copied());
            }
        }
        self.traffic.1 += self.tx.len() as u64;
        self.stream.write_all(&self.tx)
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

/// A frame that is not compressed.
fn plain<'p>(
    header: Result<HeaderBytes, SendError>,
    key: Key,
    bytes: &mut [u8],
) -> Result<Outgoing<'p>, SendError> {
    let header = header?;
    mask::apply(key, bytes);
    Ok(Outgoing { header, payload: None })
}

/// Inflates a part, where it is compressed; gives the message once it is whole.
fn assemble(
    part: Part<'_>,
    compression: Option<&mut Compression>,
    assembler: &mut Assembler,
) -> Result<Option<(Kind, Vec<u8>)>, ProtocolError> {
    let Some(Compression { inflater, inflate, .. }) = compression else {
        return Ok(assembler.push(part)?.map(|message| (message.kind, message.into_vec())));
    };
    // Where connections share a pool, this is asked before the socket is read.
    let mut ready = inflater.ready(inflate).expect("nobody else has a part in the pool");
    let mut parts = ready.feed(part);
    let mut whole = None;
    while let Some(part) = parts.next_part()? {
        whole = assembler.push(part)?.map(|message| (message.kind, message.into_vec()));
    }
    Ok(whole)
}

/// A new masking key: unpredictable for whoever provides the payload (RFC 6455 §10.3).
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
