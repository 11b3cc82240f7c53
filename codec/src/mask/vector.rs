//! The operations that masking needs of a vector, for words, which every CPU has, and for pairs of vectors.
//!
//! The vectors of an instruction set are in the file of its kernel.
#![allow(unsafe_code)]

use super::key::Key;

/// A register of bytes. Its size is the number of bytes that it loads and stores.
///
/// Every function is unsafe because the CPU must have the instructions of the type. All are inlined into code that is
/// compiled for them.
pub(super) trait Vector: Copy {
    /// From this length on, [`stream`](super::overlap::stream) has a second loop with fewer turns, which is worth its
    /// cost at the end.
    const LONG: usize = 4096;

    /// The key, repeated.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions.
    unsafe fn splat(key: Key) -> Self;

    /// `self` is `key`, repeated. Gives the same for the bytes that follow the next `by` bytes.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn advance(self, key: Key, by: usize) -> Self {
        // SAFETY: the caller promises the CPU.
        unsafe { Self::splat(key.advance(by)) }
    }

    /// The bytes at `from`, masked.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions; `from` is valid for reads of the vector's size, at any alignment.
    unsafe fn masked(from: *const u8, key: Self) -> Self;

    /// Writes the bytes to `to`.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions; `to` is valid for writes of the vector's size, at any alignment.
    unsafe fn store(self, to: *mut u8);
}

impl Vector for u32 {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        key.to_word()
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the caller promises the memory.
        unsafe { from.cast::<Self>().read_unaligned() ^ key }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises the memory.
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
        // SAFETY: the caller promises the memory.
        unsafe { from.cast::<Self>().read_unaligned() ^ key }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises the memory.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
}

/// Two neighbouring vectors as one.
#[derive(Clone, Copy)]
pub(super) struct Pair<V>(V, V);

impl<V: Vector> Vector for Pair<V> {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        // SAFETY: the caller promises the CPU. The size of a vector is a multiple of four, so both halves have the same
        // key.
        unsafe { Self(V::splat(key), V::splat(key)) }
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the caller promises the CPU, and the memory of both halves.
        unsafe { Self(V::masked(from, key.0), V::masked(from.add(size_of::<V>()), key.1)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller promises the CPU, and the memory of both halves.
        unsafe {
            self.0.store(to);
            self.1.store(to.add(size_of::<V>()));
        }
    }
}
