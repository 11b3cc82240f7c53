//! Compression: both roles, with and without takeover.

use crate::{
    frames,
    sim::{now, poll_once},
    stream::{Wire, stream},
    untimed,
};
use bytes::Bytes;
use framewire_testing::{
    payload::{Random, noise, prose},
    peer::upgrade,
    wire::{self, BINARY, RSV1, TEXT},
};
use framewire_tokio::{
    Acceptor, Client, Compression, Config, Connector, Error, Limits, Message, ProtocolError, Role, Server,
    WebSocket,
};
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

fn compressed<R: Role>(takeover: bool) -> Config {
    let mut config = untimed::<R>();
    let mut compression = Compression::default();
    compression.takeover = takeover;
    config.compression = Some(compression);
    config
}

async fn open(
    acceptor: &Acceptor,
    connector: &Connector,
    room: usize,
) -> (WebSocket<DuplexStream, Server>, WebSocket<DuplexStream, Client>) {
    let (one, other) = tokio::io::duplex(room);
    let (server, client) = tokio::join!(acceptor.accept(one), connector.connect_on(other, "host", "/"));
    (server.unwrap(), client.unwrap())
}

fn messages(seed: u64) -> Vec<Message> {
    let random = &mut Random(seed);
    (0..30)
        .map(|i| {
            let len = random.below([10, 200, 5000, 60_000][i % 4]);
            match random.below(3) {
                0 => Message::from(String::from_utf8(prose(len, random.next())).unwrap()),
                1 => prose(len, random.next()).into(),
                _ => noise(len, random.next()).into(),
            }
        })
        .collect()
}

#[tokio::test]
async fn echoes() {
    for (server, client) in [(false, false), (true, true), (true, false), (false, true)] {
        let acceptor = Acceptor::new(compressed::<Server>(server));
        let connector = Connector::new(compressed::<Client>(client));
        for how in 0..3 {
            let (mut server, mut client) = open(&acceptor, &connector, 3000).await;
            let echo = tokio::spawn(async move {
                match how {
                    0 => server.serve_fn(|message, reply| reply.send(message).unwrap()).await.unwrap(),
                    1 => {
                        while let Some(message) = server.recv().await {
                            server.try_feed(message.unwrap()).unwrap();
                        }
                    }
                    _ => {
                        let (sender, mut receiver) = server.into_split();
                        while let Some(message) = receiver.recv().await {
                            sender.send(message.unwrap()).await.unwrap();
                        }
                    }
                }
            });
            for message in messages(how) {
                client.send(message.clone()).await.unwrap();
                assert!(client.recv().await.unwrap().unwrap() == message);
            }
            client.close(framewire_tokio::CloseCode::NORMAL, "").await.unwrap();
            echo.await.unwrap();
        }
    }
}

/// There is a window for one connection. The first has it before its answer is written; the second does without.
#[test]
fn the_last_window_is_taken_before_the_answer() {
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let begin = |room| {
        let (scripted, wire) = stream(room);
        wire.arrive(request.as_bytes());
        (scripted, wire)
    };
    let has_window = |wire: &Wire| {
        wire.take(usize::MAX);
        let answer = String::from_utf8(wire.state().taken.clone()).unwrap();
        assert!(answer.contains("Sec-WebSocket-Extensions: permessage-deflate"), "{answer}");
        !answer.contains("client_no_context_takeover")
    };
    let mut config = compressed::<Server>(true);
    config.compression.as_mut().unwrap().windows = 40_000;
    let acceptor = Acceptor::new(config);

    let (slow, slow_wire) = begin(7);
    let mut first = Box::pin(acceptor.accept(slow));
    assert!(poll_once(first.as_mut()).is_pending(), "the peer does not read the answer");
    let (stream, wire) = begin(1000);
    let second = now(acceptor.accept(stream)).unwrap();
    assert!(!has_window(&wire));
    let first = loop {
        if let Poll::Ready(first) = poll_once(first.as_mut()) {
            break first.unwrap();
        }
        slow_wire.take(7);
    };
    assert!(has_window(&slow_wire));
    drop((first, second));

    // What gives up gives its window back.
    let (slow, _wire) = begin(7);
    let mut dropped = Box::pin(acceptor.accept(slow));
    assert!(poll_once(dropped.as_mut()).is_pending());
    drop(dropped);
    let (stream, wire) = begin(1000);
    let _third = now(acceptor.accept(stream)).unwrap();
    assert!(has_window(&wire));
}

