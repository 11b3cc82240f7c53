//! The RFC's own examples and rules by section, through all three levels and both roles.

use crate::sending::message;
use framewire::{
    Client, CloseCode, Connection, Decoder, Header, Kind, Opcode, ProtocolError, Role, Rsv, SendError,
    Server, State, Unmasked, frame, mask::Key,
};
use framewire_testing::{host::*, wire::*};

/// One of the examples of §5.7.
struct Example {
    name: &'static str,
    wire: Vec<u8>,
    frames: Vec<Frame>,
    /// The event that the application gets.
    item: Item,
}

struct Frame {
    fin: bool,
    opcode: Opcode,
    key: Option<[u8; 4]>,
    payload: Vec<u8>,
}

fn examples() -> Vec<Example> {
    use Opcode::{Binary, Continuation, Ping, Pong, Text};
    let long = |len: usize| (0..len).map(|i| i as u8).collect::<Vec<_>>();
    let one = |fin, opcode, key, payload| Frame { fin, opcode, key, payload };
    let hello = || b"Hello".to_vec();
    vec![
        Example {
            name: "a single-frame unmasked text message",
            wire: vec![0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
            frames: vec![one(true, Text, None, hello())],
            item: text("Hello"),
        },
        Example {
            name: "a single-frame masked text message",
            wire: vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
            frames: vec![one(true, Text, Some(KEY), hello())],
            item: text("Hello"),
        },
        Example {
            name: "a fragmented unmasked text message",
            wire: vec![0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f],
            frames: vec![
                one(false, Text, None, b"Hel".to_vec()),
                one(true, Continuation, None, b"lo".to_vec()),
            ],
            item: text("Hello"),
        },
        Example {
            name: "an unmasked ping",
            wire: vec![0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
            frames: vec![one(true, Ping, None, hello())],
            item: Item::Ping(hello()),
        },
        Example {
            name: "a masked pong",
            wire: vec![0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
            frames: vec![one(true, Pong, Some(KEY), hello())],
            item: Item::Pong(hello()),
        },
        Example {
            name: "256 bytes in a single unmasked frame",
            wire: [&[0x82, 0x7E, 0x01, 0x00], &long(256)[..]].concat(),
            frames: vec![one(true, Binary, None, long(256))],
            item: binary(&long(256)),
        },
        Example {
            name: "64 KiB in a single unmasked frame",
            wire: [&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], &long(65536)[..]].concat(),
            frames: vec![one(true, Binary, None, long(65536))],
            item: binary(&long(65536)),
        },
        // Not in the RFC: the same examples with the other role's masking, so that each role has all.
        Example {
            name: "a fragmented masked text message",
            wire: [
                &[0x01, 0x83, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d][..],
                &[0x80, 0x82, 0, 0, 0, 0, 0x6c, 0x6f],
            ]
            .concat(),
            frames: vec![
                one(false, Text, Some(KEY), b"Hel".to_vec()),
                one(true, Continuation, Some([0; 4]), b"lo".to_vec()),
            ],
            item: text("Hello"),
        },
        Example {
            name: "a masked ping",
            wire: vec![0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
            frames: vec![one(true, Ping, Some(KEY), hello())],
            item: Item::Ping(hello()),
        },
        Example {
            name: "an unmasked pong",
            wire: vec![0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
            frames: vec![one(true, Pong, None, hello())],
            item: Item::Pong(hello()),
        },
        Example {
            name: "256 bytes in a single masked frame",
            wire: [&[0x82, 0xFE, 0x01, 0x00, 0x37, 0xfa, 0x21, 0x3d][..], &masked(KEY, &long(256))].concat(),
            frames: vec![one(true, Binary, Some(KEY), long(256))],
            item: binary(&long(256)),
        },
        Example {
            name: "64 KiB in a single masked frame",
            wire: [
                &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0x37, 0xfa, 0x21, 0x3d][..],
                &masked(KEY, &long(65536)),
            ]
            .concat(),
            frames: vec![one(true, Binary, Some(KEY), long(65536))],
            item: binary(&long(65536)),
        },
    ]
}

#[test]
fn s5_7_examples_at_level_1() {
    for Example { name, mut wire, frames, .. } in examples() {
        let before = wire.clone();
        let mut input = &mut wire[..];
        let mut encoded = Vec::new();
        for Frame { fin, opcode, key, payload } in frames {
            let header = Header {
                fin,
                rsv: Rsv::NONE,
                opcode,
                key: key.map(Key::new),
                payload_len: payload.len() as u64,
            };
            assert_eq!(Header::parse(input), Ok(Some(header)), "{name}");
            encoded.extend_from_slice(&header.encode());
            encoded.extend(masked(key.unwrap_or_default(), &payload));
            let taken = frame::take(&mut input).unwrap().expect(name);
            assert_eq!((taken.0, &*taken.1), (header, &payload[..]), "{name}");
        }
        assert!(input.is_empty(), "{name}");
        assert_eq!(encoded, before, "{name}");
    }
}

#[test]
fn take_leaves_what_is_not_whole_and_what_follows() {
    for Example { name, wire, frames, .. } in examples() {
        if wire.len() > 300 || frames.len() > 1 {
            continue;
        }
        for cut in 0..wire.len() {
            let mut bytes = wire[..cut].to_vec();
            let mut input = &mut bytes[..];
            assert_eq!(frame::take(&mut input), Ok(None), "{name} cut at {cut}");
            assert_eq!(input, &wire[..cut], "{name} cut at {cut}: touched");
        }
        let mut bytes = [&wire[..], b"rest"].concat();
        let mut input = &mut bytes[..];
        assert!(frame::take(&mut input).unwrap().is_some());
        assert_eq!(input, b"rest", "{name}");
    }
}

#[test]
fn s5_7_examples_at_level_2() {
    for Example { name, wire, frames, .. } in examples() {
        for unmask in [true, false] {
            let mut bytes = wire.clone();
            let mut input = &mut bytes[..];
            let mut decoder = if unmask { Decoder::new() } else { Decoder::pass_through() };
            for Frame { fin, opcode, key, payload } in &frames {
                let chunk = decoder.decode(&mut input).unwrap().expect(name);
                let header = chunk.header;
                assert_eq!((header.fin, header.opcode, header.rsv), (*fin, *opcode, Rsv::NONE), "{name}");
                assert_eq!(header.key, key.map(Key::new), "{name}");
                assert!(chunk.is_first() && chunk.is_last(), "{name}");
                match key {
                    Some(key) if !unmask => assert_eq!(chunk.bytes, masked(*key, payload), "{name}"),
                    _ => assert_eq!(chunk.bytes, &payload[..], "{name}"),
                }
            }
            assert_eq!(decoder.decode(&mut input), Ok(None), "{name}");
        }
    }
}

/// The role that the example is for accepts it. The other role refuses its mask (§5.1).
#[test]
fn s5_7_examples_at_level_3() {
    fn role<S: Role, Other: Role>(example: &Example, pong: &[u8], other: ProtocolError) {
        let Example { name, wire, item, .. } = example;
        let outcome = play(&mut Connection::<S>::new(), wire, &[]);
        assert_eq!(outcome.items, core::slice::from_ref(item), "{name}");
        // "Hello" comes back in the pong, masked by a client only.
        let pong = if matches!(item, Item::Ping(_)) { pong } else { &[] };
        assert_eq!((&outcome.replies[..], outcome.error), (pong, None), "{name}");
        let refused = play(&mut Connection::<Other>::new(), wire, &[]);
        assert_eq!((refused.items, refused.error), (vec![], Some(other)), "{name}");
    }
    for example in examples() {
        if example.frames[0].key.is_some() {
            role::<Server, Client>(&example, b"\x8a\x05Hello", ProtocolError::MaskUnexpected);
        } else {
            let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
            role::<Client, Server>(&example, &pong, ProtocolError::MaskMissing);
        }
    }
}

/// The send methods make the bytes of §5.7.
#[test]
fn s5_7_examples_sent() {
    let mut server = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
    assert_eq!(server.text_header("Hello", Unmasked).unwrap()[..], [0x81, 0x05]);
    assert_eq!(server.fragment_header(Kind::Text, Rsv::NONE, 3, false, Unmasked).unwrap()[..], [0x01, 0x03]);
    assert_eq!(server.fragment_header(Kind::Text, Rsv::NONE, 2, true, Unmasked).unwrap()[..], [0x80, 0x02]);
    assert_eq!(server.ping(b"Hello", Unmasked).unwrap()[..], *b"\x89\x05Hello");
    assert_eq!(server.pong(b"Hello", Unmasked).unwrap()[..], *b"\x8a\x05Hello");
    assert_eq!(server.binary_header(&[0; 256], Unmasked).unwrap()[..], [0x82, 0x7E, 0x01, 0x00]);
    assert_eq!(
        server.binary_header(&[0; 65536], Unmasked).unwrap()[..],
        [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]
    );
    assert_eq!(server.message_header(Kind::Binary, Rsv::RSV1, 125, Unmasked).unwrap()[..], [0xC2, 0x7D]);

    // A bit that no extension uses would make the peer fail the connection (§5.2). A continuation never has a bit set.
    assert_eq!(server.message_header(Kind::Binary, Rsv::RSV2, 1, Unmasked), Err(SendError::ReservedBit));
    assert_eq!(
        server.fragment_header(Kind::Binary, Rsv::RSV1 | Rsv::RSV3, 1, false, Unmasked),
        Err(SendError::ReservedBit)
    );
    assert_eq!(server.fragment_header(Kind::Binary, Rsv::RSV1, 1, false, Unmasked).unwrap()[..], [0x42, 1]);
    assert_eq!(server.fragment_header(Kind::Binary, Rsv::RSV3, 1, true, Unmasked).unwrap()[..], [0x80, 1]);

    let key = Key::new(KEY);
    let mut client = Connection::<Client>::new().with_extension_bits(Rsv::RSV1);
    let mut hello = *b"Hello";
    assert_eq!(
        client.header_in_place(Kind::Text, &mut hello, key).unwrap()[..],
        [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]
    );
    assert_eq!(hello, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    let mut hello = *b"Hello";
    assert_eq!(
        client.header_in_place(Kind::Binary, &mut hello, key).unwrap()[..],
        [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d]
    );
    assert_eq!(hello, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!(
        client.fragment_header(Kind::Text, Rsv::RSV1, 65536, false, key).unwrap()[..],
        [0x41, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0x37, 0xfa, 0x21, 0x3d]
    );
    assert_eq!(
        client.fragment_header(Kind::Text, Rsv::RSV1, 126, true, key).unwrap()[..],
        [0x80, 0xFE, 0, 126, 0x37, 0xfa, 0x21, 0x3d],
        "reserved bits stand on the first fragment only"
    );
    let hello = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(client.pong(b"Hello", key).unwrap()[..], hello);
    assert_eq!(client.ping(b"Hello", key).unwrap()[1..], hello[1..]);
    assert_eq!(client.ping(b"Hello", key).unwrap()[0], 0x89);

    let mut broken = *b"Hell\xff";
    assert_eq!(client.header_in_place(Kind::Text, &mut broken, key), Err(SendError::InvalidUtf8));
    assert_eq!(broken, *b"Hell\xff");
}

/// §5.2: the first bit of a 64-bit length is 0. A refused frame does not begin a message.
#[test]
fn s5_2_the_longest_frame() {
    let most = i64::MAX as u64;
    let mut server = Connection::<Server>::new();
    assert_eq!(
        server.message_header(Kind::Binary, Rsv::NONE, most, Unmasked).unwrap()[..],
        head(BINARY, None, most)
    );
    for over in [most + 1, u64::MAX] {
        let refused = Err(SendError::PayloadTooLong);
        assert_eq!(server.message_header(Kind::Binary, Rsv::NONE, over, Unmasked), refused);
        assert_eq!(server.fragment_header(Kind::Binary, Rsv::NONE, over, false, Unmasked), refused);
    }
    assert!(server.text_header("no message is open", Unmasked).is_ok());
    let first = server.fragment_header(Kind::Binary, Rsv::NONE, most, false, Unmasked).unwrap();
    assert_eq!(first[..], head(BINARY & MORE, None, most));
    assert_eq!(
        server.fragment_header(Kind::Binary, Rsv::NONE, most + 1, true, Unmasked),
        Err(SendError::PayloadTooLong)
    );
    assert_eq!(server.text_header("one is open still", Unmasked), Err(SendError::MessageOpen));
    assert_eq!(
        server.fragment_header(Kind::Binary, Rsv::NONE, most, true, Unmasked).unwrap()[..],
        head(CONTINUATION, None, most)
    );
}

/// §5.4: fragments of all sizes, with control frames between them.
#[test]
fn s5_4_fragmentation() {
    fn role<S: Role>() {
        let wire = cat(&[
            to::<S>(TEXT & MORE, "κόσ".as_bytes()),
            to::<S>(PING, b"between"),
            to::<S>(CONTINUATION & MORE, b""),
            to::<S>(PONG, b""),
            to::<S>(CONTINUATION & MORE, &"μ".as_bytes()[..1]),
            to::<S>(PING, b""),
            to::<S>(CONTINUATION, &"με".as_bytes()[1..]),
            to::<S>(BINARY & MORE, b""),
            to::<S>(CONTINUATION, b""),
            to::<S>(BINARY & MORE, b"12"),
            to::<S>(CONTINUATION, b"3"),
        ]);
        let outcome = play(&mut Connection::<S>::new(), &wire, &[]);
        assert_eq!(
            outcome.items,
            [
                Item::Ping(b"between".to_vec()),
                Item::Pong(vec![]),
                Item::Ping(vec![]),
                text("κόσμε"),
                binary(b""),
                binary(b"123"),
            ]
        );
        assert_eq!(outcome.replies, cat(&[from::<S>(PONG, b"between"), from::<S>(PONG, b"")]));
        assert_eq!(outcome.error, None);
    }
    role::<Server>();
    role::<Client>();
}

/// §5.5: a control frame has at most 125 bytes, received or sent.
#[test]
fn s5_5_control_frames() {
    fn role<S: Role>() {
        for len in [0, 1, 124, 125] {
            let payload: Vec<u8> = (0..len).collect();
            let mut conn = Connection::<S>::new();
            let wire = cat(&[to::<S>(PING, &payload), to::<S>(PONG, &payload)]);
            let outcome = play(&mut conn, &wire, &[]);
            assert_eq!(outcome.items, [Item::Ping(payload.clone()), Item::Pong(payload.clone())]);
            assert_eq!(outcome.replies, from::<S>(PONG, &payload));
            assert_eq!(conn.ping(&payload, fixed::<S>()).unwrap()[..], from::<S>(PING, &payload));
            assert_eq!(conn.pong(&payload, fixed::<S>()).unwrap()[..], from::<S>(PONG, &payload));
        }
        let mut conn = Connection::<S>::new();
        assert_eq!(conn.ping(&[0; 126], fixed::<S>()), Err(SendError::ControlTooLong));
        assert_eq!(conn.pong(&[0; 126], fixed::<S>()), Err(SendError::ControlTooLong));
    }
    role::<Server>();
    role::<Client>();
}

/// §5.5.1, §7.1: the closing handshake.
#[test]
fn s7_1_closing() {
    fn role<S: Role>() {
        // The peer closes first: with a code and a reason, with a code, with neither. The answer repeats the code.
        let longest = "r".repeat(123);
        for (payload, answer) in [
            (closing(1000, "bye"), closing(1000, "")),
            (closing(4999, ""), closing(4999, "")),
            (closing(1001, &longest), closing(1001, "")),
            (vec![], vec![]),
        ] {
            let mut conn = Connection::<S>::new();
            let mut wire = to::<S>(CLOSE, &payload);
            let mut input = &mut wire[..];
            let event = conn.receive(&mut input).unwrap().unwrap();
            assert_eq!((conn.state(), conn.close_expected()), (State::CloseReceived, false));
            let reply = conn.reply(&event, fixed::<S>).expect("a close is answered");
            assert_eq!(reply[..], from::<S>(CLOSE, &answer));
            assert_eq!((conn.state(), conn.close_expected()), (State::Closed, true));
            assert_eq!(conn.reply(&event, fixed::<S>), None, "once");
            assert_sends_closed(&mut conn);
            assert_eq!(conn.receive_eof(), Ok(()));
        }
        // We close first. The answer needs no answer.
        for (code, reason, payload) in [
            (1000, "bye", closing(1000, "bye")),
            (3000, "", closing(3000, "")),
            (1001, &longest[..], closing(1001, &longest)),
            (1005, "", vec![]),
        ] {
            let mut conn = Connection::<S>::new();
            assert_eq!(
                conn.close(CloseCode::new(code), reason, fixed::<S>()).unwrap()[..],
                from::<S>(CLOSE, &payload)
            );
            assert_eq!((conn.state(), conn.close_expected()), (State::CloseSent, true));
            assert_sends_closed(&mut conn);
            let outcome = play(&mut conn, &to::<S>(CLOSE, &payload), &[]);
            assert_eq!(outcome.items, [Item::Close(payload)]);
            assert!(outcome.replies.is_empty());
            assert_eq!((conn.state(), conn.receive_eof()), (State::Closed, Ok(())));
        }
        // A frame that may not be sent changes nothing.
        let mut conn = Connection::<S>::new();
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert_eq!(
                conn.close(CloseCode::new(code), "why", fixed::<S>()),
                Err(SendError::InvalidCloseCode),
                "{code}"
            );
        }
        assert_eq!(
            conn.close(CloseCode::new(1000), &"r".repeat(124), fixed::<S>()),
            Err(SendError::ControlTooLong)
        );
        assert_eq!((conn.state(), conn.close_expected()), (State::Open, false));
        assert!(message(&mut conn, Kind::Text, b"still here").is_ok());
    }
    role::<Server>();
    role::<Client>();
}

/// §7.1.5: without a close frame the code is 1006, and no close is sent.
#[test]
fn s7_1_5_the_stream_ends_without_a_close() {
    fn role<S: Role>() {
        let wire = to::<S>(TEXT, b"Hello");
        let closed_before = [false, true];
        for (cut, close) in (0..=wire.len()).flat_map(|cut| closed_before.map(|close| (cut, close))) {
            let mut conn = Connection::<S>::new();
            if close {
                let _ = conn.close(CloseCode::new(1000), "", fixed::<S>()).unwrap();
            }
            play(&mut conn, &wire[..cut], &[]);
            let error = ProtocolError::UnexpectedEof;
            assert_eq!(conn.receive_eof(), Err(error));
            assert_eq!(error.close_code(), CloseCode::ABNORMAL);
            assert_eq!(conn.fail(error, fixed::<S>), None);
            assert_failed(&mut conn, error);
            assert_eq!(
                conn.fail(ProtocolError::MessageTooBig, fixed::<S>),
                None,
                "nobody is there to read it"
            );
        }
    }
    role::<Server>();
    role::<Client>();
}
