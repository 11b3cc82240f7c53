//! Runs the examples. Each is a module here, unchanged: cargo does not build examples for `--test`, or for `--tests`,
//! and does not tell a test where they are. As modules they also share one test program.
#![allow(dead_code, reason = "nothing calls their `main`")]

#[path = "../examples/broadcast.rs"]
mod broadcast;
#[path = "../examples/embedded/main.rs"]
mod embedded;
#[path = "../examples/huge_upload.rs"]
mod huge_upload;
#[path = "../examples/loopback.rs"]
mod loopback;
#[path = "../examples/proxy.rs"]
mod proxy;
#[path = "../examples/std_threads.rs"]
mod std_threads;

use bytes::Buf;
use framewire::Kind;
use framewire_testing::{
    raw::{self, REQUEST, receive, send},
    wire::*,
};
use std::{
    io,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

#[test]
fn loopback() {
    assert_eq!(
        loopback::talk(&["Hello", "w\u{F6}rld"]).unwrap(),
        [
            "server: text \"Hello\"",
            "server: text \"w\u{F6}rld\"",
            "server: ping \"there?\"",
            "server: close Close { code: CloseCode(1000), reason: \"that is all\" }",
            "client: text \"Hello\"",
            "client: text \"w\u{F6}rld\"",
            "client: pong \"there?\"",
            "client: close Close { code: CloseCode(1000), reason: \"\" }",
        ]
    );
}

#[test]
fn std_threads() {
    let mut socket = raw::open(&spawn(|listener| std_threads::serve(&listener)));
    echoes(&mut socket, 3 << 20);
    end(socket);
    // A message over the limit is refused on its header, with the code that says so.
    let mut socket = raw::open(&spawn(|listener| std_threads::serve(&listener)));
    send(&mut socket, BINARY & MORE, &[0; 4 << 20]);
    send(&mut socket, CONTINUATION, &[0]);
    let (first, payload) = receive(&mut socket);
    assert!(first == CLOSE && payload.starts_with(&1009_u16.to_be_bytes()), "{first:x} {payload:x?}");
    // So is a frame, and the client may go on to send it.
    let mut socket = raw::open(&spawn(|listener| std_threads::serve(&listener)));
    let frame = frame(BINARY, Some(KEY), &vec![0; 17 << 20]);
    let (some, rest) = frame[..3 << 20].split_at(100 << 10);
    socket.write_all(some).unwrap();
    let (first, payload) = receive(&mut socket);
    assert!(first == CLOSE && payload.starts_with(&1009_u16.to_be_bytes()), "{first:x} {payload:x?}");
    socket.write_all(rest).unwrap();
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
}

#[test]
fn proxy() {
    let server = spawn(|listener| std_threads::serve(&listener));
    let relay = spawn(move |listener| proxy::serve(&listener, &server));
    let mut sockets: Vec<_> = (0..3).map(|_| raw::open(&relay)).collect();
    sockets.iter_mut().for_each(|socket| echoes(socket, 3 << 20));
    sockets.into_iter().for_each(end);
    // A bad frame ends both directions.
    let mut stream = raw::connect(&relay);
    stream.write_all(&[REQUEST, b"\x83\x80\0\0\0\0"].concat()).unwrap(); // opcode 3
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest); // an end, or a reset
    assert!(rest.starts_with(b"HTTP/1.1 101 "), "{}", rest.escape_ascii());
}

#[test]
fn broadcast() {
    let mut room = broadcast::Room::new(1_000);
    let text = "no news is good news; ".repeat(200);
    for round in 1..=3 {
        assert_eq!(room.broadcast(Kind::Text, text.as_bytes()).unwrap(), 1_000, "round {round}");
    }
    let waiting = |at: usize| room.peers[at].queue.remaining();
    assert_eq!(waiting(0), 3 * (4 + text.len())); // the one in ten that does not compress
    assert!(waiting(1) < 3 * text.len() / 10, "{} bytes", waiting(1));
    // A peer that does not read gets no more messages.
    let large = "0123456789abcdef".repeat(10_000);
    assert_eq!(room.broadcast(Kind::Binary, large.as_bytes()).unwrap(), 1_000);
    assert_eq!(room.broadcast(Kind::Binary, large.as_bytes()).unwrap(), 900);
}

