//! Validation of UTF-8 (RFC 6455 §8.1), and unmasking in the same pass.
//!
//! A text message must be UTF-8, and an endpoint must fail the connection if it is not. This validation does not wait
//! for the end of the message. It fails at the **first byte that cannot follow those before it**, as soon as that byte
//! has arrived, however the network cuts the stream.
//!
//! | the text | whole | in chunks |
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
//! Unmasking and validating each cost little more than loading the bytes, and after unmasking the bytes are in
//! registers already. They are tested for ASCII there, 16 to 64 at a time; other text is classified before it is
//! stored. Two passes would load a long text from memory twice, and handle the ends of a short one twice.

// From the top down: `dispatch` chooses the fastest kernel that the CPU can run. `kernels` is the table of them, with a
// file for each. They share one method, generic over the operations of a `vector`: `walk` takes a text apart, `lookup`
// checks what is not ASCII, and `overlap` takes ASCII of up to 128 bytes. `kernel` is the contract between a kernel and
// its callers, and `dfa` defines UTF-8. ASCII of up to 32 bytes is validated without a kernel, in `short`.

#[cfg(feature = "deflate")]
mod buffer;
mod dfa;
mod dispatch;
mod error;
mod kernel;
mod kernels;
#[cfg(not(framewire_portable))]
mod lookup;
mod overlap;
mod short;
#[cfg(feature = "bytes")]
mod text;
mod validator;
mod vector;
#[cfg(not(framewire_portable))]
mod walk;

#[cfg(feature = "deflate")]
pub(crate) use buffer::TextBuffer;
pub use error::Utf8Error;
#[cfg(feature = "bytes")]
pub use text::Utf8Bytes;
pub use validator::Validator;
pub(crate) use {
    dispatch::{is_valid, is_valid_masked, to_str},
    kernel::Kernel,
    kernels::KERNELS,
};

use crate::mask::Key;

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
    dispatch::validate(bytes)
}

/// Unmasks a whole text in place and validates it, in one pass. The key is that of the first of these bytes.
///
/// All bytes are unmasked, even if there is an error.
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
/// The unmasked bytes are not UTF-8, or end inside a character.
#[inline]
pub fn validate_masked(key: Key, bytes: &mut [u8]) -> Result<&str, Utf8Error> {
    dispatch::validate_masked(key, bytes)
}
