//! permessage-deflate in steps (RFC 7692): messages that are paused while they are inflated, and messages that are compressed
//! in several steps, give what they give at once.

use crate::{
    both_ends::{Link, Pools, pools},
    receiving::corpus,
};
use bytes::Buf;
use framewire::{
    Client, Connection, Kind, Part, ProtocolError, Role, Rsv, SendError, Server, Unmasked,
    deflate::{
        DeflateConfig, DeflatePool, Deflated, Deflater, Deflating, InflateConfig, InflatePool, Inflater,
    },
    extension::DeflateParams,
    mask::Key,
    outbox::{Memory, Outbox, Written},
    owned::{PreparedMessage, SendQueue},
};
use framewire_testing::{
    deflate::*,
    miniz::{Compressor, Decompressor, Verdict, compress},
    payload::{noise, prose, random},
    rfc1951::{End, Reader},
    wire::*,
};
use std::ops::ControlFlow;

/// Inflates one message, fed in pieces of this size, and pauses it before the first part of each piece, and after every one.
/// Each rest is fed from another buffer, through the next of the pools.
fn inflate_with_pauses<S: Role>(
    params: &DeflateParams,
    pools: &mut [InflatePool; 2],
    kind: Kind,
    payload: &[u8],
    size: usize,
) -> Result<Vec<u8>, ProtocolError> {
    let mut inflater = Inflater::<S>::new(params, &pools[0]).unwrap();
    let (mut out, mut turns, mut from) = (Vec::new(), 0, 0);
    while from < payload.len() || from == 0 {
        let end = payload.len().min(from + size);
        let (mut rest, last) = (payload[from..end].to_vec(), end == payload.len());
        from = end.max(1);
        let mut is_fresh = true;
        loop {
            turns += 1;
            let mut ready = inflater.ready(&mut pools[turns % 2]).unwrap();
            let mut parts = ready.feed(Part::new(kind, Rsv::RSV1, &mut rest, last));
            if !is_fresh {
                if let Some(part) = parts.next_part()? {
                    out.extend_from_slice(part.bytes());
                    part.into_bytes().fill(b'#');
                }
            }
            let Some(part) = parts.pause() else { break };
            assert_eq!((part.kind, part.rsv, part.last), (kind, Rsv::RSV1, last));
            is_fresh = false;
            rest = part.bytes().to_vec();
        }
    }
    assert!(!inflater.is_open());
    Ok(out)
}

fn two_pools(part: usize) -> [InflatePool; 2] {
    let one = pool(part);
    let other = InflatePool::sharing(one.budget());
    [one, other]
}

#[test]
fn pauses_change_nothing() {
    fn role<S: Role>() {
        for (name, payload, expected) in corpus() {
            let expected = expected.ok_or(ProtocolError::CorruptDeflate);
            for params in [TAKEOVER, NO_TAKEOVER] {
                for part in [1, 2, 5, 1 << 16] {
                    for size in [1, 3, 1 << 16] {
                        let mut pools = two_pools(part);
                        let got = inflate_with_pauses::<S>(&params, &mut pools, Kind::Binary, &payload, size);
                        assert_eq!(got, expected, "{name}: {payload:x?} in {size}, {part}");
                        assert!(pools[0].decompressors() <= 2, "all came back");
                    }
                }
            }
        }
    }
    role::<Server>();
    role::<Client>();
}

/// Texts with characters across pauses, and every error that a text can have.
#[test]
fn pauses_do_not_change_errors() {
    let text = "ä€😀 and so on, ".repeat(20);
    let wrong = [text.as_bytes(), b"\xf0\x9f", text.as_bytes()].concat();
    for (message, limit) in [(text.as_bytes(), 1 << 20), (text.as_bytes(), 200), (&wrong, 1 << 20)]
        .into_iter()
        .chain((1..4).map(|cut| (&text.as_bytes()[..text.len() - 11 - cut], 1 << 20)))
    {
        let payload = compress(message);
        for part in [1, 2, 3, 64] {
            let config = InflateConfig { part, message: limit, ..InflateConfig::default() };
            let mut pool = InflatePool::new(config);
            let expected = inflate::<Server>(&TAKEOVER, &mut pool, Kind::Text, &payload, &[]);
            for size in [1, 2, 1 << 16] {
                let mut pools = [InflatePool::new(config), InflatePool::new(config)];
                let got = inflate_with_pauses::<Server>(&TAKEOVER, &mut pools, Kind::Text, &payload, size);
                assert_eq!(got, expected, "{part} {size}");
            }
        }
    }
}

