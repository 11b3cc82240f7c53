//! The contract between a masking kernel and its callers.
#![allow(unsafe_code)]

use super::key::Key;

/// A way to mask, and a check whether this CPU can run it.
pub(crate) struct Kernel {
    name: &'static str,
    available: Option<fn() -> bool>,
    pub(super) run: Run,
}

/// Sets `to[i] = from[i] ^ key[i % 4]` for each `i` below `len`.
///
/// # Safety
///
/// `from` is valid for reads of `len` bytes, and `to` for writes. The two are the same or do not overlap. `len` is at
/// least [`Kernel::MIN`]. The CPU can run the kernel: [`Kernel::is_available`] is true.
pub(super) type Run = unsafe fn(key: Key, from: *const u8, to: *mut u8, len: usize);

impl Kernel {
    /// A kernel takes at least this many bytes, one vector of AVX2. The short path takes fewer.
    pub(super) const MIN: usize = 32;

    /// `available` is `None` if every CPU of the target can run the kernel.
    ///
    /// # Safety
    ///
    /// `run` does what [`Run`] says, on each CPU for which `available` is `None` or returns true. On one CPU, the
    /// answer of `available` never changes.
    pub(super) const unsafe fn new(name: &'static str, available: Option<fn() -> bool>, run: Run) -> Self {
        Self { name, available, run }
    }

    /// The instruction set, in lower case.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether every CPU of the target can run the kernel.
    pub(super) const fn is_baseline(&self) -> bool {
        self.available.is_none()
    }

    /// Whether this CPU can run the kernel.
    #[inline]
    pub(crate) fn is_available(&self) -> bool {
        self.available.is_none_or(|available| available())
    }
}
