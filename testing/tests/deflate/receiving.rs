//! permessage-deflate, receiving (RFC 7692): the RFC's examples, a corpus of real and hostile payloads, any cut, other
//! implementations, and limits.

use framewire::{
    Client, CloseCode, Kind, Part, ProtocolError, Role, Rsv, Server,
    deflate::{InflateConfig, InflatePool, Inflater},
    extension::DeflateParams,
};
use framewire_testing::{
    deflate::*,
    miniz::{Compressor, Decompressor, Verdict, compress},
    payload::{noise, prose, random},
    rfc1951,
    wire::*,
};
use quickcheck::quickcheck;

/// "Hello", as the RFC compresses it (§7.2.3.1).
pub(crate) const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" again, as a reference to the message before (§7.2.3.2).
pub(crate) const AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";
/// "Hello" in a stored block (§7.2.3.3), in one marked as final (§7.2.3.4), in two blocks (§7.2.3.5).
const STORED: &[u8] = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
const FINAL: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
const BLOCKS: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";

#[test]
fn examples_of_the_rfc() {
    fn role<S: Role>() {
        let texts = |n: usize| (vec![(Kind::Text, b"Hello".to_vec()); n], None);
        let play = |params: &DeflateParams, wire: &[Vec<u8>]| {
            let mut pool = pool(64);
            Host::<S>::new(params, &pool).play(&mut pool, &wire.concat(), &[])
        };
        for params in [TAKEOVER, NO_TAKEOVER] {
            for payload in [HELLO, STORED, FINAL, BLOCKS] {
                assert_eq!(play(&params, &[to::<S>(TEXT1, payload)]), texts(1), "{payload:x?}");
            }
            let fragments = [to::<S>(TEXT1 & MORE, &HELLO[..3]), to::<S>(CONTINUATION, &HELLO[3..])];
            assert_eq!(play(&params, &fragments), texts(1));
            // §7.2.3.6: the empty message, and the empty fragment at the end.
            assert_eq!(play(&params, &[to::<S>(TEXT1, b"\0")]).0, [(Kind::Text, vec![])]);
            let fragments =
                [to::<S>(TEXT1 & MORE, &[HELLO, b"\0\0\xff\xff"].concat()), to::<S>(CONTINUATION, b"\0")];
            assert_eq!(play(&params, &fragments), texts(1));
        }
        let shared = [to::<S>(TEXT1, HELLO), to::<S>(TEXT1, AGAIN), to::<S>(TEXT1, AGAIN)];
        assert_eq!(play(&TAKEOVER, &shared), texts(3));
        let (messages, error) = play(&NO_TAKEOVER, &shared);
        assert_eq!((messages.len(), error), (1, Some(ProtocolError::CorruptDeflate)));
    }
    role::<Server>();
    role::<Client>();
}

