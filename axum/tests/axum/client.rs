//! Clients.

use crate::PATIENCE;
use bytes::Bytes;
use h2::{RecvStream, SendStream, client::SendRequest, ext::Protocol};
use http::{Method, Request, Response, request::Builder};
use std::{future::poll_fn, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

pub(crate) const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A tracker's close.
pub(crate) const STOPPING: &[u8] = b"\x88\x18\x03\xe9the server is stopping";

/// Sends bytes, and reads until the end of the head of the response.
pub(crate) async fn head(stream: &mut TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

pub(crate) async fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    timeout(PATIENCE, stream.read_exact(&mut read)).await.unwrap().unwrap();
    assert_eq!(read, expected);
}

/// Opens a connection of HTTP/2, and waits for the server's settings, which allow extended CONNECT.
pub(crate) async fn http2(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let page = Request::get(format!("http://{address}/")).body(()).unwrap();
    let (response, _) = requests.send_request(page, true).unwrap();
    timeout(PATIENCE, response).await.unwrap().unwrap();
    let requests = requests.ready().await.unwrap();
    assert!(requests.is_extended_connect_protocol_enabled());
    requests
}

/// An extended CONNECT (RFC 8441 §4).
pub(crate) fn connect(address: SocketAddr, path: &str) -> Builder {
    Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://{address}{path}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
}

/// A stream of HTTP/2.
pub(crate) struct Stream {
    pub(crate) sends: SendStream<Bytes>,
    pub(crate) receives: RecvStream,
    read: Vec<u8>,
}

/// Sends a request, which does not end the stream.
pub(crate) async fn ask(requests: &mut SendRequest<Bytes>, request: Request<()>) -> (Response<()>, Stream) {
    let (response, sends) = requests.send_request(request, false).unwrap();
    let response = timeout(PATIENCE, response).await.unwrap().unwrap();
    let (parts, receives) = response.into_parts();
    (Response::from_parts(parts, ()), Stream { sends, receives, read: Vec::new() })
}

impl Stream {
    pub(crate) fn send(&mut self, bytes: &'static [u8]) {
        self.sends.send_data(Bytes::from_static(bytes), false).unwrap();
    }

    pub(crate) async fn expect(&mut self, expected: &[u8]) {
        while self.read.len() < expected.len() {
            let data = timeout(PATIENCE, self.receives.data()).await.unwrap().unwrap().unwrap();
            self.read.extend_from_slice(&data);
        }
        assert_eq!(self.read, expected);
        self.read.clear();
    }

    /// Waits for the end of what the server sends: END_STREAM (`None`), or a reset.
    pub(crate) async fn end(&mut self) -> Option<h2::Reason> {
        loop {
            match timeout(PATIENCE, self.receives.data()).await.unwrap() {
                None => return None,
                Some(Err(error)) => return error.reason(),
                Some(Ok(data)) => assert!(data.is_empty(), "{data:?}"), // the frame that has END_STREAM
            }
        }
    }

    /// Waits for a reset (RST_STREAM).
    pub(crate) async fn reset(&mut self) -> h2::Reason {
        timeout(PATIENCE, poll_fn(|cx| self.sends.poll_reset(cx))).await.unwrap().unwrap()
    }
}
