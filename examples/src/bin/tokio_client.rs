//! A client on tokio: it sends each TEXT, prints the reply to each, and closes.
//! `cargo run --bin tokio_client ws://HOST:PORT/PATH TEXT...`
//!
//! The host handles the URL, the stream (for `wss://`, one of tokio-rustls), and time limits.

use framewire_examples::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt};
use std::{env, error::Error, time::Duration};
use tokio::{net::TcpStream, time::timeout};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("usage: tokio_client ws://HOST:PORT/PATH TEXT...")?;
    let bare = url.strip_prefix("ws://").ok_or("the URL must begin with ws://")?;
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));

    let stream = timeout(PATIENCE, TcpStream::connect(host)).await??;
    stream.set_nodelay(true)?;
    let mut socket = timeout(PATIENCE, WebSocket::connect(stream, host, &format!("/{path}"))).await??;

    for text in arguments {
        socket.send(text.into()).await?;
        match timeout(PATIENCE, socket.next()).await? {
            Some(Ok(Message::Text(text))) => println!("{text}"),
            Some(Ok(Message::Binary(bytes))) => println!("{} bytes", bytes.len()),
            Some(Err(error)) => return Err(error.into()),
            None => return Err("the server has closed".into()),
        }
    }

    socket.close().await?; // our close; the stream of messages ends with the server's
    while let Some(late) = timeout(PATIENCE, socket.next()).await? {
        late?;
    }
    println!("closed: {:?}", socket.closed_with());
    Ok(())
}
