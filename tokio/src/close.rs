//! How a connection was closed.

use framewire::{CloseCode, owned::Utf8Bytes};
use std::fmt;

/// The close that a peer has sent (RFC 6455 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Its code; [`CloseCode::NO_STATUS`] if it had none.
    pub code: CloseCode,
    /// Its reason, which may be empty.
    pub reason: Utf8Bytes,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer closed with {}", self.code.get())?;
        if self.reason.as_str().is_empty() { Ok(()) } else { write!(f, ": {}", self.reason.as_str()) }
    }
}