/// A payload, and the message that it inflates to; `None` if it is corrupt.
pub(crate) type Case = (&'static str, Vec<u8>, Option<Vec<u8>>);

pub(crate) fn corpus() -> Vec<Case> {
    let hello = || Some(b"Hello".to_vec());
    let twice = || Some(b"HelloHello".to_vec());
    let cat = |parts: &[&[u8]]| parts.concat();
    // A match of length 3 at distance 1, with no byte before it: 1 | 01 | 0000001 | 00000 | 0000000
    let too_far = b"\x03\x02\x00\x00".to_vec();
    let mut cases = vec![
        ("no byte at all: some send an empty message so", vec![], Some(vec![])),
        ("an empty message", vec![0], Some(vec![])),
        ("an empty static block", b"\x02\x00".to_vec(), Some(vec![])),
        ("final, and not a byte behind it", b"\xf3\x48\xcd\xc9\xc9\x07\x00".to_vec(), hello()),
        ("stored and final", b"\x01\x05\x00\xfa\xffHello".to_vec(), hello()),
        (
            "stored and final, the padding of the tail behind it",
            b"\x01\x05\x00\xfa\xffHello\0".to_vec(),
            hello(),
        ),
        ("an empty final block whose rest is the tail", cat(&[HELLO, b"\0\0\xff\xff\x01"]), hello()),
        ("the tail was not left out", cat(&[HELLO, b"\0\0\xff\xff"]), None),
        ("the tail was not left out, but begun anew", cat(&[HELLO, b"\0\0\xff\xff\0"]), hello()),
        ("blocks behind a final one", cat(&[&FINAL[..7], HELLO]), twice()),
        ("a reference back over a final block", cat(&[&FINAL[..7], AGAIN]), twice()),
        ("the same, over several", cat(&[b"\x03\x00", &FINAL[..7], b"\x03\x00\x03\x00", AGAIN]), twice()),
        ("garbage behind a final block", cat(&[&FINAL[..7], b"\xff\xff"]), None),
        ("half a block behind a final one", cat(&[&FINAL[..7], &HELLO[..3]]), None),
        ("an empty stored block in between", cat(&[&STORED[..10], b"\0\0\0\xff\xff", HELLO]), twice()),
        ("a reserved kind of block", vec![0x06], None),
        ("a reserved kind of block, later", cat(&[HELLO, b"\0\0\xff\xff\x06"]), None),
        ("a stored length that is not what it says", b"\x00\x05\x00\xfb\xffHello\0".to_vec(), None),
        ("a reference to before the start", too_far, None),
        ("a stored block cut before its last 4 bytes, which the tail supplies", STORED[..6].into(), {
            Some(b"H\0\0\xff\xff".to_vec())
        }),
        ("code lengths that fit no code", b"\x04\xff\xff\xff\xff".to_vec(), None),
    ];
    for len in 1..HELLO.len() {
        cases.push(("truncated", HELLO[..len].into(), None));
    }
    for len in (2..STORED.len()).filter(|&len| len != 6) {
        cases.push(("truncated, stored", STORED[..len].into(), None));
    }
    let long = prose(5000, 1);
    let compressed = compress(&long);
    cases.push(("dynamic codes", compressed.clone(), Some(long)));
    for len in (1..compressed.len()).step_by(41) {
        cases.push(("truncated, dynamic", compressed[..len].into(), None));
    }
    cases
}

/// If the processor is emulated (`.ci/run cross`), at every ninth cut, as an emulator is slow.
#[test]
fn the_corpus_at_every_cut() {
    fn role<S: Role>() {
        let step = if cfg!(framewire_emulated) { 9 } else { 1 };
        for (name, payload, expected) in corpus() {
            let expected = expected.ok_or(ProtocolError::CorruptDeflate);
            for params in [TAKEOVER, NO_TAKEOVER] {
                for part in [1, 2, 5, 1 << 16] {
                    let mut pool = pool(part);
                    let got = inflate::<S>(&params, &mut pool, Kind::Binary, &payload, &[]);
                    assert_eq!(got, expected, "{name}: {payload:x?}");
                    for cut in (0..=payload.len()).take(40).step_by(step) {
                        let got = inflate::<S>(&params, &mut pool, Kind::Binary, &payload, &[cut]);
                        assert_eq!(got, expected, "{name}: {payload:x?} cut at {cut}");
                    }
                    let each: Vec<_> = (0..payload.len()).collect();
                    let got = inflate::<S>(&params, &mut pool, Kind::Binary, &payload, &each);
                    assert_eq!(got, expected, "{name}: {payload:x?} byte by byte");
                    assert!(pool.decompressors() <= 1, "all came back");
                }
            }
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn close_codes() {
    assert_eq!(ProtocolError::CorruptDeflate.close_code(), CloseCode::INVALID_DATA);
    assert_eq!(ProtocolError::MessageTooBig.close_code(), CloseCode::TOO_BIG);
}

/// A wire with everything that may be sent, and its messages.
fn everything<S: Role>() -> (Vec<u8>, Vec<(Kind, Vec<u8>)>) {
    let mut compressor = Compressor::default();
    let (long, plain) = (prose(3000, 2), prose(300, 3));
    let compressed = compressor.compress(&long);
    let again = compressor.compress(&long[100..2000]); // mostly by reference to the message before
    let third = compressed.len() / 3;
    let wire = cat(&[
        to::<S>(TEXT1 & MORE, &compressed[..third]),
        to::<S>(PING, b"in between"),
        to::<S>(CONTINUATION & MORE, b""),
        to::<S>(CONTINUATION & MORE, &compressed[third..]),
        to::<S>(PONG, b""),
        to::<S>(CONTINUATION, b""),
        to::<S>(TEXT, &plain), // uncompressed: not in the window
        to::<S>(TEXT & MORE, &plain[..1]),
        to::<S>(CONTINUATION, &plain[1..]),
        to::<S>(BINARY1, b""), // not in the window either
        to::<S>(BINARY1 & MORE, b""),
        to::<S>(CONTINUATION, b""),
        to::<S>(BINARY1, &again),
        to::<S>(TEXT1, b"\0"),
        to::<S>(BINARY, b""),
        to::<S>(TEXT1, &compressor.compress("ä".as_bytes())),
    ]);
    let messages = vec![
        (Kind::Text, long.clone()),
        (Kind::Text, plain.clone()),
        (Kind::Text, plain),
        (Kind::Binary, vec![]),
        (Kind::Binary, vec![]),
        (Kind::Binary, long[100..2000].into()),
        (Kind::Text, vec![]),
        (Kind::Binary, vec![]),
        (Kind::Text, "ä".into()),
    ];
    (wire, messages)
}

#[test]
fn any_cut_gives_the_same_messages() {
    fn role<S: Role>() {
        let (wire, messages) = everything::<S>();
        for part in [3, 1000, 1 << 16] {
            let mut pool = pool(part);
            let mut play = |cuts: &[usize]| {
                let got = Host::<S>::new(&TAKEOVER, &pool).play(&mut pool, &wire, cuts);
                assert_eq!(got, (messages.clone(), None), "cut at {cuts:?}, parts of {part}");
            };
            (0..=wire.len()).for_each(|cut| play(&[cut]));
            play(&(0..wire.len()).collect::<Vec<_>>());
        }
    }
    role::<Server>();
    role::<Client>();
}

quickcheck! {
    fn any_cuts_give_the_same_messages(cuts: Vec<u16>, part: u8) -> bool {
        let (wire, messages) = everything::<Server>();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| usize::from(cut) % wire.len()).collect();
        cuts.sort_unstable();
        let mut pool = pool(part.into());
        Host::<Server>::new(&TAKEOVER, &pool).play(&mut pool, &wire, &cuts) == (messages, None)
    }

    fn noise_is_read_as_by_another_implementation(payload: Vec<u8>) -> bool {
        compare_with_another_implementation(&payload);
        true
    }
}

/// Compares the result for a payload with that of a slow reader of RFC 1951, and with that of another implementation.
fn compare_with_another_implementation(payload: &[u8]) {
    let mut pool = pool(777);
    let got = inflate::<Server>(&NO_TAKEOVER, &mut pool, Kind::Binary, payload, &[]);
    let cut = inflate::<Client>(&TAKEOVER, &mut pool, Kind::Binary, payload, &[payload.len() / 2]);
    assert_eq!(got, cut);
    let expected = rfc1951::message(payload).ok_or(ProtocolError::CorruptDeflate);
    assert_eq!(got, expected, "{payload:x?}");
    match (Decompressor::default().read(payload), got) {
        // That implementation cannot continue after a final block.
        (Verdict::Final(bytes), Ok(got)) => assert!(got.starts_with(&bytes)),
        (Verdict::Whole(bytes), Ok(got)) => assert_eq!(got, bytes),
        // It does not report where a message ends, and reads a reference to before the start as zeros.
        (_, Err(_)) => {}
        (Verdict::Corrupt, Ok(_)) => panic!("corrupt, it says: {payload:x?}"),
    }
}

#[test]
fn streams_are_read_as_by_another_implementation() {
    let mut random = random(5);
    let scale = if cfg!(debug_assertions) { 1 } else { 10 };
    for round in 0..300 * scale {
        let len = (random() % 3000) as usize;
        let bytes = if round % 4 == 0 { noise(len, random()) } else { prose(len, random()) };
        let compressed = compress(&bytes);
        compare_with_another_implementation(&compressed);
        for _ in 0..20 {
            let mut bad = compressed.clone();
            for _ in 0..=random() % 3 {
                let at = (random() % bad.len().max(1) as u64) as usize;
                match random() % 4 {
                    0 => bad.truncate(at),
                    1 => bad.insert(at.min(bad.len()), random() as u8),
                    _ => bad.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (random() % 8)),
                }
            }
            compare_with_another_implementation(&bad);
        }
    }
}

#[test]
fn windows_are_taken_over_as_by_another_implementation() {
    for seed in 0..20 {
        let (mut random, mut compressor) = (random(seed), Compressor::default());
        let mut pool = pool(1 << (seed % 17));
        let mut host = Host::<Server>::new(&TAKEOVER, &pool);
        for _ in 0..20 {
            // Some longer than the window, most much shorter.
            let len = random() % if random() % 8 == 0 { 70_000 } else { 2000 };
            let bytes = if random() % 5 == 0 { noise(len as usize, seed) } else { prose(len as usize, 3) };
            let wire = to::<Server>(BINARY1, &compressor.compress(&bytes));
            let cut = (random() % wire.len() as u64) as usize;
            host.read(&mut pool, &wire[..cut]).unwrap();
            host.read(&mut pool, &wire[cut..]).unwrap();
            assert_eq!(host.messages.pop(), Some((Kind::Binary, bytes)));
        }
    }
}

/// Whole messages give the same result as messages in parts, whatever context was taken over.
#[test]
fn whole_messages_are_inflated_as_parts_are() {
    fn whole<S: Role>(
        inflater: &mut Inflater<S>,
        pool: &mut InflatePool,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Vec<u8>, ProtocolError> {
        let mut ready = inflater.ready(pool).unwrap();
        match kind {
            Kind::Text => ready.inflate_text(payload).map(String::into_bytes),
            Kind::Binary => ready.inflate_binary(payload),
        }
    }
    fn role<S: Role>() {
        let text = |bytes: &[u8]| compress(bytes);
        let mut cases: Vec<_> = corpus().into_iter().map(|(_, payload, _)| payload).collect();
        cases.extend([text("größer".as_bytes()), text(b"gr\xc3"), text(b"gr\xff"), text(&[b'x'; 5001])]);
        let mut cut_text = text(&[&[b'x'; 100][..], b"\xff", &[b'x'; 6000]].concat());
        cases.push(cut_text.clone()); // first not text, then too big
        cut_text.truncate(cut_text.len() - 4);
        cases.push(cut_text); // first not text, then corrupt
        for payload in cases {
            for params in [TAKEOVER, NO_TAKEOVER] {
                for part in [1, 64, 1 << 16] {
                    for kind in [Kind::Text, Kind::Binary] {
                        let config = InflateConfig { part, message: 5000, messages: 1, ..Default::default() };
                        let mut pool = InflatePool::new(config);
                        let expected = inflate::<S>(&params, &mut pool, kind, &payload, &[]);
                        let mut inflater = Inflater::<S>::new(&params, &pool).unwrap();
                        let got = whole(&mut inflater, &mut pool, kind, &payload);
                        assert_eq!(got, expected, "{kind:?} {payload:x?}");
                        assert!(!inflater.is_open() && pool.has_decompressor(), "nothing is held");
                        // An error stays.
                        let next = whole(&mut inflater, &mut pool, kind, HELLO);
                        assert_eq!(next, expected.map(|_| b"Hello".to_vec()));
                    }
                }
            }
        }
    }
    role::<Server>();
    role::<Client>();

    // In turn with messages in parts.
    let (mut compressor, mut pool) = (Compressor::default(), pool(100));
    let mut host = Host::<Server>::new(&TAKEOVER, &pool);
    for seed in 0..40 {
        let text = prose(1 + 50 * seed as usize, seed % 3);
        let payload = compressor.compress(&text);
        if seed % 2 == 0 {
            assert_eq!(whole(&mut host.inflater, &mut pool, Kind::Text, &payload), Ok(text));
        } else {
            host.read(&mut pool, &to::<Server>(TEXT1, &payload)).unwrap();
            assert_eq!(host.messages.pop(), Some((Kind::Text, text)));
        }
    }
}

/// A text with a wrong byte at every place, in stored blocks, so that its position on the wire is known. It fails
/// exactly with that byte.
#[test]
fn text_fails_at_the_first_impossible_byte() {
    let text = "aé€\u{10348}z".as_bytes();
    for at in 0..text.len() {
        for wrong in [0xff, b'(', 0xc0, 0x80] {
            let mut bytes = text.to_vec();
            bytes[at] = wrong;
            if core::str::from_utf8(&bytes).is_ok() {
                continue;
            }
            let head = [0, bytes.len() as u8, 0, !(bytes.len() as u8), 0xff];
            let wire = [&head[..], &bytes, &[0]].concat();
            // How many bytes are needed to see the error; none if only the end is missing.
            let impossible = (1..=bytes.len())
                .find(|&n| core::str::from_utf8(&bytes[..n]).is_err_and(|error| error.error_len().is_some()));
            for part in [1, 2, 64] {
                let mut pool = pool(part);
                for cut in 0..=wire.len() {
                    let got = inflate::<Server>(&NO_TAKEOVER, &mut pool, Kind::Text, &wire, &[cut]);
                    assert_eq!(got, Err(ProtocolError::InvalidUtf8), "{bytes:x?} cut at {cut}");
                    let got = inflate::<Client>(&TAKEOVER, &mut pool, Kind::Binary, &wire, &[cut]);
                    assert_eq!(got.as_ref(), Ok(&bytes), "binary is not text");
                }
                // The bytes so far of a message that continues.
                for came in 0..wire.len() {
                    let mut inflater = Inflater::<Server>::new(&TAKEOVER, &pool).unwrap();
                    let mut wire = wire.clone();
                    let bytes = &mut wire[..came];
                    let mut ready = inflater.ready(&mut pool).unwrap();
                    let mut parts = ready.feed(Part::new(Kind::Text, Rsv::RSV1, bytes, false));
                    let failed = loop {
                        match parts.next_part() {
                            Ok(Some(_)) => {}
                            Ok(None) => break false,
                            Err(error) => break error == ProtocolError::InvalidUtf8,
                        }
                    };
                    let expected = impossible.is_some_and(|n| came >= head.len() + n);
                    assert_eq!(failed, expected, "{came} bytes");
                }
            }
        }
    }
}

#[test]
fn text_may_not_end_inside_a_character() {
    let wire = compress("Wörtchen".as_bytes());
    for part in [1, 3, 64] {
        let mut pool = pool(part);
        assert!(inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, &wire, &[]).is_ok());
        let cut = compress(&"Wö".as_bytes()[..2]);
        let got = inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, &cut, &[]);
        assert_eq!(got, Err(ProtocolError::InvalidUtf8));
    }
}

#[test]
fn a_message_over_the_limit_is_an_error_however_it_is_cut() {
    let bytes = prose(500, 1);
    let len = bytes.len() as u64;
    let wire = compress(&bytes);
    for message in [0, 1, 63, 64, len - 1, len, len + 1, u64::MAX] {
        for part in [1, 64, 1000] {
            let mut pool = InflatePool::new(InflateConfig { message, part, ..InflateConfig::default() });
            for cut in 0..wire.len() {
                let got = inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, &wire, &[cut]);
                match len <= message {
                    true => assert_eq!(got.as_ref(), Ok(&bytes)),
                    false => assert_eq!(got, Err(ProtocolError::MessageTooBig), "{message} {part} {cut}"),
                }
            }
            assert_eq!(inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, b"", &[]), Ok(vec![]));
            assert_eq!(inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, b"\0", &[]), Ok(vec![]));
        }
    }
    // If it is corrupt after the limit, the error is the limit's. If it is not text before the limit, the error is
    // that.
    let mut bad = wire.clone();
    bad.truncate(wire.len() - 3);
    let mut pool = InflatePool::new(InflateConfig { message: 100, ..InflateConfig::default() });
    for cut in 0..bad.len() {
        let got = inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, &bad, &[cut]);
        assert_eq!(got, Err(ProtocolError::MessageTooBig));
    }
    let mut bytes = bytes;
    bytes[50] = 0xff;
    let wire = compress(&bytes);
    for cut in 0..wire.len() {
        let got = inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, &wire, &[cut]);
        assert_eq!(got, Err(ProtocolError::InvalidUtf8));
    }
}