/// What is not compressed, or has no bytes, or is over, can be paused as well.
#[test]
fn other_parts_can_be_paused() {
    let mut pool = pool(2);
    let mut inflater = Inflater::<Server>::new(&TAKEOVER, &pool).unwrap();
    let mut ready = inflater.ready(&mut pool).unwrap();
    let mut plain = *b"plain";
    let part = ready.feed(Part::new(Kind::Text, Rsv::NONE, &mut plain, true)).pause().unwrap();
    assert_eq!((part.bytes(), part.rsv, part.last), (&b"plain"[..], Rsv::NONE, true));
    let mut parts = ready.feed(part);
    assert!(parts.next_part().unwrap().is_some() && parts.pause().is_none());

    let empty = ready.feed(Part::new(Kind::Binary, Rsv::RSV1, &mut [], true)).pause().unwrap();
    let mut parts = ready.feed(empty);
    assert_eq!(parts.next_part().unwrap(), Some(Part::new(Kind::Binary, Rsv::NONE, &mut [], true)));
    assert!(parts.pause().is_none());

    let mut corrupt = *b"\x07";
    let mut parts = ready.feed(Part::new(Kind::Binary, Rsv::RSV1, &mut corrupt, true));
    assert!(parts.next_part().is_err() && parts.pause().is_none());
}

/// A host that feeds another part in place of the rest gets an error once all of the payload has been taken in.
#[test]
fn a_rest_cannot_be_replaced_by_another_part() {
    let mut pool = pool(1);
    let mut inflater = Inflater::<Server>::new(&TAKEOVER, &pool).unwrap();
    let mut ready = inflater.ready(&mut pool).unwrap();
    // A stored block whose last four bytes are those that the sender leaves out.
    let mut payload = b"\x00\x05\x00\xfa\xff\x48".to_vec();
    let mut rest = Some(Part::new(Kind::Binary, Rsv::RSV1, &mut payload, true));
    for _ in 0..3 {
        let mut parts = ready.feed(rest.unwrap());
        parts.next_part().unwrap().unwrap();
        rest = parts.pause();
    }
    assert_eq!(rest.map(|rest| rest.bytes().len()), Some(0));
    let mut other = *b"\xf2\x48";
    let mut parts = ready.feed(Part::new(Kind::Binary, Rsv::RSV1, &mut other, true));
    assert_eq!(parts.next_part(), Err(ProtocolError::CorruptDeflate));
}

/// A message that has ended counts among those that are being inflated as long as its place is held.
#[test]
fn a_place_is_held_after_the_message() {
    let mut pool = InflatePool::new(InflateConfig { messages: 1, ..InflateConfig::default() });
    let [mut one, mut two] = [(); 2].map(|()| Inflater::<Server>::new(&TAKEOVER, &pool).unwrap());
    let mut ready = one.ready(&mut pool).unwrap();
    assert_eq!(ready.inflate_text(&compress(b"Hello")).unwrap(), "Hello");
    let place = ready.hold().unwrap();
    assert!(!pool.has_decompressor() && two.ready(&mut pool).is_none() && one.ready(&mut pool).is_none());
    drop(place);
    assert!(pool.has_decompressor());
    // Ahead of a message; and not inside one.
    let place = two.ready(&mut pool).unwrap().hold().unwrap();
    assert!(one.ready(&mut pool).is_none());
    drop(place);
    let mut ready = two.ready(&mut pool).unwrap();
    let mut start = *b"\xf2";
    assert_eq!(ready.feed(Part::new(Kind::Text, Rsv::RSV1, &mut start, false)).next_part(), Ok(None));
    assert!(ready.hold().is_none());
}

/// Begins a message, with the key of `sent`.
fn begin<R: Role>(link: &mut Sender<R>, kind: Kind, payload: &[u8]) -> Deflating {
    let key = R::key(|| Key::new(key(payload.len())));
    link.deflater.begin(&mut link.conn, kind, payload.to_vec(), key).unwrap()
}

struct Sender<R: Role> {
    conn: Connection<R>,
    deflater: Deflater<R>,
}

impl<R: Role> Sender<R> {
    fn new(params: &DeflateParams) -> Self {
        Self { conn: Connection::new().with_extension_bits(Rsv::RSV1), deflater: Deflater::new(params) }
    }

