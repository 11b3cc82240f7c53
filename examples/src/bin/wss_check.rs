//! Checks an echo server for `wss://`: `cargo run --bin wss_check [--asked] [--version] URL ROOT WRONG_ROOT`
//!
//! ROOT is a file with the certificate, in PEM, of the authority that vouches for the server; WRONG_ROOT is that of another one.
//! With `--asked`, the server must send a ping or a close on request, as those in `interop/peers` do. With `--version`, it must
//! say which version of HTTP a request had, as `axum/examples/axum_echo.rs` does. This program prints a line of JSON for each
//! scenario; `interop/run wss` makes a table of them.

use framewire_tokio::{
    Client, CloseCode, Config, ConnectError, ConnectStream, Connector, Event, Kind, Message, Proxy, TlsError,
    WebSocket,
    rustls::{
        self, CertificateError, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject},
    },
};
use std::{
    env,
    error::Error,
    future::Future,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, time::timeout};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Socket = WebSocket<ConnectStream, Client>;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<ExitCode> {
    let (options, words): (Vec<_>, Vec<_>) = env::args().skip(1).partition(|word| word.starts_with("--"));
    let [url, root, wrong_root] = &words[..] else {
        return Err("usage: wss_check [--asked] [--version] URL ROOT WRONG_ROOT".into());
    };
    let has = |option| options.iter().any(|each| each == option);
    let server =
        Server { url: url.trim_end_matches('/').to_owned(), connector: connector(root, Config::client())? };
    let mut tally = Tally::default();
    tally.check("text", text(&server)).await;
    tally.check("binary to 64 KiB", binary(&server, &[0, 1, 125, 126, 127, 65_535, 65_536])).await;
    tally.check("binary 1 MiB", binary(&server, &[1 << 20])).await;
    tally.check("binary 64 MiB", binary(&server, &[64 << 20])).await;
    tally.check("fragments", fragments(&server)).await;
    tally.check("ping from the client", ping(&server)).await;
    tally.check("close by the client", close(&server)).await;
    tally.check("10,000 in order", in_order(&server)).await;
    tally.check("1,000 at once", at_once(&server)).await;
    tally.check("subprotocol", subprotocol(&server, root)).await;
    tally.check("a wrong root", wrong_root_is_refused(&server, wrong_root)).await;
    tally.check("a wrong name", wrong_name_is_refused(&server, root)).await;
    if has("--asked") {
        tally.check("ping from the server", pinged(&server)).await;
        tally.check("close by the server", closed(&server)).await;
    }
    if has("--version") {
        tally.check("HTTP/1.1", version(&server)).await;
    }
    Ok(ExitCode::from(u8::from(tally.failed)))
}

struct Server {
    /// Without a path.
    url: String,
    connector: Connector,
}

impl Server {
    async fn connect(&self, path: &str) -> Result<Socket, ConnectError> {
        self.connector.connect(&format!("{}{path}", self.url)).await
    }
}

/// A connector that trusts this authority alone.
fn connector(root: &str, mut config: Config) -> Outcome<Connector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.limits.message = 64 << 20;
    config.limits.frame = 64 << 20;
    Ok(Connector::new(config).proxy(Proxy::none()).tls(tls))
}

async fn text(server: &Server) -> Outcome {
    let mut socket = server.connect("/").await?;
    let long = "\u{20AC}".repeat(50_000);
    for text in ["Hello", "", "\u{1F44B} w\u{F6}rld \u{1F9D1}\u{200D}\u{1F680}", "\0", &long] {
        echoed(&mut socket, text.to_owned().into()).await?;
    }
    end(socket).await
}

async fn binary(server: &Server, sizes: &[usize]) -> Outcome {
    let mut socket = server.connect("/").await?;
    for &size in sizes {
        echoed(&mut socket, noise(size)?.into()).await?;
    }
    end(socket).await
}

async fn fragments(server: &Server) -> Outcome {
    let mut socket = server.connect("/").await?;
    let wave = "\u{1F44B}"; // cut inside the character
    let mut writer = socket.writer(Kind::Text);
    for piece in [&wave.as_bytes()[..1], &wave.as_bytes()[1..3], &wave.as_bytes()[3..]] {
        writer.write_all(piece).await?;
    }
    writer.shutdown().await?;
    drop(writer);
    expect(&mut socket, &wave.into()).await?;
    let bytes = noise(300_000)?;
    let mut writer = socket.writer(Kind::Binary);
    for piece in bytes.chunks(1_000) {
        writer.write_all(piece).await?;
    }
    writer.shutdown().await?;
    drop(writer);
    expect(&mut socket, &bytes.into()).await?;
    end(socket).await
}

async fn ping(server: &Server) -> Outcome {
    let mut socket = server.connect("/").await?;
    for payload in [&b""[..], b"are you there?", &noise(125)?] {
        socket.ping_with(payload)?;
        match socket.next_event().await.ok_or("it has closed")?? {
            Event::Pong(back) if back == payload => {}
            other => return Err(format!("no pong, but {other:?}").into()),
        }
    }
    end(socket).await
}

/// The server pings each time, and echoes once it has the pong.
async fn pinged(server: &Server) -> Outcome {
    let mut socket = server.connect("/ping").await?;
    for _ in 0..3 {
        echoed(&mut socket, "ping me".into()).await?;
    }
    end(socket).await
}

