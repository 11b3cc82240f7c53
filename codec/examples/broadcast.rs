//! One message to a thousand peers: encoded once, compressed once, and shared.
//! `cargo run --release --example broadcast --features bytes,deflate`
//!
//! The host owns the peers' queues, their sockets, and a pool, in which one compressor serves all peers. It also
//! decides what to do if a peer's queue grows. This example has no sockets: it counts the bytes to be written.

use bytes::Buf;
use framewire::{
    Connection, Kind, Rsv, SendError, Server,
    deflate::{DeflateConfig, DeflatePool, Deflater},
    extension::DeflateParams,
    owned::{PreparedMessage, SendQueue},
};
use std::time::Instant;

/// A peer for which more bytes than this wait misses messages. The host could also close it.
const HIGH_WATER: usize = 64 << 10;

fn main() -> Result<(), SendError> {
    let mut room = Room::new(1_000);
    let news = format!("{{\"type\":\"news\",\"items\":[{}]}}", "{\"price\":100.25,\"size\":3},".repeat(40));
    let began = Instant::now();
    let sent = room.broadcast(Kind::Text, news.as_bytes())?;
    let took = began.elapsed();
    let waiting: usize = room.peers.iter().map(|peer| peer.queue.remaining()).sum();
    println!("{} bytes to {sent} peers in {took:?}: {waiting} bytes to be written", news.len());
    Ok(())
}

pub(crate) struct Room {
    pub(crate) peers: Vec<Peer>,
    pool: DeflatePool,
}

pub(crate) struct Peer {
    connection: Connection<Server>,
    /// If the peer agreed on permessage-deflate.
    deflater: Option<Deflater<Server>>,
    /// The host writes its slices (`chunks_vectored`), and calls `advance` with the number of bytes written.
    pub(crate) queue: SendQueue,
}

impl Room {
    /// A room in which nine peers in ten agreed on compression, some with context takeover and some without.
    pub(crate) fn new(peers: usize) -> Self {
        let peer = |i| {
            let params = DeflateParams { server_no_context_takeover: i % 2 == 0, ..DeflateParams::default() };
            let deflater = (i % 10 != 0).then(|| Deflater::new(&params));
            let bits = if deflater.is_some() { Rsv::RSV1 } else { Rsv::NONE };
            let connection = Connection::new().with_extension_bits(bits);
            Peer { connection, deflater, queue: SendQueue::new() }
        };
        let pool = DeflatePool::new(DeflateConfig { compressors: 1, ..DeflateConfig::default() });
        Self { peers: (0..peers).map(peer).collect(), pool }
    }

    /// Queues a message for each peer whose queue is not too long. Returns their number.
    pub(crate) fn broadcast(&mut self, kind: Kind, payload: &[u8]) -> Result<usize, SendError> {
        let message = PreparedMessage::new(kind, payload, [&DeflateParams::default()], &mut self.pool);
        let mut sent = 0;
        for Peer { connection, deflater, queue } in &mut self.peers {
            if queue.remaining() > HIGH_WATER {
                continue;
            }
            let bytes = match deflater {
                Some(deflater) => message.send(connection, deflater),
                None => connection.prepared(message.plain()),
            };
            match bytes {
                Ok(bytes) => queue.push_bytes(bytes), // a reference, unless it is small
                Err(SendError::Closed) => continue,   // the peer is leaving
                Err(error) => return Err(error),
            }
            sent += 1;
        }
        Ok(sent)
    }
}
