//! SockJS on the codec: `cargo run --bin sockjs_echo [ADDR]`, then `new SockJS("http://ADDR/echo")` in a page or in Node.
//!
//! It has these parts of SockJS 0.3.3: `/echo/info`, the framing on the transport `websocket`
//! (`/echo/SERVER/SESSION/websocket`), and the raw endpoint (`/echo/websocket`). The other transports need long responses over
//! plain HTTP, and are left out: `/echo/info` tells clients to try WebSocket first.
//!
//! The host handles the paths, the meaning of text messages (`o`, `h`, `a["message"]`, `c[3000,"Go away!"]`), and heartbeats.

use framewire::{
    CloseCode, Server,
    handshake::{BuildError, PlainResponse},
};
use framewire_examples::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt};
use std::{env, io, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

const HANDSHAKE: Duration = Duration::from_secs(10);
/// The time after which a silent client gets a heartbeat: proxies end silent connections.
const HEARTBEAT: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9009")).await?;
    println!("listening on http://{}/echo", listener.local_addr()?);
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
    let mut endpoint = None;
    let accepted = WebSocket::accept(stream, |request| {
        endpoint = Endpoint::of(request.path());
        match endpoint {
            Some(Endpoint::Info) => info().map(Some),
            Some(_) => Ok(None),
            None => PlainResponse::new(404).to_vec().map(Some),
        }
    });
    match (timeout(HANDSHAKE, accepted).await??, endpoint) {
        (Some(socket), Some(Endpoint::Raw)) => raw(socket).await,
        (Some(socket), _) => framed(socket).await,
        (None, _) => Ok(()),
    }
}

enum Endpoint {
    Info,
    Raw,
    Framed,
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        match *path.strip_prefix("/echo/")?.split('/').collect::<Vec<_>>() {
            ["info"] => Some(Self::Info),
            ["websocket"] => Some(Self::Raw),
            [server, session, "websocket"] if !server.is_empty() && !session.is_empty() => Some(Self::Framed),
            _ => None,
        }
    }
}

/// A client's first request. The entropy is for clients that have no source of their own.
fn info() -> Result<Vec<u8>, BuildError> {
    let mut entropy = [0; 4];
    getrandom::fill(&mut entropy).expect("the system has randomness");
    let entropy = u32::from_ne_bytes(entropy);
    let body = format!(r#"{{"websocket":true,"cookie_needed":false,"origins":["*:*"],"entropy":{entropy}}}"#);
    let headers = [
        ("Content-Type", "application/json; charset=UTF-8"),
        ("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0"),
        ("Access-Control-Allow-Origin", "*"), // pages of any origin: an echo has no secrets
    ];
    PlainResponse::new(200).extra_headers(&headers).body(&body).to_vec()
}

/// Raw messages.
async fn raw(mut socket: WebSocket<TcpStream, Server>) -> io::Result<()> {
    while let Some(message) = socket.next().await {
        socket.feed(message?).await?;
    }
    Ok(())
}

/// A client sends `["one","two"]`, or one message as a string of JSON; a server sends `a["one","two"]`.
async fn framed(mut socket: WebSocket<TcpStream, Server>) -> io::Result<()> {
    socket.send("o".into()).await?;
    let mut closing = false;
    loop {
        let text = match timeout(HEARTBEAT, socket.next()).await {
            Err(_) if closing => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {
                socket.send("h".into()).await?;
                continue;
            }
            Ok(None) => return Ok(()),
            Ok(Some(message)) => match message? {
                _ if closing => continue, // no answer is needed
                Message::Text(text) => text,
                Message::Binary(_) => {
                    socket.close_with(CloseCode::UNSUPPORTED, "").map_err(io::Error::other)?;
                    closing = true;
                    continue;
                }
            },
        };
        if text.is_empty() {
            continue; // as SockJS demands
        }
        let messages = serde_json::from_str::<Vec<String>>(&text);
        match messages.or_else(|_| serde_json::from_str(&text).map(|one| vec![one])) {
            Ok(messages) if messages.iter().any(|message| message == "close") => {
                socket.feed(r#"c[3000,"Go away!"]"#.into()).await?; // on request, so that a client can try it
                socket.close().await?;
                closing = true;
            }
            Ok(messages) if messages.is_empty() => {}
            Ok(messages) => {
                let frame = serde_json::to_string(&messages).map_err(io::Error::other)?;
                socket.feed(format!("a{frame}").into()).await?;
            }
            Err(_) => {
                socket.close_with(CloseCode::INTERNAL, "Broken framing").map_err(io::Error::other)?;
                closing = true;
            }
        }
    }
}
