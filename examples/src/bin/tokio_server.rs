//! An echo server on tokio: `cargo run --bin tokio_server [ADDR [SECONDS]]`
//!
//! The host handles the listener, the tasks and every timer. A head must arrive within ten seconds. A peer that is silent for
//! SECONDS (60) is pinged, and given up if it is silent for as long again. A peer that reads nothing for SECONDS, although
//! more is queued than [`HIGH_WATER`](framewire_examples::HIGH_WATER), is given up as well. `src/websocket.rs` turns bytes into
//! messages and back.

use framewire::Server;
use framewire_examples::WebSocket;
use futures_util::{SinkExt, StreamExt};
use std::{env, future::poll_fn, io, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

const HANDSHAKE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9003")).await?;
    let seconds = env::args().nth(2).map_or(Ok(60), |seconds| seconds.parse());
    let idle = Duration::from_secs(seconds.map_err(io::Error::other)?);
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream, idle).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(stream: TcpStream, idle: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(mut socket) = timeout(HANDSHAKE, WebSocket::accept(stream, |_| Ok(None))).await?? else {
        return Ok(());
    };
    let mut pinged_at = None;
    loop {
        match timeout(idle, socket.next()).await {
            Ok(Some(message)) => {
                // Feed, not send: the replies to one read leave in one write, when the next message is awaited.
                socket.feed(message?).await?;
                drain(&mut socket, idle).await?;
            }
            Ok(None) => return Ok(()),
            Err(_) if pinged_at == Some(socket.received()) => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {
                pinged_at = Some(socket.received());
                socket.ping(b"").map_err(io::Error::other)?;
            }
        }
    }
}

/// Waits until there is space for the next reply. A peer may read slowly, but not stop.
async fn drain(socket: &mut WebSocket<TcpStream, Server>, idle: Duration) -> io::Result<()> {
    loop {
        let before = socket.written();
        match timeout(idle, poll_fn(|cx| socket.poll_ready_unpin(cx))).await {
            Ok(ready) => return ready,
            Err(_) if socket.written() == before => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {}
        }
    }
}
