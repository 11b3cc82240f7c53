//! Payload stays in its place in the host's buffer. An event borrows only that buffer, so a host can gather events and
//! answers before it writes.

use crate::sending::message;
use framewire::{Client, Connection, Decoder, Event, Kind, Role, Server, frame};
use framewire_testing::{host::*, wire::*};

/// The position of `bytes` in a buffer that begins at `start`.
fn at(start: *const u8, bytes: &[u8]) -> core::ops::Range<usize> {
    let from = bytes.as_ptr() as usize - start as usize;
    from..from + bytes.len()
}

#[test]
fn payload_stays_where_it_is() {
    fn role<S: Role>() {
        let frames = [
            to::<S>(TEXT, b"text"),
            to::<S>(BINARY, &[1; 300]),
            to::<S>(TEXT & MORE, "é".as_bytes()),
            to::<S>(CONTINUATION, "é€".as_bytes()),
            to::<S>(BINARY, &[2; 70_000]),
        ];
        // The position of each frame's payload on the wire.
        let lens = [4, 300, 2, 5, 70_000];
        let mut end = 0;
        let places = [0, 1, 2, 3, 4].map(|i: usize| {
            end += frames[i].len();
            end - lens[i]..end
        });
        let wire = cat(&frames);

        let mut buffer = wire.clone();
        let start = buffer.as_ptr();
        let mut input = &mut buffer[..];
        let mut conn = Connection::<S>::new();
        let mut seen = vec![];
        while let Some(event) = conn.receive(&mut input).unwrap() {
            seen.push(match event {
                Event::Text(text) => at(start, text.as_bytes()),
                Event::Binary(bytes) => at(start, bytes),
                Event::Part(part) => at(start, part.bytes()),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(seen, places);

        let mut buffer = wire.clone();
        let start = buffer.as_ptr();
        let mut input = &mut buffer[..];
        let mut decoder = Decoder::new();
        for place in &places {
            assert_eq!(at(start, decoder.decode(&mut input).unwrap().unwrap().bytes), *place);
        }

        let mut buffer = wire;
        let start = buffer.as_ptr();
        let mut input = &mut buffer[..];
        for place in &places {
            assert_eq!(at(start, frame::take(&mut input).unwrap().unwrap().1), *place);
        }
    }
    role::<Server>();
    role::<Client>();
}

/// The host holds all events of a read at once, while the connection receives more, replies and sends.
#[test]
fn events_and_replies_can_be_gathered() {
    fn role<S: Role>() {
        let mut buffer = cat(&[
            to::<S>(TEXT, b"one"),
            to::<S>(PING, b"two"),
            to::<S>(BINARY & MORE, b"thr"),
            to::<S>(CONTINUATION, b"ee"),
            to::<S>(TEXT, b"four"),
            to::<S>(CLOSE, &closing(1000, "five")),
        ]);
        let mut input = &mut buffer[..];
        let mut conn = Connection::<S>::new();
        let mut events = vec![];
        while let Some(event) = conn.receive(&mut input).unwrap() {
            events.push(event);
        }
        assert!(message(&mut conn, Kind::Text, b"before the answers").is_ok());
        let replies: Vec<u8> = events
            .iter()
            .filter_map(|event| conn.reply(event, fixed::<S>))
            .flat_map(|frame| frame.to_vec())
            .collect();
        assert_eq!(replies, cat(&[from::<S>(PONG, b"two"), from::<S>(CLOSE, &closing(1000, ""))]));
        let mut joiner = Joiner::default();
        let items: Vec<Item> = events.into_iter().filter_map(|event| joiner.push(event)).collect();
        assert_eq!(
            items,
            [
                text("one"),
                Item::Ping(b"two".to_vec()),
                binary(b"three"),
                text("four"),
                Item::Close(closing(1000, "five"))
            ]
        );
    }
    role::<Server>();
    role::<Client>();
}
