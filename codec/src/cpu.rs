//! Which vector sets this CPU has: the only place that asks. It asks the CPU itself (CPUID, and XGETBV for the
//! operating system's consent), not std, so that runtime dispatch works without std.
//!
//! Detection stands only where the compiler may use vector registers at all: a kernel that must not touch vector
//! state builds for a soft-float target, and gets the word kernels. `--cfg framewire_portable` forces the same.

/// Whether the x86 kernels are compiled in.
macro_rules! cfg_x86 {
    ($($item:item)*) => {$(
        #[cfg(all(
            any(target_arch = "x86", target_arch = "x86_64"),
            target_feature = "sse2",
            not(framewire_portable)
        ))]
        $item
    )*};
}

/// Whether the AVX-512 kernels are compiled in, too: `build.rs` asks whether the compiler can.
macro_rules! cfg_avx512 {
    ($($item:item)*) => {$(
        #[cfg(all(
            any(target_arch = "x86", target_arch = "x86_64"),
            target_feature = "sse2",
            framewire_avx512,
            not(framewire_portable)
        ))]
        $item
    )*};
}

/// Whether the NEON kernels are compiled in. NEON is part of AArch64: there is nothing to detect.
macro_rules! cfg_neon {
    ($($item:item)*) => {$(
        #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little", not(framewire_portable)))]
        $item
    )*};
}

/// Whether there are no vector kernels at all.
macro_rules! cfg_word {
    ($($item:item)*) => {$(
        #[cfg(not(any(
            all(
                any(target_arch = "x86", target_arch = "x86_64"),
                target_feature = "sse2",
                not(framewire_portable)
            ),
            all(target_arch = "aarch64", target_feature = "neon", target_endian = "little", not(framewire_portable))
        )))]
        $item
    )*};
}

pub(crate) use {cfg_avx512, cfg_neon, cfg_word, cfg_x86};

cfg_x86! {
    cpufeatures::new!(avx2, "avx2");
    cpufeatures::new!(ssse3, "ssse3");

    /// Whether AVX2 may be used.
    #[inline]
    pub(crate) fn has_avx2() -> bool {
        avx2::get()
    }

    /// Whether SSSE3 may be used.
    #[inline]
    pub(crate) fn has_ssse3() -> bool {
        ssse3::get()
    }
}

cfg_avx512! {
    cpufeatures::new!(avx512, "avx2", "fma", "avx512f", "avx512bw", "avx512vbmi2");

    /// Whether AVX-512F and BW may be used, AVX2 and FMA beside them (which a compiler takes the first to include; and F16C,
    /// which every CPU with FMA has), and are worth it. VBMI2, of which nothing is used, tells CPUs that
    /// run vectors of 64 bytes at full speed (Intel's from Ice Lake on, AMD's from Zen 4 on) from those before, which
    /// lower their clock for a while when they meet one.
    #[inline]
    pub(crate) fn has_avx512() -> bool {
        avx512::get()
    }
}
