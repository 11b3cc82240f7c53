//! Masking by vectors of 64 bytes.
#![allow(unsafe_code)] // a kernel
#![allow(unused_unsafe)] // see the others
#![allow(clippy::incompatible_msrv)] // `build.rs` leaves this out where the compiler has none of it

#[cfg(target_arch = "x86")]
use core::arch::x86::{
    __m256i, __m512i, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_xor_si512,
};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{
    __m256i, __m512i, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_xor_si512,
};

use super::Key;
use super::kernel::Kernel;
use super::overlap::{self, Vector};
use crate::cpu;

// SAFETY: `run` needs AVX-512F and AVX2, which is what `has_avx512` tells; what it told once does not change.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("avx512", cpu::has_avx512, run) };

/// # Safety
///
/// As for [`Run`](super::kernel::Run): the CPU has AVX-512F and AVX2.
#[target_feature(enable = "avx512f,avx2")]
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // Loads and stores with a mask would take any length up to 128 without a branch, and lengths that vary in half the
    // time. But what a masked store has written must reach the cache before it can be read, and a message is read at
    // once: with a copy of it behind, all of the gain is gone, and short ones take twice as long.
    // SAFETY: the caller's promise; the vectors have 32 and 64 bytes.
    unsafe { overlap::wide::<__m256i, __m512i>(key, from, to, len) }
}

impl Vector for __m512i {
    const LONG: usize = 1024;

    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        // SAFETY: the caller promises AVX-512F.
        unsafe { _mm512_set1_epi32(key.to_word() as i32) }
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the caller promises AVX-512F, and memory.
        unsafe { _mm512_xor_si512(_mm512_loadu_si512(from.cast()), key) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises AVX-512F, and memory.
        unsafe { _mm512_storeu_si512(to.cast(), self) }
    }
}
