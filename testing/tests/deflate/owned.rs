//! The stage `owned` with permessage-deflate: one message for many peers, and messages that are inflated whole.

use crate::both_ends::{Link, Pools, pools};
use bytes::BytesMut;
use framewire::{
    Client, Connection, Kind, ProtocolError, Rsv, SendError, Server,
    deflate::{DeflateConfig, DeflatePool, InflateConfig, InflatePool, Inflater},
    extension::DeflateParams,
    owned::{Message, PreparedMessage, Reader},
};
use framewire_testing::{
    deflate::*,
    miniz::{Compressor, compress},
    payload::{noise, prose},
    wire::*,
};

#[test]
fn one_message_for_many_peers() {
    let mut pools = Pools::default();
    let kinds = [
        TAKEOVER,
        NO_TAKEOVER,
        DeflateParams { server_max_window_bits: 9, ..TAKEOVER },
        DeflateParams { server_max_window_bits: 8, ..TAKEOVER },
        DeflateParams { server_max_window_bits: 12, ..TAKEOVER }, // no peer agreed on these
    ];
    let mut links: Vec<_> = kinds
        .iter()
        .cycle()
        .take(15)
        .map(|params| Link::<Server, Client>::new(params, &pools.inflate))
        .collect();
    for round in 0..4 {
        let bytes = if round == 3 { noise(1000, 1) } else { prose(1000, round) };
        let news = PreparedMessage::new(Kind::Binary, &bytes, &kinds[..4], &mut pools.deflate);
        let mut wires = Vec::new();
        for (i, link) in links.iter_mut().enumerate() {
            link.pass(&mut pools, Kind::Text, &prose(700, i as u64 / 5)); // another message before
            let wire = news.send(&mut link.conn, &mut link.deflater).unwrap();
            assert_eq!(wire[0] & 0x40 != 0, round != 3 && i % 5 < 3);
            link.arrive(&mut pools, &wire, Kind::Binary, &bytes);
            // After it, it is in the window: sending it again takes few bytes.
            let again = link.send(&mut pools.deflate, Kind::Binary, &bytes);
            link.arrive(&mut pools, &again, Kind::Binary, &bytes);
            assert!(round == 3 || i % 5 != 0 || again.len() < 30);
            wires.push(wire);
        }
        for (i, wire) in wires.iter().enumerate() {
            assert_eq!(wire.as_ptr(), wires[i % 5].as_ptr(), "compressed once for each kind of peer");
        }
        let conn = &mut links[0].conn;
        assert_eq!(conn.prepared(news.plain()).unwrap()[4..], bytes);
    }
    // If it is refused, it is not in the window.
    let link = &mut links[0];
    let news = PreparedMessage::new(Kind::Text, &prose(900, 77), &kinds, &mut pools.deflate);
    let first =
        deflate_fragment(&mut link.deflater, &mut link.conn, &mut pools.deflate, Kind::Text, b"first", false);
    let refused = news.send(&mut link.conn, &mut link.deflater);
    assert_eq!(refused, Err(SendError::MessageOpen));
    let text = prose(900, 77);
    let last =
        deflate_fragment(&mut link.deflater, &mut link.conn, &mut pools.deflate, Kind::Text, &text, true);
    let wire = [first.unwrap(), last.unwrap()].concat();
    link.arrive(&mut pools, &wire, Kind::Text, &[b"first", &text[..]].concat());
}

/// Threads send one message, each to its own peers. Peers that get nothing else need no window.
#[test]
fn threads_send_one_message() {
    let (bytes, mut pool) = (prose(1000, 1), DeflatePool::default());
    let news = PreparedMessage::new(Kind::Text, &bytes, [&TAKEOVER, &TAKEOVER], &mut pool);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut pools = Pools::default();
                for params in [TAKEOVER, NO_TAKEOVER] {
                    let mut link = Link::<Server, Client>::new(&params, &pools.inflate);
                    for _ in 0..2 {
                        let wire = news.send(&mut link.conn, &mut link.deflater).unwrap();
                        assert!(wire[0] & 0x40 != 0);
                        link.arrive(&mut pools, &wire, Kind::Text, &bytes);
                        assert_eq!(pools.deflate.windows(), 0);
                    }
                    link.pass(&mut pools, Kind::Text, &bytes);
                }
            });
        }
    });
}

/// A message that is too short to be compressed is not compressed for many peers either.
#[test]
fn short_messages_for_many_stay_as_they_are() {
    let mut pools = pools(DeflateConfig { min_len: 100, ..DeflateConfig::default() });
    for (len, is_compressed) in [(99, false), (100, true)] {
        let mut link = Link::<Server, Client>::new(&TAKEOVER, &pools.inflate);
        let bytes = vec![b'x'; len];
        let news = PreparedMessage::new(Kind::Text, &bytes, [&TAKEOVER], &mut pools.deflate);
        let wire = news.send(&mut link.conn, &mut link.deflater).unwrap();
        assert_eq!(wire[0] & 0x40 != 0, is_compressed);
        link.arrive(&mut pools, &wire, Kind::Text, &bytes);
    }
}

#[test]
fn owned_messages_are_inflated_whole() {
    let mut pool = InflatePool::new(InflateConfig { messages: 1, message: 5000, ..InflateConfig::default() });
    let mut compressor = Compressor::default();
    let text = prose(3000, 1);
    let compressed = compressor.compress(&text);
    let bomb = compress(&[0; 6000]);
    let stream = cat(&[
        to::<Server>(TEXT1 & MORE, &compressed[..100]),
        to::<Server>(CONTINUATION, &compressed[100..]),
        to::<Server>(TEXT, b"plain"),
        to::<Server>(BINARY1, &compressor.compress(&text)),
        to::<Server>(BINARY1, &bomb),
    ]);
    let mut conn = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
    let mut inflater = Inflater::<Server>::new(&TAKEOVER, &pool).unwrap();
    let (mut reader, mut buffer, mut got) = (Reader::new(), BytesMut::new(), Vec::new());
    let mut outcome = Ok(());
    for piece in stream.chunks(50) {
        buffer.extend_from_slice(piece);
        while let Some(message) = reader.next(&mut conn, &mut buffer).unwrap() {
            let mut ready = inflater.ready(&mut pool).expect("nobody holds it between two calls");
            match message.inflate(&mut ready) {
                Ok(message) => got.push(message),
                Err(error) => outcome = Err(error),
            }
        }
    }
    let text = String::from_utf8(text).unwrap();
    assert_eq!(
        got,
        [Message::Text(text.clone().into()), Message::Text("plain".into()), Message::Binary(text.into()),]
    );
    assert_eq!(outcome, Err(ProtocolError::MessageTooBig));
}
