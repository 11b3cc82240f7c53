//! The end of a connection, in every order.

use crate::{
    frames, pair,
    sim::{now, poll_once, waker},
    socket,
    stream::{End, Scripted, Wire, stream},
};
use framewire_testing::wire::{self, BINARY, CLOSE, PING, PONG, TEXT};
use framewire_tokio::{
    Client, CloseCode, Config, Error, Event, Message, ProtocolError, SendError, Server, WebSocket,
};
use std::{pin::pin, task::Context, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

fn server() -> (WebSocket<Scripted, Server>, Wire) {
    let (scripted, wire) = stream(1 << 20);
    (socket(scripted), wire)
}

fn to(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::to::<Server>(first, payload)
}

fn written(wire: &Wire) -> Vec<(u8, Vec<u8>)> {
    wire.take(usize::MAX);
    frames::<Server>(&wire.state().taken)
}

type Received = Option<Result<Message, Error>>;

#[track_caller]
fn assert_message(received: Received, payload: &[u8]) {
    assert_eq!(received.unwrap().unwrap().as_bytes(), payload);
}

#[tokio::test(start_paused = true)]
async fn both_at_once() {
    for room in [7, 1000] {
        let (server, client) = pair(room);
        let (server, client) = tokio::join!(
            server.close(CloseCode::NORMAL, "server"),
            client.close(CloseCode::GOING_AWAY, "client")
        );
        let (server, client) = (server.unwrap(), client.unwrap());
        assert_eq!((server.code, server.reason.as_str()), (CloseCode::GOING_AWAY, "client"));
        assert_eq!((client.code, client.reason.as_str()), (CloseCode::NORMAL, "server"));
    }
}

/// What may not be sent does not keep the connection open.
#[tokio::test(start_paused = true)]
async fn a_close_that_may_not_be_sent() {
    let (long, cut) = ("é".repeat(62), "é".repeat(61)); // 124 and 122 bytes
    for (code, reason, sent) in [
        (CloseCode::new(4000), &*long, (CloseCode::new(4000), &*cut)),
        (CloseCode::new(1005), "reason", (CloseCode::NORMAL, "")),
        (CloseCode::new(1005), &long, (CloseCode::NORMAL, "")),
    ] {
        let (server, mut client) = pair(1000);
        let reason = reason.to_owned();
        let closing = tokio::spawn(async move { server.close(code, &reason).await });
        assert!(client.recv().await.is_none());
        let closed = client.peer_close().unwrap();
        assert_eq!((closed.code, closed.reason.as_str()), sent);
        closing.await.unwrap().unwrap();
    }
}

#[test]
fn a_close_with_and_without_a_code() {
    for (payload, code, reason) in [
        (&b""[..], CloseCode::NO_STATUS, ""),
        (b"\x03\xe8", CloseCode::NORMAL, ""),
        (b"\x0f\xa0why", CloseCode::new(4000), "why"),
    ] {
        let (mut socket, wire) = server();
        wire.arrive(&to(CLOSE, payload));
        let Some(Ok(Event::Close(closed))) = now(socket.next_event()) else { panic!("a close") };
        assert_eq!((closed.code, closed.reason.as_str()), (code, reason));
        assert!(now(socket.next_event()).is_none());
        assert!(now(socket.recv()).is_none(), "for ever");
        assert_eq!(socket.peer_close(), Some(&closed));
        assert_eq!(written(&wire), [(CLOSE, payload[..payload.len().min(2)].to_vec())]);
        assert!(wire.state().shut);
        assert_eq!(now(socket.send("late")), Err(SendError::Closed));
        assert_eq!(now(socket.ready()), Err(SendError::Closed));
        assert_eq!(socket.ping(), Err(SendError::Closed));
        assert_eq!(now(socket.flush()), Ok(()), "all was written");
    }
}

#[test]
fn messages_arrive_after_the_own_close() {
    let (mut socket, wire) = server();
    socket.start_close(CloseCode::NORMAL, "bye").unwrap();
    assert_eq!(now(socket.send("late")), Err(SendError::Closed));
    assert_eq!(now(socket.ready()), Err(SendError::Closed));
    wire.arrive(&wire::cat(&[to(TEXT, b"one"), to(PING, b"?"), to(BINARY, b"two"), to(CLOSE, b"")]));
    assert_message(now(socket.recv()), b"one");
    assert_message(now(socket.recv()), b"two");
    assert!(now(socket.recv()).is_none());
    assert_eq!(
        written(&wire),
        [(CLOSE, wire::closing(1000, "bye")), (PONG, b"?".to_vec())],
        "no second close"
    );
}

#[test]
fn data_after_the_close_is_ignored() {
    for (split, extra) in
        [(false, to(TEXT, b"late")), (true, to(TEXT, b"late")), (false, b"\xff\xff".to_vec())]
    {
        let (mut socket, wire) = server();
        let head = wire::cat(&[to(TEXT, b"one"), to(CLOSE, b"")]);
        if split {
            wire.arrive(&head);
            assert_message(now(socket.recv()), b"one");
            wire.arrive(&extra);
        } else {
            wire.arrive(&[head, extra].concat());
            assert_message(now(socket.recv()), b"one");
        }
        assert!(now(socket.recv()).is_none());
        assert_eq!(written(&wire), [(CLOSE, vec![])]);
    }
}

#[test]
fn the_stream_ends_without_a_close() {
    let (mut socket, wire) = server();
    wire.arrive(&[to(TEXT, b"one"), to(TEXT, b"two"), to(TEXT, b"half")[..8].to_vec()].concat());
    wire.end(End::Eof);
    assert_message(now(socket.recv()), b"one");
    assert_message(now(socket.recv()), b"two");
    let end = now(socket.recv());
    assert!(matches!(end, Some(Err(Error::Protocol(ProtocolError::UnexpectedEof)))), "{end:?}");
    assert!(now(socket.recv()).is_none());
    assert!(wire.state().shut);
}

#[test]
fn a_reset_comes_after_what_had_arrived() {
    let (mut socket, wire) = server();
    wire.arrive(&wire::cat(&[to(TEXT, b"one"), to(TEXT, b"two")]));
    wire.end(End::Reset);
    assert_message(now(socket.recv()), b"one");
    assert_message(now(socket.recv()), b"two");
    assert!(matches!(now(socket.recv()), Some(Err(Error::Io(_)))));
    assert!(now(socket.recv()).is_none());
}

#[test]
fn a_failed_write_comes_after_what_had_arrived() {
    for end in [End::Silence, End::Eof, End::Reset] {
        let (mut socket, wire) = server();
        wire.arrive(&wire::cat(&[to(TEXT, b"one"), to(PING, b""), to(TEXT, b"two")]));
        wire.end(end);
        wire.fail_writes();
        assert_eq!(now(socket.send("lost")), Err(SendError::Closed));
        assert_eq!(now(socket.flush()), Err(SendError::Closed), "it was lost");
        assert_message(now(socket.recv()), b"one");
        assert_message(now(socket.recv()), b"two");
        let error = now(socket.recv());
        assert!(
            matches!(&error, Some(Err(Error::Io(error))) if error.kind() == std::io::ErrorKind::BrokenPipe),
            "the first error, {error:?}"
        );
        assert!(now(socket.recv()).is_none());
        assert_eq!(now(socket.flush()), Err(SendError::Closed), "it was lost");
    }
}

/// Writing fails after each number of bytes: what is on the wire is the start of what was sent, and all messages are received.
#[test]
fn a_write_fails_at_each_byte() {
    let input = wire::cat(&[to(TEXT, b"one"), to(PING, b"?"), to(BINARY, &[2; 2000]), to(TEXT, b"three")]);
    let whole = wire::cat(&[
        wire::from::<Server>(TEXT, b"one"),
        wire::from::<Server>(PONG, b"?"),
        wire::from::<Server>(BINARY, &[2; 2000]),
        wire::from::<Server>(TEXT, b"three"),
    ]);
    for at in (0..40).chain(1990..whole.len()) {
        for served in [false, true] {
            let (mut socket, wire) = server();
            wire.state().fails_at = Some(at);
            wire.arrive(&input);
            let mut seen = 0;
            let error = if served {
                now(socket.serve_fn(|message, reply| {
                    seen += 1;
                    reply.send(message).unwrap();
                }))
                .unwrap_err()
            } else {
                loop {
                    match now(socket.recv()).expect("an error comes before the end") {
                        Ok(message) => {
                            seen += 1;
                            socket.try_feed(message).unwrap();
                        }
                        Err(error) => break error,
                    }
                }
            };
            assert!(matches!(error, Error::Io(_)), "{at}");
            assert_eq!(seen, 3, "{at}");
            wire.take(usize::MAX);
            assert!(wire.state().taken == whole[..at], "{at}");
            assert!(now(socket.recv()).is_none());
        }
    }
}

#[test]
fn after_the_peers_close_a_failed_write_is_no_news() {
    // The write fails before the close arrives, or because of it.
    for before in [true, false] {
        let (mut socket, wire) = server();
        wire.fail_writes();
        if before {
            assert_eq!(now(socket.send("lost")), Err(SendError::Closed));
        }
        wire.arrive(&wire::cat(&[to(TEXT, b"one"), to(CLOSE, b"")]));
        assert_message(now(socket.recv()), b"one");
        let end = now(socket.recv());
        assert!(end.is_none(), "{end:?}");
        assert!(socket.peer_close().is_some());
    }
}

#[test]
fn good_messages_come_before_the_error_of_the_protocol() {
    let bad = [
        (wire::frame(TEXT, None, b"unmasked"), 1002),
        (to(0x83, b"reserved"), 1002),
        (to(TEXT, b"\xff"), 1007),
        (wire::head_to::<Server>(BINARY, 1 << 40), 1009),
    ];
    for (bad, code) in bad {
        let (mut socket, wire) = server();
        wire.arrive(&[to(TEXT, b"one"), to(PING, b"?"), to(TEXT, b"two"), bad, to(TEXT, b"late")].concat());
        assert_message(now(socket.recv()), b"one");
        assert_message(now(socket.recv()), b"two");
        let error = now(socket.recv());
        assert!(matches!(error, Some(Err(Error::Protocol(_)))), "{error:?}");
        let written = written(&wire);
        assert_eq!(written[0], (PONG, b"?".to_vec()));
        assert_eq!((written[1].0, &written[1].1[..2]), (CLOSE, &u16::to_be_bytes(code)[..]));
        assert_eq!(written.len(), 2);
        assert!(wire.state().shut);
        assert!(now(socket.recv()).is_none());
    }
}

/// The error stays what it is, whoever writes the close, and whether that works.
#[test]
fn an_error_of_the_protocol_is_not_forgotten() {
    for fails in [false, true] {
        let (scripted, wire) = stream(1);
        let mut socket = socket::<_, Server>(scripted);
        wire.arrive(&wire::frame(TEXT, None, b"unmasked"));
        assert!(poll_once(pin!(socket.recv())).is_pending(), "the close does not fit");
        if fails {
            wire.fail_writes();
            assert_eq!(now(socket.flush()), Err(SendError::Closed));
        }
        let error = loop {
            wire.take(usize::MAX);
            if let std::task::Poll::Ready(end) = poll_once(pin!(socket.recv())) {
                break end;
            }
        };
        assert!(matches!(error, Some(Err(Error::Protocol(_)))), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer() {
    let (server, mut client) = pair(100);
    let begin = Instant::now();
    let mut sender = tokio::spawn(async move { (client.send("unread").await, client) });
    let end = server.close(CloseCode::NORMAL, "").await;
    assert!(matches!(end, Err(Error::CloseTimeout)), "{end:?}");
    assert_eq!(begin.elapsed().as_secs(), 5);
    (&mut sender).await.unwrap().0.unwrap();
}

/// A peer that goes on sending does not keep a close from its end.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_delay_the_end() {
    for len in [1, 1000, 100_000] {
        // The client answers a close only when it receives, which it never does.
        let (server, mut client) = pair(1 << 20);
        let flood = tokio::spawn(async move { while client.send(vec![0; len]).await.is_ok() {} });
        // On a paused clock, time passes only while all wait, and in a flood, none does.
        let clock = tokio::spawn(async {
            loop {
                tokio::time::advance(Duration::from_millis(100)).await;
            }
        });
        let begin = Instant::now();
        let end = server.close(CloseCode::NORMAL, "").await;
        assert!(matches!(end, Err(Error::CloseTimeout)), "{end:?}");
        assert!((5..60).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
        clock.abort();
        flood.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_and_stays() {
    let (mut server, mut client) = pair(100);
    client.start_close(CloseCode::NORMAL, "").unwrap();
    client.flush().await.unwrap();
    let begin = Instant::now();
    assert!(server.recv().await.is_none());
    assert_eq!(begin.elapsed().as_secs(), 0, "a server is the first to end the stream");

    // A client waits for the server to end the stream, but not for ever, and that is no error.
    let (mut server, mut client) = pair(100);
    server.start_close(CloseCode::NORMAL, "").unwrap();
    server.flush().await.unwrap();
    let begin = Instant::now();
    assert!(client.recv().await.is_none());
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[test]
fn without_timers_nothing_waits_for_ever() {
    let (mut socket, wire) = server();
    wire.fail_writes();
    assert_eq!(now(socket.send("lost")), Err(SendError::Closed));
    wire.arrive(&to(CLOSE, b""));
    assert!(now(socket.recv()).is_none(), "though the peer does not end the stream");

    let (mut socket, wire) = server();
    wire.arrive(b"\xff");
    assert!(matches!(now(socket.recv()), Some(Err(Error::Protocol(_)))));
}

/// A task that waits for the queue to be written learns that another has ended the connection.
#[test]
fn a_flush_that_waits_learns_of_the_end() {
    let (scripted, wire) = stream(1);
    let socket = std::cell::RefCell::new(socket::<_, Server>(scripted));
    let (woken, waker) = waker();
    let poll_flush = || {
        let mut socket = socket.borrow_mut();
        let mut flush = pin!(socket.flush());
        flush.as_mut().poll(&mut Context::from_waker(&waker))
    };
    socket.borrow_mut().try_feed("Hello").unwrap();
    assert!(poll_flush().is_pending());
    assert!(poll_once(pin!(socket.borrow_mut().recv())).is_pending());
    wire.end(End::Reset);
    assert!(matches!(now(socket.borrow_mut().recv()), Some(Err(Error::Io(_)))));
    assert!(woken.times() > 0);
    assert_eq!(poll_flush(), std::task::Poll::Ready(Err(SendError::Closed)));
}

/// The same if another has written the last byte, or flushed.
#[test]
fn a_flush_that_waits_learns_that_all_is_written() {
    for must_flush in [false, true] {
        let (scripted, wire) = stream(if must_flush { 1000 } else { 1 });
        wire.state().must_flush = must_flush;
        wire.state().hold_writes(must_flush);
        let socket = std::cell::RefCell::new(socket::<_, Server>(scripted));
        let (woken, waker) = waker();
        socket.borrow_mut().try_feed("Hello").unwrap();
        {
            let mut socket = socket.borrow_mut();
            assert!(pin!(socket.flush()).as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        wire.state().hold_writes(false);
        while woken.times() == 0 {
            assert!(poll_once(pin!(socket.borrow_mut().recv())).is_pending());
            assert!(woken.times() > 0 || !wire.take(usize::MAX).is_empty(), "another has written all");
        }
    }
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// A peer whose messages are refused gets the close that says so, although much of what it sent was not read.
#[tokio::test]
async fn a_failed_connection_is_not_reset() {
    let (mut client, stream) = sockets().await;
    let mut server = WebSocket::<_, Server>::from_upgraded(stream, b"", Config::server());
    let failed = tokio::spawn(async move {
        let error = server.recv().await;
        drop(server);
        error
    });
    client.write_all(&wire::frame(TEXT, None, b"unmasked")).await.unwrap();
    for _ in 0..10 {
        client.write_all(&[0; 50_000]).await.unwrap();
    }
    client.shutdown().await.unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.expect("an end, and no reset");
    assert_eq!(frames::<Server>(&all).last().unwrap().1[..2], 1002u16.to_be_bytes());
    assert!(matches!(failed.await.unwrap(), Some(Err(Error::Protocol(_)))));
}

#[tokio::test]
async fn a_closed_connection_is_not_reset() {
    let (stream, other) = sockets().await;
    let server = WebSocket::<_, Server>::from_upgraded(stream, b"", Config::server());
    let mut client = WebSocket::<_, Client>::from_upgraded(other, b"", Config::client());
    // Messages are on their way while the server closes.
    for _ in 0..100 {
        client.try_feed(vec![1; 1000]).unwrap();
    }
    let closing = tokio::spawn(server.close(CloseCode::NORMAL, "enough"));
    assert!(client.recv().await.is_none());
    assert_eq!(client.peer_close().unwrap().reason.as_str(), "enough");
    closing.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reset_connection() {
    let (stream, other) = sockets().await;
    let mut server = WebSocket::<_, Server>::from_upgraded(stream, b"", Config::server());
    server.send("unread").await.unwrap();
    other.readable().await.unwrap();
    drop(other); // with unread bytes: a reset
    let end = server.recv().await;
    assert!(matches!(end, Some(Err(Error::Io(_)))), "{end:?}");
    assert!(server.recv().await.is_none());
}
