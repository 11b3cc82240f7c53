//! No message holds up the others: what compression does in one turn, and what becomes of a message that is inflated, or whose
//! reply is compressed, over many turns.

use super::*;
use crate::budget;
use framewire::{
    Assembler, Client, CloseCode, Connection, Event, Rsv,
    deflate::{DeflatePool, Deflater, InflateConfig, InflatePool, Inflater},
    extension::{DeflateParams, DeflatePolicy},
    mask::Key,
};
use framewire_testing::wire::{PING, RSV1, TEXT};

const MIB: usize = 1 << 20;

/// Enough for eight decompressors.
const EIGHT: usize = 8 * 4 * ((48 << 10) + (32 << 10));

/// Everything that may be done in one turn of the loop.
const MOST: usize = budget::EVENTS + budget::WORKING + budget::HEAVY + 3 * budget::STEP;

/// A compressed message of its own, in one frame.
fn compressed(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut connection = Connection::<Client>::new().with_extension_bits(Rsv::RSV1);
    let mut deflater = Deflater::<Client>::new(&DeflateParams::default());
    let (key, mut pool) = (Key::new([1, 2, 3, 4]), DeflatePool::default());
    let sent = deflater.message(&mut connection, kind, payload, &mut pool, key).unwrap();
    assert!(!sent.is_unchanged());
    let mut frame = Vec::new();
    sent.append_to(&mut frame);
    assert_ne!(frame[0] & RSV1, 0);
    frame
}

fn bomb(len: usize) -> Vec<u8> {
    compressed(Kind::Binary, &vec![0; len])
}

/// The payload repeats what is further away than most windows reach.
fn far(len: usize) -> Vec<u8> {
    let mut payload = noise(20_000, 1).repeat(len / 20_000 + 1);
    payload.truncate(len);
    payload
}

/// A peer's end: what it has received.
struct Receiver {
    connection: Connection<Client>,
    inflater: Inflater<Client>,
    pool: InflatePool,
    assembler: Assembler,
}

#[derive(Debug, PartialEq, Eq)]
enum Received {
    Message(Kind, Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseCode),
}

impl Receiver {
    fn new() -> Self {
        let pool = InflatePool::new(InflateConfig { message: u64::MAX, ..InflateConfig::default() });
        Self {
            connection: Connection::new().with_limits(framewire::Limits::NONE).with_extension_bits(Rsv::RSV1),
            inflater: Inflater::new(&DeflateParams::default(), &pool).unwrap(),
            pool,
            assembler: Assembler::new(u64::MAX),
        }
    }

    fn receive(&mut self, mut bytes: Vec<u8>) -> Vec<Received> {
        let mut all = Vec::new();
        let mut ready = self.inflater.ready(&mut self.pool).unwrap();
        let mut input = &mut bytes[..];
        while let Some(event) = self.connection.receive(&mut input).unwrap() {
            match event {
                Event::Text(text) => all.push(Received::Message(Kind::Text, text.into())),
                Event::Binary(bytes) => all.push(Received::Message(Kind::Binary, bytes.to_vec())),
                Event::Pong(payload) => all.push(Received::Pong(payload.to_vec())),
                Event::Close(close) => all.push(Received::Close(close.as_close().code)),
                Event::Ping(_) => panic!("a ping"),
                Event::Part(part) => {
                    let mut parts = ready.feed(part);
                    while let Some(part) = parts.next_part().unwrap() {
                        if let Some(message) = self.assembler.push(part).unwrap() {
                            all.push(Received::Message(message.kind, message.into_vec()));
                        }
                    }
                }
            }
        }
        all
    }
}

impl<H: Handler> Peers<H> {
    fn budget(&mut self) -> &mut budget::Budget {
        &mut self.sessions.shared.compression.as_mut().unwrap().budget
    }

    /// Runs a turn of the loop with an event for each of these. Returns what compression spent in it.
    fn turn(&mut self, keys: impl IntoIterator<Item = usize>) -> usize {
        let before = self.budget().spent;
        keys.into_iter().for_each(|key| self.sessions.ready(key, READ));
        self.sessions.end_turn();
        self.budget().spent - before
    }