async fn close(server: &Server) -> Outcome {
    for (code, reason) in [(1000, ""), (1000, "enough"), (3000, "\u{1F44B}"), (4999, &"x".repeat(123))] {
        let answer = server.connect("/").await?.close(CloseCode::new(code), reason).await?;
        if answer.code.get() != code {
            return Err(format!("{code} was answered by {}", answer.code.get()).into());
        }
    }
    Ok(())
}

async fn closed(server: &Server) -> Outcome {
    let mut socket = server.connect("/close").await?;
    socket.send("close, please").await?;
    if let Some(message) = socket.recv().await {
        return Err(format!("no close, but {} bytes", message?.len()).into());
    }
    match socket.peer_close() {
        Some(close) if close.code.get() == 3001 && close.reason.as_str() == "as you wish" => Ok(()),
        other => Err(format!("it closed with {other:?}").into()),
    }
}

async fn in_order(server: &Server) -> Outcome {
    let mut socket = server.connect("/").await?;
    for batch in 0..100 {
        let messages = (batch * 100..(batch + 1) * 100).map(|i| Message::from(format!("message {i}")));
        for message in messages.clone() {
            socket.feed(message).await?;
        }
        for message in messages {
            expect(&mut socket, &message).await?;
        }
    }
    end(socket).await
}

async fn at_once(server: &Server) -> Outcome {
    let mut sockets = Vec::new();
    for i in 0..1_000 {
        let mut socket = server.connect("/").await?;
        socket.send(format!("I am {i}")).await?;
        sockets.push(socket);
    }
    for (i, mut socket) in sockets.into_iter().enumerate() {
        expect(&mut socket, &format!("I am {i}").into()).await?;
        end(socket).await?;
    }
    Ok(())
}

async fn subprotocol(server: &Server, root: &str) -> Outcome {
    let mut config = Config::client();
    config.subprotocols = vec!["chat.v1".into(), "chat.v2".into()];
    let socket = connector(root, config)?.connect(&server.url).await?;
    match socket.subprotocol() {
        Some("chat.v2") => end(socket).await,
        other => Err(format!("the server chose {other:?}").into()),
    }
}

async fn wrong_root_is_refused(server: &Server, wrong_root: &str) -> Outcome {
    let connecting = connector(wrong_root, Config::client())?.connect(&server.url).await;
    match certificate_error(connecting)? {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Ok(()),
        other => Err(format!("the certificate was refused for {other:?}").into()),
    }
}

/// The server's certificate does not name this address, which a resolver finds on this machine.
async fn wrong_name_is_refused(server: &Server, root: &str) -> Outcome {
    let (_, port) = server.url.rsplit_once(':').ok_or("a URL without a port")?;
    let connecting = connector(root, Config::client())?
        .resolver(|_, port| async move { Ok(vec![([127, 0, 0, 1], port).into()]) })
        .connect(&format!("wss://elsewhere.example:{port}/"))
        .await;
    match certificate_error(connecting)? {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Ok(()),
        other => Err(format!("the certificate was refused for {other:?}").into()),
    }
}

/// What was wrong with the server's certificate.
fn certificate_error(connecting: Result<Socket, ConnectError>) -> Outcome<CertificateError> {
    let Err(error) = connecting else { return Err("the client has connected".into()) };
    let ConnectError::Tls(TlsError::Handshake(handshake)) = error else { return Err(error.into()) };
    match handshake.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(error)) => Ok(error.clone()),
        _ => Err(handshake.into()),
    }
}

async fn version(server: &Server) -> Outcome {
    let mut socket = server.connect("/version").await?;
    expect(&mut socket, &"HTTP/1.1".into()).await?;
    end(socket).await
}

async fn echoed(socket: &mut Socket, message: Message) -> Outcome {
    socket.feed(message.clone()).await?;
    expect(socket, &message).await // which also writes: the server may echo before it has all
}

async fn expect(socket: &mut Socket, message: &Message) -> Outcome {
    let received = socket.recv().await.ok_or("it has closed")??;
    if received == *message {
        return Ok(());
    }
    Err(format!("{} bytes came back as {} others", message.len(), received.len()).into())
}

async fn end(socket: Socket) -> Outcome {
    match socket.close(CloseCode::NORMAL, "").await?.code {
        CloseCode::NORMAL => Ok(()),
        other => Err(format!("1000 was answered by {}", other.get()).into()),
    }
}

/// Bytes without a pattern.
fn noise(len: usize) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Runs scenarios, and reports them.
#[derive(Default)]
struct Tally {
    failed: bool,
}

impl Tally {
    async fn check(&mut self, name: &str, scenario: impl Future<Output = Outcome>) {
        let began = Instant::now();
        let outcome = timeout(PATIENCE, scenario).await.unwrap_or_else(|_| Err("it takes too long".into()));
        self.failed |= outcome.is_err();
        let report = serde_json::json!({
            "scenario": name,
            "ok": outcome.is_ok(),
            "seconds": began.elapsed().as_secs_f64(),
            "note": outcome.err().map(|error| error.to_string()).unwrap_or_default(),
        });
        println!("{report}");
    }
}
