//! `Connector::connect` over TLS: right certificates, and each kind of wrong one. Here, because these tests need a library that
//! makes certificates.

use framewire_tokio::{
    Acceptor, Client, Config, ConnectError, ConnectStream, Connector, Message, Proxy, Stage, TlsError,
    WebSocket,
    rustls::{
        self, AlertDescription, CertificateError, ClientConfig, RootCertStore, ServerConfig, crypto::ring,
        pki_types::CertificateDer,
    },
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Somebody whose certificate is a root.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let (mut params, key) = (params(&[]), KeyPair::generate().unwrap());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), root }
    }

    /// A server that this authority vouches for.
    fn vouch(&self, params: &CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        server_config(params.signed_by(&key, &self.issuer).unwrap().der().clone(), &key)
    }

    /// A client that trusts this authority alone.
    fn trusted(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// What a client said in its handshake: SNI and ALPN.
type Said = (Option<String>, Option<Vec<u8>>);

/// An echo server over TLS, and what its clients have said.
async fn echo(mut config: ServerConfig) -> (SocketAddr, Arc<Mutex<Vec<Said>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, said) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()]; // it would rather have HTTP/2
    let (tls, acceptor, heard) =
        (TlsAcceptor::from(Arc::new(config)), Acceptor::new(Config::server()), said.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = tls.accept(stream).await else { continue };
            let session = stream.get_ref().1;
            let alpn = session.alpn_protocol().map(<[u8]>::to_vec);
            heard.lock().unwrap().push((session.server_name().map(str::to_owned), alpn));
            let mut socket = acceptor.accept(stream).await.unwrap();
            tokio::spawn(async move {
                while let Some(Ok(message)) = socket.recv().await {
                    socket.feed(message).await.unwrap();
                }
            });
        }
    });
    (address, said)
}

/// A connector that finds every host on this machine.
fn connector(config: ClientConfig) -> Connector {
    Connector::new(Config::client())
        .proxy(Proxy::none())
        .resolver(|_, port| async move { Ok(vec![([127, 0, 0, 1], port).into()]) })
        .tls(config)
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), work).await.expect("it waits")
}

async fn echoes(mut socket: WebSocket<ConnectStream, Client>) {
    socket.send("Hello").await.unwrap();
    assert_eq!(soon(socket.recv()).await.unwrap().unwrap(), Message::from("Hello"));
    let large = Message::from("x".repeat(1 << 20));
    socket.feed(large.clone()).await.unwrap();
    assert_eq!(soon(socket.recv()).await.unwrap().unwrap(), large);
    soon(socket.close(framewire_tokio::CloseCode::NORMAL, "")).await.unwrap();
}

#[tokio::test]
async fn names_and_addresses() {
    let authority = Authority::new("ours");
    let server = authority.vouch(&params(&["server.example", "127.0.0.1"]));
    let (address, said) = echo(server).await;
    let mut trusted = authority.trusted();
    trusted.alpn_protocols = vec![b"h2".to_vec()]; // replaced
    let connector = connector(trusted);
    for host in ["server.example", "SERVER.example", "server.example.", "127.0.0.1"] {
        let socket = soon(connector.connect(&format!("wss://{host}:{}/", address.port()))).await.unwrap();
        assert!(matches!(socket.get_ref(), ConnectStream::Tls(_)));
        assert!(socket.get_ref().tcp().nodelay().unwrap());
        echoes(socket).await;
    }
    let alpn = || Some(b"http/1.1".to_vec());
    let name = || Some("server.example".to_owned());
    assert_eq!(*said.lock().unwrap(), [(name(), alpn()), (name(), alpn()), (name(), alpn()), (None, alpn())]);
}

/// The error of a client that trusts the authority, at this server.
async fn error(authority: &Authority, server: ServerConfig) -> rustls::Error {
    let (address, _) = echo(server).await;
    let url = format!("wss://server.example:{}/", address.port());
    match soon(connector(authority.trusted()).connect(&url)).await.map(drop) {
        Err(ConnectError::Tls(TlsError::Handshake(error))) => {
            error.into_inner().unwrap().downcast_ref::<rustls::Error>().unwrap().clone()
        }
        other => panic!("{other:?}"),
    }
}

