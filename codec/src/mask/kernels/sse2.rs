//! Masking by vectors of 16 bytes, on x86.
#![allow(unsafe_code)]
#![allow(unused_unsafe)] // from Rust 1.87 on, intrinsics that touch no memory are safe

#[cfg(target_arch = "x86")]
use core::arch::x86::{__m128i, _mm_loadu_si128, _mm_set1_epi32, _mm_storeu_si128, _mm_xor_si128};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_set1_epi32, _mm_storeu_si128, _mm_xor_si128};

use crate::mask::{
    kernel::Kernel,
    key::Key,
    overlap,
    vector::{Pair, Vector},
};

const _: () = assert!(cfg!(target_feature = "sse2"), "Cargo and the compiler disagree about SSE2");

// SAFETY: every CPU of the target has SSE2.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("sse2", None, run) };

/// # Safety
///
/// As for [`Run`](crate::mask::kernel::Run).
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller promises the memory; the target has SSE2; each branch has the lengths that its callee takes.
    unsafe {
        if len <= 128 {
            overlap::four::<Pair<__m128i>>(key, from, to, len);
        } else {
            overlap::stream::<__m128i, Pair<Pair<__m128i>>>(key, from, to, len);
        }
    }
}

impl Vector for __m128i {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        // SAFETY: the target has SSE2.
        unsafe { _mm_set1_epi32(key.to_word() as i32) }
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the target has SSE2; the caller promises the memory.
        unsafe { _mm_xor_si128(_mm_loadu_si128(from.cast()), key) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the target has SSE2; the caller promises the memory.
        unsafe { _mm_storeu_si128(to.cast(), self) }
    }
}
