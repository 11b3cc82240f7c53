//! A client that connects by URL.

#[cfg(feature = "proxy")]
use super::proxy::Proxy;
use super::{
    Connector, error::ConnectError, request::Request, resolve::Resolver, stream::ConnectStream, url::Url,
};
use crate::{config::Config, websocket::WebSocket};
use framewire::Client;
use std::{io, net::SocketAddr};
#[cfg(feature = "rustls")]
use {super::tls::Tls, std::sync::Arc, tokio_rustls::rustls::ClientConfig};

/// Connects by URL, with default configuration. For headers, subprotocols, limits, or more than one connection, use a
/// [`Connector`].
///
/// ```no_run
/// # async fn talk() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = framewire_tokio::connect("ws://localhost:9001/chat").await?;
/// socket.send("Hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// See [`ConnectError`].
///
/// # Cancel safety
/// As [`Connector::connect`].
#[cfg_attr(docsrs, doc(cfg(feature = "connect")))]
pub async fn connect(url: &str) -> Result<WebSocket<ConnectStream, Client>, ConnectError> {
    Connector::new(Config::client()).connect(url).await
}

#[cfg_attr(docsrs, doc(cfg(feature = "connect")))]
impl Connector {
    /// Replaces the system's resolver: it gets a host and a port, and returns addresses, the best first. Families need no order:
    /// they are tried in turn, 32 addresses at most. It is not asked for hosts that are addresses, nor for servers behind a proxy.
    ///
    /// ```
    /// use framewire_tokio::{Config, Connector};
    ///
    /// let connector = Connector::new(Config::client())
    ///     .resolver(|_host, port| async move { Ok(vec![([127, 0, 0, 1], port).into()]) });
    /// ```
    #[must_use]
    pub fn resolver<F, R>(mut self, resolve: F) -> Self
    where
        F: Fn(String, u16) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.network.resolver = Resolver::new(resolve);
        self
    }

    /// Replaces the proxies of the environment.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.network.proxy = proxy;
        self
    }

    /// Replaces the configuration of TLS, for example for roots or a client certificate of your own. ALPN offers only `http/1.1`,
    /// whatever this configuration says.
    #[cfg(feature = "rustls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
    #[must_use]
    pub fn tls(mut self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.network.tls = Tls::new(config.into());
        self
    }

    /// Connects to a `ws://` or `wss://` URL, and opens the WebSocket.
    ///
    /// The addresses of the host are tried in turn, IPv6 first: the next one at once after a failure, or after 250 ms, while the
    /// others go on (RFC 8305). The first connection is taken, with `TCP_NODELAY`. The runtime needs its I/O driver and a timer.
    ///
    /// A user and a password in the URL become a header `Authorization: Basic …`, unless [`header`](Self::header) gave one. There
    /// may be no fragment (RFC 6455 §3). Redirects are not followed: see [`ConnectError::Refused`].
    ///
    /// `wss://` needs the feature `rustls`; and `rustls-ring`, and `platform-verifier` or `webpki-roots`, unless
    /// `tls` gave a configuration.
    ///
    /// ```no_run
    /// use framewire_tokio::{Config, Connector};
    ///
    /// # async fn talk() -> Result<(), Box<dyn std::error::Error>> {
    /// let connector = Connector::new(Config::client()).header("Cookie", "a=b");
    /// let mut socket = connector.connect("ws://localhost:9001/chat").await?;
    /// socket.send("Hello").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`ConnectError`]. Each [`Stage`](crate::Stage) has the time of [`Config::handshake_timeout`], and the body of a refusal
    /// has it again.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping the future closes all connections that it has begun. A lookup of the system's resolver goes on in
    /// a thread until it ends by itself.
    pub async fn connect(&self, url: &str) -> Result<WebSocket<ConnectStream, Client>, ConnectError> {
        let url = Url::parse(url)?;
        let given = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let authorization = url.authorization.as_deref().filter(|_| !given);
        let request = Request::new(self, &url.host_header, &url.target, authorization);
        request.check()?; // before anybody is asked for anything
        let stream = self.network.open(&url, self.config.handshake_timeout).await?;
        self.open(stream, &request).await
    }
}
