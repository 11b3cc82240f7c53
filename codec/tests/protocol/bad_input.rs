//! The mistakes of a peer, one row each: the error, its code, the events before it, the close that tells the peer, and
//! that no event follows.

use framewire::{Client, CloseCode, Connection, Kind, Limits, ProtocolError, Role, Rsv, Server, State};
use framewire_testing::{host::*, rfc6455::*, wire::*};

/// A wire with a mistake.
struct Row {
    name: &'static str,
    wire: Vec<u8>,
    /// The messages and control frames before the bad byte.
    before: Vec<Item>,
    error: ProtocolError,
    code: u16,
}

fn row(name: &'static str, frames: &[Vec<u8>], before: &[Item], error: ProtocolError, code: u16) -> Row {
    Row { name, wire: frames.concat(), before: before.to_vec(), error, code }
}

/// The rows of "who checks what" in docs/architecture.md, as the peer of `S` sends them. `S` has limits of 1000 bytes a
/// frame and 1500 a message, and no extension.
fn rows<S: Role>() -> Vec<Row> {
    use ProtocolError as E;
    let mut rows = Vec::new();

    // §5.2: reserved opcodes.
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        rows.push(row("reserved opcode", &[to::<S>(0x80 | opcode, b"")], &[], E::ReservedOpcode, 1002));
        rows.push(row("reserved opcode, more to come", &[vec![opcode]], &[], E::ReservedOpcode, 1002));
    }
    // §5.5: control frames.
    for first in [CLOSE, PING, PONG] {
        let fragment = [to::<S>(first & MORE, b"")];
        rows.push(row("control frame in fragments", &fragment, &[], E::FragmentedControl, 1002));
        rows.push(row("control frame of 126", &[to::<S>(first, &[b'x'; 126])], &[], E::ControlTooLong, 1002));
        rows.push(row(
            "control frame of 64 KiB",
            &[head_to::<S>(first, 65536)],
            &[],
            E::ControlTooLong,
            1002,
        ));
    }
    // §5.2: lengths.
    let mask = if is_client::<S>() { 0 } else { 0x80 };
    for first in [TEXT, BINARY, TEXT & MORE] {
        for (len, error) in [(0, E::LengthNotMinimal), (125, E::LengthNotMinimal)] {
            rows.push(row("126 for a short length", &[vec![first, mask | 126, 0, len]], &[], error, 1002));
        }
        for (len, error) in [
            (0, E::LengthNotMinimal),
            (125, E::LengthNotMinimal),
            (65535, E::LengthNotMinimal),
            (1 << 63, E::LengthOutOfRange),
            (u64::MAX, E::LengthOutOfRange),
        ] {
            let wire = [&[first, mask | 127][..], &len.to_be_bytes()].concat();
            rows.push(row("127 for another length", &[wire], &[], error, 1002));
        }
    }
    // §5.1: masks of the wrong role, on every kind of frame.
    let error = if is_client::<S>() { E::MaskUnexpected } else { E::MaskMissing };
    for first in [TEXT, BINARY, TEXT & MORE, CONTINUATION, CLOSE, PING, PONG] {
        for payload in [&b""[..], b"hello"] {
            rows.push(row("mask", &[from::<S>(first, payload)], &[], error, 1002));
        }
    }
    rows.push(row(
        "mask on a later fragment",
        &[to::<S>(TEXT & MORE, b"a"), from::<S>(CONTINUATION, b"b")],
        &[],
        error,
        1002,
    ));
    // §5.2: reserved bits without an extension.
    for bits in (0x10..=0x70).step_by(0x10) {
        for first in [TEXT, BINARY, TEXT & MORE, CLOSE, PING, PONG] {
            rows.push(row("reserved bit", &[to::<S>(first | bits, b"")], &[], E::ReservedBit, 1002));
        }
        rows.push(row(
            "reserved bit on a continuation",
            &[to::<S>(TEXT & MORE, b"a"), to::<S>(CONTINUATION | bits, b"b")],
            &[],
            E::ReservedBit,
            1002,
        ));
    }
    // §5.4: fragments.
    for first in [CONTINUATION, CONTINUATION & MORE] {
        let wire = to::<S>(first, b"x");
        rows.push(row(
            "nothing to continue",
            core::slice::from_ref(&wire),
            &[],
            E::UnexpectedContinuation,
            1002,
        ));
        rows.push(row(
            "nothing to continue after a message",
            &[to::<S>(TEXT & MORE, b"a"), to::<S>(CONTINUATION, b"b"), wire.clone()],
            &[text("ab")],
            E::UnexpectedContinuation,
            1002,
        ));
        rows.push(row(
            "nothing to continue after a whole frame",
            &[to::<S>(BINARY, b"a"), wire],
            &[binary(b"a")],
            E::UnexpectedContinuation,
            1002,
        ));
    }
    for first in [TEXT, BINARY, TEXT & MORE, BINARY & MORE] {
        rows.push(row(
            "a message inside a message",
            &[to::<S>(TEXT & MORE, b"a"), to::<S>(PING, b"p"), to::<S>(first, b"b")],
            &[Item::Ping(b"p".to_vec())],
            E::ExpectedContinuation,
            1002,
        ));
        rows.push(row(
            "a message inside an empty beginning",
            &[to::<S>(BINARY & MORE, b""), to::<S>(first, b"")],
            &[],
            E::ExpectedContinuation,
            1002,
        ));
    }
    // Limits: the header alone, without payload.
    for first in [TEXT, BINARY, TEXT & MORE] {
        for len in [1001, 65535, 65536, u64::from(u32::MAX), 1 << 32, i64::MAX as u64] {
            rows.push(row("frame over its limit", &[head_to::<S>(first, len)], &[], E::FrameTooBig, 1009));
        }
        let open = to::<S>(first & MORE, &[b'x'; 1000]);
        rows.push(row(
            "message over its limit",
            &[open.clone(), head_to::<S>(CONTINUATION, 501)],
            &[],
            E::MessageTooBig,
            1009,
        ));
        rows.push(row(
            "message over its limit, little by little",
            &[
                open,
                to::<S>(CONTINUATION & MORE, &[b'x'; 500]),
                to::<S>(PING, b""),
                head_to::<S>(CONTINUATION, 1),
            ],
            &[Item::Ping(vec![])],
            E::MessageTooBig,
            1009,
        ));
    }
    // §8.1: text. `bad` are the bytes up to the first impossible one: the bytes that the frame declares after them have
    // not arrived.
    for bad in [
        &b"\x80"[..],        // a continuation byte first
        b"ok\xFF",           // not a byte of UTF-8
        b"\xC0",             // overlong
        b"\xC3\xC3",         // a lead instead of a continuation
        b"\xE0\x9F",         // overlong
        b"\xED\xA0",         // a surrogate
        b"\xF0\x8F",         // overlong
        b"\xF4\x90",         // over U+10FFFF
        b"\xF0\x9F\x98x",    // a continuation is missing
        b"\xCE\xBA\xED\xBE", // after a good character, a low surrogate
    ] {
        let started = |first, declared: u64, payload: &[u8]| {
            let mut wire = head_to::<S>(first, declared);
            wire.extend(masked(if is_client::<S>() { [0; 4] } else { KEY }, payload));
            wire
        };
        rows.push(row("text", &[started(TEXT, bad.len() as u64, bad)], &[], E::InvalidUtf8, 1007));
        rows.push(row("text, most to come", &[started(TEXT, 900, bad)], &[], E::InvalidUtf8, 1007));
        rows.push(row(
            "text in a later fragment",
            &[
                to::<S>(TEXT & MORE, "mé".as_bytes()),
                to::<S>(PONG, b""),
                started(CONTINUATION & MORE, 900, bad),
            ],
            &[Item::Pong(vec![])],
            E::InvalidUtf8,
            1007,
        ));
        rows.push(row(
            "text, cut by fragments",
            &[
                to::<S>(TEXT & MORE, &bad[..bad.len() - 1]),
                to::<S>(CONTINUATION & MORE, b""),
                started(CONTINUATION, 900, &bad[bad.len() - 1..]),
            ],
            &[],
            E::InvalidUtf8,
            1007,
        ));
    }
    for cut in [&b"\xC3"[..], b"ok\xE2\x82", b"\xF0\x9F\x98"] {
        rows.push(row("text ends inside a character", &[to::<S>(TEXT, cut)], &[], E::InvalidUtf8, 1007));
        rows.push(row(
            "fragmented text ends inside a character",
            &[to::<S>(TEXT & MORE, cut), to::<S>(CONTINUATION, b"")],
            &[],
            E::InvalidUtf8,
            1007,
        ));
    }
    rows.push(row(
        "a character may not go on in the next message",
        &[to::<S>(TEXT & MORE, "é".as_bytes()), to::<S>(CONTINUATION, b"e"), to::<S>(TEXT, b"\xA9")],
        &[text("ée")],
        E::InvalidUtf8,
        1007,
    ));
    // §5.5.1, §7.4: closes.
    for byte in [0, 3, 255] {
        rows.push(row("close of one byte", &[to::<S>(CLOSE, &[byte])], &[], E::CloseTooShort, 1002));
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        for reason in ["", "reason"] {
            let wire = to::<S>(CLOSE, &closing(code, reason));
            rows.push(row("close code", &[wire], &[], E::InvalidCloseCode, 1002));
        }
    }
    for reason in [&b"\xFF"[..], b"ok\xC3", b"\xED\xA0\x80", &[b"x".repeat(122), vec![0xC3]].concat()] {
        let wire = to::<S>(CLOSE, &[b"\x03\xE8", reason].concat());
        rows.push(row("close reason", &[wire], &[], E::InvalidUtf8, 1007));
    }
    rows
}

