//! What servers answer that do not open a WebSocket.

use crate::{Connected, answering, connector, connector_with, impatient, soon};
use framewire_tokio::{Answered, Config, ConnectError, Connector, Stage};

async fn connect(connector: &Connector, answer: impl Into<Vec<u8>>) -> Connected {
    let (server, _task) = answering(answer).await;
    soon(connector.connect(&format!("ws://{server}/"))).await
}

async fn refusal(connector: &Connector, answer: impl Into<Vec<u8>>) -> Answered {
    match connect(connector, answer).await.map(drop) {
        Err(ConnectError::Refused(answered)) => *answered,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn redirects_are_reported() {
    let answer =
        "HTTP/1.1 301 Moved Permanently\r\nLocation: wss://example.org/\r\nContent-Length: 0\r\n\r\n";
    let answered = refusal(&connector(), answer).await;
    assert_eq!((answered.status, answered.header("location")), (301, Some("wss://example.org/")));
    assert_eq!(answered.header("Retry-After"), None);
}

/// The server keeps the connection open: the client knows by itself where the body ends.
#[tokio::test]
async fn refusals_have_their_body() {
    for (answer, status) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwho\r\n1\r\n?\r\n0\r\n\r\n",
            401,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwho?", 200),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 503 Busy\r\nContent-Length: 4\r\n\r\nwho?", 503),
    ] {
        let mut config = Config::client();
        config.handshake_timeout = None;
        let answered = refusal(&connector_with(config), answer).await;
        assert_eq!((answered.status, &*answered.body), (status, &b"who?"[..]));
        assert!(format!("{answered:?}").contains("who?"));
    }
}

#[tokio::test]
async fn bodies_are_bounded_in_bytes_and_time() {
    let endless = [b"HTTP/1.1 403 Forbidden\r\n\r\n", &*vec![b'x'; 1 << 20]].concat();
    let answered = refusal(&connector(), endless).await;
    assert_eq!(answered.body.len(), 64 << 10);

    let answered = refusal(&connector_with(impatient()), "HTTP/1.1 403 Forbidden\r\n\r\nsome").await;
    assert_eq!((answered.status, &*answered.body), (403, &b"some"[..]));
}

#[tokio::test]
async fn what_is_no_answer() {
    let long = format!("HTTP/1.1 101 Switching Protocols\r\nX: {}\r\n\r\n", "x".repeat(9 << 10));
    let many = format!("HTTP/1.1 404 Not Found\r\n{}\r\n", "X: y\r\n".repeat(65));
    let wrong = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", &long, &many, wrong] {
        let error = connect(&connector(), answer).await.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake(_)), "{error}");
    }
}

#[tokio::test]
async fn silence() {
    let error = connect(&connector_with(impatient()), "").await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(Stage::Handshake)), "{error}");

    let (listener, address) = crate::listener().await;
    let closing =
        tokio::spawn(async move { crate::read_head(&mut listener.accept().await.unwrap().0).await });
    let error = soon(connector().connect(&format!("ws://{address}/"))).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoAnswer), "{error}");
    closing.await.unwrap();
}
