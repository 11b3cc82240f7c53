//! A request as a server reads it: any request of HTTP/1. [`Request::upgrade`] says whether it asks for a WebSocket.

use core::str;

use super::authority::Authority;
use super::error::HandshakeError;
use super::head::{HeadLimits, HeadScanner};
use super::headers::{HeaderSlots, Headers};
use super::target::{AbsoluteForm, is_target, path_and_query};

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
