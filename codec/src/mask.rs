//! Masking (RFC 6455 §5.3): the XOR of a client's payload with a repeated four-byte key.
//!
//! XOR undoes itself, so the same functions mask and unmask. [`apply`] works in place, [`apply_to`] on the way from
//! one buffer to another. A payload that comes in pieces is masked piece by piece: [`Key::advance`] gives the key for
//! the next one, wherever the last one ended.
//!
//! ```
//! use framewire::mask::{self, Key};
//!
//! let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
//! let mut payload = *b"\x7f\x9f\x4d\x51\x58"; // the example of RFC 6455 §5.7
//! let (head, tail) = payload.split_at_mut(3);
//! mask::apply(key, head);
//! mask::apply(key.advance(head.len()), tail);
//! assert_eq!(&payload, b"Hello");
//! ```
//!
//! # How it is done
//!
//! Every function here ends in one of the kernels of one table, in `mask/kernel.rs`, which also chooses among them;
//! the method that they share, with no byte loop before or after the vectors, is in `mask/overlap.rs`.

#[cfg(framewire_x86_vectors)]
mod avx2;
#[cfg(framewire_avx512)]
mod avx512;
pub(crate) mod kernel;
#[cfg(framewire_neon)]
mod neon;
mod overlap;
#[cfg(framewire_x86_vectors)]
mod sse2;
mod word;

/// The four masking bytes of a frame, in the order of the wire.
///
/// Byte `i` of a payload is masked with byte `i % 4` of its key. The default is four zeros, which change nothing. A
/// client draws a new one for each frame, from the operating system's generator or one like it (RFC 6455 §10.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key([u8; 4]);

impl Key {
    /// The key with these bytes, in the order of the wire.
    #[inline]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order of the wire.
    #[inline]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// The key for what follows after `by` bytes that `self` masks.
    ///
    /// ```
    /// use framewire::mask::Key;
    ///
    /// let key = Key::new([1, 2, 3, 4]);
    /// assert_eq!(key.advance(5), Key::new([2, 3, 4, 1]));
    /// ```
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // the number is below four
    pub const fn advance(self, by: usize) -> Self {
        let turn = 8 * (by % 4) as u32;
        Self(u32::from_le_bytes(self.0).rotate_right(turn).to_le_bytes())
    }

    /// The key that takes what `self` masked to what `other` masks, in one pass: a proxy that gives a frame a new key
    /// need not unmask it first.
    ///
    /// ```
    /// use framewire::mask::{self, Key};
    ///
    /// let (theirs, ours) = (Key::new([1, 2, 3, 4]), Key::new([5, 6, 7, 8]));
    /// let mut payload = *b"Hello";
    /// mask::apply(theirs, &mut payload);
    /// mask::apply(theirs.combine(ours), &mut payload);
    /// mask::apply(ours, &mut payload);
    /// assert_eq!(&payload, b"Hello");
    /// ```
    #[inline]
    #[must_use]
    pub const fn combine(self, other: Self) -> Self {
        Self((u32::from_ne_bytes(self.0) ^ u32::from_ne_bytes(other.0)).to_ne_bytes())
    }

    /// The key as a word that lies in memory as it does on the wire, whatever the byte order of the machine.
    #[inline]
    const fn to_word(self) -> u32 {
        u32::from_ne_bytes(self.0)
    }
}

impl From<[u8; 4]> for Key {
    #[inline]
    fn from(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }
}

/// Masks or unmasks `bytes` in place (RFC 6455 §5.3). Never panics.
///
/// ```
/// use framewire::mask::{self, Key};
///
/// let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
/// let mut payload = *b"Hello";
/// mask::apply(key, &mut payload);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// mask::apply(key, &mut payload);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline]
pub fn apply(key: Key, bytes: &mut [u8]) {
    kernel::apply(key, bytes);
}

/// Masks or unmasks (RFC 6455 §5.3) as many bytes of `from` as `to` has room for, and returns how many that are: the
/// smaller of the two lengths. The rest of `to` stays as it is. Never panics.
///
/// One pass over memory where a copy and then [`apply`] take two.
///
/// ```
/// use framewire::mask::{self, Key};
///
/// let mut frame = [0; 16];
/// let len = mask::apply_to(Key::new([0x37, 0xfa, 0x21, 0x3d]), b"Hello", &mut frame);
/// assert_eq!(frame[..len], [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline]
pub fn apply_to(key: Key, from: &[u8], to: &mut [u8]) -> usize {
    kernel::apply_to(key, from, to)
}
