//! The key of a frame.

/// The four masking bytes of a frame, in the order of the wire.
///
/// Byte `i` of a payload is masked with byte `i % 4` of its key. The default is four zeros, which change nothing. A
/// client takes a new key for each frame from a strong source of randomness, such as the operating system's
/// (RFC 6455 §10.3).
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

    /// The key for the bytes that follow the first `by` bytes masked by `self`.
    ///
    /// ```
    /// use framewire::mask::Key;
    ///
    /// let key = Key::new([1, 2, 3, 4]);
    /// assert_eq!(key.advance(5), Key::new([2, 3, 4, 1]));
    /// ```
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // `by % 4` is below four
    pub const fn advance(self, by: usize) -> Self {
        let turn = 8 * (by % 4) as u32;
        Self(u32::from_le_bytes(self.0).rotate_right(turn).to_le_bytes())
    }

    /// The key that replaces `self` by `other` in one pass: bytes masked by `self` become the same bytes masked by
    /// `other`. A proxy that gives a frame a new key need not unmask it first.
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

    /// The key as a word whose bytes in memory have the order of the wire, on any machine.
    #[inline]
    pub(super) const fn to_word(self) -> u32 {
        u32::from_ne_bytes(self.0)
    }
}

impl From<[u8; 4]> for Key {
    #[inline]
    fn from(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }
}
