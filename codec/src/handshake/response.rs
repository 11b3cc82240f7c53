//! A response as a client reads it: any response of HTTP/1. [`ClientHandshake::check`] says whether it opens a
//! WebSocket.
//!
//! [`ClientHandshake::check`]: super::ClientHandshake::check

use super::error::HandshakeError;
use super::headers::{HeaderSlots, Headers};
use super::request::{HttpVersion, whole_head};

/// A response with a valid head of HTTP/1 (RFC 9112 §4) and any status. The host handles redirects and 401.
///
/// ```
/// use framewire::handshake::{HandshakeError, HeaderSlots, Response};
///
/// let received = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 2\r\n\r\nno";
/// let mut slots = HeaderSlots::new();
/// let response = Response::parse(received, &mut slots)?;
/// assert_eq!(response.status(), 302);
/// assert_eq!(response.headers().get("location"), Some(&b"/login"[..]));
/// assert_eq!(&received[response.head_len()..], b"no");
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Response<'h, 'b> {
    status: u16,
    reason: &'b str,
    version: HttpVersion,
    headers: Headers<'h, 'b>,
    head_len: usize,
}

impl<'h, 'b> Response<'h, 'b> {
    /// Parses the head at the start of `bytes`; [`head_len`](Self::head_len) is its length.
    ///
    /// # Errors
    /// - [`HandshakeError::Incomplete`]: `bytes` has no whole head.
    /// - [`HandshakeError::InvalidStatusLine`]: the first line is not a version, a status of 100–599 and a reason
    ///   (RFC 9112 §4).
    /// - [`HandshakeError::InvalidLineEnding`], [`HandshakeError::FoldedHeader`], [`HandshakeError::InvalidHeader`]: a
    ///   header is malformed (RFC 9112 §5).
    /// - [`HandshakeError::TooManyHeaders`]: there are more headers than `slots`.
    pub fn parse<const N: usize>(
        bytes: &'b [u8],
        slots: &'h mut HeaderSlots<'b, N>,
    ) -> Result<Self, HandshakeError> {
        let head = match whole_head(bytes, N) {
            Err(HandshakeError::InvalidRequestLine) => return Err(HandshakeError::InvalidStatusLine),
            head => head?,
        };
        let mut parsed = httparse::Response::new(&mut slots.0);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            Ok(_) => return Err(HandshakeError::InvalidHeader),
            Err(httparse::Error::TooManyHeaders) => return Err(HandshakeError::TooManyHeaders),
            Err(httparse::Error::NewLine) => return Err(HandshakeError::InvalidLineEnding),
            Err(httparse::Error::Version | httparse::Error::Status | httparse::Error::Token) => {
                return Err(HandshakeError::InvalidStatusLine);
            }
            Err(_) => return Err(HandshakeError::InvalidHeader),
        }
        let (Some(status @ 100..=599), Some(minor)) = (parsed.code, parsed.version) else {
            return Err(HandshakeError::InvalidStatusLine);
        };
        Ok(Self {
            status,
            reason: parsed.reason.unwrap_or_default(),
            version: if minor == 0 { HttpVersion::Http10 } else { HttpVersion::Http11 },
            headers: Headers(parsed.headers),
            head_len: head.len(),
        })
    }

    /// Takes the response that an HTTP stack has parsed; each header is a name and a value.
    ///
    /// # Errors
    /// [`HandshakeError::TooManyHeaders`]: there are more headers than `slots`.
    ///
    /// ```
    /// use framewire::handshake::{ClientHandshake, ClientKey, HeaderSlots, HttpVersion, Response};
    ///
    /// let key = ClientKey::new(*b"the sample nonce");
    /// # let accept = key.accept();
    /// # let map = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", &*accept)];
    /// let headers = map.iter().map(|(name, value)| (*name, value.as_bytes())); // as in an http::HeaderMap
    /// let mut slots = HeaderSlots::new();
    /// let response = Response::from_parts(101, HttpVersion::Http11, headers, &mut slots)?;
    /// let negotiated = ClientHandshake::new("example.com", "/", key).check(&response)?;
    /// assert!(negotiated.is_some(), "a WebSocket");
    /// # Ok::<(), framewire::handshake::HandshakeError>(())
    /// ```
    pub fn from_parts<const N: usize>(
        status: u16,
        version: HttpVersion,
        headers: impl IntoIterator<Item = (&'b str, &'b [u8])>,
        slots: &'h mut HeaderSlots<'b, N>,
    ) -> Result<Self, HandshakeError> {
        Ok(Self { status, reason: "", version, headers: slots.fill(headers)?, head_len: 0 })
    }

    /// The status. After one of 100–199 other than 101, read another head: the response is still to come
    /// (RFC 9110 §15.2).
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The text after the status, for people (RFC 9112 §4). Empty if it is not ASCII, or from an HTTP stack.
    #[must_use]
    pub fn reason(&self) -> &'b str {
        self.reason
    }

    /// The version of HTTP.
    #[must_use]
    pub fn version(&self) -> HttpVersion {
        self.version
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'h, 'b> {
        self.headers
    }

    /// The length of the head in bytes. Frames, or the body, begin there. 0 if an HTTP stack parsed the head.
    #[must_use]
    pub fn head_len(&self) -> usize {
        self.head_len
    }
}
