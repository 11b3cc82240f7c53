//! `serve`: the same events and bytes as `recv` and `feed`, and a handler that does unusual things.

use crate::{
    Talk, frame_of, frames, one_of,
    sim::{now, poll_once},
    socket,
    stream::{End, Scripted, Wire, stream},
    untimed,
};
use framewire_testing::{
    payload::Random,
    wire::{self, BINARY, CLOSE, PING, PONG, TEXT},
};
use framewire_tokio::{
    Client, CloseCode, Config, Error, Message, ProtocolError, Role, SendError, Server, WebSocket,
};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

fn to(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::to::<Server>(first, payload)
}

fn server() -> (WebSocket<Scripted, Server>, Wire) {
    let (scripted, wire) = stream(1 << 20);
    (socket(scripted), wire)
}

/// What an echo receives, writes, and ends with.
type Outcome = (Vec<(u8, Vec<u8>)>, Vec<(u8, Vec<u8>)>, Result<(), String>);

/// A connection that answers each ping, however much waits.
fn patient<R: Role>() -> (WebSocket<Scripted, R>, Wire) {
    let (scripted, wire) = stream(1 << 20);
    let mut config = untimed::<R>();
    config.high_water = usize::MAX;
    (WebSocket::from_upgraded(scripted, b"", config), wire)
}

fn served<R: Role>(pieces: &[&[u8]], end: End) -> Outcome {
    let (mut socket, wire) = patient::<R>();
    let mut received = Vec::new();
    let mut outcome = Poll::Pending;
    let mut feed = |wire: &Wire, piece: Option<&[u8]>| {
        match piece {
            Some(piece) => wire.arrive(piece),
            None => wire.end(end),
        }
        if outcome.is_pending() {
            let mut serve = pin!(socket.serve_fn(|message, reply| {
                let first = if message.as_text().is_some() { TEXT } else { BINARY };
                received.push((first, message.as_bytes().to_vec()));
                let _ = reply.send(message);
            }));
            outcome = poll_once(serve.as_mut()).map_err(|error| format!("{error:?}"));
        }
        wire.take(usize::MAX);
    };
    for piece in pieces {
        feed(&wire, Some(piece));
    }
    feed(&wire, None);
    let Poll::Ready(outcome) = outcome else { panic!("it waits") };
    (received, frames::<R>(&wire.state().taken), outcome)
}

fn received<R: Role>(pieces: &[&[u8]], end: End) -> Outcome {
    let (mut socket, wire) = patient::<R>();
    let mut received = Vec::new();
    let mut outcome = None;
    let mut feed = |wire: &Wire, piece: Option<&[u8]>| {
        match piece {
            Some(piece) => wire.arrive(piece),
            None => wire.end(end),
        }
        while outcome.is_none() {
            let polled = poll_once(pin!(socket.recv()));
            match polled {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(message))) => {
                    received.push(frame_of(&message));
                    let _ = socket.try_feed(message);
                }
                Poll::Ready(Some(Err(error))) => outcome = Some(Err(format!("{error:?}"))),
                Poll::Ready(None) => outcome = Some(Ok(())),
            }
        }
        wire.take(usize::MAX);
    };
    for piece in pieces {
        feed(&wire, Some(piece));
    }
    feed(&wire, None);
    (received, frames::<R>(&wire.state().taken), outcome.expect("an end"))
}

#[test]
fn the_same_as_recv_and_feed() {
    fn check<R: Role>() {
        for seed in 0..150 {
            let random = &mut Random(seed);
            let longest = one_of(random, &[200, 2000, 70_000]);
            let messages = random.below(20);
            let mut wire = Talk::random::<R>(random, messages, longest).wire;
            if random.below(2) == 0 {
                wire.extend(wire::to::<R>(CLOSE, &wire::closing(1001, "away")));
            }
            // An error anywhere.
            if random.below(3) == 0 && !wire.is_empty() {
                let at = random.below(wire.len());
                wire[at] ^= 1 << random.below(8);
            }
            let end = one_of(random, &[End::Eof, End::Reset]);
            let mut cuts: Vec<usize> = (0..random.below(8)).map(|_| random.below(wire.len() + 1)).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]).collect();
            let (served, received) = (served::<R>(&pieces, end), received::<R>(&pieces, end));
            assert_eq!(served.2, received.2, "seed {seed}");
            assert_eq!(served.0.len(), received.0.len(), "seed {seed}");
            assert!(served == received, "seed {seed}");
        }
    }
    check::<Server>();
    check::<Client>();
}