    /// Runs turns until this peer has got something. Returns how many.
    fn turns_until_answered(&mut self, key: usize, most: usize) -> usize {
        for turn in 1..=most {
            self.turn(if turn == 1 { Some(key) } else { None });
            if !self.wires[key].0.borrow().outgoing.is_empty() {
                return turn;
            }
        }
        panic!("no answer after {most} turns");
    }

    /// How many sessions hold a message that is being inflated, or a reply that is being compressed.
    fn in_progress(&self) -> usize {
        self.sessions.plain().filter(|session| session.has_message_in_progress()).count()
    }

    /// Nothing of compression is in use.
    fn assert_free(&self, messages: usize) {
        let pools = self.sessions.shared.compression.as_ref().unwrap();
        assert!(!pools.has_turns() && pools.line.is_empty());
        assert_eq!(self.in_progress(), 0);
        let mut held = Vec::new();
        let mut inflate = InflatePool::sharing(pools.inflate.budget());
        let mut inflaters: Vec<_> = (0..messages)
            .map(|_| {
                let alone = DeflateParams { client_no_context_takeover: true, ..DeflateParams::default() };
                Inflater::<framewire::Server>::new(&alone, &inflate).unwrap()
            })
            .collect();
        for inflater in &mut inflaters {
            held.push(inflater.ready(&mut inflate).expect("it is free").hold().unwrap());
        }
    }
}

/// A peer that goes on sending after the server's close is dropped in time, however much work it makes.
#[test]
fn a_closing_peer_that_sends_on_is_dropped() {
    let mut peers = Peers::with_memory(Config::default(), EIGHT, false, 1);
    peers.sessions.go_away();
    let bomb = bomb(MIB);
    for now in 1..=8 {
        peers.arrives(0, &bomb);
        peers.sessions.ready(0, READ);
        peers.sweep_at(now);
        peers.sessions.end_turn();
    }
    assert!(peers.sessions.is_empty());
}

/// What TLS has decrypted counts, also if it came to few bytes.
#[test]
fn encrypted_bytes_count() {
    let mut peers = Peers::new(1);
    let spent = |peers: &Peers| peers.sessions.shared.compression.as_ref().unwrap().budget.spent;
    let before = spent(&peers);
    peers.wires[0].0.borrow_mut().encrypted = 100_000;
    peers.arrives(0, &framewire_testing::wire::frame(PING, Some(KEY), b""));
    peers.sessions.ready(0, READ);
    assert!(spent(&peers) - before >= 100_000);
}

#[test]
fn no_turn_exceeds_the_budget() {
    const COUNT: usize = 6;
    let payloads = [vec![0; 5 * MIB], far(3 * MIB)];
    let wires = payloads.each_ref().map(|payload| compressed(Kind::Binary, payload));
    let mut peers = Peers::with_memory(Config::default(), EIGHT, false, COUNT);
    (0..COUNT).for_each(|key| peers.arrives(key, &wires[key % 2]));
    let (mut turns, mut spent) = (0, 0);
    while peers.log.borrow().len() < COUNT || peers.in_progress() > 0 {
        let now = peers.turn(0..COUNT);
        assert!(now <= MOST, "{now} bytes in one turn");
        assert!(turns > 3 || peers.log.borrow().is_empty(), "a message cannot be whole yet");
        (turns, spent) = (turns + 1, spent + now);
    }
    // All of it was counted: each byte is inflated, and compressed.
    let work = 2 * COUNT / 2 * (payloads[0].len() + payloads[1].len());
    assert!(spent >= work && spent < work + work / 10, "{spent} of {work}");
    for key in 0..COUNT {
        let echo = Receiver::new().receive(peers.sent(key));
        assert!(echo == [Received::Message(Kind::Binary, payloads[key % 2].clone())]);
    }
    peers.settle();
    peers.assert_free(8);
}

