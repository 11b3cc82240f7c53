//! The program as a process, and a blocking client to meet it with. Everything here gives up after [`PATIENCE`].

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its own part of this")]

pub mod siege;

use framewire::{
    Assembler, Client as ClientRole, Connection, Event, Kind, Limits,
    handshake::{ClientHandshake, ClientKey, HeadBuffer, HeadLimits, HeaderSlots, Response},
};
use framewire_testing::wire::{self, KEY, closing};
pub use framewire_testing::{
    payload::Random,
    wire::{BINARY, CLOSE, CONTINUATION, MORE, PING, PONG, RSV1, TEXT},
};
use std::{
    collections::VecDeque,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test fails. Never reached where all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const KIB: usize = 1 << 10;
pub const MIB: usize = 1 << 20;

/// `framewire-echo`, running. It is killed when this goes.
pub struct Program {
    child: Child,
    /// Where it listens, in the order of its options.
    pub addresses: Vec<String>,
    lines: Receiver<String>,
}

impl Program {
    /// On a port of the loopback interface that is free.
    pub fn start(options: &[&str]) -> Self {
        Self::start_with("", &[&["--listen", "127.0.0.1:0"], options].concat())
    }

    /// With these options only, after `setup` has run in the shell that becomes it.
    pub fn start_with(setup: &str, options: &[&str]) -> Self {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("{setup}\nexec \"$0\" \"$@\""))
            .arg(env!("CARGO_BIN_EXE_framewire-echo"))
            .args(options)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut program = Self { child, addresses: Vec::new(), lines };
        loop {
            let line = program.line();
            if let Some(listening) = line.trim().strip_prefix("listening on ") {
                let address = listening.trim_start_matches("ws://").trim_end_matches("(Unix socket)");
                program.addresses.push(address.trim().trim_end_matches('/').to_owned());
            } else if line.contains("limits:") {
                return program;
            }
        }
    }

    /// The next line that it prints.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line on its standard output")
    }

    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    pub fn tcp(&self) -> TcpStream {
        tcp(self.address())
    }

    pub fn signal(&self, name: &str) {
        let status =
            Command::new("/bin/sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status();
        assert!(status.expect("a shell").success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the program does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory of its own that are resident: heap and stacks, not the program's text.
    pub fn memory(&self) -> usize {
        memory(self.pid())
    }

    /// CPU time that it has used, in ticks of 10 ms.
    pub fn cpu(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("procfs");
        let (_, behind_name) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
    }

    /// How often it has gone to sleep, waiting for something.
    pub fn sleeps(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("procfs");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.expect("a count").trim().parse().expect("a number")
    }

    /// File descriptors that it holds.
    pub fn descriptors(&self) -> usize {
        self.descriptors_below(usize::MAX)
    }

    /// Those with lower numbers than this. (Higher than a limit may be what it has inherited.)
    pub fn descriptors_below(&self, limit: usize) -> usize {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("procfs");
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<usize>().ok());
        numbers.filter(|&number| number < limit).count()
    }

    /// Whether it serves somebody else, as it should whatever happens.
    pub fn check(&self) {
        self.connect().check();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of memory of its own that a process has resident.
pub fn memory(pid: u32) -> usize {
    if cfg!(framewire_asan) {
        return 0; // AddressSanitizer keeps what is freed for a while: that is not the server's
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches("kB").trim().parse::<usize>().expect("a number") * KIB
}

pub fn tcp(address: &str) -> TcpStream {
    let address: SocketAddr = address.parse().expect("an address");
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A socket of either kind.
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub fn try_clone(&self) -> Self {
        match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone().unwrap()),
            Self::Unix(socket) => Self::Unix(socket.try_clone().unwrap()),
        }
    }

    pub fn shutdown_write(&self) {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write).unwrap(),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write).unwrap(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// Code (1005: none) and reason.
    Close(u16, String),
    /// The server closed its side.
    End,
}

/// A client after its handshake.
pub struct Client {
    pub socket: Socket,
    connection: Connection<ClientRole>,
    assembler: Assembler,
    came: VecDeque<Got>,
    rx: Vec<u8>,
    pub subprotocol: Option<String>,
}

impl Client {
    pub fn connect(address: &str) -> Self {
        Self::on(Socket::Tcp(tcp(address)), &[], b"")
    }

    pub fn connect_unix(path: &str) -> Self {
        let stream = UnixStream::connect(path).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::on(Socket::Unix(stream), &[], b"")
    }

    /// The opening handshake, with frames right behind the head.
    pub fn on(mut socket: Socket, subprotocols: &[&str], frames: &[u8]) -> Self {
        let handshake =
            ClientHandshake::new("test.example", "/", ClientKey::new([7; 16])).subprotocols(subprotocols);
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

    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub fn binary(&mut self, payload: &[u8]) {
        self.send(&frame(BINARY, payload));
    }

    pub fn text(&mut self, payload: &str) {
        self.send(&frame(TEXT, payload.as_bytes()));
    }

    /// The next thing that comes.
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

    /// Whatever comes up to the end, or the reset, of the stream.
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

    pub fn expect_binary(&mut self, payload: &[u8]) {
        match self.next() {
            Got::Binary(bytes) => assert_same(&bytes, payload),
            other => panic!("{} bytes were expected, not {}", payload.len(), brief(&other)),
        }
    }

    pub fn expect_text(&mut self, payload: &str) {
        match self.next() {
            Got::Text(text) => assert_same(text.as_bytes(), payload.as_bytes()),
            other => panic!("a text of {} bytes was expected, not {}", payload.len(), brief(&other)),
        }
    }

    pub fn expect_close(&mut self, code: u16) {
        match self.next() {
            Got::Close(got, _) => assert_eq!(got, code),
            other => panic!("close {code} was expected, not {}", brief(&other)),
        }
    }

    pub fn expect_end(&mut self) {
        match self.next() {
            Got::End => {}
            other => panic!("the end was expected, not {}", brief(&other)),
        }
    }

    /// One small echo.
    pub fn check(&mut self) {
        self.text("still here?");
        self.expect_text("still here?");
    }

    /// The closing handshake, from this side.
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

pub fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &closing(code, reason))
}

/// Bytes without a pattern; they repeat, but at no distance that a buffer has.
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

/// Sends a head, or what pretends to be one, and gives all that comes back.
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
