//! Ways through proxies, and odd answers of proxies. interop/proxies.py has real ones.

use crate::{
    Connected, answering, connector, connector_with, echo, echoes, impatient, listener, read_head, soon,
};
use framewire_tokio::{Config, ConnectError, Connector, Proxy, ProxyError, Stage, Unreachable, UrlError};
use std::{env, error::Error as _, net::SocketAddr, process::Command};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    task::JoinHandle,
};

/// The proxies find it; the client may not look it up.
const HOST: &str = "server.example";

fn through(proxy: &str) -> Connector {
    connector().proxy(Proxy::new(proxy).unwrap()).resolver(|_, _| async { panic!("a lookup") })
}

async fn connect(proxy: &str) -> Connected {
    soon(through(proxy).connect("ws://server.example:9001/")).await
}

async fn error(proxy: &str) -> ProxyError {
    match connect(proxy).await.map(drop) {
        Err(ConnectError::Proxy(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// An HTTP proxy that tunnels one connection to a server. The task returns the head of the request.
async fn http_proxy(server: SocketAddr, answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let (listener, address) = listener().await;
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let head = read_head(&mut client).await;
        client.write_all(answer.as_bytes()).await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
        head
    });
    (address, task)
}

#[tokio::test]
async fn a_tunnel_by_connect() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 204 Fine\r\nX: y\r\n\r\n",
        "HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let (proxy, request) = http_proxy(echo().await, answer).await;
        let mut socket = connect(&format!("http://user:pass@{proxy}")).await.unwrap();
        echoes(&mut socket).await;
        assert_eq!(socket.get_ref().peer_addr().unwrap(), proxy);
        drop(socket);
        assert_eq!(
            soon(request).await.unwrap(),
            "CONNECT server.example:9001 HTTP/1.1\r\nHost: server.example:9001\r\n\
            Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
        );
    }
}

#[tokio::test]
async fn the_port_of_a_scheme_is_named() {
    let (proxy, request) = http_proxy(echo().await, "HTTP/1.1 200 OK\r\n\r\n").await;
    let mut socket = soon(through(&proxy.to_string()).connect("ws://[2001:db8::1]/")).await.unwrap();
    echoes(&mut socket).await;
    drop(socket);
    let request = soon(request).await.unwrap();
    assert!(request.starts_with("CONNECT [2001:db8::1]:80 HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn a_proxy_refuses() {
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
        Content-Length: 4\r\n\r\nwho?";
    let (proxy, _task) = answering(answer).await;
    let error = error(&proxy.to_string()).await;
    assert_eq!(error.to_string(), "the proxy refused with 407");
    let ProxyError::Refused(answered) = error else { panic!("{error}") };
    assert_eq!((answered.status, &*answered.body), (407, &b"who?"[..]));
    assert_eq!(answered.header("Proxy-Authenticate"), Some("Basic realm=\"x\""));
}

#[tokio::test]
async fn what_is_no_http_proxy() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(9 << 10));
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", &long] {
        let (proxy, _task) = answering(answer).await;
        let error = error(&proxy.to_string()).await;
        assert!(matches!(error, ProxyError::Http(_)), "{error}");
    }
    let (proxy, _task) = answering(&b"HTTP/1.1 200 OK\r\n\r\n\x81\x05Hello"[..]).await;
    assert!(matches!(error(&proxy.to_string()).await, ProxyError::Early));
}

#[tokio::test]
async fn a_proxy_that_is_not_there() {
    let (listener, address) = listener().await;
    let closing = tokio::spawn(async move { read_head(&mut listener.accept().await.unwrap().0).await });
    assert!(matches!(error(&address.to_string()).await, ProxyError::NoAnswer));
    closing.await.unwrap();
    let error = error(&address.to_string()).await;
    assert!(matches!(error, ProxyError::Unreachable(Unreachable::Tcp(_))), "{error}");
    assert!(error.source().is_some());

    let (silent, _task) = answering("").await;
    let connector = connector_with(impatient()).proxy(Proxy::new(&silent.to_string()).unwrap());
    let error = soon(connector.connect("ws://server.example/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout(Stage::Proxy)), "{error}");
}

/// A SOCKS 5 proxy that asks for `login` if there is one, and tunnels one connection to a server. The task returns the request.
async fn socks(
    server: SocketAddr,
    login: Option<&'static [u8]>,
    reply: &'static [u8],
) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let (listener, address) = listener().await;
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let offer = read(&mut client, 2).await;
        assert_eq!(offer[0], 5);
        let methods = read(&mut client, offer[1].into()).await;
        match login {
            Some(login) => {
                assert!(methods.contains(&2));
                client.write_all(b"\x05\x02").await.unwrap();
                assert_eq!(read(&mut client, login.len()).await, login);
                client.write_all(b"\x01\0").await.unwrap();
            }
            None => client.write_all(b"\x05\0").await.unwrap(),
        }
        let mut request = read(&mut client, 5).await;
        let rest = match request[3] {
            1 => 4 + 1,
            4 => 16 + 1,
            3 => usize::from(request[4]) + 2,
            _ => panic!("{request:?}"),
        };
        request.extend(read(&mut client, rest).await);
        client.write_all(reply).await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
        request
    });
    (address, task)
}

