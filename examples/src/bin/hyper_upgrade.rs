//! A WebSocket route beside other HTTP routes, on hyper 1: HTTP/1.1 with `Upgrade`, and HTTP/2 with extended CONNECT
//! (RFC 8441) on the same port. `cargo run --bin hyper_upgrade [ADDR]`, then open it in a browser.
//!
//! (On axum, framewire-axum does this: `axum/examples/chat.rs`.)

use framewire_examples::accept;
use framewire_tokio::{Acceptor, Config, Upgrading};
use hyper::{Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{convert::Infallible, env, error::Error, io, time::Duration};
use tokio::{net::TcpListener, time::timeout};

const PAGE: &str = r#"<!doctype html><title>hyper</title><pre id=log></pre><script>
const socket = new WebSocket(`ws://${location.host}/ws`);
socket.onopen = () => socket.send("Hello");
socket.onmessage = event => log.textContent += event.data + "\n";
</script>"#;

#[tokio::main]
async fn main() -> io::Result<()> {
    let acceptor = Acceptor::new(Config::server());
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9004")).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = accept(&listener).await;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // hyper waits for ever for the first byte, and without a timer for the rest of a head and for silent clients, too.
            if !matches!(timeout(Duration::from_secs(10), stream.readable()).await, Ok(Ok(()))) {
                return;
            }
            let mut http = auto::Builder::new(TokioExecutor::new());
            http.http1().timer(TokioTimer::new());
            http.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20));
            http.http2().enable_connect_protocol(); // otherwise clients may not ask for a WebSocket
            let service = service_fn(|request| {
                let response = serve(request, &acceptor);
                async { Ok::<_, Infallible>(response) }
            });
            if let Err(error) = http.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// The routes.
fn serve(mut request: Request<Incoming>, acceptor: &Acceptor) -> Response<String> {
    match request.uri().path() {
        "/ws" => match acceptor.upgrade(&mut request) {
            Ok((response, upgrading)) => {
                tokio::spawn(async move {
                    if let Err(error) = echo(upgrading).await {
                        eprintln!("{error}");
                    }
                });
                response.map(|()| String::new())
            }
            Err(rejected) => rejected.into_response(),
        },
        "/" => with(StatusCode::OK, PAGE),
        _ => with(StatusCode::NOT_FOUND, "there is / and /ws\n"),
    }
}

/// The WebSocket.
async fn echo(upgrading: Upgrading) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = upgrading.await?;
    while let Some(message) = socket.recv().await {
        socket.feed(message?).await?;
    }
    Ok(())
}

fn with(status: StatusCode, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = status;
    response
}
