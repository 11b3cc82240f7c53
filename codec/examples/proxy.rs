//! A relay that changes masking keys and holds no message: `cargo run --example proxy [LISTEN] [SERVER]`
//!
//! It copies the opening handshake, and then decodes the frames of each direction with [`Decoder`], level 2. It relays
//! payload in the pieces in which it arrives. A client's payload gets a key of the relay, in **one** pass over the
//! bytes, which combines the two keys. A server's payload is not changed. So a message of any size needs only one
//! buffer.
//!
//! The host owns both sockets, a buffer for each direction, the keys, and a count of frames and bytes. Closing needs no
//! rule of its own: a close is a frame, and the end of a stream is passed on.

use framewire::{Decoder, Header, mask};
use std::{
    env, io,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

const HEAD_LIMIT: usize = 16 << 10;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:9010"))?;
    let server = arguments.next().unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    println!("relaying ws://{}/ to {server}", listener.local_addr()?);
    serve(&listener, &server)
}

pub(crate) fn serve(listener: &TcpListener, server: &str) -> io::Result<()> {
    for client in listener.incoming() {
        let (client, server) = (client?, server.to_owned());
        thread::spawn(move || match relay(client, &server) {
            Ok((up, down)) => println!("from the client {up:?}, from the server {down:?}"),
            Err(error) => eprintln!("{error}"),
        });
    }
    Ok(())
}

/// The traffic of one direction.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) frames: u64,
    pub(crate) payload: u64,
}

/// Relays a connection until both directions have ended.
fn relay(mut client: TcpStream, server: &str) -> io::Result<(Traffic, Traffic)> {
    let mut server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut up = relay_head(&mut client, &mut server)?;
    let mut down = relay_head(&mut server, &mut client)?;

    let (client_reader, server_writer) = (client.try_clone()?, server.try_clone()?);
    thread::scope(|scope| {
        let upwards = scope.spawn(move || relay_frames(client_reader, server_writer, &mut up));
        let downwards = relay_frames(server, client, &mut down);
        let upwards = upwards.join().map_err(|_| io::Error::other("the thread panicked"))?;
        Ok((upwards?, downwards?))
    })
}

/// Passes a head on unchanged. Returns the bytes that were read after it, which are frames.
fn relay_head(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut piece) = (Vec::new(), [0; 2048]);
    loop {
        let n = from.read(&mut piece)?;
        if n == 0 || head.len() > HEAD_LIMIT {
            return Err(io::Error::other("the head is missing or too long"));
        }
        head.extend_from_slice(&piece[..n]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            to.write_all(&head[..end + 4])?;
            return Ok(head.split_off(end + 4));
        }
    }
}

/// Relays one direction to its end. If it ends with an error, the other direction ends as well.
fn relay_frames(from: TcpStream, to: TcpStream, first: &mut [u8]) -> io::Result<Traffic> {
    let traffic = pass_frames(&from, &to, first);
    // A shutdown fails only if the socket is closed already.
    if traffic.is_ok() {
        to.shutdown(Shutdown::Write).ok();
    } else {
        to.shutdown(Shutdown::Both).ok();
        from.shutdown(Shutdown::Both).ok();
    }
    traffic
}

/// Passes frames on, to the end of the stream. `first` are the bytes that were read with the head.
fn pass_frames(mut from: &TcpStream, mut to: &TcpStream, first: &mut [u8]) -> io::Result<Traffic> {
    let mut decoder = Decoder::pass_through();
    let mut traffic = Traffic::default();
    let mut key = mask::Key::default();
    let (mut rx, mut tx) = (vec![0; 64 << 10], Vec::new());
    let mut relay = |mut input: &mut [u8]| {
        tx.clear();
        while let Some(chunk) = decoder.decode(&mut input).map_err(io::Error::other)? {
            let masked = chunk.header.key.is_some();
            if chunk.is_first() {
                // The relay's own key, for all chunks of the frame.
                key = if masked { new_key() } else { mask::Key::default() };
                let header = Header { key: masked.then_some(key), ..chunk.header };
                tx.extend_from_slice(&header.encode());
                traffic.frames += 1;
            }
            traffic.payload += chunk.bytes.len() as u64;
            if masked {
                mask::apply(chunk.key_to(key), chunk.bytes);
            }
            tx.extend_from_slice(chunk.bytes);
        }
        to.write_all(&tx)
    };
    relay(first)?;
    loop {
        match from.read(&mut rx)? {
            0 => return Ok(traffic),
            n => relay(&mut rx[..n])?,
        }
    }
}

/// A key that the author of the payload cannot predict (RFC 6455 §10.3).
fn new_key() -> mask::Key {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    mask::Key::new(bytes)
}
