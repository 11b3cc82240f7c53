//! An echo server on tokio: `cargo run --bin tokio_server [ADDR [SECONDS]]`
//!
//! A peer that is silent for SECONDS (30) is pinged, and given up if it is silent for as long again. A peer that reads nothing
//! for SECONDS is given up as well.

use framewire_examples::accept;
use framewire_tokio::{Acceptor, Compression, Config, Keepalive};
use std::{env, error::Error, io, time::Duration};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9003")).await?;
    let mut config = Config::server();
    config.compression = Some(Compression::default());
    if let Some(seconds) = env::args().nth(2) {
        let seconds = Duration::from_secs(seconds.parse().map_err(io::Error::other)?);
        config.keepalive = Some(Keepalive { idle: seconds, answer: seconds });
        config.write_timeout = Some(seconds);
    }
    let acceptor = Acceptor::new(config);
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = accept(&listener).await;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &acceptor).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(stream: TcpStream, acceptor: &Acceptor) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut socket = acceptor.accept(stream).await?;
    while let Some(message) = socket.recv().await {
        // The replies to one read leave in one write, when the next message is awaited.
        socket.feed(message?).await?;
    }
    Ok(())
}
