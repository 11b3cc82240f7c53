//! The method that all masking kernels share: whole vectors only, of which the last ones overlap the ones before.
//!
//! A payload's length is no multiple of a vector's, and its buffer is not aligned to one. The usual remedy, a loop of
//! single bytes before and after the vectors, costs a payload of a hundred bytes more than the vectors themselves,
//! and a mispredicted branch whenever lengths vary. Here, a byte that two vectors cover is computed twice. Both
//! compute the same value, so the order of the stores does not matter. But both must *load* before either *stores*:
//! in place, a byte that is masked twice is not masked.
//!
//! [`four`] has no branch and takes lengths that differ by a factor of four. It uses two vectors at either end:
//!
//! ```text
//!       0      a                      len-w-a  len-w    len        w: bytes in a vector
//!       ├──────┼──────┬ ─ ─ ─ ─ ─ ─ ─ ┬──────┼──────┤              a: w if len > 2w, else 0
//!       [ head ][ head ]              [ tail ][ tail ]
//! ```
//!
//! With `a = 0` the two vectors of an end are the same one. This wastes work, but less than a branch would cost: if
//! lengths vary, a branch in the middle of the range is mispredicted every second time, which costs as much as many
//! vectors.
//!
//! [`ends`] is for vectors so wide that wasted work would show. Its caller branches on the length and says how many
//! vectors each end has.
//!
//! [`stream`] is the loop for longer payloads:
//!
//! ```text
//!       0   skip            at               last            len    skip: where `to` is aligned
//!       ├────┼───────┬───────┬───────┬───────┼──┬────────────┤      last: len - block
//!       [head ]
//!            [ block ][ block ][ block ][ block ]                    block: a few vectors
//!                                            [     tail      ]
//! ```
//!
//! The head and the tail are loaded first and stored last. The blocks between them are stored aligned; the last of them
//! overlaps the tail, but not all of it. One vector and at most one block of extra work buy aligned stores at any
//! length. From 1 KiB to lengths at which memory is slower than the CPU, these save a third of the time. From
//! [`Vector::LONG`] on, a turn of the loop takes four blocks while there are four: otherwise, counting the turns is a
//! fifth of the work.
//!
//! A vector that starts `n` bytes into the payload takes the key advanced by `n`.
//!
//! # Memory
//!
//! Each function masks `len` bytes from `from` to `to`. Its caller promises that `from` is valid for reads of `len`
//! bytes and `to` for writes, and that the two are the same or do not overlap.
#![allow(unsafe_code)]

use super::{key::Key, vector::Vector};

/// Masks one to four vectors of bytes, without a branch.
///
/// # Safety
///
/// The memory is as the [module](self) asks. The CPU has the instructions of `V`. `len` is one to four times its size.
#[inline(always)]
pub(super) unsafe fn four<V: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let width = size_of::<V>();
    debug_assert!((width..=4 * width).contains(&len));
    let second = ((len - 1) / 2) & width; // 0 up to two vectors, else `width`, which is a power of two
    let last = len - width;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes. No vector ends after them: `second` is 0 unless
    // there is room for two, and `last` is one vector before the end.
    unsafe {
        let head = V::splat(key);
        let tail = head.advance(key, len); // a vector before the end has the key of the end
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

/// Masks up to `FRONT + REAR` vectors of bytes, `FRONT` from the start and `REAR` from the end, without a branch.
///
/// # Safety
///
/// The memory is as the [module](self) asks. The CPU has the instructions of `V`. `len` is at most `FRONT + REAR` times
/// its size, and at least the larger of the two times its size.
#[cfg(any(framewire_x86_vectors, test))]
#[inline(always)]
pub(super) unsafe fn ends<V: Vector, const FRONT: usize, const REAR: usize>(
    key: Key,
    from: *const u8,
    to: *mut u8,
    len: usize,
) {
    let width = size_of::<V>();
    debug_assert!((FRONT.max(REAR) * width..=(FRONT + REAR) * width).contains(&len));
    let back = len - REAR * width;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes, in which `FRONT` vectors fit from the first byte
    // on, and `REAR` up to the last.
    unsafe {
        let head = V::splat(key);
        let tail = V::splat(key.advance(len)); // `back` has the key of `len`
        // A closure would not be compiled for the CPU's instructions, and so not be inlined.
        let (mut front, mut rear) = ([head; FRONT], [tail; REAR]);
        for (i, vector) in front.iter_mut().enumerate() {
            *vector = V::masked(from.add(i * width), head);
        }
        for (i, vector) in rear.iter_mut().enumerate() {
            *vector = V::masked(from.add(back + i * width), tail);
        }
        // In the order of their addresses: stores in turns to the two ends take Zen 3 up to twice as long.
        for (i, vector) in front.iter().enumerate() {
            vector.store(to.add(i * width));
        }
        for (i, vector) in rear.iter().enumerate() {
            vector.store(to.add(back + i * width));
        }
    }
}

/// Masks one block `B` or more. A block is a few vectors `V`.
///
/// # Safety
///
/// The memory is as the [module](self) asks. The CPU has the instructions of `V` and `B`. `len` is at least the size of
/// `B`, which is a multiple of that of `V`.
#[inline(always)]
pub(super) unsafe fn stream<V: Vector, B: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let (width, block) = (size_of::<V>(), size_of::<B>());
    debug_assert!(block % width == 0 && len >= block);
    let skip = width - to.addr() % width;
    let last = len - block;
    // SAFETY: the caller promises the CPU, and memory for `len` bytes, which are a block or more. The head is the
    // first vector and the tail is the last block of them. Four blocks are taken only if all four end at `len` or
    // before. Every other block starts before `last`, so it ends before `len`.
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

/// Masks 32 bytes or more by vectors `V` of 64 bytes, or by halves `H` if two are enough.
///
/// # Safety
///
/// The memory is as the [module](self) asks. The CPU has the instructions of `H`, of 32 bytes, and of `V`, of 64.
/// `len` is at least 32.
#[cfg(any(framewire_avx512, test))]
#[inline(always)]
pub(super) unsafe fn wide<H: Vector, V: Vector>(key: Key, from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(size_of::<H>() == 32 && size_of::<V>() == 64 && len >= 32);
    // SAFETY: the caller promises the memory and the CPU; each branch has the lengths that its callee takes.
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
            stream::<V, super::vector::Pair<V>>(key, from, to, len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::vector::Pair;

    const LEN: usize = 5000;
    const GUARD: usize = 128;

    /// Few CPUs have AVX-512, and the emulator does not. So this runs the same method with words in place of vectors,
    /// on any CPU, and checks its reads and writes.
    #[test]
    #[cfg_attr(miri, ignore = "Miri has AVX-512, and runs that kernel")]
    fn the_method_of_the_widest_vectors() {
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