/// Streams that inflate to nothing, and fragments of a byte, are work as well.
#[test]
fn work_without_output_is_limited() {
    let stored = [0, 0, 0, 0xFF, 0xFF].repeat(200_000);
    let first = wire::frame(BINARY & 0x7F | RSV1, Some(KEY), &stored);
    let tiny: Vec<_> = (0..100_000).flat_map(|i| wire::frame(0, Some(KEY), &stored[i % 5..][..1])).collect();
    let last = wire::frame(0x80, Some(KEY), b"\0");
    let config = Config { receive_buffer: 256 << 10, ..Config::default() };
    let mut peers = Peers::with_memory(config, EIGHT, false, 1);
    peers.sessions.buffers.rx = vec![0; 256 << 10];
    peers.arrives(0, &[first, tiny, last].concat());
    peers.sessions.ready(0, READ);
    let mut turns = 0;
    while peers.log.borrow().is_empty() {
        assert!(peers.turn(None) <= MOST + (256 << 10));
        turns += 1;
    }
    assert!(turns > 10, "{turns}");
    peers.settle();
    assert_eq!(Receiver::new().receive(peers.sent(0)), [Received::Message(Kind::Binary, vec![])]);
}

/// While peers send bombs, an honest peer gets its echo soon, also of a message that takes several turns.
#[test]
fn bombs_do_not_hold_up_others() {
    const BOMBERS: usize = 7;
    let mut peers = Peers::with_memory(Config::default(), EIGHT, false, BOMBERS + 1);
    let bomb = bomb(16 * MIB);
    let short = prose(3000);
    let long = prose(300_000);
    (0..BOMBERS).for_each(|key| peers.arrives(key, &bomb));
    // All begin at once: each of the others has one turn before the honest peer's.
    peers.arrives(BOMBERS, &compressed(Kind::Text, &short));
    (0..BOMBERS).for_each(|key| peers.sessions.ready(key, READ));
    let turns = peers.turns_until_answered(BOMBERS, BOMBERS + 1);
    assert!(turns <= BOMBERS, "{turns}");
    let mut honest = Receiver::new();
    assert!(honest.receive(peers.sent(BOMBERS)) == [Received::Message(Kind::Text, short.clone())]);
    // Each bomb has gone on for a while. From then on, few of them do in a turn.
    (0..8 * BOMBERS * 2).for_each(|_| assert!(peers.turn(0..BOMBERS) <= MOST));
    for round in 0..60 {
        for key in 0..BOMBERS {
            if peers.wires[key].0.borrow().incoming.is_empty() {
                peers.arrives(key, &bomb);
                peers.turn(Some(key));
            }
        }
        let (payload, most) = if round % 2 == 0 { (&short, 2) } else { (&long, 3 * 9) };
        peers.arrives(BOMBERS, &compressed(Kind::Text, payload));
        peers.turns_until_answered(BOMBERS, most);
        let echo = honest.receive(peers.sent(BOMBERS));
        assert!(echo == [Received::Message(Kind::Text, payload.clone())], "{}", echo.len());
    }
    assert!(peers.log.borrow().iter().filter(|&&len| len == 16 * MIB).count() > 0, "bombs go on");
}

/// Large messages are worked on one after the other, from a certain cost on: so few of them are in memory as a whole.
#[test]
fn large_messages_take_turns_as_a_whole() {
    let mut peers = Peers::with_memory(Config::default(), EIGHT, false, 2);
    (0..2).for_each(|key| peers.arrives(key, &bomb(8 * MIB)));
    peers.turn(0..2);
    let answered = |peers: &Peers, key: usize| !peers.wires[key].0.borrow().outgoing.is_empty();
    while !answered(&peers, 0) {
        peers.turn(0..2);
    }
    let mut turns = 0;
    while !answered(&peers, 1) {
        peers.turn(0..2);
        turns += 1;
    }
    assert!(turns > 20, "{turns}");
}

/// More events give a session no more turns.
#[test]
fn events_do_not_matter_to_a_session_that_waits() {
    for of_reply in [false, true] {
        let mut peers = in_the_middle(of_reply, 1);
        let before = peers.budget().spent;
        (0..10).for_each(|_| peers.sessions.ready(0, READ));
        assert_eq!(peers.budget().spent, before);
    }
}

