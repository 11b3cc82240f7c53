//! A whole WebSocket server on blocking sockets, with a thread for each connection: the opening handshake, messages
//! whole and in parts, pings, closing, errors. `cargo run --example std_threads --features handshake [ADDR]`
//!
//! The host owns the sockets, the buffers, the limits and the time, for which the timeouts of the socket are enough
//! here, and decides when to write. `server-mio` is a larger host, with more connections than threads.

use framewire::{
    Assembler, Connection, Event, Server, State, Unmasked,
    handshake::{self, HandshakeError, HeadBuffer, HeaderSlots, PlainResponse, Request},
};
use std::{
    env, io,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// The largest message that is echoed, in bytes.
const MAX_MESSAGE: u64 = 4 << 20;

/// How long a peer may send nothing, or not read.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9002"))?;
    println!("listening on ws://{}/", listener.local_addr()?);
    serve(&listener)
}

pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = session(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// Serves one connection, from its first byte to its last.
fn session(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut rx = vec![0; 64 << 10];
    let Some((start, end)) = open(&mut stream, &mut rx)? else { return Ok(()) };
    let mut connection = Connection::<Server>::new();
    let mut assembler = Assembler::new(MAX_MESSAGE);
    let mut tx = Vec::new();

    // The first frames may have come with the head. After them come those of each read.
    let mut received = start..end;
    loop {
        exchange(&mut connection, &mut assembler, &mut rx[received], &mut tx)?;
        stream.write_all(&tx)?;
        tx.clear();
        if connection.state() == State::Closed {
            return finish(&stream);
        }
        let n = stream.read(&mut rx)?;
        if n == 0 {
            return connection.receive_eof().map_err(io::Error::other);
        }
        received = 0..n;
    }
}

/// Ends the connection. If it were closed before all that has arrived is read, the peer might not get what was written last.
fn finish(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    io::copy(&mut stream.take(MAX_MESSAGE), &mut io::sink())?;
    Ok(())
}

/// Does the opening handshake. Returns the range of `rx` that has frames already; `None` if the request was refused.
fn open(stream: &mut TcpStream, rx: &mut [u8]) -> io::Result<Option<(usize, usize)>> {
    let mut buffer = HeadBuffer::new(handshake::HeadLimits::default());
    loop {
        let n = stream.read(rx)?;
        if n == 0 {
            return Ok(None);
        }
        let answer = match buffer.push(&rx[..n]) {
            Ok(None) => continue, // the head is cut
            Ok(Some(head)) => accept(head.bytes).map(|answer| (answer, head.consumed)),
            Err(error) => Err(error.into()),
        };
        return match answer {
            Ok((answer, consumed)) => {
                stream.write_all(&answer)?;
                Ok(Some((consumed, n)))
            }
            Err(refusal) => {
                stream.write_all(&refusal.to_vec().map_err(io::Error::other)?)?;
                Ok(None)
            }
        };
    }
}

/// The 101 for a head, or the response that refuses it. A real host also checks the origin, the path and the user here.
fn accept(head: &[u8]) -> Result<Vec<u8>, PlainResponse<'static>> {
    let mut slots = HeaderSlots::new();
    let upgrade = Request::parse(head, &mut slots)?.upgrade()?.ok_or(HandshakeError::NotUpgrade)?;
    Ok(upgrade.accept().to_vec()?)
}

/// Handles the bytes of one read, and appends all replies to `tx`.
fn exchange(
    connection: &mut Connection<Server>,
    assembler: &mut Assembler,
    mut input: &mut [u8],
    tx: &mut Vec<u8>,
) -> io::Result<()> {
    let outcome = loop {
        let event = match connection.receive(&mut input) {
            Ok(Some(event)) => event,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        if let Some(frame) = connection.reply(&event, Unmasked) {
            tx.extend_from_slice(&frame);
        }
        // The host's own answers: echoes.
        let echoed = match event {
            Event::Text(text) => connection.append_text(tx, text, Unmasked),
            Event::Binary(bytes) => connection.append_binary(tx, bytes, Unmasked),
            Event::Part(part) => match assembler.push(part) {
                Ok(Some(message)) => connection.append_message(tx, message.kind, message.bytes(), Unmasked),
                Ok(None) => continue,
                Err(error) => break Err(error),
            },
            Event::Ping(_) | Event::Pong(_) => continue,
            Event::Close(payload) => {
                println!("closed by the peer: {:?}", payload.as_close());
                continue;
            }
        };
        echoed.map_err(io::Error::other)?;
    };
    if let Err(error) = outcome {
        println!("the peer broke the protocol: {error}");
        tx.extend(connection.fail(error, Unmasked).iter().flat_map(|frame| frame.iter()));
    }
    Ok(())
}
