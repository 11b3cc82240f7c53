//! A chat on axum, beside ordinary routes: `cargo run --example chat --features deflate -- [ADDR]`, then open it in browsers.
//!
//! The path names a room: `ws://ADDR/rooms/NAME`. Each message goes to all members of its room, encoded and compressed once. A
//! member that reads too slowly is dropped, and holds nobody up. SIGINT and SIGTERM end the server: each member gets a close with
//! the code 1001. (`examples/src/bin/tokio_chat.rs` is the same without axum.)

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Path, State},
    response::{Html, Response},
    routing::{any, get},
    serve::ListenerExt,
};
use framewire_axum::framewire_tokio::{Compression, Sender, TrySendError};
use framewire_axum::{Acceptor, CloseCode, Config, Tracker, WebSocket, WebSocketUpgrade};
use std::{
    collections::HashMap,
    env, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

const PAGE: &str = r#"<!doctype html><title>chat</title><input id=text autofocus><pre id=log></pre><script>
const socket = new WebSocket(`ws://${location.host}/rooms/lobby`);
socket.onmessage = event => log.textContent += event.data + "\n";
text.onchange = () => { socket.send(text.value); text.value = ""; };
</script>"#;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9011")).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    serve(listener, async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
    .await
}

/// Serves until `end`.
pub async fn serve(listener: TcpListener, end: impl Future + Send + 'static) -> io::Result<()> {
    let mut config = Config::server(); // its timeouts are on: the handshake's, pings, stalled writes, the close's
    config.limits.message = 64 << 10;
    config.high_water = 256 << 10; // a member for whom more bytes wait is too slow
    config.compression = Some(Compression::default());
    let tracker = Tracker::new();
    let acceptor = Acceptor::new(config).tracked_by(&tracker);
    let chat = Arc::new(Chat { acceptor: acceptor.clone(), rooms: Mutex::default() });
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/rooms/{name}", any(join).layer(Extension(acceptor)))
        .with_state(chat)
        .into_make_service_with_connect_info::<SocketAddr>();
    let end = async move {
        end.await;
        println!("ended; {} members have not answered", tracker.shutdown(Duration::from_secs(10)).await);
    };
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).with_graceful_shutdown(end).await
}

async fn join(
    upgrade: WebSocketUpgrade,
    Path(room): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(chat): State<Arc<Chat>>,
) -> Response {
    upgrade.on_upgrade(move |socket| async move { chat.serve(socket, room, peer).await })
}

struct Chat {
    acceptor: Acceptor,
    rooms: Mutex<HashMap<String, Room>>,
}

type Room = HashMap<SocketAddr, Sender>;

impl Chat {
    async fn serve(&self, socket: WebSocket, room: String, peer: SocketAddr) {
        let (sender, mut receiver) = socket.into_split();
        self.with(&room, |members| members.insert(peer, sender));
        while let Some(Ok(message)) = receiver.recv().await {
            if let Some(text) = message.as_text() {
                self.send(&room, format!("{peer}: {text}"));
            }
        }
        self.with(&room, |members| members.remove(&peer));
    }

    fn send(&self, room: &str, text: String) {
        let message = self.acceptor.prepare(text);
        self.with(room, |members| {
            members.retain(|_, member| {
                let sent = member.queue_prepared(&message);
                if sent == Err(TrySendError::Full(())) {
                    let _ = member.start_close(CloseCode::POLICY, "too slow"); // it may be closed already
                }
                sent.is_ok()
            });
        });
    }

    fn with<T>(&self, room: &str, work: impl FnOnce(&mut Room) -> T) -> T {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let members = rooms.entry(room.to_owned()).or_default();
        let result = work(members);
        if members.is_empty() {
            rooms.remove(room);
        }
        result
    }
}
