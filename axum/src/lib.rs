//! WebSockets for axum 0.8, on [`framewire_tokio`]: an extractor with the methods of axum's own `WebSocketUpgrade`.
//!
//! ```no_run
//! use axum::{Router, response::Response, routing::any};
//! use framewire_axum::{WebSocket, WebSocketUpgrade};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let app = Router::new().route("/ws", any(echo)); // `any`: over HTTP/2, the method is CONNECT
//!     axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await
//! }
//!
//! async fn echo(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.on_upgrade(|mut socket: WebSocket| async move {
//!         while let Some(Ok(message)) = socket.recv().await {
//!             let _ = socket.feed(message).await; // if it cannot be sent, `recv` says why
//!         }
//!     })
//! }
//! ```
//!
//! Limits and timeouts are those of [`Config::server`], pings for a silent peer among them. HTTP/2 (RFC 8441) needs axum's
//! feature `http2`.
//!
//! # Configuration and graceful shutdown
//!
//! For another [`Config`], or a [`Tracker`], add an [`Acceptor`] as an `Extension` to the router, or to some of its routes:
//!
//! ```no_run
//! use axum::{Extension, Router, response::Response, routing::any};
//! use framewire_axum::{Acceptor, Config, Tracker, WebSocketUpgrade};
//! use std::time::Duration;
//!
//! # async fn echo(upgrade: WebSocketUpgrade) -> Response { upgrade.on_upgrade(|_| async {}) }
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let mut config = Config::server();
//!     config.origins = vec!["https://example.org".into()];
//!     let tracker = Tracker::new();
//!     let acceptor = Acceptor::new(config).tracked_by(&tracker);
//!     let app = Router::new().route("/ws", any(echo)).layer(Extension(acceptor));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     let end = async move {
//!         let _ = tokio::signal::ctrl_c().await;
//!         tracker.shutdown(Duration::from_secs(10)).await; // each peer gets a close with 1001
//!     };
//!     axum::serve(listener, app).with_graceful_shutdown(end).await
//! }
//! ```
//!
//! First the WebSockets end, then the server: axum waits for connections of HTTP/2 that still have a stream.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod rejection;

pub use framewire_tokio::{self, AcceptError, Acceptor, CloseCode, Config, HyperStream, Message, Tracker};
pub use rejection::WebSocketUpgradeRejection;

use axum_core::{body::Body, extract::FromRequestParts, response::Response};
use framewire_tokio::Upgrading;
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL, request::Parts};
use std::{borrow::Cow, fmt, sync::LazyLock};

/// A WebSocket of a route. Over HTTP/1.1 and TCP, nothing of hyper is left below it.
pub type WebSocket = framewire_tokio::WebSocket<HyperStream>;

/// A request for a WebSocket, as an extractor. It was found right, and its origin is one of [`Config::origins`].
///
/// Its [`Acceptor`] is that of the `Extension`, or one with the defaults of a server.
#[must_use = "the client waits for the response, which `on_upgrade` makes"]
pub struct WebSocketUpgrade {
    response: http::Response<()>,
    upgrading: Upgrading,
    requested: Vec<HeaderValue>,
    on_failed: Option<Box<OnFailed>>,
}

type OnFailed = dyn FnOnce(AcceptError) + Send;

impl WebSocketUpgrade {
    /// The configuration of this connection: see [`Upgrading::config_mut`]. A change costs the connection a copy of it, some 200
    /// bytes. So if all connections are to have the change, make it in the [`Acceptor`]'s.
    pub fn config_mut(&mut self) -> &mut Config {
        self.upgrading.config_mut()
    }

    /// Limits a message, once it is inflated, too. Default: 16 MiB. A compressed one is limited by the [`Acceptor`]'s
    /// configuration, too. Like the two below, this changes [`config_mut`](Self::config_mut).
    pub fn max_message_size(mut self, max: usize) -> Self {
        self.config_mut().limits.message = max as u64;
        self
    }

    /// Limits a frame. Default: 16 MiB.
    pub fn max_frame_size(mut self, max: usize) -> Self {
        self.config_mut().limits.frame = max as u64;
        self
    }

    /// While this many bytes wait for the peer, no more messages are accepted for it: [`Config::high_water`]. Default: 256 KiB.
    pub fn max_write_buffer_size(mut self, max: usize) -> Self {
        self.config_mut().high_water = max;
        self
    }

    /// Chooses the first of these subprotocols that the client asks for; none, if it asks for none of them. It is the same as
    /// [`Config::subprotocols`], for one route.
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        let mut ours = protocols.into_iter().map(Into::<Cow<'static, str>>::into);
        let chosen = ours.find_map(|ours| self.requested.iter().find(|theirs| *theirs == &*ours)).cloned();
        self.select(chosen);
        self
    }

    /// The subprotocols that the client asks for, its preferred one first.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.requested.iter()
    }

    /// Chooses a subprotocol. The client closes the connection if it has not asked for it.
    pub fn set_selected_protocol(&mut self, protocol: HeaderValue) {
        self.select(Some(protocol));
    }

    /// The subprotocol that was chosen.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.response.headers().get(SEC_WEBSOCKET_PROTOCOL)
    }

    /// Calls this if the WebSocket does not open, for example because the client is gone. Default: such errors are ignored.
    pub fn on_failed_upgrade<C>(self, callback: C) -> Self
    where
        C: FnOnce(AcceptError) + Send + 'static,
    {
        Self { on_failed: Some(Box::new(callback)), ..self }
    }

    /// Makes the response, to be returned to axum. Once it is sent, a task calls this with the WebSocket.
    pub fn on_upgrade<C, F>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { response, upgrading, on_failed, .. } = self;
        tokio::spawn(async move {
            match upgrading.await {
                // A task of its own: that of the upgrade would keep its room until the end.
                Ok(socket) => drop(tokio::spawn(callback(socket))),
                Err(error) => {
                    if let Some(on_failed) = on_failed {
                        on_failed(error);
                    }
                }
            }
        });
        response.map(|()| Body::empty())
    }

    fn select(&mut self, protocol: Option<HeaderValue>) {
        self.upgrading.set_subprotocol(protocol.as_ref().and_then(|protocol| protocol.to_str().ok()));
        match protocol {
            Some(protocol) => self.response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol),
            None => self.response.headers_mut().remove(SEC_WEBSOCKET_PROTOCOL),
        };
    }
}

/// For routes without an [`Acceptor`] of their own.
static DEFAULT: LazyLock<Acceptor> = LazyLock::new(|| Acceptor::new(Config::server()));

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let acceptor = parts.extensions.get().unwrap_or(&*DEFAULT).clone();
        match acceptor.upgrade(parts) {
            Ok((response, upgrading)) => {
                Ok(Self { response, upgrading, requested: requested(&parts.headers), on_failed: None })
            }
            Err(rejected) => Err(WebSocketUpgradeRejection::new(rejected, parts)),
        }
    }
}

fn requested(headers: &HeaderMap) -> Vec<HeaderValue> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    names.filter(|name| !name.is_empty()).filter_map(|name| HeaderValue::from_bytes(name).ok()).collect()
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("response", &self.response)
            .field("upgrading", &self.upgrading)
            .field("requested", &self.requested)
            .finish_non_exhaustive()
    }
}

/// The Rust code of the page, compiled with the other tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/axum.md")]
mod documentation {}
