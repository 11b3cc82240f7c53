//! What programs do with the extractor, rightly or wrongly.

use crate::{
    PATIENCE,
    client::{REQUEST, ask, connect, expect, head, http2},
    listen,
};
use axum::{Extension, Router, response::Response, routing::any};
use framewire_axum::{AcceptError, Acceptor, Config, Tracker, WebSocket, WebSocketUpgrade};
use std::{net::SocketAddr, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::mpsc, time::timeout};

async fn greet(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| socket.send("fine").await.unwrap())
}

async fn opens(address: SocketAddr, target: &str) {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("{REQUEST}\r\n").replace("/ws", target);
    let answer = head(&mut client, request.as_bytes()).await;
    assert!(answer.starts_with("http/1.1 101 "), "{target}: {answer}");
    expect(&mut client, b"\x81\x04fine").await;
}

/// axum takes the prefix from the URI; a client may send a whole one (RFC 9112 §3.2.2).
#[tokio::test]
async fn nested_routers() {
    let inner = Router::new().route("/", any(greet)).route("/ws", any(greet));
    let address = listen(Router::new().nest("/api", inner)).await;
    for target in ["/api", "/api/ws", "/api/ws?a=b", "http://localhost/api/ws"] {
        opens(address, target).await;
    }
    let mut requests = http2(address).await;
    for path in ["/api", "/api/ws?a=b"] {
        let (response, mut stream) = ask(&mut requests, connect(address, path).body(()).unwrap()).await;
        assert_eq!(response.status(), 200, "{path}");
        stream.expect(b"\x81\x04fine").await;
    }
}

/// A route's subprotocols replace those of the configuration.
#[tokio::test]
async fn subprotocols_of_a_route_and_of_its_acceptor() {
    async fn choose(upgrade: WebSocketUpgrade) -> Response {
        upgrade.protocols(["b"]).on_upgrade(async |mut socket| {
            let chosen = socket.subprotocol().unwrap_or("none").to_owned();
            socket.send(chosen).await.unwrap();
        })
    }
    let mut config = Config::server();
    config.subprotocols = vec!["a".into()];
    let app = Router::new().route("/ws", any(choose)).layer(Extension(Acceptor::new(config)));
    let address = listen(app).await;
    for (asked, header, message) in
        [("a", None, &b"\x81\x04none"[..]), ("a, b", Some("b"), b"\x81\x01b"), ("b", Some("b"), b"\x81\x01b")]
    {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("{REQUEST}Sec-WebSocket-Protocol: {asked}\r\n\r\n");
        let answer = head(&mut client, request.as_bytes()).await;
        let found = answer.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(found, header, "{asked}");
        expect(&mut client, message).await;
    }
}

/// Their connection ends, and no other.
#[tokio::test]
async fn callbacks_that_panic() {
    async fn at_once(upgrade: WebSocketUpgrade) -> Response {
        fn callback(_: WebSocket) -> std::future::Ready<()> {
            panic!("a test")
        }
        upgrade.on_upgrade(callback)
    }
    async fn later(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(async |mut socket| {
            socket.send("fine").await.unwrap();
            panic!("a test")
        })
    }
    let tracker = Tracker::new();
    let acceptor = Acceptor::new(Config::server()).tracked_by(&tracker);
    let app = Router::new().route("/once", any(at_once)).route("/later", any(later)).route("/ws", any(greet));
    let address = listen(app.layer(Extension(acceptor))).await;
    for target in ["/once", "/later"] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("{REQUEST}\r\n").replace("/ws", target);
        head(&mut client, request.as_bytes()).await;
        let ended = timeout(PATIENCE, client.read_to_end(&mut Vec::new())).await.unwrap();
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
        opens(address, "/ws").await;
    }
    assert_eq!(tracker.shutdown(PATIENCE).await, 0);
}

/// The client has got something else, so nothing opens. hyper keeps the upgrade of HTTP/1.1 as long as the connection, so that
/// the timeout ends it.
#[tokio::test]
async fn a_response_that_is_not_returned() {
    let (sender, mut reports) = mpsc::unbounded_channel::<Option<AcceptError>>();
    let refuse = async move |upgrade: WebSocketUpgrade| {
        let failed = sender.clone();
        let upgrade = upgrade.on_failed_upgrade(move |error| failed.send(Some(error)).unwrap());
        drop(upgrade.on_upgrade(async move |_| sender.send(None).unwrap()));
        http::StatusCode::FORBIDDEN
    };
    let mut config = Config::server();
    config.handshake_timeout = Some(Duration::from_millis(100));
    let app = Router::new().route("/ws", any(refuse)).layer(Extension(Acceptor::new(config)));
    let address = listen(app).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let answer = head(&mut client, format!("{REQUEST}\r\n").as_bytes()).await;
    assert!(answer.starts_with("http/1.1 403 "), "{answer}");
    let report = timeout(PATIENCE, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(report, Some(AcceptError::Timeout)), "{report:?}");

    let mut requests = http2(address).await;
    let (response, _stream) = ask(&mut requests, connect(address, "/ws").body(()).unwrap()).await;
    assert_eq!(response.status(), 403);
    let report = timeout(PATIENCE, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(report, Some(AcceptError::Io(_))), "{report:?}");
}

/// Over HTTP/2, the authority counts, and a `Host` beside it does not (RFC 9113 §8.3.1).
#[tokio::test]
async fn headers_that_http2_has_replaced() {
    let address = listen(Router::new().route("/ws", any(greet))).await;
    let mut requests = http2(address).await;
    let request = connect(address, "/ws")
        .header("host", "other.example")
        .header("sec-websocket-key", "none")
        .header("content-length", "0");
    let (response, mut stream) = ask(&mut requests, request.body(()).unwrap()).await;
    assert_eq!(response.status(), 200);
    stream.expect(b"\x81\x04fine").await;
}
