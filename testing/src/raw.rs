//! A client without the codec: a TCP stream, and frames written and read by [`wire`](crate::wire) alone.

use crate::wire::{KEY, frame};
use core::time::Duration;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// The smallest request for a WebSocket.
pub const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to `HOST:PORT`, and sends nothing.
///
/// # Panics
/// If nobody listens.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a server listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// Connects, and does the opening handshake.
///
/// # Panics
/// If nobody listens, or the server does not answer with 101.
pub fn open(address: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(REQUEST).expect("the server reads");
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("the server answers");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", answer.escape_ascii());
    stream
}

/// Sends a frame with this first byte.
///
/// # Panics
/// If the server does not read.
pub fn send(stream: &mut TcpStream, first: u8, payload: &[u8]) {
    stream.write_all(&frame(first, Some(KEY), payload)).expect("the server reads");
}

/// Reads the next frame, and returns its first byte and its payload.
///
/// # Panics
/// If none comes, or one that is masked.
pub fn receive(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let [first, short] = read(stream);
    let len = match short {
        0..=125 => u64::from(short),
        126 => u16::from_be_bytes(read(stream)).into(),
        127 => u64::from_be_bytes(read(stream)),
        _ => panic!("a server masks"),
    };
    let mut payload = vec![0; usize::try_from(len).expect("it fits into memory")];
    stream.read_exact(&mut payload).expect("a whole frame");
    (first, payload)
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("a whole header");
    bytes
}
