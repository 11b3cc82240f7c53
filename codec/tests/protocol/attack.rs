//! Bytes that an attacker can send, where only trying all of them is enough. (server-mio/tests/measured/attack.rs does
//! this with a socket, and measures.)

use framewire::{Client, Connection, Event, Kind, Limits, ProtocolError, Role, Rsv, Server, mask::Key};
use framewire_testing::{host::*, rfc6455::*, wire::*};

/// Every first byte in every state of a connection, with lengths of each kind: reserved bits, reserved opcodes and
/// masks in every combination and place. (header.rs tests every second byte.)
#[test]
fn every_first_byte_in_every_state() {
    fn role<S: Role>() {
        let states: [&[Vec<u8>]; 5] = [
            &[],
            &[to::<S>(BINARY & MORE, b"b")],
            &[to::<S>(TEXT & MORE, "é".as_bytes().split_at(1).0)],
            &[to::<S>(TEXT, b"whole")],
            &[to::<S>(CLOSE, b"")],
        ];
        for (state, before) in states.into_iter().enumerate() {
            let before = before.concat();
            for bits in [Rsv::NONE, Rsv::RSV1, Rsv::RSV1 | Rsv::RSV3] {
                let seconds = [0, 1, 2, 3, 5, 125, 126, 127].into_iter().flat_map(|len| [len, 0x80 | len]);
                let pairs =
                    (0..=u8::MAX).flat_map(|first| seconds.clone().map(move |second| [first, second]));
                for pair in pairs {
                    // A key, or the first bytes of a payload, and some bytes more.
                    let wire = [&before[..], &pair, &[0x20, 0x21, 0x22, 0x23, 0x24]].concat();
                    let mut conn = Connection::<S>::new().with_limits(LIMITS).with_extension_bits(bits);
                    let expected = oracle::<S>(&wire, LIMITS, bits);
                    let cuts: &[usize] = if pair[1] % 128 == 5 { &[before.len() + 1] } else { &[] };
                    assert_eq!(
                        play(&mut conn, &wire, cuts),
                        expected,
                        "{pair:02x?} in state {state}, {bits:?}"
                    );
                }
            }
        }
    }
    const LIMITS: Limits = Limits { frame: 8191, message: 10_000 };
    role::<Server>();
    role::<Client>();
}

/// A text in fragments of a few bytes, with an impossible byte after each of its bytes: it is refused there.
fn text_fails_at_each_byte(len: usize) {
    const IMPOSSIBLE: [u8; 3] = [0xFF, 0xC0, 0xF5];
    let text = "framewire, größer, € 5, 👋 — ".repeat(len / 36 + 1);
    let text = &text.as_bytes()[..len];
    let mut conn = Connection::<Server>::new().with_limits(Limits::NONE);
    let send = |conn: &mut Connection<Server>, first: u8, payload: &[u8]| {
        let mut wire = to::<Server>(first, payload);
        let mut input = &mut wire[..];
        while let Some(event) = conn.receive(&mut input)? {
            assert!(matches!(event, Event::Part(part) if part.kind == Kind::Text && part.bytes() == payload));
        }
        Ok(())
    };
    send(&mut conn, TEXT & MORE, b"").unwrap();
    let (mut from, mut length) = (0, 0);
    for (i, &byte) in text.iter().enumerate() {
        let wrong = IMPOSSIBLE[i % 3];
        let fails = |payload: &[u8]| {
            let failed = send(&mut conn.clone(), CONTINUATION & MORE, payload);
            assert_eq!(failed, Err(ProtocolError::InvalidUtf8), "behind {i} bytes");
        };
        fails(&[&text[from..i], &[wrong]].concat());
        // An open character must be continued, and a continuation needs an open character.
        let whole = byte & 0xC0 != 0x80;
        let other = if whole { 0x80 } else { b'x' };
        fails(&[&text[from..i], &[other]].concat());
        if i - from > length {
            send(&mut conn, CONTINUATION & MORE, &text[from..i]).unwrap();
            (from, length) = (i, (length + 3) % 7);
        }
    }
}

