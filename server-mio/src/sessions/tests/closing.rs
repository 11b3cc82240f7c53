//! Slow peers, and the end of a session: nothing that was said is lost, and nobody is waited for without end.

use super::*;
use framewire::CloseCode;

/// The wire of a peer that sent a message of this length and a close, and whose socket takes nothing.
fn closing(peers: &mut Peers, len: usize) -> Wire {
    let wire = peers.wires[0].clone();
    wire.0.borrow_mut().room = 0;
    let close = wire::frame(CLOSE, Some(KEY), &wire::closing(1000, ""));
    peers.arrives(0, &[wire::frame(BINARY, Some(KEY), &noise(len, 1)), close].concat());
    peers.sessions.ready(0, READ);
    peers.settle();
    wire
}

/// A peer that reads slowly gets all its bytes and the close. No event says that its socket takes bytes again: a kernel may
/// wait until much of its buffer is free.
#[test]
fn a_slow_peer_closes_without_events() {
    const LEN: usize = 60_000;
    let mut peers = Peers::new(1);
    let wire = closing(&mut peers, LEN);
    for now in 1..=40 {
        if now % 4 == 0 {
            wire.0.borrow_mut().room += LEN / 8;
        }
        peers.sweep_at(now);
    }
    let close = wire::frame(CLOSE, None, &wire::closing(1000, ""));
    assert!(peers.sent(0) == [wire::frame(BINARY, None, &noise(LEN, 1)), close].concat());
    assert!(wire.0.borrow().shut);
}

/// A paused peer that reads slowly stays, also if no event says so: only one that takes nothing is given up.
#[test]
fn a_slow_peer_stays_without_events() {
    for (takes, stays) in [(1000, true), (0, false)] {
        let mut peers = Peers::new(1);
        peers.wires[0].0.borrow_mut().room = 0;
        let high_water = peers.sessions.config().high_water;
        peers.arrives(0, &wire::frame(BINARY, Some(KEY), &noise(high_water, 1)));
        peers.sessions.ready(0, READ);
        peers.settle();
        for now in 1..=200 {
            if now % 10 == 0 {
                peers.wires[0].0.borrow_mut().room += takes;
            }
            peers.sweep_at(now);
        }
        assert_eq!(!peers.sessions.is_empty(), stays);
    }
}

/// A peer that takes a byte a second is dropped all the same, but not before its time.
#[test]
fn closing_ends() {
    let mut peers = Peers::new(1);
    let wire = closing(&mut peers, 60_000);
    for now in 1..=301 {
        wire.0.borrow_mut().room += 1;
        peers.sweep_at(now);
    }
    assert_eq!((peers.sessions.len(), peers.sent(0).len()), (1, 301));
    wire.0.borrow_mut().room += 1;
    peers.sweep_at(302);
    assert!(peers.sessions.is_empty());
}

/// The close of a peer that was paused is read when its backlog is written, also without an event.
#[test]
fn a_paused_peer_closes_without_events() {
    let mut peers = Peers::new(1);
    let wire = peers.wires[0].clone();
    wire.0.borrow_mut().room = 0;
    let high_water = peers.sessions.config().high_water;
    peers.arrives(0, &wire::frame(BINARY, Some(KEY), &noise(high_water, 1)));
    peers.sessions.ready(0, READ);
    peers.settle();
    peers.sessions.go_away();
    peers.arrives(0, &wire::frame(CLOSE, Some(KEY), &wire::closing(1001, "")));
    peers.sessions.ready(0, READ);
    peers.settle();
    wire.0.borrow_mut().room = usize::MAX;
    peers.sweep_at(1);
    peers.settle();
    assert!(wire.0.borrow().shut);
    assert_eq!(peers.sessions.stats().paused.get(), 0);
}

/// A peer that waits in the line when the server stops is not read: its message and its close are, once its turn comes.
#[test]
fn a_peer_in_the_line_closes_late() {
    let mut peers = Peers::new(2);
    peers.arrives(0, &message(20_000)[..10_000]);
    peers.sessions.ready(0, READ);
    let close = wire::frame(CLOSE, Some(KEY), &wire::closing(1001, ""));
    peers.arrives(1, &[message(30_000), close].concat());
    peers.sessions.ready(1, READ);
    peers.settle();
    assert_eq!(peers.waiting(), 1);
    peers.sessions.go_away();
    for now in 1..=8 {
        peers.sweep_at(now);
        peers.settle();
    }
    assert!(peers.sessions.is_empty());
    assert_eq!(*peers.log.borrow(), [30_000]);
}

/// A peer that does not end its message keeps others waiting no longer after the server's close than before.
#[test]
fn a_message_takes_too_long_after_the_close() {
    let mut peers = Peers::new(1);
    let wire = peers.wires[0].clone();
    wire.0.borrow_mut().room = 0;
    peers.arrives(0, &wire::frame(BINARY, Some(KEY), &noise(5000, 1)));
    peers.sessions.ready(0, READ);
    peers.settle();
    peers.sessions.go_away();
    peers.connect(1, false);
    peers.arrives(0, &message(20_000)[..10_000]);
    peers.sessions.ready(0, READ);
    peers.arrives(1, &message(30_000));
    peers.sessions.ready(1, READ);
    peers.settle();
    assert_eq!(peers.waiting(), 1);
    for now in 1..=TIMEOUT + 2 {
        wire.0.borrow_mut().room += 1;
        peers.sweep_at(now);
        peers.settle();
    }
    assert_eq!((peers.waiting(), peers.log.borrow().last()), (0, Some(&30_000)));
}

