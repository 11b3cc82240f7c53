//! permessage-deflate, sending, and both ends back to back (RFC 7692): every agreement between two ends, windows that
//! always hold the same at both ends, and budgets.

use framewire::{
    Client, CloseCode, Connection, Kind, Role, Rsv, SendError, Server, Unmasked,
    deflate::{DeflateBudget, DeflateConfig, DeflatePool, Deflater, InflatePool},
    extension::{self, DeflateOffer, DeflateParams, DeflatePolicy},
};
use framewire_testing::{
    deflate::*,
    host,
    miniz::{Decompressor, Verdict},
    payload::{noise, prose, random},
    rfc1951,
};

/// One end that sends, and the other that receives.
pub(crate) struct Link<S: Role, P: Role> {
    pub(crate) conn: Connection<S>,
    pub(crate) deflater: Deflater<S>,
    pub(crate) host: Host<P>,
}

impl<S: Role, P: Role> Link<S, P> {
    pub(crate) fn new(params: &DeflateParams, inflate: &InflatePool) -> Self {
        Self {
            conn: Connection::new().with_extension_bits(Rsv::RSV1),
            deflater: Deflater::new(params),
            host: Host::new(params, inflate),
        }
    }

    pub(crate) fn send(&mut self, pool: &mut DeflatePool, kind: Kind, payload: &[u8]) -> Vec<u8> {
        deflate(&mut self.deflater, &mut self.conn, pool, kind, payload).unwrap()
    }

    /// Sends, receives and compares a message. Returns whether it was compressed.
    pub(crate) fn pass(&mut self, pools: &mut Pools, kind: Kind, payload: &[u8]) -> bool {
        let wire = self.send(&mut pools.deflate, kind, payload);
        self.arrive(pools, &wire, kind, payload);
        assert!(wire.len() <= payload.len() + 14, "never longer than uncompressed");
        wire[0] & 0x40 != 0
    }

    pub(crate) fn arrive(&mut self, pools: &mut Pools, wire: &[u8], kind: Kind, payload: &[u8]) {
        self.host.read(&mut pools.inflate, wire).unwrap();
        assert_eq!(self.host.messages, [(kind, payload.to_vec())]);
        self.host.messages.clear();
    }
}

#[derive(Default)]
pub(crate) struct Pools {
    pub(crate) inflate: InflatePool,
    pub(crate) deflate: DeflatePool,
}

pub(crate) fn pools(config: DeflateConfig) -> Pools {
    Pools { inflate: InflatePool::default(), deflate: DeflatePool::new(config) }
}

/// Messages of many kinds. Some are similar, so that a wrong window is found.
fn messages() -> Vec<(Kind, Vec<u8>)> {
    let prose = prose(6000, 9);
    let text = |from: usize, to: usize| {
        let from = (from..).find(|&at| core::str::from_utf8(&prose[at..]).is_ok()).unwrap();
        let to = (to..).find(|&at| core::str::from_utf8(&prose[..at]).is_ok()).unwrap();
        (Kind::Text, prose[from..to].to_vec())
    };
    vec![
        text(0, 300),
        text(0, 300),
        (Kind::Binary, vec![]),
        (Kind::Text, b"short".to_vec()),
        text(200, 1500),
        (Kind::Binary, noise(2000, 4)),
        text(100, 1500),
        (Kind::Binary, vec![0; 3000]),
        text(0, 6000),
        (Kind::Binary, noise(700, 5)),
        text(3000, 3500),
    ]
}

