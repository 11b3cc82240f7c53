//! Level 1: masking, UTF-8 and frame headers, without a connection.

use crate::{
    border::{Outcome, answer, bytes_mut, check, check_range, check_room, put, rsv, rsv_bits, values},
    code::{Code, FW_E_ARGUMENT, FW_E_INVALID_UTF8, FW_E_PAYLOAD_TOO_LONG, FW_E_STATE, FW_OK},
    types::{FW_HEADER_MAX, FW_VERSION, fw_header, fw_utf8},
};
use core::ffi::c_int;
use framewire::{
    Header, Opcode,
    internal::{validator_from_byte, validator_to_byte},
    mask::{self, Key},
    utf8::{self, Utf8Error, Validator},
};

/// The version of the library that runs.
#[unsafe(no_mangle)]
pub extern "C" fn fw_version() -> u32 {
    FW_VERSION
}

/// Masks or unmasks bytes.
///
/// # Safety
/// As the header says: `key` is valid for reads of 4 bytes, `src` for reads and `dst` for writes of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_mask(
    dst: *mut u8,
    src: *const u8,
    len: usize,
    key: *const u8,
    phase: usize,
) -> c_int {
    answer(|| {
        check(key)?;
        check_range(dst, len)?;
        check_range(src, len)?;
        // SAFETY: the header demands four bytes; bytes need no alignment.
        let key = Key::new(unsafe { key.cast::<[u8; 4]>().read() }).advance(phase);
        if dst.cast_const() == src {
            // SAFETY: the header demands that `dst` is valid for `len` bytes, and that nothing else accesses them meanwhile.
            mask::apply(key, unsafe { bytes_mut(dst, len) }?);
            return Ok(FW_OK);
        }
        if len > 0 && dst.addr().abs_diff(src.addr()) < len {
            return Err(FW_E_ARGUMENT);
        }
        // SAFETY: the header demands that both are valid for `len` bytes; that they do not overlap was just checked.
        let (from, to) = unsafe { (values(src, len)?, bytes_mut(dst, len)?) };
        mask::apply_to(key, from, to);
        Ok(FW_OK)
    })
}

/// Validates a whole text.
///
/// # Safety
/// As the header says: `data` is valid for reads of `len` bytes; `position` is NULL, or valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_utf8_check(data: *const u8, len: usize, position: *mut usize) -> c_int {
    answer(|| {
        check_optional(position)?;
        // SAFETY: the header demands it of `data`.
        let bytes = unsafe { values(data, len) }?;
        // SAFETY: it was checked; the header demands it of `position`.
        unsafe { verdict(utf8::validate(bytes).map(drop), position) }
    })
}

/// Validates the next bytes of a text.
///
/// # Safety
/// As the header says: `state` is valid for reads and writes, `data` for reads of `len` bytes; `position` is NULL, or valid
/// for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_utf8_feed(
    state: *mut fw_utf8,
    data: *const u8,
    len: usize,
    position: *mut usize,
) -> c_int {
    answer(|| {
        check_optional(position)?;
        // SAFETY: the header demands it of `state` and `data`.
        let (mut validator, bytes) = unsafe { (validator(state)?, values(data, len)?) };
        let fed = if bytes.is_empty() && validator == failed() {
            validator.finish()
        } else {
            validator.feed(bytes)
        };
        // SAFETY: `validator` has checked the pointer; the header demands that it is valid for writes.
        unsafe { (*state).state = validator_to_byte(validator).into() };
        // SAFETY: it was checked; the header demands it of `position`.
        unsafe { verdict(fed, position) }
    })
}

/// Checks that a text can end here.
///
/// # Safety
/// As the header says: `state` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_utf8_finish(state: *const fw_utf8) -> c_int {
    // SAFETY: the header demands it.
    answer(|| unsafe { validator(state) }?.finish().map(|()| FW_OK).map_err(|_| FW_E_INVALID_UTF8))
}

/// Parses a frame header.
///
/// # Safety
/// As the header says: `data` is valid for reads of `len` bytes, `header` for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_header_parse(data: *const u8, len: usize, header: *mut fw_header) -> c_int {
    answer(|| {
        check(header)?;
        // SAFETY: the header demands it of `data`.
        let bytes = unsafe { values(data, len) }?;
        let Some(parsed) = Header::parse(bytes).map_err(Code::code)? else { return Ok(0) };
        let value = fw_header {
            payload_len: parsed.payload_len,
            key: parsed.key.unwrap_or_default().to_bytes(),
            opcode: parsed.opcode.to_bits(),
            fin: parsed.fin.into(),
            rsv: rsv_bits(parsed.rsv),
            masked: parsed.key.is_some().into(),
        };
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for a write.
        unsafe { header.write(value) };
        Ok(parsed.wire_len() as c_int) // at most 14
    })
}

/// Writes a frame header.
///
/// # Safety
/// As the header says: `header` is valid for reads, `out` for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_header_write(header: *const fw_header, out: *mut u8, room: usize) -> c_int {
    answer(|| {
        check(header)?;
        check_room(out, room, FW_HEADER_MAX)?;
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for reads.
        let header = unsafe { header.read() };
        if header.payload_len >> 63 != 0 {
            return Err(FW_E_PAYLOAD_TOO_LONG);
        }
        let opcode = Opcode::from_bits(header.opcode).ok_or(FW_E_ARGUMENT)?;
        if opcode.is_control() && (header.payload_len > 125 || header.fin == 0) {
            return Err(FW_E_ARGUMENT);
        }
        let header = Header {
            fin: header.fin != 0,
            rsv: rsv(header.rsv.into())?,
            opcode,
            key: (header.masked != 0).then(|| Key::new(header.key)),
            payload_len: header.payload_len,
        };
        // SAFETY: there is room, as was checked, and the header demands that it is valid; the value is ours.
        unsafe { put(out, &header.encode()) }
    })
}

/// # Safety
/// If the pointer passes the checks, it is valid for reads.
unsafe fn validator(state: *const fw_utf8) -> Result<Validator, c_int> {
    check(state)?;
    // SAFETY: not null and aligned, as was checked; the rest is the caller's promise.
    let state = unsafe { (*state).state };
    u8::try_from(state).ok().and_then(validator_from_byte).ok_or(FW_E_STATE)
}

/// A validator after an error.
fn failed() -> Validator {
    let mut validator = Validator::new();
    let _ = validator.feed(&[0xFF]);
    validator
}

/// [`check`] of a pointer that may be null.
fn check_optional<T>(pointer: *const T) -> Result<(), c_int> {
    if pointer.is_null() { Ok(()) } else { check(pointer) }
}

/// # Safety
/// `position` is null, or aligned and valid for a write.
unsafe fn verdict(result: Result<(), Utf8Error>, position: *mut usize) -> Outcome {
    match result {
        Ok(()) => Ok(FW_OK),
        Err(error) => {
            if !position.is_null() {
                // SAFETY: the caller's promise.
                unsafe { position.write(error.position()) };
            }
            Err(FW_E_INVALID_UTF8)
        }
    }
}
