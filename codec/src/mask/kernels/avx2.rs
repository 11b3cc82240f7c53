//! Masking by vectors of 32 bytes, on CPUs with AVX2.
#![allow(unsafe_code)]
#![allow(unused_unsafe)] // from Rust 1.87 on, intrinsics that touch no memory are safe

#[cfg(target_arch = "x86")]
use core::arch::x86::{
    __m256i, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_storeu_si256, _mm256_xor_si256,
};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{
    __m256i, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_storeu_si256, _mm256_xor_si256,
};

use crate::cpu;
use crate::mask::{
    kernel::Kernel,
    key::Key,
    overlap,
    vector::{Pair, Vector},
};

// SAFETY: `run` needs AVX2; `has_avx2` says whether the CPU has it, and always says the same.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("avx2", Some(cpu::has_avx2), run) };

/// # Safety
///
/// As for [`Run`](crate::mask::kernel::Run): the CPU has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // One branch for each pair of vectors: lengths that vary lose 1.5 ns by that, lengths that do not gain up to 1.1. The
    // loop is third, not last: on Zen 3, two branches fewer are worth a tenth of 512 bytes.
    // SAFETY: the caller promises the memory and the CPU; each branch has the lengths that its callee takes.
    unsafe {
        if len <= 64 {
            overlap::ends::<__m256i, 1, 1>(key, from, to, len);
        } else if len <= 128 {
            overlap::ends::<__m256i, 2, 2>(key, from, to, len);
        } else if len > 256 {
            overlap::stream::<__m256i, Pair<Pair<__m256i>>>(key, from, to, len);
        } else if len <= 160 {
            overlap::ends::<__m256i, 3, 2>(key, from, to, len);
        } else if len <= 192 {
            overlap::ends::<__m256i, 3, 3>(key, from, to, len);
        } else {
            overlap::ends::<__m256i, 4, 4>(key, from, to, len);
        }
    }
}

impl Vector for __m256i {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_set1_epi32(key.to_word() as i32) }
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the caller promises AVX2 and the memory.
        unsafe { _mm256_xor_si256(_mm256_loadu_si256(from.cast()), key) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises AVX2 and the memory.
        unsafe { _mm256_storeu_si256(to.cast(), self) }
    }
}