/// Every agreement, in both directions, parsed from headers.
#[test]
fn every_agreement_back_to_back() {
    fn exchange<S: Role, P: Role>(params: &DeflateParams, pools: &mut Pools, compresses: bool) {
        let mut link = Link::<S, P>::new(params, &pools.inflate);
        let mut compressed = 0;
        for (kind, payload) in messages() {
            compressed += usize::from(link.pass(pools, kind, &payload));
        }
        assert_eq!(compressed, if compresses { 7 } else { 0 }, "{params:?}");
    }
    let mut pools = pools(DeflateConfig { compressors: 2, ..DeflateConfig::default() });
    let mut seen = 0;
    for bits in 0..8 * 8 {
        for takeover in 0..4 {
            let (server_bits, client_bits) = (8 + bits / 8, 8 + bits % 8);
            let offer = DeflateOffer {
                server_no_context_takeover: takeover & 1 != 0,
                client_no_context_takeover: takeover & 2 != 0,
                server_max_window_bits: Some(server_bits),
                client_max_window_bits: Some(client_bits),
            };
            let answer = extension::negotiate([&*offer.to_string()], &DeflatePolicy::default()).unwrap();
            assert_eq!(answer.is_none(), server_bits == 8);
            let Some(answer) = answer else { continue };
            let params = extension::verify([&*answer.to_string()], &[offer]).unwrap().unwrap();
            assert_eq!(params, answer.params());
            exchange::<Server, Client>(&params, &mut pools, true);
            exchange::<Client, Server>(&params, &mut pools, client_bits > 8);
            seen += 1;
        }
    }
    assert_eq!(seen, 7 * 8 * 4);
}

/// With context takeover, the second of two equal messages is short; without, it is not.
#[test]
fn context_takeover_makes_messages_shorter() {
    fn role<S: Role, P: Role>(params: DeflateParams) -> (usize, usize) {
        let mut pools = Pools::default();
        let mut link = Link::<S, P>::new(&params, &pools.inflate);
        let text = prose(2000, 1);
        let first = link.send(&mut pools.deflate, Kind::Text, &text);
        link.arrive(&mut pools, &first, Kind::Text, &text);
        let second = link.send(&mut pools.deflate, Kind::Text, &text);
        link.arrive(&mut pools, &second, Kind::Text, &text);
        (first.len(), second.len())
    }
    let (first, second) =
        role::<Server, Client>(DeflateParams { client_no_context_takeover: true, ..TAKEOVER });
    assert!(second * 4 < first, "{first} {second}");
    let (first, second) =
        role::<Client, Server>(DeflateParams { server_no_context_takeover: true, ..TAKEOVER });
    assert!(second * 4 < first, "{first} {second}");
    let (first, second) =
        role::<Server, Client>(DeflateParams { server_no_context_takeover: true, ..TAKEOVER });
    assert_eq!(first, second);
    let (first, second) =
        role::<Client, Server>(DeflateParams { client_no_context_takeover: true, ..TAKEOVER });
    assert_eq!(first, second);
}

#[test]
fn another_implementation_inflates_our_messages() {
    for level in [0, 1, 2, 3, 6, 9, 77] {
        let mut pool = DeflatePool::new(DeflateConfig { level, ..DeflateConfig::default() });
        for params in [TAKEOVER, DeflateParams { server_max_window_bits: 9, ..TAKEOVER }, NO_TAKEOVER] {
            let mut conn = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
            let mut deflater = Deflater::<Server>::new(&params);
            let mut decoder = Decompressor::default();
            for (kind, payload) in messages() {
                let out = deflater.message(&mut conn, kind, &payload, &mut pool, Unmasked).unwrap();
                if out.is_unchanged() {
                    continue;
                }
                let compressed = out.payload();
                if params == NO_TAKEOVER {
                    decoder = Decompressor::default();
                    assert_eq!(rfc1951::message(compressed).as_ref(), Some(&payload));
                }
                assert_eq!(decoder.read(compressed), Verdict::Whole(payload));
            }
        }
    }
}

