//! Memory that shows accesses beyond its edges.

/// A slice at a chosen alignment, at the end of an allocation. Guard bytes show writes before it. AddressSanitizer finds
/// accesses behind it, and at alignment 0 also those before it.
pub(crate) struct Room {
    bytes: Box<[u8]>,
    start: usize,
}

impl Room {
    const GUARD: u8 = 0xA5;

    /// The slice starts `align` (modulo 64) bytes after the start of an allocation.
    pub(crate) fn new(align: u8, content: &[u8]) -> Self {
        let start = usize::from(align % 64);
        let mut bytes = vec![Self::GUARD; start + content.len()].into_boxed_slice();
        bytes[start..].copy_from_slice(content);
        Self { bytes, start }
    }

    pub(crate) fn slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// The current content of the slice.
    pub(crate) fn content(&self) -> &[u8] {
        assert!(self.bytes[..self.start].iter().all(|&byte| byte == Self::GUARD), "written before the slice");
        &self.bytes[self.start..]
    }
}
