//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), read in place:
//!
//! ```text
//! extension-list  = 1#extension                  elements between commas; empty ones are skipped (RFC 9110 §5.6.1)
//! extension       = token *( ";" extension-param )
//! extension-param = token [ "=" ( token / quoted-string ) ]
//! ```
//!
//! White space may surround every separator. A quoted string must be a token once its quotes and backslashes are
//! removed, so every name and value is a token.

use core::fmt;

use super::error::ExtensionError;

/// The extensions in one value of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), known to this crate or not, in order.
///
/// ```
/// use framewire::extension::{ExtensionError, parse};
///
/// let mut list = parse(r#"mux; max-channels="4"; flow-control, deflate-stream"#);
/// let mux = list.next().unwrap()?;
/// assert_eq!(mux.name(), "mux");
/// let mut params = mux.params();
/// assert!(params.next().unwrap().value.is_some_and(|v| v == *"4"));
/// assert_eq!(params.next().unwrap().name, "flow-control");
/// assert_eq!(list.next().unwrap()?.name(), "deflate-stream");
/// assert!(list.next().is_none());
/// # Ok::<(), ExtensionError>(())
/// ```
pub fn parse(value: &str) -> Extensions<'_> {
    Extensions { cursor: Cursor { rest: value } }
}

/// The iterator that [`parse`] returns. If the value is not in the grammar, the last item is
/// [`ExtensionError::Malformed`].
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, ExtensionError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.cursor.skip_space();
            if !self.cursor.eat(b',') {
                break;
            }
        }
        if self.cursor.rest.is_empty() {
            return None;
        }
        let extension = self.cursor.extension().ok_or(ExtensionError::Malformed);
        if extension.is_err() {
            self.cursor.rest = "";
        }
        Some(extension)
    }
}

impl core::iter::FusedIterator for Extensions<'_> {}

/// One extension with its parameters (RFC 6455 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extension<'a> {
    name: &'a str,
    params: &'a str,
}

impl<'a> Extension<'a> {
    /// The extension's name, as sent. Names are compared byte for byte.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The parameters, in order.
    #[must_use]
    pub fn params(&self) -> ExtensionParams<'a> {
        ExtensionParams { cursor: Cursor { rest: self.params } }
    }
}

/// The parameters of one [`Extension`].
#[derive(Clone, Debug)]
pub struct ExtensionParams<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for ExtensionParams<'a> {
    type Item = ExtensionParam<'a>;

    fn next(&mut self) -> Option<ExtensionParam<'a>> {
        // All of it was in the grammar when the extension was read, so `None` is the end.
        self.cursor.skip_space();
        if self.cursor.eat(b';') { self.cursor.param() } else { None }
    }
}

/// One parameter of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtensionParam<'a> {
    /// Its name, as sent.
    pub name: &'a str,
    /// Its value, if it has one.
    pub value: Option<Value<'a>>,
}

/// The value of a parameter: a token, quoted or not. Compare it with a `str` by `==`, or read its
/// [`bytes`](Self::bytes).
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// Without the quotes, but with the backslashes.
    raw: &'a str,
}

impl<'a> Value<'a> {
    /// The bytes of the token, without quotes and backslashes. All are ASCII.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        // A backslash is not a token character, so an escaped one was refused.
        self.raw.bytes().filter(|&byte| byte != b'\\')
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl Eq for Value<'_> {}

impl core::hash::Hash for Value<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.bytes().for_each(|byte| state.write_u8(byte));
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().try_for_each(|byte| fmt::Write::write_char(f, byte.into()))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Whether a token may have this byte (RFC 9110 §5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// The rest of a value that is being read. It begins and ends beside an ASCII byte, so never inside a character.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn extension(&mut self) -> Option<Extension<'a>> {
        let name = self.token()?;
        let params = self.rest;
        loop {
            self.skip_space();
            if self.eat(b';') {
                self.param()?;
            } else if self.rest.is_empty() || self.rest.starts_with(',') {
                let params = params.get(..params.len() - self.rest.len())?;
                return Some(Extension { name, params });
            } else {
                return None;
            }
        }
    }

    fn param(&mut self) -> Option<ExtensionParam<'a>> {
        self.skip_space();
        let name = self.token()?;
        self.skip_space();
        if !self.eat(b'=') {
            return Some(ExtensionParam { name, value: None });
        }
        self.skip_space();
        let raw = if self.eat(b'"') { self.quoted()? } else { self.token()? };
        Some(ExtensionParam { name, value: Some(Value { raw }) })
    }

    fn token(&mut self) -> Option<&'a str> {
        let len = self.rest.bytes().take_while(|&byte| is_token_byte(byte)).count();
        if len == 0 { None } else { self.take(len) }
    }

    /// The text up to the closing quote, and the quote.
    fn quoted(&mut self) -> Option<&'a str> {
        let mut len = 0;
        let mut bytes = self.rest.bytes();
        loop {
            len += match bytes.next()? {
                b'"' => break,
                b'\\' if is_token_byte(bytes.next()?) => 2,
                byte if is_token_byte(byte) => 1,
                _ => return None,
            };
        }
        if len == 0 {
            return None;
        }
        let raw = self.take(len)?;
        self.eat(b'"').then_some(raw)
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(char::from(byte));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, len: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}
