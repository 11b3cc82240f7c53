//! Why a client did not connect: what failed, and who is to blame.

#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "connect")]
mod tls;
#[cfg(feature = "connect")]
mod unreachable;

#[cfg(feature = "proxy")]
pub use proxy::ProxyError;
#[cfg(feature = "connect")]
pub use tls::TlsError;
#[cfg(feature = "connect")]
pub use unreachable::Unreachable;

use super::answer::{Answered, HeadError};
#[cfg(feature = "connect")]
use super::url::UrlError;
use framewire::handshake::{BuildError, HandshakeError};
use std::{error::Error, fmt, io};

/// Why there is no WebSocket.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is wrong.
    #[cfg(feature = "connect")]
    #[cfg_attr(docsrs, doc(cfg(feature = "connect")))]
    Url(UrlError),
    /// The host has no address, or none that accepts a connection.
    #[cfg(feature = "connect")]
    #[cfg_attr(docsrs, doc(cfg(feature = "connect")))]
    Unreachable(Unreachable),
    /// The proxy was not reached, or did not connect to the server.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    Proxy(ProxyError),
    /// There is no TLS, or the server is not whom the URL names.
    #[cfg(feature = "connect")]
    #[cfg_attr(docsrs, doc(cfg(feature = "connect")))]
    Tls(TlsError),
    /// The transport failed during the opening handshake.
    Io(io::Error),
    /// The request may not be sent: the host, the target, a header or a subprotocol is wrong.
    Request(BuildError),
    /// The server closed the stream before a whole answer had arrived.
    NoAnswer,
    /// The answer is wrong.
    Handshake(HandshakeError),
    /// The server answered something else than 101: an error, or a redirect, which is not followed.
    Refused(Box<Answered>),
    /// This stage took longer than [`Config::handshake_timeout`](crate::Config::handshake_timeout).
    Timeout(Stage),
    /// No memory is left of that which [`Config`](crate::Config)'s compression allows.
    Overloaded,
}

/// A stage of connecting. Each has the time of [`Config::handshake_timeout`](crate::Config::handshake_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Finding the addresses of the host.
    Resolve,
    /// Connecting to one of them.
    Tcp,
    /// In place of these two: reaching the proxy, and waiting for it to connect to the server.
    Proxy,
    /// The handshake of TLS.
    Tls,
    /// The opening handshake of the WebSocket.
    Handshake,
}

#[cfg(feature = "connect")]
impl From<UrlError> for ConnectError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

#[cfg(feature = "connect")]
impl From<Unreachable> for ConnectError {
    fn from(error: Unreachable) -> Self {
        Self::Unreachable(error)
    }
}

#[cfg(feature = "proxy")]
impl From<ProxyError> for ConnectError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

#[cfg(feature = "connect")]
impl From<TlsError> for ConnectError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<BuildError> for ConnectError {
    fn from(error: BuildError) -> Self {
        Self::Request(error)
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<HeadError> for ConnectError {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Io(error) => Self::Io(error),
            HeadError::Missing => Self::NoAnswer,
            HeadError::Wrong(error) => Self::Handshake(error),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "connect")]
            Self::Url(error) => error.fmt(f),
            #[cfg(feature = "connect")]
            Self::Unreachable(error) => error.fmt(f),
            #[cfg(feature = "proxy")]
            Self::Proxy(error) => error.fmt(f),
            #[cfg(feature = "connect")]
            Self::Tls(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Request(error) => write!(f, "the request may not be sent: {error}"),
            Self::NoAnswer => f.write_str("the server sent no answer"),
            Self::Handshake(error) => write!(f, "the answer is wrong: {error}"),
            Self::Refused(answered) => write!(f, "the server refused with {}", answered.status),
            Self::Timeout(stage) => write!(f, "{stage} took too long"),
            Self::Overloaded => f.write_str("no memory is left for compression"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            #[cfg(feature = "connect")]
            Self::Unreachable(error) => error.source(),
            #[cfg(feature = "proxy")]
            Self::Proxy(error) => error.source(),
            #[cfg(feature = "connect")]
            Self::Tls(error) => error.source(),
            Self::Io(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Handshake(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "finding the address of the host",
            Self::Tcp => "connecting to the host",
            Self::Proxy => "connecting through the proxy",
            Self::Tls => "the handshake of TLS",
            Self::Handshake => "the handshake",
        })
    }
}
