//! The addresses of a host, and the race between them. src/connect/race.rs tests when each is tried.

use crate::{connector, connector_with, echo, echoes, impatient, listener, soon};
use framewire_tokio::{ConnectError, Connector, Stage, Unreachable};
use std::{error::Error as _, future::pending, io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

const URL: &str = "ws://example.org/";

fn at(connector: Connector, addresses: &[SocketAddr]) -> Connector {
    let addresses = addresses.to_vec();
    connector.resolver(move |_, _| {
        let addresses = addresses.clone();
        async { Ok(addresses) }
    })
}

/// A listener whose queue is full: attempts to connect to it neither succeed nor fail.
async fn silent() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let (address, mut queue) = (listener.local_addr().unwrap(), Vec::new());
    while let Ok(queued) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        queue.push(queued.unwrap());
        assert!(queue.len() < 100, "the queue has no end");
    }
    (listener, address, queue)
}

/// An address at which nobody listens.
async fn refusing() -> SocketAddr {
    listener().await.1
}

#[cfg(target_os = "linux")] // other systems refuse what does not fit into a queue
#[tokio::test]
async fn a_silent_address_does_not_hold_up_the_next() {
    let (_listener, silent, _queue) = silent().await;
    let mut socket = soon(at(connector(), &[silent, echo().await]).connect(URL)).await.unwrap();
    echoes(&mut socket).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn silent_addresses_have_an_end() {
    let (_listener, silent, _queue) = silent().await;
    let error = soon(at(connector_with(impatient()), &[silent]).connect(URL)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(Stage::Tcp)), "{error}");
    assert_eq!(error.to_string(), "connecting to the host took too long");
}

#[tokio::test]
async fn an_address_that_refuses_is_passed_over() {
    let server = echo().await;
    let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], server.port())); // nobody listens there, or there is no IPv6
    let mut socket = soon(at(connector(), &[server, v6]).connect(URL)).await.unwrap();
    echoes(&mut socket).await;
    assert_eq!(socket.get_ref().peer_addr().unwrap(), server);
}

#[tokio::test]
async fn all_errors_are_kept() {
    let (first, second) = (refusing().await, refusing().await);
    let error = soon(at(connector(), &[first, second]).connect(URL)).await.unwrap_err();
    assert!(error.source().is_some());
    assert!(error.to_string().contains(&second.to_string()), "{error}");
    let ConnectError::Unreachable(Unreachable::Tcp(failed)) = error else { panic!("{error}") };
    assert_eq!(failed.iter().map(|(address, _)| *address).collect::<Vec<_>>(), [first, second]);
    assert!(failed.iter().all(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn a_resolver_that_finds_nothing() {
    let error = soon(at(connector(), &[]).connect(URL)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(Unreachable::NoAddress)), "{error}");

    let failing = connector().resolver(|_, _| async { Err(io::Error::other("no such host")) });
    let error = soon(failing.connect(URL)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(Unreachable::Resolve(_))), "{error}");
    assert_eq!(error.to_string(), "the host was not found: no such host");
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_never_answers() {
    let error = connector().resolver(|_, _| pending()).connect(URL).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(Stage::Resolve)), "{error}");
}

#[tokio::test]
async fn addresses_are_not_looked_up() {
    let connector = connector().resolver(|_, _| async { panic!("a lookup") });
    let mut socket = soon(connector.connect(&format!("ws://{}/", echo().await))).await.unwrap();
    echoes(&mut socket).await;
    let port = refusing().await.port();
    let error = soon(connector.connect(&format!("ws://[::1]:{port}/"))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(Unreachable::Tcp(_))), "{error}");
}

#[tokio::test]
async fn the_system_knows_localhost() {
    let port = echo().await.port();
    let mut socket = soon(connector().connect(&format!("ws://localhost:{port}/"))).await.unwrap();
    echoes(&mut socket).await;
}
