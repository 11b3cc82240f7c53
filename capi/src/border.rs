//! From C's pointers to Rust's references, and back. Whatever can be checked is checked here.

use crate::{
    code::{FW_E_ARGUMENT, FW_E_KEY, FW_E_MISALIGNED, FW_E_OTHER, FW_E_ROOM},
    types::{FW_BINARY, FW_RSV1, FW_RSV2, FW_RSV3, FW_TEXT, fw_str},
};
use core::{ffi::c_int, ptr, slice, str};
use framewire::{
    Kind, Role, Rsv, Unmasked,
    internal::{LentClient, LentServer},
    mask::Key,
};

/// A result, or an error; both are numbers in C.
pub(crate) type Outcome = Result<c_int, c_int>;

/// Runs the body of a function.
#[inline(always)]
pub(crate) fn answer(body: impl FnOnce() -> Outcome) -> c_int {
    match body() {
        Ok(number) | Err(number) => number,
    }
}

/// Whether a pointer can point to a value.
#[inline(always)]
pub(crate) fn check<T>(pointer: *const T) -> Result<(), c_int> {
    if pointer.is_null() {
        return Err(FW_E_ARGUMENT);
    }
    if !pointer.is_aligned() {
        return Err(FW_E_MISALIGNED);
    }
    Ok(())
}

/// [`check`] of all, in one step if they pass.
macro_rules! check_all {
    ($($each:ident),*) => {
        if false $(| $each.is_null())* $(| !$each.is_aligned())* {
            $(check($each)?;)*
            return Err(FW_E_ARGUMENT);
        }
    };
}
pub(crate) use check_all;

/// Whether a pointer can point to this many values. With 0, it may be anything.
#[inline(always)]
pub(crate) fn check_range<T>(pointer: *const T, len: usize) -> Result<(), c_int> {
    if len == 0 {
        return Ok(());
    }
    check(pointer)?;
    let size = len.checked_mul(size_of::<T>()).filter(|&size| size <= isize::MAX as usize);
    match size.and_then(|size| pointer.addr().checked_add(size)) {
        Some(_) => Ok(()),
        None => Err(FW_E_ARGUMENT),
    }
}

