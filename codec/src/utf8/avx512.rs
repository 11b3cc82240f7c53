//! Sixty-four bytes in a register. AVX-512 shuffles within each quarter of sixteen, so a step back in the text has to
//! carry bytes from one quarter to the next.
#![allow(unsafe_code)]
#![allow(clippy::incompatible_msrv)] // `build.rs` leaves this out where the compiler has none of it

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::avx2::Avx;
use super::dfa::State;
use super::kernel::Kernel;
use super::lookup;
use super::ssse3::Sse;
use super::vector::{Lookup, Plain, ops};
use crate::cpu;
use crate::mask::Key;

pub(super) const KERNEL: Kernel = Kernel { name: "avx512", available: cpu::has_avx512, unmask, check };

/// # Safety
///
/// As [`Kernel::unmask`] says.
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn unmask(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the caller says that there is AVX-512, and 16 bytes or more; they are a slice's, to read and to write.
    unsafe { lookup::scan::<Avx512, Avx, 2, true>(key, bytes.as_mut_ptr(), bytes.len(), unmask_and_classify) }
}

/// # Safety
///
/// As [`lookup::classify`] says of a vector of 16 bytes.
#[inline(never)] // see `lookup::scan`
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn unmask_and_classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller says so; AVX2 includes SSSE3.
    unsafe {
        if len < 2 * Avx::LEN {
            lookup::classify::<Sse, true>(key, at, len)
        } else if len < 2 * Avx512::LEN {
            lookup::classify::<Avx, true>(key, at, len)
        } else {
            lookup::classify::<Avx512, true>(key, at, len)
        }
    }
}

/// # Safety
///
/// As [`Kernel::check`] says.
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn check(bytes: &[u8]) -> State {
    // SAFETY: as in `unmask`; what is not masked is not written.
    unsafe {
        lookup::scan::<Avx512, Avx, 2, false>(
            Key::default(),
            bytes.as_ptr().cast_mut(),
            bytes.len(),
            classify,
        )
    }
}

/// # Safety
///
/// As [`lookup::classify`] says of a vector of 16 bytes.
#[inline(never)] // see `lookup::scan`
#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: as in `unmask_and_classify`.
    unsafe {
        if len < 2 * Avx::LEN {
            lookup::classify::<Sse, false>(key, at, len)
        } else if len < 2 * Avx512::LEN {
            lookup::classify::<Avx, false>(key, at, len)
        } else {
            lookup::classify::<Avx512, false>(key, at, len)
        }
    }
}

#[derive(Clone, Copy)]
struct Avx512(__m512i);

impl Plain for Avx512 {
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
        // The sixteen bytes before each quarter: the last one of `prev`, and the first three of this.
        fn quarters_before(self, prev: Self) -> __m512i { _mm512_alignr_epi64::<6>(self.0, prev.0) }
    }
}