#[test]
fn short_or_dense_messages_go_uncompressed() {
    let mut pools = pools(DeflateConfig { min_len: 100, ..DeflateConfig::default() });
    let mut link = Link::<Server, Client>::new(&TAKEOVER, &pools.inflate);
    assert!(!link.pass(&mut pools, Kind::Binary, &[b'x'; 99]));
    assert!(link.pass(&mut pools, Kind::Binary, &[b'x'; 100]));
    assert!(!link.pass(&mut pools, Kind::Binary, &noise(100_000, 1)));
    assert!(link.pass(&mut pools, Kind::Binary, &[b'x'; 100]), "and the window is as it was");
    let mut pools = self::pools(DeflateConfig { min_len: 0, ..DeflateConfig::default() });
    let mut link = Link::<Server, Client>::new(&TAKEOVER, &pools.inflate);
    for payload in [&b""[..], b"a", b"ab", b"abc"] {
        assert!(!link.pass(&mut pools, Kind::Text, payload));
    }
    assert!(link.pass(&mut pools, Kind::Text, b"aaaaaaaaaaaaaaaaaa"));
}

/// Sizes around those of buffers, blocks and windows, in turn with messages whose compression is given up. If the
/// processor is emulated (`.ci/run cross`), up to 128 KiB, at one level for each of the four ways in which zlib-rs looks for
/// matches.
#[test]
fn messages_of_every_size() {
    let (levels, longest): (&[u8], _) = if cfg!(framewire_emulated) {
        (&[1, 2, 4, 7], 1 << 17)
    } else {
        (&[1, 2, 3, 4, 5, 6, 7, 8, 9], 1 << 20)
    };
    let near = |n: usize| [n - 1, n, n + 1];
    let sizes = [512, 4096, 8192, 16384, 32768, 65535, 65536, longest].map(near);
    for &level in levels {
        let mut pools = pools(DeflateConfig { level, compressors: 1, ..DeflateConfig::default() });
        for params in [TAKEOVER, NO_TAKEOVER, DeflateParams { server_max_window_bits: 9, ..TAKEOVER }] {
            let mut link = Link::<Server, Client>::new(&params, &pools.inflate);
            for size in (64..200).step_by(9).chain(sizes.concat()) {
                let compressed = link.pass(&mut pools, Kind::Binary, &prose(size, size as u64));
                assert!(compressed || size < 200, "{size}");
                let noise = noise(size.min(1 << 17), size as u64);
                assert!(!link.pass(&mut pools, Kind::Binary, &noise));
                link.pass(&mut pools, Kind::Binary, &[&prose(size, 1)[..], &noise].concat());
            }
        }
    }
}

/// Messages and fragments of many kinds, at every level, compressed or given up, by one compressor. A message on which
/// zlib-rs panics would end a server.
#[test]
fn any_input_is_compressed_correctly() {
    let scale = if cfg!(debug_assertions) { 1 } else { 20 };
    let texture = |random: &mut dyn FnMut() -> u64| {
        let mut bytes = Vec::new();
        for _ in 0..1 + random() % 6 {
            let len = (random() % [10, 300, 5000, 70_000][random() as usize % 4]) as usize;
            match random() % 5 {
                0 => bytes.extend(noise(len, random())),
                1 => bytes.extend(prose(len, random() % 3)),
                2 => bytes.resize(bytes.len() + len, random() as u8),
                3 => bytes.extend((0..len).map(|i| (i % (1 + len / 7)) as u8)),
                _ => bytes.extend_from_within(bytes.len() - len.min(bytes.len())..),
            }
        }
        bytes
    };
    for level in 1..=9 {
        let mut random = random(level.into());
        let mut pools = pools(DeflateConfig { level, compressors: 2, ..DeflateConfig::default() });
        for bits in 9..=15 {
            let params = DeflateParams { server_max_window_bits: bits, ..TAKEOVER };
            let mut links = [params, DeflateParams { server_no_context_takeover: true, ..params }]
                .map(|params| Link::<Server, Client>::new(&params, &pools.inflate));
            for _ in 0..5 * scale {
                let link = &mut links[random() as usize % 2];
                let bytes = texture(&mut random);
                if random() % 2 == 0 {
                    link.pass(&mut pools, Kind::Binary, &bytes);
                    continue;
                }
                let Link { conn, deflater, host } = link;
                for last in [false, true] {
                    let pool = &mut pools.deflate;
                    let wire = deflate_fragment(deflater, conn, pool, Kind::Binary, &bytes, last);
                    let read = host.read(&mut pools.inflate, &wire.unwrap());
                    assert_eq!(read, Ok(()), "level {level}, {bits} bits, {} bytes", bytes.len());
                }
                assert_eq!(host.messages.pop(), Some((Kind::Binary, bytes.repeat(2))));
            }
        }
    }
}

