//! Which vector sets this CPU has. No other file asks.
//!
//! The answer comes from the CPU itself (CPUID, and XGETBV for the operating system's consent) and not from std, so the
//! choice at run time works without std. Only sets that `build.rs` named are asked for: a target whose compiler may not
//! use vector registers (soft float) has none.

#[cfg(framewire_x86_vectors)]
cpufeatures::new!(ssse3, "ssse3");
#[cfg(framewire_x86_vectors)]
cpufeatures::new!(avx2, "avx2");
#[cfg(framewire_avx512)]
cpufeatures::new!(avx512, "avx2", "fma", "avx512f", "avx512bw", "avx512vbmi2");

/// Whether the CPU has SSSE3.
#[cfg(framewire_x86_vectors)]
#[inline]
pub(crate) fn has_ssse3() -> bool {
    ssse3::get()
}

/// Whether the CPU has AVX2.
#[cfg(framewire_x86_vectors)]
#[inline]
pub(crate) fn has_avx2() -> bool {
    avx2::get()
}

/// Whether the CPU has AVX-512F and BW, and is fast with them.
///
/// The compiler takes AVX-512F to include AVX2, FMA and F16C; the first two are asked for, and every CPU with FMA has
/// the third. No kernel uses VBMI2: it tells CPUs that run vectors of 64 bytes at full speed (Intel from Ice Lake on,
/// AMD from Zen 4 on) from older ones, which lower their clock for a while after such a vector.
#[cfg(framewire_avx512)]
#[inline]
pub(crate) fn has_avx512() -> bool {
    avx512::get()
}
