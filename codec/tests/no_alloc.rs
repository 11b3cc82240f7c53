//! Levels 1–3 do not allocate, except one small box while a control frame is split across reads; without `alloc`, not
//! even that.

use framewire::{
    Client, Close, Connection, Decoder, Event, Header, Kind, ProtocolError, Role, Rsv, Server, Unmasked,
    frame, utf8,
};
use framewire_testing::{
    allocations::{self, Counting},
    wire::*,
};

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often `work` allocated, and gave memory back.
fn counted<T>(work: impl FnOnce() -> T) -> (T, (usize, usize)) {
    let (result, counts) = allocations::counted(work);
    (result, (counts.allocated, counts.freed))
}

/// Keeps the compiler from removing the work for this value.
fn seen<T>(value: T) {
    drop(core::hint::black_box(value));
}

/// How many boxes a control payload takes if it is split across reads.
const BOX: usize = if cfg!(feature = "alloc") { 1 } else { 0 };

fn everything<S: Role>() -> Vec<u8> {
    cat(&[
        to::<S>(TEXT, "schön".as_bytes()),
        to::<S>(BINARY, &[7; 300]),
        to::<S>(TEXT, "é".repeat(40_000).as_bytes()),
        to::<S>(TEXT & MORE, "sch".as_bytes()),
        to::<S>(PING, b"ping"),
        to::<S>(PONG, &[1; 125]),
        to::<S>(CONTINUATION & MORE, b""),
        to::<S>(CONTINUATION, "ön".as_bytes()),
        to::<S>(BINARY | 0x40, b"coded"),
        to::<S>(PING, b""),
        to::<S>(CLOSE, &closing(1000, "bye")),
        to::<S>(TEXT, b"not interpreted"),
    ])
}

#[test]
fn the_counter_counts() {
    let (_, counts) = counted(|| seen(vec![1]));
    assert_eq!(counts, (1, 1));
}

/// A host that keeps nothing. Returns the number of events.
fn host<S: Role>(conn: &mut Connection<S>, input: &mut [u8]) -> Result<usize, ProtocolError> {
    let mut input = input;
    let mut events = 0;
    while let Some(event) = conn.receive(&mut input)? {
        events += 1;
        seen(conn.reply(&event, fixed::<S>));
        if let Event::Text(text) = event {
            seen(text);
        }
    }
    Ok(events)
}

#[test]
fn receiving_whole_and_byte_by_byte() {
    fn role<S: Role>() {
        let mut whole = everything::<S>();
        let mut bytes = whole.clone();
        let (events, counts) = counted(|| {
            let mut conn = Connection::<S>::new().with_extension_bits(Rsv::RSV1);
            host(&mut conn, &mut whole)
        });
        assert_eq!((events, counts), (Ok(10), (0, 0)), "whole");
        let (events, counts) = counted(|| {
            let mut conn = Connection::<S>::new().with_extension_bits(Rsv::RSV1);
            bytes.chunks_mut(1).map(|byte| host(&mut conn, byte).unwrap()).sum::<usize>()
        });
        assert!(events > 80_000);
        assert_eq!(counts, (3 * BOX, 3 * BOX), "ping, pong, close are cut; each box is given back");
    }
    role::<Server>();
    role::<Client>();
}

