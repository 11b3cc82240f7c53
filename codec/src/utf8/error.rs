//! The error of a text that is not UTF-8.

use super::dfa::State;
use core::{error, fmt};

/// The bytes are not UTF-8. Fails the connection with 1007 (RFC 6455 §8.1, §7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Utf8Error {
    position: usize,
}

impl Utf8Error {
    /// The index of the first byte that cannot follow those before it, counted from the first byte of the call that
    /// failed. If the bytes end inside a character, their number.
    #[inline]
    pub const fn position(self) -> usize {
        self.position
    }

    /// The error at this position.
    #[inline]
    pub(super) const fn at(position: usize) -> Self {
        Self { position }
    }

    /// Finds the error in these bytes, of a text that starts with them. A kernel only tells that there is one.
    #[cold]
    pub(super) fn locate(bytes: &[u8]) -> Self {
        Self::at(State::ACCEPT.first_impossible(bytes).unwrap_or(bytes.len()))
    }
}

impl fmt::Display for Utf8Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not UTF-8 at byte {}", self.position)
    }
}

impl error::Error for Utf8Error {}
