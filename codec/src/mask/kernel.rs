//! The kernels, and the choice among them.
#![allow(unsafe_code)] // the dispatch of kernels, and the safe face of each

#[cfg(framewire_avx512)]
use super::avx512;
#[cfg(framewire_neon)]
use super::neon;
use super::{Key, overlap, word};
#[cfg(framewire_x86_vectors)]
use super::{avx2, sse2};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Every kernel that this target compiles, slowest first: what dispatch, tests and benches go by.
pub const KERNELS: &[Kernel] = &[
    word::KERNEL,
    #[cfg(framewire_x86_vectors)]
    sse2::KERNEL,
    #[cfg(framewire_x86_vectors)]
    avx2::KERNEL,
    #[cfg(framewire_avx512)]
    avx512::KERNEL,
    #[cfg(framewire_neon)]
    neon::KERNEL,
];
const BASELINE: usize = if cfg!(framewire_portable) { 0 } else { 1 };

/// The last kernel that needs no question to the CPU, being part of the target.
const BASE: Kernel = KERNELS[BASELINE];

/// The last two, which are what most CPUs of the target have. They are called by name: a jump through the table would
/// cost a short payload a tenth.
const LAST: usize = KERNELS.len() - 1;
const LAST_BUT_ONE: usize = LAST.saturating_sub(1);

/// Whether there is a kernel for some CPUs of the target only.
const CHOICE: bool = KERNELS.len() > BASELINE + 1;

/// Below this many bytes, which is one vector of AVX2, there is one way for all, and no kernel is asked for.
pub(super) const WIDE: usize = 32;

/// What each kernel does: `to[i] = from[i] ^ key[i % 4]` for each `i` below the last argument, `len`.
///
/// # Safety
///
/// `from` is valid for reads of `len` bytes and `to` for writes; they are the same or do not overlap. There are
/// [`WIDE`] of them or more. The CPU has the instructions of the kernel: its `available` says so.
pub(super) type Run = unsafe fn(key: Key, from: *const u8, to: *mut u8, len: usize);

/// Masks in place with the fastest kernel.
#[inline]
pub(super) fn apply(key: Key, bytes: &mut [u8]) {
    let at = bytes.as_mut_ptr();
    // SAFETY: `bytes` is valid for reads and writes of its length, and `run` brings its own kernel.
    unsafe { run(key, at, at, bytes.len()) }
}

/// Masks on the way from one buffer to another with the fastest kernel, as far as both reach.
#[inline]
pub(super) fn apply_to(key: Key, from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    // SAFETY: both are valid for `len` bytes; a `&mut` and a `&` do not overlap; `run` brings its own kernel.
    unsafe { run(key, from.as_ptr(), to.as_mut_ptr(), len) }
    len
}

/// A [`Run`] of any length, by the fastest kernel that this CPU has.
///
/// The call is all that is inlined into callers: a decoder in whose loop the short way is taken, or the kernels are chosen,
/// loses more by that than masking wins. The kernels are jumped to: they return to the caller.
///
/// # Safety
///
/// As for [`Run`], save for the length and the CPU.
#[inline(never)]
unsafe fn run(key: Key, from: *const u8, to: *mut u8, len: usize) {
    if len < WIDE {
        // SAFETY: the caller's promise.
        return unsafe { overlap::words(key, from, to, len) };
    }
    if !CHOICE {
        // SAFETY: the caller's promise, and the length; every CPU of the target has what the base needs.
        return unsafe { (BASE.run)(key, from, to, len) };
    }
    let fastest = FASTEST.load(Relaxed);
    if fastest == LAST {
        // SAFETY: the caller's promise, and the length; `FASTEST` says that the CPU has this kernel.
        unsafe { (KERNELS[LAST].run)(key, from, to, len) }
    } else if fastest == LAST_BUT_ONE {
        // SAFETY: as above.
        unsafe { (KERNELS[LAST_BUT_ONE].run)(key, from, to, len) }
    } else {
        // SAFETY: the caller's promise, and the length.
        unsafe { run_other(key, from, to, len) }
    }
}

/// Index of the fastest kernel that the CPU has; none before the first question. Relaxed is enough: there is nothing
/// but the number itself, and every thread finds the same one.
static FASTEST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// [`run`] on a CPU that lacks the last two kernels, or as long as it is not known which one is the fastest. It
/// runs the kernel as well, so that nothing is left to do after the call, and nothing to save around it.
///
/// # Safety
///
/// As for [`run`]; and there are [`WIDE`] bytes or more.
#[cold]
unsafe fn run_other(key: Key, from: *const u8, to: *mut u8, len: usize) {
    let kernel = KERNELS.get(FASTEST.load(Relaxed)).unwrap_or_else(|| {
        let fastest = KERNELS.iter().rposition(Kernel::is_available).unwrap_or(BASELINE);
        FASTEST.store(fastest, Relaxed);
        &KERNELS[fastest]
    });
    // SAFETY: the caller's promise; `FASTEST` is never anything but `MAX` or an available kernel.
    unsafe { (kernel.run)(key, from, to, len) }
}

/// One way to mask, for tests and benches that want that one and no other.
#[derive(Clone, Copy)]
pub struct Kernel {
    name: &'static str,
    available: fn() -> bool,
    run: Run,
}

impl Kernel {
    /// # Safety
    ///
    /// `run` keeps the promise of [`Run`], where `available` returns true; and `available` goes on
    /// returning what it returned first.
    pub(super) const unsafe fn new(name: &'static str, available: fn() -> bool, run: Run) -> Self {
        Self { name, available, run }
    }

    /// The instruction set, in lower case.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether this CPU can run the kernel.
    #[inline]
    pub fn is_available(&self) -> bool {
        (self.available)()
    }

    /// [`mask::apply`](super::apply) by this kernel.
    ///
    /// # Panics
    ///
    /// Where the kernel is not available.
    pub fn apply(&self, key: Key, bytes: &mut [u8]) {
        assert!(self.is_available(), "this CPU has no {}", self.name);
        let at = bytes.as_mut_ptr();
        // SAFETY: `bytes` is valid for reads and writes of its length; the assertion ensures the CPU.
        unsafe { self.run(key, at, at, bytes.len()) }
    }

    /// [`mask::apply_to`](super::apply_to) by this kernel.
    ///
    /// # Panics
    ///
    /// Where the kernel is not available.
    pub fn apply_to(&self, key: Key, from: &[u8], to: &mut [u8]) -> usize {
        assert!(self.is_available(), "this CPU has no {}", self.name);
        let len = from.len().min(to.len());
        // SAFETY: both are valid for `len` bytes and, a `&mut` and a `&`, do not overlap; the assertion ensures the CPU.
        unsafe { self.run(key, from.as_ptr(), to.as_mut_ptr(), len) }
        len
    }

    /// # Safety
    ///
    /// As for [`Run`], save for the length.
    unsafe fn run(&self, key: Key, from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: the caller's promise, for the length that each wants.
        unsafe {
            if len < WIDE {
                overlap::words(key, from, to, len);
            } else {
                (self.run)(key, from, to, len);
            }
        }
    }
}
