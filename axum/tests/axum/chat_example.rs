//! The program examples/chat.rs.

use crate::{
    PATIENCE, chat,
    client::{self, STOPPING, ask, connect, http2},
    compressing,
};
use framewire_axum::framewire_tokio::{Client, ConnectError, Connector, WebSocket};
use framewire_axum::{CloseCode, Config};
use std::net::SocketAddr;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

async fn join(
    address: SocketAddr,
    path: &str,
    config: Config,
) -> Result<WebSocket<TcpStream, Client>, ConnectError> {
    let stream = TcpStream::connect(address).await.unwrap();
    timeout(PATIENCE, Connector::new(config).connect_on(stream, "localhost", path)).await.unwrap()
}

async fn text(socket: &mut WebSocket<TcpStream, Client>) -> String {
    timeout(PATIENCE, socket.recv()).await.unwrap().unwrap().unwrap().as_text().unwrap().to_owned()
}

#[tokio::test]
async fn rooms_a_page_and_a_graceful_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let server = tokio::spawn(chat::serve(listener, ended));

    let mut page = TcpStream::connect(address).await.unwrap();
    let page = client::head(&mut page, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(page.starts_with("http/1.1 200 "), "{page}");
    let refused = join(address, "/elsewhere", Config::client()).await.unwrap_err();
    assert!(matches!(&refused, ConnectError::Refused(answer) if answer.status == 404), "{refused}");

    let mut one = join(address, "/rooms/one", compressing(Config::client())).await.unwrap();
    let mut two = join(address, "/rooms/one", Config::client()).await.unwrap();
    let mut other = join(address, "/rooms/two", Config::client()).await.unwrap();
    // Each is a member once its own message comes back.
    two.send("ready").await.unwrap();
    assert!(text(&mut two).await.ends_with(": ready"));
    other.send("Anyone?").await.unwrap();
    assert!(text(&mut other).await.ends_with(": Anyone?"));

    let long = "the same again, ".repeat(1000);
    one.send(long.clone()).await.unwrap();
    let said = format!("{}: {long}", one.get_ref().local_addr().unwrap());
    let mut heard = text(&mut one).await;
    if heard.ends_with(": ready") {
        heard = text(&mut one).await; // it had joined before
    }
    assert_eq!((heard, text(&mut two).await), (said.clone(), said));

    end.send(()).unwrap();
    for socket in [&mut one, &mut two, &mut other] {
        assert!(timeout(PATIENCE, socket.recv()).await.unwrap().is_none(), "the rooms are apart");
        assert_eq!(socket.peer_close().unwrap().code, CloseCode::GOING_AWAY);
    }
    drop((one, two, other));
    timeout(PATIENCE, server).await.unwrap().unwrap().unwrap();
}

/// axum waits for a connection of HTTP/2 that has a stream, so the WebSockets end first.
#[tokio::test]
async fn a_graceful_shutdown_over_http2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let server = tokio::spawn(chat::serve(listener, ended));
    let mut requests = http2(address).await;
    let (_, mut stream) = ask(&mut requests, connect(address, "/rooms/one").body(()).unwrap()).await;
    stream.send(b"\x81\x82\0\0\0\0Hi");
    let peer = stream.receives.data().await.unwrap().unwrap();
    assert!(peer.ends_with(b": Hi"), "{peer:?}");
    end.send(()).unwrap();
    stream.expect(STOPPING).await;
    stream.send(b"\x88\x82\0\0\0\0\x03\xe9");
    assert_eq!(stream.end().await, None);
    timeout(PATIENCE, server).await.unwrap().unwrap().unwrap();
}
