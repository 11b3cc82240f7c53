//! An echo server: `cargo run -p framewire-tokio --example echo --features deflate -- [OPTION VALUE]...`
//!
//! The path chooses how it receives: `/lent` borrows messages, `/split` sends from the half that sends, and all others own
//! messages. `interop/run` tests it with other people's programs. SIGINT and SIGTERM end it.
//!
//! The options are some of those of framewire-echo: `--listen ADDR|PATH`, `--max-message MIB`, `--subprotocol NAME` and
//! `--allow-origin ORIGIN` (both several times), `--idle-timeout SECONDS` (0: none), `--pong-timeout SECONDS`.

use framewire_tokio::{Acceptor, Answer, Config, Keepalive, Limits, Refusal, Tracker};
use std::{env, error::Error, io, pin::pin, time::Duration};
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    signal,
};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const PAGE: &str = "<!doctype html><title>framewire-tokio</title><p>An echo of framewire-tokio.\n";

#[tokio::main]
async fn main() -> Outcome {
    let (config, address) = options()?;
    let tracker = Tracker::new();
    let any_subprotocol = config.subprotocols.is_empty();
    let acceptor = Acceptor::new(config).tracked_by(&tracker).pages(|request| match request.path() {
        "/" => Some(Refusal::new(200).header("Content-Type", "text/html; charset=utf-8").body(PAGE)),
        "/healthz" => Some(Refusal::new(200).body("ok\n")),
        _ => None,
    });
    let echo = Echo { acceptor, any_subprotocol };
    tokio::select! {
        ended = listen(&address, &echo) => ended?,
        ended = pin!(end()) => ended?,
    }
    tracker.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

#[derive(Clone)]
struct Echo {
    acceptor: Acceptor,
    /// It accepts what the client names first.
    any_subprotocol: bool,
}

/// The configuration, and where to listen.
fn options() -> Outcome<(Config, String)> {
    let (mut config, mut address) = (Config::server(), "127.0.0.1:9003".to_owned());
    #[cfg(feature = "deflate")]
    {
        config.compression = Some(framewire_tokio::Compression::default());
    }
    let mut keepalive =
        config.keepalive.unwrap_or(Keepalive { idle: Duration::ZERO, answer: Duration::ZERO });
    let mut words = env::args().skip(1);
    while let Some(option) = words.next() {
        let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
        match &*option {
            "--listen" => address = value,
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
    config.keepalive = (!keepalive.idle.is_zero()).then_some(keepalive);
    Ok((config, address))
}

/// Accepts connections on a TCP address, or on the path of a Unix socket.
async fn listen(address: &str, echo: &Echo) -> io::Result<()> {
    #[cfg(unix)]
    if address.contains('/') {
        let listener = UnixListener::bind(address)?;
        println!("listening on {address}");
        loop {
            let (stream, _) = listener.accept().await?;
            spawn(stream, echo);
        }
    }
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn(stream, echo);
    }
}

fn spawn(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, echo: &Echo) {
    let echo = echo.clone();
    // Many tests end with an error, which the peer is told, too.
    tokio::spawn(async move { serve(stream, echo).await });
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

async fn serve<S>(stream: S, echo: Echo) -> Outcome
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut path = String::new();
    let accepted = echo.acceptor.accept_with(stream, |request| {
        request.path().clone_into(&mut path);
        let any = request.subprotocols().next().filter(|_| echo.any_subprotocol);
        Ok(any.map_or_else(Answer::default, |any| Answer::default().subprotocol(any)))
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