#[test]
fn text_that_fails_at_each_byte() {
    text_fails_at_each_byte(32 << 10);
}

#[test]
#[ignore = "the same, for longer"]
fn text_that_fails_at_each_byte_of_a_mib() {
    text_fails_at_each_byte(1 << 20);
}

/// Keys of zeros, which mask nothing or little.
#[test]
fn keys_with_zeros() {
    for bytes in 0..16 {
        let key = [0, 1, 2, 3].map(|i| if bytes >> i & 1 == 0 { 0 } else { 0xA5 });
        let text = "größer, € 5, 👋 ".repeat(300);
        let wire = cat(&[
            frame(TEXT, Some(key), text.as_bytes()),
            frame(BINARY & MORE, Some(key), &[0; 1000]),
            frame(PING, Some(key), b"ping"),
            frame(CONTINUATION, Some([0; 4]), &[0xA5; 999]),
            frame(TEXT, Some(key), b"\0\0\0\0\xFF"),
        ]);
        for cuts in [&[][..], &[3, 10, 1007, text.len() + 9], &(1..wire.len()).collect::<Vec<_>>()] {
            let outcome = play(&mut Connection::<Server>::new(), &wire, cuts);
            assert_eq!(outcome, oracle::<Server>(&wire, Limits::NONE, Rsv::NONE), "{key:02x?}");
            assert_eq!(outcome.error, Some(ProtocolError::InvalidUtf8));
        }
        assert_eq!(Key::new(key).advance(4), Key::new(key));
    }
}

/// Any declared length: without payload bytes there is no event, and no memory is allocated.
#[test]
fn declared_lengths() {
    fn role<S: Role>() {
        let lengths = (0..63).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) + 1]);
        for len in lengths.chain([i64::MAX as u64]) {
            for first in [TEXT, BINARY, TEXT & MORE, BINARY & MORE] {
                let mut conn = Connection::<S>::new().with_limits(Limits::NONE);
                let mut wire = head_to::<S>(first, len);
                let mut input = &mut wire[..];
                while let Some(event) = conn.receive(&mut input).unwrap() {
                    assert_eq!(len, 0, "{event:?}");
                }
                assert_eq!(conn.remaining(), len);
                #[cfg(feature = "alloc")]
                {
                    let mut assembler = framewire::Assembler::new(u64::MAX);
                    assert!(assembler.spare(conn.remaining()).len() <= 16 << 10, "{len}");
                }
                // If the limit is one byte less, it is refused at once.
                let Some(most) = len.checked_sub(1) else { continue };
                for limits in
                    [Limits { frame: most, ..Limits::NONE }, Limits { message: most, ..Limits::NONE }]
                {
                    let outcome =
                        play(&mut Connection::<S>::new().with_limits(limits), &head_to::<S>(first, len), &[]);
                    let error = outcome.error.expect("it is over the limit");
                    assert_eq!(error.close_code().get(), 1009, "{len}");
                    assert_eq!(outcome.items, []);
                }
            }
        }
    }
    role::<Server>();
    role::<Client>();
}

/// Empty fragments give no event, so the host has no work with them.
#[test]
fn empty_fragments() {
    fn role<S: Role>() {
        let mut conn = Connection::<S>::new();
        let start = to::<S>(TEXT & MORE, b"");
        let many = to::<S>(CONTINUATION & MORE, b"").repeat(1000);
        let mut play = |wire: &[u8]| {
            let mut wire = wire.to_vec();
            let mut input = &mut wire[..];
            conn.receive(&mut input).unwrap().is_none()
        };
        assert!(play(&start));
        for _ in 0..200 {
            assert!(play(&many));
        }
        assert!(!play(&to::<S>(CONTINUATION, b"")));
    }
    role::<Server>();
    role::<Client>();
}