fn is_wrong(error: &rustls::Error, how: impl Fn(&CertificateError) -> bool) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(error) if how(error))
}

#[tokio::test]
async fn wrong_certificates() {
    let authority = Authority::new("ours");
    let named = params(&["server.example"]);

    let mut expired = params(&["server.example"]);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let found = error(&authority, authority.vouch(&expired)).await;
    assert!(is_wrong(&found, |error| matches!(error, CertificateError::ExpiredContext { .. })), "{found:?}");

    let mut early = params(&["server.example"]);
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let found = error(&authority, authority.vouch(&early)).await;
    assert!(
        is_wrong(&found, |error| matches!(error, CertificateError::NotValidYetContext { .. })),
        "{found:?}"
    );

    let found = error(&authority, authority.vouch(&params(&["other.example", "127.0.0.1"]))).await;
    assert!(
        is_wrong(&found, |error| matches!(error, CertificateError::NotValidForNameContext { .. })),
        "{found:?}"
    );

    let found = error(&authority, Authority::new("another").vouch(&named)).await;
    assert!(is_wrong(&found, |error| *error == CertificateError::UnknownIssuer), "{found:?}");

    let key = KeyPair::generate().unwrap();
    let self_signed = server_config(named.self_signed(&key).unwrap().der().clone(), &key);
    let found = error(&authority, self_signed).await;
    assert!(is_wrong(&found, |error| *error == CertificateError::UnknownIssuer), "{found:?}");
}

#[tokio::test]
async fn a_host_that_no_certificate_can_name() {
    let connector = connector(Authority::new("ours").trusted()).resolver(|_, _| async { panic!("a lookup") });
    let error = connector.connect("wss://server..example/").await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(TlsError::ServerName)), "{error}");
}

#[tokio::test]
async fn servers_that_do_not_speak_tls() {
    for (answer, is_right) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            (|error| matches!(error, ConnectError::Tls(TlsError::Handshake(_)))) as fn(&_) -> bool,
        ),
        (b"", |error| matches!(error, ConnectError::Timeout(Stage::Tls))),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer).await.unwrap();
            let mut sent = Vec::new();
            let _ = stream.read_to_end(&mut sent).await;
            sent
        });
        let mut config = Config::client();
        config.handshake_timeout = Some(Duration::from_millis(300));
        let connector = Connector::new(config).proxy(Proxy::none()).tls(Authority::new("ours").trusted());
        let error = soon(connector.connect(&format!("wss://{address}/"))).await.unwrap_err();
        assert!(is_right(&error), "{error}");
        let sent = soon(server).await.unwrap();
        assert!(sent.starts_with(b"\x16\x03"), "this is no TLS: {sent:?}");
    }
}

#[tokio::test]
async fn a_server_without_a_protocol_in_common() {
    let authority = Authority::new("ours");
    let mut config = authority.vouch(&params(&["server.example"]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move { tls.accept(listener.accept().await.unwrap().0).await.map(drop) });
    let url = format!("wss://server.example:{}/", address.port());
    match soon(connector(authority.trusted()).connect(&url)).await.map(drop) {
        Err(ConnectError::Tls(TlsError::Handshake(error))) => {
            let error = error.into_inner().unwrap();
            let alert = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
            assert_eq!(error.downcast_ref(), Some(&alert));
        }
        other => panic!("{other:?}"),
    }
}

/// TLS is with the server, through the tunnel.
#[tokio::test]
async fn through_a_proxy() {
    let authority = Authority::new("ours");
    let (server, _) = echo(authority.vouch(&params(&["server.example"]))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"CONNECT server.example:443 HTTP/1.1\r\n"));
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    let connector = connector(authority.trusted()).proxy(Proxy::new(&format!("http://{proxy}")).unwrap());
    echoes(soon(connector.connect("wss://server.example/")).await.unwrap()).await;
}
