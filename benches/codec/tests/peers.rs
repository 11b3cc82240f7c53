//! All contenders do the work that is measured: they give what was sent, whatever the size, the content and the cuts; they
//! send the same bytes; and a contender that is said to validate text refuses bytes that are not UTF-8.

#![allow(missing_docs)]

use bytes::Bytes;
use framewire::deflate::{InflatePool, Inflater};
use framewire::{Assembler, Client, Connection, Event, Kind, Rsv};
use framewire_bench_codec::{
    batch::{Arrival, Batch, Compression, Content, Random, Size},
    peer::{Messages, Validation},
    peers::{FILLING, PEERS},
    work::Part,
};
use std::rc::Rc;

const ARRIVALS: [Arrival; 5] =
    [Arrival::InHand, Arrival::Whole, Arrival::Segments, Arrival::Frames, Arrival::Stream];
const CONTENTS: [Content; 5] =
    [Content::Binary, Content::Ascii, Content::Mixed, Content::MultiByte, Content::Json];
const SIZES: [Size; 11] = [
    Size::Of(0),
    Size::Of(1),
    Size::Of(16),
    Size::Of(125),
    Size::Of(126),
    Size::UpTo(125),
    Size::Of(1 << 10),
    Size::Of(65_535),
    Size::Of(65_536),
    Size::UpTo(40_000),
    Size::Of(1 << 20),
];

#[test]
fn what_went_in_comes_out() {
    for batch in batches(None) {
        for arrival in ARRIVALS {
            for peer in PEERS.iter().chain([&FILLING]) {
                let Some(decoded) = peer.decoded(&batch, arrival, None) else {
                    assert_eq!(arrival, Arrival::InHand, "{}", peer.about.name);
                    continue;
                };
                assert_messages(&decoded.unwrap(), &batch, peer.about.name, arrival);
            }
        }
    }
}

#[test]
fn what_is_sent_back_is_what_went_in() {
    for batch in batches(None) {
        for arrival in ARRIVALS {
            for peer in PEERS {
                let Some(sent) = peer.echoed(&batch, arrival) else { continue };
                let sent = sent.unwrap();
                assert_eq!(received(sent.bytes, None), expected(&batch), "{}, {arrival:?}", peer.about.name);
                assert!(sent.writes > 0);
            }
        }
    }
}

#[test]
fn what_is_sent_is_what_was_given() {
    for batch in batches(None) {
        for peer in PEERS {
            let sent = peer.encoded(&batch, None).expect("everybody can send");
            assert_eq!(received(sent.bytes, None), expected(&batch), "{}", peer.about.name);
        }
    }
}

/// A server's frames are the same bytes, whoever writes them.
#[test]
fn everybody_sends_the_same_bytes() {
    for batch in batches(None) {
        let sent = PEERS.iter().map(|peer| (peer.about.name, peer.encoded(&batch, None).unwrap().bytes));
        let sent: Vec<_> = sent.collect();
        for (name, bytes) in &sent {
            assert!(*bytes == sent[0].1, "{name} and {}", sent[0].0);
        }
    }
}

#[test]
fn compressed_messages_come_out_and_go_back() {
    for takeover in [true, false] {
        let compression = Some(Compression { takeover });
        let mut able = Vec::new();
        for batch in batches(compression) {
            let plain = batches_like(&batch);
            for peer in PEERS {
                for arrival in [Arrival::Whole, Arrival::Segments, Arrival::Frames, Arrival::Stream] {
                    let Some(decoded) = peer.decoded(&batch, arrival, compression) else { continue };
                    assert_messages(&decoded.unwrap(), &batch, peer.about.name, arrival);
                }
                if compressing_fails(peer.about.name, &plain) {
                    continue;
                }
                let Some(sent) = peer.encoded(&plain, compression) else { continue };
                let is_worth_it = plain.payloads.iter().all(|it| it.len() > 1000 && it.starts_with(b"{"));
                assert!(
                    !is_worth_it || sent.bytes.len() < plain.bytes(),
                    "{} has compressed",
                    peer.about.name
                );
                assert_eq!(received(sent.bytes, compression), expected(&plain), "{}", peer.about.name);
                able.push(peer.about.name);
            }
        }
        able.sort_unstable();
        able.dedup();
        let expected: &[_] = if takeover {
            &["framewire", "sockudo-ws", "yawc"]
        } else {
            &["framewire", "sockudo-ws", "wtx", "yawc"]
        };
        assert_eq!(able, expected, "takeover: {takeover}");
    }
}

