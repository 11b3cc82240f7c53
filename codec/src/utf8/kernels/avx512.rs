//! Validation by vectors of 64 bytes, on CPUs with AVX-512.
//!
//! AVX-512 shuffles within each quarter of 16 bytes. Only the steps back in the text carry bytes from one quarter to
//! the next.
#![allow(unsafe_code)]
#![allow(clippy::incompatible_msrv)] // `build.rs` asks the compiler for the intrinsics

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::{avx2::Avx, ssse3::Sse};
use crate::cpu;
use crate::mask::Key;
use crate::utf8::{
    dfa::State,
    kernel::Kernel,
    vector::{Lookup, Vector, ops},
    walk,
};

// SAFETY: both functions need AVX-512F and BW, and AVX2; `has_avx512` says whether the CPU has them, and always says
// the same.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("avx512", Some(cpu::has_avx512), check, unmask) };

/// # Safety
///
/// As for [`Check`](crate::utf8::kernel::Check).
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn check(bytes: &[u8]) -> State {
    // SAFETY: the caller promises AVX-512, and 16 bytes or more; a slice is valid for reads, and nothing is written.
    unsafe {
        walk::scan::<Avx512, Avx, 2, false>(Key::default(), bytes.as_ptr().cast_mut(), bytes.len(), classify)
    }
}

/// # Safety
///
/// As for [`walk::classify`] with a vector of 16 bytes.
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU; AVX2 includes SSSE3.
    unsafe {
        if len < 2 * Avx::LEN {
            walk::classify::<Sse, false>(key, at, len)
        } else if len < 2 * Avx512::LEN {
            walk::classify::<Avx, false>(key, at, len)
        } else {
            walk::classify::<Avx512, false>(key, at, len)
        }
    }
}

/// # Safety
///
/// As for [`Unmask`](crate::utf8::kernel::Unmask).
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn unmask(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the caller promises AVX-512, and 16 bytes or more; a `&mut` slice is valid for reads and writes.
    unsafe { walk::scan::<Avx512, Avx, 2, true>(key, bytes.as_mut_ptr(), bytes.len(), unmask_and_classify) }
}

/// # Safety
///
/// As for [`walk::classify`] with a vector of 16 bytes.
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn unmask_and_classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU; AVX2 includes SSSE3.
    unsafe {
        if len < 2 * Avx::LEN {
            walk::classify::<Sse, true>(key, at, len)
        } else if len < 2 * Avx512::LEN {
            walk::classify::<Avx, true>(key, at, len)
        } else {
            walk::classify::<Avx512, true>(key, at, len)
        }
    }
}

#[derive(Clone, Copy)]
struct Avx512(__m512i);

impl Vector for Avx512 {
    const LEN: usize = 64;

    ops! {
        fn load(from: *const u8) -> Self { Self(_mm512_loadu_si512(from.cast())) }
        fn store(self, to: *mut u8) { _mm512_storeu_si512(to.cast(), self.0) }
        fn repeat(bytes: [u8; 4]) -> Self { Self(_mm512_set1_epi32(i32::from_ne_bytes(bytes))) }
        fn xor(self, other: Self) -> Self { Self(_mm512_xor_si512(self.0, other.0)) }
        fn or(self, other: Self) -> Self { Self(_mm512_or_si512(self.0, other.0)) }
        fn is_ascii(self) -> bool { _mm512_movepi8_mask(self.0) == 0 }
    }
}

impl Lookup for Avx512 {
    ops! {
        fn table(bytes: &[u8; 16]) -> Self { Self(_mm512_broadcast_i32x4(_mm_loadu_si128(bytes.as_ptr().cast()))) }
        fn lookup(self, table: Self) -> Self { Self(_mm512_shuffle_epi8(table.0, self.0)) }
        fn and(self, other: Self) -> Self { Self(_mm512_and_si512(self.0, other.0)) }
        fn high_nibbles(self) -> Self { Self(_mm512_srli_epi16::<4>(self.0)).and(Self::repeat([0x0F; 4])) }
        fn saturating_sub(self, other: Self) -> Self { Self(_mm512_subs_epu8(self.0, other.0)) }
        fn one_before(self, prev: Self) -> Self { Self(_mm512_alignr_epi8::<15>(self.0, self.quarters_before(prev))) }
        fn two_before(self, prev: Self) -> Self { Self(_mm512_alignr_epi8::<14>(self.0, self.quarters_before(prev))) }
        fn three_before(self, prev: Self) -> Self { Self(_mm512_alignr_epi8::<13>(self.0, self.quarters_before(prev))) }
        fn is_zero(self) -> bool { _mm512_test_epi8_mask(self.0, self.0) == 0 }
    }
}

impl Avx512 {
    ops! {
        // The 16 bytes before each quarter: the last quarter of `prev`, and the first three of this vector.
        fn quarters_before(self, prev: Self) -> __m512i { _mm512_alignr_epi64::<6>(self.0, prev.0) }
    }
}
