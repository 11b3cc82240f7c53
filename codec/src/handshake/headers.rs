//! The headers of a parsed head, and the lists in their values.

use core::fmt;

use super::error::HandshakeError;
use crate::extension::is_token_byte;

/// Memory for the headers of one head, at most `N`, usually on the stack: 32 bytes a header on a 64-bit machine. It
/// refers to names and values, and copies neither.
///
/// ```
/// use framewire::handshake::HeaderSlots;
///
/// let slots = HeaderSlots::new(); // 64
/// let few = HeaderSlots::<16>::with_slots(); // for a small stack
/// # let _: (HeaderSlots<'_>, HeaderSlots<'_, 16>) = (slots, few);
/// ```
pub struct HeaderSlots<'b, const N: usize = 64>(pub(super) [httparse::Header<'b>; N]);

impl HeaderSlots<'_> {
    /// Room for 64 headers, the default of [`HeadLimits::headers`](super::HeadLimits::headers).
    #[must_use]
    pub const fn new() -> Self {
        Self::with_slots()
    }
}

impl<'b, const N: usize> HeaderSlots<'b, N> {
    /// Room for `N` headers.
    #[must_use]
    pub const fn with_slots() -> Self {
        Self([httparse::EMPTY_HEADER; N])
    }

    /// Takes headers that an HTTP stack has parsed.
    pub(super) fn fill<'h>(
        &'h mut self,
        headers: impl IntoIterator<Item = (&'b str, &'b [u8])>,
    ) -> Result<Headers<'h, 'b>, HandshakeError> {
        let mut len = 0;
        for (name, value) in headers {
            let slot = self.0.get_mut(len).ok_or(HandshakeError::TooManyHeaders)?;
            *slot = httparse::Header { name, value: value.trim_ascii() };
            len += 1;
        }
        Ok(Headers(self.0.get(..len).unwrap_or_default()))
    }
}

impl Default for HeaderSlots<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for HeaderSlots<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderSlots<{N}>")
    }
}

/// One header of a parsed head (RFC 9110 §5): a name and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderField<'b> {
    /// The name as it was sent. Compare it without regard to case.
    pub name: &'b str,
    /// The value without the white space around it. It is usually text, but may have any bytes above 0x7f.
    pub value: &'b [u8],
}

/// The headers of a parsed head, in order.
#[derive(Clone, Copy)]
pub struct Headers<'h, 'b>(pub(super) &'h [httparse::Header<'b>]);

impl<'h, 'b> Headers<'h, 'b> {
    /// All headers.
    pub fn iter(&self) -> impl Iterator<Item = HeaderField<'b>> + Clone + use<'h, 'b> {
        self.0.iter().map(|header| HeaderField { name: header.name, value: header.value })
    }

    /// The value of the first header with this name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'b [u8]> {
        self.0.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The values of all headers with this name, in any case.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + Clone + use<'h, 'b, 'n> {
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The value of the header with this name, if there is exactly one.
    pub(super) fn once(&self, name: &str) -> Option<&'b [u8]> {
        let mut values = self.get_all(name);
        values.next().filter(|_| values.next().is_none())
    }
}

impl fmt::Debug for Headers<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0).finish()
    }
}

/// Whether one of these comma-separated lists has this element, in any case (RFC 9110 §5.6.1). It is how `Connection`
/// and `Upgrade` are read.
///
/// ```
/// use framewire::handshake::list_contains;
///
/// let connection: [&[u8]; 2] = [b"keep-alive", b", upgrade"];
/// assert!(list_contains(connection, "Upgrade"));
/// ```
pub fn list_contains<'a>(values: impl IntoIterator<Item = &'a [u8]>, element: &str) -> bool {
    values.into_iter().flat_map(list).any(|found| found.eq_ignore_ascii_case(element.as_bytes()))
}

/// The elements of a comma-separated list, without the empty ones.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether `text` is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `text` may be the value of a header: it has no control characters (RFC 9110 §5.5).
pub(super) fn is_value(text: &[u8]) -> bool {
    text.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}