    fn in_steps(&mut self, pools: &mut [DeflatePool], kind: Kind, payload: &[u8], most: usize) -> Deflated {
        let mut message = begin(self, kind, payload);
        for turn in 0.. {
            let left = message.remaining();
            let pool = turn % pools.len();
            match message.step(&mut self.deflater, &mut pools[pool], most) {
                ControlFlow::Continue(more) => {
                    assert_eq!(more.remaining(), left - most.max(1));
                    message = more;
                }
                ControlFlow::Break(frame) => return frame,
            }
        }
        unreachable!()
    }
}

fn bytes(frame: Deflated) -> Vec<u8> {
    let apart = [frame.header(), frame.payload()].concat();
    let mut wire = b"before".to_vec();
    frame.append_to(&mut wire);
    assert_eq!(wire.split_off(6), apart);
    apart
}

/// Each of three messages is inflated to what was sent, by two other implementations, and refers no further back than agreed.
#[test]
fn every_step_size_gives_the_same_message() {
    let all = prose(4000, 3);
    let payloads = [&all[..700], &all[100..800], &[&noise(100, 1), &all[600..900]].concat()];
    for params in [TAKEOVER, NO_TAKEOVER, DeflateParams { server_max_window_bits: 9, ..TAKEOVER }] {
        let step = if cfg!(framewire_emulated) { 17 } else { 1 };
        for most in (0..=701).step_by(step).chain([1 << 20]) {
            let mut pools = [DeflatePool::default(), DeflatePool::default()];
            let pools = if most % 2 == 0 { &mut pools[..1] } else { &mut pools[..] };
            let mut sender = Sender::<Server>::new(&params);
            let (mut other, mut window) = (Decompressor::default(), Vec::new());
            for payload in payloads {
                let frame = sender.in_steps(pools, Kind::Binary, payload, most);
                if most <= 8 {
                    assert!(frame.payload() == payload && frame.header()[0] == BINARY, "no step is worth it");
                    continue;
                }
                let compressed = frame.header()[0] == BINARY1;
                assert!(compressed || most < 60, "{most}");
                if !compressed {
                    assert_eq!(frame.payload(), payload);
                    continue;
                }
                assert_eq!(other.read(frame.payload()), Verdict::Whole(payload.to_vec()), "{most}");
                let reach = 1 << params.server_max_window_bits;
                let reader = Reader { window: &window, reach, ..Reader::ALONE };
                assert!(reader.whole(frame.payload()) == (payload.to_vec(), End::Whole), "{most}");
                if params == NO_TAKEOVER {
                    other = Decompressor::default();
                } else {
                    window.extend_from_slice(payload);
                }
            }
        }
    }
}

/// Messages in steps, and others, of several connections that share one compressor. Long ones refer to bytes before and inside
/// themselves, also if steps cannot be compressed. If the processor is emulated, with fewer lengths of a step.
#[test]
fn messages_in_steps_and_others() {
    fn role<S: Role, P: Role>() {
        let lengths: &[usize] =
            if cfg!(framewire_emulated) { &[4096, 1 << 20] } else { &[100, 4096, 40_000, 1 << 20] };
        let config = DeflateConfig { compressors: 1, ..DeflateConfig::default() };
        let long = [prose(70_000, 1), noise(50_000, 2), vec![0; 90_000], prose(70_000, 1)].concat();
        for params in [TAKEOVER, NO_TAKEOVER, DeflateParams { server_max_window_bits: 10, ..TAKEOVER }] {
            for &most in lengths {
                let mut pools = pools(config);
                let mut links = [(); 2].map(|()| Link::<S, P>::new(&params, &pools.inflate));
                for (payload, rest) in [(&long[..100], 50), (&long, 900), (&noise(5000, 3), 100), (&long, 10)]
                {
                    for link in &mut links {
                        let key = S::key(|| Key::new(key(payload.len())));
                        let begun = link.deflater.begin(&mut link.conn, Kind::Binary, payload.to_vec(), key);
                        let mut message = begun.unwrap();
                        let frame = loop {
                            match message.step(&mut link.deflater, &mut pools.deflate, most) {
                                ControlFlow::Continue(more) => message = more,
                                ControlFlow::Break(frame) => break frame,
                            }
                        };
                        let wire = bytes(frame);
                        assert!(wire.len() <= payload.len() + 14);
                        link.arrive(&mut pools, &wire, Kind::Binary, payload);
                    }
                    for link in &mut links {
                        link.pass(&mut pools, Kind::Text, &prose(64 + rest, 5));
                    }
                }
            }
        }
    }
    role::<Server, Client>();
    role::<Client, Server>();
}

