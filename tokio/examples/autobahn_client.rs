//! The client that an Autobahn fuzzing server tests: it echoes every message of every case. `interop/run conformance` runs it,
//! and checks the results.
//! `cargo run -p framewire-tokio --example autobahn_client --features deflate -- ws://127.0.0.1:9001`

use framewire_tokio::{Client, CloseCode, Config, Connector, WebSocket};
use std::{env, error::Error};
use tokio::net::TcpStream;

const AGENT: &str = "framewire-tokio";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: autobahn_client ws://HOST:PORT")?;
    let host = url.strip_prefix("ws://").ok_or("the URL must begin with ws://")?.trim_end_matches('/');

    let mut socket = open(host, "/getCaseCount").await?;
    let count = socket.recv().await.ok_or("no count of cases")??;
    let count: u32 = count.as_text().ok_or("the count is no text")?.trim().parse()?;
    socket.close(CloseCode::NORMAL, "").await?;

    for case in 1..=count {
        // The server checks how a case ends. Many must end with an error.
        let _ = echo(host, &format!("/runCase?case={case}&agent={AGENT}")).await;
    }
    println!("{count} cases");
    let mut socket = open(host, &format!("/updateReports?agent={AGENT}")).await?;
    let _ = socket.recv().await;
    Ok(())
}

async fn open(host: &str, target: &str) -> Result<WebSocket<TcpStream, Client>, Box<dyn Error>> {
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    #[cfg_attr(not(feature = "deflate"), expect(unused_mut))]
    let mut config = Config::client();
    #[cfg(feature = "deflate")]
    {
        config.compression = Some(framewire_tokio::Compression::default());
    }
    Ok(Connector::new(config).connect_on(stream, host, target).await?)
}

async fn echo(host: &str, target: &str) -> Result<(), Box<dyn Error>> {
    let mut socket = open(host, target).await?;
    while let Some(message) = socket.recv().await {
        socket.feed(message?).await?;
    }
    Ok(())
}
