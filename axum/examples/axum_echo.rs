//! An echo on axum: `cargo run --example axum_echo --features deflate -- [OPTION VALUE]...`
//!
//! `/version` says which version of HTTP a request had: to a WebSocket as its first message, to others as a page. `interop/run`
//! tests this program with other people's clients. SIGTERM ends it.
//!
//! The options are those of `tokio/examples/echo.rs`, and `--tls FILE`. The file has a certificate and its key in PEM; the server
//! then offers HTTP/2 and HTTP/1.1 over TLS. `--listen` takes an address of TCP alone.

use axum::{
    Extension, Router,
    extract::State,
    http::{StatusCode, Version},
    response::{IntoResponse, Response},
    routing::any,
    serve::{Listener, ListenerExt},
};
use framewire_axum::framewire_tokio::{Compression, Keepalive, Limits};
use framewire_axum::{Acceptor, Config, Tracker, WebSocket, WebSocketUpgrade, WebSocketUpgradeRejection};
use std::{env, error::Error, fmt, io, path::Path, sync::Arc, time::Duration};
use tls_listener::TlsListener;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let Options { config, address, tls } = options()?;
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    match tls {
        None => {
            println!("listening on ws://{address}/");
            serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), config).await?;
        }
        Some(file) => {
            let listener = TlsListener::new(acceptor(file.as_ref())?, listener);
            println!("listening on wss://{address}/");
            serve(listener.tap_io(|stream| drop(stream.get_ref().0.set_nodelay(true))), config).await?;
        }
    }
    Ok(())
}

/// Serves until SIGTERM.
async fn serve<L: Listener<Addr: fmt::Debug>>(listener: L, config: Config) -> io::Result<()> {
    let tracker = Tracker::new();
    let any_subprotocol = config.subprotocols.is_empty();
    let acceptor = Acceptor::new(config).tracked_by(&tracker);
    let app = Router::new()
        .route("/", any(echo))
        .route("/version", any(say_version))
        .layer(Extension(acceptor))
        .with_state(AnySubprotocol(any_subprotocol));

    let mut terminate = signal(SignalKind::terminate())?;
    let end = async move {
        terminate.recv().await;
        tracker.shutdown(Duration::from_secs(10)).await;
    };
    axum::serve(listener, app).with_graceful_shutdown(end).await
}

/// Whether the server accepts the subprotocol that the client names first.
#[derive(Clone, Copy)]
struct AnySubprotocol(bool);

async fn echo(State(any): State<AnySubprotocol>, mut upgrade: WebSocketUpgrade) -> Response {
    let first = upgrade.requested_protocols().next().cloned();
    if let (AnySubprotocol(true), Some(first)) = (any, first) {
        upgrade.set_selected_protocol(first);
    }
    upgrade.on_upgrade(echo_all)
}

async fn say_version(
    version: Version,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(async move |mut socket| {
            let _ = socket.feed(format!("{version:?}")).await; // if it cannot be sent, `recv` says why
            echo_all(socket).await;
        }),
        Err(_) => (StatusCode::OK, format!("{version:?}")).into_response(),
    }
}

async fn echo_all(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let _ = socket.feed(message).await;
    }
}

struct Options {
    config: Config,
    /// Where to listen.
    address: String,
    /// The file of the certificate.
    tls: Option<String>,
}

fn options() -> Outcome<Options> {
    let (mut config, mut address, mut tls) = (Config::server(), "127.0.0.1:9003".to_owned(), None);
    config.compression = Some(Compression::default());
    let mut keepalive = config.keepalive.unwrap_or_default();
    let mut words = env::args().skip(1);
    while let Some(option) = words.next() {
        let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
        match &*option {
            "--listen" => address = value,
            "--tls" => tls = Some(value),
            "--max-message" => {
                let bytes = value.trim_end_matches('M').parse::<u64>()? << 20;
                config.limits = Limits { frame: bytes, message: bytes };
            }
            "--subprotocol" => config.subprotocols.push(value),
            "--allow-origin" => config.origins.push(value),
            "--idle-timeout" => keepalive.idle = Duration::from_secs(value.parse()?),
            "--pong-timeout" => keepalive.answer = Duration::from_secs(value.parse()?),
            _ => return Err(format!("there is no option {option}").into()),
        }
    }
    config.keepalive = Some(keepalive).filter(|keepalive: &Keepalive| !keepalive.idle.is_zero());
    Ok(Options { config, address, tls })
}

/// What does the handshakes of TLS. It would rather have HTTP/2.
fn acceptor(file: &Path) -> Outcome<TlsAcceptor> {
    let certificates = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(file)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
