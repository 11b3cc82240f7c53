//! UTF-8 in the stream (RFC 6455 §8.1): unmasked and validated in one pass, at whatever bytes the stream was cut.
//!
//! A text message must be UTF-8, and an endpoint that finds that it is not must fail the connection. It need not wait
//! for the end of the message to do so, and here it does not: validation fails at the **first byte that cannot stand
//! where it stands**, as soon as that byte is there.
//!
//! | the text | in hand | in chunks |
//! |---|---|---|
//! | masked, as a server receives it | [`validate_masked`] | [`Validator::feed_masked`] |
//! | plain, as a client receives it, or inflated | [`validate`] | [`Validator::feed`] |
//!
//! ```
//! use framewire::{mask::Key, utf8};
//!
//! let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
//! let mut payload = *b"\x7f\x9f\x4d\x51\x58"; // the masked "Hello" of RFC 6455 §5.7
//! assert_eq!(utf8::validate_masked(key, &mut payload), Ok("Hello"));
//! ```
//!
//! # Why one pass
//!
//! Unmasking and validating both cost little more than to load the bytes, and unmasking leaves them in registers.
//! There, text is tested for ASCII 16 to 64 bytes at a time, and what is not ASCII is classified before
//! it is stored. Text that is longer than a cache would otherwise be fetched twice, and a short one pay twice for
//! its ends.

#[cfg(feature = "bytes")]
mod text;

#[cfg(feature = "bytes")]
pub use text::Utf8Bytes;

use crate::mask::{self, Key};
use core::{error, fmt};
use dfa::State;

mod dfa;
pub(crate) mod kernel;
mod short;
mod vector;
mod word;

#[cfg(framewire_x86_vectors)]
mod avx2;
#[cfg(framewire_avx512)]
mod avx512;
#[cfg(not(framewire_portable))]
mod lookup;
#[cfg(framewire_neon)]
mod neon;
#[cfg(framewire_x86_vectors)]
mod ssse3;

/// Validates a whole text.
///
/// ```
/// use framewire::utf8;
///
/// assert_eq!(utf8::validate("κόσμε".as_bytes()), Ok("κόσμε"));
/// assert_eq!(utf8::validate(b"ok \xED\xA0\x80").unwrap_err().position(), 4); // ED A0 begins a surrogate
/// assert_eq!(utf8::validate(b"\xE2\x82").unwrap_err().position(), 2); // ends inside a character
/// ```
///
/// # Errors
///
/// The bytes are not UTF-8, or end inside a character.
#[inline]
pub fn validate(bytes: &[u8]) -> Result<&str, Utf8Error> {
    kernel::validate(bytes)
}

/// Unmasks a whole text in place and validates it, in one pass. The key is that of the first of these bytes.
///
/// All of the bytes are unmasked, also if there is an error.
///
/// ```
/// use framewire::{mask::{self, Key}, utf8};
///
/// let key = Key::new([1, 2, 3, 4]);
/// let mut payload = *b"na\xC3\xAFve";
/// mask::apply(key, &mut payload); // as the client does
///
/// assert_eq!(utf8::validate_masked(key, &mut payload), Ok("naïve"));
/// assert_eq!(&payload, b"na\xC3\xAFve");
/// ```
///
/// # Errors
///
/// The bytes, unmasked, are not UTF-8, or end inside a character.
#[inline]
pub fn validate_masked(key: Key, bytes: &mut [u8]) -> Result<&str, Utf8Error> {
    kernel::validate_masked(key, bytes)
}

/// Validates a text that comes in chunks, cut anywhere, also inside a character. One byte of state.
///
/// ```
/// use framewire::utf8::Validator;
///
/// let mut validator = Validator::new();
/// validator.feed(b"caf\xC3")?;
/// validator.feed(b"\xA9 \xF0\x9F")?;
/// assert!(validator.finish().is_err()); // the text may not end here …
/// validator.feed(b"\xA6\x80")?;
/// validator.finish()?; // … but here
///
/// let error = validator.feed(b"\xF4\x90").unwrap_err(); // whatever follows, that is beyond U+10FFFF
/// assert_eq!(error.position(), 1);
/// # Ok::<(), framewire::utf8::Utf8Error>(())
/// ```
///
/// Once it failed, it fails at the next byte again, and at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validator {
    state: State,
}

