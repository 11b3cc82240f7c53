//! Each kernel by itself, for the tests, benches and fuzz targets of this workspace. Not part of the API: it may change in
//! any release.
#![allow(unsafe_code)] // dispatch by hand

use crate::mask::{self, Key};
pub use crate::utf8::kernel::{Kernel as Utf8Kernel, kernels as utf8_kernels};

/// The masking kernels that this CPU can run, the slowest first.
pub fn mask_kernels() -> impl Iterator<Item = MaskKernel> {
    mask::KERNELS.iter().filter(|kernel| kernel.is_available()).map(MaskKernel)
}

/// A masking kernel that this CPU can run. [`mask_kernels`] makes all there are.
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
        // SAFETY: `bytes` is valid for reads and writes of its length; `mask_kernels` asked the CPU.
        unsafe { self.0.mask(key, at, at, bytes.len()) }
    }

    /// [`mask::apply_to`] by this kernel.
    pub fn apply_to(self, key: Key, from: &[u8], to: &mut [u8]) -> usize {
        let len = from.len().min(to.len());
        // SAFETY: both are valid for `len` bytes; a `&mut` and a `&` do not overlap; `mask_kernels` asked the CPU.
        unsafe { self.0.mask(key, from.as_ptr(), to.as_mut_ptr(), len) }
        len
    }
}
