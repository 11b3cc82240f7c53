//! The choice of the kernel: the fastest one that the CPU can run.
#![allow(unsafe_code)]

use super::{dfa::State, error::Utf8Error, kernel::Kernel, kernels::KERNELS, short};
use crate::mask::Key;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Validates a whole text: short ASCII inline, all other text by the fastest kernel.
#[inline]
pub(super) fn validate(bytes: &[u8]) -> Result<&str, Utf8Error> {
    let end = if short::is_ascii(bytes) { State::ACCEPT } else { check(bytes) };
    // SAFETY: `end` is the state after these bytes; after ASCII it is `ACCEPT`.
    unsafe { to_str(bytes, end) }
}

/// Unmasks a whole text in place and validates it: short ASCII inline, all other text by the fastest kernel.
#[inline]
pub(super) fn validate_masked(key: Key, bytes: &mut [u8]) -> Result<&str, Utf8Error> {
    let end = if short::unmask_ascii(key, bytes) { State::ACCEPT } else { unmask(key, bytes) };
    // SAFETY: as in `validate`.
    unsafe { to_str(bytes, end) }
}

/// [`validate`] without the place of the error.
#[inline]
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    short::is_ascii(bytes) || check(bytes) == State::ACCEPT
}

/// [`validate_masked`] without the place of the error.
#[inline]
pub(crate) fn is_valid_masked(key: Key, bytes: &mut [u8]) -> bool {
    short::unmask_ascii(key, bytes) || unmask(key, bytes) == State::ACCEPT
}

/// The text, or the place of the error.
///
/// # Safety
///
/// `end` is the state after exactly these bytes, of a text that starts with them.
#[inline]
pub(crate) unsafe fn to_str(bytes: &[u8], end: State) -> Result<&str, Utf8Error> {
    if end == State::ACCEPT {
        // SAFETY: the caller promises that the automaton accepts these bytes, and it accepts only UTF-8.
        Ok(unsafe { core::str::from_utf8_unchecked(bytes) })
    } else {
        Err(Utf8Error::locate(bytes))
    }
}

/// [`Kernel::check`] by the fastest kernel.
///
/// Not inlined: callers are loops over messages.
#[inline(never)]
pub(super) fn check(bytes: &[u8]) -> State {
    if !CHOICE {
        // SAFETY: every CPU can run the baseline.
        return unsafe { KERNELS[BASELINE].check(bytes) };
    }
    let fastest = FASTEST.load(Relaxed);
    if fastest == LAST {
        // SAFETY: `FASTEST` is a kernel that the CPU can run.
        unsafe { KERNELS[LAST].check(bytes) }
    } else if fastest == LAST_BUT_ONE {
        // SAFETY: as above.
        unsafe { KERNELS[LAST_BUT_ONE].check(bytes) }
    } else {
        check_other(bytes)
    }
}

/// [`Kernel::unmask`] by the fastest kernel.
///
/// Not inlined: callers are loops over messages.
#[inline(never)]
pub(super) fn unmask(key: Key, bytes: &mut [u8]) -> State {
    if !CHOICE {
        // SAFETY: every CPU can run the baseline.
        return unsafe { KERNELS[BASELINE].unmask(key, bytes) };
    }
    let fastest = FASTEST.load(Relaxed);
    if fastest == LAST {
        // SAFETY: `FASTEST` is a kernel that the CPU can run.
        unsafe { KERNELS[LAST].unmask(key, bytes) }
    } else if fastest == LAST_BUT_ONE {
        // SAFETY: as above.
        unsafe { KERNELS[LAST_BUT_ONE].unmask(key, bytes) }
    } else {
        unmask_other(key, bytes)
    }
}

/// [`check`] on a CPU that cannot run the last two kernels, and before the fastest one is known.
#[cold]
fn check_other(bytes: &[u8]) -> State {
    // SAFETY: the CPU can run the fastest kernel.
    unsafe { fastest().check(bytes) }
}

/// [`unmask`] on a CPU that cannot run the last two kernels, and before the fastest one is known.
#[cold]
fn unmask_other(key: Key, bytes: &mut [u8]) -> State {
    // SAFETY: the CPU can run the fastest kernel.
    unsafe { fastest().unmask(key, bytes) }
}

/// The last two kernels, which most CPUs of the target have, are called by name: a call through the table would cost a
/// short text a tenth.
const LAST: usize = KERNELS.len() - 1;
const LAST_BUT_ONE: usize = LAST.saturating_sub(1);

/// The fastest kernel that every CPU of the target can run.
const BASELINE: usize = {
    let mut i = LAST;
    while !KERNELS[i].is_baseline() {
        i -= 1;
    }
    i
};

/// Whether some CPUs of the target can run a faster kernel than others.
const CHOICE: bool = LAST != BASELINE;

/// The index of the fastest kernel that this CPU can run, or a number beyond the table until that is known.
///
/// Relaxed is enough: no other memory depends on the number, and every thread finds the same one.
static FASTEST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The fastest kernel that this CPU can run.
fn fastest() -> &'static Kernel {
    KERNELS.get(FASTEST.load(Relaxed)).unwrap_or_else(|| {
        let fastest = KERNELS.iter().rposition(Kernel::is_available).unwrap_or(BASELINE);
        FASTEST.store(fastest, Relaxed);
        &KERNELS[fastest]
    })
}
