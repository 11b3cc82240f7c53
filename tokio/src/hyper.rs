//! The opening handshake of a server on hyper 1: HTTP/1.1 with `Upgrade` (RFC 6455 §4.2), and HTTP/2 with extended CONNECT
//! (RFC 8441).

mod request;
mod response;
mod stream;
mod upgrading;

pub use request::UpgradeRequest;
pub use response::Rejected;
pub use stream::HyperStream;
pub use upgrading::Upgrading;

use crate::accept::{Acceptor, Agreed, Answer, Denied, Refusal};
use framewire::handshake::{HandshakeError, HeaderSlots, Upgrade};
use http::Response;
use hyper::upgrade::OnUpgrade;
use request::Head;
use response::opening;

/// As many headers as hyper reads by default, and those that stand for the pseudo-headers of HTTP/2.
const HEADERS: usize = 104;

#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
impl Acceptor {
    /// Answers a request that hyper has read, of HTTP/1.1 or HTTP/2, unless its origin or the request itself is wrong. Return the
    /// response to hyper, and await the [`Upgrading`] in another task.
    ///
    /// The hyper connection must allow upgrades (`with_upgrades`, or `serve_connection_with_upgrades`). For HTTP/2, it must also
    /// announce extended CONNECT (`enable_connect_protocol`). [`pages`](Self::pages) are not asked: hyper has its own routes.
    ///
    /// ```
    /// use framewire_tokio::Acceptor;
    /// use hyper::{Request, Response, body::Incoming};
    ///
    /// fn echo(acceptor: &Acceptor, mut request: Request<Incoming>) -> Response<String> {
    ///     match acceptor.upgrade(&mut request) {
    ///         Ok((response, upgrading)) => {
    ///             tokio::spawn(async move {
    ///                 let mut socket = upgrading.await?;
    ///                 while let Some(message) = socket.recv().await {
    ///                     socket.feed(message?).await?;
    ///                 }
    ///                 Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    ///             });
    ///             response.map(|()| String::new())
    ///         }
    ///         Err(rejected) => rejected.into_response(),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`Rejected`], which has the response.
    pub fn upgrade<T: UpgradeRequest>(&self, request: &mut T) -> Result<(Response<()>, Upgrading), Rejected> {
        self.upgrade_with(request, |_| Ok(Answer::default()))
    }

    /// As [`upgrade`](Self::upgrade), if `decide` says so: see [`accept_with`](Self::accept_with). It sees a request of HTTP/2 as
    /// the GET that it stands for (RFC 8441 §5), whose key has no meaning.
    ///
    /// # Errors
    /// See [`Rejected`], which has the response.
    pub fn upgrade_with<T, F>(
        &self,
        request: &mut T,
        decide: F,
    ) -> Result<(Response<()>, Upgrading), Rejected>
    where
        T: UpgradeRequest,
        F: FnOnce(&Upgrade<'_, '_>) -> Result<Answer, Refusal>,
    {
        let head = request.head();
        let is_http2 = head.is_http2();
        let (response, agreed) =
            self.answer(&head, decide).map_err(|denied| Rejected::new(denied, is_http2))?;
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let on_upgrade = on_upgrade.ok_or_else(|| Rejected::not_upgradable(is_http2))?;
        Ok((response, Upgrading::new(on_upgrade, self.clone(), agreed)))
    }

    fn answer(
        &self,
        head: &Head<'_>,
        decide: impl FnOnce(&Upgrade<'_, '_>) -> Result<Answer, Refusal>,
    ) -> Result<(Response<()>, Agreed), Denied> {
        let (target, cookies) = (head.target(), head.cookies());
        let mut slots = HeaderSlots::<HEADERS>::with_slots();
        let request = head.request(&target, cookies.as_deref(), &mut slots)?;
        let upgrade = request.upgrade()?.ok_or(HandshakeError::NotUpgrade)?;
        self.decide(&upgrade, decide, |response| opening(response.headers()?, head.is_http2()))
    }
}
