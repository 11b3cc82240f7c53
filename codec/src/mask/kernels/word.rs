//! Masking by words, on any CPU.
#![allow(unsafe_code)]

use crate::mask::{kernel::Kernel, key::Key, overlap, vector::Pair};

// SAFETY: any CPU can run `run`.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("word", None, run) };

/// # Safety
///
/// As for [`Run`](crate::mask::kernel::Run), on any CPU.
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller promises the memory, and at least 32 bytes, which are one block.
    unsafe { overlap::stream::<u64, Pair<Pair<u64>>>(key, from, to, len) }
}
