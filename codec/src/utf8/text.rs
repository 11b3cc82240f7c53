//! Owned text (feature `bytes`).

use super::{dispatch::validate, error::Utf8Error};
use bytes::Bytes;
use core::{fmt, ops, str};

/// [`Bytes`] that are UTF-8: an owned `str` whose clones and slices share memory.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Utf8Bytes(Bytes);

impl Utf8Bytes {
    /// Text from bytes that were validated before.
    ///
    /// # Safety
    ///
    /// The bytes are UTF-8.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn new_unchecked(bytes: Bytes) -> Self {
        debug_assert!(validate(&bytes).is_ok());
        Self(bytes)
    }

    /// The text.
    #[inline]
    #[allow(unsafe_code)]
    pub fn as_str(&self) -> &str {
        // SAFETY: the bytes are UTF-8. Each constructor validates them or has its caller's promise, and a `Bytes` never
        // changes.
        unsafe { str::from_utf8_unchecked(&self.0) }
    }

    /// The bytes, in the same memory.
    #[inline]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl ops::Deref for Utf8Bytes {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl TryFrom<Bytes> for Utf8Bytes {
    type Error = Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        validate(&bytes)?;
        Ok(Self(bytes))
    }
}

impl From<&'static str> for Utf8Bytes {
    fn from(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl From<alloc::string::String> for Utf8Bytes {
    fn from(text: alloc::string::String) -> Self {
        Self(text.into())
    }
}

impl From<Utf8Bytes> for Bytes {
    fn from(text: Utf8Bytes) -> Self {
        text.0
    }
}

impl AsRef<str> for Utf8Bytes {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
