//! Writing a head into a buffer or a new `Vec`. The bytes written, and the [`HeaderValue`]s for a host with an HTTP
//! stack, come from one place, so they cannot differ.

use core::fmt::{self, Write};

use super::error::BuildError;
use super::headers::{is_token, is_value};
use super::key::{AcceptKey, ClientKey};
use crate::extension::{DeflateOffer, DeflateResponse};

/// The value of a header that this crate writes. Its `Display` writes the value, without allocating;
/// [`as_str`](Self::as_str) returns it if it is one string.
///
/// [`UpgradeResponse::headers`](super::UpgradeResponse::headers) and its siblings return it beside each name.
#[derive(Clone, Copy, Debug)]
pub struct HeaderValue<'a>(pub(super) Value<'a>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Text(&'a str),
    List(&'a [&'a str]),
    Number(usize),
    Key(ClientKey),
    Accept(AcceptKey),
    Offers(&'a [DeflateOffer]),
    Deflate(DeflateResponse),
}

impl HeaderValue<'_> {
    /// The value, if it is one string in memory: it then needs no formatting. `None`: it is a number, a list of several
    /// elements or a list of extensions, which only `Display` writes.
    ///
    /// ```
    /// use framewire::handshake::{UpgradeResponse, accept_key};
    ///
    /// let response = UpgradeResponse::new(accept_key("dGhlIHNhbXBsZSBub25jZQ=="));
    /// let values = response.headers()?.map(|(_, value)| value.as_str().map(str::len));
    /// assert!(values.eq([Some("websocket".len()), Some("Upgrade".len()), Some(28)]));
    /// # Ok::<(), framewire::handshake::BuildError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Value::Text(text) | Value::List([text]) => Some(text),
            Value::Key(key) => Some(key),
            Value::Accept(key) => Some(key),
            Value::List(_) | Value::Number(_) | Value::Offers(_) | Value::Deflate(_) => None,
        }
    }
}

impl fmt::Display for HeaderValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Text(text) => f.write_str(text),
            Value::List(elements) => write_list(f, elements),
            Value::Number(number) => write!(f, "{number}"),
            Value::Key(key) => f.write_str(&key),
            Value::Accept(key) => f.write_str(&key),
            Value::Offers(offers) => write_list(f, offers),
            Value::Deflate(response) => write!(f, "{response}"),
        }
    }
}

/// Headers that the caller adds, each a name and a value.
pub(super) type Extra<'a> = &'a [(&'a str, &'a str)];

/// A request or a response that can be written.
pub(super) trait OutgoingMessage<'a>: Copy {
    /// Whether all that the caller put in may be sent.
    fn validate(&self) -> Result<(), BuildError>;

    /// Writes the request line or the status line, without its CR LF.
    fn write_start(&self, out: &mut dyn Write) -> fmt::Result;

    /// The headers in the order in which they are written.
    fn headers(self) -> impl Iterator<Item = (&'a str, HeaderValue<'a>)>;

    /// Writes the body, which follows the head.
    fn write_body(&self, _out: &mut dyn Write) -> fmt::Result {
        Ok(())
    }
}

/// The headers of `message`, once they are known to be valid.
pub(super) fn headers<'a>(
    message: impl OutgoingMessage<'a>,
) -> Result<impl Iterator<Item = (&'a str, HeaderValue<'a>)>, BuildError> {
    message.validate()?;
    Ok(message.headers())
}

/// Writes `message` at the start of `buffer`, and returns its length.
pub(super) fn write_to<'a>(
    message: impl OutgoingMessage<'a>,
    buffer: &mut [u8],
) -> Result<usize, BuildError> {
    let mut out = Bounded { buffer, needed: 0 };
    write(message, &mut out)?;
    let Bounded { buffer, needed } = out;
    if needed > buffer.len() { Err(BuildError::BufferTooSmall { needed }) } else { Ok(needed) }
}

/// Writes `message` to a new `Vec`.
#[cfg(feature = "alloc")]
pub(super) fn to_vec<'a>(message: impl OutgoingMessage<'a>) -> Result<alloc::vec::Vec<u8>, BuildError> {
    let mut out = alloc::string::String::with_capacity(256);
    write(message, &mut out)?;
    Ok(out.into_bytes())
}

fn write<'a>(message: impl OutgoingMessage<'a>, out: &mut dyn Write) -> Result<(), BuildError> {
    let headers = headers(message)?;
    let write = || -> fmt::Result {
        message.write_start(out)?;
        out.write_str("\r\n")?;
        for (name, value) in headers {
            write!(out, "{name}: {value}\r\n")?;
        }
        out.write_str("\r\n")?;
        message.write_body(out)
    };
    let written = write();
    debug_assert!(written.is_ok(), "both outputs take everything");
    Ok(())
}

/// Refuses extra headers that are invalid or `reserved`: a reserved name ends with `*` if it is the start of several.
pub(super) fn check_extra(extra: Extra<'_>, reserved: &[&str]) -> Result<(), BuildError> {
    for (name, value) in extra {
        if !is_token(name.as_bytes()) || !is_value(value.as_bytes()) {
            return Err(BuildError::InvalidHeader);
        }
        let is_reserved = |reserved: &&str| match reserved.strip_suffix('*') {
            Some(start) => name.get(..start.len()).is_some_and(|name| name.eq_ignore_ascii_case(start)),
            None => name.eq_ignore_ascii_case(reserved),
        };
        if reserved.iter().any(is_reserved) {
            return Err(BuildError::ReservedHeader);
        }
    }
    Ok(())
}

/// The headers of this crate in `own`, then those of the caller.
pub(super) fn with_extra<'a, const N: usize>(
    own: [Option<(&'a str, Value<'a>)>; N],
    extra: Extra<'a>,
) -> impl Iterator<Item = (&'a str, HeaderValue<'a>)> {
    let extra = extra.iter().map(|&(name, value)| (name, Value::Text(value)));
    own.into_iter().flatten().chain(extra).map(|(name, value)| (name, HeaderValue(value)))
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, list: &[T]) -> fmt::Result {
    for (at, element) in list.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        write!(f, "{element}")?;
    }
    Ok(())
}

/// Writes as much as fits, and counts all of it.
struct Bounded<'a> {
    buffer: &'a mut [u8],
    needed: usize,
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.needed + text.len();
        if let Some(room) = self.buffer.get_mut(self.needed..end) {
            room.copy_from_slice(text.as_bytes());
        }
        self.needed = end;
        Ok(())
    }
}
