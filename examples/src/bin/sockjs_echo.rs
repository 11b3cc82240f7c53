//! SockJS on the codec: `cargo run --bin sockjs_echo [ADDR]`, then `new SockJS("http://ADDR/echo")` in a page or in Node.
//!
//! It has these parts of SockJS 0.3.3: `/echo/info`, the framing on the transport `websocket`
//! (`/echo/SERVER/SESSION/websocket`), and the raw endpoint (`/echo/websocket`). The other transports need long responses over
//! plain HTTP, and are left out: `/echo/info` tells clients to try WebSocket first.
//!
//! The host handles the paths, the meaning of text messages (`o`, `h`, `a["message"]`, `c[3000,"Go away!"]`), and heartbeats.

use framewire_examples::accept;
use framewire_tokio::{Acceptor, Answer, CloseCode, Config, Message, Refusal, WebSocket};
use std::{env, io, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// The time after which a silent client gets a heartbeat: proxies end silent connections.
const HEARTBEAT: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9009")).await?;
    println!("listening on http://{}/echo", listener.local_addr()?);
    let mut config = Config::server();
    (config.limits.frame, config.limits.message) = (4 << 20, 4 << 20); // JSON takes ten times as much
    let acceptor = Acceptor::new(config).pages(|request| Some(page(request.path())));
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

async fn serve(stream: TcpStream, acceptor: &Acceptor) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut endpoint = None;
    let accepted = acceptor.accept_with(stream, |request| {
        endpoint = Endpoint::of(request.path());
        if endpoint.is_some() { Ok(Answer::default()) } else { Err(Refusal::new(404)) }
    });
    match (accepted.await?, endpoint) {
        (socket, Some(Endpoint::Raw)) => raw(socket).await,
        (socket, _) => framed(socket).await,
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

enum Endpoint {
    Raw,
    Framed,
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        match *path.strip_prefix("/echo/")?.split('/').collect::<Vec<_>>() {
            ["websocket"] => Some(Self::Raw),
            [server, session, "websocket"] if !server.is_empty() && !session.is_empty() => Some(Self::Framed),
            _ => None,
        }
    }
}

/// A client's first request is for the information. The entropy in it is for clients that have no source of their own.
fn page(path: &str) -> Refusal {
    if path != "/echo/info" {
        return Refusal::new(if Endpoint::of(path).is_some() { 400 } else { 404 });
    }
    let mut entropy = [0; 4];
    getrandom::fill(&mut entropy).expect("the system has randomness");
    let entropy = u32::from_ne_bytes(entropy);
    Refusal::new(200)
        .header("Content-Type", "application/json; charset=UTF-8")
        .header("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0")
        .header("Access-Control-Allow-Origin", "*") // pages of any origin: an echo has no secrets
        .body(format!(r#"{{"websocket":true,"cookie_needed":false,"origins":["*:*"],"entropy":{entropy}}}"#))
}

/// Raw messages.
async fn raw(mut socket: WebSocket<TcpStream>) -> Result<(), Failure> {
    while let Some(message) = socket.recv().await {
        socket.feed(message?).await?;
    }
    Ok(())
}

/// A client sends `["one","two"]`, or one message as a string of JSON; a server sends `a["one","two"]`.
async fn framed(mut socket: WebSocket<TcpStream>) -> Result<(), Failure> {
    socket.send("o").await?;
    let mut closing = false;
    loop {
        let text = match timeout(HEARTBEAT, socket.recv()).await {
            Err(_) if closing => continue, // the connection has a timeout for that
            Err(_) => {
                socket.send("h").await?;
                continue;
            }
            Ok(None) => return Ok(()),
            Ok(Some(message)) => match message? {
                _ if closing => continue, // no answer is needed
                Message::Text(text) => text,
                Message::Binary(_) => {
                    socket.start_close(CloseCode::UNSUPPORTED, "")?;
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
                socket.feed(r#"c[3000,"Go away!"]"#).await?; // on request, so that a client can try it
                socket.start_close(CloseCode::NORMAL, "")?;
                closing = true;
            }
            Ok(messages) if messages.is_empty() => {}
            Ok(messages) => {
                let frame = serde_json::to_string(&messages)?;
                drop(messages); // before this waits
                socket.feed(format!("a{frame}")).await?;
            }
            Err(_) => {
                socket.start_close(CloseCode::INTERNAL, "Broken framing")?;
                closing = true;
            }
        }
    }
}