/// A message that ends inside a block, so that the probe is taken for data: it is corrupt, and not invalid text or too
/// big because of the probe.
#[test]
fn a_truncated_message_is_corrupt_whatever_the_limit() {
    let stored = b"\xf8\xff"; // with the tail, the head of a stored block, and the first of its 255 bytes
    for message in 0..10 {
        for part in [1, 2, 64] {
            let mut pool = InflatePool::new(InflateConfig { message, part, ..InflateConfig::default() });
            for cut in 0..stored.len() {
                let got = inflate::<Server>(&TAKEOVER, &mut pool, Kind::Binary, stored, &[cut]);
                let expected =
                    if message == 0 { ProtocolError::MessageTooBig } else { ProtocolError::CorruptDeflate };
                assert_eq!(got, Err(expected), "{message} {part} {cut}");
            }
        }
    }
}

/// Each new stream copies a window. With two bytes each, one frame could ask for half a million.
#[test]
fn final_blocks_are_bounded_by_the_input() {
    let mut pool = pool(1 << 16);
    let mut inflate = |wire: &[u8]| inflate::<Server>(&TAKEOVER, &mut pool, Kind::Binary, wire, &[]);
    assert_eq!(inflate(&b"\x03\x00".repeat(64)), Ok(vec![]));
    assert_eq!(inflate(&b"\x03\x00".repeat(100)), Err(ProtocolError::CorruptDeflate));
    // Any number of streams is allowed if they are large enough.
    let block = [&b"\x01\x40\x00\xbf\xff"[..], &[b'x'; 64]].concat();
    assert_eq!(inflate(&block.repeat(10_000)), Ok(vec![b'x'; 640_000]));
}