/// A peer that sends pings inside a large message is not read on and on in one turn.
#[test]
fn pings_inside_a_large_message_are_limited() {
    let mut peers = Peers::with_memory(Config::default(), EIGHT, false, 1);
    let bomb = bomb(4 * MIB);
    let payload: Vec<_> = bomb[8..].iter().enumerate().map(|(i, byte)| byte ^ [1, 2, 3, 4][i % 4]).collect();
    peers.arrives(0, &wire::frame(BINARY & 0x7F | RSV1, Some(KEY), &payload[..payload.len() / 2]));
    peers.turn(Some(0));
    peers.settle();
    peers.arrives(0, &wire::frame(PING, Some(KEY), b"").repeat(1_000_000));
    let left = |peers: &Peers| peers.wires[0].0.borrow().incoming.len();
    for turn in 0..5 {
        let before = left(&peers);
        peers.turn(if turn == 0 { Some(0) } else { None });
        assert!((1..=MOST).contains(&(before - left(&peers))));
    }
}

/// Text that compresses to a quarter or so.
fn prose(len: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0.. {
        if text.len() >= len {
            break;
        }
        text.extend_from_slice(format!("word {} and {}; ", i * 7919 % 1009, i % 13).as_bytes());
    }
    text.truncate(len);
    text
}

/// Everything that a peer can send, with turns of every size: the echoes are those of whole messages, in the order in which the
/// messages were sent, with pongs and the close between them as they were.
#[test]
fn pauses_change_nothing() {
    for (memory, most) in [
        (1, 1),
        (EIGHT, 1),
        (1, 2),
        (1, 130),
        (EIGHT, 130),
        (1, 5000),
        (1, 17_000),
        (EIGHT, 60_000),
        (1, 1 << 20),
    ] {
        let unit = if most < 1000 { 600 } else { 40_000 };
        let texts = [prose(unit), prose(64), prose(3 * unit)];
        let dense = noise(unit.min(20_000), 9).repeat(4);
        let alone = |payload: &[u8]| compressed(Kind::Text, payload);
        let cut = alone(&texts[2]);
        let cut = &cut[if cut[1] & 0x7F == 126 { 8 } else { 14 }..];
        let cut: Vec<_> = cut.iter().enumerate().map(|(i, byte)| byte ^ [1, 2, 3, 4][i % 4]).collect();
        let (head, tail) = cut.split_at(cut.len() / 3);
        let wire = [
            alone(&texts[0]),
            wire::frame(PING, Some(KEY), b"one"),
            alone(&texts[1]),
            wire::frame(TEXT, Some(KEY), &texts[2]),
            wire::frame(TEXT & 0x7F | RSV1, Some(KEY), head),
            wire::frame(PING, Some(KEY), b"two"),
            wire::frame(0, Some(KEY), b""),
            wire::frame(0x80, Some(KEY), tail),
            wire::frame(BINARY, Some(KEY), &noise(20_000, 3)),
            wire::frame(BINARY | RSV1, Some(KEY), b""),
            alone(&texts[2]),
            compressed(Kind::Binary, &dense),
            wire::frame(PING, Some(KEY), b"three"),
            wire::frame(CLOSE, Some(KEY), &wire::closing(1000, "")),
        ];
        let text = |i: usize| Received::Message(Kind::Text, texts[i].clone());
        let binary = |bytes: Vec<u8>| Received::Message(Kind::Binary, bytes);
        let expected = [
            text(0),
            Received::Pong(b"one".into()),
            text(1),
            text(2),
            Received::Pong(b"two".into()),
            text(2),
            binary(noise(20_000, 3)),
            binary(vec![]),
            text(2),
            binary(dense.clone()),
            Received::Pong(b"three".into()),
            Received::Close(CloseCode::NORMAL),
        ];
        let mut peers = Peers::with_memory(Config::default(), memory, false, 1);
        peers.budget().most = most;
        let mut receiver = Receiver::new();
        let mut got = Vec::new();
        for wire in wire.concat().chunks(10_000) {
            peers.arrives(0, wire);
            peers.sessions.ready(0, READ);
            for _ in 0..100_000 {
                if !peers.sessions.has_more() {
                    break;
                }
                peers.sessions.end_turn();
            }
            assert!(!peers.sessions.has_more(), "{most}");
            got.extend(receiver.receive(peers.sent(0)));
        }
        assert!(got == expected, "{memory} {most}: {} of {}", got.len(), expected.len());
        assert!(peers.wires[0].0.borrow().shut);
        peers.assert_free(1);
    }
}

