//! Control frames: answered wherever they arrive, and visible to those who ask for them.

use crate::{
    frames,
    sim::{now, poll_once},
    socket,
    stream::{Scripted, Wire, stream},
    untimed,
};
use framewire_testing::wire::{self, BINARY, CLOSE, CONTINUATION, MORE, PING, PONG, TEXT};
use framewire_tokio::{CloseCode, Event, Message, SendError, Server, WebSocket};
use std::pin::pin;

fn server(capacity: usize) -> (WebSocket<Scripted, Server>, Wire) {
    let (scripted, wire) = stream(capacity);
    (socket(scripted), wire)
}

fn to(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::to::<Server>(first, payload)
}

fn written(wire: &Wire) -> Vec<(u8, Vec<u8>)> {
    wire.take(usize::MAX);
    frames::<Server>(&wire.state().taken)
}

#[test]
fn a_ping_between_fragments() {
    let (mut socket, wire) = server(1000);
    wire.arrive(&wire::cat(&[
        to(TEXT & MORE, b"a"),
        to(PING, b"1"),
        to(PING, b""),
        to(CONTINUATION & MORE, b"b"),
    ]));
    assert!(poll_once(pin!(socket.recv())).is_pending());
    assert_eq!(written(&wire), [(PONG, b"1".to_vec()), (PONG, vec![])], "before the message is whole");
    wire.arrive(&wire::cat(&[to(PING, b"3"), to(CONTINUATION, b"c")]));
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from("abc"));
    assert!(poll_once(pin!(socket.recv())).is_pending());
    assert_eq!(written(&wire).len(), 3);
}

/// Each ping is answered while the peer reads; if it does not, the last is, and no more than the mark waits.
#[test]
fn pings_of_a_peer_that_does_not_read() {
    let (scripted, wire) = stream(10);
    let mut config = untimed::<Server>();
    config.high_water = 1000;
    let mut socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
    for i in 0..1000u32 {
        wire.arrive(&to(PING, &i.to_be_bytes()));
        assert!(poll_once(pin!(socket.recv())).is_pending());
        assert!(socket.waiting() < 700);
    }
    wire.arrive(&to(BINARY, b"message"));
    let message = now(socket.recv()).unwrap().unwrap();
    socket.try_feed(message).expect("there is room for the reply");
    while !wire.take(usize::MAX).is_empty() {
        assert!(poll_once(pin!(socket.recv())).is_pending());
    }
    let written = written(&wire);
    let pongs: Vec<_> = written.iter().filter(|frame| frame.0 == PONG).map(|frame| &frame.1[..]).collect();
    assert!(pongs.is_sorted());
    assert_eq!(pongs[0], 0u32.to_be_bytes());
    assert_eq!(*pongs.last().unwrap(), 999u32.to_be_bytes());
    assert!(written.contains(&(BINARY, b"message".to_vec())));
}

/// However fast others send, and whatever the stream takes at once.
#[test]
fn pings_are_answered_while_senders_fill_the_queue() {
    for takes in [1, 200] {
        let (scripted, wire) = stream(takes);
        let mut config = untimed::<Server>();
        config.high_water = 2000;
        let socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
        let (sender, mut receiver) = socket.into_split();
        let mut most = 0;
        for i in 0..10_000 / takes as u32 {
            while sender.try_send(vec![0; 100]).is_ok() {}
            wire.arrive(&to(PING, &i.to_be_bytes()));
            assert!(poll_once(pin!(receiver.recv())).is_pending());
            most = most.max(sender.waiting());
            wire.take(takes);
        }
        assert!(most < 2000 + 200, "the mark and a message: {most}");
        let written = written(&wire);
        let pongs: Vec<_> =
            written.iter().filter(|frame| frame.0 == PONG).map(|frame| &frame.1[..]).collect();
        assert!(pongs.len() > 10, "{}", pongs.len());
        assert!(pongs.is_sorted());
    }
}

#[test]
fn all_are_visible_in_their_order() {
    let (mut socket, wire) = server(1000);
    wire.arrive(&wire::cat(&[
        to(PING, b"ping"),
        to(TEXT, b"text"),
        to(PONG, b"pong"),
        to(BINARY & MORE, b"bin"),
        to(PING, b""),
        to(CONTINUATION, b"ary"),
        to(CLOSE, &wire::closing(4001, "bye")),
    ]));
    let mut events = Vec::new();
    while let Some(event) = now(socket.next_event()) {
        events.push(event.unwrap());
    }
    let Some(Event::Close(closed)) = events.pop() else { panic!("a close") };
    assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::new(4001), "bye"));
    assert_eq!(closed.to_string(), "the peer closed with 4001: bye");
    let expected = [
        Event::Ping("ping".into()),
        Event::Message("text".into()),
        Event::Pong("pong".into()),
        Event::Ping("".into()),
        Event::Message(b"binary".to_vec().into()),
    ];
    assert_eq!(events, expected);
    let written = written(&wire);
    assert_eq!(written[..2], [(PONG, b"ping".to_vec()), (PONG, vec![])]);
    assert_eq!(written[2], (CLOSE, wire::closing(4001, "")));
}

/// Who changes from events to messages in the middle of a read loses none.
#[test]
fn the_ways_to_receive_may_change_in_the_middle_of_a_read() {
    let (mut socket, wire) = server(1000);
    wire.arrive(&wire::cat(&[to(PING, b""), to(TEXT, b"1"), to(PONG, b""), to(TEXT, b"2"), to(TEXT, b"3")]));
    assert!(matches!(now(socket.next_event()), Some(Ok(Event::Ping(_)))));
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from("1"));
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from("2"));
    let mut seen = Vec::new();
    let mut serve = Box::pin(socket.serve_fn(|message, _| seen.push(message.as_text().map(str::to_owned))));
    assert!(poll_once(serve.as_mut()).is_pending());
    drop(serve);
    assert_eq!(seen, [Some("3".to_owned())]);
}

#[test]
fn pings_of_the_program() {
    let (mut socket, wire) = server(1000);
    socket.ping_with(b"mine").unwrap();
    assert!(matches!(socket.ping_with(&[0; 126]), Err(SendError::Invalid(_))));
    socket.ping().unwrap();
    now(socket.flush()).unwrap();
    let written = written(&wire);
    assert_eq!(written.len(), 2);
    assert_eq!(written[0], (PING, b"mine".to_vec()));
    assert_eq!(written[1].0, PING);
    assert!(matches!(socket.start_close(CloseCode::new(1005), "reason"), Err(SendError::Invalid(_))));
    assert!(matches!(socket.start_close(CloseCode::NORMAL, &"x".repeat(124)), Err(SendError::Invalid(_))));
    socket.start_close(CloseCode::NORMAL, &"x".repeat(123)).unwrap();
}

#[test]
fn into_inner_returns_what_is_not_decoded() {
    let (mut socket, wire) = server(1000);
    let rest = wire::cat(&[to(TEXT, b"two"), to(TEXT, b"three")]);
    wire.arrive(&[to(TEXT, b"one"), rest.clone()].concat());
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from("one"));
    let (stream, bytes) = socket.into_inner();
    assert_eq!(bytes, rest);
    let mut again = WebSocket::<_, Server>::from_upgraded(stream, &bytes, untimed::<Server>());
    assert_eq!(now(again.recv()).unwrap().unwrap(), Message::from("two"));
    assert_eq!(now(again.recv()).unwrap().unwrap(), Message::from("three"));
}