impl Validator {
    /// One that has failed.
    pub(crate) const FAILED: Self = Self { state: State::REJECT };

    /// A validator at the start of a text.
    #[inline]
    pub const fn new() -> Self {
        Self { state: State::ACCEPT }
    }

    /// Validates the next bytes.
    ///
    /// # Errors
    ///
    /// One of these bytes cannot stand where it stands. Where they end inside a character, that is none yet.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Utf8Error> {
        if self.state == State::ACCEPT && short::is_ascii(bytes) {
            return Ok(());
        }
        self.feed_by(kernel::scan, bytes)
    }

    /// Unmasks the next bytes in place and validates them, in one pass. The key is that of the first of these bytes:
    /// [`Key::advance`] makes it of the frame's key.
    ///
    /// All of the bytes are unmasked, also if there is an error.
    ///
    /// # Errors
    ///
    /// As for [`feed`](Self::feed).
    #[inline(always)] // a fragment is often short, and the call as much as the rest of the work
    pub fn feed_masked(&mut self, key: Key, bytes: &mut [u8]) -> Result<(), Utf8Error> {
        if self.state == State::ACCEPT && short::unmask_ascii(key, bytes) {
            return Ok(());
        }
        self.feed_masked_by(kernel::scan_masked, key, bytes)
    }

    /// Whether the text may end here.
    ///
    /// # Errors
    ///
    /// It would end inside a character, or it failed before. This call has no bytes: the position is 0.
    #[inline]
    pub fn finish(&self) -> Result<(), Utf8Error> {
        if self.state == State::ACCEPT { Ok(()) } else { Err(Utf8Error { position: 0 }) }
    }

    fn feed_by(&mut self, scan: impl FnOnce(&[u8]) -> State, bytes: &[u8]) -> Result<(), Utf8Error> {
        let mut start = 0;
        while self.state != State::ACCEPT {
            let Some(&byte) = bytes.get(start) else { return Ok(()) };
            self.state = self.state.step(byte);
            if self.state == State::REJECT {
                return Err(Utf8Error { position: start });
            }
            start += 1;
        }
        let rest = &bytes[start..];
        self.state = scan(rest);
        self.verdict(start, rest)
    }

    fn feed_masked_by(
        &mut self,
        scan: impl FnOnce(Key, &mut [u8]) -> State,
        key: Key,
        bytes: &mut [u8],
    ) -> Result<(), Utf8Error> {
        let mut start = 0;
        while self.state != State::ACCEPT {
            let Some(byte) = bytes.get_mut(start) else { return Ok(()) };
            *byte ^= key.to_bytes()[start % 4];
            self.state = self.state.step(*byte);
            if self.state == State::REJECT {
                mask::apply(key.advance(start + 1), &mut bytes[start + 1..]);
                return Err(Utf8Error { position: start });
            }
            start += 1;
        }
        let rest = &mut bytes[start..];
        self.state = scan(key.advance(start), rest);
        self.verdict(start, rest)
    }

    /// What to say of a chunk whose bytes from `start` on are `rest`, which was scanned as the start of a text.
    #[inline]
    fn verdict(&self, start: usize, rest: &[u8]) -> Result<(), Utf8Error> {
        if self.state == State::REJECT {
            return Err(Utf8Error { position: start + Utf8Error::locate(rest).position });
        }
        Ok(())
    }
}

/// The bytes are not UTF-8. Fails the connection with 1007 (RFC 6455 §8.1, §7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Utf8Error {
    position: usize,
}

impl Utf8Error {
    /// Index, in the bytes of the call that failed, of the first one that cannot stand where it stands; or their
    /// number, where they end inside a character.
    #[inline]
    pub const fn position(self) -> usize {
        self.position
    }

    /// Looks for what is wrong with these bytes, of a text that starts with them. Kernels only say that something is.
    #[cold]
    fn locate(bytes: &[u8]) -> Self {
        Self { position: State::ACCEPT.first_impossible(bytes).unwrap_or(bytes.len()) }
    }
}

impl fmt::Display for Utf8Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not UTF-8 at byte {}", self.position)
    }
}

impl error::Error for Utf8Error {}
