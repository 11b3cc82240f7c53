//! Short ASCII, which is what most messages are: up to [`INLINE`] bytes inline and without dispatch, up to [`MAX`] in the
//! same way by the vector kernels, in theirs.
//!
//! Lengths that differ from message to message make a CPU guess wrong where a loop ends, and a wrong guess costs more
//! than all the rest. So there is no loop, and only a few classes of length: within one, a fixed number of words are
//! taken from the front and as many from the back, whatever the length.
//!
//! ```text
//!    0         16        32                   len
//!    ├── f0 ───┼── f1 ───┤                     │        all are loaded before any is stored, so that a byte in two
//!    │                 ├┼── b1 ───┼── b0 ─────┤        of them is masked in both, and both store the same
//!
//!    0    len of 20                                     what would reach too far is f0, or b0, once more
//!    ├── f0 ───┤  │
//!    ├── f1 ───┤  │
//!    │  ├── b0 ───┤
//!    │  ├── b1 ───┤
//! ```
#![allow(unsafe_code)]

use super::vector::Plain;
use crate::mask::Key;

/// What is inlined into callers: one vector that every CPU of the target has, from either end.
pub(super) const INLINE: usize = 2 * Baseline::LEN;

/// What a kernel takes without a loop or a branch, whatever the length.
pub(super) const MAX: usize = 128;

/// If the bytes are no more than [`INLINE`], and ASCII once unmasked, unmasks them. If not, leaves them as they are.
#[inline]
pub(super) fn unmask_ascii(key: Key, bytes: &mut [u8]) -> bool {
    let len = bytes.len();
    // SAFETY: the bytes are a slice's, to read and to write.
    len <= INLINE && unsafe { inline::<true>(key, bytes.as_mut_ptr(), len) }
}

/// Whether the bytes are no more than [`INLINE`], and ASCII.
#[inline]
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    let len = bytes.len();
    // SAFETY: the bytes are a slice's; what is not masked is not written.
    len <= INLINE && unsafe { inline::<false>(Key::default(), bytes.as_ptr().cast_mut(), len) }
}

/// Whether the bytes are ASCII once unmasked, if they are `MASKED`; if so, unmasks them. `N` vectors from either end are
/// [`MAX`] bytes.
///
/// # Safety
///
/// The CPU has the instructions of `W`, which is no more than [`INLINE`] bytes. `len` bytes, more than [`INLINE`] and at
/// most [`MAX`], are readable, and if `MASKED` writable, at `at`.
#[inline(always)]
#[allow(dead_code)] // where there are only words
pub(super) unsafe fn by_vectors<W: Plain, const N: usize, const MASKED: bool>(
    key: Key,
    at: *mut u8,
    len: usize,
) -> bool {
    const { assert!(2 * N * W::LEN == MAX && W::LEN <= INLINE) };
    // SAFETY: the caller says so.
    unsafe { starts_as_ascii::<W, MASKED>(key, at) && both_ends::<W, N, MASKED>(key, at, len) }
}

/// Sixteen bytes, in what every CPU has that this is compiled for.
#[cfg(framewire_x86_vectors)]
type Baseline = super::ssse3::Sse;
#[cfg(framewire_neon)]
type Baseline = super::neon::Neon;
#[cfg(framewire_portable)]
type Baseline = [u64; 2];

/// Whether the bytes are ASCII once unmasked, if they are `MASKED`; if so, unmasks them.
///
/// # Safety
///
/// `len` bytes, at most [`INLINE`], are readable, and if `MASKED` writable, at `at`.
#[inline(always)]
unsafe fn inline<const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> bool {
    // SAFETY: the caller says that the bytes are there. Each class has the length that its words ask for.
    unsafe {
        if len >= 16 {
            both_ends::<Baseline, 1, MASKED>(key, at, len)
        } else if len >= 4 {
            both_ends::<u32, 2, MASKED>(key, at, len)
        } else {
            up_to_three::<MASKED>(key, at, len)
        }
    }
}

/// Whether the first word is ASCII. Mostly, what is not shows there, before the others are loaded.
///
/// # Safety
///
/// As for [`inline`] about memory; and there are `W::LEN` bytes or more, and the CPU has the instructions of `W`.
#[inline(always)]
unsafe fn starts_as_ascii<W: Plain, const MASKED: bool>(key: Key, at: *const u8) -> bool {
    // SAFETY: the caller says that there is a word.
    unsafe {
        let word = W::load(at);
        (if MASKED { word.xor(W::repeat(key.to_bytes())) } else { word }).is_ascii()
    }
}

/// `N` words from the front, `N` from the back.
///
/// # Safety
///
/// As for [`inline`] about memory; and `len` is from `W::LEN` to `2 * N * W::LEN`, and the CPU has the instructions of `W`.
#[inline(always)]
unsafe fn both_ends<W: Plain, const N: usize, const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> bool {
    // SAFETY: the caller says that `len` bytes are there, and that a word is no more than that. The words `by` bytes
    // from either end are within them, as `by` is zero where they would not be.
    unsafe {
        let (front_key, back_key) = (W::repeat(key.to_bytes()), W::repeat(key.advance(len).to_bytes()));
        let last = at.add(len - W::LEN);
        let (mut front, mut back, mut by) = ([front_key; N], [back_key; N], [0; N]);
        for i in 0..N {
            by[i] = if len >= (i + 1) * W::LEN { i * W::LEN } else { 0 };
            front[i] = W::load(at.add(by[i]));
            back[i] = W::load(last.sub(by[i]));
            if MASKED {
                front[i] = front[i].xor(front_key);
                back[i] = back[i].xor(back_key);
            }
        }
        let mut all = front[0].or(back[0]);
        for i in 1..N {
            all = all.or(front[i]).or(back[i]);
        }
        let ascii = all.is_ascii();
        if MASKED && ascii {
            for i in 0..N {
                front[i].store(at.add(by[i]));
                back[i].store(last.sub(by[i]));
            }
        }
        ascii
    }
}

/// The first byte, the middle one and the last, which may be the same.
///
/// # Safety
///
/// As for [`inline`] about memory; and `len` is at most 3.
#[inline(always)]
unsafe fn up_to_three<const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> bool {
    if len == 0 {
        return true;
    }
    // SAFETY: the caller says that `len` bytes are there, of which these are the first, one before the end, the last.
    unsafe {
        let (first, middle, last) = (at, at.add(len / 2), at.add(len - 1));
        let (mut a, mut b, mut c) = (first.read(), middle.read(), last.read());
        if MASKED {
            let key = key.to_bytes();
            a ^= key[0];
            b ^= key[len / 2];
            c ^= key[len - 1];
        }
        let ascii = (a | b | c) < 0x80;
        if MASKED && ascii {
            first.write(a);
            middle.write(b);
            last.write(c);
        }
        ascii
    }
}