/// After a close with which everything is said, the socket is closed without waiting for the peer, whichever side began.
#[test]
fn a_clean_close_ends_at_once() {
    let close = wire::frame(CLOSE, Some(KEY), &wire::closing(1000, ""));
    for stops in [false, true] {
        let mut peers = Peers::new(1);
        if stops {
            peers.sessions.go_away();
        }
        peers.arrives(0, &[wire::frame(BINARY, Some(KEY), b"last words"), close.clone()].concat());
        peers.sessions.ready(0, READ);
        assert!(peers.sessions.is_empty() && peers.wires[0].0.borrow().shut);
        let (echo, answer) = (wire::frame(BINARY, None, b"last words"), wire::closing(1000, ""));
        let farewell = wire::frame(CLOSE, None, &wire::closing(1001, "the server is stopping"));
        let expected = if stops { farewell } else { [echo, wire::frame(CLOSE, None, &answer)].concat() };
        assert!(peers.sent(0) == expected);
    }
}

/// A peer that sends more after its close gets the server's all the same, also if those bytes come while the server closes.
#[test]
fn bytes_behind_a_clean_close_do_not_destroy_the_answer() {
    let mut peers = Peers::new(1);
    peers.wires[0].0.borrow_mut().late = wire::frame(TEXT, Some(KEY), b"too late");
    peers.arrives(0, &wire::frame(CLOSE, Some(KEY), &wire::closing(1000, "")));
    peers.sessions.ready(0, READ);
    assert!(peers.sessions.is_empty());
    assert_eq!(peers.sent(0), wire::frame(CLOSE, None, &wire::closing(1000, "")));
}

/// If more may come from the peer, its bytes are read until it closes: otherwise the kernel would reset the connection.
#[test]
fn a_close_behind_which_more_may_come() {
    let close = wire::frame(CLOSE, Some(KEY), &wire::closing(1000, ""));
    let fill = wire::frame(BINARY, Some(KEY), &vec![0; BUFFER - close.len() - 8]);
    let wrong = wire::frame(CLOSE, Some(KEY), b"x");
    for (what, bytes, turn, unix) in [
        ("more in the same read", [&close[..], b"x"].concat(), READ, false),
        ("a read that fills the buffer", [&fill[..], &close].concat(), READ, false),
        ("a peer that has closed its side, or has sent urgent data", close.clone(), HANG_UP, false),
        ("a Unix socket", close.clone(), READ, true),
        ("a close that breaks the protocol", wrong, READ, false),
    ] {
        let mut peers = Peers::on(unix, 1);
        peers.arrives(0, &bytes);
        peers.sessions.ready(0, turn);
        peers.settle();
        assert!(peers.sessions.len() == 1 && peers.wires[0].0.borrow().shut, "{what}");
        assert!(peers.wires[0].0.borrow().incoming.is_empty(), "{what}");
    }
}

/// The echo and the close are not written yet: that comes first, and then the peer may have sent more.
#[test]
fn a_close_before_which_bytes_wait() {
    let mut peers = Peers::new(1);
    let wire = closing(&mut peers, 60_000);
    assert!(!wire.0.borrow().shut);
    wire.0.borrow_mut().room = usize::MAX;
    peers.sessions.ready(0, WRITE);
    assert!(peers.sessions.len() == 1 && wire.0.borrow().shut);
}

/// The peer has to answer a ping that it gets after it has sent its close (RFC 6455 §5.5.2).
#[test]
fn a_close_behind_which_a_pong_may_come() {
    let mut peers = Peers::new(1);
    let idle = peers.sessions.config().idle_timeout;
    peers.sweep_at(idle + 2);
    assert!(peers.sent(0) == wire::frame(PING, None, b""));
    peers.arrives(0, &wire::frame(CLOSE, Some(KEY), &wire::closing(1000, "")));
    peers.sessions.ready(0, READ);
    assert!(peers.sessions.len() == 1 && peers.wires[0].0.borrow().shut);
}

/// A peer that leaves without a close counts once, whether its stream ends or is reset, also after the server's close.
#[test]
fn a_missing_close_counts() {
    for stops in [false, true] {
        let mut peers = Peers::new(1);
        if stops {
            peers.sessions.go_away();
        }
        peers.wires[0].0.borrow_mut().broken = true;
        peers.arrives(0, &wire::frame(PING, Some(KEY), b"the pong fails"));
        peers.sessions.ready(0, READ);
        assert!(peers.sessions.is_empty());
        let mut counts = peers.sessions.stats().closes.iter();
        assert!(counts.any(|count| count == (Some(CloseCode::ABNORMAL), 1)));
    }
}
