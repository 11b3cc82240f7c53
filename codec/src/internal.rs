//! What the tests, benches and fuzz targets of this workspace reach for. Not part of the API: it may change in any
//! release.

pub use crate::mask::kernel::{KERNELS as MASK_KERNELS, Kernel as MaskKernel};
pub use crate::utf8::kernel::{Kernel as Utf8Kernel, kernels as utf8_kernels};
