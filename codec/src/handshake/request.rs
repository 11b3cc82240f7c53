//! A request as a server reads it: any request of HTTP/1, and the rules of an upgrade (RFC 6455 §4.2.1).

use core::{ops, str};

use super::authority::Authority;
use super::head::{HeadLimits, HeadScanner};
use super::headers::{HeaderSlots, Headers, is_token, list, list_contains};
use super::target::{AbsoluteForm, is_target, path_and_query};
use super::{ClientKey, HandshakeError, UpgradeResponse};
use crate::extension::{self, DeflatePolicy, DeflateResponse};

/// A request with a valid head of HTTP/1 (RFC 9112 §3). [`upgrade`](Self::upgrade) says whether it asks for a
/// WebSocket.
///
/// ```
/// use framewire::handshake::{HandshakeError, HeaderSlots, Request};
///
/// let mut slots = HeaderSlots::new();
/// let request = Request::parse(b"GET /page?x=1 HTTP/1.1\r\nhost:example.com\r\n\r\n", &mut slots)?;
/// assert!(request.upgrade()?.is_none());
/// assert_eq!((request.path(), request.query()), ("/page", Some("x=1")));
/// assert_eq!(request.headers().get("Host"), Some(&b"example.com"[..]));
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Request<'h, 'b> {
    method: &'b str,
    target: &'b str,
    version: HttpVersion,
    headers: Headers<'h, 'b>,
    head_len: usize,
}

