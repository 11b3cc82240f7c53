//! Deflate streams (RFC 1951), written bit by bit, so that any bit can be wrong.

/// A message as permessage-deflate sends it (RFC 7692 §7.2.1), while it is being written.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// How many bits of the last byte are used, 0 for all.
    used: u32,
}

impl Bits {
    /// One block with these bytes, not compressed.
    pub(super) fn stored(mut self, bytes: &[u8]) -> Self {
        let len = bytes.len() as u16;
        self = self.stored_header(len, !len);
        self.bytes.extend(bytes);
        self
    }

    /// The header of a stored block: §3.2.4 demands that the second number is the complement of the first.
    pub(super) fn stored_header(self, len: u16, complement: u16) -> Self {
        let mut aligned = self.put(0b000, 3).aligned();
        aligned.bytes.extend(len.to_le_bytes());
        aligned.bytes.extend(complement.to_le_bytes());
        aligned
    }

    /// The header of a block with the fixed codes of §3.2.6.
    pub(super) fn fixed(self, last: bool) -> Self {
        self.put(0b010 | u32::from(last), 3)
    }

    /// Bytes in a block with fixed codes.
    pub(super) fn literals(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |bits, &byte| match u32::from(byte) {
            byte @ 0..=143 => bits.code(0x30 + byte, 8),
            byte => bits.code(0x190 + byte - 144, 9),
        })
    }

    /// Repeats `len` bytes from `distance` bytes before, in a block with fixed codes. `len` is 3 to 10.
    pub(super) fn copy(self, len: u32, distance: u32) -> Self {
        let bits = self.code(len - 2, 7);
        let before = distance - 1;
        if before < 4 {
            return bits.code(before, 5);
        }
        let extra = before.ilog2() - 1;
        let code = 2 * (extra + 1) + (before >> extra & 1);
        bits.code(code, 5).put(before & ((1 << extra) - 1), extra)
    }

    /// The end of a block with fixed codes.
    pub(super) fn end(self) -> Self {
        self.code(0, 7)
    }

    /// The end of the message: an empty stored block, whose last four bytes are left out.
    pub(super) fn flush(self) -> Vec<u8> {
        self.put(0b000, 3).aligned().bytes
    }

    /// What was written, without an end.
    pub(super) fn cut(self) -> Vec<u8> {
        self.bytes
    }

    /// The rest of the last byte stays zero.
    pub(super) fn aligned(mut self) -> Self {
        self.used = 0;
        self
    }

    /// Writes a Huffman code: its most significant bit first.
    fn code(self, code: u32, len: u32) -> Self {
        self.put(code.reverse_bits() >> (32 - len), len)
    }

    /// Writes a number: its least significant bit first.
    pub(super) fn put(mut self, number: u32, len: u32) -> Self {
        for bit in 0..len {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((number >> bit & 1) as u8) << self.used;
            }
            self.used = (self.used + 1) % 8;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7692 §7.2.3.1, §7.2.3.2, §7.2.3.3, §7.2.3.4.
    #[test]
    fn examples_of_the_rfc() {
        let hello = Bits::default().fixed(false).literals(b"Hello").end().flush();
        assert_eq!(hello, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        let again = Bits::default().fixed(false).literals(b"H").copy(4, 5).end().flush();
        assert_eq!(again, b"\xf2\x00\x11\x00\x00");
        let stored = Bits::default().stored(b"Hello").flush();
        assert_eq!(stored, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00");
        let last = Bits::default().fixed(true).literals(b"Hello").end().aligned().flush();
        assert_eq!(last, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00");
    }
}
