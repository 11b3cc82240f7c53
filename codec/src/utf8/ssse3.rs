//! Sixteen bytes in an SSE register. What [`Plain`] asks for is SSE2, which every x86-64 has and which the short path
//! takes for granted; the shuffles of [`Lookup`] are SSSE3.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::dfa::State;
use super::kernel::Kernel;
use super::lookup;
use super::vector::{Lookup, Plain, ops};
use crate::cpu;
use crate::mask::Key;

pub(super) const KERNEL: Kernel = Kernel { name: "ssse3", available: cpu::has_ssse3, unmask, check };

/// # Safety
///
/// As [`Kernel::unmask`] says.
#[target_feature(enable = "ssse3")]
unsafe fn unmask(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the caller says that there is SSSE3, and 16 bytes or more; they are a slice's, to read and to write.
    unsafe { lookup::scan::<Sse, Sse, 4, true>(key, bytes.as_mut_ptr(), bytes.len(), unmask_and_classify) }
}

/// # Safety
///
/// As [`lookup::classify`] says.
#[inline(never)] // see `lookup::scan`
#[target_feature(enable = "ssse3")]
unsafe fn unmask_and_classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller says so.
    unsafe { lookup::classify::<Sse, true>(key, at, len) }
}

/// # Safety
///
/// As [`Kernel::check`] says.
#[target_feature(enable = "ssse3")]
unsafe fn check(bytes: &[u8]) -> State {
    // SAFETY: as in `unmask`; what is not masked is not written.
    unsafe {
        lookup::scan::<Sse, Sse, 4, false>(Key::default(), bytes.as_ptr().cast_mut(), bytes.len(), classify)
    }
}

/// # Safety
///
/// As [`lookup::classify`] says.
#[inline(never)] // see `lookup::scan`
#[target_feature(enable = "ssse3")]
unsafe fn classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller says so.
    unsafe { lookup::classify::<Sse, false>(key, at, len) }
}

#[derive(Clone, Copy)]
pub(super) struct Sse(__m128i);

impl Plain for Sse {
    const LEN: usize = 16;

    ops! {
        fn load(from: *const u8) -> Self { Self(_mm_loadu_si128(from.cast())) }
        fn store(self, to: *mut u8) { _mm_storeu_si128(to.cast(), self.0) }
        fn repeat(bytes: [u8; 4]) -> Self { Self(_mm_set1_epi32(i32::from_ne_bytes(bytes))) }
        fn xor(self, other: Self) -> Self { Self(_mm_xor_si128(self.0, other.0)) }
        fn or(self, other: Self) -> Self { Self(_mm_or_si128(self.0, other.0)) }
        fn is_ascii(self) -> bool { _mm_movemask_epi8(self.0) == 0 }
    }
}

impl Lookup for Sse {
    ops! {
        fn table(bytes: &[u8; 16]) -> Self { Self::load(bytes.as_ptr()) }
        fn lookup(self, table: Self) -> Self { Self(_mm_shuffle_epi8(table.0, self.0)) }
        fn and(self, other: Self) -> Self { Self(_mm_and_si128(self.0, other.0)) }
        fn high_nibbles(self) -> Self { Self(_mm_srli_epi16::<4>(self.0)).and(Self::repeat([0x0F; 4])) }
        fn saturating_sub(self, other: Self) -> Self { Self(_mm_subs_epu8(self.0, other.0)) }
        fn one_before(self, prev: Self) -> Self { Self(_mm_alignr_epi8::<15>(self.0, prev.0)) }
        fn two_before(self, prev: Self) -> Self { Self(_mm_alignr_epi8::<14>(self.0, prev.0)) }
        fn three_before(self, prev: Self) -> Self { Self(_mm_alignr_epi8::<13>(self.0, prev.0)) }
        fn is_zero(self) -> bool { _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, _mm_setzero_si128())) == 0xFFFF }
    }
}