const LIMITS: Limits = Limits { frame: 1000, message: 1500 };

fn every_row<S: Role>() {
    for Row { name, wire: bad, before, error, code } in rows::<S>() {
        assert_eq!(error.close_code(), CloseCode::new(code), "{name}");
        // A message and a ping before, which must come out; a message after, which must not.
        let good = cat(&[to::<S>(TEXT, "gänge".as_bytes()), to::<S>(PING, b"before")]);
        let wire = [&good, &bad[..], &to::<S>(TEXT, b"behind")].concat();
        let mut items = vec![text("gänge"), Item::Ping(b"before".to_vec())];
        items.extend(before);
        let mut replies = from::<S>(PONG, b"before");
        for item in &items[2..] {
            if let Item::Ping(payload) = item {
                replies.extend(from::<S>(PONG, payload));
            }
        }
        let farewell = Some(from::<S>(CLOSE, &closing(code, &error.to_string())));
        let expected = Outcome { items, replies, error: Some(error), farewell };

        // All at once; with nothing after the error; and byte by byte, with the error just as early.
        let behind = good.len() + bad.len();
        let each: Vec<usize> = (1..wire.len()).collect();
        for (wire, cuts) in [(&wire[..], &[][..]), (&wire[..behind], &[]), (&wire[..], &each)] {
            let mut conn = Connection::<S>::new().with_limits(LIMITS);
            assert_eq!(play(&mut conn, wire, cuts), expected, "{name}: {bad:02x?}");
        }
        assert_eq!(oracle::<S>(&wire, LIMITS, Rsv::NONE), expected, "the oracle on {name}: {bad:02x?}");

        // Without the bad byte there is no error yet.
        if !matches!(error, ProtocolError::LengthOutOfRange | ProtocolError::LengthNotMinimal) {
            let early = &wire[..first_bad_byte(&wire, error)];
            let mut conn = Connection::<S>::new().with_limits(LIMITS);
            assert_eq!(play(&mut conn, early, &[]).error, None, "{name}: {bad:02x?}");
            assert_eq!(conn.state(), State::Open);
        }
    }
}

