//! Memory: no allocation for a message, and no more than documented.

use framewire::{
    Client, Connection, Kind, Part, ProtocolError, Role, Rsv, Server, Unmasked,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater},
    extension::DeflateParams,
};
use framewire_testing::{
    allocations::{self, held},
    deflate::*,
    miniz::{Compressor, compress},
    payload::{noise, prose},
    wire::*,
};

#[test]
fn no_allocation_per_message() {
    fn role<S: Role>(params: &DeflateParams) {
        let (mut inflate, mut deflate) = (InflatePool::default(), DeflatePool::default());
        let mut sender = Deflater::<Server>::new(params);
        let mut conn = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
        let mut inflater = Inflater::<S>::new(&DeflateParams { ..*params }, &inflate).unwrap();
        let texts: Vec<_> = (0..50).map(|i| prose(100 + 50 * i, i as u64)).collect();
        let mut wire = vec![0; 1 << 16];
        let mut all = || {
            for text in &texts {
                let out = sender.message(&mut conn, Kind::Text, text, &mut deflate, Unmasked).unwrap();
                assert!(!out.is_unchanged(), "it is worth it");
                let compressed = out.payload();
                let bytes = &mut wire[..compressed.len()];
                bytes.copy_from_slice(compressed);
                // In two parts, so that the message stays open between them.
                let (one, two) = bytes.split_at_mut(compressed.len() / 2);
                let mut ready = inflater.ready(&mut inflate).unwrap();
                for (bytes, last) in [(one, false), (two, true)] {
                    let mut parts = ready.feed(Part::new(Kind::Text, Rsv::RSV1, bytes, last));
                    while parts.next_part().unwrap().is_some() {}
                }
            }
        };
        for _ in 0..20 {
            all(); // until the windows are full
        }
        let ((), allocations, _) = counted(&mut all);
        assert_eq!(allocations, 0, "{params:?}");
    }
    for params in [TAKEOVER, NO_TAKEOVER] {
        // A client receives what a server sends. Here a server does so as well, because the parameters are equal in
        // both directions.
        role::<Client>(&params);
        role::<Server>(&params);
    }
}

/// A message that is whole and not larger than a part takes one allocation of its size.
#[test]
fn one_allocation_for_a_whole_message() {
    let mut pool = InflatePool::default();
    let mut compressor = Compressor::default();
    let mut inflater = Inflater::<Server>::new(&TAKEOVER, &pool).unwrap();
    for round in 0..60 {
        let text = prose(1000, round);
        let payload = compressor.compress(&text);
        let mut ready = inflater.ready(&mut pool).unwrap();
        let (got, allocations, most) = counted(|| ready.inflate_text(&payload));
        let got = got.unwrap();
        assert_eq!(got.as_bytes(), text);
        assert!(round < 40 || (allocations, most) == (1, got.len()), "{allocations}, {most}");
        let payload = compressor.compress(&text);
        let (got, allocations, _) = counted(|| ready.inflate_binary(&payload));
        assert!(got == Ok(text) && (round < 40 || allocations == 1));
    }
}

/// A client's payload that does not compress is masked in the pool's buffer. The buffer does not stay that large.
#[test]
fn a_long_masked_payload_does_not_stay_in_memory() {
    let (noise, mut pool) = (noise(3 << 20, 1), DeflatePool::default());
    let mut deflater = Deflater::<Client>::new(&NO_TAKEOVER);
    let mut conn = Connection::<Client>::new().with_extension_bits(Rsv::RSV1);
    let mut send = |payload: &[u8]| {
        let sent = deflate(&mut deflater, &mut conn, &mut pool, Kind::Binary, payload);
        sent.unwrap().len()
    };
    let short = prose(1000, 1);
    send(&short);
    let before = held();
    assert!(send(&noise) > noise.len());
    assert!(held() - before > 2 << 20, "it is in the pool's buffer");
    send(&short);
    assert!(held() - before < 100_000);
}

