//! A client and a server back to back, without sockets: scripts, and then random actions.

use crate::sending::message;
use framewire::{Client, CloseCode, Connection, Event, Kind, ProtocolError, Role, SendError, Server, State};
use framewire_testing::{host::*, wire::*};
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// One end, its host, and the bytes on their way to the other end.
struct Peer<S: Role> {
    conn: Connection<S>,
    out: Vec<u8>,
    /// The items that arrived, and those that were sent, as the other end should see them.
    seen: Vec<Item>,
    sent: Vec<Item>,
    joiner: Joiner,
    /// The payload so far of the message that is being sent.
    sending: Option<(Kind, Vec<u8>)>,
    error: Option<ProtocolError>,
    /// Whether the host replies at once.
    replies: bool,
}

impl<S: Role> Peer<S> {
    fn new() -> Self {
        Self {
            conn: Connection::new(),
            out: vec![],
            seen: vec![],
            sent: vec![],
            joiner: Joiner::default(),
            sending: None,
            error: None,
            replies: true,
        }
    }

    fn queue(&mut self, frame: &[u8], item: Option<Item>) {
        self.out.extend_from_slice(frame);
        self.sent.extend(item);
    }

    fn message(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), SendError> {
        let frame = message(&mut self.conn, kind, bytes)?;
        self.queue(&frame, Some(Item::Message(kind, framewire::Rsv::NONE, bytes.to_vec())));
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), SendError> {
        self.message(Kind::Text, text.as_bytes())
    }

    fn fragment(&mut self, kind: Kind, bytes: &[u8], last: bool) -> Result<(), SendError> {
        let frame = fragment(&mut self.conn, kind, bytes, last)?;
        self.sending.get_or_insert((kind, vec![])).1.extend_from_slice(bytes);
        let whole = if last { self.sending.take() } else { None };
        self.queue(&frame, whole.map(|(kind, bytes)| Item::Message(kind, framewire::Rsv::NONE, bytes)));
        Ok(())
    }

    fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let frame = self.conn.ping(payload, fixed::<S>())?;
        self.queue(&frame, Some(Item::Ping(payload.to_vec())));
        Ok(())
    }

    fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let frame = self.conn.pong(payload, fixed::<S>())?;
        self.queue(&frame, Some(Item::Pong(payload.to_vec())));
        Ok(())
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<(), SendError> {
        let frame = self.conn.close(CloseCode::new(code), reason, fixed::<S>())?;
        let payload = if code == 1005 { vec![] } else { closing(code, reason) };
        self.queue(&frame, Some(Item::Close(payload)));
        Ok(())
    }

    fn reply(&mut self, event: &Event<'_>) -> bool {
        let Some(frame) = self.conn.reply(event, fixed::<S>) else { return false };
        let item = match event {
            Event::Ping(payload) => Item::Pong(payload.to_vec()),
            Event::Close(payload) => Item::Close(payload.iter().copied().take(2).collect()),
            other => panic!("{other:?} needs no answer"),
        };
        self.queue(&frame, Some(item));
        true
    }

    /// A read: the host's loop.
    fn read(&mut self, mut bytes: Vec<u8>) {
        let mut input = &mut bytes[..];
        let result = loop {
            match self.conn.receive(&mut input) {
                Ok(Some(event)) => {
                    if self.replies {
                        self.reply(&event);
                    }
                    self.seen.extend(self.joiner.push(event));
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(input.is_empty());
        if let (Err(error), None) = (result, self.error) {
            self.error = Some(error);
            if let Some(frame) = self.conn.fail(error, fixed::<S>) {
                self.out.extend_from_slice(&frame);
            }
        }
    }

    fn is(&self, state: State, close_expected: bool) {
        assert_eq!((self.conn.state(), self.conn.close_expected()), (state, close_expected));
    }
}

/// Delivers the first `n` bytes that are on their way from one end to the other.
fn flow<A: Role, B: Role>(from: &mut Peer<A>, to: &mut Peer<B>, n: usize) {
    let n = n.min(from.out.len());
    to.read(from.out.drain(..n).collect());
}

fn flow_all<A: Role, B: Role>(from: &mut Peer<A>, to: &mut Peer<B>) {
    flow(from, to, usize::MAX);
}

/// Runs a script twice, with each role as the first end.
macro_rules! both_ways {
    ($(#[$doc:meta])* $name:ident: |$a:ident, $b:ident| $script:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            fn script<A: Role, B: Role>() {
                let mut $a = Peer::<A>::new();
                let mut $b = Peer::<B>::new();
                $script
                assert_eq!(($a.error, $b.error), (None, None));
            }
            script::<Server, Client>();
            script::<Client, Server>();
        }
    };
}

both_ways!(echo: |a, b| {
    for (i, len) in [0, 1, 125, 126, 65535, 65536, 100_000].into_iter().enumerate() {
        let (text, bytes) = ("é".repeat(len / 2), vec![i as u8; len]);
        a.text(&text).unwrap();
        a.message(Kind::Binary, &bytes).unwrap();
        flow_all(&mut a, &mut b);
        for item in b.seen.drain(..).collect::<Vec<_>>() {
            let Item::Message(kind, _, bytes) = item else { panic!("{item:?}") };
            b.message(kind, &bytes).unwrap();
        }
        flow_all(&mut b, &mut a);
        assert_eq!(core::mem::take(&mut a.seen), [framewire_testing::host::text(&text), binary(&bytes)]);
        a.is(State::Open, false);
        b.is(State::Open, false);
    }
});

both_ways!(
/// Fragments with pings between them, and frames that may not be sent between them.
fragments_and_pings: |a, b| {
    a.fragment(Kind::Text, &"né".as_bytes()[..2], false).unwrap();
    a.ping(b"first").unwrap();
    assert_eq!(a.text("no"), Err(SendError::MessageOpen));
    assert_eq!(a.message(Kind::Binary, b"no"), Err(SendError::MessageOpen));
    assert_eq!(a.fragment(Kind::Binary, b"no", true), Err(SendError::KindChanged));
    a.fragment(Kind::Text, b"", false).unwrap();
    flow_all(&mut a, &mut b);
    a.pong(b"").unwrap();
    a.fragment(Kind::Text, &"né".as_bytes()[2..], true).unwrap();
    a.text("then").unwrap();
    assert!(a.fragment(Kind::Binary, b"all", true).is_ok(), "the first may be the last");
    a.fragment(Kind::Binary, b"oth", false).unwrap();
    assert_eq!(a.fragment(Kind::Text, b"no", false), Err(SendError::KindChanged));
    a.fragment(Kind::Binary, b"er", true).unwrap();
    flow_all(&mut a, &mut b);
    assert_eq!(b.seen, a.sent);
    assert_eq!(b.seen[2..], [text("né"), text("then"), binary(b"all"), binary(b"other")]);
    flow_all(&mut b, &mut a);
    assert_eq!(a.seen, [Item::Pong(b"first".to_vec())]);
});

both_ways!(close: |a, b| {
    a.close(1001, "going").unwrap();
    a.is(State::CloseSent, true);
    b.is(State::Open, false);
    b.replies = false;
    flow_all(&mut a, &mut b);
    b.is(State::CloseReceived, false);
    // The host answers later: a message may still be sent before, and arrives.
    b.text("one more").unwrap();
    b.close(3999, "the host's own answer").unwrap();
    b.is(State::Closed, true);
    flow_all(&mut b, &mut a);
    assert_eq!(a.seen, [text("one more"), Item::Close(closing(3999, "the host's own answer"))]);
    assert!(a.out.is_empty(), "the answer needs none");
    a.is(State::Closed, true);
    assert_eq!((a.conn.receive_eof(), b.conn.receive_eof()), (Ok(()), Ok(())));
});

both_ways!(
/// The reply to a close has its code, or no payload if it had none.
close_and_reply: |a, b| {
    for (code, reason) in [(1000, "bye"), (4000, ""), (1005, "")] {
        a = Peer::new();
        b = Peer::new();
        a.close(code, reason).unwrap();
        flow_all(&mut a, &mut b);
        b.is(State::Closed, true);
        flow_all(&mut b, &mut a);
        a.is(State::Closed, true);
        let code = if code == 1005 { vec![] } else { closing(code, "") };
        assert_eq!(a.seen, [Item::Close(code)]);
        assert_eq!(b.seen, a.sent);
        assert_eq!((a.conn.receive_eof(), b.conn.receive_eof()), (Ok(()), Ok(())));
    }
});

both_ways!(
/// Both ends close before either receives the other's close: neither answers.
closes_cross: |a, b| {
    a.close(1000, "a").unwrap();
    b.text("still").unwrap();
    b.close(1001, "b").unwrap();
    a.is(State::CloseSent, true);
    b.is(State::CloseSent, true);
    flow_all(&mut a, &mut b);
    b.is(State::Closed, true);
    flow_all(&mut b, &mut a);
    a.is(State::Closed, true);
    assert!(a.out.is_empty() && b.out.is_empty());
    assert_eq!((a.seen, b.seen), (b.sent, a.sent));
});

both_ways!(
/// Data, fragments and pings that were on their way when we closed still arrive. We may send a pong, but no data.
under_way_when_we_close: |a, b| {
    b.fragment(Kind::Text, b"be", false).unwrap();
    b.ping(b"there?").unwrap();
    b.fragment(Kind::Text, b"gun", true).unwrap();
    b.text("whole").unwrap();
    a.close(1000, "").unwrap();
    assert_sends_closed(&mut a.conn);
    flow_all(&mut b, &mut a);
    a.is(State::CloseSent, true);
    assert_eq!(a.seen, b.sent);
    assert_eq!(a.sent[1..], [Item::Pong(b"there?".to_vec())], "owed until the peer's close");
    flow_all(&mut a, &mut b);
    assert_eq!(b.seen, a.sent[..1], "what follows a close is not interpreted");
    b.is(State::Closed, true);
    flow_all(&mut b, &mut a);
    a.is(State::Closed, true);
});

both_ways!(
/// A fragmented message may be finished after the peer's close and before our answer (§5.5.1), and a close may also cut
/// one off.
close_inside_a_message: |a, b| {
    b.replies = false;
    b.fragment(Kind::Binary, b"1", false).unwrap();
    a.fragment(Kind::Binary, b"never finished", false).unwrap();
    a.close(1001, "").unwrap();
    flow_all(&mut a, &mut b);
    b.is(State::CloseReceived, false);
    b.ping(b"p").unwrap();
    b.fragment(Kind::Binary, b"2", true).unwrap();
    b.close(1001, "").unwrap();
    flow_all(&mut b, &mut a);
    flow_all(&mut a, &mut b);
    assert_eq!(a.seen, b.sent);
    assert_eq!(b.seen, a.sent[..1], "and not the pong behind the close");
    a.is(State::Closed, true);
});

both_ways!(
/// A ping that is answered late.
late_pongs: |a, b| {
    let ping = || events().remove(0);
    // after our own close: still required
    a.close(1000, "").unwrap();
    assert!(a.reply(&ping()));
    // between the peer's close and ours: still possible
    b.replies = false;
    flow_all(&mut a, &mut b);
    b.is(State::CloseReceived, false);
    assert!(b.reply(&ping()));
    // after both closes: not possible
    b.close(1000, "").unwrap();
    assert!(!b.reply(&ping()));
    flow_all(&mut b, &mut a);
    assert!(!a.reply(&ping()));
});

both_ways!(
/// Events that need no answer get none.
only_pings_and_closes_are_answered: |a, b| {
    b.text("t").unwrap();
    b.message(Kind::Binary, b"b").unwrap();
    b.fragment(Kind::Text, b"f", false).unwrap();
    b.pong(b"unasked").unwrap();
    flow_all(&mut b, &mut a);
    assert_eq!(a.seen.len(), 3);
    assert!(a.out.is_empty());
});

both_ways!(
/// The end of the stream is an error unless it follows the peer's close.
eof_in_every_state: |a, b| {
    let eof = |state: State, a: &mut Peer<A>| {
        assert_eq!(a.conn.state(), state);
        let result = a.conn.receive_eof();
        assert_eq!(a.conn.receive_eof(), result, "said again");
        result
    };
    let cut = Err(ProtocolError::UnexpectedEof);

    assert_eq!(eof(State::Open, &mut a), cut);
    assert_failed(&mut a.conn, ProtocolError::UnexpectedEof);

    a = Peer::new();
    b.fragment(Kind::Text, b"in a message", false).unwrap();
    flow_all(&mut b, &mut a);
    assert_eq!(eof(State::Open, &mut a), cut);

    a = Peer::new();
    b = Peer::new();
    b.text("in a frame").unwrap();
    flow(&mut b, &mut a, 9);
    assert_ne!(a.conn.remaining(), 0);
    assert_eq!(eof(State::Open, &mut a), cut);
    assert_eq!(a.conn.remaining(), 0);

    a = Peer::new();
    a.close(1000, "").unwrap();
    assert_eq!(eof(State::CloseSent, &mut a), cut);
    a.is(State::Closed, true);

    a = Peer::new();
    a.replies = false;
    b = Peer::new();
    b.close(1000, "").unwrap();
    flow_all(&mut b, &mut a);
    assert_eq!(eof(State::CloseReceived, &mut a), Ok(()));
    a.text("the other half of the stream is open").unwrap();
    a.close(1000, "").unwrap();
    assert_eq!(eof(State::Closed, &mut a), Ok(()));

    a = Peer::new();
    failed(&mut a, ProtocolError::InvalidUtf8);
    assert_eq!(eof(State::Closed, &mut a), Err(ProtocolError::InvalidUtf8));
});

fn failed<S: Role>(peer: &mut Peer<S>, error: ProtocolError) {
    let frame = peer.conn.fail(error, fixed::<S>).expect("the peer is told");
    peer.out.extend_from_slice(&frame);
}

both_ways!(
/// One end fails: the other learns why, answers, and is closed. The answer is not read.
fail: |a, b| {
    a.text("sent before").unwrap();
    b.text("good").unwrap();
    b.out.extend([0x83, 0x00]); // bytes that no conforming end sends
    b.text("unheard").unwrap();
    flow_all(&mut b, &mut a);
    assert_eq!(a.seen, [text("good")]);
    assert_eq!(a.error.take(), Some(ProtocolError::ReservedOpcode));
    assert_failed(&mut a.conn, ProtocolError::ReservedOpcode);
    flow_all(&mut a, &mut b);
    let why = closing(1002, &ProtocolError::ReservedOpcode.to_string());
    assert_eq!(b.seen, [text("sent before"), Item::Close(why)]);
    b.is(State::Closed, true);
    assert_eq!(b.conn.receive_eof(), Ok(()));
    flow_all(&mut b, &mut a);
    assert_eq!(a.seen, [text("good")]);
    a.error = None;
});

both_ways!(
/// How many bytes of a data frame are missing, at each step.
remaining: |a, b| {
    a.message(Kind::Binary, &[7; 300]).unwrap();
    a.ping(&[7; 100]).unwrap();
    let head = a.out.len() - 300 - (if is_client::<A>() { 106 } else { 102 });
    flow(&mut a, &mut b, head - 1);
    assert_eq!(b.conn.remaining(), 0, "nobody knows yet");
    flow(&mut a, &mut b, 1);
    assert_eq!(b.conn.remaining(), 300);
    flow(&mut a, &mut b, 100);
    assert_eq!(b.conn.remaining(), 200);
    flow(&mut a, &mut b, 199);
    assert_eq!(b.conn.remaining(), 1);
    flow(&mut a, &mut b, 1);
    assert_eq!(b.conn.remaining(), 0);
    flow(&mut a, &mut b, 50);
    assert_eq!(b.conn.remaining(), 0, "a control frame is no data");
    flow_all(&mut a, &mut b);
    assert_eq!(b.seen, a.sent);
});

/// A clone is independent, also in the middle of a control frame.
#[test]
fn a_clone_is_a_connection_of_its_own() {
    let mut a = Peer::<Client>::new();
    let mut b = Peer::<Server>::new();
    a.ping(b"twice").unwrap();
    flow(&mut a, &mut b, 8);
    let mut other = Peer::<Server>::new();
    other.conn = b.conn.clone();
    other.read(a.out.clone());
    flow_all(&mut a, &mut b);
    assert_eq!((b.seen, other.seen), (a.sent.clone(), a.sent));
}

/// One action of one of the ends.
#[derive(Clone, Debug)]
enum Op {
    Message(Kind, usize),
    Fragment(Kind, usize, bool),
    Ping(usize),
    Pong(usize),
    Close(u16, usize),
    /// This many of its bytes arrive at the other end.
    Flow(usize),
}

#[derive(Clone, Debug)]
struct Step {
    client: bool,
    op: Op,
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let kind = *g.choose(&[Kind::Text, Kind::Binary]).unwrap();
        let len = *g.choose(&[0, 1, 2, 3, 5, 8, 124, 125, 126, 300]).unwrap();
        let op = match u8::arbitrary(g) % 32 {
            0..8 => Op::Message(kind, len),
            8..18 => Op::Fragment(kind, len, bool::arbitrary(g)),
            18..21 => Op::Ping(len),
            21..23 => Op::Pong(len),
            23 => Op::Close(*g.choose(&[1000, 1005, 3000, 1006, 999]).unwrap(), len),
            _ => Op::Flow(*g.choose(&[1, 2, 3, 7, 20, 1000, usize::MAX]).unwrap()),
        };
        Self { client: bool::arbitrary(g), op }
    }
}

