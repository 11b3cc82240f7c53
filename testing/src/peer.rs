//! A blocking client on the codec, to test a server. Everything here gives up after [`PATIENCE`].

use crate::{
    payload::Random,
    wire::{self, BINARY, CLOSE, KEY, TEXT, closing},
};
use framewire::{
    Assembler, Client as ClientRole, Connection, Event, Kind, Limits,
    handshake::{ClientHandshake, ClientKey, HeadBuffer, HeadLimits, HeaderSlots, Response},
};
use std::{
    collections::VecDeque,
    fmt::Debug,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes.
pub const KIB: usize = 1 << 10;
/// Bytes.
pub const MIB: usize = 1 << 20;

/// A TCP connection.
pub fn tcp(address: &str) -> TcpStream {
    let address: SocketAddr = address.parse().expect("an address");
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A socket of either kind.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// Another stream, such as one over TLS. It has only one handle.
    Other(Box<dyn Stream>),
}

/// What a [`Socket`] may be.
pub trait Stream: Read + Write + Debug + Send {
    /// Closes the sending direction.
    fn shutdown_write(&self);
}

impl Socket {
    /// Another handle to it.
    pub fn try_clone(&self) -> Self {
        match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone().unwrap()),
            Self::Unix(socket) => Self::Unix(socket.try_clone().unwrap()),
            Self::Other(socket) => panic!("there is only one handle of {socket:?}"),
        }
    }

    /// Closes the sending direction.
    pub fn shutdown_write(&self) {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write).unwrap(),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write).unwrap(),
            Self::Other(socket) => socket.shutdown_write(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
            Self::Other(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
            Self::Other(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An item from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close: its code (1005 if it has none) and reason.
    Close(u16, String),
    /// The server closed its side.
    End,
}

/// A client after its handshake.
#[derive(Debug)]
pub struct Client {
    /// Its socket.
    pub socket: Socket,
    connection: Connection<ClientRole>,
    assembler: Assembler,
    came: VecDeque<Got>,
    rx: Vec<u8>,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

impl Client {
    /// Connects over TCP.
    pub fn connect(address: &str) -> Self {
        Self::on(Socket::Tcp(tcp(address)), &[], b"")
    }

    /// Connects over TCP, to this path and query.
    pub fn connect_to(address: &str, target: &str) -> Self {
        Self::open(Socket::Tcp(tcp(address)), target, &[], b"")
    }

    /// Connects over a Unix socket.
    pub fn connect_unix(path: &str) -> Self {
        let stream = UnixStream::connect(path).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::on(Socket::Unix(stream), &[], b"")
    }

    /// Does the opening handshake, and sends frames with the head.
    pub fn on(socket: Socket, subprotocols: &[&str], frames: &[u8]) -> Self {
        Self::open(socket, "/", subprotocols, frames)
    }

    fn open(mut socket: Socket, target: &str, subprotocols: &[&str], frames: &[u8]) -> Self {
        let handshake =
            ClientHandshake::new("test.example", target, ClientKey::new([7; 16])).subprotocols(subprotocols);
        let mut request = handshake.to_vec().unwrap();
        request.extend_from_slice(frames);
        socket.write_all(&request).unwrap();

        let mut rx = vec![0; 64 * KIB];
        let mut buffer = HeadBuffer::new(HeadLimits::default());
        let (subprotocol, rest) = loop {
            let n = socket.read(&mut rx).expect("an answer to the head");
            assert_ne!(n, 0, "the server closed instead of answering the head");
            if let Some(head) = buffer.push(&rx[..n]).unwrap() {
                let mut slots = HeaderSlots::new();
                let response = Response::parse(head.bytes, &mut slots).unwrap();
                let negotiated = handshake.check(&response).unwrap().expect("a 101");
                break (negotiated.subprotocol.map(str::to_owned), rx[head.consumed..n].to_vec());
            }
        };
        let mut client = Self {
            socket,
            connection: Connection::new().with_limits(Limits::NONE),
            assembler: Assembler::new(u64::MAX),
            came: VecDeque::new(),
            rx,
            subprotocol,
        };
        client.take(rest);
        client
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Sends a binary message.
    pub fn binary(&mut self, payload: &[u8]) {
        self.send(&frame(BINARY, payload));
    }

    /// Sends a text message.
    pub fn text(&mut self, payload: &str) {
        self.send(&frame(TEXT, payload.as_bytes()));
    }

    /// Waits for the next item.
    #[allow(clippy::should_implement_trait, reason = "it does not end with the stream")]
    pub fn next(&mut self) -> Got {
        loop {
            if let Some(got) = self.came.pop_front() {
                return got;
            }
            let mut rx = std::mem::take(&mut self.rx);
            let n = self.socket.read(&mut rx).expect("something comes in time, and no reset");
            let bytes = rx[..n].to_vec();
            self.rx = rx;
            if n == 0 {
                return Got::End;
            }
            self.take(bytes);
        }
    }

    /// All items up to the end or the reset of the stream.
    pub fn all(&mut self) -> Vec<Got> {
        let mut all: Vec<Got> = self.came.drain(..).collect();
        loop {
            let mut rx = vec![0; 64 * KIB];
            match self.socket.read(&mut rx) {
                Ok(0) => return all,
                Ok(n) => self.take(rx[..n].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return all,
                Err(error) => panic!("the stream does not end: {error}"),
            }
            all.extend(self.came.drain(..));
        }
    }

    /// Expects a binary message next.
    pub fn expect_binary(&mut self, payload: &[u8]) {
        match self.next() {
            Got::Binary(bytes) => assert_same(&bytes, payload),
            other => panic!("{} bytes were expected, not {}", payload.len(), brief(&other)),
        }
    }

    /// Expects a text message next.
    pub fn expect_text(&mut self, payload: &str) {
        match self.next() {
            Got::Text(text) => assert_same(text.as_bytes(), payload.as_bytes()),
            other => panic!("a text of {} bytes was expected, not {}", payload.len(), brief(&other)),
        }
    }

    /// Expects a close next.
    pub fn expect_close(&mut self, code: u16) {
        match self.next() {
            Got::Close(got, _) => assert_eq!(got, code),
            other => panic!("close {code} was expected, not {}", brief(&other)),
        }
    }

    /// Expects the end of the stream next.
    pub fn expect_end(&mut self) {
        match self.next() {
            Got::End => {}
            other => panic!("the end was expected, not {}", brief(&other)),
        }
    }

    /// Sends a small message, and expects its echo.
    pub fn check(&mut self) {
        self.text("still here?");
        self.expect_text("still here?");
    }

    /// Does the closing handshake, from this side.
    pub fn close(mut self) {
        self.send(&close(1000, "bye"));
        self.expect_close(1000);
        self.expect_end();
    }

    fn take(&mut self, mut bytes: Vec<u8>) {
        let mut input = &mut bytes[..];
        while let Some(event) = self.connection.receive(&mut input).expect("the server keeps the protocol") {
            let got = match event {
                Event::Text(text) => Got::Text(text.to_owned()),
                Event::Binary(bytes) => Got::Binary(bytes.to_vec()),
                Event::Part(part) => match self.assembler.push(part).expect("no limit") {
                    None => continue,
                    Some(message) => match message.kind {
                        Kind::Text => Got::Text(message.as_str().unwrap().to_owned()),
                        Kind::Binary => Got::Binary(message.bytes().to_vec()),
                    },
                },
                Event::Ping(payload) => Got::Ping(payload.to_vec()),
                Event::Pong(payload) => Got::Pong(payload.to_vec()),
                Event::Close(payload) => {
                    let close = payload.as_close();
                    Got::Close(close.code.get(), close.reason.to_owned())
                }
            };
            self.came.push_back(got);
        }
    }
}

fn assert_same(got: &[u8], expected: &[u8]) {
    assert_eq!(got.len(), expected.len(), "length");
    if got != expected {
        let at = got.iter().zip(expected).position(|(got, expected)| got != expected);
        panic!("the echo of {} bytes differs at {at:?}", expected.len());
    }
}

fn brief(got: &Got) -> String {
    match got {
        Got::Text(text) => format!("a text of {} bytes", text.len()),
        Got::Binary(bytes) => format!("a binary of {} bytes", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// A frame of a client with this first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::frame(first, Some(KEY), payload)
}

/// The header of a client's frame.
pub fn head(first: u8, len: u64) -> Vec<u8> {
    wire::head(first, Some(KEY), len)
}

/// A close of a client.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &closing(code, reason))
}

/// Bytes without a pattern. They repeat, but not at the length of any buffer.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    const PERIOD: usize = 65_521;
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len.min(PERIOD) {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(len.min(PERIOD));
    while bytes.len() < len {
        bytes.extend_from_within(..PERIOD.min(len - bytes.len()));
    }
    bytes
}

/// Text of `len` bytes with characters of every length.
pub fn words(len: usize) -> String {
    const LINE: &str = "framewire, größer, € 5, 👋 — ";
    let mut text = LINE.repeat(len / LINE.len());
    while text.len() < len {
        text.push('.');
    }
    text
}

/// Sends a head, or something else, and returns the whole answer.
pub fn ask(address: &str, request: &[u8]) -> String {
    let mut stream = tcp(address);
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer, and the end");
    String::from_utf8(answer).expect("text")
}

/// The status of an answer.
pub fn status(answer: &str) -> u16 {
    answer
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status: {answer:?}"))
}

/// A request for a WebSocket, with more headers.
pub fn upgrade(more: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: test.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}