/// If a connection takes its context over, steps cost few bytes.
#[test]
fn steps_refer_to_the_bytes_before() {
    let payload = prose(20_000, 4).repeat(2);
    let mut at_once = Sender::<Server>::new(&TAKEOVER);
    let whole = at_once.in_steps(&mut [DeflatePool::default()], Kind::Text, &payload, usize::MAX);
    let mut pools = [DeflatePool::default(), DeflatePool::default()];
    for count in [1, 2] {
        let steps =
            Sender::<Server>::new(&TAKEOVER).in_steps(&mut pools[..count], Kind::Text, &payload, 4096);
        assert!(steps.payload().len() < whole.payload().len() + 10 * 100, "{}", steps.payload().len());
    }
}

/// While a message has the window, others are sent uncompressed: the two ends agree about the window whatever is sent.
#[test]
fn other_messages_between_two_steps() {
    let Pools { mut inflate, mut deflate } = Pools::default();
    let mut link = Link::<Server, Client>::new(&TAKEOVER, &inflate);
    let text = prose(3000, 1);
    let begin = |link: &mut Link<Server, Client>| {
        link.deflater.begin(&mut link.conn, Kind::Text, text.clone(), Unmasked).unwrap()
    };
    let first = begin(&mut link);
    let ControlFlow::Continue(first) = first.step(&mut link.deflater, &mut deflate, 1000) else { panic!() };
    let second = begin(&mut link);
    let ControlFlow::Break(second) = second.step(&mut link.deflater, &mut deflate, 1000) else { panic!() };
    assert_eq!(second.header()[0], TEXT);
    let third = link.send(&mut deflate, Kind::Text, &text);
    let fourth = PreparedMessage::new(Kind::Text, &text, [&TAKEOVER], &mut deflate);
    let fourth = fourth.send(&mut link.conn, &mut link.deflater).unwrap();
    assert_eq!((third[0], fourth[0]), (TEXT, TEXT));
    let ControlFlow::Break(first) = first.step(&mut link.deflater, &mut deflate, 5000) else { panic!() };
    assert_eq!(first.header()[0], TEXT1);
    let fifth = link.send(&mut deflate, Kind::Text, &text);
    assert!(fifth[0] == TEXT1 && fifth.len() < 300, "by reference to the first");
    let wire = [bytes(first), bytes(second), third, fourth.to_vec(), fifth].concat();
    link.host.read(&mut inflate, &wire).unwrap();
    assert_eq!(link.host.messages, vec![(Kind::Text, text.clone()); 5]);

    // Given up in between: never compressed again, but right.
    let lost = begin(&mut link);
    drop(lost.step(&mut link.deflater, &mut deflate, 1000));
    let mut pools = Pools { inflate, deflate };
    link.host.messages.clear();
    assert!(!link.pass(&mut pools, Kind::Text, &text));
    assert_eq!(pools.deflate.windows(), 0, "its window is free");
}

