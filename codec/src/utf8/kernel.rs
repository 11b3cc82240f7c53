//! The contract between a validating kernel and its callers.
#![allow(unsafe_code)]

use super::dfa::State;
use crate::mask::Key;

/// A way to validate, and a check whether this CPU can run it.
pub(crate) struct Kernel {
    name: &'static str,
    available: Option<fn() -> bool>,
    check: Check,
    unmask: Unmask,
}

/// Gives the state after these bytes, of a text that starts with them.
///
/// # Safety
///
/// There are [`Kernel::MIN`] bytes or more. The CPU can run the kernel: [`Kernel::is_available`] is true.
pub(super) type Check = unsafe fn(&[u8]) -> State;

/// Unmasks these bytes in place, and gives the state after them, of a text that starts with them.
///
/// # Safety
///
/// As for [`Check`].
pub(super) type Unmask = unsafe fn(Key, &mut [u8]) -> State;

impl Kernel {
    /// A kernel takes at least this many bytes. With fewer, the automaton is as fast.
    const MIN: usize = 16;

    /// `available` is `None` if every CPU of the target can run the kernel.
    ///
    /// # Safety
    ///
    /// `check` does what [`Check`] says, and `unmask` what [`Unmask`] says, on each CPU for which `available` is `None`
    /// or returns true. On one CPU, the answer of `available` never changes.
    pub(super) const unsafe fn new(
        name: &'static str,
        available: Option<fn() -> bool>,
        check: Check,
        unmask: Unmask,
    ) -> Self {
        Self { name, available, check, unmask }
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

    /// As [`Check`], for any length.
    ///
    /// # Safety
    ///
    /// The CPU can run the kernel.
    #[inline]
    pub(crate) unsafe fn check(&self, bytes: &[u8]) -> State {
        if bytes.len() < Self::MIN {
            return State::ACCEPT.run(bytes);
        }
        // SAFETY: the caller promises the CPU; the length was just checked.
        unsafe { (self.check)(bytes) }
    }

    /// As [`Unmask`], for any length.
    ///
    /// # Safety
    ///
    /// The CPU can run the kernel.
    #[inline]
    pub(crate) unsafe fn unmask(&self, key: Key, bytes: &mut [u8]) -> State {
        if bytes.len() < Self::MIN {
            return State::ACCEPT.run_masked(key, bytes);
        }
        // SAFETY: the caller promises the CPU; the length was just checked.
        unsafe { (self.unmask)(key, bytes) }
    }
}