/// The position of the byte with which the oracle first reports `error`, for either role.
fn first_bad_byte(wire: &[u8], error: ProtocolError) -> usize {
    let due = |n: usize| {
        [oracle::<Server>(&wire[..n], LIMITS, Rsv::NONE), oracle::<Client>(&wire[..n], LIMITS, Rsv::NONE)]
            .iter()
            .any(|outcome| outcome.error == Some(error))
    };
    (1..=wire.len()).find(|&n| due(n)).expect("it is due somewhere") - 1
}

#[test]
fn a_server_refuses_every_row() {
    every_row::<Server>();
}

#[test]
fn a_client_refuses_every_row() {
    every_row::<Client>();
}

/// After our own close no other close is sent, but errors are still returned.
#[test]
fn errors_after_our_close_send_nothing() {
    fn role<S: Role>() {
        for Row { name, wire, error, .. } in rows::<S>() {
            let mut conn = Connection::<S>::new().with_limits(LIMITS);
            let _ = conn.close(CloseCode::new(1000), "", fixed::<S>()).unwrap();
            let outcome = play(&mut conn, &wire, &[]);
            assert_eq!((outcome.error, outcome.farewell), (Some(error), None), "{name}");
        }
    }
    role::<Server>();
    role::<Client>();
}

/// A message exactly at the limit is accepted, and one byte more is not: whole, in fragments, in pieces, as text and as
/// binary.
#[test]
fn limits_to_the_byte() {
    fn role<S: Role>() {
        for limit in [0, 1, 5, 125, 126, 127, 65535, 65536] {
            let limits = |frame, message| Limits { frame, message };
            let both = [limits(limit, u64::MAX), limits(u64::MAX, limit), limits(limit, limit)];
            for (limits, first) in both.into_iter().flat_map(|limits| [(limits, TEXT), (limits, BINARY)]) {
                let payload = vec![b'x'; limit as usize];
                let over = if limits.frame == limit {
                    ProtocolError::FrameTooBig
                } else {
                    ProtocolError::MessageTooBig
                };
                let good = to::<S>(first, &payload);
                let bad = head_to::<S>(first, limit + 1);
                let new = || Connection::<S>::new().with_limits(limits);
                for cuts in [&[][..], &[1], &[2], &[5]] {
                    // Twice, to check that the first message does not count for the second.
                    let twice = cat(&[good.clone(), good.clone()]);
                    let outcome = play(&mut new(), &twice, cuts);
                    assert_eq!((outcome.items.len(), outcome.error), (2, None), "{limits:?}");
                    let outcome = play(&mut new(), &cat(&[good.clone(), bad.clone()]), cuts);
                    assert_eq!((outcome.items.len(), outcome.error), (1, Some(over)), "{limits:?}");
                }
                // The error comes with the last byte of the header, and not before.
                assert_eq!(play(&mut new(), &bad[..bad.len() - 1], &[]).error, None);
                assert_eq!(play(&mut new(), &bad, &[]).error, Some(over));
                // The whole frame in the buffer: the straight path refuses it as well.
                let whole = to::<S>(first, &vec![b'x'; limit as usize + 1]);
                assert_eq!(play(&mut new(), &whole, &[]).error, Some(over), "{limits:?}");
            }
            // The sum of a message's fragments.
            let (a, b) = (limit / 3, limit - limit / 3);
            let fragments = |b: u64| {
                let first = to::<S>(BINARY & MORE, &vec![1; a as usize]);
                cat(&[first, to::<S>(PING, b"12345"), head_to::<S>(CONTINUATION, b)])
            };
            let new = || Connection::<S>::new().with_limits(limits(u64::MAX, limit));
            let mut at = fragments(b);
            at.extend(vec![1; b as usize]);
            at.extend(at.clone());
            let outcome = play(&mut new(), &at, &[]);
            assert_eq!((outcome.items.len(), outcome.error), (4, None), "control frames do not count");
            assert_eq!(play(&mut new(), &fragments(b + 1), &[]).error, Some(ProtocolError::MessageTooBig));
        }
    }
    role::<Server>();
    role::<Client>();
}

