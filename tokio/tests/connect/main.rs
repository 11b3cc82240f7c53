//! `Connector::connect`: URLs, addresses, answers and proxies. TLS needs certificates: examples/tests/connect_tls.rs.

#![cfg(feature = "connect")]

mod addresses;
mod answers;
mod errors;
#[cfg(feature = "proxy")]
mod proxies;

use framewire_tokio::{
    Acceptor, Client, Config, ConnectError, ConnectStream, Connector, Message, WebSocket, connect,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

type Connected = Result<WebSocket<ConnectStream, Client>, ConnectError>;

/// A connector that takes no proxy from the environment.
fn connector() -> Connector {
    connector_with(Config::client())
}

fn connector_with(config: Config) -> Connector {
    let connector = Connector::new(config);
    #[cfg(feature = "proxy")]
    let connector = connector.proxy(framewire_tokio::Proxy::none());
    connector
}

/// A configuration with a timeout that a test can wait for.
fn impatient() -> Config {
    let mut config = Config::client();
    config.handshake_timeout = Some(Duration::from_millis(300));
    config
}

/// Waits, but not for ever.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), work).await.expect("it waits")
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An echo server.
async fn echo() -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let acceptor = Acceptor::new(Config::server());
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut socket = acceptor.accept(stream).await.unwrap();
                while let Some(Ok(message)) = socket.recv().await {
                    socket.feed(message).await.unwrap();
                }
            });
        }
    });
    address
}

/// A server that gives one connection this answer, and closes when the client does. The task returns the head of the request.
async fn answering(answer: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<String>) {
    let (listener, address) = listener().await;
    let answer = answer.into();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let _ = stream.write_all(&answer).await; // the client may have enough
        let _ = stream.read_to_end(&mut Vec::new()).await;
        head
    });
    (address, task)
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn echoes(socket: &mut WebSocket<ConnectStream, Client>) {
    socket.send("Hello").await.unwrap();
    assert_eq!(soon(socket.recv()).await.unwrap().unwrap(), Message::from("Hello"));
}

#[tokio::test]
async fn a_message_comes_back() {
    let server = echo().await;
    let mut socket = soon(connector().connect(&format!("ws://{server}/"))).await.unwrap();
    echoes(&mut socket).await;
    let stream = socket.get_ref();
    assert_eq!(stream.peer_addr().unwrap(), server);
    assert!(stream.tcp().nodelay().unwrap());
}

#[cfg(not(feature = "proxy"))] // which would read the environment
#[tokio::test]
async fn one_call_connects() {
    let mut socket = soon(connect(&format!("ws://{}", echo().await))).await.unwrap();
    echoes(&mut socket).await;
}

#[tokio::test]
async fn the_request_is_that_of_the_url() {
    for (url, given, wanted, unwanted) in [
        (
            "ws://example.org:PORT/chat?room=1",
            None,
            "GET /chat?room=1 HTTP/1.1\r\nHost: example.org:PORT\r\n",
            "Auth",
        ),
        ("ws://a:b@example.org:PORT", None, "\r\nAuthorization: Basic YTpi\r\n", "a:b@"),
        ("ws://a:b@example.org:PORT?", Some("Bearer x"), "\r\nauthorization: Bearer x\r\n", "Basic"),
    ] {
        let (server, request) = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        let port = |text: &str| text.replace("PORT", &server.port().to_string());
        let mut connector = connector().resolver(|host, port| async move {
            assert_eq!(host, "example.org");
            Ok(vec![([127, 0, 0, 1], port).into()])
        });
        if let Some(value) = given {
            connector = connector.header("authorization", value);
        }
        assert!(!format!("{connector:?}").contains("Bearer"), "a secret");
        let refused = soon(connector.connect(&port(url))).await;
        assert!(matches!(refused, Err(ConnectError::Refused(_))), "{url}");
        let request = soon(request).await.unwrap();
        assert!(request.contains(&port(wanted)) && !request.contains(unwanted), "{url}: {request}");
    }
}

#[tokio::test]
async fn wrong_urls_and_requests_are_no_ones_but_the_callers() {
    let error = connect("http://example.org").await.unwrap_err();
    assert!(matches!(error, ConnectError::Url(framewire_tokio::UrlError::Scheme)), "{error}");
    assert_eq!(connect("ws://h/#a").await.unwrap_err().to_string(), "the URL has a fragment");

    for (url, value) in [("ws://h/", "a\r\nb"), ("ws://h/?q={}", "a"), ("ws://h/\u{fc}", "a")] {
        let connector = connector().header("Cookie", value).resolver(|_, _| async { panic!("a lookup") });
        let error = connector.connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Request(_)), "{url}: {error}");
    }
}

/// Without the features that `wss://` needs, nothing is sent in plain text.
#[cfg(not(all(feature = "rustls-ring", any(feature = "webpki-roots", feature = "platform-verifier"))))]
#[tokio::test]
async fn without_tls_nothing_is_sent() {
    use framewire_tokio::TlsError;

    let resolver = |_, _| async { panic!("a lookup") };
    let error = connector().resolver(resolver).connect("wss://example.org/").await.unwrap_err();
    let ConnectError::Tls(error) = error else { panic!("{error}") };
    let is_missing = match &error {
        TlsError::NoRoots => cfg!(feature = "rustls-ring"),
        TlsError::NoProvider => cfg!(all(feature = "rustls", not(feature = "rustls-ring"))),
        TlsError::Off => cfg!(not(feature = "rustls")),
        _ => false,
    };
    assert!(is_missing, "{error}");
}

/// The default configuration trusts somebody, but not a server that does not speak TLS.
#[cfg(all(feature = "rustls-ring", feature = "webpki-roots", not(feature = "platform-verifier")))]
#[tokio::test]
async fn the_default_configuration_of_tls() {
    use framewire_tokio::TlsError;

    let (listener, address) = listener().await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        first
    });
    let error = soon(connector().connect(&format!("wss://{address}/"))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(TlsError::Handshake(_))), "{error}");
    assert_eq!(soon(served).await.unwrap(), 22, "this is no record of a TLS handshake");
}

#[tokio::test]
async fn a_dropped_future_closes_its_connection() {
    let (listener, address) = listener().await;
    let (connector, url) = (connector(), format!("ws://{address}/"));
    let connecting = tokio::spawn(async move { connector.connect(&url).await.map(drop) });
    let (mut stream, _) = soon(listener.accept()).await.unwrap();
    read_head(&mut stream).await;
    connecting.abort();
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
}
