//! Starts each program as a user would, and talks to it with another implementation, tungstenite, within time limits.

use std::{
    env, fs,
    io::{BufRead, BufReader, ErrorKind, Read},
    iter,
    net::TcpStream,
    process::{self, Child, Command, Output, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use tokio_rustls::rustls::{
    self, ClientConnection, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject},
};
use tungstenite::{Bytes, Message, WebSocket, client, protocol::frame::coding::CloseCode};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn tokio_server() {
    let server = Server::start(env!("CARGO_BIN_EXE_tokio_server"));
    echoes(server.open("/"));
}

/// A peer that sends without end and never reads is given up.
#[test]
fn tokio_server_and_a_flood() {
    let server = Server::start_with(&[env!("CARGO_BIN_EXE_tokio_server"), "127.0.0.1:0", "1"]).unwrap();
    let mut socket = server.open("/");
    let message = Message::from("x".repeat(1000)); // a read brings several, so that some wait for space
    let error = loop {
        if let Err(error) = socket.send(message.clone()) {
            break error;
        }
    };
    let tungstenite::Error::Io(error) = error else { panic!("{error}") };
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}

#[test]
fn tokio_client() {
    let server = Server::start(env!("CARGO_BIN_EXE_tokio_server"));
    let url = format!("ws://{}/", server.address);
    let said = output(tokio_client_at(&url).args(["Hello", "", "w\u{F6}rld"]));
    assert_eq!(said, "Hello\n\nw\u{F6}rld\nthe peer closed with 1000\n");
}

/// The client, without a proxy of the environment.
fn tokio_client_at(url: &str) -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_tokio_client"));
    client.arg(url).env("NO_PROXY", "127.0.0.1, localhost");
    client
}

#[test]
fn tokio_chat() {
    let mut server = Server::start(env!("CARGO_BIN_EXE_tokio_chat"));
    assert!(server.get("/").starts_with("HTTP/1.1 426 "));
    assert!(client(format!("ws://{}/elsewhere", server.address), server.connect()).is_err());
    let (mut one, mut two, mut other) =
        (server.open("/rooms/one"), server.open("/rooms/one"), server.open("/rooms/two"));
    let text = |socket: &mut WebSocket<TcpStream>| socket.read().unwrap().into_text().unwrap();
    one.send("Hello".into()).unwrap();
    other.send("Anyone?".into()).unwrap();
    let said = format!("{}: Hello", one.get_ref().local_addr().unwrap());
    assert_eq!((text(&mut one).as_str(), text(&mut two).as_str()), (&*said, &*said));
    assert!(text(&mut other).ends_with(": Anyone?"), "the rooms are apart");

    // The second reads no more. It holds nobody up, and gets a part of what the first one says.
    const SAID: usize = 500;
    let long = "x".repeat(60_000);
    for _ in 0..SAID {
        one.send(long.as_str().into()).unwrap();
        assert!(text(&mut one).ends_with(&long));
    }
    let heard = iter::from_fn(|| two.read().ok().filter(Message::is_text)).count();
    assert!(heard < SAID, "{heard}");

    let terminated = Command::new("kill").arg(server.child.id().to_string()).status().unwrap();
    assert!(terminated.success());
    for mut socket in [one, other] {
        let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no close") };
        assert_eq!(close.code, CloseCode::Away);
        assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
    }
    assert!(server.child.wait().unwrap().success());
}

/// tungstenite has no compression.
#[tokio::test]
async fn tokio_chat_compressed() {
    use framewire_tokio::{CloseCode, Compression, Config, Connector};

    let server = Server::start(env!("CARGO_BIN_EXE_tokio_chat"));
    let mut config = Config::client();
    config.compression = Some(Compression::default());
    let talk = async {
        let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
        let mut compressed =
            Connector::new(config).connect_on(stream, &server.address, "/rooms/one").await.unwrap();
        let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
        let plain = Connector::new(Config::client());
        let mut plain = plain.connect_on(stream, &server.address, "/rooms/one").await.unwrap();
        let long = "the same again, ".repeat(1000);
        compressed.send(long.clone()).await.unwrap();
        for socket in [&mut compressed, &mut plain] {
            let heard = socket.recv().await.unwrap().unwrap();
            assert!(heard.as_text().unwrap().ends_with(&long));
        }
        compressed.close(CloseCode::NORMAL, "").await.unwrap();
        plain.close(CloseCode::NORMAL, "").await.unwrap();
    };
    tokio::time::timeout(PATIENCE, talk).await.unwrap();
}