/// Many connections and few compressors: each message uses the window of its own connection.
#[test]
fn connections_that_take_turns() {
    for compressors in [0, 1, 2, 7] {
        let mut pools = pools(DeflateConfig { compressors, ..DeflateConfig::default() });
        let mut links: Vec<_> = (0..6)
            .map(|i| {
                let params = DeflateParams {
                    client_no_context_takeover: i % 3 == 0,
                    client_max_window_bits: if i < 3 { 15 } else { 12 },
                    ..TAKEOVER
                };
                Link::<Client, Server>::new(&params, &pools.inflate)
            })
            .collect();
        let mut random = random(compressors as u64);
        for _ in 0..300 {
            let link = &mut links[random() as usize % 6];
            for _ in 0..=random() % 2 {
                link.pass(&mut pools, Kind::Text, &prose(random() as usize % 3000, random() % 5));
            }
        }
        assert!(pools.deflate.compressors() <= compressors.max(1));
    }
}

/// The same, compared with another implementation that keeps each peer's whole window. Messages have all lengths, so
/// that more or less of the window is read in before them. Some repeat much earlier ones, and some are given up.
#[test]
fn windows_match_those_of_another_implementation() {
    for (level, compressors) in [(1, 1), (2, 1), (2, 3), (4, 2), (6, 1), (7, 1), (9, 3)] {
        for (takes_over, bits) in (9..=15).map(|bits| (true, bits)).chain([(false, 15)]) {
            let mut pool = DeflatePool::new(DeflateConfig { level, compressors, ..DeflateConfig::default() });
            let params = DeflateParams {
                server_no_context_takeover: !takes_over,
                server_max_window_bits: bits,
                ..TAKEOVER
            };
            let mut random = random(u64::from(bits) << 8 | u64::from(level));
            let mut peers = [(); 5].map(|()| {
                let conn = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
                (conn, Deflater::<Server>::new(&params), Decompressor::default(), Vec::new())
            });
            for _ in 0..150 {
                let (conn, deflater, decoder, sent) = &mut peers[random() as usize % 5];
                let len = random() as usize % (1 << (random() % 17));
                let payload = match random() % 4 {
                    0 => noise(len, random()),
                    1 | 2 => prose(len, random()),
                    _ => {
                        let from = random() as usize % (sent.len() + 1);
                        sent[from..(from + len).min(sent.len())].to_vec()
                    }
                };
                let out = deflater.message(conn, Kind::Binary, &payload, &mut pool, Unmasked).unwrap();
                if out.is_unchanged() {
                    continue;
                }
                let compressed = out.payload();
                if !takes_over {
                    *decoder = Decompressor::default();
                }
                sent.extend_from_slice(&payload);
                assert_eq!(decoder.read(compressed), Verdict::Whole(payload), "level {level}, {bits} bits");
            }
        }
    }
}