/// A message that is begun precedes, on the wire, all that are made later, whenever its steps are. Whatever the order of steps and
/// other messages, the two ends agree about the window.
#[test]
fn any_order_of_steps_and_other_messages() {
    let text = prose(6000, 1);
    let runs = if cfg!(framewire_emulated) { 20 } else { 2000 };
    let mut compressed = 0;
    for seed in 0..runs {
        let mut random = random(seed);
        let mut below = |bound: u64| (random() % bound) as usize;
        let Pools { mut inflate, mut deflate } = Pools::default();
        let mut link = Link::<Server, Client>::new(&TAKEOVER, &inflate);
        // What goes on the wire, in its order, and the messages that are not made yet, by their place in it.
        let (mut wire, mut begun, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..20 {
            let payload = &text[below(1000)..][..1000 + below(4000)];
            let Link { conn, deflater, .. } = &mut link;
            match below(10) {
                0..4 => {
                    let message = deflater.begin(conn, Kind::Binary, payload.to_vec(), Unmasked).unwrap();
                    begun.push((wire.len(), message));
                    wire.push(vec![]);
                    sent.push((Kind::Binary, payload.to_vec()));
                }
                4 => {
                    wire.push(
                        framewire_testing::deflate::deflate(
                            deflater,
                            conn,
                            &mut deflate,
                            Kind::Binary,
                            payload,
                        )
                        .unwrap(),
                    );
                    sent.push((Kind::Binary, payload.to_vec()));
                }
                5 => {
                    let message = PreparedMessage::new(Kind::Binary, payload, [&TAKEOVER], &mut deflate);
                    wire.push(message.send(conn, deflater).unwrap().to_vec());
                    sent.push((Kind::Binary, payload.to_vec()));
                }
                6 => deflater.release(),
                _ if begun.is_empty() => {}
                _ => {
                    let first = below(2) == 0;
                    let (at, message) = begun.remove(if first { 0 } else { below(begun.len() as u64) });
                    match message.step(deflater, &mut deflate, 2000) {
                        ControlFlow::Continue(message) => begun.insert(0, (at, message)),
                        ControlFlow::Break(frame) => wire[at] = bytes(frame),
                    }
                }
            }
        }
        for (at, mut message) in begun {
            wire[at] = loop {
                match message.step(&mut link.deflater, &mut deflate, 2000) {
                    ControlFlow::Continue(more) => message = more,
                    ControlFlow::Break(frame) => break bytes(frame),
                }
            };
        }
        compressed += wire.iter().filter(|frame| frame[0] == BINARY1).count();
        link.host.read(&mut inflate, &wire.concat()).unwrap();
        assert_eq!(link.host.messages, sent, "seed {seed}");
    }
    assert!(compressed > 3 * runs as usize, "{compressed}");
}

#[test]
fn a_message_in_steps_must_be_allowed() {
    let mut conn = Connection::<Server>::new();
    let mut deflater = Deflater::<Server>::new(&TAKEOVER);
    let mut begin = |conn: &mut Connection<Server>| deflater.begin(conn, Kind::Text, vec![], Unmasked).err();
    assert_eq!(begin(&mut conn), Some(SendError::ReservedBit));
    let mut conn = conn.with_extension_bits(Rsv::RSV1);
    assert_eq!(begin(&mut conn), None);
    let _ = conn.fragment_header(Kind::Text, Rsv::NONE, 1, false, Unmasked).unwrap();
    assert_eq!(begin(&mut conn), Some(SendError::MessageOpen));
    let _ = conn.close(framewire::CloseCode::NORMAL, "", Unmasked).unwrap();
    assert_eq!(begin(&mut conn), Some(SendError::Closed));
}

/// A close may be made, and queued, before the message is compressed.
#[test]
fn a_close_follows_a_message_in_steps() {
    for len in [100, 60_000] {
        let payload = prose(len, 1);
        let mut sender = Sender::<Server>::new(&TAKEOVER);
        let message = begin(&mut sender, Kind::Binary, &payload);
        let close = sender.conn.close(framewire::CloseCode::NORMAL, "", Unmasked).unwrap();
        let ControlFlow::Break(frame) = message.step(&mut sender.deflater, &mut DeflatePool::default(), len)
        else {
            panic!("one step")
        };
        let expected = [frame.header(), frame.payload(), &*close].concat();

        let (mut memory, mut written) = (Memory::default(), Vec::new());
        let mut outbox = Outbox::new(&mut memory);
        let mut queue = SendQueue::default();
        queue.push_deflated(copy(&payload));
        queue.push_control(close.clone());
        outbox.push_deflated(frame);
        outbox.push(&close);
        assert!(matches!(outbox.write(&mut written, None, drop), Ok(Written::All)));
        assert_eq!(written, expected);
        assert_eq!(queue.copy_to_bytes(queue.remaining()), expected);
    }
}

fn copy(payload: &[u8]) -> Deflated {
    Sender::<Server>::new(&TAKEOVER).in_steps(
        &mut [DeflatePool::default()],
        Kind::Binary,
        payload,
        usize::MAX,
    )
}

/// Compressed bytes of another implementation, which a peer sends, go through pauses and back in steps.
#[test]
fn there_and_back() {
    let payload = [prose(30_000, 1), noise(9000, 2), vec![7; 50_000]].concat();
    let wire = Compressor::default().compress(&payload);
    let mut pools = two_pools(1000);
    let got = inflate_with_pauses::<Server>(&TAKEOVER, &mut pools, Kind::Binary, &wire, 500).unwrap();
    assert!(got == payload);
    let frame =
        Sender::<Server>::new(&TAKEOVER).in_steps(&mut [DeflatePool::default()], Kind::Binary, &got, 999);
    assert_eq!(Decompressor::default().read(frame.payload()), Verdict::Whole(payload));
}
