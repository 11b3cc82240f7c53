//! The operations that validation needs of a vector, and words, which are the vectors of any CPU.
//!
//! The methods (`overlap`, `walk`, `lookup`) are generic over these traits. The vectors of an instruction set are in
//! the file of its kernel, one line for each operation.
//!
//! Every operation is unsafe because the CPU must have the instructions. Apart from the memory of
//! [`load`](Vector::load) and [`store`](Vector::store), its caller promises nothing else.
#![allow(unsafe_code)]

/// Bytes that can be unmasked and tested for ASCII.
pub(super) trait Vector: Copy {
    /// The number of bytes, a multiple of four, so that vectors in a row have the same key.
    const LEN: usize;

    /// # Safety
    ///
    /// The CPU has the instructions; `from` is valid for reads of `LEN` bytes, at any alignment.
    unsafe fn load(from: *const u8) -> Self;

    /// # Safety
    ///
    /// The CPU has the instructions; `to` is valid for writes of `LEN` bytes, at any alignment.
    unsafe fn store(self, to: *mut u8);

    /// These four bytes, repeated, in the order of memory.
    unsafe fn repeat(bytes: [u8; 4]) -> Self;

    unsafe fn xor(self, other: Self) -> Self;

    unsafe fn or(self, other: Self) -> Self;

    /// Whether no byte has its high bit set.
    unsafe fn is_ascii(self) -> bool;
}

/// Bytes that can also be looked up in tables, which is how `lookup` classifies them.
#[cfg(not(framewire_portable))]
pub(super) trait Lookup: Vector {
    /// These sixteen bytes, in every sixteen bytes of the vector.
    unsafe fn table(bytes: &[u8; 16]) -> Self;

    /// For each byte, the entry of `table` with that index, or zero if the byte is 80 or more. No byte is from 10 to
    /// 7F.
    unsafe fn lookup(self, table: Self) -> Self;

    unsafe fn and(self, other: Self) -> Self;

    /// The high four bits of each byte, as a number.
    unsafe fn high_nibbles(self) -> Self;

    /// Each byte minus that of `other`, or zero if that is negative.
    unsafe fn saturating_sub(self, other: Self) -> Self;

    /// For each byte, the one before it in the text. `prev` is the vector before this one.
    unsafe fn one_before(self, prev: Self) -> Self;

    /// For each byte, the one two before it.
    unsafe fn two_before(self, prev: Self) -> Self;

    /// For each byte, the one three before it.
    unsafe fn three_before(self, prev: Self) -> Self;

    unsafe fn is_zero(self) -> bool;
}

/// Declares the operations of an instruction set, one line each.
macro_rules! ops {
    ($(fn $name:ident($($arg:tt)*) $(-> $out:ty)? { $($body:tt)* })*) => {$(
        #[inline(always)]
        #[allow(unused_unsafe)] // operations on values are safe for words, and from Rust 1.87 on also for vectors
        unsafe fn $name($($arg)*) $(-> $out)? {
            // SAFETY: the caller promises the CPU and, for a load or a store, the memory.
            unsafe { $($body)* }
        }
    )*};
}

#[cfg(not(framewire_portable))]
pub(super) use ops;

/// The short path takes its shortest texts by words, and all if the target has no vectors.
macro_rules! word {
    ($word:ty) => {
        impl Vector for $word {
            const LEN: usize = size_of::<$word>();

            ops! {
                fn load(from: *const u8) -> Self { from.cast::<Self>().read_unaligned() }
                fn store(self, to: *mut u8) { to.cast::<Self>().write_unaligned(self) }
                fn repeat(bytes: [u8; 4]) -> Self { <$word>::from(u32::from_ne_bytes(bytes)) * (<$word>::MAX / 0xFFFF_FFFF) }
                fn xor(self, other: Self) -> Self { self ^ other }
                fn or(self, other: Self) -> Self { self | other }
                fn is_ascii(self) -> bool { self & (<$word>::MAX / 0xFF * 0x80) == 0 }
            }
        }
    };
}

word!(u32);
word!(u64);

impl Vector for [u64; 2] {
    const LEN: usize = 16;

    ops! {
        fn load(from: *const u8) -> Self { from.cast::<Self>().read_unaligned() }
        fn store(self, to: *mut u8) { to.cast::<Self>().write_unaligned(self) }
        fn repeat(bytes: [u8; 4]) -> Self { [u64::repeat(bytes); 2] }
        fn xor(self, other: Self) -> Self { [self[0] ^ other[0], self[1] ^ other[1]] }
        fn or(self, other: Self) -> Self { [self[0] | other[0], self[1] | other[1]] }
        fn is_ascii(self) -> bool { Vector::is_ascii(self[0] | self[1]) }
    }
}
