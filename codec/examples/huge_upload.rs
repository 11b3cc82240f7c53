//! Streams one message of 10 GiB to a file in constant memory. Both ends are here, and use the loopback interface.
//! `cargo run --release --example huge_upload FILE [GIB]` (`/dev/null` is a file, too)
//!
//! The client announces the length in one header, and then masks and sends the payload piece by piece. The server
//! writes each part to the file as it arrives. Neither holds more than its buffer. The host owns the buffer and the
//! file, and allows messages of this length ([`Limits`]). It must not use [`framewire::Assembler`], which collects
//! whole messages.

use framewire::{
    Client, CloseCode, Connection, Event, Kind, Limits, Rsv, Server, State, Unmasked,
    mask::{self, Key},
};
use std::{
    env,
    error::Error,
    fs::File,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

const BUFFER: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let file = arguments.next().ok_or("usage: huge_upload FILE [GIB]")?;
    let gib: u64 = arguments.next().as_deref().unwrap_or("10").parse()?;
    let began = Instant::now();
    let received = run(gib << 30, File::create(&file)?)?;
    println!("{received} bytes in {:.1} s, in one message", began.elapsed().as_secs_f64());
    // On Linux: the most memory that this process had at any time.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    Ok(())
}

/// Sends `len` bytes as one message, and stores those that arrive. Returns their number.
pub(crate) fn run(len: u64, store: impl Write) -> io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let client = thread::spawn(move || send(TcpStream::connect(address)?, len));
    let received = receive(listener.accept()?.0, store)?; // a real server does the opening handshake first
    client.join().map_err(|_| io::Error::other("the client panicked"))??;
    Ok(received)
}

/// The server's end.
fn receive(mut socket: TcpStream, mut store: impl Write) -> io::Result<u64> {
    let mut connection = Connection::<Server>::new().with_limits(Limits::NONE); // or the free space of the disk
    let mut rx = vec![0; BUFFER];
    let mut received = 0;
    while connection.state() != State::Closed {
        let n = socket.read(&mut rx)?;
        if n == 0 {
            connection.receive_eof().map_err(io::Error::other)?;
        }
        let mut input = &mut rx[..n];
        while let Some(event) = connection.receive(&mut input).map_err(io::Error::other)? {
            if let Some(frame) = connection.reply(&event, Unmasked) {
                socket.write_all(&frame)?;
            }
            let (bytes, last) = match event {
                Event::Part(ref part) => (part.bytes(), part.last),
                Event::Binary(ref bytes) => (&bytes[..], true), // a message that arrived whole
                _ => continue,
            };
            store.write_all(bytes)?;
            received += bytes.len() as u64;
            if last {
                store.flush()?;
                let mut answer = Vec::new();
                let done = format!("{received} bytes are stored");
                connection.append_text(&mut answer, &done, Unmasked).map_err(io::Error::other)?;
                socket.write_all(&answer)?;
            }
        }
    }
    Ok(received)
}

/// The client's end: sends one header, then the payload in pieces.
fn send(mut socket: TcpStream, len: u64) -> io::Result<()> {
    let mut connection = Connection::<Client>::new();
    let key = new_key();
    let header = connection.message_header(Kind::Binary, Rsv::NONE, len, key).map_err(io::Error::other)?;
    socket.write_all(&header)?;
    let mut piece = vec![0; BUFFER];
    let mut sent = 0;
    while sent < len {
        let n = (len - sent).min(BUFFER as u64) as usize;
        fill(&mut piece[..n], sent);
        mask::apply(key.advance((sent % 4) as usize), &mut piece[..n]); // the key continues from piece to piece
        socket.write_all(&piece[..n])?;
        sent += n as u64;
    }

    let mut rx = [0; 1024];
    loop {
        let n = socket.read(&mut rx)?;
        if n == 0 {
            return connection.receive_eof().map_err(io::Error::other);
        }
        let mut input = &mut rx[..n];
        while let Some(event) = connection.receive(&mut input).map_err(io::Error::other)? {
            if let Event::Text(_) = event {
                let close = connection.close(CloseCode::NORMAL, "", new_key()).map_err(io::Error::other)?;
                socket.write_all(&close)?;
            }
        }
    }
}

/// The bytes to upload. They differ from place to place, so that a piece in the wrong place is found.
pub(crate) fn fill(piece: &mut [u8], offset: u64) {
    for (i, word) in (offset / 8..).zip(piece.chunks_mut(8)) {
        word.copy_from_slice(&i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[..word.len()]);
    }
}

fn new_key() -> Key {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    Key::new(bytes)
}
