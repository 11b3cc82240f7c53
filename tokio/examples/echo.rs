//! An echo server: `cargo run -p framewire-tokio --example echo --features deflate -- [ADDR [MIB]]`
//!
//! The path chooses how it receives: `/lent` borrows messages, `/split` sends from the half that sends, and all others own
//! messages. MIB is the limit of a message (16). `interop/run` tests it with other people's programs. SIGINT and SIGTERM end it.

use framewire_tokio::{Acceptor, Answer, Config, Limits, Tracker};
use std::{env, error::Error, io, pin::pin, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    signal,
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut config = Config::server();
    config.subprotocols = vec!["chat.v2".into()];
    if let Some(mib) = env::args().nth(2) {
        let bytes = mib.parse::<u64>().map_err(io::Error::other)? << 20;
        config.limits = Limits { frame: bytes, message: bytes };
    }
    #[cfg(feature = "deflate")]
    {
        config.compression = Some(framewire_tokio::Compression::default());
    }
    let tracker = Tracker::new();
    let acceptor = Acceptor::new(config).tracked_by(&tracker);
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9003")).await?;
    let mut end = pin!(end());
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let acceptor = acceptor.clone();
                // Many tests end with an error, which the peer is told, too.
                tokio::spawn(async move { serve(stream, &acceptor).await });
            }
            ended = &mut end => {
                ended?;
                break;
            }
        }
    }
    tracker.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

/// Waits until the program is to end.
async fn end() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}

async fn serve(stream: TcpStream, acceptor: &Acceptor) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    let accepted = acceptor.accept_with(stream, |request| {
        request.path().clone_into(&mut path);
        Ok(Answer::default())
    });
    let mut socket = accepted.await?;
    match &*path {
        "/lent" => {
            let echo = socket.serve_fn(|message, reply| {
                let _ = reply.send(message); // an error means that this end has closed
            });
            echo.await?;
        }
        "/split" => {
            let (sender, mut receiver) = socket.into_split();
            while let Some(message) = receiver.recv().await {
                sender.send(message?).await?;
            }
        }
        _ => {
            while let Some(message) = socket.recv().await {
                socket.feed(message?).await?;
            }
        }
    }
    Ok(())
}