/// Measures the memory that docs/deflate.md adds up.
#[test]
fn memory_is_as_documented() {
    #[cfg(target_pointer_width = "64")]
    {
        assert!(size_of::<Inflater<Server>>() <= 24);
        assert!(size_of::<Deflater<Server>>() <= 24);
    }
    let config = InflateConfig { part: 1 << 12, messages: 10, message: 1 << 20, ..InflateConfig::default() };
    let before = held();
    let pool = InflatePool::new(config);
    let small = since(before);
    assert!((1 << 12..(1 << 12) + 500).contains(&small));
    let wire = to::<Server>(BINARY1, &compress(&prose(100_000, 1)));
    for params in [NO_TAKEOVER, TAKEOVER] {
        let before = held();
        let idle: Vec<_> = (0..100).map(|_| Inflater::<Server>::new(&params, &pool).unwrap()).collect();
        let each = since(before) / 100;
        assert!(each <= if params == TAKEOVER { 24 + 80 } else { 24 }, "{each} bytes before a message");
        drop(idle);
    }
    // Inside a message: a decompressor and at most a window. After it: nothing, or the window.
    for (params, after) in [
        (NO_TAKEOVER, 0),
        (TAKEOVER, 1 << 15),
        (DeflateParams { client_max_window_bits: 9, ..TAKEOVER }, 1 << 9),
    ] {
        let mut pool = InflatePool::new(config);
        let mut host = Host::<Server>::new(&params, &pool);
        let before = held();
        host.read(&mut pool, &wire[..wire.len() / 2]).unwrap();
        let during = since(before) - host.assembler.capacity();
        let bits = params.client_max_window_bits;
        let most = InflatePool::DECOMPRESSOR + (1 << bits) + 200;
        assert!(during <= most && during + 1000 > most - 2000, "{during} of {most}");
        host.read(&mut pool, &wire[wire.len() / 2..]).unwrap();
        let pooled = InflatePool::DECOMPRESSOR + if after == 0 { 1 << bits } else { 0 };
        let held = since(before) - host.assembler.capacity() - host.messages[0].1.capacity();
        assert!(held <= pooled + after + 400, "{held} of {pooled} and {after}");
    }
    let (_, _, most) = counted(|| {
        let mut pool = DeflatePool::new(DeflateConfig { compressors: 3, ..DeflateConfig::default() });
        let mut links = [(); 8].map(|()| {
            (Connection::<Server>::new().with_extension_bits(Rsv::RSV1), Deflater::<Server>::new(&TAKEOVER))
        });
        for (conn, deflater) in &mut links {
            assert!(
                !deflater
                    .message(conn, Kind::Text, &[b'x'; 40_000], &mut pool, Unmasked)
                    .unwrap()
                    .is_unchanged()
            );
        }
    });
    assert!(most <= 3 * DeflatePool::COMPRESSOR + 8 * (1 << 15) + 50_000 + 8 * 200, "{most}");
    assert!(most >= 3 * DeflatePool::COMPRESSOR + 8 * (1 << 15) - 10_000, "{most}");
}

/// One compressor for windows of all sizes: it is dropped before the next one is made.
#[test]
fn the_cap_on_compressors_holds_while_one_is_replaced() {
    let mut pool = DeflatePool::new(DeflateConfig { compressors: 1, ..DeflateConfig::default() });
    let ((), _, most) = counted(|| {
        for bits in [15, 9, 15, 10, 15] {
            let mut conn = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
            let params = DeflateParams { server_max_window_bits: bits, ..NO_TAKEOVER };
            let mut deflater = Deflater::<Server>::new(&params);
            let out = deflater.message(&mut conn, Kind::Text, &[b'x'; 1000], &mut pool, Unmasked).unwrap();
            assert!(!out.is_unchanged());
        }
    });
    assert_eq!(pool.compressors(), 1);
    assert!(most <= DeflatePool::COMPRESSOR + 10_000, "{most}");
}

/// Zeros, and the densest input there is, inflate to more than a thousand times their size: memory stays within the
/// limit, and work within a share of the length.
#[test]
fn bombs() {
    let limit = 1 << 20;
    let zeros = compress(&vec![0; 64 << 20]);
    assert!(zeros.len() * 1000 < 64 << 20);
    for wire in [zeros, compress(&vec![b'a'; 64 << 20])] {
        for params in [TAKEOVER, NO_TAKEOVER] {
            let mut bytes = wire.clone();
            let (parts, _, most) = counted(|| {
                let mut pool = InflatePool::new(InflateConfig { message: limit, ..InflateConfig::default() });
                let mut inflater = Inflater::<Server>::new(&params, &pool).unwrap();
                let mut ready = inflater.ready(&mut pool).unwrap();
                let mut inflated = ready.feed(Part::new(Kind::Binary, Rsv::RSV1, &mut bytes, true));
                let mut parts = 0;
                loop {
                    match inflated.next_part() {
                        Ok(Some(part)) => parts += part.bytes().len(),
                        Ok(None) => panic!("it is over the limit"),
                        Err(error) => break assert_eq!(error, ProtocolError::MessageTooBig),
                    }
                }
                parts
            });
            assert!(parts as u64 <= limit);
            assert!(most <= (64 << 10) + InflatePool::DECOMPRESSOR + (1 << 15) + 1000, "{most}");
        }
    }
}

/// How often `work` allocated, and how many bytes more than before it held at most.
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let (result, counts) = allocations::counted(work);
    (result, counts.allocated, usize::try_from(counts.peak).unwrap())
}

fn since(before: isize) -> usize {
    usize::try_from(held() - before).unwrap()
}
