//! The choice of the kernel: the fastest one that the CPU can run.
#![allow(unsafe_code)]

use super::{kernel::Kernel, kernels::KERNELS, key::Key, short};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Masks in place.
#[inline]
pub(super) fn apply(key: Key, bytes: &mut [u8]) {
    let at = bytes.as_mut_ptr();
    // SAFETY: `bytes` is valid for reads and writes of its length.
    unsafe { run(key, at, at, bytes.len()) }
}

/// Masks from one buffer to another, as many bytes as both have.
#[inline]
pub(super) fn apply_to(key: Key, from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    // SAFETY: both are valid for `len` bytes; a `&mut` and a `&` do not overlap.
    unsafe { run(key, from.as_ptr(), to.as_mut_ptr(), len) }
    len
}

/// As [`Run`](super::kernel::Run), for any length, by the fastest kernel.
///
/// Not inlined: with the short path or the choice inside its loop, a decoder loses more than masking gains. The kernels
/// are jumped to, so they return straight to the caller.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run), except the length and the CPU.
#[inline(never)]
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    if len < Kernel::MIN {
        // SAFETY: the caller promises the memory; the length was just checked.
        return unsafe { short::mask(key, from, to, len) };
    }
    if !CHOICE {
        // SAFETY: the caller promises the memory; the length was just checked; every CPU can run the baseline.
        return unsafe { (KERNELS[BASELINE].run)(key, from, to, len) };
    }
    let fastest = FASTEST.load(Relaxed);
    if fastest == LAST {
        // SAFETY: the caller promises the memory; the length was just checked; `FASTEST` is a kernel that the CPU can
        // run.
        unsafe { (KERNELS[LAST].run)(key, from, to, len) }
    } else if fastest == LAST_BUT_ONE {
        // SAFETY: as above.
        unsafe { (KERNELS[LAST_BUT_ONE].run)(key, from, to, len) }
    } else {
        // SAFETY: the caller promises the memory; the length was just checked.
        unsafe { run_other(key, from, to, len) }
    }
}

/// [`run`] on a CPU that cannot run the last two kernels, and before the fastest one is known.
///
/// It also runs the kernel, so that [`run`] ends with this call and saves no registers around it.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run), except the CPU.
#[cold]
unsafe fn run_other(key: Key, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller promises the memory and the length; the CPU can run the fastest kernel.
    unsafe { (fastest().run)(key, from, to, len) }
}

/// As [`Run`](super::kernel::Run), for any length, by this kernel.
///
/// # Safety
///
/// As for [`Run`](super::kernel::Run), except the length.
pub(crate) unsafe fn run_by(kernel: &Kernel, key: Key, from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller promises the memory and the CPU; each branch has the lengths that its callee takes.
    unsafe {
        if len < Kernel::MIN {
            short::mask(key, from, to, len);
        } else {
            (kernel.run)(key, from, to, len);
        }
    }
}

/// The last two kernels, which most CPUs of the target have, are called by name: a call through the table would cost a
/// short payload a tenth.
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