/// Bombs wait for each other as long as a message is inflated or its echo compressed. So their memory is limited.
#[test]
fn the_number_of_messages_in_progress_is_limited() {
    for (memory, most) in [(1, 1), (3 * EIGHT / 8, 3)] {
        let mut peers = Peers::with_memory(Config::default(), memory, false, 10);
        (0..10).for_each(|key| peers.arrives(key, &bomb(2 * MIB)));
        let mut seen = 0;
        while peers.log.borrow().len() < 10 || peers.in_progress() > 0 {
            peers.turn(0..10);
            assert!(peers.in_progress() <= most);
            seen = seen.max(peers.in_progress());
        }
        assert_eq!(seen, most);
        peers.settle();
        for key in 0..10 {
            let echo = Receiver::new().receive(peers.sent(key));
            assert!(echo == [Received::Message(Kind::Binary, vec![0; 2 * MIB])]);
        }
        peers.assert_free(most);
    }
}

/// The echoes of bombs that a peer does not read stay within the high-water mark and two messages.
#[test]
fn a_peer_that_does_not_read_is_paused() {
    const LEN: usize = 400_000;
    let config = Config { high_water: 100_000, ..Config::default() };
    let mut peers = Peers::with_memory(config, EIGHT, false, 1);
    let payload = [far(LEN - 200_000), vec![0; 200_000]].concat();
    let frame = compressed(Kind::Binary, &payload);
    (0..10).for_each(|_| peers.arrives(0, &frame));
    peers.wires[0].0.borrow_mut().room = 0;
    peers.turn(Some(0));
    peers.settle();
    assert_eq!(peers.sessions.stats().paused.get(), 1);
    let handled = peers.log.borrow().len();
    assert!(handled < 10);
    let session = peers.sessions.plain().next().unwrap();
    assert!((100_000..100_000 + 2 * LEN).contains(&session.backlog()), "{}", session.backlog());

    let mut receiver = Receiver::new();
    let mut got = Vec::new();
    for _ in 0..1000 {
        peers.wires[0].0.borrow_mut().room = 7000;
        peers.sessions.ready(0, WRITE);
        peers.settle();
        got.extend(receiver.receive(peers.sent(0)));
    }
    assert_eq!(got.len(), 10);
    assert!(got.iter().all(|message| *message == Received::Message(Kind::Binary, payload.clone())));
    peers.assert_free(8);
}

/// Stops a peer's message in the middle: of inflating, or of compressing the reply.
fn in_the_middle(of_reply: bool, count: usize) -> Peers {
    let mut peers = Peers::new(count);
    peers.arrives(0, &bomb(2 * MIB));
    peers.turn(Some(0));
    while of_reply == peers.log.borrow().is_empty() {
        peers.turn(None);
    }
    assert_eq!(peers.in_progress(), 1);
    peers
}

#[test]
fn a_reset_in_the_middle_is_noticed() {
    for of_reply in [false, true] {
        let mut peers = in_the_middle(of_reply, 2);
        peers.arrives(1, &message(10));
        peers.sessions.ready(1, READ);
        assert_eq!(peers.waiting(), 1);
        peers.wires[0].0.borrow_mut().broken = true;
        peers.sessions.ready(0, HANG_UP);
        assert_eq!(peers.sessions.len(), 1);
        peers.settle();
        assert_eq!(peers.log.borrow().last(), Some(&10), "the decompressor is free");
        peers.assert_free(1);
    }
}

/// Even if the server is too busy to go on with a message, it keeps others waiting no longer than the timeout.
#[test]
fn a_timeout_in_the_middle() {
    for of_reply in [false, true] {
        let mut peers = in_the_middle(of_reply, 2);
        peers.arrives(1, &message(10));
        peers.sessions.ready(1, READ);
        peers.sweep_at(TIMEOUT);
        assert_eq!(peers.sent(0), b"");
        peers.sweep_at(TIMEOUT + 1);
        peers.settle();
        assert!(peers.sent(0).ends_with(TOO_LONG));
        assert_eq!(peers.log.borrow().last(), Some(&10));
        peers.assert_free(1);
    }
}

