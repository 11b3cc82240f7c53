//! The ordinary life of a connection.

use crate::pair;
use framewire_tokio::{Acceptor, CloseCode, Config, Connector, Error, Message, Tracker};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;

#[tokio::test]
async fn echo_of_every_size() {
    for room in [7, 1000, 1 << 20] {
        let (mut server, mut client) = pair(room);
        let serve = tokio::spawn(async move {
            while let Some(message) = server.recv().await {
                server.feed(message.unwrap()).await.unwrap();
            }
            server.peer_close().cloned()
        });
        for len in [0, 1, 125, 126, 1000, 4095, 4096, 65535, 65536, 300_000] {
            let message = Message::from(vec![7; len]);
            client.send(message.clone()).await.unwrap();
            assert_eq!(client.recv().await.unwrap().unwrap(), message);
            let text = Message::from("ä".repeat(len / 2));
            client.send(text.clone()).await.unwrap();
            assert_eq!(client.recv().await.unwrap().unwrap(), text);
        }
        let closed = client.close(CloseCode::NORMAL, "bye").await.unwrap();
        assert_eq!(closed.code, CloseCode::NORMAL);
        assert_eq!(serve.await.unwrap().unwrap().reason.as_str(), "bye");
    }
}

#[tokio::test]
async fn served() {
    for room in [7, 1000, 1 << 20] {
        let (mut server, mut client) = pair(room);
        let serve = tokio::spawn(async move {
            server.serve_fn(|message, reply| reply.send(message).unwrap()).await.unwrap();
            server.peer_close().cloned()
        });
        for len in [0, 1, 125, 126, 1000, 4095, 4096, 65535, 65536, 300_000] {
            let message = Message::from(vec![7; len]);
            client.send(message.clone()).await.unwrap();
            assert_eq!(client.recv().await.unwrap().unwrap(), message);
        }
        client.close(CloseCode::NORMAL, "bye").await.unwrap();
        assert_eq!(serve.await.unwrap().unwrap().reason.as_str(), "bye");
    }
}

#[tokio::test]
async fn halves_on_tasks() {
    let (server, mut client) = pair(100);
    let (sender, mut receiver) = server.into_split();
    for task in 0..8u8 {
        let sender = sender.clone();
        tokio::spawn(async move {
            for i in 0..100u8 {
                sender.send(vec![task, i]).await.unwrap();
            }
        });
    }
    let receive = tokio::spawn(async move { receiver.recv().await.is_none() });
    let mut next = [0; 8];
    for _ in 0..800 {
        let message = client.recv().await.unwrap().unwrap();
        let [task, i] = message.as_bytes() else { panic!() };
        assert_eq!(next[usize::from(*task)], *i);
        next[usize::from(*task)] += 1;
    }
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(receive.await.unwrap());
    assert!(sender.is_closed());
    sender.closed().await;
}

#[tokio::test]
async fn handshake_and_shutdown() {
    let (one, other) = tokio::io::duplex(1 << 16);
    let tracker = Tracker::new();
    let mut config = Config::server();
    config.subprotocols = vec!["chat".into()];
    let acceptor = Acceptor::new(config).tracked_by(&tracker);
    let mut config = Config::client();
    config.subprotocols = vec!["no".into(), "chat".into()];
    let connector = Connector::new(config);
    let (server, client) = tokio::join!(acceptor.accept(one), connector.connect_on(other, "localhost", "/"));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    assert_eq!((server.subprotocol(), client.subprotocol()), (Some("chat"), Some("chat")));
    assert_eq!(tracker.len(), 1);
    let serve = tokio::spawn(async move { server.recv().await.is_none() });
    let down = tokio::spawn(async move { tracker.shutdown(Duration::from_secs(5)).await });
    assert!(client.recv().await.is_none());
    assert_eq!(client.peer_close().unwrap().code, CloseCode::GOING_AWAY);
    assert!(serve.await.unwrap());
    assert_eq!(down.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn timeouts() {
    let (mut server, client) = pair(100);
    let begin = tokio::time::Instant::now();
    let end = server.recv().await;
    assert!(matches!(end, Some(Err(Error::IdleTimeout))), "{end:?}");
    assert_eq!(begin.elapsed().as_secs(), 50);
    assert!(server.recv().await.is_none());
    drop(client);

    let (mut server, client) = pair(100);
    let begin = tokio::time::Instant::now();
    server.feed(vec![0; 1000]).await.unwrap();
    let end = server.recv().await;
    assert!(matches!(end, Some(Err(Error::WriteTimeout))), "{end:?}");
    assert_eq!(begin.elapsed().as_secs(), 30);
    drop(client);
}

#[tokio::test]
async fn combinators() {
    let (server, mut client) = pair(1000);
    let (mut sink, mut stream) = server.split();
    tokio::spawn(async move {
        while let Some(message) = stream.next().await {
            sink.send(message.unwrap()).await.unwrap();
        }
    });
    for i in 0..100u8 {
        client.send(vec![i; 500]).await.unwrap();
        assert_eq!(client.recv().await.unwrap().unwrap().as_bytes(), [i; 500]);
    }
}

#[tokio::test]
async fn both_send_first() {
    let (mut server, mut client) = pair(1000);
    let message = Message::from(vec![7; 1 << 20]);
    for _ in 0..3 {
        server.try_feed(message.clone()).unwrap();
        client.try_feed(message.clone()).unwrap();
        let (one, other) = tokio::join!(server.recv(), client.recv());
        assert_eq!((one.unwrap().unwrap(), other.unwrap().unwrap()), (message.clone(), message.clone()));
    }
}
