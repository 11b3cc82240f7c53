//! HTTP/2 (RFC 8441).

use crate::{
    PATIENCE, Report, Server,
    client::{STOPPING, ask, connect, http2},
    compressing, listen,
};
use axum::{Router, response::Response, routing::any};
use framewire_axum::framewire_tokio::{Client, Error, ProtocolError, WebSocket};
use framewire_axum::{CloseCode, Config, Message, WebSocketUpgrade};
use h2::Reason;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, time::timeout};

const HI: &[u8] = b"\x81\x82\0\0\0\0Hi";
const ECHO: &[u8] = b"\x81\x02Hi";
const BYE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

/// Messages larger than the windows of HTTP/2, from a client on hyper.
#[tokio::test]
async fn an_echo_with_hypers_client() {
    let mut server = Server::start(Config::server()).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut requests, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = connect(server.address, "/ws").body(String::new()).unwrap();
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(hyper::ext::Protocol::from_static("websocket"));
    let mut response;
    loop {
        // Until the server's settings have arrived, hyper refuses the request.
        let request = http::Request::from_parts(parts.clone(), body.clone());
        match timeout(PATIENCE, requests.send_request(request)).await.unwrap() {
            Ok(answered) => {
                response = answered;
                break;
            }
            Err(error) => assert!(error.is_user(), "{error:?}"),
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(response.status(), 200);
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    let mut client = WebSocket::<_, Client>::from_upgraded(TokioIo::new(upgraded), b"", Config::client());
    assert!(matches!(server.report().await, Report::Opened(false, None)));
    for len in [0, 1, 125, 70_000, 3 << 20] {
        let message = Message::from(vec![7; len]);
        client.send(message.clone()).await.unwrap();
        let reply = timeout(PATIENCE, client.recv()).await.unwrap().unwrap().unwrap();
        assert!(reply == message, "{len}");
    }
    let closed = timeout(PATIENCE, client.close(CloseCode::NORMAL, "bye")).await.unwrap().unwrap();
    assert_eq!(closed.code, CloseCode::NORMAL);
    assert!(matches!(server.report().await, Report::Ended(Some(CloseCode::NORMAL), None)));
}

#[tokio::test]
async fn the_response_has_what_http2_allows() {
    let mut config = compressing(Config::server());
    config.subprotocols = vec!["chat".into()];
    let mut server = Server::start(config).await;
    let mut requests = http2(server.address).await;
    let request = connect(server.address, "/ws")
        .header("sec-websocket-protocol", "chat")
        .header("sec-websocket-extensions", "permessage-deflate")
        .body(());
    let (response, mut stream) = ask(&mut requests, request.unwrap()).await;
    assert_eq!(response.status(), 200);
    let mut names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["date", "sec-websocket-extensions", "sec-websocket-protocol"]);
    let Report::Opened(false, Some(subprotocol)) = server.report().await else { panic!() };
    assert_eq!(subprotocol, "chat");
    // RFC 7692 §7.2.3.1: "Hello", compressed. Its echo is too short to be compressed.
    stream.send(b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00");
    stream.expect(b"\x81\x05Hello").await;
}

/// After the closes, the server ends its side with END_STREAM, and another stream of the connection opens.
#[tokio::test]
async fn a_close_ends_the_stream_and_not_the_connection() {
    let mut server = Server::start(Config::server()).await;
    let mut requests = http2(server.address).await;
    for _ in 0..2 {
        let (response, mut stream) =
            ask(&mut requests, connect(server.address, "/ws").body(()).unwrap()).await;
        assert_eq!(response.status(), 200);
        stream.send(HI);
        stream.expect(ECHO).await;
        stream.send(BYE);
        stream.expect(b"\x88\x02\x03\xe8").await;
        assert_eq!(stream.end().await, None, "END_STREAM");
        server.report().await;
        assert!(matches!(server.report().await, Report::Ended(Some(CloseCode::NORMAL), None)));
    }
}

/// hyper copies what it is given: a client that does not read must not make it copy whole messages.
#[tokio::test]
async fn a_client_that_does_not_read() {
    const LEN: usize = 8 << 20;
    let (sender, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    let send = async move |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket| {
            socket.feed(vec![0; LEN]).await.unwrap();
            let _ = timeout(PATIENCE / 40, socket.flush()).await;
            sender.send(socket.waiting()).unwrap();
        })
    };
    let mut requests = http2(listen(Router::new().route("/ws", any(send))).await).await;
    let (_, _stream) =
        ask(&mut requests, connect(([127, 0, 0, 1], 80).into(), "/ws").body(()).unwrap()).await;
    let waiting = timeout(PATIENCE, waiting.recv()).await.unwrap().unwrap();
    assert!(waiting > LEN - (256 << 10), "hyper has taken {}", LEN - waiting);
}

#[tokio::test]
async fn a_client_that_ends_the_stream_without_a_close() {
    let mut server = Server::start(Config::server()).await;
    let mut requests = http2(server.address).await;
    let (_, mut stream) = ask(&mut requests, connect(server.address, "/ws").body(()).unwrap()).await;
    stream.send(HI);
    stream.sends.send_data(bytes::Bytes::new(), true).unwrap();
    stream.expect(ECHO).await;
    server.report().await;
    let report = server.report().await;
    let Report::Ended(None, Some(Error::Protocol(ProtocolError::UnexpectedEof))) = report else {
        panic!("{report:?}")
    };
}

#[tokio::test]
async fn a_client_that_resets_the_stream() {
    let mut server = Server::start(Config::server()).await;
    let mut requests = http2(server.address).await;
    for reason in [Reason::CANCEL, Reason::PROTOCOL_ERROR] {
        let (_, mut stream) = ask(&mut requests, connect(server.address, "/ws").body(()).unwrap()).await;
        stream.send(HI);
        stream.expect(ECHO).await;
        stream.sends.send_reset(reason);
        server.report().await;
        let Report::Ended(None, Some(error)) = server.report().await else { panic!("{reason:?}") };
        assert!(matches!(error, Error::Io(_) | Error::Protocol(ProtocolError::UnexpectedEof)), "{error}");
    }
}

/// A frame without a mask: a close with its code, then the end.
#[tokio::test]
async fn a_client_that_breaks_the_protocol() {
    let mut server = Server::start(Config::server()).await;
    let mut requests = http2(server.address).await;
    let (_, mut stream) = ask(&mut requests, connect(server.address, "/ws").body(()).unwrap()).await;
    stream.send(b"\x81\x02Hi"); // not masked
    let reason = ProtocolError::MaskMissing.to_string();
    let close =
        [&[0x88, u8::try_from(reason.len()).unwrap() + 2], &1002_u16.to_be_bytes()[..], reason.as_bytes()]
            .concat();
    stream.expect(&close).await;
    assert_eq!(stream.end().await, None);
    drop(stream);
    server.report().await;
    let report = server.report().await;
    assert!(
        matches!(report, Report::Ended(None, Some(Error::Protocol(ProtocolError::MaskMissing)))),
        "{report:?}"
    );
}

/// A program that gives a connection up. hyper ends the stream, then resets it with NO_ERROR.
#[tokio::test]
async fn a_websocket_that_is_dropped() {
    async fn drops(upgrade: WebSocketUpgrade) -> Response {
        upgrade.on_upgrade(async |socket| drop(socket))
    }
    let address = listen(Router::new().route("/ws", any(drops))).await;
    let mut requests = http2(address).await;
    for _ in 0..2 {
        let (_, mut stream) = ask(&mut requests, connect(address, "/ws").body(()).unwrap()).await;
        let end = stream.end().await;
        assert_eq!((end, stream.reset().await), (None, Reason::NO_ERROR));
    }
}

#[tokio::test]
async fn shutdown_closes_with_1001_and_waits() {
    let mut server = Server::start(Config::server()).await;
    let mut requests = http2(server.address).await;
    let (_, mut stream) = ask(&mut requests, connect(server.address, "/ws").body(()).unwrap()).await;
    server.report().await;
    let client = async {
        stream.expect(STOPPING).await;
        stream.send(b"\x88\x82\0\0\0\0\x03\xe9");
        assert_eq!(stream.end().await, None);
    };
    let both = async { tokio::join!(server.tracker.shutdown(PATIENCE), client) };
    assert_eq!(timeout(PATIENCE, both).await.unwrap().0, 0);
}
