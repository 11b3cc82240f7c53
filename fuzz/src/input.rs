//! Reads the meaning of an input from its front. After its end, zeros follow, so that every input means something, and a
//! shorter input something simpler.

/// The rest of an input.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| self.byte())
    }

    /// In network byte order.
    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes())
    }

    /// A length. Short lengths are as likely as long ones.
    pub(crate) fn length(&mut self) -> usize {
        let [length, doubled] = self.bytes();
        usize::from(length) << (doubled % 10)
    }

    /// This many bytes, or as many as are left.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A length, and as many bytes.
    pub(crate) fn block(&mut self) -> &'a [u8] {
        let len = self.byte();
        self.take(len.into())
    }

    /// A block as text, with invalid bytes replaced.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.block()).into_owned()
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// A number, and as many lengths of pieces.
    pub(crate) fn pieces(&mut self) -> Pieces<'a> {
        let count = self.byte() % 16;
        Pieces(self.take(count.into()))
    }
}

/// How bytes are cut: the lengths of the pieces, repeated until all bytes are used.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'a>(&'a [u8]);

impl Pieces<'_> {
    /// The positions of the cuts in this many bytes, in rising order. Pieces may be empty.
    pub(crate) fn cuts(self, len: usize) -> Vec<usize> {
        if self.0.iter().all(|&length| length == 0) {
            return Vec::new();
        }
        let mut end = 0;
        let ends = self.0.iter().cycle().map(|&length| {
            end += match length {
                0..128 => usize::from(length),
                _ => usize::from(length - 127) * 61,
            };
            end
        });
        ends.take_while(|&end| end < len).collect()
    }

    /// The pieces.
    pub(crate) fn of(self, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        let ends = self.cuts(bytes.len()).into_iter().chain([bytes.len()]);
        ends.map(move |end| &bytes[core::mem::replace(&mut from, end)..end])
    }
}

/// `bytes`, repeated up to this length.
pub(crate) fn repeated(bytes: &[u8], len: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(len).collect()
}