#[test]
fn a_part_that_is_not_pulled_to_its_end_ends_the_stream() {
    let mut pool = pool(1);
    let mut inflater = Inflater::<Server>::new(&TAKEOVER, &pool).unwrap();
    fn part(bytes: &mut [u8]) -> Part<'_> {
        Part::new(Kind::Text, Rsv::RSV1, bytes, true)
    }
    let mut ready = inflater.ready(&mut pool).unwrap();
    let mut wire = HELLO.to_vec();
    let mut parts = ready.feed(part(&mut wire));
    assert_eq!(parts.next_part().unwrap().unwrap().bytes(), b"H");
    drop(parts);
    for _ in 0..2 {
        let mut parts = ready.feed(part(&mut wire));
        assert_eq!(parts.next_part(), Err(ProtocolError::CorruptDeflate));
        assert_eq!(parts.next_part(), Err(ProtocolError::CorruptDeflate));
    }
    // Uncompressed messages still come through; the host has failed the connection by then.
    let mut plain = *b"plain";
    let mut parts = ready.feed(Part::new(Kind::Text, Rsv::NONE, &mut plain, true));
    assert_eq!(parts.next_part().unwrap().unwrap().bytes(), b"plain");
    assert_eq!(parts.next_part(), Ok(None));
}

/// A message that began in parts cannot be continued as if it were whole: it may have been cut inside a character.
#[test]
fn a_whole_message_inside_another_is_an_error() {
    let stored = |bytes: &[u8]| {
        let len = bytes.len() as u8;
        [&[0, len, 0, !len, 0xff], bytes].concat()
    };
    let error = ProtocolError::ExpectedContinuation;
    for params in [TAKEOVER, NO_TAKEOVER] {
        for (kind, rest) in [(Kind::Text, &b"\xa9"[..]), (Kind::Text, b"abc"), (Kind::Binary, b"abc")] {
            let mut pool = InflatePool::new(InflateConfig { messages: 1, ..InflateConfig::default() });
            let mut inflater = Inflater::<Server>::new(&params, &pool).unwrap();
            let mut ready = inflater.ready(&mut pool).unwrap();
            let mut first = stored(b"\xc3");
            let mut parts = ready.feed(Part::new(kind, Rsv::RSV1, &mut first, false));
            assert_eq!(parts.next_part().unwrap().unwrap().bytes(), b"\xc3");
            assert_eq!(parts.next_part(), Ok(None));
            drop(parts);
            let rest = [stored(rest), vec![0]].concat();
            let got = match kind {
                Kind::Text => ready.inflate_text(&rest).map(String::into_bytes),
                Kind::Binary => ready.inflate_binary(&rest),
            };
            assert_eq!(got, Err(error));
            // The error stays, and nothing is held.
            assert_eq!(ready.inflate_text(HELLO), Err(error));
            assert_eq!(ready.feed(Part::new(kind, Rsv::RSV1, &mut first, true)).next_part(), Err(error));
            drop(ready);
            assert!(!inflater.is_open() && pool.has_decompressor());
        }
    }
}