/// A version of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0, which some health checks use. A server ignores its `Upgrade` (RFC 9110 §7.8).
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl<'h, 'b> Request<'h, 'b> {
    /// Parses the head at the start of `bytes`; [`head_len`](Self::head_len) is its length.
    ///
    /// # Errors
    /// - [`HandshakeError::Incomplete`]: `bytes` has no whole head.
    /// - [`HandshakeError::InvalidRequestLine`], [`HandshakeError::UnsupportedHttpVersion`]: the first line is not a
    ///   method, a target, and version 1.0 or 1.1 (RFC 9112 §3).
    /// - [`HandshakeError::InvalidLineEnding`], [`HandshakeError::FoldedHeader`], [`HandshakeError::InvalidHeader`]: a
    ///   header is malformed (RFC 9112 §5).
    /// - [`HandshakeError::TooManyHeaders`]: there are more headers than `slots`.
    /// - [`HandshakeError::InvalidTarget`], [`HandshakeError::InvalidHost`], [`HandshakeError::HostMismatch`]: the
    ///   target or `Host` is invalid, or they name different hosts (RFC 9112 §3.2). An empty `Host` is invalid.
    pub fn parse<const N: usize>(
        bytes: &'b [u8],
        slots: &'h mut HeaderSlots<'b, N>,
    ) -> Result<Self, HandshakeError> {
        let head = whole_head(bytes, N)?;
        let mut parsed = httparse::Request::new(&mut slots.0);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            Ok(_) => return Err(HandshakeError::InvalidHeader),
            Err(httparse::Error::Version) => return Err(version_error(head)),
            Err(httparse::Error::TooManyHeaders) => return Err(HandshakeError::TooManyHeaders),
            Err(httparse::Error::NewLine) => return Err(HandshakeError::InvalidLineEnding),
            Err(httparse::Error::Token | httparse::Error::Status) => {
                return Err(HandshakeError::InvalidRequestLine);
            }
            Err(_) => return Err(HandshakeError::InvalidHeader),
        }
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(HandshakeError::InvalidRequestLine);
        };
        let version = if minor == 0 { HttpVersion::Http10 } else { HttpVersion::Http11 };
        let headers = Headers(parsed.headers);
        Self { method, target, version, headers, head_len: head.len() }.checked()
    }

    /// Takes the request that an HTTP stack has parsed; each header is a name and a value. `target` is the whole target
    /// of the request line.
    ///
    /// # Errors
    /// [`HandshakeError::TooManyHeaders`], [`HandshakeError::InvalidTarget`], [`HandshakeError::InvalidHost`] and
    /// [`HandshakeError::HostMismatch`], as from [`parse`](Self::parse).
    ///
    /// ```
    /// use framewire::handshake::{HandshakeError, HeaderSlots, HttpVersion, Request};
    ///
    /// # let map: Vec<(String, String)> = [
    /// #     ("host", "example.com"), ("upgrade", "websocket"), ("connection", "upgrade"),
    /// #     ("sec-websocket-version", "13"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    /// # ].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    /// let headers = map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())); // as in an http::HeaderMap
    /// let mut slots = HeaderSlots::new();
    /// let request = Request::from_parts("GET", "/chat", HttpVersion::Http11, headers, &mut slots)?;
    /// let upgrade = request.upgrade()?.expect("an upgrade");
    /// assert_eq!(*upgrade.key().accept(), *"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok::<(), HandshakeError>(())
    /// ```
    pub fn from_parts<const N: usize>(
        method: &'b str,
        target: &'b str,
        version: HttpVersion,
        headers: impl IntoIterator<Item = (&'b str, &'b [u8])>,
        slots: &'h mut HeaderSlots<'b, N>,
    ) -> Result<Self, HandshakeError> {
        let headers = slots.fill(headers)?;
        Self { method, target, version, headers, head_len: 0 }.checked()
    }

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
        let headers = self.headers;
        if self.version == HttpVersion::Http10 || !list_contains(headers.get_all("upgrade"), "websocket") {
            return Ok(None);
        }
        if self.method != "GET" {
            return Err(HandshakeError::MethodNotAllowed);
        }
        if path_and_query(self.target).is_none() {
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

    /// The method, as it was sent.
    #[must_use]
    pub fn method(&self) -> &'b str {
        self.method
    }

    /// The target, as it was sent: usually a path and a query, but any client may send a whole URI (RFC 9112 §3.2).
    #[must_use]
    pub fn target(&self) -> &'b str {
        self.target
    }

    /// The path of the target, without host and query. Nothing in it is decoded. If the target has no path, as in
    /// `OPTIONS *`, it is the target.
    #[must_use]
    pub fn path(&self) -> &'b str {
        path_and_query(self.target).map_or(self.target, |(path, _)| path)
    }

    /// The query of the target, without the `?`.
    #[must_use]
    pub fn query(&self) -> Option<&'b str> {
        path_and_query(self.target).and_then(|(_, query)| query)
    }

    /// The version of HTTP.
    #[must_use]
    pub fn version(&self) -> HttpVersion {
        self.version
    }

    /// The host, with its port if one is given: that of the target if this is a whole URI (RFC 9112 §3.2.2), that of
    /// `Host` otherwise. Both name the same if both are there. `None` only for a request of HTTP/1.0 that has neither.
    #[must_use]
    pub fn host(&self) -> Option<&'b str> {
        match AbsoluteForm::parse(self.target) {
            Some(target) => Some(target.authority_text),
            None => self.headers.get("host").and_then(|host| str::from_utf8(host).ok()),
        }
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'h, 'b> {
        self.headers
    }

    /// Whether a body follows the head. This crate does not read it: close the connection after the response.
    #[must_use]
    pub fn has_body(&self) -> bool {
        let mut lengths = self.headers.get_all("content-length");
        let empty = lengths.next().is_none_or(|length| length == b"0") && lengths.next().is_none();
        !empty || self.headers.get("transfer-encoding").is_some()
    }

    /// The length of the head in bytes. 0 if an HTTP stack parsed the head.
    #[must_use]
    pub fn head_len(&self) -> usize {
        self.head_len
    }

    /// The rules of RFC 9112 §3.2 for target and `Host`, which hold for every request. An empty `Host` belongs to a URI
    /// without a host (§3.2). A URI of HTTP has one (RFC 9110 §4.2.1), so an empty `Host` is refused like a missing one.
    fn checked(self) -> Result<Self, HandshakeError> {
        let absolute = AbsoluteForm::parse(self.target);
        if !is_target(self.target) || absolute.as_ref().is_some_and(|target| target.authority().is_none()) {
            return Err(HandshakeError::InvalidTarget);
        }
        match self.headers.once("host").and_then(Authority::parse) {
            Some(host) if absolute.is_none_or(|target| target.is_at(&host)) => Ok(self),
            Some(_) => Err(HandshakeError::HostMismatch),
            None if self.version == HttpVersion::Http10 && self.headers.get("host").is_none() => Ok(self),
            None => Err(HandshakeError::InvalidHost),
        }
    }
}

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
        subprotocols(self.headers.get_all("sec-websocket-protocol")).filter_map(Result::ok)
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
    /// [`UpgradeResponse::deflate`]. `None`: no offer is acceptable, or there is none.
    ///
    /// Call this only if the server inflates messages. They arrive with RSV1 set, which the connection must allow
    /// ([`with_extension_bits`](crate::Connection::with_extension_bits)), and the stage `deflate` (feature `deflate`)
    /// needs [`DeflateResponse::params`].
    #[must_use = "the response must be sent and kept"]
    pub fn deflate(&self, policy: &DeflatePolicy) -> Option<DeflateResponse> {
        extension::negotiate(self.extension_values(), policy).ok().flatten()
    }

    /// The response that opens the WebSocket (RFC 6455 §4.2.2).
    pub fn accept<'a>(&self) -> UpgradeResponse<'a>
    where
        'h: 'a,
        'b: 'a,
    {
        UpgradeResponse::to_upgrade(*self)
    }

    fn extension_values(&self) -> impl Iterator<Item = &'b str> + use<'h, 'b> {
        self.headers.get_all("sec-websocket-extensions").filter_map(|value| str::from_utf8(value).ok())
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

/// The head at the start of `bytes`, after the checks of [`HeadScanner`].
pub(super) fn whole_head(bytes: &[u8], headers: usize) -> Result<&[u8], HandshakeError> {
    let mut scanner = HeadScanner::new(HeadLimits { head_bytes: usize::MAX, headers });
    let len = scanner.feed(bytes)?.ok_or(HandshakeError::Incomplete)?;
    bytes.get(..len).ok_or(HandshakeError::Incomplete)
}

/// The error of a first line that does not end with HTTP/1.0 or HTTP/1.1: it names another version, or is malformed.
fn version_error(head: &[u8]) -> HandshakeError {
    let line = head.trim_ascii_start().split(|&byte| byte == b'\r').next().unwrap_or_default();
    match line.splitn(3, |&byte| byte == b' ').last() {
        Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            HandshakeError::UnsupportedHttpVersion
        }
        _ => HandshakeError::InvalidRequestLine,
    }
}