/// How much of a window is read in by a compressor that had other messages since: before a short message, the last
/// bytes; before a long one, or at the high levels, all of it. This does not depend on the message before.
#[test]
fn how_far_back_a_message_refers() {
    // Digits: without repetition they compress to half their length, with it to almost nothing.
    let digits = |len: usize, seed| {
        let mut random = random(seed);
        (0..len).map(|_| b"0123456789abcdef"[random() as usize % 16]).collect::<Vec<u8>>()
    };
    let before = digits(24_000, 1);
    for (level, far_is_found) in [(1, false), (2, false), (6, false), (7, true), (9, true)] {
        let mut pools = pools(DeflateConfig { level, compressors: 1, ..DeflateConfig::default() });
        let mut links = [(); 2].map(|()| Link::<Server, Client>::new(&TAKEOVER, &pools.inflate));
        let mut send = |i: usize, payload: &[u8]| {
            let wire = links[i].send(&mut pools.deflate, Kind::Text, payload);
            links[i].arrive(&mut pools, &wire, Kind::Text, payload);
            wire.len()
        };
        let other = digits(500, 2);
        send(0, &before);
        send(1, &other);
        assert!(send(0, &before[23_000..23_200]) < 20, "near");
        send(1, &other);
        assert_eq!(send(0, &before[2000..2200]) < 20, far_is_found, "level {level}");
        assert!(send(0, &before[3000..5500]) < 100, "a long one");
        assert!(send(0, &before[6000..6200]) < 20, "and one that finds the compressor as that left it");
    }
}

#[test]
fn windows_for_sending_are_kept_within_the_budget() {
    let mut pools = pools(DeflateConfig { windows: 2 << 15, ..DeflateConfig::default() });
    let mut links = [(); 4].map(|()| Link::<Server, Client>::new(&TAKEOVER, &pools.inflate));
    let text = prose(1000, 1);
    for link in &mut links {
        assert!(link.pass(&mut pools, Kind::Text, &text));
    }
    assert_eq!(pools.deflate.windows(), 2 << 15);
    let lens = |pools: &mut Pools, links: &mut [Link<Server, Client>; 4]| {
        links.each_mut().map(|link| {
            let wire = link.send(&mut pools.deflate, Kind::Text, &text);
            link.arrive(pools, &wire, Kind::Text, &text);
            wire.len()
        })
    };
    let [a, b, c, d] = lens(&mut pools, &mut links);
    assert!(a < 50 && b < 50 && c > 100 && d > 100, "two have a window, and two have none");
    // One connection frees its window, and another gets it: both continue.
    links[0].deflater.release();
    let [a, b, c, d] = lens(&mut pools, &mut links);
    assert!(a > 100 && b < 50 && c > 100 && d > 100); // the first took it again, with its next message
    links[0].deflater.release();
    let [_, rest @ ..] = &mut links;
    assert!(rest.iter_mut().all(|link| link.pass(&mut pools, Kind::Text, &text)));
    let [a, b, c, d] = lens(&mut pools, &mut links);
    assert!(a > 100 && b < 50 && c < 50 && d > 100);
    drop(links);
    assert_eq!(pools.deflate.windows(), 0);
}

/// The caps hold for all pools of a budget together. A connection may move to another pool, on another thread, with its
/// window.
#[test]
fn pools_for_sending_share_a_budget() {
    let config = DeflateConfig { windows: 3 << 15, compressors: 3, ..DeflateConfig::default() };
    let budget = DeflateBudget::new(config);
    let mut inflate = InflatePool::default();
    let mut links = [(); 5].map(|()| Link::<Server, Client>::new(&TAKEOVER, &inflate));
    let mut pools = [(); 4].map(|()| DeflatePool::sharing(&budget));
    let mut random = random(1);
    let mut short = 0;
    for round in 0..400 {
        let (from, link) = (random() as usize % 4, &mut links[random() as usize % 5]);
        let text = prose(900 + random() as usize % 10, round % 5);
        let wire = std::thread::scope(|scope| {
            let pool = &mut pools[from];
            scope.spawn(|| link.send(pool, Kind::Text, &text)).join().unwrap()
        });
        short += usize::from(wire.len() < 60);
        link.host.read(&mut inflate, &wire).unwrap();
        assert_eq!(link.host.messages.pop(), Some((Kind::Text, text)));
        assert_eq!(pools[0].windows(), pools[1].windows());
        assert!(pools[0].windows() <= 3 << 15);
        // Three in all, but always one for each pool.
        assert!(pools[0].compressors() <= 3 + 3);
    }
    assert!(short > 150, "{short}: three connections in five refer to what went before");
    assert_eq!(pools[0].windows(), 3 << 15);
    links.iter_mut().for_each(|link| link.deflater.release());
    assert_eq!(pools[0].windows(), 0);
    drop(pools);
    assert_eq!(DeflatePool::sharing(&budget).compressors(), 0, "all came back");
}

