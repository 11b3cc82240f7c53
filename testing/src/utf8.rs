//! Two oracles for UTF-8: one that reads a byte at a time, and simdutf8.

/// The decoder of the WHATWG Encoding Standard, §8.1.1. It keeps bounds for the next byte, while the code under test
/// keeps a state, so they share nothing.
#[derive(Clone, Copy, Debug)]
pub struct Oracle {
    needed: u8,
    lower: u8,
    upper: u8,
}

impl Oracle {
    /// A decoder before the first byte.
    pub const START: Self = Self { needed: 0, lower: 0x80, upper: 0xBF };

    /// Takes the next byte. Returns whether it is possible here.
    pub fn take(&mut self, byte: u8) -> bool {
        if self.needed == 0 {
            *self = Self::START;
            match byte {
                0x00..=0x7F => {}
                0xC2..=0xDF => self.needed = 1,
                0xE0..=0xEF => {
                    self.needed = 2;
                    match byte {
                        0xE0 => self.lower = 0xA0,
                        0xED => self.upper = 0x9F,
                        _ => {}
                    }
                }
                0xF0..=0xF4 => {
                    self.needed = 3;
                    match byte {
                        0xF0 => self.lower = 0x90,
                        0xF4 => self.upper = 0x8F,
                        _ => {}
                    }
                }
                _ => return false,
            }
            return true;
        }
        let fits = (self.lower..=self.upper).contains(&byte);
        *self = Self { needed: self.needed - 1, ..Self::START };
        fits
    }

    /// Whether the text may end here.
    pub fn may_end(&self) -> bool {
        self.needed == 0
    }
}

/// The position of the first impossible byte, and whether the text may end after the last byte. The WHATWG decoder and
/// simdutf8 must agree.
///
/// # Panics
/// If they do not agree.
pub fn judge(bytes: &[u8]) -> (Option<usize>, bool) {
    let mut oracle = Oracle::START;
    let impossible = bytes.iter().position(|&byte| !oracle.take(byte));
    let verdict = (impossible, impossible.is_none() && oracle.may_end());
    assert_eq!(simdutf8(bytes), verdict, "the oracles agree: {bytes:02X?}");
    verdict
}

/// The same from simdutf8. Like `core`, it returns the start of the invalid character, and how many of its bytes are
/// valid.
fn simdutf8(bytes: &[u8]) -> (Option<usize>, bool) {
    // Miri refuses simdutf8: it prefetches, and computes an address that may be beyond the text.
    #[cfg(miri)]
    use core::str::from_utf8;
    #[cfg(not(miri))]
    use simdutf8::compat::from_utf8;

    let Err(error) = from_utf8(bytes) else { return (None, true) };
    let start = error.valid_up_to();
    match error.error_len() {
        None => (None, false), // it ends inside a character
        Some(right) if matches!(bytes[start], 0xC2..=0xF4) => (Some(start + right), false),
        Some(_) => (Some(start), false), // no character starts with this byte
    }
}
