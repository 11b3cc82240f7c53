//! One message to a thousand peers: encoded once, compressed once, and shared.
//! `cargo run --release --example broadcast --features bytes,deflate`
//!
//! The host owns: the peers' queues and sockets (here there are none: what would be written is counted), what becomes of
//! a peer whose queue grows, and the pool of compressors, of which one serves all.

use bytes::Buf;
use framewire::{
    Connection, Kind, Rsv, SendError, Server,
    deflate::{DeflateConfig, DeflatePool, Deflater},
    extension::DeflateParams,
    owned::{PreparedMessage, SendQueue},
};
use std::time::Instant;

/// Bytes that may wait for a peer. One for which more wait misses messages; closing it is the other choice.
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
    /// Where permessage-deflate was agreed on.
    deflater: Option<Deflater<Server>>,
    /// Lends itself to one vectored write; the host calls `advance` with what was written.
    pub(crate) queue: SendQueue,
}

impl Room {
    /// Nine peers in ten compress, with their context taken over or without; one does not.
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

    /// Queues a message for everybody who keeps up; how many these are.
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
                Err(SendError::Closed) => continue,   // on its way out
                Err(error) => return Err(error),
            }
            sent += 1;
        }
        Ok(sent)
    }
}
