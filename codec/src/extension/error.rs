//! The error of reading a list of extensions, and of checking a response.

use core::{error, fmt};

/// The error in a value of `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The value is not in the grammar of RFC 6455 §9.1.
    Malformed,
    /// A parameter is unknown, repeated, out of range, or does not fit the offer (RFC 7692 §7.1).
    InvalidParameter,
    /// The extension was not offered, or is named twice (RFC 6455 §4.1).
    Unexpected,
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the list of extensions is malformed",
            Self::InvalidParameter => "a parameter of an extension is invalid",
            Self::Unexpected => "an extension was not offered",
        })
    }
}

impl error::Error for ExtensionError {}
