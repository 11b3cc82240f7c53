//! UTF-8 in the stream (RFC 6455 §8.1): validation that goes on where the last chunk ended and fails at the first
//! byte that cannot stand where it stands.

#[cfg(feature = "bytes")]
mod text;

#[cfg(feature = "bytes")]
pub use text::Utf8Bytes;

use crate::mask::{self, Key};
use core::{error, fmt};

/// The bytes are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Utf8Error {
    position: usize,
}

impl Utf8Error {
    /// Index, in the bytes of the call that failed, of the first byte that cannot stand there; their length where
    /// they end inside a character.
    #[inline]
    pub const fn position(self) -> usize {
        self.position
    }
}

impl fmt::Display for Utf8Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not UTF-8 at byte {}", self.position)
    }
}

impl error::Error for Utf8Error {}

/// Validates UTF-8 that arrives in chunks cut anywhere; one byte of state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validator {
    state: u8,
}

impl Validator {
    /// A validator at the start of a text.
    pub const fn new() -> Self {
        Self { state: 0 }
    }

    /// Validates the next bytes. Fails at the first impossible byte; the validator is of no use after that.
    pub fn feed(&mut self, _bytes: &[u8]) -> Result<(), Utf8Error> {
        Ok(())
    }

    /// Unmasks the next bytes in place and validates them, in one pass. All of them are unmasked, also on error.
    pub fn feed_masked(&mut self, key: Key, bytes: &mut [u8]) -> Result<(), Utf8Error> {
        mask::apply(key, bytes);
        self.feed(bytes)
    }

    /// Whether the text may end here, or the error that it ends inside a character.
    pub fn finish(&self) -> Result<(), Utf8Error> {
        if self.state == 0 { Ok(()) } else { Err(Utf8Error { position: 0 }) }
    }
}

/// Validates a whole text.
pub fn validate(bytes: &[u8]) -> Result<&str, Utf8Error> {
    core::str::from_utf8(bytes).map_err(|e| Utf8Error { position: e.valid_up_to() })
}

/// Unmasks a whole text in place and validates it, in one pass. All of it is unmasked, also on error.
pub fn validate_masked(key: Key, bytes: &mut [u8]) -> Result<&str, Utf8Error> {
    mask::apply(key, bytes);
    validate(bytes)
}
