//! A WebSocket route beside other HTTP routes, on hyper 1: HTTP/1.1 with `Upgrade`, and HTTP/2 with extended CONNECT
//! (RFC 8441) on the same port. `cargo run --bin hyper_upgrade [ADDR]`, then open it in a browser.
//!
//! The host handles everything up to the upgrade: hyper parses the head, and passes its parts to the codec, which checks
//! them. After that, hyper gives a stream of bytes, and the connection is the same whichever HTTP version it came by. (On
//! axum, `axum::extract::Request` *is* this request, and `serve` is a handler.)

use framewire::handshake::{HandshakeError, HeaderSlots, HeaderValue, HttpVersion, PlainResponse, Request};
use framewire_tokio::{Config, Server, WebSocket};
use hyper::{Method, Response, StatusCode, Version, body::Incoming, ext::Protocol, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::{convert::Infallible, env, error::Error, io};
use tokio::net::TcpListener;

const PAGE: &str = r#"<!doctype html><title>hyper</title><pre id=log></pre><script>
const socket = new WebSocket(`ws://${location.host}/ws`);
socket.onopen = () => socket.send("Hello");
socket.onmessage = event => log.textContent += event.data + "\n";
</script>"#;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9004")).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            let mut http = auto::Builder::new(TokioExecutor::new());
            http.http2().enable_connect_protocol(); // otherwise clients may not ask for a WebSocket
            let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service_fn(serve));
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// The routes.
async fn serve(request: hyper::Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(match request.uri().path() {
        "/ws" if request.method() == Method::CONNECT => open_http2(request),
        "/ws" => open_http1(request).unwrap_or_else(refuse),
        "/" => with(StatusCode::OK, PAGE),
        _ => with(StatusCode::NOT_FOUND, "there is / and /ws\n"),
    })
}

/// RFC 6455 §4.2: the codec checks the head that hyper has parsed, and returns the headers of the 101 that hyper writes.
fn open_http1(mut request: hyper::Request<Incoming>) -> Result<Response<String>, PlainResponse<'static>> {
    let version = match request.version() {
        Version::HTTP_10 => HttpVersion::Http10,
        Version::HTTP_11 => HttpVersion::Http11,
        _ => return Err(HandshakeError::UnsupportedHttpVersion.into()),
    };
    let target = request.uri().to_string();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let mut slots = HeaderSlots::new();
    let upgrade = Request::from_parts(request.method().as_str(), &target, version, headers, &mut slots)?
        .upgrade()?
        .ok_or(HandshakeError::NotUpgrade)?;
    let response = with_headers(StatusCode::SWITCHING_PROTOCOLS, upgrade.accept().headers()?, String::new())?;
    tokio::spawn(upgraded(hyper::upgrade::on(&mut request)));
    Ok(response)
}

/// RFC 8441 §5: the request has no key and no `Upgrade`; the response is 200, and the HTTP/2 stream becomes the connection.
fn open_http2(mut request: hyper::Request<Incoming>) -> Response<String> {
    let protocol = request.extensions().get::<Protocol>();
    let version = request.headers().get("sec-websocket-version");
    if protocol.is_none_or(|protocol| protocol.as_str() != "websocket") {
        return with(StatusCode::NOT_IMPLEMENTED, "CONNECT is for WebSockets here\n");
    }
    if version.is_none_or(|version| version != "13") {
        return refuse(HandshakeError::UnsupportedVersion.into());
    }
    tokio::spawn(upgraded(hyper::upgrade::on(&mut request)));
    with(StatusCode::OK, "")
}

/// The WebSocket: an echo.
async fn upgraded(upgrade: hyper::upgrade::OnUpgrade) {
    let echo = async {
        let stream = TokioIo::new(upgrade.await?);
        let mut socket = WebSocket::<_, Server>::from_upgraded(stream, b"", Config::server());
        while let Some(message) = socket.recv().await {
            socket.feed(message?).await?;
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    if let Err(error) = echo.await {
        eprintln!("{error}");
    }
}

/// The codec's response as a response of hyper, with all headers: a 426 must say which version is accepted. (hyper removes
/// the headers that HTTP/2 does not allow.)
fn refuse(refusal: PlainResponse<'_>) -> Response<String> {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = refusal.headers().map_err(PlainResponse::from);
    response
        .and_then(|headers| with_headers(status, headers, refusal.body_text().to_string()))
        .unwrap_or_else(|_| with(StatusCode::INTERNAL_SERVER_ERROR, "the response cannot be written\n"))
}

fn with_headers<'a>(
    status: StatusCode,
    headers: impl Iterator<Item = (&'a str, HeaderValue<'a>)>,
    body: String,
) -> Result<Response<String>, PlainResponse<'static>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = match value.as_str() {
            Some(text) => response.header(name, text),
            None => response.header(name, value.to_string()),
        };
    }
    response.body(body).map_err(|_| PlainResponse::new(500))
}

fn with(status: StatusCode, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = status;
    response
}