#[test]
fn fragments() {
    fn role<S: Role, P: Role>(params: &DeflateParams) {
        let mut pools = Pools::default();
        let mut link = Link::<S, P>::new(params, &pools.inflate);
        let (text, noise) = (prose(3000, 1), noise(70_000, 2));
        let cases: [(&[u8], &[usize]); 7] = [
            (&text, &[0, 1, 2, 1000, 1000, 3000]),
            (&text, &[1500]),
            (&text, &[]),
            (b"", &[0, 0]),
            (b"x", &[0, 1]),
            (&noise, &[10, 66_000]),
            (&text, &[500, 600]),
        ];
        for (bytes, cuts) in cases {
            // Another message before each, to fill the window.
            link.pass(&mut pools, Kind::Text, &text[..300]);
            let mut from = 0;
            for (i, &cut) in cuts.iter().chain([&bytes.len()]).enumerate() {
                let last = i == cuts.len();
                let Link { conn, deflater, host } = &mut link;
                let pool = &mut pools.deflate;
                let wire =
                    deflate_fragment(deflater, conn, pool, Kind::Binary, &bytes[from..cut], last).unwrap();
                assert_eq!(wire[0] & 0x40 != 0, i == 0 && !(last && bytes.len() < 64), "RSV1 is the first's");
                assert!(wire.len() <= cut - from + 14 + 11);
                if !last {
                    // Another message is refused, and changes nothing.
                    let refused = deflate(deflater, conn, pool, Kind::Text, &text);
                    assert_eq!(refused, Err(SendError::MessageOpen));
                    let refused = deflate_fragment(deflater, conn, pool, Kind::Text, &text, last);
                    assert_eq!(refused, Err(SendError::KindChanged));
                }
                host.read(&mut pools.inflate, &wire).unwrap();
                from = cut;
            }
            assert_eq!(link.host.messages.pop(), Some((Kind::Binary, bytes.to_vec())));
        }
    }
    for params in [TAKEOVER, NO_TAKEOVER] {
        role::<Server, Client>(&params);
        role::<Client, Server>(&params);
    }
}

