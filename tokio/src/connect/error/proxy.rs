//! A proxy did not connect to the server.

use super::unreachable::Unreachable;
use crate::connect::{
    answer::{Answered, HeadError},
    url::UrlError,
};
use framewire::handshake::HandshakeError;
use std::{error::Error, fmt, io};

/// Why a proxy did not connect to the server.
#[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// The environment names a proxy by something that is not the URL of a proxy that is supported.
    Url(UrlError),
    /// The proxy cannot be reached.
    Unreachable(Unreachable),
    /// The transport to the proxy failed.
    Io(io::Error),
    /// The proxy closed the stream before a whole answer had arrived.
    NoAnswer,
    /// The proxy did not answer in HTTP.
    Http(HandshakeError),
    /// The proxy answered CONNECT with this, for example 407 if it demands another user or password.
    Refused(Box<Answered>),
    /// The proxy sent bytes of the tunnel before this end did. TLS and WebSocket begin with the client.
    Early,
    /// The proxy did not answer in SOCKS 5.
    Socks,
    /// The proxy demands a user and a password, and the URL has none, or wrong ones (RFC 1929).
    Login,
    /// The proxy does not connect to the server, for this reason: 1 to 8 in RFC 1928 §6.
    SocksRefused(u8),
    /// The host of the server, the user or the password is longer than the 255 bytes that SOCKS 5 allows.
    TooLong,
}

impl From<UrlError> for ProxyError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<Unreachable> for ProxyError {
    fn from(error: Unreachable) -> Self {
        Self::Unreachable(error)
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::NoAnswer,
            _ => Self::Io(error),
        }
    }
}

impl From<HeadError> for ProxyError {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Io(error) => Self::Io(error),
            HeadError::Missing => Self::NoAnswer,
            HeadError::Wrong(error) => Self::Http(error),
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => write!(f, "the proxy of the environment: {error}"),
            Self::Unreachable(error) => write!(f, "the proxy: {error}"),
            Self::Io(error) => write!(f, "the transport to the proxy failed: {error}"),
            Self::NoAnswer => f.write_str("the proxy sent no answer"),
            Self::Http(error) => write!(f, "the answer of the proxy is wrong: {error}"),
            Self::Refused(answered) => write!(f, "the proxy refused with {}", answered.status),
            Self::Early => f.write_str("the proxy sent bytes before the server may"),
            Self::Socks => f.write_str("the proxy does not speak SOCKS 5"),
            Self::Login => f.write_str("the proxy demands another user or password"),
            Self::SocksRefused(reason) => write!(f, "the proxy refused: {}", meaning(*reason)),
            Self::TooLong => f.write_str("a name is too long for SOCKS 5"),
        }
    }
}

/// What the reason of a refusal means (RFC 1928 §6).
fn meaning(reason: u8) -> &'static str {
    match reason {
        2 => "its rules do not allow the connection",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the server refused the connection",
        6 => "the connection took too long",
        7 => "it does not know the command",
        8 => "it does not know the type of address",
        _ => "it failed",
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Url(error) => Some(error),
            Self::Unreachable(error) => error.source(),
            Self::Io(error) => Some(error),
            Self::Http(error) => Some(error),
            _ => None,
        }
    }
}
