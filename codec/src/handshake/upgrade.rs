//! A request for a WebSocket as a server reads it: the rules of RFC 6455 §4.2.1, and what the client asks for.

use core::{ops, str};

use super::error::HandshakeError;
use super::headers::{is_token, list, list_contains};
use super::key::ClientKey;
use super::request::{HttpVersion, Request};
use super::target::path_and_query;
use crate::extension::{self, DeflatePolicy, DeflateResponse};

/// A request for a WebSocket that follows every rule of RFC 6455 §4.2.1. It derefs to [`Request`].
///
/// The host decides on the [`origin`](Self::origin), the path, the subprotocol and the extensions. Then
/// [`accept`](Self::accept) makes the response.
#[derive(Clone, Copy, Debug)]
pub struct Upgrade<'h, 'b> {
    request: Request<'h, 'b>,
    key: ClientKey,
    origin: Option<&'b str>,
}

impl<'h, 'b> Request<'h, 'b> {
    /// The upgrade to a WebSocket that this request asks for. `None`: its `Upgrade` does not list `websocket`, or it is
    /// of HTTP/1.0, of which a server must ignore `Upgrade` (RFC 9110 §7.8). The host responds as to any request.
    ///
    /// # Errors
    /// The request asks for a WebSocket and breaks a rule of RFC 6455 §4.2.1:
    ///
    /// - [`HandshakeError::MethodNotAllowed`]: the method is not GET.
    /// - [`HandshakeError::InvalidTarget`]: the target is neither a path nor a URI of HTTP or WebSocket.
    /// - [`HandshakeError::UnexpectedBody`]: it announces a body.
    /// - [`HandshakeError::MissingConnectionUpgrade`]: `Connection` does not list `Upgrade`.
    /// - [`HandshakeError::UnsupportedVersion`], [`HandshakeError::InvalidKey`]: `Sec-WebSocket-Version` or
    ///   `Sec-WebSocket-Key` is missing, repeated or invalid.
    /// - [`HandshakeError::InvalidSubprotocols`], [`HandshakeError::InvalidExtensions`],
    ///   [`HandshakeError::InvalidOrigin`]: `Sec-WebSocket-Protocol`, `Sec-WebSocket-Extensions` or `Origin` is
    ///   malformed.
    pub fn upgrade(&self) -> Result<Option<Upgrade<'h, 'b>>, HandshakeError> {
        let headers = self.headers();
        if self.version() == HttpVersion::Http10 || !list_contains(headers.get_all("upgrade"), "websocket") {
            return Ok(None);
        }
        if self.method() != "GET" {
            return Err(HandshakeError::MethodNotAllowed);
        }
        if path_and_query(self.target()).is_none() {
            return Err(HandshakeError::InvalidTarget);
        }
        if self.has_body() {
            return Err(HandshakeError::UnexpectedBody);
        }
        if !list_contains(headers.get_all("connection"), "upgrade") {
            return Err(HandshakeError::MissingConnectionUpgrade);
        }
        if headers.once("sec-websocket-version") != Some(b"13") {
            return Err(HandshakeError::UnsupportedVersion);
        }
        let key = headers.once("sec-websocket-key").ok_or(HandshakeError::InvalidKey)?;
        let key = ClientKey::parse(key)?;
        for subprotocol in subprotocols(headers.get_all("sec-websocket-protocol")) {
            subprotocol?;
        }
        for value in headers.get_all("sec-websocket-extensions") {
            let value = str::from_utf8(value).map_err(|_| HandshakeError::InvalidExtensions)?;
            if extension::parse(value).any(|element| element.is_err()) {
                return Err(HandshakeError::InvalidExtensions);
            }
        }
        let origin = match headers.get("origin") {
            None => None,
            Some(_) => {
                let value = headers.once("origin").and_then(|value| str::from_utf8(value).ok());
                Some(value.ok_or(HandshakeError::InvalidOrigin)?)
            }
        };
        Ok(Some(Upgrade { request: *self, key, origin }))
    }
}

