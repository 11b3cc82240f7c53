//! Requests that are refused get the status that axum's own extractor answers.

use crate::{
    client::{self, REQUEST, ask, connect, head},
    listen,
};
use axum::{Extension, Router, extract::ws, response::Response, routing::any};
use framewire_axum::{Acceptor, Config, WebSocketUpgrade};
use h2::ext::Protocol;
use http::{Method, Request};
use std::net::SocketAddr;
use tokio::net::TcpStream;

async fn start() -> SocketAddr {
    async fn ours(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(async |_| {})
    }
    async fn theirs(upgrade: ws::WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(async |_| {})
    }
    let mut config = Config::server();
    config.origins = vec!["https://example.org".into()];
    let ours = any(ours).layer(Extension(Acceptor::new(config)));
    listen(Router::new().route("/ws", ours).route("/theirs", any(theirs))).await
}

/// The head of our response, and the status of axum's.
async fn both(address: SocketAddr, request: &str) -> (String, u16) {
    let mut client = TcpStream::connect(address).await.unwrap();
    let ours = head(&mut client, request.as_bytes()).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let theirs = head(&mut client, request.replace("/ws", "/theirs").as_bytes()).await;
    (ours, status(&theirs))
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn http1() {
    let address = start().await;
    let fine = format!("{REQUEST}\r\n");
    let without = |header: &str| {
        let line = fine.lines().find(|line| line.starts_with(header)).unwrap();
        fine.replace(&format!("{line}\r\n"), "")
    };
    let same = [
        (fine.clone(), 101, ""),
        (fine.replace("GET", "POST"), 405, "\r\nallow: get\r\n"),
        (without("Upgrade").replace("GET", "POST"), 405, "\r\nallow: get\r\n"),
        (without("Upgrade"), 400, ""),
        (fine.replace("Upgrade: websocket", "Upgrade: h2c"), 400, ""),
        (without("Connection"), 400, ""),
        (without("Sec-WebSocket-Version"), 400, "\r\nsec-websocket-version: 13\r\n"),
        (fine.replace("Version: 13", "Version: 8"), 400, "\r\nsec-websocket-version: 13\r\n"),
        (without("Sec-WebSocket-Key"), 400, ""),
        (fine.replace("HTTP/1.1", "HTTP/1.0"), 426, "\r\nupgrade: websocket\r\n"),
    ];
    for (request, expected, header) in same {
        let (ours, theirs) = both(address, &request).await;
        assert_eq!((status(&ours), theirs), (expected, expected), "{request}");
        assert!(ours.contains(header), "{ours}");
    }
    // These axum accepts.
    let stricter = [
        (without("Host"), 400),
        (fine.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400),
        (fine.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a b\r\n\r\n"), 400),
        (fine.replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"), 403),
    ];
    for (request, expected) in stricter {
        let (ours, theirs) = both(address, &request).await;
        assert_eq!((status(&ours), theirs), (expected, 101), "{request}");
    }
}

#[tokio::test]
async fn http2() {
    let address = start().await;
    let mut requests = client::http2(address).await;
    let get = |path: &str| Request::get(format!("http://{address}{path}"));
    let other = |path: &str| {
        let mut request = connect(address, path);
        request.extensions_mut().unwrap().insert(Protocol::from_static("connect-udp"));
        request
    };
    let versionless = |path: &str| {
        let uri = format!("http://{address}{path}");
        Request::builder().method(Method::CONNECT).uri(uri).extension(Protocol::from_static("websocket"))
    };
    type Make<'a> = &'a dyn Fn(&str) -> http::request::Builder;
    let cases: [(&str, Make<'_>, u16); 4] = [
        ("fine", &|path| connect(address, path), 200),
        ("GET", &get, 405),
        ("another protocol", &other, 400),
        ("no version", &versionless, 400),
    ];
    for (name, make, expected) in cases {
        for path in ["/ws", "/theirs"] {
            let (response, _stream) = ask(&mut requests, make(path).body(()).unwrap()).await;
            assert_eq!(response.status(), expected, "{name} {path}");
            if path == "/ws" && expected == 405 {
                assert_eq!(response.headers()["allow"], "CONNECT");
            }
            assert!(!response.headers().contains_key("upgrade"));
        }
    }
    let foreign = connect(address, "/ws").header("origin", "https://evil.example").body(()).unwrap();
    assert_eq!(ask(&mut requests, foreign).await.0.status(), 403);
}
