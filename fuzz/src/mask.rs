//! Every masking kernel computes the XOR of RFC 6455 §5.3, whatever the length, the alignment, the key's phase and the
//! pieces.

use crate::input::{Input, Pieces, repeated};
use crate::room::Room;
use framewire::{
    internal::{MaskKernel, mask_kernels},
    mask::{self, Key},
};
use framewire_testing::wire::masked;

/// Two keys, two alignments, pieces, a length, and bytes to repeat until it is reached.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let (key, other): ([u8; 4], [u8; 4]) = (input.bytes(), input.bytes());
    let (align, align_to) = (input.byte(), input.byte());
    let (pieces, len) = (input.pieces(), input.length());
    let bytes = input.rest();
    let bytes = if len == 0 { bytes.to_vec() } else { repeated(bytes, len) };
    for masker in maskers() {
        agrees(masker, &bytes, key, align, align_to, pieces);
        masks_anew(masker, &bytes, key, other, align, pieces);
    }
}

fn agrees(masker: Masker, bytes: &[u8], key: [u8; 4], align: u8, align_to: u8, pieces: Pieces<'_>) {
    let expected = masked(key, bytes);
    let mut room = Room::new(align, bytes);
    masker.apply(Key::new(key), room.slice());
    assert_eq!(room.content(), expected);

    in_pieces(masker, Key::new(key), room.slice(), pieces);
    assert_eq!(room.content(), bytes, "in pieces, and back");

    // From one buffer to another, which is shorter or longer.
    let (less, more) = (bytes.len() - bytes.len() / 4, bytes.len() + 5);
    for len in [less, more] {
        let given = vec![0x55; len];
        let mut to = Room::new(align_to, &given);
        let both = len.min(bytes.len());
        assert_eq!(masker.apply_to(Key::new(key), room.slice(), to.slice()), both);
        assert_eq!(to.content()[..both], expected[..both]);
        assert_eq!(to.content()[both..], given[both..], "behind what was masked");
        assert_eq!(room.content(), bytes, "the source");
    }
}

/// Unmasks and masks with another key in one pass, as a proxy does.
fn masks_anew(masker: Masker, bytes: &[u8], key: [u8; 4], other: [u8; 4], align: u8, pieces: Pieces<'_>) {
    let mut room = Room::new(align, &masked(key, bytes));
    in_pieces(masker, Key::new(key).combine(Key::new(other)), room.slice(), pieces);
    assert_eq!(room.content(), masked(other, bytes));
}

fn in_pieces(masker: Masker, key: Key, bytes: &mut [u8], pieces: Pieces<'_>) {
    let mut from = 0;
    for end in pieces.cuts(bytes.len()).into_iter().chain([bytes.len()]) {
        masker.apply(key.advance(from), &mut bytes[from..end]);
        from = end;
    }
}

/// The public functions, and each kernel by itself.
#[derive(Clone, Copy)]
enum Masker {
    Public,
    Kernel(MaskKernel),
}

fn maskers() -> impl Iterator<Item = Masker> {
    [Masker::Public].into_iter().chain(mask_kernels().map(Masker::Kernel))
}

impl Masker {
    fn apply(self, key: Key, bytes: &mut [u8]) {
        match self {
            Self::Public => mask::apply(key, bytes),
            Self::Kernel(kernel) => kernel.apply(key, bytes),
        }
    }

    fn apply_to(self, key: Key, from: &[u8], to: &mut [u8]) -> usize {
        match self {
            Self::Public => mask::apply_to(key, from, to),
            Self::Kernel(kernel) => kernel.apply_to(key, from, to),
        }
    }
}
