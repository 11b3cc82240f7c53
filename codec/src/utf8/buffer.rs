//! Text that is collected in pieces (feature `deflate`).

use super::{dispatch::validate, error::Utf8Error, validator::Validator};
use alloc::{string::String, vec::Vec};

/// A text that is collected in pieces. Each byte is validated once, as it is appended.
#[derive(Debug, Default)]
pub(crate) struct TextBuffer {
    bytes: Vec<u8>,
    /// The state of validation after `bytes`.
    text: Validator,
}

impl TextBuffer {
    /// Appends the next piece, which may end inside a character.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Utf8Error> {
        self.text.feed(piece)?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// The text, if it does not end inside a character.
    #[allow(unsafe_code)]
    pub(crate) fn finish(self) -> Result<String, Utf8Error> {
        self.text.finish()?;
        debug_assert!(validate(&self.bytes).is_ok());
        // SAFETY: the validator has accepted these bytes. `push` feeds it every piece that it appends, nothing else
        // changes either of the two, and after a refused byte the validator never accepts again. So if `finish` returns
        // no error, all bytes are UTF-8.
        Ok(unsafe { String::from_utf8_unchecked(self.bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::TextBuffer;

    #[test]
    fn only_whole_text_comes_out() {
        let text = "aé€\u{10348}z".as_bytes();
        for cut in 0..=text.len() {
            for end in cut..=text.len() {
                let mut buffer = TextBuffer::default();
                buffer.push(&text[..cut]).unwrap();
                buffer.push(&text[cut..end]).unwrap();
                assert_eq!(buffer.finish().ok().as_deref(), core::str::from_utf8(&text[..end]).ok());
            }
        }
    }

    #[test]
    fn refused_bytes_do_not_become_text() {
        for (start, end) in [(&b"a\xff"[..], &b"b"[..]), (b"\xc3", b"("), (b"\xe2\x82", b"\xe2\x82\xac")] {
            let mut buffer = TextBuffer::default();
            let refused = buffer.push(start).is_err() | buffer.push(end).is_err();
            assert!(refused);
            let _ = buffer.push(b"more");
            assert!(buffer.finish().is_err());
        }
    }
}
