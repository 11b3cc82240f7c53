//! Constants of the compressed format.

/// The bytes that a sender removes from the end of a message and the receiver adds: an empty stored block without its
/// header (RFC 7692 §7.2.1, §7.2.2).
pub(super) const TAIL: &[u8] = &[0x00, 0x00, 0xff, 0xff];

/// The window sizes with which zlib can compress.
pub(crate) const MIN_BITS: u8 = 9;
pub(super) const MAX_BITS: u8 = 15;