/// The values that C passed.
///
/// # Safety
/// If the pointer passes the checks, it is valid for reads of `len` values during `'a`, and nothing writes to them.
#[inline(always)]
pub(crate) unsafe fn values<'a, T>(pointer: *const T, len: usize) -> Result<&'a [T], c_int> {
    check_range(pointer, len)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not null, aligned, and not too long, as was just checked; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// The bytes that C passed to be changed.
///
/// # Safety
/// If the pointer passes the checks, it is valid for reads and writes of `len` bytes during `'a`, and nothing else accesses
/// them.
#[inline(always)]
pub(crate) unsafe fn bytes_mut<'a>(pointer: *mut u8, len: usize) -> Result<&'a mut [u8], c_int> {
    // As `check_range`, in fewer steps: this is on the way of each message.
    if pointer.is_null() {
        return if len == 0 { Ok(&mut []) } else { Err(FW_E_ARGUMENT) };
    }
    if len > isize::MAX as usize || pointer.addr().checked_add(len).is_none() {
        return if len == 0 { Ok(&mut []) } else { Err(FW_E_ARGUMENT) };
    }
    // SAFETY: not null, and not too long, as was just checked; the rest is the caller's promise. With a length of 0, any
    // pointer that is not null will do.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// Whether there is room for `most` bytes of output.
#[inline(always)]
pub(crate) fn check_room(out: *const u8, room: usize, most: usize) -> Result<(), c_int> {
    if out.is_null() {
        return Err(FW_E_ARGUMENT);
    }
    if room < most { Err(FW_E_ROOM) } else { Ok(()) }
}

/// Writes output, and returns its length.
///
/// # Safety
/// `out` is valid for writes of `bytes.len()` bytes, and does not overlap `bytes`.
#[inline(always)]
pub(crate) unsafe fn put(out: *mut u8, bytes: &[u8]) -> Outcome {
    // SAFETY: the caller's promise.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), out, bytes.len()) };
    Ok(bytes.len() as c_int) // of a frame or a head
}

/// [`put`] for a header. It has one of six lengths, each of which is a constant here, so that no `memcpy` is called.
///
/// # Safety
/// As [`put`].
#[inline(always)]
pub(crate) unsafe fn put_header(out: *mut u8, bytes: &[u8]) -> Outcome {
    // SAFETY: the caller's promise; each writes as many bytes as there are.
    unsafe {
        match bytes.len() {
            2 => put(out, &bytes[..2]),
            4 => put(out, &bytes[..4]),
            6 => put(out, &bytes[..6]),
            8 => put(out, &bytes[..8]),
            10 => put(out, &bytes[..10]),
            14 => put(out, &bytes[..14]),
            _ => Err(FW_E_OTHER),
        }
    }
}

/// The role of a connection, for the functions that are generic over it.
pub(crate) trait End: Role {
    /// The key that C passed.
    ///
    /// # Safety
    /// If it is not null, it is valid for reads of four bytes.
    unsafe fn key(pointer: *const u8) -> Result<Self::Key, c_int>;
}

impl End for LentServer {
    #[inline(always)]
    unsafe fn key(pointer: *const u8) -> Result<Unmasked, c_int> {
        if pointer.is_null() { Ok(Unmasked) } else { Err(FW_E_KEY) }
    }
}

impl End for LentClient {
    #[inline(always)]
    unsafe fn key(pointer: *const u8) -> Result<Key, c_int> {
        if pointer.is_null() {
            return Err(FW_E_KEY);
        }
        // SAFETY: the caller's promise; bytes need no alignment.
        Ok(Key::new(unsafe { pointer.cast::<[u8; 4]>().read() }))
    }
}

#[inline(always)]
pub(crate) fn kind(kind: c_int) -> Result<Kind, c_int> {
    match kind {
        FW_TEXT => Ok(Kind::Text),
        FW_BINARY => Ok(Kind::Binary),
        _ => Err(FW_E_ARGUMENT),
    }
}

/// The reserved bits in a byte; none other may be set.
#[inline(always)]
pub(crate) fn rsv(bits: c_int) -> Result<Rsv, c_int> {
    if bits == 0 {
        return Ok(Rsv::NONE);
    }
    let mut rest = bits;
    let mut rsv = Rsv::NONE;
    for (bit, value) in [(FW_RSV1, Rsv::RSV1), (FW_RSV2, Rsv::RSV2), (FW_RSV3, Rsv::RSV3)] {
        if bits & c_int::from(bit) != 0 {
            rest &= !c_int::from(bit);
            rsv = rsv | value;
        }
    }
    if rest == 0 { Ok(rsv) } else { Err(FW_E_ARGUMENT) }
}

#[inline(always)]
pub(crate) fn rsv_bits(rsv: Rsv) -> u8 {
    if rsv.is_none() {
        return 0;
    }
    let bits = [(Rsv::RSV1, FW_RSV1), (Rsv::RSV2, FW_RSV2), (Rsv::RSV3, FW_RSV3)];
    bits.into_iter().filter(|&(bit, _)| rsv.contains(bit)).fold(0, |all, (_, bit)| all | bit)
}

impl fw_str {
    pub(crate) const NONE: Self = Self { data: ptr::null(), len: 0 };

    pub(crate) fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr().cast(), len: bytes.len() }
    }

    /// The text, if there is one.
    ///
    /// # Safety
    /// As [`values`].
    pub(crate) unsafe fn text<'a>(self) -> Result<Option<&'a str>, c_int> {
        if self.data.is_null() && self.len == 0 {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        let bytes = unsafe { values(self.data.cast::<u8>(), self.len) }?;
        str::from_utf8(bytes).map(Some).map_err(|_| FW_E_ARGUMENT)
    }
}
