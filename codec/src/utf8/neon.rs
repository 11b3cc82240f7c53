//! Sixteen bytes in a NEON register. NEON is part of AArch64, so the short path takes it for granted too.
#![allow(unsafe_code)]

use core::arch::aarch64::*;

use super::dfa::State;
use super::kernel::Kernel;
use super::lookup;
use super::vector::{Lookup, Plain, ops};
use crate::mask::Key;

pub(super) const KERNEL: Kernel = Kernel { name: "neon", available: || true, unmask, check };

/// # Safety
///
/// As [`Kernel::unmask`] says.
#[target_feature(enable = "neon")]
unsafe fn unmask(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the caller says that there is NEON, and 16 bytes or more; they are a slice's, to read and to write.
    unsafe { lookup::scan::<Neon, Neon, 4, true>(key, bytes.as_mut_ptr(), bytes.len(), unmask_and_classify) }
}

/// # Safety
///
/// As [`lookup::classify`] says.
#[inline(never)] // see `lookup::scan`
#[target_feature(enable = "neon")]
unsafe fn unmask_and_classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller says so.
    unsafe { lookup::classify::<Neon, true>(key, at, len) }
}

/// # Safety
///
/// As [`Kernel::check`] says.
#[target_feature(enable = "neon")]
unsafe fn check(bytes: &[u8]) -> State {
    // SAFETY: as in `unmask`; what is not masked is not written.
    unsafe {
        lookup::scan::<Neon, Neon, 4, false>(Key::default(), bytes.as_ptr().cast_mut(), bytes.len(), classify)
    }
}

/// # Safety
///
/// As [`lookup::classify`] says.
#[inline(never)] // see `lookup::scan`
#[target_feature(enable = "neon")]
unsafe fn classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller says so.
    unsafe { lookup::classify::<Neon, false>(key, at, len) }
}

#[derive(Clone, Copy)]
pub(super) struct Neon(uint8x16_t);

impl Plain for Neon {
    const LEN: usize = 16;

    ops! {
        fn load(from: *const u8) -> Self { Self(vld1q_u8(from)) }
        fn store(self, to: *mut u8) { vst1q_u8(to, self.0) }
        fn repeat(bytes: [u8; 4]) -> Self { Self(vreinterpretq_u8_u32(vdupq_n_u32(u32::from_ne_bytes(bytes)))) }
        fn xor(self, other: Self) -> Self { Self(veorq_u8(self.0, other.0)) }
        fn or(self, other: Self) -> Self { Self(vorrq_u8(self.0, other.0)) }
        fn is_ascii(self) -> bool { vmaxvq_u8(self.0) < 0x80 }
    }
}

impl Lookup for Neon {
    ops! {
        fn table(bytes: &[u8; 16]) -> Self { Self::load(bytes.as_ptr()) }
        fn lookup(self, table: Self) -> Self { Self(vqtbl1q_u8(table.0, self.0)) }
        fn and(self, other: Self) -> Self { Self(vandq_u8(self.0, other.0)) }
        fn high_nibbles(self) -> Self { Self(vshrq_n_u8::<4>(self.0)) }
        fn saturating_sub(self, other: Self) -> Self { Self(vqsubq_u8(self.0, other.0)) }
        fn one_before(self, prev: Self) -> Self { Self(vextq_u8::<15>(prev.0, self.0)) }
        fn two_before(self, prev: Self) -> Self { Self(vextq_u8::<14>(prev.0, self.0)) }
        fn three_before(self, prev: Self) -> Self { Self(vextq_u8::<13>(prev.0, self.0)) }
        fn is_zero(self) -> bool { vmaxvq_u8(self.0) == 0 }
    }
}
