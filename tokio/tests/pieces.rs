//! Messages larger than memory.

use framewire_tokio::{Client, CloseCode, Config, Kind, Message, Server, WebSocket};
use std::io::ErrorKind;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

type Pair = (WebSocket<DuplexStream, Server>, WebSocket<DuplexStream, Client>);

fn pair() -> Pair {
    let (near, far) = duplex(10_000);
    (
        WebSocket::from_upgraded(near, b"", Config::server()),
        WebSocket::from_upgraded(far, b"", Config::client()),
    )
}

#[tokio::test]
async fn a_message_in_pieces_both_ways() {
    let (mut server, mut client) = pair();
    let noise: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    let sent = noise.clone();
    let upload = tokio::spawn(async move {
        let mut writer = client.writer(Kind::Binary);
        io::copy(&mut &sent[..], &mut writer).await.unwrap();
        writer.flush().await.unwrap();
        writer.shutdown().await.unwrap();
        assert_eq!(writer.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        drop(writer);
        client.send("after").await.unwrap();
        client.close(CloseCode::NORMAL, "").await.unwrap();
    });
    let mut reader = server.next_reader().await.unwrap().unwrap();
    assert_eq!(reader.kind(), Kind::Binary);
    let mut received = Vec::new();
    reader.read_to_end(&mut received).await.unwrap();
    drop(reader);
    assert!(received == noise);
    assert_eq!(server.recv().await.unwrap().unwrap(), Message::from("after"));
    assert!(server.next_reader().await.is_none());
    upload.await.unwrap();
}

/// The next method that receives discards the rest.
#[tokio::test]
async fn a_reader_that_is_dropped() {
    let (mut server, mut client) = pair();
    let send = tokio::spawn(async move {
        client.send("x".repeat(100_000)).await.unwrap();
        client.send("after").await.unwrap();
        client
    });
    let mut reader = server.next_reader().await.unwrap().unwrap();
    assert_eq!(reader.kind(), Kind::Text);
    reader.read_exact(&mut [0; 10]).await.unwrap();
    drop(reader);
    assert_eq!(server.recv().await.unwrap().unwrap(), Message::from("after"));
    drop(send.await.unwrap());
}

#[tokio::test]
async fn a_peer_that_closes_inside_a_message() {
    let (near, mut peer) = duplex(1000);
    let mut client = WebSocket::<_, Client>::from_upgraded(near, b"", Config::client());
    peer.write_all(b"\x02\x05begin\x89\x01p\x88\x02\x03\xE8").await.unwrap(); // its pings are answered
    let mut reader = client.next_reader().await.unwrap().unwrap();
    let mut begin = [0; 5];
    reader.read_exact(&mut begin).await.unwrap();
    assert_eq!(begin, *b"begin");
    drop(peer.shutdown().await);
    assert_eq!(reader.read(&mut begin).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(reader.read(&mut begin).await.unwrap(), 0, "once");
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_message() {
    let (near, mut peer) = duplex(1000);
    let mut client = WebSocket::<_, Client>::from_upgraded(near, b"", Config::client());
    peer.write_all(b"\x02\x05begin").await.unwrap();
    drop(peer);
    let mut reader = client.next_reader().await.unwrap().unwrap();
    let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert!(error.get_ref().unwrap().is::<framewire_tokio::Error>(), "{error}");
}

/// The peer must not take what was written for the whole message.
#[tokio::test]
async fn a_writer_that_is_dropped() {
    let (mut server, mut client) = pair();
    let mut writer = server.writer(Kind::Binary);
    writer.write_all(b"begin").await.unwrap();
    drop(writer);
    let (serve, receive) = tokio::join!(server.recv(), client.recv());
    assert!(serve.is_none() && receive.is_none());
    assert_eq!(client.peer_close().unwrap().code, CloseCode::INTERNAL);

    let (mut server, mut client) = pair();
    drop(server.writer(Kind::Binary)); // nothing was written: nothing was begun
    server.send("after").await.unwrap();
    assert_eq!(client.recv().await.unwrap().unwrap(), Message::from("after"));
}

#[tokio::test]
async fn text_in_pieces() {
    let (mut server, mut client) = pair();
    let mut writer = server.writer(Kind::Text);
    for byte in "\u{1F980}".bytes() {
        writer.write_all(&[byte]).await.unwrap(); // a write may end inside a character
    }
    writer.shutdown().await.unwrap();
    drop(writer);
    assert_eq!(client.recv().await.unwrap().unwrap().as_text(), Some("\u{1F980}"));

    let mut writer = server.writer(Kind::Text);
    assert_eq!(writer.write(b"\xFF").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    drop(writer);
    let mut writer = server.writer(Kind::Text);
    writer.write_all(b"\xC3").await.unwrap();
    assert_eq!(writer.shutdown().await.unwrap_err().kind(), ErrorKind::InvalidInput, "half a character");
}

#[tokio::test]
async fn a_writer_after_the_close() {
    let (mut server, _client) = pair();
    server.start_close(CloseCode::NORMAL, "").unwrap();
    let error = server.writer(Kind::Binary).write(b"late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}
