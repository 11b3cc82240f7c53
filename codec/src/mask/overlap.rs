//! The method that all kernels share: whole vectors only, where the last ones overlap the ones before.
//!
//! No length is a multiple of the vector's, and no buffer is aligned to it. The usual remedy, a loop of single bytes
//! before and after the vectors, costs more than the vectors themselves in a payload of a hundred bytes, and a
//! mispredicted branch whenever lengths vary. Here a byte that two vectors reach is computed twice instead. Both
//! compute the same value, so it does not matter which one is stored last, but both must *load* before either
//! *stores*: where the masking is in place, a byte that is masked twice is not masked.
//!
//! [`four`] is straight-line code for lengths that differ by a factor of four, with two vectors from either end:
//!
//! ```text
//!       0      a                      len-w-a  len-w    len        w: bytes in a vector
//!       ├──────┼──────┬ ─ ─ ─ ─ ─ ─ ─ ┬──────┼──────┤              a: w where len > 2w, else 0
//!       [ head ][ head ]              [ tail ][ tail ]
//! ```
//!
//! With `a = 0` the two vectors of an end are the same one. That is work for nothing, and cheaper than a branch: over
//! lengths that vary, one that asks for half the range goes wrong every second time, for the price of many vectors.
//!
//! [`ends`] is the same without that, for vectors so wide that the work for nothing would show: it takes as many from
//! either end as its caller says, and its caller is the one to branch.
//!
//! [`stream`] is the loop for what is longer:
//!
//! ```text
//!       0   skip            at               last            len    skip: where `to` is aligned
//!       ├────┼───────┬───────┬───────┬───────┼──┬────────────┤      last: len - block
//!       [head ]
//!            [ block ][ block ][ block ][ block ]                    block: four vectors
//!                                            [     tail      ]
//! ```
//!
//! The head and the tail are loaded first and stored last. The blocks between them are stored aligned, and the last
//! of them reaches into the tail by less than its length. So one vector and at most one block of extra work buy
//! aligned stores, at any length: from 1 KiB to where memory is slower than the CPU they save a third of the time.
//! From [`LONG`] on, four blocks are a turn of the loop for as long as there are four; counting the turns is a fifth of
//! the work otherwise.
//!
//! A vector that starts `n` bytes into the payload takes the key advanced by `n`.

#![allow(unsafe_code)] // kernels

use super::Key;

/// From this length on, a second loop that goes round less often is worth its own end.
const LONG: usize = 4096;

/// A register's worth of bytes. Its size is the number of bytes that it loads and stores.
///
/// Its functions are unsafe also because the CPU must have the type's instructions; they are inlined into code that
/// was compiled for it.
pub(super) trait Vector: Copy {
    /// The key, repeated.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions.
    unsafe fn splat(key: Key) -> Self;

    /// The bytes at `from`, masked.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions; `from` is valid for reads of the vector's size, at any alignment.
    unsafe fn masked(from: *const u8, key: Self) -> Self;

    /// Writes the bytes at `to`.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions; `to` is valid for writes of the vector's size, at any alignment.
    unsafe fn store(self, to: *mut u8);
}

/// Masks up to 32 bytes, in whole words.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run), for which this needs no particular CPU; and `len <= 32`.
#[inline(always)]
pub(super) unsafe fn words(key: Key, from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(len <= 32);
    // SAFETY: the caller's promise about memory; each branch leaves the lengths that its callee wants.
    unsafe {
        if len >= 8 {
            four::<u64>(key, from, to, len);
        } else if len >= 4 {
            four::<u32>(key, from, to, len);
        } else if len > 0 {
            // The first byte, the last, and the one in the middle, whichever of the three are the same.
            let (middle, last) = (len / 2, len - 1);
            let masked = |at| *from.add(at) ^ key.advance(at).0[0];
            let bytes = (masked(0), masked(middle), masked(last));
            *to = bytes.0;
            *to.add(middle) = bytes.1;
            *to.add(last) = bytes.2;
        }
    }
}

