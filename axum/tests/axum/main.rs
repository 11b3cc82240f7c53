//! The extractor on axum, with clients that send bytes by hand, hyper's, h2's, and framewire-tokio's.
#![allow(missing_docs, reason = "a test")]

#[path = "../../examples/chat.rs"]
#[allow(dead_code, unreachable_pub, reason = "its `main`; and it is a program of its own")]
mod chat;
mod chat_example;
mod client;
mod http1;
mod http2;
mod refusals;
mod routes;

use axum::{Extension, Router, response::Response, routing::any};
use framewire_axum::framewire_tokio::{Compression, Error};
use framewire_axum::{Acceptor, CloseCode, Config, Tracker, WebSocketUpgrade};
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, sync::mpsc};

const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a connection.
#[derive(Debug)]
enum Report {
    /// Whether its stream is bare, and its subprotocol.
    Opened(bool, Option<String>),
    Ended(Option<CloseCode>, Option<Error>),
}

/// An echo on axum, and what it reports.
struct Server {
    address: SocketAddr,
    tracker: Tracker,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Server {
    async fn start(config: Config) -> Self {
        let tracker = Tracker::new();
        let acceptor = Acceptor::new(config).tracked_by(&tracker);
        let (sender, reports) = mpsc::unbounded_channel();
        let app = Router::new().route("/ws", any(echo)).layer(Extension(acceptor)).layer(Extension(sender));
        Self { address: listen(app).await, tracker, reports }
    }

    async fn report(&mut self) -> Report {
        tokio::time::timeout(PATIENCE, self.reports.recv()).await.unwrap().unwrap()
    }
}

async fn echo(
    upgrade: WebSocketUpgrade,
    Extension(reports): Extension<mpsc::UnboundedSender<Report>>,
) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        let report =
            Report::Opened(socket.get_ref().tcp().is_some(), socket.subprotocol().map(str::to_owned));
        reports.send(report).unwrap();
        let mut error = None;
        while let Some(message) = socket.recv().await {
            match message {
                Ok(message) => drop(socket.feed(message).await),
                Err(failed) => error = Some(failed),
            }
        }
        reports.send(Report::Ended(socket.peer_close().map(|close| close.code), error)).unwrap();
    })
}

async fn listen(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

fn compressing(mut config: Config) -> Config {
    config.compression = Some(Compression::default());
    config
}
