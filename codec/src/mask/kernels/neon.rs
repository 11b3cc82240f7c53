//! Masking by vectors of 16 bytes, on AArch64.
#![allow(unsafe_code)]
#![allow(unused_unsafe)] // from Rust 1.87 on, intrinsics that touch no memory are safe

use core::arch::aarch64::{uint8x16_t, vdupq_n_u32, veorq_u8, vld1q_u8, vreinterpretq_u8_u32, vst1q_u8};

use crate::mask::{
    kernel::Kernel,
    key::Key,
    overlap,
    vector::{Pair, Vector},
};

const _: () = assert!(cfg!(target_feature = "neon"), "Cargo and the compiler disagree about NEON");

// SAFETY: every CPU of the target has NEON.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("neon", None, run) };

/// # Safety
///
/// As for [`Run`](crate::mask::kernel::Run).
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller promises the memory; the target has NEON; each branch has the lengths that its callee takes.
    unsafe {
        if len <= 128 {
            overlap::four::<Pair<uint8x16_t>>(key, from, to, len);
        } else {
            overlap::stream::<uint8x16_t, Pair<Pair<uint8x16_t>>>(key, from, to, len);
        }
    }
}

impl Vector for uint8x16_t {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        // SAFETY: the target has NEON.
        unsafe { vreinterpretq_u8_u32(vdupq_n_u32(key.to_word())) }
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the target has NEON; the caller promises the memory.
        unsafe { veorq_u8(vld1q_u8(from), key) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the target has NEON; the caller promises the memory.
        unsafe { vst1q_u8(to, self) }
    }
}
