//! An echo on axum: `cargo run --example axum_echo --features deflate -- [ADDR]`
//!
//! `interop/run conformance` tests it. SIGTERM ends it.

use axum::{Extension, Router, response::Response, routing::any};
use framewire_axum::framewire_tokio::Compression;
use framewire_axum::{Acceptor, Config, Tracker, WebSocketUpgrade};
use std::{env, io, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut config = Config::server();
    config.compression = Some(Compression::default());
    let tracker = Tracker::new();
    let acceptor = Acceptor::new(config).tracked_by(&tracker);
    let app = Router::new().route("/", any(echo)).layer(Extension(acceptor));

    let mut terminate = signal(SignalKind::terminate())?;
    let end = async move {
        terminate.recv().await;
        tracker.shutdown(Duration::from_secs(10)).await;
    };
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9003")).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(end).await
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let _ = socket.feed(message).await; // if it cannot be sent, `recv` says why
        }
    })
}
