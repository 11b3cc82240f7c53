//! The handshake on hyper, over HTTP/1.1. (`axum/tests` has HTTP/2, which needs hyper's client.)

use framewire_tokio::{
    AcceptError, Acceptor, Answer, CloseCode, Config, Connector, HyperStream, Message, Refusal, Tracker,
    Upgrading, WebSocket,
};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::{convert::Infallible, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// "Hi", masked with a key of zero bytes, and its echo.
const HI: [u8; 8] = *b"\x81\x82\0\0\0\0Hi";
const ECHO: [u8; 4] = *b"\x81\x02Hi";

/// Serves one connection with hyper. Its upgrades are sent to the receiver.
fn serve<S>(acceptor: &Acceptor, stream: S) -> mpsc::UnboundedReceiver<Upgrading>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let acceptor = acceptor.clone();
    tokio::spawn(async move {
        let service = service_fn(move |mut request: Request<Incoming>| {
            let response = answer(&acceptor, &mut request, &sender);
            async move { Ok::<_, Infallible>(response) }
        });
        let http = auto::Builder::new(TokioExecutor::new());
        let _ = http.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
    });
    receiver
}

fn answer(
    acceptor: &Acceptor,
    request: &mut Request<Incoming>,
    upgrades: &mpsc::UnboundedSender<Upgrading>,
) -> Response<String> {
    let answered = acceptor.upgrade_with(request, |request| match request.path() {
        "/missing" => Err(Refusal::new(404).header("X-Why", "no such room").body("no room\n")),
        "/injected" => Ok(Answer::default().header("X-A", "b\r\nX-C: d")),
        _ => Ok(Answer::default().header("X-Query", request.query().unwrap_or_default())),
    });
    match answered {
        Ok((response, upgrading)) => {
            upgrades.send(upgrading).unwrap();
            response.map(|()| String::new())
        }
        Err(rejected) => rejected.into_response(),
    }
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

fn echo(mut socket: WebSocket<HyperStream>) -> JoinHandle<Option<CloseCode>> {
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.recv().await {
            socket.feed(message).await.unwrap();
        }
        socket.peer_close().map(|close| close.code)
    })
}

