//! Both ends send more than their pipe holds, at the same time. On a paused clock, two ends that wait for each other are found by
//! their timeouts, at once.

use crate::{pair, pair_with, untimed};
use framewire_tokio::{Client, Config, Message, Receiver, Role, Sender, Server, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    task::JoinSet,
};

const ROOMS: [usize; 4] = [7, 1000, 64 << 10, 1 << 20];

/// The messages of one sender to the other end: more than any pipe, with all marks of the queues, holds.
fn messages(room: usize) -> impl Iterator<Item = Vec<u8>> {
    let len = if room < 1000 { 100 } else { 40_000 };
    (0..100u8).map(move |i| vec![i; len])
}

fn narrow<R: Role>() -> Config {
    let mut config = if std::any::TypeId::of::<R>() == std::any::TypeId::of::<Client>() {
        Config::client()
    } else {
        Config::server()
    };
    config.high_water = 2000;
    config
}

async fn expect<E: std::fmt::Debug>(
    room: usize,
    mut received: impl futures_util::Stream<Item = Result<Message, E>> + Unpin,
) {
    for message in messages(room) {
        assert_eq!(received.next().await.unwrap().unwrap(), Message::from(message));
    }
}

#[tokio::test(start_paused = true)]
async fn one_task_for_each_end() {
    async fn exchange<R: Role>(room: usize, mut socket: WebSocket<DuplexStream, R>) {
        let mut ours = messages(room).peekable();
        let mut theirs = messages(room).peekable();
        while ours.peek().is_some() || theirs.peek().is_some() {
            // What a message needs is asked for apart from it, so that dropping it loses nothing.
            let more = ours.peek().is_some();
            let received = std::future::poll_fn(|cx| {
                if let std::task::Poll::Ready(message) = socket.poll_recv(cx) {
                    return std::task::Poll::Ready(Some(message.unwrap().unwrap()));
                }
                if more && socket.waiting() < 2000 {
                    std::task::Poll::Ready(None)
                } else {
                    std::task::Poll::Pending
                }
            });
            match received.await {
                Some(message) => assert_eq!(message, Message::from(theirs.next().unwrap())),
                None => SinkExt::feed(&mut socket, Message::from(ours.next().unwrap())).await.unwrap(),
            }
        }
        socket.flush().await.unwrap();
    }
    for room in ROOMS {
        let (server, client) = pair_with(room, narrow::<Server>(), narrow::<Client>());
        tokio::join!(exchange(room, server), exchange(room, client));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_for_each_direction() {
    for room in ROOMS {
        let (server, client) = pair_with(room, narrow::<Server>(), narrow::<Client>());
        let mut tasks = JoinSet::new();
        let (mut sink, stream) = server.split();
        tasks.spawn(expect(room, stream));
        tasks.spawn(async move {
            for message in messages(room) {
                sink.send(message.into()).await.unwrap();
            }
        });
        let (mut sink, stream) = client.split();
        tasks.spawn(expect(room, stream));
        tasks.spawn(async move {
            for message in messages(room) {
                sink.send(message.into()).await.unwrap();
            }
        });
        tasks.join_all().await;
    }
}

/// The program drops a task whose waker is in the stream, and goes on in another.
#[tokio::test(start_paused = true)]
async fn a_task_is_dropped_while_it_waits() {
    for room in ROOMS {
        let (server, mut client) = pair_with(room, narrow::<Server>(), narrow::<Client>());
        let (sink, mut stream) = server.split();
        let sink = std::sync::Arc::new(tokio::sync::Mutex::new(sink));
        let receive = tokio::spawn(async move { stream.next().await });
        let theirs = sink.clone();
        let first = tokio::spawn(async move {
            let mut sink = theirs.lock().await;
            sink.send(vec![1; 3 << 20].into()).await
        });
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let last = tokio::spawn(async move { sink.lock().await.send(vec![2; 10].into()).await });
        assert_eq!(client.recv().await.unwrap().unwrap().len(), 3 << 20);
        assert_eq!(client.recv().await.unwrap().unwrap().len(), 10);
        last.await.unwrap().unwrap();
        client.send("done").await.unwrap();
        assert_eq!(receive.await.unwrap().unwrap().unwrap(), Message::from("done"));
    }
}

async fn send_all<R: Role>(room: usize, task: u8, sender: Sender<R>) {
    for mut message in messages(room) {
        message[1] = task;
        sender.send(message).await.unwrap();
    }
}

async fn receive_all<S: AsyncRead + AsyncWrite + Unpin, R: Role>(room: usize, mut receiver: Receiver<S, R>) {
    let mut next = [0; 8];
    for _ in 0..800 {
        let message = receiver.recv().await.unwrap().unwrap();
        let [i, task, ..] = message.as_bytes() else { panic!("too short") };
        assert_eq!(*i, next[usize::from(*task)], "the messages of each sender in their order");
        next[usize::from(*task)] += 1;
    }
    assert_eq!(next, [100; 8], "room {room}");
    // The other end's receiver may still need this one to write.
    receiver.recv().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_senders_at_each_end() {
    for room in [7, 1000, 1 << 20] {
        let (server, client) = pair_with(room, narrow::<Server>(), narrow::<Client>());
        let mut tasks = JoinSet::new();
        let (server, receiver) = server.into_split();
        let (client, other_receiver) = client.into_split();
        let receivers =
            [tokio::spawn(receive_all(room, receiver)), tokio::spawn(receive_all(room, other_receiver))];
        for task in 0..8 {
            tasks.spawn(send_all(room, task, server.clone()));
            tasks.spawn(send_all(room, task, client.clone()));
        }
        tasks.join_all().await;
        server.start_close(framewire_tokio::CloseCode::NORMAL, "").unwrap();
        for receiver in receivers {
            receiver.await.unwrap();
        }
    }
}

/// Echoes by `feed` hold back a peer that does not read, and go on when it does.
#[tokio::test(start_paused = true)]
async fn an_echo_waits_for_a_slow_reader() {
    let (mut server, client) = pair_with(1000, narrow::<Server>(), untimed::<Client>());
    let echo = tokio::spawn(async move {
        while let Some(message) = server.recv().await {
            server.feed(message.unwrap()).await.unwrap();
            assert!(server.waiting() <= 2000 + 200);
        }
    });
    let (mut sink, mut stream) = client.split();
    let sent = tokio::spawn(async move {
        for i in 0..1000u32 {
            sink.feed(i.to_be_bytes().repeat(20).into()).await.unwrap();
        }
        sink.close().await.unwrap();
    });
    for i in 0..1000u32 {
        tokio::task::yield_now().await;
        assert_eq!(stream.next().await.unwrap().unwrap().as_bytes(), i.to_be_bytes().repeat(20));
    }
    assert!(stream.next().await.is_none());
    sent.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_answered_in_the_end() {
    let (mut server, mut client) = pair(100);
    let serve = tokio::spawn(async move { server.recv().await.is_none() });
    for i in 0..100_000u32 {
        client.ping_with(&i.to_be_bytes()).unwrap();
    }
    client.ping().unwrap();
    while client.last_rtt().is_none() {
        client.next_event().await.unwrap().unwrap();
    }
    client.close(framewire_tokio::CloseCode::NORMAL, "").await.unwrap();
    assert!(serve.await.unwrap());
}