/// A peer whose message is in progress is not silent: it is not read.
#[test]
fn a_message_in_progress_is_no_silence() {
    for of_reply in [false, true] {
        let mut peers = in_the_middle(of_reply, 1);
        for now in 1..500 {
            peers.sweep_at(now);
        }
        assert_eq!(peers.sent(0), b"");
        peers.settle();
        let echo = Receiver::new().receive(peers.sent(0));
        assert!(echo == [Received::Message(Kind::Binary, vec![0; 2 * MIB])]);
    }
}

/// Nor is it silent if no sweep came while it was in progress.
#[test]
fn a_message_that_took_long_is_no_silence() {
    for of_reply in [false, true] {
        let mut peers = in_the_middle(of_reply, 1);
        peers.sessions.begin_turn(Duration::from_secs(500), true);
        peers.settle();
        peers.sweep_at(500);
        let echo = Receiver::new().receive(peers.sent(0));
        assert!(echo == [Received::Message(Kind::Binary, vec![0; 2 * MIB])]);
    }
}

/// The server stops while a reply is compressed: the reply comes first, and the peer's time to close begins after it.
#[test]
fn a_close_comes_after_the_reply() {
    let mut peers = in_the_middle(true, 1);
    peers.sessions.go_away();
    for now in 1..100 {
        peers.sweep_at(now);
    }
    assert_eq!((peers.sent(0), peers.sessions.len()), (vec![], 1));
    peers.settle();
    let echo = Receiver::new().receive(peers.sent(0));
    let message = Received::Message(Kind::Binary, vec![0; 2 * MIB]);
    assert!(echo == [message, Received::Close(CloseCode::GOING_AWAY)]);
    peers.assert_free(1);
    peers.arrives(0, &wire::frame(CLOSE, Some(KEY), &wire::closing(1001, "")));
    peers.sessions.ready(0, READ);
    assert!(peers.wires[0].0.borrow().shut);
}

/// The stream ends in the middle: what was received whole is still answered.
#[test]
fn an_end_in_the_middle() {
    for of_reply in [false, true] {
        let mut peers = in_the_middle(of_reply, 1);
        peers.sessions.ready(0, HANG_UP);
        peers.settle();
        let echo = Receiver::new().receive(peers.sent(0));
        assert!(echo == [Received::Message(Kind::Binary, vec![0; 2 * MIB])]);
    }
}

/// A peer's time to close begins when the close is sent, also if the server needs longer than that for the replies before it.
#[test]
fn a_late_close_gives_the_peer_its_time() {
    let mut peers = Peers::serving(Talkative, Config::default(), 1, false, 1);
    peers.arrives(0, &bomb(2 * MIB));
    peers.turn(Some(0));
    while peers.sessions.stats().messages.get() == 0 {
        peers.turn(None);
    }
    assert_eq!(peers.in_progress(), 1);
    peers.sessions.begin_turn(Duration::from_secs(100), true);
    peers.settle();
    peers.sweep_at(100);
    assert_eq!(peers.sessions.len(), 1);
    peers.sweep_at(200);
    assert_eq!(peers.sessions.len(), 0);
}

/// A session that ends with work left still reads its socket to the end, although no event comes.
#[test]
fn a_session_that_ends_in_the_middle_reads_on() {
    let mut peers = Peers::with_memory(Config::default(), 1, false, 1);
    peers.budget().most = 1000;
    peers.arrives(0, &[message(3000), wire::frame(0x83, Some(KEY), b"reserved"), noise(50_000, 1)].concat());
    peers.turn(Some(0));
    assert!(!peers.wires[0].0.borrow().shut);
    peers.settle();
    assert_eq!(*peers.log.borrow(), [3000]);
    assert!(peers.wires[0].0.borrow().shut && peers.wires[0].0.borrow().incoming.is_empty());
}