/// Sends bytes, and reads until the end of the head.
async fn head(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn expect(stream: &mut (impl AsyncRead + Unpin), expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    timeout(PATIENCE, stream.read_exact(&mut read)).await.unwrap().unwrap();
    assert_eq!(read, expected);
}

/// Opens a WebSocket with a first message right behind the head, and expects its echo. Returns whether the stream is bare.
async fn opens(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut upgrades: mpsc::UnboundedReceiver<Upgrading>,
) -> bool {
    let bytes = [REQUEST.as_bytes(), b"\r\n", &HI].concat();
    let answer = head(&mut client, &bytes).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    for header in [
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        "x-query: room=1",
    ] {
        assert!(answer.to_ascii_lowercase().contains(&format!("\r\n{header}\r\n")), "{answer}");
    }
    let socket = timeout(PATIENCE, upgrades.recv().await.unwrap()).await.unwrap().unwrap();
    let bare = socket.get_ref().tcp().is_some();
    let ended = echo(socket);
    expect(&mut client, &ECHO).await;
    client.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    expect(&mut client, b"\x88\x02\x03\xe8").await;
    assert_eq!(
        timeout(PATIENCE, client.read(&mut [0])).await.unwrap().unwrap(),
        0,
        "the stream is shut down"
    );
    drop(client);
    assert_eq!(timeout(PATIENCE, ended).await.unwrap().unwrap(), Some(CloseCode::NORMAL));
    bare
}

#[tokio::test]
async fn over_tcp_the_stream_is_bare_and_early_bytes_are_kept() {
    let (client, server) = sockets().await;
    assert!(opens(client, serve(&Acceptor::new(Config::server()), server)).await);
}

#[tokio::test]
async fn over_tcp_without_the_builder_that_detects_the_version() {
    let (client, server) = sockets().await;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let service = service_fn(move |mut request: Request<Incoming>| {
            let response = answer(&Acceptor::new(Config::server()), &mut request, &sender);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
        connection.with_upgrades().await.unwrap();
    });
    assert!(opens(client, receiver).await);
}

#[tokio::test]
async fn over_another_stream_it_is_not_bare() {
    let (client, server) = tokio::io::duplex(4096);
    assert!(!opens(client, serve(&Acceptor::new(Config::server()), server)).await);
}

#[tokio::test]
async fn refusals() {
    let mut config = Config::server();
    config.origins = vec!["https://example.org".into()];
    let acceptor = Acceptor::new(config);
    let fine = format!("{REQUEST}\r\n");
    let with = |from: &str, to: &str| {
        assert!(fine.contains(from));
        fine.replace(from, to)
    };
    let cases = [
        (with("GET", "POST"), "405 ", "\r\nallow: get\r\n"),
        (with("Upgrade: websocket\r\n", ""), "426 ", "\r\nupgrade: websocket\r\nconnection: upgrade\r\n"),
        (with("Connection: Upgrade\r\n", ""), "400 ", "\r\n"),
        (with("Version: 13", "Version: 8"), "426 ", "\r\nsec-websocket-version: 13\r\n"),
        (with("dGhlIHNhbXBsZSBub25jZQ==", "short"), "400 ", "\r\n"),
        (with("Host: example.org\r\n", ""), "400 ", "\r\n"),
        (with("HTTP/1.1", "HTTP/1.0"), "426 ", "\r\n"),
        (with("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"), "403 ", "\r\n"),
        (with("/chat", "/missing"), "404 ", "\r\nx-why: no such room\r\n"),
        (with("/chat", "/injected"), "500 ", "\r\n"),
    ];
    for (request, status, header) in cases {
        let (mut client, server) = tokio::io::duplex(4096);
        let mut upgrades = serve(&acceptor, server);
        let answer = head(&mut client, request.as_bytes()).await;
        assert!(answer["HTTP/1.x ".len()..].starts_with(status), "{request}{answer}");
        assert!(answer.to_ascii_lowercase().contains(header), "{request}{answer}");
        assert!(!answer.contains("X-C") && !answer.contains("x-c"), "{answer}");
        assert!(upgrades.try_recv().is_err(), "{request}");
    }
}

#[tokio::test]
async fn a_refused_request_leaves_the_connection_to_hyper() {
    let (mut client, server) = tokio::io::duplex(4096);
    let upgrades = serve(&Acceptor::new(Config::server()), server);
    let missing = format!("{REQUEST}\r\n").replace("/chat", "/missing");
    let answer = head(&mut client, missing.as_bytes()).await;
    assert!(answer.contains("content-length: 8\r\n"), "{answer}");
    expect(&mut client, b"no room\n").await;
    opens(client, upgrades).await;
}

#[test]
fn a_request_without_an_upgrade() {
    let request =
        Request::get("/").header("host", "a").header("upgrade", "websocket").header("connection", "upgrade");
    let request =
        request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let rejected = Acceptor::new(Config::server()).upgrade(&mut parts).unwrap_err();
    assert!(matches!(rejected.error(), AcceptError::NotUpgradable), "{rejected}");
    assert_eq!(rejected.into_response().status(), 426);
}

/// What `decide` sees of HTTP/2, and what is refused. (No connection is below these requests.)
#[test]
fn requests_of_http2() {
    let connect = |uri: &str| {
        let protocol = hyper::ext::Protocol::from_static("websocket");
        let request = Request::connect(uri).version(http::Version::HTTP_2).extension(protocol);
        request.header("sec-websocket-version", "13").header("host", "another.example")
    };
    let mut config = Config::server();
    config.origins = vec!["https://example.org".into()];
    let acceptor = Acceptor::new(config);
    let refused = |request: http::request::Builder| {
        let mut seen = None;
        let rejected = acceptor.upgrade_with(&mut request.body(()).unwrap(), |upgrade| {
            seen = Some((upgrade.target().to_owned(), upgrade.host().map(str::to_owned)));
            Ok(Answer::default())
        });
        let rejected = rejected.unwrap_err();
        assert!(!rejected.response().headers().contains_key("upgrade"));
        assert!(!rejected.response().headers().contains_key("connection"));
        (rejected.response().status().as_u16(), seen)
    };
    let uri = "https://example.org/chat?room=1";
    let seen = ("/chat?room=1".to_owned(), Some("example.org".to_owned()));
    assert_eq!(refused(connect(uri)), (400, Some(seen)), "it has no upgrade");
    assert_eq!(refused(connect(uri).header("origin", "https://evil.example")), (403, None));
    assert_eq!(refused(connect(uri).header("sec-websocket-version", "8")), (400, None));
    assert_eq!(refused(connect(uri).header("sec-websocket-protocol", "a b")), (400, None));
    assert_eq!(refused(connect(uri).method("GET")), (400, None));
    let udp = hyper::ext::Protocol::from_static("connect-udp");
    assert_eq!(refused(connect(uri).extension(udp)), (400, None));
}

/// HTTP/2 may send a field for each cookie, and HTTP/1.1 has one for all.
#[test]
fn cookies_of_http2_are_one_header() {
    let protocol = hyper::ext::Protocol::from_static("websocket");
    let mut request =
        Request::connect("https://example.org/").version(http::Version::HTTP_2).extension(protocol);
    for n in 0..150 {
        request = request.header("cookie", format!("c{n}={n}"));
    }
    let request = request.header("sec-websocket-version", "13").header("cookie", "session=XYZ");
    let mut seen = None;
    let rejected = Acceptor::new(Config::server()).upgrade_with(&mut request.body(()).unwrap(), |upgrade| {
        seen = upgrade.headers().get("cookie").map(<[u8]>::to_vec);
        Ok(Answer::default())
    });
    drop(rejected.unwrap_err()); // no connection is below
    let seen = String::from_utf8(seen.unwrap()).unwrap();
    assert!(seen.starts_with("c0=0; c1=1; ") && seen.ends_with("; c149=149; session=XYZ"), "{seen}");
}

/// A client and a server, connected by hyper.
async fn pair(
    acceptor: &Acceptor,
    client: Config,
    change: impl FnOnce(&mut Upgrading),
) -> (WebSocket<HyperStream>, WebSocket<DuplexStream, framewire_tokio::Client>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let mut upgrades = serve(acceptor, far);
    let connector = Connector::new(client);
    let open = async {
        let mut upgrading = upgrades.recv().await.unwrap();
        change(&mut upgrading);
        upgrading.await.unwrap()
    };
    let opened = async { tokio::join!(open, connector.connect_on(near, "example.org", "/chat")) };
    let (server, client) = timeout(PATIENCE, opened).await.unwrap();
    (server, client.unwrap())
}

#[tokio::test]
async fn subprotocols_are_chosen() {
    let mut config = Config::server();
    config.subprotocols = vec!["chat.v2".into(), "chat.v1".into()];
    let mut theirs = Config::client();
    theirs.subprotocols = vec!["chat.v1".into(), "chat.v2".into()];
    let (server, client) = pair(&Acceptor::new(config), theirs, |_| {}).await;
    assert_eq!((server.subprotocol(), client.subprotocol()), (Some("chat.v2"), Some("chat.v2")));
}

#[tokio::test]
async fn a_tracker_closes_with_1001_and_waits() {
    let tracker = Tracker::new();
    let acceptor = Acceptor::new(Config::server()).tracked_by(&tracker);
    let (server, mut client) = pair(&acceptor, Config::client(), |_| {}).await;
    let ended = echo(server);
    client.send("Hello").await.unwrap();
    assert_eq!(client.recv().await.unwrap().unwrap(), Message::from("Hello"));
    let shutdown = async { tokio::join!(tracker.shutdown(PATIENCE), client.recv()) };
    let (open, last) = timeout(PATIENCE, shutdown).await.unwrap();
    assert_eq!(open, 0);
    assert!(last.is_none());
    assert_eq!(client.peer_close().unwrap().code, CloseCode::GOING_AWAY);
    ended.await.unwrap();
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn compression_outlives_another_configuration() {
    let (mut ours, mut theirs) = (Config::server(), Config::client());
    ours.compression = Some(framewire_tokio::Compression::default());
    theirs.compression = ours.compression;
    let replace = |upgrading: &mut Upgrading| *upgrading.config_mut() = Config::server();
    let (server, mut client) = pair(&Acceptor::new(ours), theirs, replace).await;
    let ended = echo(server);
    let text = "a".repeat(5000);
    client.send(text.clone()).await.unwrap();
    assert_eq!(client.recv().await.unwrap().unwrap(), Message::from(text));
    client.close(CloseCode::NORMAL, "").await.unwrap();
    ended.await.unwrap();
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn messages_are_compressed_and_a_connection_may_have_a_lower_limit() {
    use framewire_tokio::{Compression, Error, ProtocolError};

    let (mut ours, mut theirs) = (Config::server(), Config::client());
    ours.compression = Some(Compression::default());
    theirs.compression = Some(Compression::default());
    let acceptor = Acceptor::new(ours);
    let limit = |upgrading: &mut Upgrading| upgrading.config_mut().limits.message = 1000;
    for (len, fits) in [(1000, true), (1001, false)] {
        let (mut server, mut client) = pair(&acceptor, theirs.clone(), limit).await;
        let text = "\u{e9}a".repeat(500)[..len / 3 * 3].to_owned() + &"a".repeat(len % 3);
        client.feed(text.clone()).await.unwrap();
        assert!(client.waiting() < 100, "it is compressed");
        client.flush().await.unwrap();
        drop(client);
        match server.recv().await.unwrap() {
            Ok(message) => assert!(fits && message == Message::from(text)),
            Err(error) => {
                assert!(!fits && matches!(error, Error::Protocol(ProtocolError::MessageTooBig)), "{error}");
            }
        }
    }
    let (mut server, mut client) = pair(&acceptor, theirs, |_| {}).await;
    let bytes = vec![7; 100_000];
    client.send(bytes.clone()).await.unwrap();
    assert_eq!(server.recv().await.unwrap().unwrap().into_bytes(), bytes);
}

/// The client goes away after its request, before hyper has written the response.
#[tokio::test]
async fn a_client_that_goes_away() {
    let (mut client, server) = tokio::io::duplex(1 << 10);
    let (sender, mut upgrades) = mpsc::unbounded_channel();
    let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    tokio::spawn(async move {
        let service = service_fn(move |mut request: Request<Incoming>| {
            let response = answer(&Acceptor::new(Config::server()), &mut request, &sender);
            let wait = wait.lock().unwrap().take().unwrap();
            async move {
                let _ = wait.await;
                Ok::<_, Infallible>(response)
            }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let _ = connection.with_upgrades().await;
    });
    client.write_all(format!("{REQUEST}\r\n").as_bytes()).await.unwrap();
    let upgrading = upgrades.recv().await.unwrap();
    drop(client);
    let _ = go_on.send(());
    let outcome = timeout(PATIENCE, upgrading).await.unwrap();
    // Or the stream was passed on, and ends at once.
    if let Ok(mut socket) = outcome {
        assert!(timeout(PATIENCE, socket.recv()).await.unwrap().unwrap().is_err());
    } else {
        assert!(matches!(outcome, Err(AcceptError::Io(_))), "{outcome:?}");
    }
}

/// hyper waits for a client that does not take the response, or for a service that does not return it.
#[tokio::test(start_paused = true)]
async fn an_upgrade_that_never_comes() {
    let (mut client, server) = tokio::io::duplex(1 << 10);
    let (sender, mut upgrades) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let service = service_fn(move |mut request: Request<Incoming>| {
            let _response = answer(&Acceptor::new(Config::server()), &mut request, &sender);
            std::future::pending::<Result<Response<String>, Infallible>>()
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let _ = connection.with_upgrades().await;
    });
    client.write_all(format!("{REQUEST}\r\n").as_bytes()).await.unwrap();
    let outcome = upgrades.recv().await.unwrap().await;
    assert!(matches!(outcome, Err(AcceptError::Timeout)), "{outcome:?}");
}
