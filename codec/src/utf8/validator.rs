//! Validation of a text that arrives in chunks.

use super::{dfa::State, dispatch, error::Utf8Error, short};
use crate::mask::{self, Key};

/// Validates a text that arrives in chunks, which may be cut anywhere, also inside a character. One byte of state.
///
/// ```
/// use framewire::utf8::Validator;
///
/// let mut validator = Validator::new();
/// validator.feed(b"caf\xC3")?;
/// validator.feed(b"\xA9 \xF0\x9F")?;
/// assert!(validator.finish().is_err()); // the text cannot end here …
/// validator.feed(b"\xA6\x80")?;
/// validator.finish()?; // … but here
///
/// let error = validator.feed(b"\xF4\x90").unwrap_err(); // beyond U+10FFFF, whatever follows
/// assert_eq!(error.position(), 1);
/// # Ok::<(), framewire::utf8::Utf8Error>(())
/// ```
///
/// After an error, every further byte is an error, and so is [`finish`](Self::finish).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validator {
    state: State,
}

impl Validator {
    /// A validator that has failed.
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
    /// One of these bytes cannot follow those before it. If they end inside a character, that is no error yet.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Utf8Error> {
        if self.state == State::ACCEPT && short::is_ascii(bytes) {
            return Ok(());
        }
        self.feed_by(dispatch::check, bytes)
    }

    /// Unmasks the next bytes in place and validates them, in one pass. The key is that of the first of these bytes:
    /// [`Key::advance`] derives it from the frame's key.
    ///
    /// All bytes are unmasked, even if there is an error.
    ///
    /// # Errors
    ///
    /// As for [`feed`](Self::feed).
    #[inline(always)] // a fragment is often short, and a call would cost as much as the rest
    pub fn feed_masked(&mut self, key: Key, bytes: &mut [u8]) -> Result<(), Utf8Error> {
        if self.state == State::ACCEPT && short::unmask_ascii(key, bytes) {
            return Ok(());
        }
        self.feed_masked_by(dispatch::unmask, key, bytes)
    }

    /// Checks that the text can end here.
    ///
    /// # Errors
    ///
    /// The text ends inside a character, or it failed before. This call has no bytes, so the position is 0.
    #[inline]
    pub fn finish(&self) -> Result<(), Utf8Error> {
        if self.state == State::ACCEPT { Ok(()) } else { Err(Utf8Error::at(0)) }
    }

    pub(crate) const fn to_byte(self) -> u8 {
        self.state.to_byte()
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match State::from_byte(byte) {
            Some(state) => Some(Self { state }),
            None => None,
        }
    }

    /// [`feed`](Self::feed) by a way to check the bytes after an open character.
    pub(crate) fn feed_by(
        &mut self,
        check: impl FnOnce(&[u8]) -> State,
        bytes: &[u8],
    ) -> Result<(), Utf8Error> {
        let mut start = 0;
        while self.state != State::ACCEPT {
            let Some(&byte) = bytes.get(start) else { return Ok(()) };
            self.state = self.state.step(byte);
            if self.state == State::REJECT {
                return Err(Utf8Error::at(start));
            }
            start += 1;
        }
        let rest = &bytes[start..];
        self.state = check(rest);
        self.verdict(start, rest)
    }

    /// [`feed_masked`](Self::feed_masked) by a way to unmask the bytes after an open character.
    pub(crate) fn feed_masked_by(
        &mut self,
        unmask: impl FnOnce(Key, &mut [u8]) -> State,
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
                return Err(Utf8Error::at(start));
            }
            start += 1;
        }
        let rest = &mut bytes[start..];
        self.state = unmask(key.advance(start), rest);
        self.verdict(start, rest)
    }

    /// The result for a chunk whose bytes from `start` on are `rest`; `state` is the one after them.
    #[inline]
    fn verdict(&self, start: usize, rest: &[u8]) -> Result<(), Utf8Error> {
        if self.state == State::REJECT {
            return Err(Utf8Error::at(start + Utf8Error::locate(rest).position()));
        }
        Ok(())
    }
}
