//! Masking by machine words: for any CPU, and for what is too short for anything else.
#![allow(unsafe_code)] // a kernel

use super::Key;
use super::kernel::Kernel;
use super::overlap::{self, Pair, Vector};

// SAFETY: `run` needs no more of the CPU than that it runs this program.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("word", || true, run) };

/// # Safety
///
/// As for [`Run`](super::kernel::Run).
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise: a block is no more than what it says there is.
    unsafe { overlap::stream::<u64, Pair<Pair<u64>>>(key, from, to, len) }
}

impl Vector for u32 {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        key.to_word()
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self>().read_unaligned() ^ key }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
}

impl Vector for u64 {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        let word = Self::from(key.to_word());
        word << 32 | word
    }

    #[inline(always)]
    unsafe fn advance(self, _: Key, by: usize) -> Self {
        Self::from_le(self.to_le().rotate_right(8 * (by % 8) as u32))
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self>().read_unaligned() ^ key }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
}
