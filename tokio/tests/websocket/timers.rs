//! Timeouts, on a paused clock. None comes early, and none later than twice its length.

use crate::{
    frames, pair, pair_with,
    sim::{now, poll_once, waker},
    stream::{Scripted, Wire, stream},
    untimed,
};
use framewire_testing::wire::{self, BINARY, MORE, PING, PONG, TEXT};
use framewire_tokio::{
    Acceptor, Client, CloseCode, Config, Connector, Error, Event, Handler, Keepalive, Lent, Message, Reply,
    SendError, Server, WebSocket,
};
use futures_util::{SinkExt, StreamExt};
use std::{
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, advance, sleep};

fn server(capacity: usize) -> (WebSocket<Scripted, Server>, Wire) {
    let (scripted, wire) = stream(capacity);
    (WebSocket::from_upgraded(scripted, b"", Config::server()), wire)
}

fn to(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::to::<Server>(first, payload)
}

fn secs(begin: Instant) -> u64 {
    begin.elapsed().as_secs()
}

fn pings(wire: &Wire) -> usize {
    wire.take(usize::MAX);
    frames::<Server>(&wire.state().taken).iter().filter(|frame| frame.0 == PING).count()
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_given_up() {
    let (mut socket, wire) = server(1000);
    let begin = Instant::now();
    let recv = tokio::spawn(async move { socket.recv().await });
    sleep(Duration::from_millis(29_990)).await;
    assert_eq!(pings(&wire), 0);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(pings(&wire), 1);
    let end = recv.await.unwrap();
    assert!(matches!(end, Some(Err(Error::IdleTimeout))), "{end:?}");
    assert_eq!(secs(begin), 50);
    assert_eq!(pings(&wire), 1);
}

#[tokio::test(start_paused = true)]
async fn any_byte_keeps_alive() {
    let message = to(BINARY, &[7; 100]);
    for piece in [to(PONG, b"unasked"), to(BINARY, b"x"), message[..1].to_vec()] {
        let (mut socket, wire) = server(1000);
        let recv = tokio::spawn(async move { while socket.recv().await.unwrap().is_ok() {} });
        for _ in 0..10 {
            sleep(Duration::from_secs(49)).await;
            assert!(!recv.is_finished());
            wire.arrive(&piece);
        }
        assert!(pings(&wire) >= 5);
        recv.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_tells_the_round_trip() {
    let (mut socket, wire) = server(1000);
    assert_eq!(socket.last_rtt(), None);
    socket.ping().unwrap();
    assert!(poll_once(pin!(socket.recv())).is_pending());
    let ping = wire.take(usize::MAX);
    advance(Duration::from_millis(123)).await;
    wire.arrive(&to(PONG, b"another"));
    assert_eq!(now(socket.next_event()).unwrap().unwrap(), Event::Pong("another".into()));
    assert_eq!(socket.last_rtt(), None, "not the answer");
    wire.arrive(&to(PONG, &frames::<Server>(&ping)[0].1));
    assert!(matches!(now(socket.next_event()), Some(Ok(Event::Pong(_)))));
    assert_eq!(socket.last_rtt(), Some(Duration::from_millis(123)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read() {
    // In `recv`, in `send`, and in a task of each.
    let (mut server, _client) = pair(100);
    let begin = Instant::now();
    server.try_feed(vec![0; 1000]).unwrap();
    assert!(matches!(server.recv().await, Some(Err(Error::WriteTimeout))));
    assert_eq!(secs(begin), 30);
    assert!(server.recv().await.is_none());

    let (mut server, _client) = pair(100);
    let begin = Instant::now();
    assert_eq!(server.send(vec![0; 1000]).await, Err(SendError::Timeout));
    assert_eq!(secs(begin), 30);
    assert_eq!(server.send(vec![0]).await, Err(SendError::Closed));
    assert!(matches!(server.recv().await, Some(Err(Error::WriteTimeout))));

    let (server, _client) = pair(100);
    let begin = Instant::now();
    let (mut sink, mut stream) = server.split();
    let send = tokio::spawn(async move { sink.send(vec![0; 1000].into()).await });
    assert!(matches!(stream.next().await, Some(Err(Error::WriteTimeout))));
    assert!(send.await.unwrap().is_err());
    assert_eq!(secs(begin), 30);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_kept() {
    let (mut server, wire) = server(10);
    let send = tokio::spawn(async move { server.send(vec![0; 100]).await });
    while !send.is_finished() {
        sleep(Duration::from_secs(29)).await;
        wire.take(5);
    }
    send.await.unwrap().unwrap();
}

/// Nobody but the receiver looks at the clock, and it may wait without a timer of its own, as a client's.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_what_senders_send() {
    for how in 0..3 {
        let (_server, client) = pair(100);
        let (sender, mut receiver) = client.into_split();
        let receive = tokio::spawn(async move { receiver.recv().await });
        sleep(Duration::from_secs(1)).await; // the receiver waits
        let begin = Instant::now();
        match how {
            0 => sender.try_send(vec![0; 1000]).unwrap(),
            1 => sender.queue(vec![0; 1000]).unwrap(),
            _ => sender.send(vec![0; 1000]).await.unwrap(),
        }
        assert!(matches!(receive.await.unwrap(), Some(Err(Error::WriteTimeout))));
        assert_eq!(secs(begin), 30);
        assert_eq!(sender.flush().await, Err(SendError::Closed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_end() {
    let (mut socket, wire) = server(1000);
    let begin = Instant::now();
    let recv = tokio::spawn(async move { (socket.recv().await, socket.recv().await) });
    wire.arrive(&to(TEXT & MORE, b"begin"));
    while !recv.is_finished() {
        sleep(Duration::from_secs(10)).await;
        wire.arrive(&to(MORE & 0x80, b"more"));
        assert!(secs(begin) <= 620, "twice the timeout");
    }
    assert!(secs(begin) >= 300);
    assert!(matches!(recv.await.unwrap(), (Some(Err(Error::MessageTimeout)), None)));
}

/// The pong is in the kernel, and neither the program nor the runtime has looked at it.
#[tokio::test(start_paused = true)]
async fn a_busy_program_does_not_punish_its_peer() {
    let (mut socket, wire) = server(1000);
    assert!(poll_once(pin!(socket.recv())).is_pending());
    advance(Duration::from_secs(31)).await;
    assert!(poll_once(pin!(socket.recv())).is_pending());
    assert_eq!(pings(&wire), 1);
    // The clock goes on, but the runtime has no turn. Each poll is by another task.
    assert!(poll_once(pin!(advance(Duration::from_secs(100)))).is_pending());
    let (_, other) = waker();
    assert!(pin!(socket.recv()).as_mut().poll(&mut Context::from_waker(&other)).is_pending());
    wire.arrive(&to(PONG, b""));
    assert!(poll_once(pin!(socket.recv())).is_pending());
    tokio::task::yield_now().await;
    assert!(poll_once(pin!(socket.recv())).is_pending());
    wire.arrive(&to(TEXT, b"alive"));
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from("alive"));
}

/// The pong is there, but the task has used up its budget, so that it cannot read.
#[tokio::test(start_paused = true)]
async fn a_task_without_budget_does_not_punish_its_peer() {
    let (mut server, mut client) = pair(1000);
    assert!(poll_once(pin!(server.recv())).is_pending());
    advance(Duration::from_secs(31)).await;
    assert!(poll_once(pin!(server.recv())).is_pending());
    assert!(matches!(client.next_event().await, Some(Ok(Event::Ping(_)))));
    client.flush().await.unwrap();
    advance(Duration::from_secs(31)).await;
    while poll_once(pin!(tokio::task::coop::consume_budget())).is_ready() {}
    assert!(poll_once(pin!(server.recv())).is_pending());
    tokio::task::yield_now().await;
    client.send("alive").await.unwrap();
    assert_eq!(server.recv().await.unwrap().unwrap(), Message::from("alive"));
}

/// A task that sends, and waits, sets the timer for itself: the one that receives must still be woken by it.
#[tokio::test(start_paused = true)]
async fn a_task_that_sends_does_not_displace_the_timer() {
    for aborted in [false, true] {
        let (server, wire) = server(10);
        let (mut sink, mut stream) = server.split();
        let receive = tokio::spawn(async move { stream.next().await });
        sleep(Duration::from_secs(1)).await;
        let send = tokio::spawn(async move {
            let sent = sink.send(vec![0; 100].into()).await;
            (sink, sent)
        });
        sleep(Duration::from_secs(1)).await;
        if aborted {
            send.abort();
            let _ = send.await;
            while !wire.take(usize::MAX).is_empty() {
                tokio::task::yield_now().await;
            }
        } else {
            while !send.is_finished() {
                wire.take(usize::MAX);
                tokio::task::yield_now().await;
            }
            send.await.unwrap().1.unwrap();
        }
        let begin = Instant::now();
        while !receive.is_finished() && secs(begin) < 1000 {
            sleep(Duration::from_secs(1)).await;
            wire.take(usize::MAX);
        }
        assert!(secs(begin) <= 80, "the silent peer is given up");
        assert!(matches!(receive.await.unwrap(), Some(Err(Error::IdleTimeout))));
    }
}

/// It gets the ping behind all that waited, and has its time from then on.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_gets_the_ping_late() {
    for answers in [true, false] {
        let (mut socket, wire) = server(1000);
        let begin = Instant::now();
        socket.try_feed(vec![0; 200_000]).unwrap();
        let recv = tokio::spawn(async move { socket.recv().await });
        let mut pinged = None;
        while !recv.is_finished() {
            sleep(Duration::from_secs(1)).await;
            wire.take(1000);
            if pinged.is_none() {
                let state = wire.state();
                pinged = frames::<Server>(&state.taken).get(1).map(|ping| (secs(begin), ping.1.clone()));
                drop(state);
                if let (Some((_, payload)), true) = (&pinged, answers) {
                    wire.arrive(&to(PONG, payload));
                }
            }
        }
        let end = recv.await.unwrap();
        assert!(matches!(end, Some(Err(Error::IdleTimeout))), "{end:?}");
        let silence = secs(begin) - pinged.expect("a ping").0;
        // After the answer, there is a second ping.
        let least = if answers { 50 } else { 20 };
        assert!((least..=2 * least).contains(&silence), "{silence}");
    }
}

/// Without a limit for writing, too, a peer that neither reads nor sends is given up.
#[tokio::test(start_paused = true)]
async fn a_ping_that_the_peer_does_not_take() {
    let (scripted, _wire) = stream(10);
    let mut config = Config::server();
    config.write_timeout = None;
    let mut socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
    socket.try_feed(vec![0; 100]).unwrap();
    let begin = Instant::now();
    assert!(matches!(socket.recv().await, Some(Err(Error::IdleTimeout))));
    assert_eq!(secs(begin), 50);
}

/// No ping can be sent, so the peer owes no answer.
#[tokio::test(start_paused = true)]
async fn silence_after_the_own_close_is_no_idle_timeout() {
    for (close_timeout, lasts) in [(Some(Duration::from_secs(200)), 200), (None, 1000)] {
        let (scripted, _wire) = stream(1000);
        let mut config = Config::server();
        config.close_timeout = close_timeout;
        let mut socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
        socket.start_close(CloseCode::NORMAL, "").unwrap();
        let begin = Instant::now();
        let recv = tokio::spawn(async move { socket.recv().await });
        while !recv.is_finished() && secs(begin) < 1000 {
            sleep(Duration::from_secs(1)).await;
        }
        assert!((lasts..=lasts + 1).contains(&secs(begin)));
        if recv.is_finished() {
            assert!(matches!(recv.await.unwrap(), Some(Err(Error::CloseTimeout))));
        }
    }
}

/// The task that receives may wait without a timer, as a client's.
#[tokio::test(start_paused = true)]
async fn a_sink_that_closes_limits_the_wait_for_the_peers_close() {
    let (_server, client) = pair(100);
    let (mut sink, mut stream) = client.split();
    let receive = tokio::spawn(async move { stream.next().await });
    sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();
    sink.close().await.unwrap();
    let end = receive.await.unwrap();
    assert!(matches!(end, Some(Err(Error::CloseTimeout))), "{end:?}");
    assert_eq!(secs(begin), 5);
}

/// The timer wakes both tasks. If the one that sends looks first, it finds nothing to do, and sets the timer anew.
#[tokio::test(start_paused = true)]
async fn a_task_that_sends_does_not_hide_that_the_timer_rang() {
    for message in [true, false] {
        let (scripted, wire) = stream(10);
        let mut config = Config::server();
        config.message_timeout = Some(Duration::from_secs(10));
        config.write_timeout = Some(Duration::from_secs(1000));
        let socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
        let (mut sink, mut stream) = socket.split();
        if message {
            wire.arrive(&to(TEXT & MORE, b"begin"));
        }
        let ((_, sends), (_, receives)) = (waker(), waker());
        let (mut sends, mut receives) = (Context::from_waker(&sends), Context::from_waker(&receives));
        let mut send = pin!(sink.send(vec![0; 10_000].into()));
        let mut receive = pin!(stream.next());
        let begin = Instant::now();
        let mut sent = Poll::Pending;
        let end = loop {
            if sent.is_pending() {
                sent = send.as_mut().poll(&mut sends);
            }
            if let Poll::Ready(end) = receive.as_mut().poll(&mut receives) {
                break end;
            }
            assert!(secs(begin) < 100, "the peer is given up");
            advance(Duration::from_micros(333_333)).await;
        };
        assert!(matches!(
            (message, end),
            (true, Some(Err(Error::MessageTimeout))) | (false, Some(Err(Error::IdleTimeout)))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_cannot_be_written() {
    let (mut socket, wire) = server(1000);
    let begin = Instant::now();
    let recv = tokio::spawn(async move { socket.recv().await });
    sleep(Duration::from_secs(1)).await;
    wire.fail_writes();
    assert!(matches!(recv.await.unwrap(), Some(Err(Error::Io(_)))));
    assert!(secs(begin) <= 35 + 1, "the ping's time and the close's");
}

#[tokio::test(start_paused = true)]
async fn keepalive_of_a_client() {
    let mut config = Config::client();
    config.keepalive =
        Some(Keepalive { idle: Duration::from_millis(1500), answer: Duration::from_millis(1) });
    let (mut server, mut client) = pair_with(100, untimed::<Server>(), config);
    let serve = tokio::spawn(async move { server.recv().await });
    let begin = Instant::now();
    let pong = client.next_event().await;
    assert!(matches!(pong, Some(Ok(Event::Pong(_)))), "{pong:?}");
    assert!(begin.elapsed() >= Duration::from_millis(1500));
    assert!(client.last_rtt().is_some());
    serve.abort();
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeouts_are_none() {
    let mut config = Config::server();
    for timeout in [&mut config.write_timeout, &mut config.message_timeout, &mut config.close_timeout] {
        *timeout = Some(Duration::MAX);
    }
    config.keepalive = Some(Keepalive { idle: Duration::MAX, answer: Duration::MAX });
    let (mut server, mut client) = pair_with(100, config, untimed::<Client>());
    let recv = tokio::spawn(async move { server.recv().await });
    sleep(Duration::from_secs(24 * 3600)).await;
    assert!(!recv.is_finished());
    client.send("Hi").await.unwrap();
    assert_eq!(recv.await.unwrap().unwrap().unwrap(), Message::from("Hi"));
}

/// A runtime without a timer panics if one is asked for.
#[test]
fn without_timers_no_timer_is_needed() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (one, other) = tokio::io::duplex(10);
        let acceptor = Acceptor::new(untimed::<Server>());
        let connector = Connector::new(untimed::<Client>());
        let (server, client) = tokio::join!(acceptor.accept(one), connector.connect_on(other, "host", "/"));
        let (mut server, client) = (server.unwrap(), client.unwrap());
        let serve = tokio::spawn(async move {
            server.ping().unwrap();
            server.try_feed(vec![0; 1 << 20]).unwrap();
            while let Some(message) = server.recv().await {
                server.feed(message.unwrap()).await.unwrap();
            }
        });
        let (sender, mut receiver) = client.into_split();
        sender.ping().unwrap();
        let send = tokio::spawn(async move {
            sender.send("Hi").await.unwrap();
            sender
        });
        assert_eq!(receiver.recv().await.unwrap().unwrap().len(), 1 << 20);
        assert_eq!(receiver.recv().await.unwrap().unwrap().len(), 2);
        send.await.unwrap().start_close(CloseCode::NORMAL, "").unwrap();
        assert!(receiver.recv().await.is_none());
        serve.await.unwrap();
    });
}

struct Echo;

impl Handler<Server> for Echo {
    fn message<'b>(&mut self, message: Lent<'b>, reply: &mut Reply<'_, 'b, Server>) {
        reply.send(message).unwrap();
    }
}

/// While replies wait, `serve` does not look at what arrives. A timer that rings then is looked at once the replies are written.
#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_after_it_was_slow() {
    for first_silent in [false, true] {
        let (scripted, wire) = stream(10);
        let mut config = Config::server();
        (config.write_timeout, config.high_water) = (None, 100);
        let mut socket = WebSocket::<_, Server>::from_upgraded(scripted, b"", config);
        let begin = Instant::now();
        let serve = tokio::spawn(async move { socket.serve(Echo).await });
        if first_silent {
            sleep(Duration::from_secs(1)).await;
        }
        wire.arrive(&to(BINARY, &[0; 1000]));
        sleep(Duration::from_secs(40)).await;
        while !wire.take(10).is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(serve.await.unwrap(), Err(Error::IdleTimeout)));
        assert!(secs(begin) < 130, "{}", secs(begin));
    }
}
