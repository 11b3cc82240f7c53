//! Socket.IO: a higher protocol on the codec. Engine.IO 4 on the transport `websocket`, and Socket.IO 5 on that.
//! `cargo run --bin socketio_echo [ADDR]`, then in a page or in Node: `io("http://ADDR", { transports: ["websocket"] })`.
//!
//! It echoes every event under the same name. If the client asks for an acknowledgement, it sends the arguments in that
//! instead. Arguments may be binary. It refuses namespaces other than `/`, and the transport `polling`.
//!
//! The host handles the meaning of text messages (a digit or two, then JSON), the pings of Engine.IO, which are messages and
//! not those of RFC 6455, and the timers for both.

use bytes::Bytes;
use framewire_examples::accept;
use framewire_tokio::{Acceptor, Answer, CloseCode, Config, Message, Refusal, SendError, WebSocket};
use serde_json::value::RawValue;
use std::{
    env,
    error::Error,
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, timeout_at},
};

/// The time from one ping to the next, and the time limit for a pong. Clients are told both, and expect them.
const PING_INTERVAL: Duration = Duration::from_secs(2);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a message. Clients are told, and with that, JSON in memory has its limit, too.
const MAX_PAYLOAD: u64 = 1_000_000;
const MAX_ATTACHMENTS: usize = 16;

type Socket = WebSocket<TcpStream>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9008")).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let mut config = Config::server();
    (config.limits.frame, config.limits.message) = (MAX_PAYLOAD, MAX_PAYLOAD);
    let acceptor = Acceptor::new(config).pages(|request| check(request.path(), request.query()).err());
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
    let accepted = acceptor.accept_with(stream, |request| check(request.path(), request.query()));
    let mut socket = accepted.await?;
    let (interval, patience) = (PING_INTERVAL.as_millis(), PING_TIMEOUT.as_millis());
    let open = format!(
        r#"0{{"sid":"{}","upgrades":[],"pingInterval":{interval},"pingTimeout":{patience},"maxPayload":{MAX_PAYLOAD}}}"#,
        id()
    );
    socket.send(open).await?;

    let mut session = Session::default();
    let mut deadline = Instant::now() + PING_INTERVAL;
    let (mut pinged, mut closing) = (false, false);
    loop {
        match timeout_at(deadline, socket.recv()).await {
            Ok(Some(message)) => match message? {
                Message::Text(text) if *text == *"3" => {
                    deadline = Instant::now() + PING_INTERVAL; // a pong
                    pinged = false;
                }
                _ if closing => {} // no answer is needed; if the peer does not close, the next timer does
                message => {
                    if session.receive(&mut socket, message).await? == Next::Close {
                        socket.start_close(CloseCode::NORMAL, "")?;
                        closing = true;
                    }
                }
            },
            Ok(None) => return Ok(()),
            Err(_) if pinged => return Err("the client did not answer a ping".into()),
            Err(_) => {
                deadline = Instant::now() + PING_TIMEOUT;
                pinged = true;
                socket.send("2").await?;
            }
        }
    }
}

/// The query has Engine.IO's handshake.
fn check(path: &str, query: Option<&str>) -> Result<Answer, Refusal> {
    let ours = path == "/socket.io/";
    let asks = |pair| query.unwrap_or_default().split('&').any(|each| each == pair);
    if ours && asks("EIO=4") && asks("transport=websocket") {
        return Ok(Answer::default());
    }
    Err(Refusal::new(if ours { 400 } else { 404 }).body("Engine.IO 4 on WebSocket only\n"))
}

#[derive(Default)]
struct Session {
    connected: bool,
    /// An event whose attachments have not all arrived.
    pending: Option<(Packet, Vec<Bytes>)>,
}

/// An event: `2["name",argument,...]`, or `51-7["name",{"_placeholder":true,"num":0}]` with one attachment and the
/// acknowledgement 7.
struct Packet {
    attachments: usize,
    id: Option<u64>,
    /// Name and arguments, which are not interpreted.
    arguments: Vec<Box<RawValue>>,
}

#[derive(PartialEq)]
enum Next {
    Receive,
    Close,
}

impl Session {
    async fn receive(&mut self, socket: &mut Socket, message: Message) -> Result<Next, SendError> {
        match message {
            Message::Binary(bytes) => {
                let Some((packet, attachments)) = &mut self.pending else { return Ok(Next::Close) };
                attachments.push(bytes);
                if attachments.len() == packet.attachments
                    && let Some((packet, attachments)) = self.pending.take()
                {
                    echo(socket, packet, attachments).await?;
                }
            }
            _ if self.pending.is_some() => return Ok(Next::Close), // an attachment is missing
            Message::Text(text) => match text.strip_prefix('4') {
                Some(packet) => return self.packet(socket, packet).await,
                None => return Ok(Next::Close), // Engine.IO's own close, `1`, or an unknown packet
            },
        }
        Ok(Next::Receive)
    }

    /// Handles a packet of Socket.IO in a message of Engine.IO.
    async fn packet(&mut self, socket: &mut Socket, packet: &str) -> Result<Next, SendError> {
        match packet.split_at_checked(1) {
            Some(("0", payload)) if payload.starts_with('/') => {
                let (namespace, _) = payload.split_once(',').unwrap_or((payload, ""));
                let refusal = format!(r#"44{namespace},{{"message":"Invalid namespace"}}"#);
                socket.feed(refusal).await?;
            }
            Some(("0", _)) => {
                self.connected = true;
                socket.feed(format!(r#"40{{"sid":"{}"}}"#, id())).await?;
            }
            Some(("1", _)) => self.connected = false,
            Some((kind @ ("2" | "5"), rest)) if self.connected => match Packet::parse(kind == "5", rest) {
                Some(packet) if packet.attachments == 0 => echo(socket, packet, vec![]).await?,
                Some(packet) => self.pending = Some((packet, vec![])),
                None => return Ok(Next::Close),
            },
            _ => return Ok(Next::Close),
        }
        Ok(Next::Receive)
    }
}

impl Packet {
    fn parse(binary: bool, mut text: &str) -> Option<Self> {
        let mut attachments = 0;
        if binary {
            let (count, rest) = text.split_once('-')?;
            attachments = count.parse().ok().filter(|count| (1..=MAX_ATTACHMENTS).contains(count))?;
            text = rest;
        }
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (id, arguments) = text.split_at(digits);
        let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
        let arguments: Vec<_> = serde_json::from_str(arguments).ok()?;
        (!arguments.is_empty()).then_some(Self { attachments, id, arguments })
    }
}

async fn echo(socket: &mut Socket, packet: Packet, attachments: Vec<Bytes>) -> Result<(), SendError> {
    socket.feed(answer(packet, attachments.len())).await?; // the packet is gone before this waits
    for bytes in attachments {
        socket.feed(bytes).await?;
    }
    Ok(())
}

/// The event again; or, without the name, its acknowledgement.
fn answer(packet: Packet, attachments: usize) -> String {
    let Packet { id, mut arguments, .. } = packet;
    let (plain, binary) = if id.is_some() { ("43", "46") } else { ("42", "45") };
    if id.is_some() {
        arguments.remove(0);
    }
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.get()).collect();
    let arguments = format!("[{}]", arguments.join(","));
    let id = id.map(|id| id.to_string()).unwrap_or_default();
    match attachments {
        0 => format!("{plain}{id}{arguments}"),
        count => format!("{binary}{count}-{id}{arguments}"),
    }
}

/// An identifier for a session. It is not secret here, as only the connection itself can use it.
fn id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("framewire-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
