//! A response as a client reads it: any HTTP/1 response. Whether it opens a WebSocket, [`ClientHandshake::check`] says.
//!
//! [`ClientHandshake::check`]: super::ClientHandshake::check

use super::headers::{HeaderSlots, Headers};
use super::request::whole_head;
use super::{HandshakeError, HttpVersion};

/// A response whose head is sound HTTP/1, of any status: redirects and 401 are the host's to follow.
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
    /// Parses a head. `bytes` begin with it; [`head_len`](Self::head_len) says where it ends.
    ///
    /// # Errors
    /// What is not sound HTTP/1: [`HandshakeError::InvalidStatusLine`],
    /// [`InvalidHeader`](HandshakeError::InvalidHeader) and what [`HeadScanner::feed`](super::HeadScanner::feed)
    /// finds. A head with more headers than `slots` is [`TooManyHeaders`](HandshakeError::TooManyHeaders).
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

    /// Takes the response that an HTTP stack has parsed, headers as name and value.
    ///
    /// # Errors
    /// [`HandshakeError::TooManyHeaders`] where `slots` are too few.
    pub fn from_parts<const N: usize>(
        status: u16,
        version: HttpVersion,
        headers: impl IntoIterator<Item = (&'b str, &'b [u8])>,
        slots: &'h mut HeaderSlots<'b, N>,
    ) -> Result<Self, HandshakeError> {
        Ok(Self { status, reason: "", version, headers: slots.fill(headers)?, head_len: 0 })
    }

    /// The status, 100–599. One of 1xx other than 101 is not the answer yet: read another head (RFC 9110 §15.2).
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What stands behind the status, for people; empty where it is not ASCII.
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

    /// The length of the head in bytes, where a body, or the frames, begin; 0 if this crate did not parse it.
    #[must_use]
    pub fn head_len(&self) -> usize {
        self.head_len
    }
}
