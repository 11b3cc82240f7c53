//! The validating kernels that this target compiles, one file each.

use super::kernel::Kernel;

#[cfg(framewire_x86_vectors)]
mod avx2;
#[cfg(framewire_avx512)]
mod avx512;
#[cfg(framewire_neon)]
pub(super) mod neon;
#[cfg(framewire_x86_vectors)]
pub(super) mod ssse3;
mod word;

/// The slowest first. Dispatch takes the last one that the CPU can run; tests, benches and fuzz targets run each.
pub(crate) const KERNELS: &[Kernel] = &[
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