#[test]
fn replies_follow_what_waits() {
    let (scripted, wire) = stream(10);
    let mut socket = socket::<_, Server>(scripted);
    socket.try_feed(vec![0; 3000]).unwrap();
    wire.arrive(&wire::cat(&[to(BINARY, b"1"), to(PING, b"2"), to(BINARY, &[3; 5000]), to(CLOSE, b"")]));
    let mut serve = pin!(socket.serve_fn(|message, reply| {
        assert!(reply.waiting() > 0);
        reply.send(message).unwrap();
        reply.text("text").unwrap();
        reply.binary(b"binary").unwrap();
    }));
    while poll_once(serve.as_mut()).is_pending() {
        assert!(!wire.take(usize::MAX).is_empty());
    }
    wire.take(usize::MAX);
    let firsts: Vec<_> = frames::<Server>(&wire.state().taken)
        .iter()
        .map(|(first, payload)| (*first, payload.len()))
        .collect();
    let expected = [
        (BINARY, 3000),
        (BINARY, 1),
        (TEXT, 4),
        (BINARY, 6),
        (PONG, 1),
        (BINARY, 5000),
        (TEXT, 4),
        (BINARY, 6),
        (CLOSE, 0),
    ];
    assert_eq!(firsts, expected);
}

#[test]
fn all_replies_to_a_read_leave_in_one_write() {
    let (mut socket, wire) = server();
    wire.arrive(&to(BINARY, b"x").repeat(100));
    assert!(poll_once(pin!(socket.serve_fn(|message, reply| reply.send(message).unwrap()))).is_pending());
    assert_eq!(wire.state().writes, 1);
    for _ in 0..100 {
        wire.arrive(&to(BINARY, b"x"));
    }
    for _ in 0..100 {
        let message = now(socket.recv()).unwrap().unwrap();
        socket.try_feed(message).unwrap();
    }
    assert!(poll_once(pin!(socket.recv())).is_pending());
    assert_eq!(wire.state().writes, 2);
}

/// A client masks what it sends, with a new key each time, whoever owns the memory.
#[test]
fn a_client_masks() {
    let (scripted, wire) = stream(1 << 20);
    let mut socket = socket::<_, Client>(scripted);
    let shared = Message::from(vec![7; 5000]);
    socket.try_feed(shared.clone()).unwrap();
    socket.try_feed(shared.clone()).unwrap();
    wire.arrive(
        &[wire::to::<Client>(TEXT, "tät".as_bytes()), wire::to::<Client>(BINARY, &[9; 9000])].concat(),
    );
    let mut serve = pin!(socket.serve_fn(|message, reply| {
        reply.send(message).unwrap();
        reply.text("text").unwrap();
    }));
    assert!(poll_once(serve.as_mut()).is_pending());
    let written = wire.take(usize::MAX);
    let frames = frames::<Client>(&written);
    let payloads: Vec<_> = frames.iter().map(|frame| &frame.1[..]).collect();
    assert_eq!(payloads, [&[7; 5000][..], &[7; 5000], "tät".as_bytes(), b"text", &[9; 9000], b"text"]);
    assert_eq!(shared.as_bytes(), [7; 5000], "shared memory is not masked in place");
    assert!(!written.windows(100).any(|window| window == [7; 100]), "it is masked");
}

#[test]
fn a_handler_closes() {
    let (mut socket, wire) = server();
    wire.arrive(&to(TEXT, b"x").repeat(3));
    let mut seen = 0;
    let mut serve = Box::pin(socket.serve_fn(|message, reply| {
        seen += 1;
        if seen == 2 {
            assert!(matches!(reply.close(CloseCode::new(1006), ""), Err(SendError::Invalid(_))));
            reply.close(CloseCode::NORMAL, "enough").unwrap();
            assert_eq!(reply.close(CloseCode::NORMAL, ""), Err(SendError::Closed));
            assert_eq!(reply.text("late"), Err(SendError::Closed));
        }
        assert_eq!(reply.send(message), if seen < 2 { Ok(()) } else { Err(SendError::Closed) });
    }));
    assert!(poll_once(serve.as_mut()).is_pending());
    wire.arrive(&to(CLOSE, b""));
    assert!(matches!(poll_once(serve.as_mut()), Poll::Ready(Ok(()))));
    drop(serve);
    assert_eq!(seen, 3);
    let written = frames::<Server>(&wire.take(usize::MAX));
    assert_eq!(written, [(TEXT, b"x".to_vec()), (CLOSE, wire::closing(1000, "enough"))]);
    assert!(socket.peer_close().is_some());
}

