//! ASCII of a few vectors, without a loop, from both ends of the bytes.
//!
//! If lengths differ from message to message, a CPU mispredicts the end of a loop, and a misprediction costs more
//! than all the rest. So there is no loop, and there are only a few classes of length. Within a class, a fixed number
//! of vectors is taken from the start and as many from the end, whatever the length.
//!
//! ```text
//!    0         16        32                   len
//!    ├── f0 ───┼── f1 ───┤                     │        all are loaded before any is stored: a byte in two of
//!    │                 ├┼── b1 ───┼── b0 ─────┤        them is unmasked in both, and both store the same
//!
//!    0    len of 20                                     a vector that would reach too far is f0, or b0, again
//!    ├── f0 ───┤  │
//!    ├── f1 ───┤  │
//!    │  ├── b0 ───┤
//!    │  ├── b1 ───┤
//! ```
#![allow(unsafe_code)]

use super::vector::Vector;
use crate::mask::Key;

/// Up to this many bytes of ASCII are inlined into callers (`short.rs`).
pub(super) const INLINE: usize = 32;

/// Up to this many bytes of ASCII, a kernel takes without a loop.
#[cfg(not(framewire_portable))]
pub(super) const MAX: usize = 128;

/// Whether the bytes are ASCII, after unmasking if they are `MASKED`. If so, unmasks them.
///
/// `N` vectors from either end are [`MAX`] bytes.
///
/// # Safety
///
/// The CPU has the instructions of `V`. `at` is valid for reads of `len` bytes, and for writes if they are `MASKED`.
/// There are more than [`INLINE`], and at most [`MAX`].
#[cfg(not(framewire_portable))]
#[inline(always)]
pub(super) unsafe fn by_vectors<V: Vector, const N: usize, const MASKED: bool>(
    key: Key,
    at: *mut u8,
    len: usize,
) -> bool {
    const { assert!(2 * N * V::LEN == MAX && V::LEN <= INLINE) };
    // SAFETY: the caller promises the memory and the CPU; there are more bytes than one vector has.
    unsafe { starts_as_ascii::<V, MASKED>(key, at) && both_ends::<V, N, MASKED>(key, at, len) }
}

/// Whether the first vector is ASCII. Most text that is not ASCII shows it there, before the other vectors are loaded.
///
/// # Safety
///
/// The CPU has the instructions of `V`. `at` is valid for reads of `V::LEN` bytes.
#[cfg(not(framewire_portable))]
#[inline(always)]
unsafe fn starts_as_ascii<V: Vector, const MASKED: bool>(key: Key, at: *const u8) -> bool {
    // SAFETY: the caller promises the memory and the CPU.
    unsafe {
        let vector = V::load(at);
        (if MASKED { vector.xor(V::repeat(key.to_bytes())) } else { vector }).is_ascii()
    }
}

/// Whether the bytes are ASCII, after unmasking if they are `MASKED`. If so, unmasks them. Takes `N` vectors from the
/// start and `N` from the end.
///
/// # Safety
///
/// The CPU has the instructions of `V`. `at` is valid for reads of `len` bytes, and for writes if they are `MASKED`.
/// There are at least `V::LEN`, and at most `2 * N * V::LEN`.
#[inline(always)]
pub(super) unsafe fn both_ends<V: Vector, const N: usize, const MASKED: bool>(
    key: Key,
    at: *mut u8,
    len: usize,
) -> bool {
    // SAFETY: the caller promises the CPU, and `len` bytes, which are a vector or more. The vectors `by` bytes from
    // either end are within them: `by` is zero if they would not be.
    unsafe {
        let (front_key, back_key) = (V::repeat(key.to_bytes()), V::repeat(key.advance(len).to_bytes()));
        let last = at.add(len - V::LEN);
        let (mut front, mut back, mut by) = ([front_key; N], [back_key; N], [0; N]);
        for i in 0..N {
            by[i] = if len >= (i + 1) * V::LEN { i * V::LEN } else { 0 };
            front[i] = V::load(at.add(by[i]));
            back[i] = V::load(last.sub(by[i]));
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
            // In the order of their addresses, as masking does (`mask/overlap.rs` says why).
            for i in 0..N {
                front[i].store(at.add(by[i]));
            }
            for i in (0..N).rev() {
                back[i].store(last.sub(by[i]));
            }
        }
        ascii
    }
}