/// A message that an extension has encoded may be a sixteenth and 64 bytes longer, in one frame and in fragments.
#[test]
fn encoded_messages_have_limits_of_their_own() {
    fn role<S: Role>() {
        let limits = Limits { frame: 1600, message: 3200 };
        let (frame, message) = (1600 + 100 + 64, 3200 + 200 + 64);
        let new = || Connection::<S>::new().with_limits(limits).with_extension_bits(Rsv::RSV1);
        let coded = |len: u64| head_to::<S>(BINARY | RSV1, len);
        assert_eq!(play(&mut new(), &coded(frame), &[]).error, None);
        assert_eq!(play(&mut new(), &coded(frame + 1), &[]).error, Some(ProtocolError::FrameTooBig));
        // Other messages of the same connection have the ordinary limits.
        let after = cat(&[to::<S>(BINARY | RSV1, &[1; 1764]), head_to::<S>(BINARY, 1601)]);
        assert_eq!(play(&mut new(), &after, &[]).error, Some(ProtocolError::FrameTooBig));

        let first = to::<S>(BINARY & MORE | RSV1, &[1; 1764]);
        let rest = |len: u64| cat(&[first.clone(), head_to::<S>(CONTINUATION, len)]);
        assert_eq!(play(&mut new(), &rest(message - 1764), &[]).error, None);
        let over = play(&mut new(), &rest(message - 1764 + 1), &[]).error;
        assert_eq!(over, Some(ProtocolError::MessageTooBig));
        assert_eq!(Limits::NONE.encoded(), Limits::NONE);
    }
    role::<Server>();
    role::<Client>();
}

