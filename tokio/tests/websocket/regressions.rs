//! What was wrong once, and has no place in another file.

use crate::{
    frames,
    sim::{now, poll_once, waker},
    socket,
    stream::{Scripted, Wire, stream},
    untimed,
};
use framewire::handshake::HandshakeError;
use framewire_testing::wire::{self, BINARY, CLOSE, CONTINUATION, MORE, PING, PONG, TEXT};
use framewire_tokio::{
    Acceptor, Client, Config, Connector, Error, Message, Refusal, SendError, Server, Tracker, WebSocket,
};
use std::{
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::{Instant, advance, sleep},
};

fn to(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::to::<Server>(first, payload)
}

fn server(capacity: usize, config: Config) -> (WebSocket<Scripted, Server>, Wire) {
    let (scripted, wire) = stream(capacity);
    (WebSocket::from_upgraded(scripted, b"", config), wire)
}

/// The rest of a message of which a part was read is no message.
#[test]
fn serve_skips_the_rest_of_a_message() {
    let (mut socket, wire) = server(1000, untimed::<Server>());
    wire.arrive(&to(TEXT & MORE, b"read "));
    let reader = now(socket.next_reader()).unwrap().unwrap();
    drop(reader);
    wire.arrive(&wire::cat(&[
        to(CONTINUATION & MORE, b"not "),
        to(CONTINUATION, b"read"),
        to(TEXT, b"next"),
        to(CLOSE, b""),
    ]));
    let mut seen = Vec::new();
    now(socket.serve_fn(|message, _| seen.push(message.as_bytes().to_vec()))).unwrap();
    assert_eq!(seen, [b"next"]);
}

/// As with `recv`: no reply can be sent any more.
#[tokio::test]
async fn serve_discards_what_arrives_after_a_trackers_close() {
    let (mut socket, wire) = server(1000, untimed::<Server>());
    let tracker = Tracker::new();
    tracker.track(&mut socket);
    let mut serve = Box::pin(socket.serve_fn(|message, reply| reply.send(message).unwrap()));
    wire.arrive(&to(TEXT, b"one"));
    assert!(poll_once(serve.as_mut()).is_pending());
    assert!(poll_once(pin!(tracker.shutdown(Duration::from_secs(1)))).is_pending());
    wire.arrive(&wire::cat(&[to(TEXT, b"two"), to(PING, b"?"), to(CLOSE, b"")]));
    assert!(now(serve).is_ok());
    wire.take(usize::MAX);
    assert_eq!(
        frames::<Server>(&wire.state().taken),
        [
            (TEXT, b"one".to_vec()),
            (CLOSE, wire::closing(1001, "the server is stopping")),
            (PONG, b"?".to_vec())
        ]
    );
}

/// A stream without vectored writes, such as one of TLS, gets a header with its payload.
#[test]
fn serve_writes_header_and_payload_together() {
    let (mut socket, wire) = server(1 << 20, untimed::<Server>());
    wire.state().vectored = false;
    wire.arrive(&wire::cat(&[to(BINARY, &[1; 5000]), to(BINARY, &[2; 5000])]));
    assert!(poll_once(pin!(socket.serve_fn(|message, reply| reply.send(message).unwrap()))).is_pending());
    let writes = wire.state().writes;
    assert_eq!(writes, 1);
    wire.take(usize::MAX);
    let expected = [(BINARY, vec![1; 5000]), (BINARY, vec![2; 5000])];
    assert_eq!(frames::<Server>(&wire.state().taken), expected);
}

