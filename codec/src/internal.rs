//! What other crates of this repository need and users do not: each kernel by itself, for tests, benches and fuzz targets;
//! and parts of a connection, for the C library. It is not part of the API, and may change in any release.
#![allow(unsafe_code)] // the caller chooses the kernel

pub use crate::connection::{LentClient, LentServer};
pub use crate::control::ControlRoom;

use crate::control::Control;
use crate::mask::{self, Key};
use crate::utf8::{self, Utf8Error, Validator};
use core::fmt;

/// The payload of a control frame, as in an event.
pub const fn control(payload: &[u8]) -> Control<'_> {
    Control::lent(payload)
}

/// The state of a validator as a byte: 0 at the start of a text.
pub const fn validator_to_byte(validator: Validator) -> u8 {
    validator.to_byte()
}

/// The validator whose state is this byte, if there is one.
pub const fn validator_from_byte(byte: u8) -> Option<Validator> {
    Validator::from_byte(byte)
}

/// The masking kernels that this CPU can run, the slowest first.
pub fn mask_kernels() -> impl Iterator<Item = MaskKernel> {
    mask::KERNELS.iter().filter(|kernel| kernel.is_available()).map(MaskKernel)
}

/// A masking kernel that this CPU can run. [`mask_kernels`] returns all of them.
#[derive(Clone, Copy)]
pub struct MaskKernel(&'static mask::Kernel);

impl MaskKernel {
    /// The instruction set, in lower case.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// [`mask::apply`] by this kernel.
    pub fn apply(self, key: Key, bytes: &mut [u8]) {
        let at = bytes.as_mut_ptr();
        // SAFETY: `bytes` is valid for reads and writes of its length; the CPU can run what `mask_kernels` returns.
        unsafe { mask::run_by(self.0, key, at, at, bytes.len()) }
    }

    /// [`mask::apply_to`] by this kernel.
    pub fn apply_to(self, key: Key, from: &[u8], to: &mut [u8]) -> usize {
        let len = from.len().min(to.len());
        // SAFETY: both are valid for `len` bytes; a `&mut` and a `&` do not overlap; the CPU can run what
        // `mask_kernels` returns.
        unsafe { mask::run_by(self.0, key, from.as_ptr(), to.as_mut_ptr(), len) }
        len
    }
}

/// The validating kernels that this CPU can run, the slowest first.
pub fn utf8_kernels() -> impl Iterator<Item = Utf8Kernel> {
    utf8::KERNELS.iter().filter(|kernel| kernel.is_available()).map(Utf8Kernel)
}

/// A validating kernel that this CPU can run. [`utf8_kernels`] returns all of them.
#[derive(Clone, Copy)]
pub struct Utf8Kernel(&'static utf8::Kernel);

/// The functions of [`utf8`](crate::utf8) by this kernel, which takes short ASCII as well.
impl Utf8Kernel {
    /// The instruction set, in lower case.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// [`utf8::validate`] by this kernel.
    pub fn validate(self, bytes: &[u8]) -> Result<&str, Utf8Error> {
        // SAFETY: `utf8_kernels` asked the CPU; the state is the one after these bytes.
        unsafe { utf8::to_str(bytes, self.0.check(bytes)) }
    }

    /// [`utf8::validate_masked`] by this kernel.
    pub fn validate_masked(self, key: Key, bytes: &mut [u8]) -> Result<&str, Utf8Error> {
        // SAFETY: `utf8_kernels` asked the CPU.
        let end = unsafe { self.0.unmask(key, bytes) };
        // SAFETY: the state is the one after these bytes.
        unsafe { utf8::to_str(bytes, end) }
    }

    /// [`Validator::feed`] by this kernel.
    pub fn feed(self, validator: &mut Validator, bytes: &[u8]) -> Result<(), Utf8Error> {
        // SAFETY: `utf8_kernels` asked the CPU.
        validator.feed_by(|bytes| unsafe { self.0.check(bytes) }, bytes)
    }

    /// [`Validator::feed_masked`] by this kernel.
    pub fn feed_masked(self, validator: &mut Validator, key: Key, bytes: &mut [u8]) -> Result<(), Utf8Error> {
        // SAFETY: `utf8_kernels` asked the CPU.
        validator.feed_masked_by(|key, bytes| unsafe { self.0.unmask(key, bytes) }, key, bytes)
    }
}

impl fmt::Debug for Utf8Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
