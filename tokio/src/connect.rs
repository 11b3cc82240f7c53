//! The opening handshake of a client (RFC 6455 §4.1).

use crate::{
    accept::{in_time, read_head},
    config::Config,
    keys,
    websocket::WebSocket,
};
use framewire::{
    Client,
    extension::DeflateOffer,
    handshake::{BuildError, ClientHandshake, ClientKey, HandshakeError, HeaderSlots, Response},
};
use std::{fmt, io, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Does the opening handshake of a client on streams that are connected. A clone shares all there is.
///
/// ```no_run
/// use framewire_tokio::{Config, Connector};
/// use tokio::net::TcpStream;
///
/// # async fn talk() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = TcpStream::connect("127.0.0.1:9001").await?;
/// let mut socket = Connector::new(Config::client()).connect_on(stream, "127.0.0.1:9001", "/").await?;
/// socket.send("Hello").await?;
/// println!("{:?}", socket.recv().await);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<Config>,
    headers: Vec<(String, String)>,
    #[cfg(feature = "deflate")]
    deflate: Option<Arc<crate::deflate::Shared>>,
}

impl Connector {
    /// A connector whose connections have this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            #[cfg(feature = "deflate")]
            deflate: crate::deflate::Shared::new(&config),
            config: Arc::new(config),
            headers: Vec::new(),
        }
    }

    /// Adds a header to each request, for example `Authorization` or `Cookie`.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Opens a WebSocket on a connected stream. `host` is the host of the URL, with its port unless that is the scheme's own;
    /// `target` is its path and query.
    ///
    /// # Errors
    /// See [`ConnectError`].
    ///
    /// # Cancel safety
    /// Not cancel safe: the handshake cannot be continued.
    pub async fn connect_on<S>(
        &self,
        mut stream: S,
        host: &str,
        target: &str,
    ) -> Result<WebSocket<S, Client>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = self.handshake(&mut stream, host, target);
        let opened =
            in_time(self.config.handshake_timeout, handshake).await.ok_or(ConnectError::Timeout)??;
        let mut socket = WebSocket::from_upgraded(stream, &opened.rest, self.config.clone());
        socket.subprotocol = opened.subprotocol;
        #[cfg(feature = "deflate")]
        if let (Some(shared), Some(params)) = (&self.deflate, opened.deflate) {
            socket = socket.with_deflate(shared, &params).map_err(|_| ConnectError::Overloaded)?;
        }
        Ok(socket)
    }

    async fn handshake<S>(&self, stream: &mut S, host: &str, target: &str) -> Result<Opened, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let subprotocols: Vec<_> = self.config.subprotocols.iter().map(|name| &**name).collect();
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        #[cfg(feature = "deflate")]
        let offers: Vec<DeflateOffer> = self.deflate.iter().map(|shared| shared.offer()).collect();
        #[cfg(not(feature = "deflate"))]
        let offers: Vec<DeflateOffer> = Vec::new();
        let handshake = ClientHandshake::new(host, target, ClientKey::new(keys::random()))
            .subprotocols(&subprotocols)
            .deflate(&offers)
            .extra_headers(&headers);
        stream.write_all(&handshake.to_vec()?).await?;
        stream.flush().await?;

        let (head, rest) = read_answer(stream).await?;
        let mut slots = HeaderSlots::<64>::new();
        let response = Response::parse(&head, &mut slots)?;
        let Some(negotiated) = handshake.check(&response)? else {
            return Err(ConnectError::Refused(Box::new(Answered {
                status: response.status(),
                head,
                body: rest,
            })));
        };
        Ok(Opened {
            rest,
            subprotocol: negotiated.subprotocol.map(Into::into),
            #[cfg(feature = "deflate")]
            deflate: negotiated.deflate,
        })
    }
}

/// Reads the head of the answer, and the bytes that came with its end. Interim answers may come before it (RFC 9110 §15.2).
async fn read_answer<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(Vec<u8>, Vec<u8>), ConnectError> {
    let mut rest = Vec::new();
    loop {
        let (head, behind) = read_head(stream, &rest).await?.ok_or(ConnectError::NoAnswer)?;
        let head = head?;
        let status = Response::parse(&head, &mut HeaderSlots::<64>::new())?.status();
        if !matches!(status, 100 | 102..=199) {
            return Ok((head, behind));
        }
        rest = behind;
    }
}

/// The result of a handshake.
struct Opened {
    /// The bytes that were read after the answer.
    rest: Vec<u8>,
    subprotocol: Option<Box<str>>,
    #[cfg(feature = "deflate")]
    deflate: Option<framewire::extension::DeflateParams>,
}

/// The answer of a server that refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The status, such as 401 or 302.
    pub status: u16,
    /// The status line and the headers, as they were sent.
    pub head: Vec<u8>,
    /// The bytes of the body that came with the end of the head; perhaps not all.
    pub body: Vec<u8>,
}

/// Why a stream did not become a WebSocket.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The transport failed.
    Io(io::Error),
    /// The request may not be sent: the host, the target, a header or a subprotocol is wrong.
    Request(BuildError),
    /// The server closed the stream before a whole answer had arrived.
    NoAnswer,
    /// The answer is wrong.
    Handshake(HandshakeError),
    /// The server answered something else than 101.
    Refused(Box<Answered>),
    /// The handshake took longer than [`Config::handshake_timeout`].
    Timeout,
    /// No memory is left of that which [`Config`]'s compression allows.
    Overloaded,
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

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Request(error) => write!(f, "the request may not be sent: {error}"),
            Self::NoAnswer => f.write_str("the server sent no answer"),
            Self::Handshake(error) => write!(f, "the answer is wrong: {error}"),
            Self::Refused(answered) => write!(f, "the server refused with {}", answered.status),
            Self::Timeout => f.write_str("the handshake took too long"),
            Self::Overloaded => f.write_str("no memory is left for compression"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Handshake(error) => Some(error),
            _ => None,
        }
    }
}
