//! Validation by vectors of 16 bytes, on AArch64. Every CPU has them, so the short path uses them as well.
#![allow(unsafe_code)]

use core::arch::aarch64::*;

use crate::mask::Key;
use crate::utf8::{
    dfa::State,
    kernel::Kernel,
    vector::{Lookup, Vector, ops},
    walk,
};

const _: () = assert!(cfg!(target_feature = "neon"), "Cargo and the compiler disagree about NEON");

// SAFETY: every CPU of the target has NEON.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("neon", None, check, unmask) };

/// # Safety
///
/// As for [`Check`](crate::utf8::kernel::Check).
#[target_feature(enable = "neon")]
unsafe fn check(bytes: &[u8]) -> State {
    // SAFETY: the caller promises NEON, and 16 bytes or more; a slice is valid for reads, and nothing is written.
    unsafe {
        walk::scan::<Neon, Neon, 4, false>(Key::default(), bytes.as_ptr().cast_mut(), bytes.len(), classify)
    }
}

/// # Safety
///
/// As for [`walk::classify`].
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "neon")]
unsafe fn classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU.
    unsafe { walk::classify::<Neon, false>(key, at, len) }
}

/// # Safety
///
/// As for [`Unmask`](crate::utf8::kernel::Unmask).
#[target_feature(enable = "neon")]
unsafe fn unmask(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the caller promises NEON, and 16 bytes or more; a `&mut` slice is valid for reads and writes.
    unsafe { walk::scan::<Neon, Neon, 4, true>(key, bytes.as_mut_ptr(), bytes.len(), unmask_and_classify) }
}

/// # Safety
///
/// As for [`walk::classify`].
#[inline(never)] // see `walk::scan`
#[target_feature(enable = "neon")]
unsafe fn unmask_and_classify(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU.
    unsafe { walk::classify::<Neon, true>(key, at, len) }
}

#[derive(Clone, Copy)]
pub(crate) struct Neon(uint8x16_t);

impl Vector for Neon {
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
