//! Every kernel, and the public functions above them, against an oracle that masks a byte at a time.

use framewire::internal::{MaskKernel, mask_kernels};
use framewire::mask::{self, Key};
use framewire_testing::{miri::thin, wire::masked};
use quickcheck::{Gen, QuickCheck, quickcheck};

const KEY: Key = Key::new([0x37, 0xfa, 0x21, 0x3d]);

/// Every test of every kernel covers all lengths up to this one: several blocks of the widest kernel.
const SMALL: usize = 600;

/// Lengths around a page, the start of a long loop, and the largest length of 16 bits.
const LARGE: [usize; 11] = [1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 8193, 16_384, 65_539];

/// Lengths on both sides of those at which a kernel changes its method.
const EDGES: [usize; 28] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 159, 160, 161, 192, 193,
    256, 257,
];

#[test]
fn apply_at_every_length_alignment_and_phase() {
    for masker in maskers() {
        let mut arena = Arena::new(SMALL);
        for phase in thin(3, 0..4) {
            let key = KEY.advance(phase);
            let (clear, masked) = sample(key, SMALL);
            for len in thin(150, 0..=SMALL) {
                for align in thin(63, 0..64) {
                    arena.check(align, &masked[..len], |bytes| {
                        bytes.copy_from_slice(&clear[..len]);
                        masker.apply(key, bytes);
                    });
                }
            }
        }
    }
}

#[test]
fn apply_at_large_lengths() {
    for masker in maskers() {
        for len in thin(11, LARGE) {
            let mut arena = Arena::new(len);
            for align in thin(21, (0..64).step_by(3)) {
                let key = KEY.advance(align);
                let (clear, masked) = sample(key, len);
                arena.check(align, &masked, |bytes| {
                    bytes.copy_from_slice(&clear);
                    masker.apply(key, bytes);
                });
            }
        }
    }
}

#[test]
fn apply_to_at_every_length_alignment_and_phase() {
    for masker in maskers() {
        let (mut source, mut arena) = (Arena::new(SMALL), Arena::new(SMALL));
        for phase in thin(3, 0..4) {
            let key = KEY.advance(phase);
            let (clear, masked) = sample(key, SMALL);
            for len in thin(150, 0..=SMALL) {
                for align in thin(63, 0..64) {
                    // 29 and 64 have no common factor, so over the lengths each alignment is combined with every other.
                    let from = source.place((align + 29 * len) % 64, &clear[..len]);
                    arena.check(align, &masked[..len], |to| {
                        assert_eq!(masker.apply_to(key, from, to), len);
                    });
                }
            }
        }
    }
}

#[test]
fn apply_to_at_every_pair_of_alignments() {
    for masker in maskers() {
        for len in thin(9, EDGES.into_iter().chain([SMALL])) {
            let (mut source, mut arena) = (Arena::new(len), Arena::new(len));
            let (clear, masked) = sample(KEY, len);
            for from_align in thin(63, 0..64) {
                let from = source.place(from_align, &clear);
                for align in thin(37, 0..64) {
                    arena.check(align, &masked, |to| {
                        masker.apply_to(KEY, from, to);
                    });
                }
            }
        }
    }
}

#[test]
fn apply_to_at_large_lengths() {
    for masker in maskers() {
        for len in thin(11, LARGE) {
            let (mut source, mut arena) = (Arena::new(len), Arena::new(len));
            for align in thin(7, (0..64).step_by(5)) {
                let key = KEY.advance(align);
                let (clear, masked) = sample(key, len);
                let from = source.place(63 - align, &clear);
                arena.check(align, &masked, |to| {
                    masker.apply_to(key, from, to);
                });
            }
        }
    }
}

#[test]
fn apply_to_stops_where_the_shorter_side_ends() {
    for masker in maskers() {
        for from_len in thin(5, EDGES) {
            for to_len in thin(5, EDGES) {
                let len = from_len.min(to_len);
                let (clear, masked) = sample(KEY, from_len);
                let mut to = vec![0xaa; to_len];
                assert_eq!(masker.apply_to(KEY, &clear, &mut to), len, "{}", masker.name());
                assert_eq!(to[..len], masked[..len], "{}", masker.name());
                assert!(to[len..].iter().all(|&byte| byte == 0xaa), "{}", masker.name());
            }
        }
    }
}

