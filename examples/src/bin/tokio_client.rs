//! A client on tokio: it sends each TEXT, prints the reply to each, and closes.
//! `cargo run --bin tokio_client URL TEXT...`
//!
//! The URL is `ws://` or `wss://`. `HTTP_PROXY` and its like name proxies.

use framewire_tokio::{CloseCode, Config, Connector, Keepalive, Message};
use std::{env, error::Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("usage: tokio_client URL TEXT...")?;
    let mut config = Config::client();
    config.keepalive = Some(Keepalive::default()); // so that a server that is gone is noticed
    let mut socket = Connector::new(config).connect(&url).await?;

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
