//! Short ASCII, which most messages are: up to [`INLINE`] bytes, without a kernel, and inlined into callers.
#![allow(unsafe_code)]

#[cfg(framewire_neon)]
use super::kernels::neon::Neon as Baseline;
#[cfg(framewire_x86_vectors)]
use super::kernels::ssse3::Sse as Baseline;
use super::overlap::{INLINE, both_ends};
use super::vector::Vector;
use crate::mask::Key;

/// A vector of 16 bytes that every CPU of the target has.
#[cfg(not(any(framewire_x86_vectors, framewire_neon)))]
type Baseline = [u64; 2];

/// Unmasks the bytes if there are at most [`INLINE`] and they are ASCII once unmasked, and says so. If not, they do not
/// change.
#[inline]
pub(super) fn unmask_ascii(key: Key, bytes: &mut [u8]) -> bool {
    let len = bytes.len();
    // SAFETY: a `&mut` slice is valid for reads and writes.
    len <= INLINE && unsafe { inline::<true>(key, bytes.as_mut_ptr(), len) }
}

/// Whether there are at most [`INLINE`] bytes, and they are ASCII.
#[inline]
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    let len = bytes.len();
    // SAFETY: a slice is valid for reads; bytes that are not `MASKED` are not written.
    len <= INLINE && unsafe { inline::<false>(Key::default(), bytes.as_ptr().cast_mut(), len) }
}

/// Whether the bytes are ASCII, after unmasking if they are `MASKED`. If so, unmasks them.
///
/// # Safety
///
/// `at` is valid for reads of `len` bytes, and for writes if they are `MASKED`. There are at most [`INLINE`].
#[inline(always)]
unsafe fn inline<const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> bool {
    const { assert!(Baseline::LEN == 16 && 2 * Baseline::LEN == INLINE) };
    // SAFETY: the caller promises the memory; each branch has the lengths that its callee takes.
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

/// [`inline`] for up to three bytes: the first one, the middle one and the last, some of which may be the same.
///
/// # Safety
///
/// As for [`inline`]. `len` is at most 3.
#[inline(always)]
unsafe fn up_to_three<const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> bool {
    if len == 0 {
        return true;
    }
    // SAFETY: the caller promises `len` bytes, and each of these is one of them.
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
