//! Memory of idle connections under axum, beside axum's own WebSockets.
#![allow(missing_docs, reason = "a test")]

use axum::{
    Router,
    body::Body,
    extract::{Request, ws},
    response::Response,
    routing::{MethodRouter, any},
};
use framewire_axum::{WebSocket, WebSocketUpgrade};
use framewire_testing::allocations::{Counting, held};
use hyper_util::{rt::TokioIo, server::conn::auto};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};
use tokio::{io::AsyncReadExt, sync::oneshot};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Connections that are open at once. The thread's own memory is shared among them.
const CONNECTIONS: usize = 50;

const REQUEST: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A task that has the stream and waits: what a connection costs without a WebSocket.
async fn bare(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = upgrade.await.unwrap();
        let mut stream = upgraded
            .downcast::<TokioIo<tokio::net::TcpStream>>()
            .map_or_else(|upgraded| auto::upgrade::downcast(upgraded).unwrap().io, |parts| parts.io)
            .into_inner();
        tokio::spawn(async move { while let Ok(1..) = stream.read(&mut [0]).await {} });
    });
    let response =
        http::Response::builder().status(101).header("upgrade", "websocket").header("connection", "upgrade");
    response.body(Body::empty()).unwrap()
}

async fn recv(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let _ = socket.try_feed(message);
        }
    })
}

async fn serve(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket: WebSocket| async move {
        let _ = socket.serve_fn(|message, reply| _ = reply.send(message)).await;
    })
}

/// An `async fn` holds its argument twice, and `feed` holds the message.
async fn function(upgrade: WebSocketUpgrade) -> Response {
    async fn echo(mut socket: WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            let _ = socket.feed(message).await;
        }
    }
    upgrade.on_upgrade(echo)
}

async fn theirs(upgrade: ws::WebSocketUpgrade) -> Response {
    async fn echo(mut socket: ws::WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    }
    upgrade.on_upgrade(echo)
}

/// A client without heap memory, so that only the server's counts; and it runs in another thread.
fn open(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(REQUEST).unwrap();
    let mut end = [0; 4];
    while end != *b"\r\n\r\n" {
        end.rotate_left(1);
        client.read_exact(&mut end[3..]).unwrap();
    }
    client
}

fn echo(client: &mut TcpStream, len: u16) {
    let mut frame = vec![0x82, 0x80 | 126];
    frame.extend_from_slice(&len.to_be_bytes());
    frame.resize(frame.len() + 4 + usize::from(len), 0);
    client.write_all(&frame).unwrap();
    client.read_exact(&mut vec![0; 4 + usize::from(len)]).unwrap();
}

/// Bytes a connection, before and after traffic.
fn idle(app: Router, echoes: bool) -> [usize; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        // The first connection takes what the thread keeps.
        let mut first = on_thread(move || open(address)).await;
        if echoes {
            first = on_thread(move || used(first)).await;
        }
        let before = settled().await;
        let clients = on_thread(move || (0..CONNECTIONS).map(|_| open(address)).collect::<Vec<_>>()).await;
        let idle = settled().await - before;
        let clients = on_thread(move || match echoes {
            true => clients.into_iter().map(used).collect(),
            false => clients,
        });
        let clients: Vec<_> = clients.await;
        let after = settled().await - before;
        drop((first, clients));
        [idle, after].map(|bytes| usize::try_from(bytes).unwrap() / CONNECTIONS)
    })
}

fn used(mut client: TcpStream) -> TcpStream {
    [30_000, 30_000, 200].into_iter().for_each(|len| echo(&mut client, len));
    client
}

async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || drop(sender.send(work())));
    receiver.await.unwrap()
}

/// What the thread holds, once all tasks wait.
async fn settled() -> isize {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    held()
}

#[test]
fn an_idle_connection_holds_little() {
    let measure = |name: &str, handler: MethodRouter, echoes: bool| {
        let [idle, after] = idle(Router::new().route("/ws", handler), echoes);
        println!("{name}: {idle} B idle, {after} B after traffic");
        idle.max(after)
    };
    let floor = measure("only the stream", any(bare), false);
    let mut failed = Vec::new();
    for (name, handler, most) in [
        ("recv", any(recv), 320),
        ("serve", any(serve), 320),
        ("recv and feed in a function", any(function), 700),
    ] {
        let more = measure(name, handler, true) - floor;
        println!("    {more} B more than the stream; at most {most}");
        if more > most {
            failed.push((name, more, most));
        }
    }
    measure("axum's own", any(theirs), true);
    assert!(failed.is_empty(), "{failed:?}");
}