#[test]
fn any_split_gives_the_same() {
    const LEN: usize = 300;
    for masker in maskers() {
        let mut arena = Arena::new(LEN);
        let (clear, masked) = sample(KEY, LEN);
        for len in thin(97, 0..=LEN) {
            for split in thin(31, 0..=len) {
                arena.check(split % 64, &masked[..len], |bytes| {
                    bytes.copy_from_slice(&clear[..len]);
                    let (head, tail) = bytes.split_at_mut(split);
                    masker.apply(KEY, head);
                    masker.apply(KEY.advance(split), tail);
                });
            }
        }
    }
}

/// A read outside the slice does not change it. But if each slice is its own allocation, the sanitizers and valgrind
/// find such a read.
#[test]
fn slices_that_are_whole_allocations() {
    for masker in maskers() {
        for len in thin(121, (0..=SMALL).chain(LARGE)) {
            let (clear, masked) = sample(KEY, len);
            let from = clear.clone().into_boxed_slice();
            let mut to = vec![0; len].into_boxed_slice();
            masker.apply_to(KEY, &from, &mut to);
            assert_eq!(*to, *masked, "{} at {len}", masker.name());
            masker.apply(KEY, &mut to);
            assert_eq!(*to, *clear, "{} at {len}", masker.name());
        }
    }
}

#[test]
fn each_kernel_has_a_name_of_its_own() {
    let names: Vec<_> = mask_kernels().map(MaskKernel::name).collect();
    assert_eq!(names[0], "word", "the slowest runs anywhere");
    for (i, name) in names.iter().enumerate() {
        assert!(!names[..i].contains(name), "{name} twice");
    }
}

/// A kernel that the CPU cannot run would be undefined behaviour. std detects the same sets independently. `.ci/run
/// x86` runs this on emulated CPUs that lack some of them.
#[test]
#[cfg(framewire_x86_vectors)]
fn the_kernels_are_those_that_the_cpu_can_run() {
    use std::is_x86_feature_detected as has;
    let avx512 = has!("avx2") && has!("fma") && has!("avx512f") && has!("avx512bw") && has!("avx512vbmi2");
    for (name, available) in [("avx2", has!("avx2")), ("avx512", cfg!(framewire_avx512) && avx512)] {
        assert_eq!(mask_kernels().any(|kernel| kernel.name() == name), available, "{name}");
    }
}

#[test]
fn keys_are_in_the_order_of_the_wire() {
    let key = Key::new([1, 2, 3, 4]);
    assert_eq!(key.to_bytes(), [1, 2, 3, 4]);
    assert_eq!(Key::from([1, 2, 3, 4]), key);
    assert_eq!(Key::default(), Key::new([0; 4]));
    assert_eq!(key.advance(0), key);
    assert_eq!(key.advance(1), Key::new([2, 3, 4, 1]));
    assert_eq!(key.advance(2), Key::new([3, 4, 1, 2]));
    assert_eq!(key.advance(3), Key::new([4, 1, 2, 3]));
    assert_eq!(key.advance(4), key);
    assert_eq!(key.advance(usize::MAX), key.advance(3));
    assert_eq!(key.combine(Key::new([0x10, 0x20, 0x30, 0x40])), Key::new([0x11, 0x22, 0x33, 0x44]));
}

quickcheck! {
    fn advancing_adds_up(key: u32, a: usize, b: usize) -> bool {
        let key = key_of(key);
        key.advance(a).advance(b) == key.advance(a.wrapping_add(b)) && key.advance(a).advance(a.wrapping_neg()) == key
    }

    fn advancing_turns_the_bytes(key: u32, by: usize, i: usize) -> bool {
        let key = key_of(key);
        key.advance(by).to_bytes()[i % 4] == key.to_bytes()[i.wrapping_add(by) % 4]
    }

    fn combining_is_xor(a: u32, b: u32, by: usize) -> bool {
        let (a, b) = (key_of(a), key_of(b));
        a.combine(b) == b.combine(a)
            && a.combine(b).combine(b) == a
            && a.combine(a) == Key::default()
            && a.combine(b).advance(by) == a.advance(by).combine(b.advance(by))
    }
}

