//! An echo server on tokio: `cargo run --bin tokio_server [ADDR]`
//!
//! The host handles the listener, the tasks and every timer. A head must arrive within ten seconds. A peer that is silent for
//! [`IDLE`] is pinged, and given up if it is silent for as long again. `src/websocket.rs` turns bytes into messages and
//! back.

use framewire_examples::WebSocket;
use futures_util::{SinkExt, StreamExt};
use std::{env, io, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

const HANDSHAKE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9003")).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(mut socket) = timeout(HANDSHAKE, WebSocket::accept(stream, |_| Ok(None))).await?? else {
        return Ok(());
    };
    let mut pinged_at = None;
    loop {
        match timeout(IDLE, socket.next()).await {
            // Feed, not send: the replies to one read leave in one write, when the next message is awaited.
            Ok(Some(message)) => socket.feed(message?).await?,
            Ok(None) => return Ok(()),
            Err(_) if pinged_at == Some(socket.received()) => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {
                pinged_at = Some(socket.received());
                socket.ping(b"").map_err(io::Error::other)?;
            }
        }
    }
}
