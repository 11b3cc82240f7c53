//! What errors say, and which have a source.

use framewire_tokio::{ConnectError, Stage, TlsError, Unreachable, UrlError};
use std::{error::Error as _, io};

fn refused() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

#[test]
fn of_connecting() {
    let address = |port| ([127, 0, 0, 1], port).into();
    let failed = Unreachable::Tcp(vec![(address(1), refused()), (address(2), refused())]);
    let all_failed = "no address of the host accepted a connection: \
        127.0.0.1:1: connection refused; 127.0.0.1:2: connection refused";
    for (error, said, has_source) in [
        (UrlError::Malformed.into(), "the URL is malformed", false),
        (UrlError::Scheme.into(), "the scheme of the URL is not supported", false),
        (UrlError::Host.into(), "the URL has no host", false),
        (UrlError::Port.into(), "the port of the URL is no port", false),
        (Unreachable::NoAddress.into(), "the host has no address", false),
        (Unreachable::Resolve(refused()).into(), "the host was not found: connection refused", true),
        (failed.into(), all_failed, true),
        (TlsError::Off.into(), "wss:// needs the feature rustls of framewire-tokio", false),
        (
            TlsError::NoProvider.into(),
            "TLS has no provider of cryptography: enable the feature rustls-ring",
            false,
        ),
        (
            TlsError::NoRoots.into(),
            "TLS has no roots: enable the feature webpki-roots or platform-verifier",
            false,
        ),
        (TlsError::Configuration(refused()).into(), "TLS cannot be used: connection refused", true),
        (TlsError::ServerName.into(), "a certificate cannot name the host", false),
        (TlsError::Handshake(refused()).into(), "the handshake of TLS failed: connection refused", true),
        (ConnectError::Timeout(Stage::Resolve), "finding the address of the host took too long", false),
        (ConnectError::Timeout(Stage::Tcp), "connecting to the host took too long", false),
        (ConnectError::Timeout(Stage::Proxy), "connecting through the proxy took too long", false),
        (ConnectError::Timeout(Stage::Tls), "the handshake of TLS took too long", false),
        (ConnectError::Timeout(Stage::Handshake), "the handshake took too long", false),
    ] {
        let error: ConnectError = error;
        assert_eq!((&*error.to_string(), error.source().is_some()), (said, has_source));
    }
}

#[cfg(feature = "proxy")]
#[test]
fn of_proxies() {
    use framewire_tokio::ProxyError;

    for (error, said, has_source) in [
        (
            UrlError::Scheme.into(),
            "the proxy of the environment: the scheme of the URL is not supported",
            true,
        ),
        (Unreachable::NoAddress.into(), "the proxy: the host has no address", false),
        (refused().into(), "the transport to the proxy failed: connection refused", true),
        (ProxyError::NoAnswer, "the proxy sent no answer", false),
        (ProxyError::Early, "the proxy sent bytes before the server may", false),
        (ProxyError::Socks, "the proxy does not speak SOCKS 5", false),
        (ProxyError::Login, "the proxy demands another user or password", false),
        (ProxyError::TooLong, "a name is too long for SOCKS 5", false),
        (ProxyError::SocksRefused(2), "the proxy refused: its rules do not allow the connection", false),
        (ProxyError::SocksRefused(4), "the proxy refused: the host is unreachable", false),
        (ProxyError::SocksRefused(99), "the proxy refused: it failed", false),
    ] {
        let error = ConnectError::Proxy(error);
        assert_eq!((&*error.to_string(), error.source().is_some()), (said, has_source));
    }
}