/// `n` bytes of text from `at`, or more, so that it ends with a whole character.
fn poem(at: usize, n: usize, ends: bool) -> Vec<u8> {
    let verse = "aé€𝒳".as_bytes();
    let mut bytes: Vec<u8> = (at..at + n).map(|i| verse[i % verse.len()]).collect();
    while ends && !matches!((at + bytes.len()) % verse.len(), 0 | 1 | 3 | 6) {
        bytes.push(verse[(at + bytes.len()) % verse.len()]);
    }
    bytes
}

/// Does the action `op`, and checks its result.
fn act<A: Role, B: Role>(a: &mut Peer<A>, b: &mut Peer<B>, op: &Op) {
    let closed = a.sent.iter().any(|item| matches!(item, Item::Close(_)));
    let open = a.sending.as_ref().map(|(kind, bytes)| (*kind, bytes.len()));
    let (result, fault) = match *op {
        Op::Message(kind, len) => {
            let bytes = poem(0, len, true);
            (a.message(kind, &bytes), open.map(|_| SendError::MessageOpen))
        }
        Op::Fragment(kind, len, last) => {
            let bytes = poem(open.map_or(0, |(_, at)| at), len, last);
            let changed = open.is_some_and(|(open, _)| open != kind);
            (a.fragment(kind, &bytes, last), changed.then_some(SendError::KindChanged))
        }
        Op::Ping(len) => (a.ping(&vec![b'i'; len]), (len > 125).then_some(SendError::ControlTooLong)),
        Op::Pong(len) => (a.pong(&vec![b'o'; len]), (len > 125).then_some(SendError::ControlTooLong)),
        Op::Close(code, len) => {
            let fault = match code {
                1000 | 3000 => (len > 123).then_some(SendError::ControlTooLong),
                1005 => (len > 0).then_some(SendError::InvalidCloseCode),
                _ => Some(SendError::InvalidCloseCode),
            };
            (a.close(code, &"c".repeat(len)), fault)
        }
        Op::Flow(n) => return flow(a, b, n),
    };
    let expected = if closed { Err(SendError::Closed) } else { fault.map_or(Ok(()), Err) };
    assert_eq!(result, expected);
}