/// Only bytes count: a task that waits until all is written is not one that wants to send.
#[test]
fn a_flush_does_not_keep_others_from_sending() {
    let (scripted, wire) = stream(10);
    let (sender, mut receiver) = socket::<_, Server>(scripted).into_split();
    sender.queue(vec![1; 100]).unwrap();
    let (woken, waker) = waker();
    let mut flush = Box::pin(sender.flush());
    assert!(flush.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    sender.try_send(vec![2; 10]).unwrap();
    sender.queue(vec![3; 10]).unwrap();
    now(sender.send(vec![4; 10])).unwrap();
    let (mut flushed, mut before) = (Poll::Pending, 0);
    while flushed.is_pending() {
        if wire.take(usize::MAX).is_empty() {
            assert!(poll_once(pin!(receiver.recv())).is_pending());
        }
        assert!(woken.times() > before, "the stream takes bytes, or another has written some");
        before = woken.times();
        flushed = flush.as_mut().poll(&mut Context::from_waker(&waker));
    }
    assert_eq!(flushed, Poll::Ready(Ok(())));
    while !wire.take(usize::MAX).is_empty() {
        assert!(poll_once(pin!(receiver.recv())).is_pending());
    }
    let payloads: Vec<_> = frames::<Server>(&wire.state().taken).iter().map(|frame| frame.1[0]).collect();
    assert_eq!(payloads, [1, 2, 3, 4]);
}

/// It waits for what was queued before, not for what others queue all the time.
#[test]
fn a_flush_ends_while_others_send() {
    for (must_flush, flush_waits) in [(false, false), (true, false), (false, true)] {
        let (scripted, wire) = stream(10);
        (wire.state().must_flush, wire.state().flush_waits) = (must_flush, flush_waits);
        let (sender, mut receiver) = socket::<_, Server>(scripted).into_split();
        sender.queue(vec![1; 100]).unwrap();
        let (woken, waker) = waker();
        let mut flush = Box::pin(sender.flush());
        let mut before = 0;
        while flush.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            assert!(wire.state().accepted < 200, "all of the first message was written");
            sender.queue(vec![2; 100]).unwrap();
            wire.take(usize::MAX);
            assert!(poll_once(pin!(receiver.recv())).is_pending());
            assert!(woken.times() > before, "bytes were written");
            before = woken.times();
        }
        wire.take(usize::MAX);
        assert_eq!(frames::<Server>(&wire.state().taken)[0], (BINARY, vec![1; 100]));
    }
}