/// A message that the connection may not send is not compressed, and takes no window. The window that is there stays.
#[test]
fn a_refused_message_costs_nothing() {
    let mut pools = Pools::default();
    let mut link = Link::<Server, Client>::new(&TAKEOVER, &pools.inflate);
    let text = prose(1000, 1);
    let first = link.send(&mut pools.deflate, Kind::Text, &text);
    link.arrive(&mut pools, &first, Kind::Text, &text);
    // A fragment of the connection, which is not compressed, leaves a message open.
    let begin = host::fragment(&mut link.conn, Kind::Text, b"a", false).unwrap();
    let Link { conn, deflater, .. } = &mut link;
    for _ in 0..2 {
        let refused = deflate(deflater, conn, &mut pools.deflate, Kind::Text, &prose(1000, 2));
        assert_eq!(refused, Err(SendError::MessageOpen));
        let refused = deflate_fragment(deflater, conn, &mut pools.deflate, Kind::Binary, &text, false);
        assert_eq!(refused, Err(SendError::KindChanged));
    }
    let end = host::fragment(conn, Kind::Text, b"b", true).unwrap();
    link.arrive(&mut pools, &[begin, end].concat(), Kind::Text, b"ab");
    let again = link.send(&mut pools.deflate, Kind::Text, &text);
    assert!(again.len() * 4 < first.len(), "the window is as it was");
    link.arrive(&mut pools, &again, Kind::Text, &text);

    let mut pool = DeflatePool::default();
    let mut link = Link::<Server, Client>::new(&TAKEOVER, &pools.inflate);
    let _close = link.conn.close(CloseCode::NORMAL, "", Unmasked).unwrap();
    let Link { conn, deflater, .. } = &mut link;
    assert_eq!(deflate(deflater, conn, &mut pool, Kind::Text, &text), Err(SendError::Closed));
    assert_eq!(deflate_fragment(deflater, conn, &mut pool, Kind::Text, &text, false), Err(SendError::Closed));
    assert_eq!((pool.compressors(), pool.windows()), (0, 0));

    // If a message was compressed and then refused, its window is given up: the peer's has other bytes.
    let mut conn = Connection::<Server>::new(); // not told of the extension
    let mut deflater = Deflater::new(&TAKEOVER);
    let refused = deflate(&mut deflater, &mut conn, &mut pool, Kind::Text, &text);
    assert_eq!((refused, pool.windows()), (Err(SendError::ReservedBit), 0));

    // A refused fragment has begun nothing: the deflater does not compress the end of another message.
    let refused = deflate_fragment(&mut deflater, &mut conn, &mut pool, Kind::Text, &text, false);
    assert_eq!(refused, Err(SendError::ReservedBit));
    host::fragment(&mut conn, Kind::Text, b"a", false).unwrap();
    let end = deflate_fragment(&mut deflater, &mut conn, &mut pool, Kind::Text, &text, true).unwrap();
    assert!(end.ends_with(&text));
}

/// A fragment can be inflated as soon as it arrives.
#[test]
fn a_fragment_does_not_wait_for_the_next() {
    let mut pools = Pools::default();
    let mut link = Link::<Server, Client>::new(&NO_TAKEOVER, &pools.inflate);
    for word in ["one", "two", "three"] {
        let Link { conn, deflater, host } = &mut link;
        let wire = deflate_fragment(deflater, conn, &mut pools.deflate, Kind::Text, word.as_bytes(), false);
        host.read(&mut pools.inflate, &wire.unwrap()).unwrap();
    }
    assert_eq!(link.host.assembler.len(), "onetwothree".len());
}

/// The connection's own send methods do not compress. They may be mixed in, also for fragments.
#[test]
fn the_connections_send_methods_may_be_mixed_in() {
    let mut pools = Pools::default();
    let mut link = Link::<Server, Client>::new(&TAKEOVER, &pools.inflate);
    let text = prose(500, 1);
    for _ in 0..3 {
        assert!(link.pass(&mut pools, Kind::Text, &text));
        let wire = host::message(&mut link.conn, Kind::Text, &text).unwrap();
        link.arrive(&mut pools, &wire, Kind::Text, &text);
        let mut wire = Vec::new();
        for last in [false, true] {
            let Link { conn, deflater, .. } = &mut link;
            let more = deflate_fragment(deflater, conn, &mut pools.deflate, Kind::Text, &text, last);
            wire.extend(more.unwrap());
        }
        link.arrive(&mut pools, &wire, Kind::Text, &text.repeat(2));
        // If the connection began a message, the deflater continues it uncompressed, even after a compressed one.
        let mut wire = host::fragment(&mut link.conn, Kind::Text, &text, false).unwrap();
        let Link { conn, deflater, .. } = &mut link;
        for last in [false, true] {
            let more = deflate_fragment(deflater, conn, &mut pools.deflate, Kind::Text, &text, last);
            wire.extend(more.unwrap());
        }
        link.arrive(&mut pools, &wire, Kind::Text, &text.repeat(3));
    }
    let _close = link.conn.close(CloseCode::NORMAL, "", Unmasked).unwrap();
    let Link { conn, deflater, .. } = &mut link;
    let closed = deflate(deflater, conn, &mut pools.deflate, Kind::Text, &text);
    assert_eq!(closed, Err(SendError::Closed));
}