/// Payloads cut anywhere, at any alignment, are masked by one key, changed to another key, and unmasked by that.
#[test]
fn changing_keys_in_any_pieces_gives_the_payload_back() {
    fn holds(a: u32, b: u32, clear: Vec<u8>, align: usize, cuts: Vec<usize>) -> bool {
        let (a, b) = (key_of(a), key_of(b));
        maskers().all(|masker| {
            let mut arena = Arena::new(clear.len());
            let bytes = arena.place(align % 64, &clear);
            let mut in_pieces = |key: Key| {
                let (mut at, mut cuts) = (0, cuts.iter());
                while at < bytes.len() {
                    let rest = bytes.len() - at;
                    let piece = cuts.next().map_or(rest, |cut| cut % (rest + 1));
                    masker.apply(key.advance(at), &mut bytes[at..at + piece]);
                    at += piece;
                }
            };
            in_pieces(a);
            in_pieces(a.combine(b));
            masker.apply(b, bytes);
            *bytes == *clear
        })
    }
    QuickCheck::new().rng(Gen::new(2000)).quickcheck(holds as fn(_, _, _, _, _) -> _);
}

/// The functions under test: the public ones, and each kernel by itself.
#[derive(Clone, Copy)]
enum Masker {
    Public,
    Kernel(MaskKernel),
}

fn maskers() -> impl Iterator<Item = Masker> {
    [Masker::Public].into_iter().chain(mask_kernels().map(Masker::Kernel))
}

impl Masker {
    fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Kernel(kernel) => kernel.name(),
        }
    }

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

/// Bytes that do not repeat at any power of two, and the same bytes masked by the oracle.
fn sample(key: Key, len: usize) -> (Vec<u8>, Vec<u8>) {
    let clear: Vec<u8> = (0..=250).cycle().take(len).collect();
    let masked = masked(key.to_bytes(), &clear);
    (clear, masked)
}

fn key_of(word: u32) -> Key {
    Key::new(word.to_be_bytes())
}

/// Memory for slices at a chosen alignment, between guards that must not change.
struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    const GUARD: u8 = 0x5a;
    /// More than the widest kernel writes at once.
    const MARGIN: usize = 192;

    fn new(capacity: usize) -> Self {
        Self { bytes: vec![Self::GUARD; Self::MARGIN + 64 + capacity + Self::MARGIN] }
    }

    /// Lets `fill` write a slice that starts `align` bytes after a multiple of 64, compares it, and restores the guard.
    fn check(&mut self, align: usize, expected: &[u8], fill: impl FnOnce(&mut [u8])) {
        let start = self.start(align);
        let end = start + expected.len();
        fill(&mut self.bytes[start..end]);
        let guard = [Self::GUARD; Self::MARGIN];
        assert_eq!(self.bytes[start..end], *expected, "at alignment {align}");
        assert_eq!(self.bytes[start - Self::MARGIN..start], guard, "before {} at {align}", expected.len());
        assert_eq!(self.bytes[end..end + Self::MARGIN], guard, "behind {} at {align}", expected.len());
        self.bytes[start..end].fill(Self::GUARD);
    }

    /// A copy of `bytes` that starts `align` bytes after a multiple of 64.
    fn place(&mut self, align: usize, bytes: &[u8]) -> &mut [u8] {
        let start = self.start(align);
        let slice = &mut self.bytes[start..start + bytes.len()];
        slice.copy_from_slice(bytes);
        slice
    }

    fn start(&self, align: usize) -> usize {
        let margin = &self.bytes[Self::MARGIN..];
        Self::MARGIN + (align + 64 - margin.as_ptr().addr() % 64) % 64
    }
}