#[test]
fn huge_upload() {
    /// Compares the bytes that it gets with those that were sent, and keeps nothing.
    struct Check {
        offset: u64,
        longest: usize,
    }
    impl io::Write for &mut Check {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // `fill` begins at the start of a word.
            let before = (self.offset % 8) as usize;
            let mut expected = vec![0; before + bytes.len()];
            huge_upload::fill(&mut expected, self.offset - before as u64);
            assert!(expected[before..] == *bytes, "bytes behind {} differ", self.offset);
            self.offset += bytes.len() as u64;
            self.longest = self.longest.max(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for len in [0, 5, 100_000, (20 << 20) + 3] {
        let mut check = Check { offset: 0, longest: 0 };
        let received = huge_upload::run(len, &mut check).unwrap();
        assert_eq!((received, check.offset), (len, len));
        assert!(check.longest <= 256 << 10, "{} bytes at once", check.longest);
    }
}

#[test]
fn embedded() {
    struct Wire(Vec<u8>, Vec<u8>, usize);
    impl embedded::device::Link for Wire {
        type Error = ();
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
            let n = self.0.len().min(buffer.len()).min(self.2);
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
        fn write_all(&mut self, bytes: &[u8]) -> Result<(), ()> {
            self.1.extend_from_slice(bytes);
            Ok(())
        }
    }
    // Masked with zero bytes: two whole messages, one in fragments, a ping, one that is too long.
    let frames = b"\x81\x87\0\0\0\0lamp on\x82\x81\0\0\0\0x\x01\x84\0\0\0\0lamp\x80\x81\0\0\0\0?\
        \x89\x81\0\0\0\0!\x81\xC1\0\0\0\0";
    for piece in [1, 7, 100, 1_000] {
        let mut wire = Wire([REQUEST, frames].concat(), Vec::new(), piece);
        embedded::device::Device::new().serve(&mut wire).unwrap();
        let text = wire.1.escape_ascii().to_string();
        let (answer, rest) = text.split_once("\\r\\n\\r\\n").unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let expected = "\\x81\\x0ethe lamp is on\\x81\\ttext only\\x81\\x0ethe lamp is on\\x8a\\x01!\\x88";
        assert!(rest.starts_with(expected) && rest.contains("\\x03\\xf1"), "{rest}"); // 1009
    }
    // No upgrade; a head that is too long.
    for (head, status) in [(&b"GET / HTTP/1.1\r\nHost: lamp\r\n\r\n"[..], "426"), (&[b'x'; 5_000], "431")] {
        let mut wire = Wire(head.to_vec(), Vec::new(), 100);
        embedded::device::Device::new().serve(&mut wire).unwrap();
        assert!(wire.1.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{}", wire.1.escape_ascii());
    }
}

/// Starts a server on a free port, which runs as long as the test program. Returns its address.
fn spawn(serve: impl FnOnce(TcpListener) -> io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || serve(listener));
    address
}

fn echoes(socket: &mut TcpStream, longest: usize) {
    let bytes: Vec<_> = (0..longest).map(|i| (i * 7 + i / 255) as u8).collect();
    for len in [0, 1, 125, 126, 65_535, 65_536, longest] {
        send(socket, BINARY, &bytes[..len]);
        assert!(receive(socket) == (BINARY, bytes[..len].to_vec()), "{len} bytes");
    }
    let text = "\u{1F44B}".as_bytes();
    send(socket, TEXT & MORE, &text[..1]);
    send(socket, CONTINUATION & MORE, b"");
    send(socket, CONTINUATION, &text[1..]);
    assert_eq!(receive(socket), (TEXT, text.to_vec()));
    send(socket, PING, b"there?");
    assert_eq!(receive(socket), (PONG, b"there?".to_vec()));
}

/// The closing handshake, after which the server closes the socket.
fn end(mut socket: TcpStream) {
    let close = closing(1000, "");
    send(&mut socket, CLOSE, &close);
    assert_eq!(receive(&mut socket), (CLOSE, close));
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
}