/// Checks at any time that the states of both ends agree.
fn check<A: Role, B: Role>(a: &Peer<A>, b: &Peer<B>) {
    assert_eq!(a.error, None);
    let closes = |items: &[Item]| items.iter().any(|item| matches!(item, Item::Close(_)));
    let state = match (closes(&a.sent), closes(&a.seen)) {
        (false, false) => State::Open,
        (true, false) => State::CloseSent,
        (_, true) => State::Closed, // the host answers at once
    };
    a.is(state, state != State::Open);
    // The items that arrived are those that were sent, in order, up to the close.
    let upto =
        b.sent.iter().position(|item| matches!(item, Item::Close(_))).map_or(b.sent.len(), |at| at + 1);
    assert!(a.seen.len() <= upto && a.seen == b.sent[..a.seen.len()], "{:?} of {:?}", a.seen, b.sent);
    if b.out.is_empty() {
        assert_eq!(a.seen.len(), upto);
    }
}

fn converse(steps: Vec<Step>) {
    let (mut server, mut client) = (Peer::<Server>::new(), Peer::<Client>::new());
    for Step { client: is_client, op } in &steps {
        if *is_client {
            act(&mut client, &mut server, op);
        } else {
            act(&mut server, &mut client, op);
        }
        check(&server, &client);
        check(&client, &server);
    }
    while !(server.out.is_empty() && client.out.is_empty()) {
        flow_all(&mut server, &mut client);
        flow_all(&mut client, &mut server);
    }
    check(&server, &client);
    check(&client, &server);
}

#[test]
fn random_conversations() {
    QuickCheck::new().tests(2000).quickcheck(converse as fn(Vec<Step>));
}