/// The largest length that a frame can declare, alone and after other fragments. (The sum cannot exceed u64::MAX: more
/// than 2⁶³ bytes would have to arrive first.)
#[test]
fn lengths_near_the_end_of_u64() {
    fn role<S: Role>() {
        let most = i64::MAX as u64;
        let header = head_to::<S>(BINARY & MORE, most);
        // Allowed: the connection waits for 2⁶³ − 1 bytes, returns those that arrive, and nothing overflows.
        let mut conn = Connection::<S>::new().with_limits(Limits::NONE);
        assert_eq!(play(&mut conn, &header, &[]).error, None);
        assert_eq!(conn.remaining(), most);
        let mut some = vec![7; 1000];
        let mut input = &mut some[..];
        assert!(conn.receive(&mut input).unwrap().is_some());
        assert_eq!(conn.remaining(), most - 1000);
        // The limit is one byte less than the declared length.
        let limits = Limits { frame: u64::MAX, message: most - 1 };
        let mut conn = Connection::<S>::new().with_limits(limits);
        assert_eq!(play(&mut conn, &header, &[]).error, Some(ProtocolError::MessageTooBig));
        // A small fragment first, and then more than the rest.
        for (first, limit, error) in [
            (5, most, Some(ProtocolError::MessageTooBig)),
            (5, most + 4, Some(ProtocolError::MessageTooBig)),
            (5, most + 5, None),
            (5, u64::MAX, None),
        ] {
            let wire = cat(&[to::<S>(BINARY & MORE, &vec![0; first]), head_to::<S>(CONTINUATION, most)]);
            let mut conn = Connection::<S>::new().with_limits(Limits { frame: u64::MAX, message: limit });
            assert_eq!(play(&mut conn, &wire, &[]).error, error, "{limit}");
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn the_limits_that_a_role_starts_with() {
    fn role<S: Role>(limits: Limits, most: u64) {
        assert_eq!(limits, Limits { frame: most, message: most });
        for (len, error) in [(most, None), (most + 1, Some(ProtocolError::FrameTooBig))] {
            let wire = head_to::<S>(BINARY, len);
            assert_eq!(play(&mut Connection::<S>::new(), &wire, &[]).error, error);
            assert_eq!(play(&mut Connection::<S>::default(), &wire, &[]).error, error);
        }
        let more = cat(&[to::<S>(BINARY & MORE, b"x"), head_to::<S>(CONTINUATION, most)]);
        assert_eq!(play(&mut Connection::<S>::new(), &more, &[]).error, Some(ProtocolError::MessageTooBig));
    }
    role::<Server>(Limits::SERVER, 16 << 20);
    role::<Client>(Limits::CLIENT, 64 << 20);
}

/// The bits of an extension are allowed only on the first frame of a message (RFC 7692 §6).
#[test]
fn extension_bits() {
    fn role<S: Role>() {
        let rsv1 = 0x40;
        let new = || Connection::<S>::new().with_extension_bits(Rsv::RSV1);
        let coded = Item::Message(Kind::Text, Rsv::RSV1, b"\xFF\xC3".to_vec());
        // Compressed text is not validated as UTF-8, comes as parts even if it is whole, and does not affect later
        // text.
        let wire = cat(&[
            to::<S>(TEXT | rsv1, b"\xFF\xC3"),
            to::<S>((TEXT | rsv1) & MORE, b"\xFF"),
            to::<S>(PING, b""),
            to::<S>(CONTINUATION, b"\xC3"),
            to::<S>(BINARY | rsv1, b""),
            to::<S>(TEXT, b"plain"),
            to::<S>(BINARY, b"\xFF"),
        ]);
        let outcome = play(&mut new(), &wire, &[]);
        assert_eq!(
            outcome.items,
            [
                coded.clone(),
                Item::Ping(vec![]),
                coded,
                Item::Message(Kind::Binary, Rsv::RSV1, vec![]),
                text("plain"),
                binary(b"\xFF"),
            ]
        );
        assert_eq!(outcome.error, None);
        for bad in [
            to::<S>(TEXT | 0x20, b""),
            to::<S>(TEXT | 0x10, b""),
            to::<S>(TEXT | 0x60, b""),
            to::<S>(BINARY | 0x50, b""),
            to::<S>(PING | rsv1, b""),
            to::<S>(PONG | rsv1, b""),
            to::<S>(CLOSE | rsv1, b""),
            cat(&[to::<S>((TEXT | rsv1) & MORE, b""), to::<S>(CONTINUATION | rsv1, b"")]),
            cat(&[to::<S>(TEXT & MORE, b""), to::<S>(CONTINUATION | rsv1, b"")]),
        ] {
            assert_eq!(play(&mut new(), &bad, &[]).error, Some(ProtocolError::ReservedBit), "{bad:02x?}");
        }
        let mut both = Connection::<S>::new().with_extension_bits(Rsv::RSV1 | Rsv::RSV3);
        let outcome = play(&mut both, &to::<S>(BINARY | 0x50, b"z"), &[]);
        assert_eq!(outcome.items, [Item::Message(Kind::Binary, Rsv::RSV1 | Rsv::RSV3, b"z".to_vec())]);
    }
    role::<Server>();
    role::<Client>();
}

/// §5.5.1: all bytes after a close are discarded, in the same read or later.
#[test]
fn nothing_after_a_close_is_interpreted() {
    fn role<S: Role>() {
        let close = to::<S>(CLOSE, &closing(1000, "bye"));
        for behind in [
            to::<S>(TEXT, b"late"),
            to::<S>(PING, b"late"),
            close.clone(),
            to::<S>(CLOSE, b"\x00"),
            vec![0xFF; 50],
            from::<S>(TEXT, b"\xFF"),
            head_to::<S>(BINARY, i64::MAX as u64),
        ] {
            let wire = [&close[..], &behind].concat();
            let each: Vec<usize> = (1..wire.len()).collect();
            for cuts in [&[][..], &[close.len()], &[1], &each] {
                for closed_before in [false, true] {
                    let mut conn = Connection::<S>::new();
                    if closed_before {
                        let _ = conn.close(CloseCode::new(1001), "", fixed::<S>()).unwrap();
                    }
                    let outcome = play(&mut conn, &wire, cuts);
                    let replies = if closed_before { vec![] } else { from::<S>(CLOSE, &closing(1000, "")) };
                    let items = vec![Item::Close(closing(1000, "bye"))];
                    assert_eq!(outcome, Outcome { items, replies, ..Outcome::default() }, "{behind:02x?}");
                    assert_eq!((conn.state(), conn.remaining()), (State::Closed, 0));
                    assert_eq!(conn.receive_eof(), Ok(()));
                }
            }
        }
    }
    role::<Server>();
    role::<Client>();
}

/// `fail` with an error of a stage: bytes that arrive later are refused as well.
#[test]
fn a_failure_by_the_host() {
    fn role<S: Role>() {
        for error in [ProtocolError::MessageTooBig, ProtocolError::InvalidUtf8, ProtocolError::ReservedBit] {
            let mut conn = Connection::<S>::new();
            let frame = conn.fail(error, fixed::<S>).expect("the peer is told");
            let payload = closing(error.close_code().get(), &error.to_string());
            assert_eq!(frame[..], from::<S>(CLOSE, &payload));
            assert_failed(&mut conn, error);
            // Another error later does not replace the first.
            assert_eq!(conn.fail(ProtocolError::CloseTooShort, fixed::<S>), None);
            assert_failed(&mut conn, error);
        }
        // After the peer's close and before its answer: the answer is the close of the failure.
        let mut conn = Connection::<S>::new();
        let mut wire = to::<S>(CLOSE, &closing(1000, ""));
        let mut input = &mut wire[..];
        let event = conn.receive(&mut input).unwrap().unwrap();
        let frame = conn.fail(ProtocolError::MessageTooBig, fixed::<S>).expect("no close went out yet");
        assert_eq!(
            frame[if is_client::<S>() { 6 } else { 2 }..].len(),
            2 + ProtocolError::MessageTooBig.to_string().len()
        );
        assert_eq!(conn.reply(&event, fixed::<S>), None);
        assert_failed(&mut conn, ProtocolError::MessageTooBig);
    }
    role::<Server>();
    role::<Client>();
}

/// After a failure inside our own fragmented message, the send methods return `Closed`, and not `MessageOpen`: the
/// message cannot be finished any more.
#[test]
fn closed_is_the_first_error() {
    fn role<S: Role>() {
        for fail in [false, true] {
            let mut conn = Connection::<S>::new();
            fragment(&mut conn, Kind::Text, b"begun", false).unwrap();
            if fail {
                let _ = conn.fail(ProtocolError::MessageTooBig, fixed::<S>).unwrap();
            } else {
                let _ = conn.close(CloseCode::new(1000), "", fixed::<S>()).unwrap();
            }
            assert_sends_closed(&mut conn);
        }
    }
    role::<Server>();
    role::<Client>();

    let mut client = Connection::<Client>::new();
    let _ = client.close(CloseCode::NORMAL, "", framewire::mask::Key::new(KEY)).unwrap();
    let mut broken = [0xFF];
    let closed = Err(framewire::SendError::Closed);
    assert_eq!(client.header_in_place(Kind::Text, &mut broken, framewire::mask::Key::new(KEY)), closed);
}

/// Every error has a text that fits a close frame, and a code that may be sent, unless the stream has ended.
#[test]
fn every_error_fits_a_close() {
    use ProtocolError::*;
    let all = [
        (ReservedOpcode, 1002),
        (FragmentedControl, 1002),
        (ControlTooLong, 1002),
        (LengthNotMinimal, 1002),
        (LengthOutOfRange, 1002),
        (MaskMissing, 1002),
        (MaskUnexpected, 1002),
        (ReservedBit, 1002),
        (UnexpectedContinuation, 1002),
        (ExpectedContinuation, 1002),
        (FrameTooBig, 1009),
        (MessageTooBig, 1009),
        (InvalidUtf8, 1007),
        (CorruptDeflate, 1007),
        (CloseTooShort, 1002),
        (InvalidCloseCode, 1002),
        (UnexpectedEof, 1006),
    ];
    for (error, code) in all {
        assert_eq!(error.close_code().get(), code, "{error}");
        assert!((1..=123).contains(&error.to_string().len()), "{error}");
        assert_eq!(
            all.iter().filter(|(other, _)| other.to_string() == error.to_string()).count(),
            1,
            "{error}"
        );
    }
}
