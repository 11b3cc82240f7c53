//! Validation by vectors of 16 bytes, on x86 CPUs with SSSE3.
//!
//! The operations of [`Vector`] are SSE2, so the short path can use them on every CPU of the target. The shuffles of
//! [`Lookup`] are SSSE3.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use crate::cpu;
use crate::mask::Key;
use crate::utf8::{
    dfa::State,
    kernel::Kernel,
    vector::{Lookup, Vector, ops},
    walk,
};

const _: () = assert!(cfg!(target_feature = "sse2"), "Cargo and the compiler disagree about SSE2");

// SAFETY: both functions need SSSE3; `has_ssse3` says whether the CPU has it, and always says the same.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("ssse3", Some(cpu::has_ssse3), check, unmask) };

/// # Safety
///
/// As for [`Check`](crate::utf8::kernel::Check).
#[target_feature(enable = "ssse3")]
unsafe fn check(bytes: &[u8]) -> State {
    // SAFETY: the caller promises SSSE3, and 16 bytes or more; a slice is valid for reads, and nothing is written.
    unsafe {
        walk::scan::<Sse, Sse, 4, false>(Key::default(), bytes.as_ptr().cast_mut(), bytes.len(), classify)
    }
}

/// # Safety
///
/// As for [`walk::classify`].
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "ssse3")]
unsafe fn classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU.
    unsafe { walk::classify::<Sse, false>(key, at, len) }
}

/// # Safety
///
/// As for [`Unmask`](crate::utf8::kernel::Unmask).
#[target_feature(enable = "ssse3")]
unsafe fn unmask(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the caller promises SSSE3, and 16 bytes or more; a `&mut` slice is valid for reads and writes.
    unsafe { walk::scan::<Sse, Sse, 4, true>(key, bytes.as_mut_ptr(), bytes.len(), unmask_and_classify) }
}

/// # Safety
///
/// As for [`walk::classify`].
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "ssse3")]
unsafe fn unmask_and_classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU.
    unsafe { walk::classify::<Sse, true>(key, at, len) }
}

#[derive(Clone, Copy)]
pub(crate) struct Sse(__m128i);

impl Vector for Sse {
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
