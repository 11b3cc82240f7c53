//! Clients: the opening handshake (RFC 6455 §4.1), and behind features what comes before it.

mod answer;
mod body;
#[cfg(feature = "connect")]
mod by_url;
mod error;
#[cfg(feature = "connect")]
mod network;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(feature = "connect")]
mod race;
mod request;
#[cfg(feature = "connect")]
mod resolve;
#[cfg(feature = "connect")]
mod stream;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "connect")]
mod url;

pub use answer::Answered;
#[cfg(feature = "connect")]
pub use by_url::connect;
#[cfg(feature = "proxy")]
pub use error::ProxyError;
pub use error::{ConnectError, Stage};
#[cfg(feature = "connect")]
pub use error::{TlsError, Unreachable};
#[cfg(feature = "proxy")]
pub use proxy::Proxy;
#[cfg(feature = "connect")]
pub use stream::ConnectStream;
#[cfg(feature = "connect")]
pub use url::UrlError;

use crate::{accept::in_time, config::Config, websocket::WebSocket};
use answer::Head;
use framewire::{
    Client,
    handshake::{HeaderSlots, Response},
};
use request::Request;
use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Connects by URL, or does the opening handshake of a client on streams that are connected. A clone shares all there is.
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
#[derive(Clone)]
pub struct Connector {
    config: Arc<Config>,
    headers: Vec<(String, String)>,
    #[cfg(feature = "connect")]
    network: network::Network,
}

impl Connector {
    /// A connector whose connections have this configuration.
    #[cfg_attr(
        feature = "proxy",
        doc = "The variables of the environment that name proxies are read here: see [`Proxy`]."
    )]
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            #[cfg(feature = "connect")]
            network: network::Network::new(),
            #[cfg(feature = "deflate")]
            config: config.with_pools(),
            #[cfg(not(feature = "deflate"))]
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
    /// See [`ConnectError`]. The body of a refusal has the time of [`Config::handshake_timeout`] again.
    ///
    /// # Cancel safety
    /// Not cancel safe: the handshake cannot be continued.
    pub async fn connect_on<S>(
        &self,
        stream: S,
        host: &str,
        target: &str,
    ) -> Result<WebSocket<S, Client>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.open(stream, &Request::new(self, host, target, None)).await
    }

    async fn open<S>(
        &self,
        mut stream: S,
        request: &Request<'_>,
    ) -> Result<WebSocket<S, Client>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let timeout = self.config.handshake_timeout;
        let answer = in_time(timeout, handshake(&mut stream, request)).await;
        let opened = match answer.ok_or(ConnectError::Timeout(Stage::Handshake))?? {
            Ok(opened) => opened,
            Err(head) => return Err(ConnectError::Refused(head.refusal(&mut stream, timeout).await)),
        };
        let mut socket = WebSocket::from_upgraded(stream, &opened.rest, self.config.clone());
        socket.subprotocol = opened.subprotocol;
        #[cfg(feature = "deflate")]
        if let (Some(shared), Some(params)) = (&self.config.pools, opened.deflate) {
            let deflate = shared.start(&params).map_err(|_| ConnectError::Overloaded)?;
            socket = socket.with_deflate(shared, deflate);
        }
        Ok(socket)
    }
}

// The feature `connect` must not take these away. A resolver that panics leaves nothing behind in a connector.
impl UnwindSafe for Connector {}
impl RefUnwindSafe for Connector {}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect(); // a value may be a secret
        f.debug_struct("Connector")
            .field("config", &self.config)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// Sends the request, and reads the answer. A head alone is that of a refusal.
async fn handshake<S>(stream: &mut S, request: &Request<'_>) -> Result<Result<Opened, Head>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = request.handshake();
    stream.write_all(&handshake.to_vec()?).await?;
    stream.flush().await?;

    let head = Head::read(stream).await?;
    let mut slots = HeaderSlots::<64>::new();
    let Some(negotiated) = handshake.check(&Response::parse(&head.bytes, &mut slots)?)? else {
        return Ok(Err(head));
    };
    let subprotocol = negotiated.subprotocol.map(Into::into);
    #[cfg(feature = "deflate")]
    let deflate = negotiated.deflate;
    Ok(Ok(Opened {
        subprotocol,
        #[cfg(feature = "deflate")]
        deflate,
        rest: head.rest,
    }))
}

/// The result of a handshake.
struct Opened {
    /// The bytes that were read after the answer.
    rest: Vec<u8>,
    subprotocol: Option<Box<str>>,
    #[cfg(feature = "deflate")]
    deflate: Option<framewire::extension::DeflateParams>,
}
