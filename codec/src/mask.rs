//! Masking (RFC 6455 §5.3): XOR of the payload with a repeated four-byte key.

/// The four masking bytes of a frame, in the order of the wire.
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

    /// The key for the bytes that follow `by` masked ones.
    #[inline]
    #[must_use]
    pub const fn advance(self, by: usize) -> Self {
        let turn = 8 * (by % 4) as u32;
        Self(u32::from_le_bytes(self.0).rotate_right(turn).to_le_bytes())
    }

    /// The key that takes what `self` masked to what `other` masks, in one pass.
    #[inline]
    #[must_use]
    pub const fn combine(self, other: Self) -> Self {
        Self((u32::from_ne_bytes(self.0) ^ u32::from_ne_bytes(other.0)).to_ne_bytes())
    }
}

impl From<[u8; 4]> for Key {
    #[inline]
    fn from(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }
}

/// Masks or unmasks `bytes` in place.
#[inline]
pub fn apply(key: Key, bytes: &mut [u8]) {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte ^= key.0[i % 4];
    }
}

/// Masks or unmasks as many bytes of `from` as `to` has room for, and returns how many that are.
#[inline]
pub fn apply_to(key: Key, from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    for (i, (to, from)) in to.iter_mut().zip(from).enumerate() {
        *to = from ^ key.0[i % 4];
    }
    len
}