/// If nobody else sends, it waits until the stream has passed the last bytes on.
#[test]
fn a_flush_waits_for_the_stream() {
    let (scripted, wire) = stream(10);
    wire.state().flush_waits = true;
    let (sender, _receiver) = socket::<_, Server>(scripted).into_split();
    sender.queue(vec![1; 8]).unwrap(); // with its header, as much as fits
    let (woken, waker) = waker();
    let mut flush = Box::pin(sender.flush());
    assert!(flush.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(wire.state().accepted, 10);
    assert!(flush.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    wire.take(usize::MAX);
    assert!(woken.times() > 0);
    assert_eq!(flush.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(())));
}

/// A sender whose future exists, but is not polled, does not keep others from learning of the end.
#[test]
fn all_senders_learn_of_the_end_at_once() {
    let mut config = untimed::<Server>();
    config.high_water = 100;
    let (socket, _wire) = server(10, config);
    let (sender, receiver) = socket.into_split();
    now(sender.send(vec![0; 200])).unwrap();
    let tasks = [waker(), waker(), waker()];
    let mut sends = tasks.each_ref().map(|_| Box::pin(sender.send("late")));
    for (send, (_, waker)) in sends.iter_mut().zip(&tasks) {
        assert!(send.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    drop(receiver);
    for (woken, _) in &tasks {
        assert!(woken.times() > 0);
    }
    assert_eq!(now(sends[2].as_mut()), Err(SendError::Closed));
}

/// The end is when all is written, not when all is received.
#[test]
fn closed_waits_for_the_last_bytes() {
    let (scripted, wire) = stream(3);
    let (sender, mut receiver) = socket::<_, Server>(scripted).into_split();
    sender.queue("last words").unwrap();
    wire.arrive(&to(CLOSE, b""));
    let mut closed = Box::pin(sender.closed());
    while poll_once(pin!(receiver.recv())).is_pending() {
        assert!(poll_once(closed.as_mut()).is_pending(), "bytes wait");
        wire.take(usize::MAX);
    }
    now(closed);
}

/// A program may ping from a thread that is not of the runtime.
#[test]
fn a_ping_outside_the_runtime() {
    let (mut socket, wire) = server(1000, Config::server());
    socket.ping().unwrap();
    let (sender, mut receiver) = socket.into_split();
    sender.ping().unwrap();
    assert!(now(sender.flush()).is_ok());
    wire.take(usize::MAX);
    let pings = frames::<Server>(&wire.state().taken);
    assert_eq!(pings.iter().filter(|frame| frame.0 == PING).count(), 2);
    // Its pong measures nothing, and does no harm.
    wire.arrive(&to(PONG, &pings[0].1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { assert!(poll_once(pin!(receiver.recv())).is_pending()) });
    assert_eq!(sender.last_rtt(), None);
}

/// Its runtime may have no timer, and need not live as long as the connection.
#[test]
fn a_ping_from_another_runtime() {
    for timer in [false, true] {
        let (socket, wire) = server(1000, Config::server());
        let mut other = tokio::runtime::Builder::new_current_thread();
        let other = if timer { other.enable_time() } else { &mut other }.build().unwrap();
        let (sender, mut receiver) = socket.into_split();
        other.block_on(async { sender.ping() }).unwrap();
        drop(other);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let begin = Instant::now();
            assert!(matches!(receiver.recv().await, Some(Err(Error::IdleTimeout))));
            assert!(begin.elapsed() >= Duration::from_secs(50));
        });
        wire.take(usize::MAX);
        let pings = frames::<Server>(&wire.state().taken).iter().filter(|frame| frame.0 == PING).count();
        assert_eq!(pings, 2, "and one of the receiver's own");
    }
}

/// The connection's clock counts milliseconds, and a round trip may be shorter.
#[tokio::test(start_paused = true)]
async fn a_round_trip_shorter_than_a_millisecond() {
    let (mut socket, wire) = server(1000, Config::server());
    assert!(poll_once(pin!(socket.recv())).is_pending());
    for micros in [1, 300, 900] {
        advance(Duration::from_micros(micros)).await;
        socket.ping().unwrap();
        // Another task receives from now on, and so sets the timer.
        let (_, other) = waker();
        assert!(pin!(socket.recv()).as_mut().poll(&mut Context::from_waker(&other)).is_pending());
        advance(Duration::from_micros(50)).await;
        let ping = frames::<Server>(&wire.take(usize::MAX)).remove(0);
        wire.arrive(&to(PONG, &ping.1));
        assert!(poll_once(pin!(socket.recv())).is_pending());
        assert_eq!(socket.last_rtt(), Some(Duration::from_micros(50)), "{micros}");
    }
}

/// While a program sends, it does not receive: the rest of a message may have arrived.
#[tokio::test(start_paused = true)]
async fn a_message_is_not_late_while_the_program_sends() {
    let mut config = Config::server();
    config.message_timeout = Some(Duration::from_secs(10));
    let (mut socket, wire) = server(10, config);
    wire.arrive(&to(TEXT & MORE, b"half "));
    assert!(poll_once(pin!(socket.recv())).is_pending());
    wire.arrive(&to(CONTINUATION, b"whole"));
    let begin = Instant::now();
    let send = tokio::spawn(async move { (socket.send(vec![0; 100]).await, socket) });
    while !send.is_finished() {
        sleep(Duration::from_secs(5)).await;
        wire.take(5);
    }
    assert!(begin.elapsed() > Duration::from_secs(60));
    let (sent, mut socket) = send.await.unwrap();
    sent.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap(), Message::from("half whole"));
}

/// The response to a HEAD has no body (RFC 9110 §9.3.2).
#[tokio::test]
async fn a_head_request_gets_no_body() {
    let acceptor = Acceptor::new(untimed::<Server>())
        .pages(|request| (request.path() == "/health").then(|| Refusal::new(200).body("It runs.\n")));
    for (path, length) in [("/health", 9), ("/", HandshakeError::NotUpgrade.to_string().len() + 1)] {
        let (near, mut far) = duplex(4 << 10);
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        far.write_all(request.as_bytes()).await.unwrap();
        assert!(acceptor.accept(near).await.is_err());
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(answer.contains(&format!("Content-Length: {length}\r\n")), "{answer}");
    }
}

/// Others may come before the answer (RFC 9110 §15.2), and frames with its end.
#[tokio::test]
async fn interim_answers_come_before_the_answer() {
    for cut in [1, 7, 1000] {
        let (near, mut far) = duplex(4 << 10);
        let serve = async {
            let mut request = vec![0; 1000];
            let mut len = 0;
            while !request[..len].ends_with(b"\r\n\r\n") {
                len += far.read(&mut request[len..]).await.unwrap();
            }
            let (one, mut other) = duplex(4 << 10);
            other.write_all(&request[..len]).await.unwrap();
            let mut server = Acceptor::new(untimed::<Server>()).accept(one).await.unwrap();
            server.send("first").await.unwrap();
            drop(server);
            let mut answer =
                b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                    .to_vec();
            other.read_to_end(&mut answer).await.unwrap();
            for piece in answer.chunks(cut) {
                far.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            far
        };
        let connector = Connector::new(untimed::<Client>());
        let (far, client) = tokio::join!(serve, connector.connect_on(near, "localhost", "/"));
        let mut client = client.unwrap();
        assert_eq!(client.recv().await.unwrap().unwrap(), Message::from("first"), "{cut}");
        drop(far);
    }
}

/// The rest of a request that is refused must not reset the connection before the peer has the answer.
#[tokio::test]
async fn what_has_arrived_of_a_refused_request_is_read() {
    let (scripted, wire) = stream(1 << 20);
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(15_000));
    wire.arrive(long.as_bytes());
    assert!(Acceptor::new(untimed::<Server>()).accept(scripted).await.is_err());
    let left = wire.state().arrived.len();
    assert_eq!(left, 0);
    assert!(wire.state().shut);
    assert!(wire.take(usize::MAX).starts_with(b"HTTP/1.1 431 "));
}
