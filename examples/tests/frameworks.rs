//! An echo on web frameworks for which there is no crate of ours, as `docs/axum.md` describes it. Its first message says whether
//! the stream is bare.

use framewire::handshake::{HeaderSlots, HttpVersion, Request};
use framewire_tokio::{Acceptor, CloseCode, Config, Connector, Message, WebSocket};
use hyper::upgrade::OnUpgrade;
use poem::{Route, endpoint::make_sync, error::BadRequest, http::StatusCode, listener::TcpAcceptor};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use warp::{
    Filter,
    http::{HeaderMap, Method, Response},
    path::FullPath,
};

#[tokio::test]
async fn warp_by_its_extensions() {
    let acceptor = Acceptor::new(Config::server());
    let route = warp::method()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<OnUpgrade>())
        .map(move |method, path, headers, upgrade| on_warp(&acceptor, method, &path, headers, upgrade));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(warp::serve(route).incoming(listener).run());
    echoes(address, true).await;
    is_refused(address).await;
}

fn on_warp(
    acceptor: &Acceptor,
    method: Method,
    path: &FullPath,
    headers: HeaderMap,
    upgrade: Option<OnUpgrade>,
) -> Response<String> {
    let mut request = hyper::Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = path.as_str().parse().unwrap();
    *request.headers_mut() = headers;
    if let Some(upgrade) = upgrade {
        request.extensions_mut().insert(upgrade);
    }
    match acceptor.upgrade(&mut request) {
        Ok((response, upgrading)) => {
            tokio::spawn(async move {
                let socket = upgrading.await.unwrap();
                let is_bare = socket.get_ref().tcp().is_some();
                echo(socket, is_bare).await;
            });
            response.map(|()| String::new())
        }
        Err(rejected) => rejected.into_response(),
    }
}

#[tokio::test]
async fn poem_by_the_codec() {
    let config = Arc::new(Config::server());
    let route = Route::new().at("/", make_sync(move |request| on_poem(&request, &config)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(poem::Server::new_with_acceptor(listener).run(route));
    echoes(address, false).await;
    is_refused(address).await;
}

fn on_poem(request: &poem::Request, config: &Arc<Config>) -> poem::Result<poem::Response> {
    let (method, target) = (request.method().as_str(), request.uri().path());
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let mut slots = HeaderSlots::<64>::new();
    let head = Request::from_parts(method, target, HttpVersion::Http11, headers, &mut slots);
    let upgrade = head.and_then(|head| head.upgrade()).map_err(BadRequest)?;
    let upgrade = upgrade.ok_or_else(|| poem::Error::from_status(StatusCode::UPGRADE_REQUIRED))?;
    let mut response = poem::Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    for (name, value) in upgrade.accept().headers().map_err(BadRequest)? {
        response = response.header(name, value.to_string());
    }
    let (upgrading, config) = (request.take_upgrade()?, config.clone());
    tokio::spawn(async move {
        echo(WebSocket::from_upgraded(upgrading.await.unwrap(), &[], config), false).await
    });
    Ok(response.finish())
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<S>, is_bare: bool) {
    socket.send(format!("bare: {is_bare}")).await.unwrap();
    while let Some(message) = socket.recv().await {
        socket.feed(message.unwrap()).await.unwrap();
    }
}

async fn echoes(address: SocketAddr, is_bare: bool) {
    let talk = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = Connector::new(Config::client());
        let mut socket = connector.connect_on(stream, &address.to_string(), "/").await.unwrap();
        assert_eq!(socket.recv().await.unwrap().unwrap(), Message::from(format!("bare: {is_bare}")));
        for message in [Message::from("Hello"), Message::from(""), Message::from(vec![7; 1 << 20])] {
            socket.feed(message.clone()).await.unwrap();
            assert_eq!(socket.recv().await.unwrap().unwrap(), message);
        }
        let answer = socket.close(CloseCode::NORMAL, "enough").await.unwrap();
        assert_eq!(answer.code, CloseCode::NORMAL);
    };
    timeout(Duration::from_secs(30), talk).await.expect("it waits");
}

/// A request that is none for a WebSocket gets an answer of HTTP.
async fn is_refused(address: SocketAddr) {
    let talk = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    };
    timeout(Duration::from_secs(30), talk).await.expect("it waits");
}