impl<'h, 'b> Upgrade<'h, 'b> {
    /// `Sec-WebSocket-Key` (RFC 6455 §4.1).
    #[must_use]
    pub fn key(&self) -> ClientKey {
        self.key
    }

    /// `Origin`: the site of the page that opens the WebSocket, or `null` for a page without one. Browsers always send
    /// it. Checking it keeps the pages of other sites from connecting with a visitor's cookies (RFC 6455 §10.2). Other
    /// clients may send any value, or none.
    #[must_use]
    pub fn origin(&self) -> Option<&'b str> {
        self.origin
    }

    /// The subprotocols that the client asks for, its preferred one first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'b str> + use<'h, 'b> {
        subprotocols(self.headers().get_all("sec-websocket-protocol")).filter_map(Result::ok)
    }

    /// The first of the client's subprotocols that is `supported`; names are compared byte for byte. For another order
    /// of preference, iterate over [`subprotocols`](Self::subprotocols).
    ///
    /// A server may choose none (RFC 6455 §4.2.2), but many clients then close the connection.
    #[must_use]
    pub fn choose_subprotocol(&self, supported: &[&str]) -> Option<&'b str> {
        self.subprotocols().find(|name| supported.contains(name))
    }

    /// The extensions that the client offers, its preferred one first.
    pub fn extensions(&self) -> impl Iterator<Item = extension::Extension<'b>> + use<'h, 'b> {
        self.extension_values().flat_map(extension::parse).filter_map(Result::ok)
    }

    /// The response to the first acceptable offer of permessage-deflate (RFC 7692 §5.1), for
    /// [`UpgradeResponse::deflate`](super::UpgradeResponse::deflate). `None`: no offer is acceptable, or there is none.
    ///
    /// Call this only if the server inflates messages. They arrive with RSV1 set, which the connection must allow
    /// ([`with_extension_bits`](crate::Connection::with_extension_bits)), and the stage `deflate` (feature `deflate`)
    /// needs [`DeflateResponse::params`].
    #[must_use = "the response must be sent and kept"]
    pub fn deflate(&self, policy: &DeflatePolicy) -> Option<DeflateResponse> {
        extension::negotiate(self.extension_values(), policy).ok().flatten()
    }

    fn extension_values(&self) -> impl Iterator<Item = &'b str> + use<'h, 'b> {
        self.headers().get_all("sec-websocket-extensions").filter_map(|value| str::from_utf8(value).ok())
    }
}

impl<'h, 'b> ops::Deref for Upgrade<'h, 'b> {
    type Target = Request<'h, 'b>;

    fn deref(&self) -> &Self::Target {
        &self.request
    }
}

/// The first subprotocol in the values of `Sec-WebSocket-Protocol`, one item a header line, that is `supported`
/// (RFC 6455 §4.2.2): for a host that has no [`Upgrade`].
///
/// # Errors
/// [`HandshakeError::InvalidSubprotocols`]: the list is malformed before the first supported one.
///
/// ```
/// let values: [&[u8]; 2] = [b"mqtt, chat.v2", b"chat.v1"];
/// let chosen = framewire::handshake::choose_subprotocol(values, &["chat.v1", "chat.v2"]);
/// assert_eq!(chosen, Ok(Some("chat.v2")));
/// ```
pub fn choose_subprotocol<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    supported: &[&str],
) -> Result<Option<&'a str>, HandshakeError> {
    subprotocols(values).find(|name| name.map_or(true, |name| supported.contains(&name))).transpose()
}

fn subprotocols<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Result<&'a str, HandshakeError>> {
    values.into_iter().flat_map(list).map(|name| match str::from_utf8(name) {
        Ok(text) if is_token(name) => Ok(text),
        _ => Err(HandshakeError::InvalidSubprotocols),
    })
}