/// The box is allocated with the first byte of a payload that is cut, and freed with the last.
#[test]
fn one_box_while_a_control_payload_is_cut() {
    fn role<S: Role>() {
        for first in [PING, PONG, CLOSE] {
            let mut wire = to::<S>(first, &closing(1000, "a reason that is cut"));
            let body = wire.len() - 22;
            for (at, byte) in wire.clone().iter().enumerate() {
                let mut conn = Connection::<S>::new();
                // The bytes before this one.
                let (_, counts) = counted(|| host(&mut conn, &mut wire[..at]).unwrap());
                let boxes = if at > body { BOX } else { 0 };
                assert_eq!(counts, (boxes, 0), "cut at {at}");
                // This byte.
                let mut byte = [*byte];
                let (events, counts) = counted(|| host(&mut conn, &mut byte).unwrap());
                let last = at + 1 == wire.len();
                assert_eq!(events, usize::from(last));
                let (new, gone) = (usize::from(at == body) * BOX, usize::from(last) * BOX);
                assert_eq!(counts, (new, gone), "the byte at {at}");
                // A connection that is dropped frees the box.
                let held = if last { 0 } else { boxes.max(new) };
                assert_eq!(
                    counted(|| {
                        let _dropped = conn;
                    })
                    .1,
                    (0, held)
                );
                wire = to::<S>(first, &closing(1000, "a reason that is cut"));
            }
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn errors() {
    fn role<S: Role>() {
        for mut bad in [
            vec![0x83],
            from::<S>(TEXT, b"mask"),
            to::<S>(TEXT, b"\xFF"),
            to::<S>(CLOSE, b"\x00"),
            head_to::<S>(BINARY, i64::MAX as u64),
        ] {
            let (_, counts) = counted(|| {
                let mut conn = Connection::<S>::new();
                let error = host(&mut conn, &mut bad).unwrap_err();
                seen((conn.fail(error, fixed::<S>), conn.receive_eof(), conn.state()));
            });
            assert_eq!(counts, (0, 0));
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn sending() {
    let (_, counts) = counted(|| {
        let mut conn = Connection::<Server>::new();
        seen((
            conn.text_header("text", Unmasked).unwrap(),
            conn.binary_header(&[0; 300], Unmasked).unwrap(),
            conn.fragment_header(Kind::Text, Rsv::NONE, 1 << 40, false, Unmasked).unwrap(),
            conn.text_header("refused", Unmasked).unwrap_err(),
            conn.ping(&[1; 125], Unmasked).unwrap(),
            conn.pong(b"", Unmasked).unwrap(),
            conn.close(framewire::CloseCode::NORMAL, "bye", Unmasked).unwrap(),
        ));
        let key = framewire::mask::Key::new(KEY);
        let mut conn = Connection::<Client>::new();
        seen((
            conn.header_in_place(Kind::Text, &mut [b'x'; 1000], key).unwrap(),
            conn.header_in_place(Kind::Binary, &mut [0; 1000], key).unwrap(),
            conn.fragment_header(Kind::Text, Rsv::NONE, 1 << 40, false, key).unwrap(),
            conn.ping(&[1; 125], key).unwrap(),
            conn.close(framewire::CloseCode::NORMAL, "bye", key).unwrap(),
        ));
    });
    assert_eq!(counts, (0, 0));
}

#[test]
fn levels_1_and_2() {
    let wire = everything::<Server>();
    let mut whole = wire.clone();
    let (frames, counts) = counted(|| {
        let mut input = &mut whole[..];
        let mut frames = 0;
        while let Some((header, _)) = frame::take(&mut input).unwrap() {
            seen(header.encode());
            frames += 1;
        }
        frames
    });
    assert_eq!((frames, counts), (12, (0, 0)));
    for size in [1, 3, 1 << 20] {
        for mut decoder in [Decoder::new(), Decoder::pass_through()] {
            let mut bytes = wire.clone();
            let (_, counts) = counted(|| {
                for mut input in bytes.chunks_mut(size) {
                    while decoder.decode(&mut input).unwrap().is_some() {}
                }
            });
            assert_eq!(counts, (0, 0));
        }
    }
    let (_, counts) = counted(|| {
        seen((Header::parse(&wire), Close::parse(&[0xFF]), Close::parse(b"\x03\xE8why")));
        let mut validator = utf8::Validator::new();
        seen((validator.feed("é".as_bytes()), validator.finish(), utf8::validate(b"\xFF")))
    });
    assert_eq!(counts, (0, 0));
}