#[test]
fn invalid_parameters_do_no_harm() {
    for bits in 0..=u8::MAX {
        let params = DeflateParams { client_max_window_bits: bits, server_max_window_bits: bits, ..TAKEOVER };
        let mut pool = pool(64);
        let mut host = Host::<Client>::new(&params, &pool);
        host.read(&mut pool, &to::<Client>(TEXT1, HELLO)).unwrap();
        host.read(&mut pool, &to::<Client>(TEXT1, AGAIN)).unwrap();
        assert_eq!(host.messages.len(), 2);
        let _ = framewire::deflate::Deflater::<Client>::new(&params);
        assert!(pool.has_window(bits));
    }
}

/// The result does not depend on what a decompressor still holds from an earlier message, or on which connection used
/// it since.
#[test]
fn connections_that_take_turns_do_not_mix() {
    // Messages that end in every possible way, some of them truncated. All but the last refer to earlier bytes.
    let ends: [&[u8]; 6] =
        [b"", b"\0\0\xff\xff\0", b"\0\0\xff\xff\x01", b"\0\0\xff\xff\x03\0", b"\x02\0", b"\x06"];
    let mut random = random(5);
    for round in 0..60 {
        let mut compressors = [(); 3].map(|()| Compressor::default());
        let params =
            DeflateParams { client_max_window_bits: if round % 3 == 0 { 10 } else { 15 }, ..TAKEOVER };
        let new =
            |messages| InflatePool::new(InflateConfig { messages, part: 512, ..InflateConfig::default() });
        let (mut one, mut two, mut strange) = (new(1), new(2), new(1));
        let mut hosts = [&one, &two, &one].map(|pool| [(); 3].map(|()| Host::<Server>::new(&params, pool)));
        let mut failed = [false; 3];
        for turn in 0..40 {
            let who = random() as usize % 3;
            if failed[who] {
                continue;
            }
            let len = [20, 300, 512, 1024, 40_000][random() as usize % 5];
            let mut payload = compressors[who].compress(&prose(len, random() % 8));
            if params.client_max_window_bits < 15 {
                payload = compress(&prose(len, random()));
            }
            // The compressor ends a message with the header of an empty block, which may also be continued in other
            // ways.
            if random() % 4 == 0 {
                payload.extend_from_slice(ends[random() as usize % ends.len()]);
            }
            if turn > 20 && random() % 8 == 0 {
                let end = payload.len() - 1 - random() as usize % 8.min(payload.len() - 1);
                payload.truncate(end);
            }
            let wire = to::<Server>(BINARY1, &payload);
            // In a pool that is new to all of them, each reads its window in.
            let [first, second, third] = &mut hosts;
            let expected = third[who].read(&mut strange, &wire);
            assert_eq!(first[who].read(&mut one, &wire), expected);
            assert_eq!(second[who].read(&mut two, &wire), expected);
            assert_eq!(first[who].messages.last(), third[who].messages.last());
            assert_eq!(second[who].messages.last(), third[who].messages.last());
            failed[who] = expected.is_err();
            if failed[who] {
                continue;
            }
            if random() % 8 == 0 {
                // Another connection begins a message in `two`, and is dropped in the middle of it.
                let mut gone = Host::<Server>::new(&params, &two);
                gone.read(&mut two, &to::<Server>(BINARY1 & MORE, &compress(b"something else")[..3]))
                    .unwrap();
            }
        }
    }
}
