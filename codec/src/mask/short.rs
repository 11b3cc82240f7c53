//! Masking of up to 32 bytes, by words, without a kernel and without a loop.
#![allow(unsafe_code)]

use super::{key::Key, overlap};

/// Masks up to 32 bytes.
///
/// # Safety
///
/// `len` is at most 32. The memory is as [`overlap`] asks.
#[inline(always)]
pub(super) unsafe fn mask(key: Key, from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(len <= 32);
    // SAFETY: the caller promises the memory; each branch has the lengths that its callee takes.
    unsafe {
        if len >= 8 {
            overlap::four::<u64>(key, from, to, len);
        } else if len >= 4 {
            overlap::four::<u32>(key, from, to, len);
        } else if len > 0 {
            // The first byte, the middle one and the last, some of which may be the same.
            let (middle, last) = (len / 2, len - 1);
            let masked = |at| *from.add(at) ^ key.advance(at).to_bytes()[0];
            let bytes = (masked(0), masked(middle), masked(last));
            *to = bytes.0;
            *to.add(middle) = bytes.1;
            *to.add(last) = bytes.2;
        }
    }
}
