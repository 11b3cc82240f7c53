//! The user instructions that an echo costs on tokio, and their budgets: `cargo bench --bench instructions`. Needs valgrind.
//!
//! The server is this program, with one thread. *floor* is what tokio itself takes: a loop that reads, unmasks and writes, without
//! a protocol, for frames that are not cut.

use framewire_testing::{
    callgrind,
    echo_cost::{self, Load},
    wire::BINARY,
};
use framewire_tokio::{Acceptor, Config, WebSocket};
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::{env, error::Error, net::TcpListener, process, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// The way to echo, the load, and the budget in instructions a message.
const LOADS: [(&str, Load, u64); 18] = [
    ("floor", SMALL, 1230),
    ("floor", MANY, 234),
    ("serve", SMALL, 1550),
    ("serve", MANY, 262),
    ("serve", KIB, 492),
    ("serve", MIB, 78000),
    ("recv", SMALL, 1965),
    ("recv", MANY, 676),
    ("recv", KIB, 1210),
    ("recv", MIB, 78200),
    ("try_feed", MANY, 632),
    ("send", SMALL, 2012),
    ("stream", SMALL, 2340),
    ("stream", MANY, 711),
    ("split", SMALL, 2360),
    ("split", MANY, 1177),
    ("queue", MANY, 818),
    ("timers", SMALL, 1625),
];

const SMALL: Load = Load { first: BINARY, size: 125, connections: 100, in_flight: 1, rounds: 40 };
const MANY: Load = Load { first: BINARY, size: 16, connections: 100, in_flight: 16, rounds: 20 };
const KIB: Load = Load { first: BINARY, size: 1024, connections: 10, in_flight: 16, rounds: 40 };
const MIB: Load = Load { first: BINARY, size: 1 << 20, connections: 4, in_flight: 1, rounds: 20 };

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, serve, way] = &arguments[..] {
        if serve == "--serve" {
            return serve_forever(way);
        }
    }
    let only = arguments.iter().skip(1).find(|argument| !argument.starts_with('-'));
    let this = env::current_exe().expect("a file");
    let mut gate = callgrind::Gate::open();
    for (way, load, budget) in LOADS {
        if only.is_some_and(|only| only != way) {
            continue;
        }
        let name = format!("{way}, {} B x {}, {} connections", load.size, load.in_flight, load.connections);
        echo_cost::judge(&mut gate, &name, budget, &this, &["--serve", way], load);
    }
    process::exit(gate.verdict());
}

fn serve_forever(way: &str) {
    let mut runtime = Builder::new_current_thread();
    let timers = way == "timers";
    let runtime = if timers { runtime.enable_all() } else { runtime.enable_io() }.build().expect("a runtime");
    let config = if timers { Config::server() } else { Config::server().without_timers() };
    let acceptor = Acceptor::new(config);
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        println!("listening on ws://{}/", listener.local_addr().expect("an address"));
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let way: Arc<str> = way.into();
        let mut end = signal(SignalKind::terminate()).expect("a handler");
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = end.recv() => return,
            };
            let (stream, _) = accepted.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let (acceptor, way) = (acceptor.clone(), way.clone());
            tokio::spawn(async move {
                let Ok(socket) = acceptor.accept(stream).await else { return };
                let _ = echo(&way, socket).await; // the client ends it
            });
        }
    });
}

async fn echo(way: &str, mut socket: WebSocket<TcpStream>) -> Result<(), Box<dyn Error + Send + Sync>> {
    match way {
        "floor" => return floor(socket.into_inner().0).await,
        "serve" | "timers" => {
            socket
                .serve_fn(|message, reply| {
                    let _ = reply.send(message);
                })
                .await?;
        }
        "recv" => {
            while let Some(message) = socket.recv().await {
                socket.feed(message?).await?;
            }
        }
        "try_feed" => {
            while let Some(message) = socket.recv().await {
                socket.try_feed(message?)?;
            }
        }
        "send" => {
            while let Some(message) = socket.recv().await {
                socket.send(message?).await?;
            }
        }
        "stream" => {
            while let Some(message) = socket.next().await {
                socket.feed(message?).await?;
                while let Some(Some(message)) = socket.next().now_or_never() {
                    socket.feed(message?).await?;
                }
                SinkExt::flush(&mut socket).await?;
            }
        }
        "split" => {
            let (sender, mut receiver) = socket.into_split();
            while let Some(message) = receiver.recv().await {
                sender.send(message?).await?;
            }
        }
        "queue" => {
            let (sender, mut receiver) = socket.into_split();
            while let Some(message) = receiver.recv().await {
                sender.queue(message?)?;
            }
        }
        _ => return Err("no such way".into()),
    }
    Ok(())
}

/// What tokio itself costs.
async fn floor(mut stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut rx, mut tx) = (vec![0; 64 << 10], Vec::new());
    loop {
        let n = stream.read(&mut rx).await?;
        if n == 0 {
            return Ok(());
        }
        tx.clear();
        let mut input = &mut rx[..n];
        while let Some((header, payload)) = framewire::frame::take(&mut input)? {
            tx.extend_from_slice(&framewire::Header { key: None, ..header }.encode());
            tx.extend_from_slice(payload);
        }
        stream.write_all(&tx).await?;
    }
}
