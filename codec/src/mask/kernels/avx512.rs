//! Masking by vectors of 64 bytes, on CPUs with AVX-512.
#![allow(unsafe_code)]
#![allow(unused_unsafe)] // intrinsics that touch no memory are safe
#![allow(clippy::incompatible_msrv)] // `build.rs` asks the compiler for the intrinsics

#[cfg(target_arch = "x86")]
use core::arch::x86::{
    __m256i, __m512i, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_xor_si512,
};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{
    __m256i, __m512i, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_xor_si512,
};

use crate::cpu;
use crate::mask::{kernel::Kernel, key::Key, overlap, vector::Vector};

// SAFETY: `run` needs AVX-512F and AVX2; `has_avx512` says whether the CPU has both, and always says the same.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("avx512", Some(cpu::has_avx512), run) };

/// # Safety
///
/// As for [`Run`](crate::mask::kernel::Run): the CPU has AVX-512F and AVX2.
#[target_feature(enable = "avx512f,avx2")]
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // Loads and stores under a bit mask would take any length up to 128 without a branch, and lengths that vary in half
    // the time. But bytes stored under a bit mask cannot be read until they reach the cache, and a message is read at
    // once: followed by a copy of the message, the gain is gone, and short messages take twice as long.
    // SAFETY: the caller promises the memory and the CPU; the vectors have 32 and 64 bytes.
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
        // SAFETY: the caller promises AVX-512F and the memory.
        unsafe { _mm512_xor_si512(_mm512_loadu_si512(from.cast()), key) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises AVX-512F and the memory.
        unsafe { _mm512_storeu_si512(to.cast(), self) }
    }
}
