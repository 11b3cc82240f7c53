//! A chat server: `cargo run --bin tokio_chat [ADDR]`, then connect some clients to `ws://ADDR/rooms/NAME`.
//!
//! The path names a room. Each message goes to all members of its room, encoded and compressed once. A member that reads too
//! slowly is dropped, and holds nobody up. SIGINT and SIGTERM end the server: each member gets a close with the code 1001.

use framewire_tokio::{
    AcceptError, Acceptor, Answer, CloseCode, Compression, Config, Refusal, Sender, Tracker, TrySendError,
};
use std::{
    collections::HashMap,
    env, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut config = Config::server(); // its timeouts are on: the handshake's, pings, stalled writes, the close's
    config.limits.message = 64 << 10;
    config.high_water = 256 << 10; // a member for whom more bytes wait is too slow
    config.compression = Some(Compression::default());
    let tracker = Tracker::new();
    let acceptor = Acceptor::new(config).tracked_by(&tracker);
    let chat = Arc::new(Chat { acceptor, rooms: Mutex::default() });

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9010")).await?;
    println!("listening on ws://{}/rooms/NAME", listener.local_addr()?);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let chat = chat.clone();
                    tokio::spawn(async move {
                        if let Err(error) = chat.serve(stream, peer).await {
                            eprintln!("{peer}: {error}");
                        }
                    });
                }
                Err(error) => {
                    eprintln!("{error}"); // such as: too many open files
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    drop(listener);
    println!("ended; {} members have not answered", tracker.shutdown(Duration::from_secs(10)).await);
    Ok(())
}

struct Chat {
    acceptor: Acceptor,
    rooms: Mutex<HashMap<String, Room>>,
}

type Room = HashMap<SocketAddr, Sender>;

impl Chat {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr) -> Result<(), AcceptError> {
        stream.set_nodelay(true)?;
        let mut room = String::new();
        let accepted = self.acceptor.accept_with(stream, |request| {
            room = request.path().strip_prefix("/rooms/").ok_or(Refusal::new(404))?.to_owned();
            Ok(Answer::default())
        });
        let (sender, mut receiver) = accepted.await?.into_split();
        self.with(&room, |members| members.insert(peer, sender));
        while let Some(Ok(message)) = receiver.recv().await {
            if let Some(text) = message.as_text() {
                self.send(&room, format!("{peer}: {text}"));
            }
        }
        self.with(&room, |members| members.remove(&peer));
        Ok(())
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