/// The descriptions of validation are true: the tables' footnotes depend on them.
#[test]
fn text_that_is_not_utf8_is_refused_by_those_who_validate() {
    for bad in [&b"ok \xFF"[..], b"\xED\xA0\x80", b"ends inside \xE2\x82", &[b'x'; 3000], &[0x80; 3000]] {
        let mut payload = bad.to_vec();
        if payload[0] == b'x' {
            payload[1500] = 0xC0;
        }
        let batch = Batch::from_payloads(Kind::Text, vec![payload.into()], None, &mut Random::new());
        let batch = Rc::new(batch);
        for peer in PEERS {
            for arrival in ARRIVALS {
                let Some(decoded) = peer.decoded(&batch, arrival, None) else { continue };
                let is_cut = arrival == Arrival::Segments && bad.len() > 1448; // a stream's reads are longer
                let validates = match peer.about.validates {
                    Validation::Always => true,
                    Validation::UnlessCut => !is_cut,
                    Validation::Never => false,
                };
                assert_eq!(decoded.is_err(), validates, "{}, {arrival:?}", peer.about.name);
            }
        }
    }
}

#[test]
fn ours_and_the_limit_are_one_each() {
    for part in [Part::Ours, Part::Limit] {
        assert_eq!(PEERS.iter().filter(|peer| peer.about.part == part).count(), 1);
    }
}

/// Bugs of peers that no table triggers.
fn compressing_fails(name: &str, batch: &Batch) -> bool {
    match name {
        // 0.46.1 cuts off the end of a message that becomes longer than its room.
        "wtx" => batch.payloads.iter().any(|it| it.len() >= 1 << 20 && !it.starts_with(b"{")),
        // 0.5.0 never returns from a flush if there is nothing to flush.
        "yawc" => batch.payloads.iter().any(Bytes::is_empty),
        _ => false,
    }
}

fn batches(compression: Option<Compression>) -> impl Iterator<Item = Rc<Batch>> {
    CONTENTS.into_iter().flat_map(move |content| {
        SIZES.into_iter().map(move |size| {
            let count = (300_000 / (size.max() + 1)).clamp(2, 40);
            Batch::of(content, size, count, compression)
        })
    })
}

/// The same messages, to be sent.
fn batches_like(batch: &Batch) -> Rc<Batch> {
    Rc::new(Batch::from_payloads(batch.kind, batch.payloads.clone(), None, &mut Random::new()))
}

fn expected(batch: &Batch) -> Messages {
    batch.payloads.iter().map(|payload: &Bytes| (batch.kind, payload.to_vec())).collect()
}

#[track_caller]
fn assert_messages(messages: &Messages, batch: &Batch, name: &str, arrival: Arrival) {
    assert_eq!(messages.len(), batch.payloads.len(), "{name}, {arrival:?}");
    for ((kind, payload), expected) in messages.iter().zip(&batch.payloads) {
        assert_eq!(*kind, batch.kind, "{name}, {arrival:?}");
        assert!(payload == expected, "{name}, {arrival:?}, {} bytes", expected.len());
    }
}

/// Reads the bytes as a client that checks everything.
fn received(mut bytes: Vec<u8>, compression: Option<Compression>) -> Messages {
    let mut connection = Connection::<Client>::new();
    let mut assembler = Assembler::new(64 << 20);
    let mut pool = InflatePool::default();
    let mut inflater = compression.map(|compression| {
        connection = Connection::new().with_extension_bits(Rsv::RSV1);
        Inflater::<Client>::new(&compression.params(), &pool).unwrap()
    });
    let mut messages = Vec::new();
    let mut input = &mut bytes[..];
    while let Some(event) = connection.receive(&mut input).unwrap() {
        match (event, &mut inflater) {
            (Event::Text(text), _) => messages.push((Kind::Text, text.as_bytes().to_vec())),
            (Event::Binary(bytes), _) => messages.push((Kind::Binary, bytes.to_vec())),
            (Event::Part(part), None) => {
                if let Some(message) = assembler.push(part).unwrap() {
                    messages.push((message.kind, message.bytes().to_vec()));
                }
            }
            (Event::Part(part), Some(inflater)) => {
                let mut ready = inflater.ready(&mut pool).unwrap();
                let mut parts = ready.feed(part);
                while let Some(part) = parts.next_part().unwrap() {
                    if let Some(message) = assembler.push(part).unwrap() {
                        messages.push((message.kind, message.bytes().to_vec()));
                    }
                }
            }
            (event, _) => panic!("{event:?}"),
        }
    }
    assert_eq!(connection.remaining(), 0);
    messages
}
