//! What the algorithms ask of a vector. They stand once, in [`short`](super::short) and `lookup`, generic over these
//! traits; an instruction set is a thin file of operations.
//!
//! Every operation is unsafe, as it may only run where the CPU has the instructions that it compiles to. That is the
//! whole of what its caller promises, but for [`load`](Plain::load) and [`store`](Plain::store).
#![allow(unsafe_code)]

/// Bytes that can be unmasked, and told from ASCII.
pub(super) trait Plain: Copy {
    /// The bytes in it: a multiple of four, so that a key goes evenly into vectors in a row.
    const LEN: usize;

    /// Needs no alignment.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions; `LEN` bytes are readable at `from`.
    unsafe fn load(from: *const u8) -> Self;

    /// Needs no alignment.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions; `LEN` bytes are writable at `to`.
    unsafe fn store(self, to: *mut u8);

    /// These four bytes, in the order of memory, over and over.
    unsafe fn repeat(bytes: [u8; 4]) -> Self;

    unsafe fn xor(self, other: Self) -> Self;

    unsafe fn or(self, other: Self) -> Self;

    /// Whether no byte has its high bit set.
    unsafe fn is_ascii(self) -> bool;
}

/// Bytes that can be classified as well.
#[allow(dead_code)] // where there are only words, nothing classifies
pub(super) trait Lookup: Plain {
    /// These sixteen bytes, in every sixteen bytes of the vector.
    unsafe fn table(bytes: &[u8; 16]) -> Self;

    /// The entry of `table` that each byte names; zero for a byte of 80 or more. No byte is from 10 to 7F.
    unsafe fn lookup(self, table: Self) -> Self;

    unsafe fn and(self, other: Self) -> Self;

    /// The high four bits of each byte, as a number.
    unsafe fn high_nibbles(self) -> Self;

    /// Each byte less that of `other`, but at least zero.
    unsafe fn saturating_sub(self, other: Self) -> Self;

    /// This vector, `N` bytes earlier in the text: its first `N` bytes are the last ones of `prev`, the vector before.
    unsafe fn one_before(self, prev: Self) -> Self;

    /// See [`one_before`](Self::one_before).
    unsafe fn two_before(self, prev: Self) -> Self;

    /// See [`one_before`](Self::one_before).
    unsafe fn three_before(self, prev: Self) -> Self;

    unsafe fn is_zero(self) -> bool;
}

/// The operations of an instruction set, one line each.
macro_rules! ops {
    ($(fn $name:ident($($arg:tt)*) $(-> $out:ty)? { $($body:tt)* })*) => {$(
        #[inline(always)]
        #[allow(unused_unsafe)] // what touches only values is safe in words, and from Rust 1.87 on in kernels
        unsafe fn $name($($arg)*) $(-> $out)? {
            // SAFETY: whoever calls an operation promises that the CPU has its instructions and, of a load or a
            // store, that the bytes are there.
            unsafe { $($body)* }
        }
    )*};
}

#[allow(unused_imports)] // as above
pub(super) use ops;

/// Words are vectors too: the short ends of the short path, and all of it where there is nothing better.
macro_rules! word {
    ($word:ty) => {
        impl Plain for $word {
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

impl Plain for [u64; 2] {
    const LEN: usize = 16;

    ops! {
        fn load(from: *const u8) -> Self { from.cast::<Self>().read_unaligned() }
        fn store(self, to: *mut u8) { to.cast::<Self>().write_unaligned(self) }
        fn repeat(bytes: [u8; 4]) -> Self { [u64::repeat(bytes); 2] }
        fn xor(self, other: Self) -> Self { [self[0] ^ other[0], self[1] ^ other[1]] }
        fn or(self, other: Self) -> Self { [self[0] | other[0], self[1] | other[1]] }
        fn is_ascii(self) -> bool { Plain::is_ascii(self[0] | self[1]) }
    }
}
