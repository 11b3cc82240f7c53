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
//! each end as its caller says, and its caller is the one to branch.
//!
//! [`stream`] is the loop for what is longer:
//!
//! ```text
//!       0   skip            at               last            len    skip: where `to` is aligned
//!       ├────┼───────┬───────┬───────┬───────┼──┬────────────┤      last: len - block
//!       [head ]
//!            [ block ][ block ][ block ][ block ]                    block: a few vectors
//!                                            [     tail      ]
//! ```
//!
//! The head and the tail are loaded first and stored last. The blocks between them are stored aligned, and the last
//! of them reaches into the tail by less than its length. So one vector and at most one block of extra work buy
//! aligned stores, at any length: from 1 KiB to where memory is slower than the CPU they save a third of the time.
//! From [`Vector::LONG`] on, four blocks are a turn of the loop for as long as there are four; counting the turns is a
//! fifth of the work otherwise.
//!
//! A vector that starts `n` bytes into the payload takes the key advanced by `n`.

#![allow(unsafe_code)] // kernels

use super::Key;

/// A register's worth of bytes. Its size is the number of bytes that it loads and stores.
///
/// Its functions are unsafe also because the CPU must have the type's instructions; they are inlined into code that
/// was compiled for it.
pub(super) trait Vector: Copy {
    /// From this length on, in [`stream`] a second loop that goes round less often is worth its own end.
    const LONG: usize = 4096;

    /// The key, repeated.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions.
    unsafe fn splat(key: Key) -> Self;

    /// What is [`splat`](Self::splat) of `key`, for what comes `by` bytes later.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn advance(self, key: Key, by: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::splat(key.advance(by)) }
    }

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
/// As for [`Run`](super::kernel::Run) about memory, on any CPU; and `len <= 32`.
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
/// As for [`Run`](super::kernel::Run) about memory; the CPU has the instructions of `V`; `len` is one to four times its
/// size.
#[inline(always)]
pub(super) unsafe fn four<V: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let width = size_of::<V>();
    debug_assert!((width..=4 * width).contains(&len));
    let second = ((len - 1) / 2) & width; // 0 up to two vectors, else `width`, which is a power of two
    let last = len - width;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes. No vector ends behind them: `second` is 0
    // unless there is room for two, and `last` is one vector before the end.
    unsafe {
        let head = V::splat(key);
        let tail = head.advance(key, len); // `last`, and what is a vector before it, lie in phase with `len`
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

/// Masks up to `FRONT + REAR` vectors of bytes, so many from either end, without a branch.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run) about memory; the CPU has the instructions of `V`; `len` is at most `FRONT + REAR`
/// times its size, and at least the larger of both times that.
#[inline(always)]
#[allow(dead_code)] // x86 alone has vectors as wide as that
pub(super) unsafe fn ends<V: Vector, const FRONT: usize, const REAR: usize>(
    key: Key,
    from: *const u8,
    to: *mut u8,
    len: usize,
) {
    let width = size_of::<V>();
    debug_assert!((FRONT.max(REAR) * width..=(FRONT + REAR) * width).contains(&len));
    let back = len - REAR * width;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes. `FRONT` vectors fit in them from the first byte
    // on, and `REAR` up to the last.
    unsafe {
        let head = V::splat(key);
        let tail = V::splat(key.advance(len)); // `back` is in phase with `len`
        // No closures here: they would not be compiled for the CPU's instructions, and so not be inlined.
        let (mut front, mut rear) = ([head; FRONT], [tail; REAR]);
        for i in 0..FRONT.max(REAR) {
            if i < FRONT {
                front[i] = V::masked(from.add(i * width), head);
            }
            if i < REAR {
                rear[i] = V::masked(from.add(back + i * width), tail);
            }
        }
        for i in 0..FRONT.max(REAR) {
            if i < FRONT {
                front[i].store(to.add(i * width));
            }
            if i < REAR {
                rear[i].store(to.add(back + i * width));
            }
        }
    }
}

/// Masks a block `B` or more, which is a few vectors `V`.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run) about memory; the CPU has the instructions of `V` and `B`; `len` is at least the
/// size of `B`, which is a multiple of that of `V`.
#[inline(always)]
pub(super) unsafe fn stream<V: Vector, B: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let (width, block) = (size_of::<V>(), size_of::<B>());
    debug_assert!(block % width == 0 && len >= block);
    let skip = width - to.addr() % width;
    let last = len - block;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes, which are a block or more. The head is the
    // first vector and the tail the last block of them; four blocks are taken only where all four end before `len`;
    // every other block starts before `last`, so it ends before `len`.
    unsafe {
        let head = V::masked(from, V::splat(key));
        let tail = B::masked(from.add(last), B::splat(key.advance(last)));
        let key = B::splat(key.advance(skip));
        let mut at = skip;
        if len >= V::LONG.max(4 * block) {
            while at <= len - 4 * block {
                for _ in 0..4 {
                    B::masked(from.add(at), key).store(to.add(at));
                    at += block;
                }
            }
        }
        while at < last {
            B::masked(from.add(at), key).store(to.add(at));
            at += block;
        }
        tail.store(to.add(last));
        head.store(to);
    }
}

/// Masks 32 bytes or more by vectors of 64, and by halves of them where two are enough.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run) about memory; the CPU has the instructions of `H`, which is 32 bytes, and of `V`,
/// which is 64; `len` is at least 32.
#[inline(always)]
#[allow(dead_code)] // the kernel for AVX-512 alone does so, and the test below
pub(super) unsafe fn wide<H: Vector, V: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(size_of::<H>() == 32 && size_of::<V>() == 64 && len >= 32);
    // SAFETY: the caller's promise; each branch leaves the lengths that its callee wants.
    unsafe {
        if len <= 64 {
            ends::<H, 1, 1>(key, from, to, len);
        } else if len <= 128 {
            ends::<V, 1, 1>(key, from, to, len);
        } else if len <= 192 {
            ends::<V, 2, 1>(key, from, to, len);
        } else if len <= 256 {
            ends::<V, 2, 2>(key, from, to, len);
        } else {
            stream::<V, Pair<V>>(key, from, to, len);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 5000;
    const GUARD: usize = 128;

    /// What few CPUs have, and no emulator here, is held by all to where it reads and writes: the same way, with words in
    /// place of vectors.
    #[test]
    fn the_way_of_the_widest_vectors() {
        type Half = Pair<Pair<u64>>;
        let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
        let clear: [u8; LEN] = core::array::from_fn(|i| (i * 7) as u8);
        let lengths = (32..=600).chain([1023, 1024, 1025, 4095, 4096, 4097, LEN]);
        for (len, align) in lengths.flat_map(|len| (0..64).map(move |align| (len, align))) {
            let key = key.advance(len + align);
            let mut memory = [0xEE; GUARD + 64 + LEN + GUARD];
            let start = GUARD + align;
            memory[start..start + len].copy_from_slice(&clear[..len]);
            let at = memory[start..start + len].as_mut_ptr();
            // SAFETY: `at` is the start of `len` bytes, 32 or more; words need nothing of the CPU.
            unsafe { wide::<Half, Pair<Half>>(key, at, at, len) };
            for (i, &byte) in memory.iter().enumerate().skip(align).take(GUARD + len + GUARD) {
                let expected = match i.checked_sub(start) {
                    Some(i) if i < len => clear[i] ^ key.to_bytes()[i % 4],
                    _ => 0xEE,
                };
                assert_eq!(byte, expected, "byte {i} of {len} at {align}");
            }
        }
    }
}
