//! A client on tokio: it sends each TEXT, prints the reply to each, and closes.
//! `cargo run --bin tokio_client ws://HOST:PORT/PATH TEXT...`

use framewire_tokio::{CloseCode, Config, Connector, Keepalive, Message};
use std::{env, error::Error, time::Duration};
use tokio::{net::TcpStream, time::timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("usage: tokio_client ws://HOST:PORT/PATH TEXT...")?;
    let bare = url.strip_prefix("ws://").ok_or("the URL must begin with ws://")?;
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));

    let stream = timeout(Duration::from_secs(10), TcpStream::connect(host)).await??;
    stream.set_nodelay(true)?;
    let mut config = Config::client();
    config.keepalive = Some(Keepalive::default()); // so that a server that is gone is noticed
    let mut socket = Connector::new(config).connect_on(stream, host, &format!("/{path}")).await?;

    for text in arguments {
        socket.send(text).await?;
        match socket.recv().await.ok_or("the server has closed")?? {
            Message::Text(text) => println!("{text}"),
            Message::Binary(bytes) => println!("{} bytes", bytes.len()),
        }
    }
    println!("{}", socket.close(CloseCode::NORMAL, "").await?);
    Ok(())
}
