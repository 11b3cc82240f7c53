//! HTTP/1.1.

use crate::{
    PATIENCE, Report, Server,
    client::{REQUEST, expect, head},
    compressing, listen,
};
use axum::{Router, response::Response, routing::any};
use framewire_axum::framewire_tokio::{Connector, Error, ProtocolError};
use framewire_axum::{AcceptError, CloseCode, Config, Message, WebSocketUpgrade};
use http::HeaderValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

#[tokio::test]
async fn the_stream_is_bare_and_a_message_behind_the_request_is_kept() {
    let mut server = Server::start(Config::server()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    let answer = head(&mut client, &[REQUEST.as_bytes(), b"\r\n\x81\x82\0\0\0\0Hi"].concat()).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{answer}");
    expect(&mut client, b"\x81\x02Hi").await;
    assert!(matches!(server.report().await, Report::Opened(true, None)));
    client.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    expect(&mut client, b"\x88\x02\x03\xe8").await;
    assert_eq!(timeout(PATIENCE, client.read(&mut [0])).await.unwrap().unwrap(), 0);
    assert!(matches!(server.report().await, Report::Ended(Some(CloseCode::NORMAL), None)));
}

#[tokio::test]
async fn without_an_acceptor_a_route_has_the_defaults() {
    async fn limits(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(async |mut socket| {
            let config = socket.config();
            assert_eq!(
                (config.limits, config.keepalive),
                (Config::server().limits, Config::server().keepalive)
            );
            socket.send("fine").await.unwrap();
        })
    }
    let address = listen(Router::new().route("/ws", any(limits))).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    head(&mut client, format!("{REQUEST}\r\n").as_bytes()).await;
    expect(&mut client, b"\x81\x04fine").await;
}

/// A client of framewire-tokio.
async fn client(
    server: &Server,
    config: Config,
) -> framewire_axum::framewire_tokio::WebSocket<TcpStream, framewire_axum::framewire_tokio::Client> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    timeout(PATIENCE, Connector::new(config).connect_on(stream, "localhost", "/ws")).await.unwrap().unwrap()
}

#[tokio::test]
async fn compression() {
    let mut server = Server::start(compressing(Config::server())).await;
    let mut client = client(&server, compressing(Config::client())).await;
    let text = "the same again, ".repeat(1000);
    client.feed(text.clone()).await.unwrap();
    assert!(client.waiting() < 1000, "it is compressed");
    assert_eq!(timeout(PATIENCE, client.recv()).await.unwrap().unwrap().unwrap(), Message::from(text));
    client.close(CloseCode::NORMAL, "").await.unwrap();
    server.report().await;
    assert!(matches!(server.report().await, Report::Ended(Some(CloseCode::NORMAL), None)));
}

#[tokio::test]
async fn subprotocols() {
    /// The last part of the path says what the route speaks.
    async fn choose(
        axum::extract::Path(ours): axum::extract::Path<String>,
        mut upgrade: WebSocketUpgrade,
    ) -> Response {
        let asked: Vec<_> =
            upgrade.requested_protocols().map(|name| name.to_str().unwrap().to_owned()).collect();
        assert_eq!(asked, ["chat.v1", "chat.v2"]);
        if ours == "set" {
            upgrade.set_selected_protocol(HeaderValue::from_static("chat.v2"));
        } else {
            upgrade = upgrade.protocols(ours.split('+').map(str::to_owned));
        }
        let selected = upgrade.selected_protocol().cloned();
        upgrade.on_upgrade(async move |mut socket| {
            assert_eq!(socket.subprotocol(), selected.as_ref().map(|name| name.to_str().unwrap()));
            socket.send("fine").await.unwrap();
        })
    }
    let address = listen(Router::new().route("/{ours}", any(choose))).await;
    for (ours, chosen) in [
        ("chat.v1", Some("chat.v1")),
        ("chat.v2+chat.v1", Some("chat.v2")),
        ("chat.v3", None),
        ("set", Some("chat.v2")),
    ] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("{REQUEST}Sec-WebSocket-Protocol: chat.v1,, chat.v2\r\n\r\n")
            .replace("/ws", &format!("/{ours}"));
        let answer = head(&mut client, request.as_bytes()).await;
        let header = chosen.map(|chosen| format!("\r\nsec-websocket-protocol: {chosen}\r\n"));
        assert!(answer.contains(header.as_deref().unwrap_or("\r\n\r\n")), "{answer}");
        assert_eq!(answer.contains("sec-websocket-protocol"), chosen.is_some(), "{answer}");
        expect(&mut client, b"\x81\x04fine").await;
    }
}

#[tokio::test]
async fn the_limits_of_a_route() {
    async fn limited(upgrade: WebSocketUpgrade) -> Response {
        let upgrade = upgrade.max_message_size(8).max_frame_size(6).max_write_buffer_size(1);
        upgrade.on_upgrade(async |mut socket| {
            assert_eq!(socket.config().high_water, 1);
            let error = socket.recv().await.unwrap().unwrap_err();
            let text = match error {
                Error::Protocol(ProtocolError::FrameTooBig) => "frame",
                Error::Protocol(ProtocolError::MessageTooBig) => "message",
                _ => "another",
            };
            assert_eq!(text, "frame");
        })
    }
    let address = listen(Router::new().route("/ws", any(limited))).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    head(&mut client, format!("{REQUEST}\r\n").as_bytes()).await;
    client.write_all(b"\x81\x87\0\0\0\0").await.unwrap();
    let mut close = [0; 4];
    timeout(PATIENCE, client.read_exact(&mut close)).await.unwrap().unwrap();
    assert_eq!((close[0], &close[2..]), (0x88, &1009_u16.to_be_bytes()[..]));
}

#[tokio::test]
async fn shutdown_closes_with_1001_and_waits() {
    let mut server = Server::start(Config::server()).await;
    let mut client = client(&server, Config::client()).await;
    assert!(matches!(server.report().await, Report::Opened(true, None)));
    let both = async { tokio::join!(server.tracker.shutdown(PATIENCE), client.recv()) };
    let (open, last) = timeout(PATIENCE, both).await.unwrap();
    assert_eq!(open, 0);
    assert!(last.is_none());
    assert_eq!(client.peer_close().unwrap().code, CloseCode::GOING_AWAY);
    assert!(matches!(server.report().await, Report::Ended(Some(CloseCode::GOING_AWAY), None)));
}

/// The client resets the connection before the response.
#[tokio::test]
async fn a_client_that_goes_away_during_the_upgrade() {
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let (gone, mut wait) = tokio::sync::watch::channel(false);
    let slow = async move |upgrade: WebSocketUpgrade| {
        let response = upgrade
            .on_failed_upgrade({
                let sender = sender.clone();
                move |error| sender.send(Some(error)).unwrap()
            })
            .on_upgrade(async move |_| sender.send(None).unwrap());
        wait.wait_for(|gone| *gone).await.unwrap();
        response
    };
    let address = listen(Router::new().route("/ws", any(slow))).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(format!("{REQUEST}\r\n").as_bytes()).await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    // If hyper sees the reset first, it drops the handler, and so the response.
    let failed = match timeout(PATIENCE / 20, reports.recv()).await {
        Ok(report) => report.unwrap(),
        Err(_) => {
            gone.send(true).unwrap();
            timeout(PATIENCE, reports.recv()).await.unwrap().unwrap()
        }
    };
    assert!(matches!(failed, Some(AcceptError::Io(_))), "{failed:?}");
}
