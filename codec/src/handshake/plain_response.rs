//! Every response of a server other than the 101: an error, a page, a redirect. The connection ends with it.

use core::fmt::{self, Write};

use super::write::{self, Extra, Message, check_extra, write_extra};
use super::{BuildError, HandshakeError};

/// An ordinary response, with which the connection ends (`Connection: close`): what an error turns into, a page, a
/// redirect.
///
/// An error writes the headers that its status demands: `Allow` for 405, `Upgrade` for 426 (RFC 9110 §15.5.22), and
/// with it `Sec-WebSocket-Version` (RFC 6455 §4.4). Its text is the body unless another is given.
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
/// let page = PlainResponse::new(200).extra_headers(&[("Content-Type", "text/html; charset=utf-8")]).body("<h1>It runs</h1>");
/// assert!(page.write_to(&mut buffer).is_ok());
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PlainResponse<'a> {
    status: u16,
    error: Option<HandshakeError>,
    extra: Extra<'a>,
    body: Option<&'a str>,
    head_only: bool,
}

impl<'a> PlainResponse<'a> {
    /// A response of this status, 200–599. By default its body says what the status means.
    pub const fn new(status: u16) -> Self {
        Self { status, error: None, extra: &[], body: None, head_only: false }
    }

    /// Further headers, name and value. `Content-Type` takes the place of `text/plain; charset=utf-8`.
    pub const fn extra_headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { extra: headers, ..self }
    }

    /// The body.
    pub const fn body(self, body: &'a str) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Leaves out the body, but not its length: the answer to a HEAD.
    pub const fn head_only(self, head_only: bool) -> Self {
        Self { head_only, ..self }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Writes it at the start of `buffer`, and returns its length.
    ///
    /// # Errors
    /// [`BuildError::BufferTooSmall`], and then `buffer` holds nothing of use;
    /// [`InvalidStatus`](BuildError::InvalidStatus), [`InvalidHeader`](BuildError::InvalidHeader),
    /// [`ReservedHeader`](BuildError::ReservedHeader).
    pub fn write_to(&self, buffer: &mut [u8]) -> Result<usize, BuildError> {
        write::write_to(self, buffer)
    }

    /// Writes it to a new `Vec`.
    ///
    /// # Errors
    /// As [`write_to`](Self::write_to), but for the room.
    #[cfg(feature = "alloc")]
    pub fn to_vec(&self) -> Result<alloc::vec::Vec<u8>, BuildError> {
        write::to_vec(self)
    }

    fn write_body(&self, out: &mut dyn Write) -> fmt::Result {
        match (self.body, self.error) {
            (Some(body), _) => out.write_str(body),
            (None, Some(error)) => writeln!(out, "{error}"),
            (None, None) => writeln!(out, "{}", reason(self.status)),
        }
    }
}

impl From<HandshakeError> for PlainResponse<'_> {
    fn from(error: HandshakeError) -> Self {
        Self { error: Some(error), ..Self::new(error.status()) }
    }
}

impl Message for PlainResponse<'_> {
    fn validate(&self) -> Result<(), BuildError> {
        // 204, 205 and 304 have no body, and so no length either (RFC 9110 §8.6).
        if !matches!(self.status, 200..=599) || matches!(self.status, 204 | 205 | 304) {
            return Err(BuildError::InvalidStatus);
        }
        check_extra(self.extra, &["connection", "upgrade", "content-length", "transfer-encoding"])
    }

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status))?;
        out.write_str(match (self.error, self.status) {
            (Some(_), 426) => {
                "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
            }
            (Some(_), 405) => "Allow: GET\r\nConnection: close\r\n",
            _ => "Connection: close\r\n",
        })?;
        if !self.extra.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            out.write_str("Content-Type: text/plain; charset=utf-8\r\n")?;
        }
        write_extra(self.extra, out)?;
        let mut length = Length(0);
        self.write_body(&mut length)?;
        write!(out, "Content-Length: {}\r\n\r\n", length.0)?;
        if self.head_only { Ok(()) } else { self.write_body(out) }
    }
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// What a status means, in the words of RFC 9110, for those that a server of WebSockets has use for.
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