/// Masks one to four vectors of bytes, without a branch.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run); the CPU has the instructions of `V`; `len` is one to four times its size.
#[inline(always)]
pub(super) unsafe fn four<V: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let width = size_of::<V>();
    debug_assert!((width..=4 * width).contains(&len));
    let second = if len > 2 * width { width } else { 0 };
    let last = len - width;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes. No vector ends behind them: `second` is 0
    // unless there is room for two, and `last` is one vector before the end.
    unsafe {
        let head = V::splat(key);
        let tail = V::splat(key.advance(len)); // `last`, and what is a vector before it, lie in phase with `len`
        let a = V::masked(from, head);
        let b = V::masked(from.add(second), head);
        let c = V::masked(from.add(last - second), tail);
        let d = V::masked(from.add(last), tail);
        a.store(to);
        b.store(to.add(second));
        c.store(to.add(last - second));
        d.store(to.add(last));
    }
}

/// Masks `N` to `2 * N` vectors of bytes, without a branch.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run); the CPU has the instructions of `V`; `len` is `N` to `2 * N` times its size.
#[inline(always)]
#[allow(dead_code)] // x86 alone has vectors as wide as that
pub(super) unsafe fn ends<V: Vector, const N: usize>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let width = size_of::<V>();
    debug_assert!((N * width..=2 * N * width).contains(&len));
    let back = len - N * width;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes. `N` vectors fit in them, from the first byte as
    // well as up to the last.
    unsafe {
        let head = V::splat(key);
        let tail = V::splat(key.advance(len)); // `back` is in phase with `len`
        // No closures here: they would not be compiled for the CPU's instructions, and so not be inlined.
        let (mut front, mut rear) = ([head; N], [tail; N]);
        for i in 0..N {
            front[i] = V::masked(from.add(i * width), head);
            rear[i] = V::masked(from.add(back + i * width), tail);
        }
        for i in 0..N {
            front[i].store(to.add(i * width));
            rear[i].store(to.add(back + i * width));
        }
    }
}

/// Masks four vectors of bytes or more.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run); the CPU has the instructions of `V`; `len` is at least four times its size.
#[inline(always)]
pub(super) unsafe fn stream<V: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let width = size_of::<V>();
    let block = size_of::<Pair<Pair<V>>>();
    debug_assert!(len >= block);
    let skip = width - to.addr() % width;
    let last = len - block;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes, which are a block or more. The head is the
    // first vector and the tail the last block of them; four blocks are taken only where all four end before `len`;
    // every other block starts before `last`, so it ends before `len`.
    unsafe {
        let head = V::masked(from, V::splat(key));
        let tail = Pair::masked(from.add(last), Pair::<Pair<V>>::splat(key.advance(last)));
        let key = Pair::<Pair<V>>::splat(key.advance(skip));
        let mut at = skip;
        if len >= LONG {
            while at <= len - 4 * block {
                for _ in 0..4 {
                    Pair::masked(from.add(at), key).store(to.add(at));
                    at += block;
                }
            }
        }
        while at < last {
            Pair::masked(from.add(at), key).store(to.add(at));
            at += block;
        }
        tail.store(to.add(last));
        head.store(to);
    }
}

/// Two neighbouring vectors as one.
#[derive(Clone, Copy)]
pub(super) struct Pair<V>(V, V);

impl<V: Vector> Vector for Pair<V> {
    #[inline(always)]
    unsafe fn splat(key: Key) -> Self {
        // SAFETY: the caller's promise. The size of a vector is a multiple of four, so both halves have one phase.
        unsafe { Self(V::splat(key), V::splat(key)) }
    }

    #[inline(always)]
    unsafe fn masked(from: *const u8, key: Self) -> Self {
        // SAFETY: the caller's promise, for each half.
        unsafe { Self(V::masked(from, key.0), V::masked(from.add(size_of::<V>()), key.1)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller's promise, for each half.
        unsafe {
            self.0.store(to);
            self.1.store(to.add(size_of::<V>()));
        }
    }
}
