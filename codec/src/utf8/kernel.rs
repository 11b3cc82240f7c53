//! The kernels, a line each, and the choice among them.
#![allow(unsafe_code)]

#[cfg(framewire_avx512)]
use super::avx512;
use super::dfa::State;
#[cfg(framewire_neon)]
use super::neon;
use super::{Utf8Error, Validator, short, word};
#[cfg(framewire_x86_vectors)]
use super::{avx2, ssse3};
use crate::mask::Key;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What drives dispatch, tests, benches and fuzzing. The slowest comes first.
const KERNELS: &[Kernel] = &[
    word::KERNEL,
    #[cfg(framewire_x86_vectors)]
    ssse3::KERNEL,
    #[cfg(framewire_x86_vectors)]
    avx2::KERNEL,
    #[cfg(framewire_avx512)]
    avx512::KERNEL,
    #[cfg(framewire_neon)]
    neon::KERNEL,
];

/// A way to validate. Who holds a reference to one holds the evidence that this CPU can run it: there is no other
/// source of them than [`kernels`] and the choice of the best, which give out no others. So its methods are safe.
pub struct Kernel {
    pub(super) name: &'static str,
    pub(super) available: fn() -> bool,
    /// The state after these bytes, unmasked in place, of a text that starts here.
    ///
    /// # Safety
    ///
    /// `available` is true. There are [`Kernel::MIN`] bytes or more.
    pub(super) unmask: unsafe fn(Key, &mut [u8]) -> State,
    /// The state after these bytes, of a text that starts here.
    ///
    /// # Safety
    ///
    /// As for `unmask`.
    pub(super) check: unsafe fn(&[u8]) -> State,
}

/// The kernels that this CPU can run, the slowest first.
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    KERNELS.iter().filter(|kernel| (kernel.available)())
}

/// The last two, which are what most CPUs of the target have. They are called by name: a jump through the table would
/// cost a short text a tenth.
const LAST: usize = KERNELS.len() - 1;
const LAST_BUT_ONE: usize = LAST.saturating_sub(1);

/// Where the fastest kernel of this CPU stands in the table; beyond its end until that is known. It is worth no ordering:
/// all that race to find it find the same.
static BEST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// [`super::validate`]: the shortest ASCII here and now, everything else by the best kernel.
#[inline]
pub(super) fn validate(bytes: &[u8]) -> Result<&str, Utf8Error> {
    let end = if short::is_ascii(bytes) { State::ACCEPT } else { scan(bytes) };
    // SAFETY: these bytes were scanned; ASCII ends in that state.
    unsafe { settle(bytes, end) }
}

/// [`super::validate_masked`], likewise.
#[inline]
pub(super) fn validate_masked(key: Key, bytes: &mut [u8]) -> Result<&str, Utf8Error> {
    let end = if short::unmask_ascii(key, bytes) { State::ACCEPT } else { scan_masked(key, bytes) };
    // SAFETY: as in `validate`.
    unsafe { settle(bytes, end) }
}

/// [`Kernel::scan`] by the best kernel. The call is all that is inlined into callers, which are loops over messages.
#[inline(never)]
pub(super) fn scan(bytes: &[u8]) -> State {
    let best = BEST.load(Relaxed); // what it says is available
    if best == LAST {
        KERNELS[LAST].scan(bytes)
    } else if best == LAST_BUT_ONE {
        KERNELS[LAST_BUT_ONE].scan(bytes)
    } else {
        scan_by_best(bytes)
    }
}

/// [`Kernel::scan_masked`], likewise.
#[inline(never)]
pub(super) fn scan_masked(key: Key, bytes: &mut [u8]) -> State {
    let best = BEST.load(Relaxed); // as above
    if best == LAST {
        KERNELS[LAST].scan_masked(key, bytes)
    } else if best == LAST_BUT_ONE {
        KERNELS[LAST_BUT_ONE].scan_masked(key, bytes)
    } else {
        scan_masked_by_best(key, bytes)
    }
}

#[cold]
fn scan_by_best(bytes: &[u8]) -> State {
    best().scan(bytes)
}

#[cold]
fn scan_masked_by_best(key: Key, bytes: &mut [u8]) -> State {
    best().scan_masked(key, bytes)
}

/// The fastest kernel that this CPU can run.
fn best() -> &'static Kernel {
    KERNELS.get(BEST.load(Relaxed)).unwrap_or_else(|| {
        let best = KERNELS.iter().rposition(|kernel| (kernel.available)()).unwrap_or(0); // the portable one
        BEST.store(best, Relaxed);
        &KERNELS[best]
    })
}

/// The text, or where it goes wrong.
///
/// # Safety
///
/// `end` is the state after exactly these bytes, of a text that starts with them.
#[inline]
unsafe fn settle(bytes: &[u8], end: State) -> Result<&str, Utf8Error> {
    if end == State::ACCEPT {
        // SAFETY: the caller says that the automaton accepts these bytes, and it accepts nothing but UTF-8. Owned
        // text apart (`text.rs`), this is the only conversion in the crate that does not check.
        Ok(unsafe { core::str::from_utf8_unchecked(bytes) })
    } else {
        Err(Utf8Error::locate(bytes))
    }
}

impl Kernel {
    /// The bytes that a kernel takes at least. On fewer, the automaton is as fast.
    const MIN: usize = 16;

    /// The state after these bytes, of a text that starts here.
    #[inline]
    pub(super) fn scan(&self, bytes: &[u8]) -> State {
        if bytes.len() < Self::MIN {
            return State::ACCEPT.run(bytes);
        }
        // SAFETY: the reference is the evidence that the kernel is available; the length was just looked at.
        unsafe { (self.check)(bytes) }
    }

    /// The state after these bytes, unmasked in place, of a text that starts here.
    #[inline]
    pub(super) fn scan_masked(&self, key: Key, bytes: &mut [u8]) -> State {
        if bytes.len() < Self::MIN {
            return State::ACCEPT.run_masked(key, bytes);
        }
        // SAFETY: as in `scan`.
        unsafe { (self.unmask)(key, bytes) }
    }
}

/// For tests, benches and fuzzing: the public functions, by this kernel, without the path for short ASCII.
impl Kernel {
    /// The instruction set.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// See [`validate`](super::validate).
    pub fn validate<'b>(&self, bytes: &'b [u8]) -> Result<&'b str, Utf8Error> {
        let end = self.scan(bytes);
        // SAFETY: these bytes were scanned.
        unsafe { settle(bytes, end) }
    }

    /// See [`validate_masked`](super::validate_masked).
    pub fn validate_masked<'b>(&self, key: Key, bytes: &'b mut [u8]) -> Result<&'b str, Utf8Error> {
        let end = self.scan_masked(key, bytes);
        // SAFETY: these bytes were scanned.
        unsafe { settle(bytes, end) }
    }

    /// See [`Validator::feed`].
    pub fn feed(&self, validator: &mut Validator, bytes: &[u8]) -> Result<(), Utf8Error> {
        validator.feed_by(|bytes| self.scan(bytes), bytes)
    }

    /// See [`Validator::feed_masked`].
    pub fn feed_masked(
        &self,
        validator: &mut Validator,
        key: Key,
        bytes: &mut [u8],
    ) -> Result<(), Utf8Error> {
        validator.feed_masked_by(|key, bytes| self.scan_masked(key, bytes), key, bytes)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
