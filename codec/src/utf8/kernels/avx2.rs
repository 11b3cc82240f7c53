//! Validation by vectors of 32 bytes, on CPUs with AVX2.
//!
//! AVX2 shuffles within each half of 16 bytes. Only the steps back in the text carry bytes from one half to the other.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::ssse3::Sse;
use crate::cpu;
use crate::mask::Key;
use crate::utf8::{
    dfa::State,
    kernel::Kernel,
    vector::{Lookup, Vector, ops},
    walk,
};

// SAFETY: both functions need AVX2; `has_avx2` says whether the CPU has it, and always says the same.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("avx2", Some(cpu::has_avx2), check, unmask) };

/// # Safety
///
/// As for [`Check`](crate::utf8::kernel::Check).
#[target_feature(enable = "avx2")]
unsafe fn check(bytes: &[u8]) -> State {
    // SAFETY: the caller promises AVX2, and 16 bytes or more; a slice is valid for reads, and nothing is written.
    unsafe {
        walk::scan::<Avx, Avx, 2, false>(Key::default(), bytes.as_ptr().cast_mut(), bytes.len(), classify)
    }
}

/// # Safety
///
/// As for [`walk::classify`] with a vector of 16 bytes.
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "avx2")]
unsafe fn classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU; AVX2 includes SSSE3.
    unsafe {
        if len < 2 * Avx::LEN {
            walk::classify::<Sse, false>(key, at, len)
        } else {
            walk::classify::<Avx, false>(key, at, len)
        }
    }
}

/// # Safety
///
/// As for [`Unmask`](crate::utf8::kernel::Unmask).
#[target_feature(enable = "avx2")]
unsafe fn unmask(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the caller promises AVX2, and 16 bytes or more; a `&mut` slice is valid for reads and writes.
    unsafe { walk::scan::<Avx, Avx, 2, true>(key, bytes.as_mut_ptr(), bytes.len(), unmask_and_classify) }
}

/// # Safety
///
/// As for [`walk::classify`] with a vector of 16 bytes.
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "avx2")]
unsafe fn unmask_and_classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU; AVX2 includes SSSE3.
    unsafe {
        if len < 2 * Avx::LEN {
            walk::classify::<Sse, true>(key, at, len)
        } else {
            walk::classify::<Avx, true>(key, at, len)
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Avx(__m256i);

impl Vector for Avx {
    const LEN: usize = 32;

    ops! {
        fn load(from: *const u8) -> Self { Self(_mm256_loadu_si256(from.cast())) }
        fn store(self, to: *mut u8) { _mm256_storeu_si256(to.cast(), self.0) }
        fn repeat(bytes: [u8; 4]) -> Self { Self(_mm256_set1_epi32(i32::from_ne_bytes(bytes))) }
        fn xor(self, other: Self) -> Self { Self(_mm256_xor_si256(self.0, other.0)) }
        fn or(self, other: Self) -> Self { Self(_mm256_or_si256(self.0, other.0)) }
        fn is_ascii(self) -> bool { _mm256_movemask_epi8(self.0) == 0 }
    }
}

impl Lookup for Avx {
    ops! {
        fn table(bytes: &[u8; 16]) -> Self { Self(_mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast()))) }
        fn lookup(self, table: Self) -> Self { Self(_mm256_shuffle_epi8(table.0, self.0)) }
        fn and(self, other: Self) -> Self { Self(_mm256_and_si256(self.0, other.0)) }
        fn high_nibbles(self) -> Self { Self(_mm256_srli_epi16::<4>(self.0)).and(Self::repeat([0x0F; 4])) }
        fn saturating_sub(self, other: Self) -> Self { Self(_mm256_subs_epu8(self.0, other.0)) }
        fn one_before(self, prev: Self) -> Self { Self(_mm256_alignr_epi8::<15>(self.0, self.halves_before(prev))) }
        fn two_before(self, prev: Self) -> Self { Self(_mm256_alignr_epi8::<14>(self.0, self.halves_before(prev))) }
        fn three_before(self, prev: Self) -> Self { Self(_mm256_alignr_epi8::<13>(self.0, self.halves_before(prev))) }
        fn is_zero(self) -> bool { _mm256_testz_si256(self.0, self.0) == 1 }
    }
}

impl Avx {
    ops! {
        // The 16 bytes before each half: the upper half of `prev`, and the lower half of this vector.
        fn halves_before(self, prev: Self) -> __m256i { _mm256_permute2x128_si256::<0x21>(prev.0, self.0) }
    }
}
