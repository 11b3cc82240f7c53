//! The user instructions that an echo costs on axum, and their budgets: `cargo bench --bench instructions`. Needs valgrind.
//!
//! The server is this program, with one thread, on bare TCP. *axum's own* is the extractor of axum, which is not ours to gate.

use axum::{Extension, Router, extract::ws, response::Response, routing::any};
use framewire_axum::{Acceptor, Config, WebSocketUpgrade};
use framewire_testing::{
    callgrind,
    echo_cost::{self, Load},
    wire::BINARY,
};
use std::{env, process};
use tokio::{
    net::TcpListener,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// The way to echo, the load, and the budget in instructions a message. Runs differ by 1 %, and so the budgets are those of high
/// ones; the gate adds 1 %.
const LOADS: [(&str, Load, Option<u64>); 6] = [
    ("recv", SMALL, Some(1857)),
    ("recv", MANY, Some(610)),
    ("serve", SMALL, Some(1505)),
    ("serve", MANY, Some(258)),
    ("axum's own", SMALL, None),
    ("axum's own", MANY, None),
];

const SMALL: Load = Load { first: BINARY, size: 125, connections: 100, in_flight: 1, rounds: 40 };
const MANY: Load = Load { first: BINARY, size: 16, connections: 100, in_flight: 16, rounds: 20 };

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
        match budget {
            Some(budget) => echo_cost::judge(&mut gate, &name, budget, &this, &["--serve", way], load),
            None => echo_cost::record(&name, &this, &["--serve", way], load),
        }
    }
    process::exit(gate.verdict());
}

fn serve_forever(way: &str) {
    let route = match way {
        "recv" => any(recv),
        "serve" => any(serve),
        _ => any(axums_own),
    };
    let acceptor = Acceptor::new(Config::server().without_timers());
    let app = Router::new().route("/", route).layer(Extension(acceptor));
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut end = signal(SignalKind::terminate()).expect("a handler");
        println!("listening on ws://{}/", listener.local_addr().expect("an address"));
        tokio::select! {
            served = axum::serve(listener, app) => served.expect("a server"),
            _ = end.recv() => {}
        }
    });
}

async fn recv(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let _ = socket.feed(message).await; // if it cannot be sent, `recv` says why
        }
    })
}

async fn serve(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        let echo = socket.serve_fn(|message, reply| {
            let _ = reply.send(message);
        });
        let _ = echo.await; // the client ends it
    })
}

/// As axum's documentation does it.
async fn axums_own(upgrade: ws::WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}