/// So does a session that is closed because others wait.
#[test]
fn a_session_that_is_closed_in_the_middle_reads_on() {
    let mut peers = in_the_middle(false, 2);
    for key in [1, 0] {
        peers.arrives(key, &message(50_000));
        peers.sessions.ready(key, READ);
    }
    peers.sweep_at(TIMEOUT + 1);
    peers.settle();
    assert!(peers.sent(0).ends_with(TOO_LONG));
    assert!(peers.wires[0].0.borrow().incoming.is_empty());
}

/// A reply is compressed although the peer is paused, also if the event came while the session had another turn to come.
#[test]
fn a_paused_reply_goes_on() {
    let config = Config { high_water: 20, ..Config::default() };
    // On a Unix socket, each session still has a turn after the handshake.
    let mut peers = Peers::serving(Talkative, config, 1, true, 1);
    peers.wires[0].0.borrow_mut().room = 0;
    peers.arrives(0, &bomb(60_000));
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!((peers.sessions.stats().paused.get(), peers.in_progress()), (1, 0));
}

/// Messages of a few bytes that refer to an earlier one, and whose echoes may not: their echoes stay within the high-water mark
/// and one message, although one read brings all of them.
#[test]
fn short_messages_with_long_echoes_are_paused() {
    const LEN: usize = 3000;
    let policy = DeflatePolicy { server_no_context_takeover: true, ..DeflatePolicy::default() };
    let config = Config { high_water: 5000, ..Config::default() };
    let mut peers = Peers::with_memory(config, EIGHT, false, 0);
    let config = Arc::make_mut(&mut peers.sessions.shared.config);
    config.compression.as_mut().unwrap().policy = policy;
    peers.connect(0, false);
    peers.wires[0].0.borrow_mut().room = 0;
    let mut connection = Connection::<Client>::new().with_extension_bits(Rsv::RSV1);
    let mut deflater = Deflater::<Client>::new(&DeflateParams::default());
    let mut pool = DeflatePool::default();
    let (payload, mut all) = ([noise(LEN - 100, 1), vec![0; 100]].concat(), Vec::new());
    for _ in 0..40 {
        let key = Key::new([0; 4]);
        let sent = deflater.message(&mut connection, Kind::Binary, &payload, &mut pool, key).unwrap();
        sent.append_to(&mut all);
    }
    assert!(all.len() < LEN + BUFFER, "{}", all.len());
    peers.arrives(0, &all);
    peers.turn(Some(0));
    peers.settle();
    let backlog = peers.sessions.plain().next().unwrap().backlog();
    assert!((5000..5000 + LEN + 10).contains(&backlog), "{backlog}");
    for _ in 0..200 {
        peers.wires[0].0.borrow_mut().room = 1000;
        peers.sessions.ready(0, WRITE);
        peers.settle();
    }
    let got = Receiver::new().receive(peers.sent(0));
    assert!(
        got.len() == 40 && got.iter().all(|each| *each == Received::Message(Kind::Binary, payload.clone()))
    );
}

/// Sends three replies to each message, and a close.
struct Talkative;

impl Handler for Talkative {
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        assert_eq!(reply.send(kind, payload.clone()), Ok(()));
        assert_eq!(reply.send(Kind::Text, Cow::Borrowed(b"in between")), Ok(()));
        assert_eq!(reply.send(kind, payload.clone()), Ok(()));
        assert_eq!(reply.close(CloseCode::NORMAL, ""), Ok(()));
        assert_eq!(reply.send(kind, payload), Err(framewire::SendError::Closed));
    }
}

#[test]
fn replies_stay_in_order() {
    for len in [1000, 100_000, MIB] {
        let mut peers = Peers::serving(Talkative, Config::default(), EIGHT, false, 1);
        peers.arrives(0, &bomb(len));
        peers.turn(Some(0));
        peers.settle();
        let message = || Received::Message(Kind::Binary, vec![0; len]);
        let between = Received::Message(Kind::Text, b"in between".into());
        let close = Received::Close(CloseCode::NORMAL);
        assert!(Receiver::new().receive(peers.sent(0)) == [message(), between, message(), close]);
        peers.assert_free(8);
    }
}