/// One end compresses, and the other has never heard of it.
#[tokio::test]
async fn only_one_end() {
    for ours in [true, false] {
        let acceptor = Acceptor::new(if ours { compressed::<Server>(true) } else { untimed::<Server>() });
        let connector = Connector::new(if ours { untimed::<Client>() } else { compressed::<Client>(true) });
        let (mut server, mut client) = open(&acceptor, &connector, 100_000).await;
        for message in messages(1) {
            client.send(message.clone()).await.unwrap();
            assert!(server.recv().await.unwrap().unwrap() == message);
            server.send(message.clone()).await.unwrap();
            assert!(client.recv().await.unwrap().unwrap() == message);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_move() {
    let acceptor = Acceptor::new(compressed::<Server>(true));
    let connector = Connector::new(compressed::<Client>(true));
    let mut tasks = tokio::task::JoinSet::new();
    for seed in 0..8 {
        let (mut server, mut client) = open(&acceptor, &connector, 2000).await;
        tasks.spawn(async move {
            while let Some(message) = server.recv().await {
                tokio::task::yield_now().await;
                server.send(message.unwrap()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        tasks.spawn(async move {
            for message in messages(seed) {
                client.send(message.clone()).await.unwrap();
                tokio::task::yield_now().await;
                assert!(client.recv().await.unwrap().unwrap() == message);
            }
            client.close(framewire_tokio::CloseCode::NORMAL, "").await.unwrap();
        });
    }
    tasks.join_all().await;
}

/// A client by hand, which has agreed on compression.
async fn raw(acceptor: &Acceptor, more: &str) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (one, mut other) = tokio::io::duplex(1 << 20);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: host\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: permessage-deflate{more}\r\n\r\n"
    );
    other.write_all(request.as_bytes()).await.unwrap();
    let socket = acceptor.accept(one).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(other.read_u8().await.unwrap());
    }
    assert!(String::from_utf8(answer).unwrap().contains("permessage-deflate"));
    (socket, other)
}

/// A message as RFC 7692 §7.2.1 has it, in a block that is stored as it is, and the start of an empty one.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len() as u16;
    [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), bytes, &[0]].concat()
}

#[tokio::test]
async fn bombs() {
    let mut config = compressed::<Server>(false);
    config.limits.message = 100_000;
    let acceptor = Acceptor::new(config);
    let connector = Connector::new(compressed::<Client>(false));
    for text in [false, true] {
        for (len, fits) in [(100_000, true), (100_001, false), (50_000_000, false)] {
            let (mut server, mut client) = open(&acceptor, &connector, 1 << 20).await;
            let bomb = vec![b' '; len];
            let bomb = if text { String::from_utf8(bomb).unwrap().into() } else { Message::from(bomb) };
            client.send(bomb).await.unwrap();
            let received = server.recv().await.unwrap();
            if fits {
                assert_eq!(received.unwrap().len(), len);
                continue;
            }
            assert!(matches!(received, Err(Error::Protocol(ProtocolError::MessageTooBig))), "{received:?}");
            assert!(client.recv().await.is_none());
            assert_eq!(client.peer_close().unwrap().code.get(), 1009);
        }
    }
}

#[tokio::test]
async fn compressed_messages_that_are_wrong() {
    let acceptor = Acceptor::new(compressed::<Server>(false));
    for (first, payload, error) in [
        (BINARY | RSV1, b"\xff\xff\xff".to_vec(), ProtocolError::CorruptDeflate),
        (TEXT | RSV1, stored(b"\xff\xfe"), ProtocolError::InvalidUtf8),
        (0x80 | RSV1, stored(b"x"), ProtocolError::ReservedBit),
    ] {
        let (mut server, mut client) = raw(&acceptor, "").await;
        let good = wire::to::<Server>(TEXT | RSV1, &stored("gut, schön".as_bytes()));
        client.write_all(&[good, wire::to::<Server>(first, &payload)].concat()).await.unwrap();
        assert_eq!(server.recv().await.unwrap().unwrap(), Message::from("gut, schön"));
        let received = server.recv().await.unwrap();
        assert!(matches!(&received, Err(Error::Protocol(found)) if *found == error), "{received:?}");
    }
}

#[tokio::test]
async fn prepared_messages() {
    for takeover in [false, true] {
        let acceptor = Acceptor::new(compressed::<Server>(takeover));
        let text: Bytes = prose(3000, 1).into();
        let prepared = acceptor.prepare(text.clone());
        let connectors = [
            Connector::new(compressed::<Client>(takeover)),
            Connector::new(compressed::<Client>(!takeover)),
            Connector::new(untimed::<Client>()),
        ];
        for connector in connectors {
            let (mut server, mut client) = open(&acceptor, &connector, 100_000).await;
            for split in [false, true] {
                server
                    .try_feed("before, before, before, before, before, before, before, before, before")
                    .unwrap();
                server.try_feed_prepared(&prepared).unwrap();
                server
                    .try_feed("after, after, after, after, after, after, after, after, after, after")
                    .unwrap();
                server.flush().await.unwrap();
                for expected in [0, 3000, 0] {
                    let message = client.recv().await.unwrap().unwrap();
                    assert!(if expected == 0 {
                        message.as_text().is_some()
                    } else {
                        message.as_bytes() == text
                    });
                }
                if split {
                    let (sender, mut receiver) = server.into_split();
                    sender.queue_prepared(&prepared).unwrap();
                    let receive = tokio::spawn(async move { receiver.recv().await.is_none() });
                    assert!(client.recv().await.unwrap().unwrap().as_bytes() == text);
                    client.close(framewire_tokio::CloseCode::NORMAL, "").await.unwrap();
                    assert!(receive.await.unwrap());
                    assert!(sender.queue_prepared(&prepared).is_err());
                    break;
                }
            }
        }
    }
}

/// What is compressed is shorter, and what is not worth it is not.
#[tokio::test]
async fn the_wire_is_shorter() {
    let acceptor = Acceptor::new(compressed::<Server>(true));
    let (mut server, mut client) = raw(&acceptor, "").await;
    let text = prose(20_000, 7);
    for _ in 0..2 {
        server.send(text.clone()).await.unwrap();
    }
    server.send("short").await.unwrap();
    drop(server);
    let mut written = Vec::new();
    client.read_to_end(&mut written).await.unwrap();
    let frames = frames::<Server>(&written);
    assert_eq!(frames[0].0, BINARY | RSV1);
    assert!(frames[0].1.len() < 10_000);
    assert!(frames[1].1.len() < frames[0].1.len() / 5, "it refers to the first");
    assert_eq!(frames[2], (TEXT, b"short".to_vec()));
}

/// A message that cannot be compressed gets longer by it. It is refused only if it is too long itself.
#[tokio::test]
async fn limits_count_what_is_inflated() {
    for fragments in [false, true] {
        for len in [1 << 20, (1 << 20) + 1] {
            let (one, mut peer) = tokio::io::duplex(4 << 20);
            let mut config = compressed::<Server>(false);
            config.limits = Limits { frame: 1 << 20, message: 1 << 20 };
            let acceptor = Acceptor::new(config);
            let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
            peer.write_all(upgrade(offer).as_bytes()).await.unwrap();
            let mut server = acceptor.accept(one).await.unwrap();
            // Stored blocks, and the start of the empty one of which the rest is left out (RFC 7692 §7.2.1).
            let message = noise(len, 1);
            let mut stored: Vec<u8> = message.chunks(1000).flat_map(stored_block).collect();
            stored.push(0);
            let middle = if fragments { stored.len() - 1000 } else { 0 };
            if fragments {
                let first = wire::to::<Server>(BINARY & wire::MORE | RSV1, &stored[..middle]);
                peer.write_all(&first).await.unwrap();
            }
            let last = if fragments { wire::CONTINUATION } else { BINARY | RSV1 };
            peer.write_all(&wire::to::<Server>(last, &stored[middle..])).await.unwrap();
            match server.recv().await {
                Some(Ok(received)) => assert!(len == 1 << 20 && received == Message::from(message)),
                Some(Err(Error::Protocol(ProtocolError::MessageTooBig))) => assert!(len > 1 << 20),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn stored_block(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len() as u16;
    [&[0], &len.to_le_bytes()[..], &(!len).to_le_bytes(), bytes].concat()
}
