//! The time between the response and the WebSocket.

use super::stream::HyperStream;
use crate::{
    accept::{AcceptError, Acceptor, Agreed},
    config::Config,
    websocket::WebSocket,
};
use hyper::upgrade::OnUpgrade;
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::time::{Sleep, sleep};

/// A WebSocket that opens once hyper has sent the response. [`Acceptor::upgrade`] makes it.
///
/// # Errors
/// [`AcceptError::Io`] if hyper could not pass the connection on, for example because the client is gone;
/// [`AcceptError::Timeout`] if it has not done that within [`Config::handshake_timeout`].
///
/// # Cancel safety
/// Polls may stop and go on at any time. Dropping it drops the connection.
#[must_use = "dropping it drops the connection"]
pub struct Upgrading {
    on_upgrade: OnUpgrade,
    acceptor: Acceptor,
    agreed: Agreed,
    /// From when it is first polled.
    timeout: Option<Pin<Box<Sleep>>>,
}

impl Upgrading {
    pub(super) fn new(on_upgrade: OnUpgrade, acceptor: Acceptor, agreed: Agreed) -> Self {
        Self { on_upgrade, acceptor, agreed, timeout: None }
    }

    /// The subprotocol that the response chooses.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol.as_deref()
    }

    /// Changes what [`WebSocket::subprotocol`] returns, for a program that has changed the response.
    pub fn set_subprotocol(&mut self, subprotocol: Option<&str>) {
        self.agreed.subprotocol = subprotocol.map(Into::into);
    }

    /// The configuration of this connection. A change costs it a copy of the acceptor's. What the handshake was decided by
    /// (origins, subprotocols, compression) has no effect any more. The acceptor's [`limits`](Config::limits) also hold for
    /// compressed messages, whose limit can thus be lowered, and not raised.
    pub fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.acceptor.config)
    }
}

impl Future for Upgrading {
    type Output = Result<WebSocket<HyperStream>, AcceptError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Poll::Ready(upgraded) = Pin::new(&mut this.on_upgrade).poll(cx) {
            let (stream, rest) = HyperStream::new(upgraded.map_err(io::Error::other)?);
            return Poll::Ready(Ok(this.acceptor.open(stream, &rest, std::mem::take(&mut this.agreed))));
        }
        let Some(most) = this.acceptor.config.handshake_timeout else { return Poll::Pending };
        let timeout = this.timeout.get_or_insert_with(|| Box::pin(sleep(most)));
        ready!(timeout.as_mut().poll(cx));
        Poll::Ready(Err(AcceptError::Timeout))
    }
}

impl fmt::Debug for Upgrading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrading").field("acceptor", &self.acceptor).finish_non_exhaustive()
    }
}