async fn read(stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_tunnel_by_socks() {
    let name = [b"\x05\x01\0\x03\x0e", HOST.as_bytes(), b"\x23\x29"].concat();
    let v6 = [&b"\x05\x01\0\x04"[..], &[0; 15], b"\x01\x23\x29"].concat();
    let by_name: &[u8] = b"\x05\0\0\x03\x03abc\0\x50";
    let by_v6: &[u8] = b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for (login, user, host, reply, wanted) in [
        (None, "", HOST, by_name, &*name),
        (None, "unasked:for@", "127.0.0.9", by_v6, b"\x05\x01\0\x01\x7f\0\0\x09\x23\x29"),
        (Some(&b"\x01\x04user\x04p:ss"[..]), "user:p%3Ass@", "[::1]", b"\x05\0\0\x01\0\0\0\0\0\0", &v6),
    ] {
        let (proxy, request) = socks(echo().await, login, reply).await;
        let connector = through(&format!("socks5://{user}{proxy}"));
        let mut socket = soon(connector.connect(&format!("ws://{host}:9001/"))).await.unwrap();
        echoes(&mut socket).await;
        drop(socket);
        assert_eq!(soon(request).await.unwrap(), wanted);
    }
}

#[tokio::test]
async fn socks_refuses() {
    let (proxy, _task) = socks(echo().await, None, b"\x05\x05\0\x01\0\0\0\0\0\0").await;
    let refused = error(&format!("socks5h://{proxy}")).await;
    assert_eq!(refused.to_string(), "the proxy refused: the server refused the connection");
    assert!(matches!(refused, ProxyError::SocksRefused(5)));
}

/// Writes these bytes at once, whatever the client says, and ends.
async fn babbling(bytes: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let _ = client.read_to_end(&mut Vec::new()).await;
    });
    address
}

#[tokio::test]
async fn what_is_no_socks_proxy() {
    type Check = fn(&ProxyError) -> bool;
    let (no_socks, no_answer): (Check, Check) =
        (|error| matches!(error, ProxyError::Socks), |error| matches!(error, ProxyError::NoAnswer));
    for (bytes, user, is_right) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "", no_socks),
        (b"\x04\0", "", no_socks),
        (b"\x05\x02", "", no_socks), // not offered
        (b"\x05\x02\x05\0", "a:b@", no_socks),
        (b"\x05\0\x04\0\0\x01", "", no_socks),
        (b"\x05\0\x05\0\0\x09", "", no_socks),
        (b"", "", no_answer),
        (b"\x05\0\x05\0\0\x03\xff", "", no_answer),
        (b"\x05\xff", "", |error| matches!(error, ProxyError::Login)),
        (b"\x05\x02\x01\x01", "a:b@", |error| matches!(error, ProxyError::Login)),
    ] {
        let proxy = babbling(bytes).await;
        let error = error(&format!("socks5://{user}{proxy}")).await;
        assert!(is_right(&error), "{bytes:?}: {error:?}");
    }
}

#[tokio::test]
async fn names_that_socks_has_no_room_for() {
    let (proxy, _task) = answering("").await;
    let long = "x".repeat(256);
    let error = error(&format!("socks5://{long}:b@{proxy}")).await;
    assert!(matches!(error, ProxyError::TooLong), "{error}");
}

/// Runs a test again, as another process: a process has one environment.
async fn run_again(test: &str, variables: &[(&str, &str)]) {
    let mut child = Command::new(env::current_exe().unwrap());
    for name in
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD"]
    {
        child.env_remove(name);
    }
    child.args(["--exact", test]).envs(variables.iter().copied());
    let ended = soon(tokio::task::spawn_blocking(move || child.output())).await.unwrap().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

#[tokio::test]
async fn the_environment_names_proxies() {
    let Some(server) = env::var_os("FRAMEWIRE_TEST_SERVER") else {
        let server = echo().await;
        let (proxy, request) = http_proxy(server, "HTTP/1.1 200 OK\r\n\r\n").await;
        let (server, proxy) = (server.to_string(), proxy.to_string());
        let variables = [("FRAMEWIRE_TEST_SERVER", &*server), ("http_proxy", &proxy), ("NO_PROXY", &server)];
        run_again("proxies::the_environment_names_proxies", &variables).await;
        assert!(soon(request).await.unwrap().starts_with("CONNECT server.example:80 "));
        return;
    };
    let connector = Connector::new(Config::client());
    for host in ["server.example", server.to_str().unwrap()] {
        let mut socket = soon(connector.connect(&format!("ws://{host}/"))).await.unwrap();
        echoes(&mut socket).await;
    }
}

/// What it names may be what protects the program: so it is not passed by.
#[tokio::test]
async fn the_environment_may_name_what_is_no_proxy() {
    if env::var_os("FRAMEWIRE_TEST_SERVER").is_none() {
        let server = echo().await.to_string();
        let variables = [("FRAMEWIRE_TEST_SERVER", &*server), ("ALL_PROXY", "socks4://127.0.0.1")];
        return run_again("proxies::the_environment_may_name_what_is_no_proxy", &variables).await;
    }
    let server = env::var("FRAMEWIRE_TEST_SERVER").unwrap();
    let error = Connector::new(Config::client()).connect(&format!("ws://{server}/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Proxy(ProxyError::Url(UrlError::Scheme))), "{error}");
}
