//! Memory at whose edges somebody watches.

/// A slice at a chosen alignment, at the end of an allocation: what is written before it shows here, what is read or
/// written behind it, or before it at alignment 0, AddressSanitizer sees.
pub(crate) struct Room {
    bytes: Box<[u8]>,
    start: usize,
}

impl Room {
    const GUARD: u8 = 0xA5;

    /// The slice lies `align` bytes, of 64, behind what the allocator gave.
    pub(crate) fn new(align: u8, content: &[u8]) -> Self {
        let start = usize::from(align % 64);
        let mut bytes = vec![Self::GUARD; start + content.len()].into_boxed_slice();
        bytes[start..].copy_from_slice(content);
        Self { bytes, start }
    }

    pub(crate) fn slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// What the slice holds now.
    pub(crate) fn content(&self) -> &[u8] {
        assert!(self.bytes[..self.start].iter().all(|&byte| byte == Self::GUARD), "written before the slice");
        &self.bytes[self.start..]
    }
}