/// However many messages one read holds, the handler gets no more while the replies wait.
#[test]
fn a_peer_that_sends_a_burst_and_does_not_read() {
    for fails in [false, true] {
        let (scripted, wire) = stream(10);
        let mut config = untimed::<Server>();
        config.high_water = 1000;
        let mut socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
        wire.arrive(&wire::cat(&[to(BINARY, b"").repeat(100), to(PING, b"?"), to(CLOSE, b"")]));
        let (seen, most) = (Cell::new(0), Cell::new(0));
        let mut serve = Box::pin(socket.serve_fn(|_, reply| {
            seen.set(seen.get() + 1);
            let _ = reply.binary(&[7; 300]);
            most.set(most.get().max(reply.waiting()));
        }));
        assert!(poll_once(serve.as_mut()).is_pending());
        assert_eq!(seen.get(), 4, "the fourth reply reaches the mark");
        if fails {
            // What was read is passed on, although no reply can be sent.
            wire.fail_writes();
        }
        let mut end = Poll::Pending;
        while end.is_pending() {
            end = poll_once(serve.as_mut());
            assert!(end.is_ready() || !wire.take(usize::MAX).is_empty(), "it goes on when the peer reads");
        }
        wire.take(usize::MAX);
        assert!(matches!(end, Poll::Ready(Ok(()))), "{end:?}");
        assert_eq!(seen.get(), 100);
        assert!(fails || most.get() < 1000 + 310, "the mark and one message: {}", most.get());
        if !fails {
            let frames = frames::<Server>(&wire.state().taken);
            assert_eq!(frames[..100], vec![(BINARY, vec![7; 300]); 100]);
            assert_eq!(frames[100..], [(PONG, b"?".to_vec()), (CLOSE, vec![])]);
        }
    }
}

/// What a timeout leaves undecoded is passed on, too.
#[tokio::test(start_paused = true)]
async fn what_was_read_is_passed_on_after_a_timeout() {
    let (scripted, wire) = stream(10);
    let mut config = Config::server();
    config.high_water = 1000;
    let mut socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
    wire.arrive(&to(BINARY, b"").repeat(100));
    let mut seen = 0;
    let end = socket.serve_fn(|_, reply| {
        seen += 1;
        let _ = reply.binary(&[7; 300]);
    });
    let end = end.await;
    assert!(matches!(end, Err(Error::WriteTimeout)), "{end:?}");
    assert_eq!(seen, 100);
}

/// What a read held after the message is lost with the panic, so nothing can be received any more.
#[test]
fn a_handler_panics() {
    let (mut socket, wire) = server();
    wire.arrive(&[to(TEXT, b"one"), to(TEXT, b"two"), to(TEXT, b"half")[..5].to_vec()].concat());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        poll_once(pin!(socket.serve_fn(|_, _| panic!("a handler's mistake")))).is_ready()
    }));
    assert!(panicked.is_err());
    wire.arrive(&to(TEXT, b"three"));
    let end = now(socket.recv());
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
    assert!(now(socket.recv()).is_none());
    assert_eq!(now(socket.send("x")), Err(SendError::Closed));
    // The thread's memory is whole.
    let (mut other, wire) = server();
    wire.arrive(&wire::cat(&[to(TEXT, b"one"), to(CLOSE, b"")]));
    assert!(now(other.serve_fn(|message, reply| reply.send(message).unwrap())).is_ok());
    assert_eq!(frames::<Server>(&wire.take(usize::MAX)).len(), 2);
}

/// Messages that are lent stay as they are while another WebSocket of the thread reads.
#[test]
fn a_handler_polls_another() {
    let (mut outer, outer_wire) = server();
    let (mut inner, inner_wire) = server();
    outer_wire.arrive(&wire::cat(&[to(TEXT, b"outer 1"), to(TEXT, b"outer 2"), to(CLOSE, b"")]));
    let mut inner_seen = 0;
    now(outer.serve_fn(|message, reply| {
        let before = message.as_bytes().to_vec();
        inner_wire.arrive(&to(TEXT, &[b'i'; 100]).repeat(3));
        let mut serve = pin!(inner.serve_fn(|message, reply| {
            inner_seen += 1;
            reply.send(message).unwrap();
        }));
        assert!(poll_once(serve.as_mut()).is_pending());
        assert_eq!(message.as_bytes(), before);
        reply.send(message).unwrap();
    }))
    .unwrap();
    assert_eq!(inner_seen, 6);
    assert_eq!(frames::<Server>(&inner_wire.take(usize::MAX)), vec![(TEXT, vec![b'i'; 100]); 6]);
    let outer = frames::<Server>(&outer_wire.take(usize::MAX));
    assert_eq!(outer[..2], [(TEXT, b"outer 1".to_vec()), (TEXT, b"outer 2".to_vec())]);
}

#[test]
fn replies_come_before_the_error_that_follows() {
    let (mut socket, wire) = server();
    wire.arrive(&[to(TEXT, b"one"), b"\xff\xff".to_vec()].concat());
    let end = now(socket.serve_fn(|message, reply| reply.send(message).unwrap()));
    assert!(matches!(end, Err(Error::Protocol(ProtocolError::ReservedBit | ProtocolError::ReservedOpcode))));
    let written = frames::<Server>(&wire.take(usize::MAX));
    assert_eq!(written[0], (TEXT, b"one".to_vec()));
    assert_eq!(written[1].1[..2], 1002u16.to_be_bytes());
}
