//! Every response of a server other than the 101: an error, a page, a redirect. The connection ends with it.

use core::fmt::{self, Write};

use super::error::{BuildError, HandshakeError};
use super::write::{self, Extra, HeaderValue, OutgoingMessage, Value, check_extra, with_extra};

/// A response other than the 101: an error, a page, a redirect. It ends the connection (`Connection: close`).
///
/// A [`HandshakeError`] turns into one with the headers that its status demands: `Allow` for 405, `Upgrade` for 426
/// (RFC 9110 §15.5.22) together with `Sec-WebSocket-Version` (RFC 6455 §4.4). Its body is the error's text unless
/// another is given. A [`BuildError`] turns into a 500 that does not name it. So `?` in a function that returns
/// `Result<_, PlainResponse<'static>>` makes the right response of either.
///
/// ```
/// use framewire::handshake::{BuildError, HandshakeError, PlainResponse};
///
/// let mut buffer = [0; 512];
/// let len = PlainResponse::from(HandshakeError::UnsupportedVersion).write_to(&mut buffer)?;
/// assert_eq!(
///     &buffer[..len],
///     b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
///       Sec-WebSocket-Version: 13\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 32\r\n\r\n\
///       Sec-WebSocket-Version is not 13\n"
/// );
///
/// let html = [("Content-Type", "text/html; charset=utf-8")];
/// let page = PlainResponse::new(200).extra_headers(&html).body("<h1>It runs</h1>");
/// assert!(page.write_to(&mut buffer).is_ok());
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "the peer waits for this response"]
pub struct PlainResponse<'a> {
    status: u16,
    error: Option<HandshakeError>,
    extra: Extra<'a>,
    body: Option<&'a str>,
    head_only: bool,
}

impl<'a> PlainResponse<'a> {
    /// A response with this status, 200–599 (RFC 9110 §15). By default its body is the meaning of the status.
    pub const fn new(status: u16) -> Self {
        Self { status, error: None, extra: &[], body: None, head_only: false }
    }

    /// Adds headers, each a name and a value. A `Content-Type` replaces `text/plain; charset=utf-8`.
    pub const fn extra_headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { extra: headers, ..self }
    }

    /// Replaces the body.
    pub const fn body(self, body: &'a str) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Leaves out the body, but not its length: the response to a HEAD (RFC 9110 §9.3.2).
    pub const fn head_only(self, head_only: bool) -> Self {
        Self { head_only, ..self }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers that [`write_to`](Self::write_to) writes, `Content-Length` among them, for a host whose HTTP stack
    /// writes the response.
    ///
    /// # Errors
    /// The same as [`write_to`](Self::write_to), except [`BuildError::BufferTooSmall`].
    pub fn headers(&self) -> Result<impl Iterator<Item = (&'a str, HeaderValue<'a>)> + use<'a>, BuildError> {
        write::headers(*self)
    }

    /// The body that [`write_to`](Self::write_to) writes after the head, as a `Display`.
    #[must_use]
    pub fn body_text(&self) -> impl fmt::Display + use<'a> {
        Body { response: *self, whole: !self.head_only }
    }

    /// Writes the response at the start of `buffer`, and returns its length.
    ///
    /// # Errors
    /// - [`BuildError::BufferTooSmall`]: do not send the contents of `buffer` then.
    /// - [`BuildError::InvalidStatus`]: the status is not that of a final response with a body.
    /// - [`BuildError::InvalidHeader`], [`BuildError::ReservedHeader`]: an extra header may not be sent.
    #[must_use = "the response is only this many bytes of the buffer"]
    pub fn write_to(&self, buffer: &mut [u8]) -> Result<usize, BuildError> {
        write::write_to(*self, buffer)
    }

    /// Writes the response to a new `Vec`.
    ///
    /// # Errors
    /// The same as [`write_to`](Self::write_to), except [`BuildError::BufferTooSmall`].
    #[cfg(feature = "alloc")]
    #[must_use = "these bytes must be sent"]
    pub fn to_vec(&self) -> Result<alloc::vec::Vec<u8>, BuildError> {
        write::to_vec(*self)
    }
}

/// The response to a peer that broke the handshake.
impl From<HandshakeError> for PlainResponse<'_> {
    fn from(error: HandshakeError) -> Self {
        Self { error: Some(error), ..Self::new(error.status()) }
    }
}

/// `500 Internal Server Error`: the server could not write the response that it meant to. The peer is not to blame, and
/// is not told more.
impl From<BuildError> for PlainResponse<'_> {
    fn from(_: BuildError) -> Self {
        Self::new(500)
    }
}

impl<'a> OutgoingMessage<'a> for PlainResponse<'a> {
    fn validate(&self) -> Result<(), BuildError> {
        // 204, 205 and 304 have no body, and so no length either (RFC 9110 §8.6).
        if !matches!(self.status, 200..=599) || matches!(self.status, 204 | 205 | 304) {
            return Err(BuildError::InvalidStatus);
        }
        check_extra(self.extra, &["connection", "upgrade", "content-length", "transfer-encoding"])
    }

    fn write_start(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "HTTP/1.1 {} {}", self.status, reason(self.status))
    }

    fn headers(self) -> impl Iterator<Item = (&'a str, HeaderValue<'a>)> {
        let upgrade = self.error.is_some() && self.status == 426;
        let allow = self.error.is_some() && self.status == 405;
        let typed = self.extra.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let text = |name, value| Some((name, Value::Text(value)));
        let own = [
            text("Upgrade", "websocket").filter(|_| upgrade),
            text("Connection", if upgrade { "Upgrade, close" } else { "close" }),
            text("Sec-WebSocket-Version", "13").filter(|_| upgrade),
            text("Allow", "GET").filter(|_| allow),
            text("Content-Type", "text/plain; charset=utf-8").filter(|_| !typed),
            Some(("Content-Length", Value::Number(Body { response: self, whole: true }.len()))),
        ];
        with_extra(own, self.extra)
    }

    fn write_body(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{}", self.body_text())
    }
}

/// The body of a response; empty if not `whole`.
struct Body<'a> {
    response: PlainResponse<'a>,
    whole: bool,
}

impl Body<'_> {
    fn len(&self) -> usize {
        let mut length = Length(0);
        let counted = write!(length, "{self}");
        debug_assert!(counted.is_ok(), "counting does not fail");
        length.0
    }
}

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.response.body, self.response.error) {
            _ if !self.whole => Ok(()),
            (Some(body), _) => f.write_str(body),
            (None, Some(error)) => writeln!(f, "{error}"),
            (None, None) => writeln!(f, "{}", reason(self.response.status)),
        }
    }
}

/// Counts the bytes that are written to it.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// The meaning of a status in the words of RFC 9110, for those that a WebSocket server may use.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        410 => "Gone",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => match status / 100 {
            2 => "Success",
            3 => "Redirection",
            4 => "Client Error",
            _ => "Server Error",
        },
    }
}