#[test]
fn mio_loop() {
    let server = Server::start(env!("CARGO_BIN_EXE_mio_loop"));
    let sockets: Vec<_> = (0..100).map(|_| server.open("/")).collect();
    echoes(server.open("/"));
    sockets.into_iter().for_each(closes);
}

#[test]
fn io_uring_echo() {
    let Some(server) = Server::start_or_skip(env!("CARGO_BIN_EXE_io_uring_echo")) else { return };
    let sockets: Vec<_> = (0..200).map(|_| server.open("/")).collect();
    echoes(server.open("/"));
    sockets.into_iter().for_each(closes);
    let others: Vec<_> = (0..100).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    drop(others);
    echoes(server.open("/"));
}

/// Messages of all sizes on several connections at once, with so few buffers that the ring is often empty, and a queue that a batch does
/// not fit into.
#[test]
fn io_uring_echo_through_four_buffers() {
    let program = env!("CARGO_BIN_EXE_io_uring_echo");
    let Some(server) = Server::start_with(&[program, "127.0.0.1:0", "4", "2"]) else { return };
    thread::scope(|scope| {
        for _ in 0..8 {
            let socket = server.open("/");
            scope.spawn(|| echoes(socket));
        }
    });
}

/// An operation may complete while the queue is emptied for more entries. It is not forgotten, although nothing else completes.
#[test]
fn io_uring_echo_with_a_queue_of_one() {
    let program = env!("CARGO_BIN_EXE_io_uring_echo");
    let Some(server) = Server::start_with(&[program, "127.0.0.1:0", "4", "1"]) else { return };
    let signal = |name: &str| {
        let status = Command::new("kill").args(["-s", name, &server.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    };
    signal("STOP");
    let silent = server.connect();
    let mut other = server.connect();
    let request = "GET / HTTP/1.1\r\nHost: test.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    std::io::Write::write_all(&mut other, request.as_bytes()).unwrap();
    signal("CONT"); // both are accepted in one batch
    let mut answer = [0; 12];
    other.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    drop(silent);
}

/// A peer that does not read is not read without end. It gets everything once it reads.
#[test]
fn io_uring_echo_and_a_peer_that_does_not_read() {
    let Some(server) = Server::start_or_skip(env!("CARGO_BIN_EXE_io_uring_echo")) else { return };
    let mut socket = server.open("/");
    socket.get_ref().set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let message = |i: usize| Message::from(vec![i as u8; 64 << 10]);
    let mut sent = 0;
    while socket.send(message(sent)).is_ok() {
        sent += 1;
        assert!(sent < 1600, "it has taken 100 MiB");
    }
    socket.get_ref().set_write_timeout(Some(PATIENCE)).unwrap();
    for i in 0..=sent {
        assert_eq!(socket.read().unwrap(), message(i), "message {i}");
        if i == sent / 2 {
            socket.flush().unwrap(); // the rest of the last one
        }
    }
    closes(socket);
}

#[test]
fn rustls_server() {
    let server = Server::start(env!("CARGO_BIN_EXE_rustls_server"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.said.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = StreamOwned::new(session, server.connect());
    echoes(client(format!("wss://{}/", server.address), stream).unwrap().0);
}

/// The client trusts whom the system trusts.
#[cfg(target_os = "linux")] // elsewhere, no variable names the roots
#[test]
fn tokio_client_and_tls() {
    let server = Server::start(env!("CARGO_BIN_EXE_rustls_server"));
    let url = format!("wss://{}/", server.address.replace("127.0.0.1", "localhost"));
    let roots = env::temp_dir().join(format!("framewire-roots-{}.pem", process::id()));
    fs::write(&roots, &server.said).unwrap();
    let said = output(tokio_client_at(&url).arg("Hello").env("SSL_CERT_FILE", &roots));
    fs::remove_file(&roots).unwrap();
    assert_eq!(said, "Hello\nthe peer closed with 1000\n");

    let refused = tokio_client_at(&url).arg("Hello").output().unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
}

#[test]
fn hyper_upgrade() {
    let server = Server::start(env!("CARGO_BIN_EXE_hyper_upgrade"));
    assert!(server.get("/").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(server.get("/missing").starts_with("HTTP/1.1 404 Not Found\r\n"));
    let refused = server.get("/ws");
    assert!(refused.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
    assert!(refused.contains("sec-websocket-version: 13\r\n"), "RFC 6455 §4.4: {refused}");
    assert!(refused.ends_with("\r\n\r\nthe request does not ask for a WebSocket\n"));
    echoes(server.open("/ws"));
}

/// RFC 8441, with hyper's client and framewire-tokio in it, as tungstenite has HTTP/1 only.
#[tokio::test]
async fn hyper_upgrade_http2() {
    use framewire_tokio::{Client, CloseCode, Config, WebSocket};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let server = Server::start(env!("CARGO_BIN_EXE_hyper_upgrade"));
    let talk = async {
        let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
        let http2 = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) = http2.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        // The server's settings must have arrived before a client may ask for a protocol.
        let page = hyper::Request::get(format!("http://{}/", server.address)).body(String::new()).unwrap();
        assert_eq!(sender.send_request(page).await.unwrap().status(), 200);
        let connect = |version| {
            hyper::Request::connect(format!("http://{}/ws", server.address))
                .extension(hyper::ext::Protocol::from_static("websocket"))
                .header("sec-websocket-version", version)
                .body(String::new())
                .unwrap()
        };
        assert_eq!(sender.send_request(connect("12")).await.unwrap().status(), 400);
        let response = sender.send_request(connect("13")).await.unwrap();
        assert_eq!(response.status(), 200);
        let stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        let mut socket = WebSocket::<_, Client>::from_upgraded(stream, b"", Config::client());
        for message in ["Hello".to_owned(), "x".repeat(1 << 20)] {
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.recv().await.unwrap().unwrap(), message.into());
        }
        let closed = socket.close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(closed.code, CloseCode::NORMAL);
    };
    tokio::time::timeout(PATIENCE, talk).await.unwrap();
}

/// The bytes of a client of Socket.IO. `interop/run frameworks` tests with socket.io-client itself.
#[test]
fn socketio_echo() {
    let server = Server::start(env!("CARGO_BIN_EXE_socketio_echo"));
    assert!(server.get("/").starts_with("HTTP/1.1 404 "));
    assert!(server.get("/socket.io/?EIO=4&transport=polling").starts_with("HTTP/1.1 400 "));
    let mut socket = server.open("/socket.io/?EIO=4&transport=websocket");
    let mut exchange = |send: &[Message], expected: &[Message]| {
        send.iter().for_each(|message| socket.send(message.clone()).unwrap());
        for message in expected {
            match (socket.read().unwrap(), message) {
                // Names of sessions differ.
                (Message::Text(text), Message::Text(start)) if start.ends_with('*') => {
                    assert!(text.starts_with(start.trim_end_matches('*')), "{text}");
                }
                (received, _) => assert_eq!(received, *message),
            }
        }
    };
    let bytes = Message::binary(&b"\x00\xFF"[..]);
    exchange(&[], &["0{\"sid\":\"*".into()]);
    exchange(&["40/admin,".into()], &["44/admin,{\"message\":\"Invalid namespace\"}".into()]);
    exchange(&["40".into()], &["40{\"sid\":\"*".into()]);
    exchange(&[r#"42["hello",1,{"a":"\u00e9"}]"#.into()], &[r#"42["hello",1,{"a":"\u00e9"}]"#.into()]);
    exchange(&[r#"4213["hello",1,null]"#.into()], &[r#"4313[1,null]"#.into()]);
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let event = Message::from(format!(r#"451-["file",{placeholder}]"#));
    exchange(&[event.clone(), bytes.clone()], &[event, bytes.clone()]);
    let asked = Message::from(format!(r#"451-7["file",{placeholder}]"#));
    exchange(&[asked, bytes.clone()], &[format!(r#"461-7[{placeholder}]"#).into(), bytes]);
    exchange(&[], &["2".into()]); // a ping, within two seconds
    exchange(&["3".into()], &["2".into()]);
    closes(socket);

    // An invalid packet ends the connection.
    for wrong in ["5", "4", "42[\"early\"]", "40garbage\u{0}", "\u{E9}", ""] {
        let mut socket = server.open("/socket.io/?EIO=4&transport=websocket");
        socket.read().unwrap();
        socket.send(wrong.into()).unwrap();
        socket.send("42[".into()).unwrap(); // the fourth of `wrong` connects, and this then fails
        let closed = std::iter::from_fn(|| socket.read().ok()).any(|message| message.is_close());
        assert!(closed, "{wrong:?}");
    }
}

/// The bytes of a client of SockJS. `interop/run frameworks` tests with sockjs-client itself.
#[test]
fn sockjs_echo() {
    let server = Server::start(env!("CARGO_BIN_EXE_sockjs_echo"));
    let info = server.get("/echo/info");
    assert!(
        info.starts_with("HTTP/1.1 200 OK\r\n") && info.contains("\r\n\r\n{\"websocket\":true,"),
        "{info}"
    );
    assert!(server.get("/echo/000/session/xhr").starts_with("HTTP/1.1 404 "));
    echoes(server.open("/echo/websocket"));

    let mut socket = server.open("/echo/000/session/websocket");
    let mut exchange = |sent: &str, expected: &str| {
        if !sent.is_empty() {
            socket.send(sent.into()).unwrap();
        }
        assert_eq!(socket.read().unwrap(), expected.into());
    };
    exchange("", "o");
    exchange(r#"["one","tw\u00f6"]"#, "a[\"one\",\"tw\u{F6}\"]");
    exchange(r#""alone""#, r#"a["alone"]"#);
    exchange("", "h"); // a heartbeat, within two seconds
    exchange(r#"["close"]"#, r#"c[3000,"Go away!"]"#);
    assert!(socket.read().unwrap().is_close());

    let mut socket = server.open("/echo/000/other/websocket");
    assert_eq!(socket.read().unwrap(), "o".into());
    for _ in 0..2 {
        socket.write("[broken".into()).unwrap(); // in one read: the second follows the server's close
    }
    socket.flush().unwrap();
    assert!(matches!(socket.read().unwrap(), Message::Close(Some(frame)) if frame.code == CloseCode::Error));
}

// ------------------------------------------------------------------------------------- what the tests share

/// The checks for every echo server.
fn echoes<S: Read + std::io::Write>(mut socket: WebSocket<S>) {
    let noise = |len: usize| Bytes::from_iter((0..len).map(|i| (i * 7 + i / 255) as u8));
    for len in [0, 1, 125, 126, 4_000, 65_535, 65_536, 3 << 20] {
        let message = Message::Binary(noise(len));
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message, "{len} bytes");
    }
    let batch: Vec<Message> = (0..1_000).map(|i| format!("message {i}: \u{1F44B}").into()).collect();
    batch.iter().for_each(|message| socket.write(message.clone()).unwrap());
    socket.flush().unwrap();
    batch.iter().for_each(|message| assert_eq!(socket.read().unwrap(), *message));
    socket.send(Message::Ping(Bytes::from_static(b"there?"))).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(Bytes::from_static(b"there?")));
    closes(socket);
}

fn closes<S: Read + std::io::Write>(mut socket: WebSocket<S>) {
    socket.close(None).unwrap();
    while !socket.read().unwrap().is_close() {}
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

/// A running program, which ends with the test.
struct Server {
    child: Child,
    address: String,
    /// The lines that it printed before it was ready.
    said: String,
}

impl Server {
    fn start(program: &str) -> Self {
        Self::start_or_skip(program).unwrap_or_else(|| panic!("{program} does not run here"))
    }

    fn start_or_skip(program: &str) -> Option<Self> {
        Self::start_with(&[program, "127.0.0.1:0"])
    }

    /// `None` if the program says that it cannot run here; the test then prints that.
    fn start_with(command: &[&str]) -> Option<Self> {
        let program = command[0];
        let mut child = Command::new(program).args(&command[1..]).stdout(Stdio::piped()).spawn().unwrap();
        let (line, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || out.lines().try_for_each(|each| line.send(each.ok()?).ok())); // to the end of the output
        let mut server = Self { child, address: String::new(), said: String::new() };
        loop {
            let next = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{program}: {}", server.said));
            if next.starts_with("skipped: ") {
                eprintln!("{program}: {next}");
                return None;
            }
            if let Some((_, url)) =
                next.split_once("listening on ").and_then(|(_, url)| url.split_once("://"))
            {
                let address = url.split('/').next().unwrap_or_default();
                server.address = address.replace("localhost", "127.0.0.1");
                thread::spawn(move || lines.into_iter().for_each(drop));
                return Some(server);
            }
            server.said += &format!("{next}\n");
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn open(&self, path: &str) -> WebSocket<TcpStream> {
        client(format!("ws://{}{path}", self.address), self.connect()).unwrap().0
    }

    /// The response to a plain GET.
    fn get(&self, path: &str) -> String {
        let mut stream = self.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a program that ends by itself, successfully.
fn output(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
        }
        thread::sleep(Duration::from_millis(10));
    };
    let Output { stdout, .. } = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{status}: {stdout}");
    stdout
}
