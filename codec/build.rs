//! Names the vector sets that this target and this compiler have, one `cfg` for each. The code asks for a set by its
//! name only; a new set is one line in `vectors`.
//!
//! AVX-512 also needs a compiler with stable intrinsics for it, so Rust 1.89 or later. An older one (the manifest's
//! `rust-version` allows it) builds the crate without those kernels, and so does one whose version this script cannot
//! read. Inline assembly would work with any compiler, but AddressSanitizer does not see what assembly reads and
//! writes, and such kernels could not share their method with the others. A higher `rust-version` would exclude the
//! compilers of current distributions; a feature would be off for most users whom the kernels help.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs"); // Cargo itself watches the compiler and its flags

    let arch = |name| cfg("TARGET_ARCH").is_some_and(|arch| arch == name);
    let little_endian = cfg("TARGET_ENDIAN").is_some_and(|endian| endian == "little");
    let x86 = (arch("x86") || arch("x86_64")) && has_feature("sse2");
    let vectors = [
        ("framewire_x86_vectors", x86),
        ("framewire_avx512", x86 && minor_version().is_some_and(|minor| minor >= 89)),
        ("framewire_neon", arch("aarch64") && little_endian && has_feature("neon")),
    ];

    // The user can ask for portable kernels only: `RUSTFLAGS="--cfg framewire_portable"`.
    let portable = cfg("FRAMEWIRE_PORTABLE").is_some() || vectors.iter().all(|&(_, compiled)| !compiled);
    for (name, compiled) in vectors {
        declare(name, compiled && !portable);
    }
    declare("framewire_portable", portable);
}

fn declare(name: &str, holds: bool) {
    println!("cargo::rustc-check-cfg=cfg({name})");
    if holds {
        println!("cargo::rustc-cfg={name}");
    }
}

/// The value of this `cfg` of the target, if it has one.
fn cfg(key: &str) -> Option<String> {
    env::var(format!("CARGO_CFG_{key}")).ok()
}

/// Whether the compiler may use this feature everywhere. A target without vector registers (soft float) lacks it.
fn has_feature(name: &str) -> bool {
    cfg("TARGET_FEATURE").is_some_and(|features| features.split(',').any(|feature| feature == name))
}

/// The 95 of `rustc 1.95.0 (59807616e 2026-04-14)`. A pre-release (`1.89.0-nightly`) counts as the release before it:
/// it may be older than the features of its own release.
fn minor_version() -> Option<u32> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.strip_prefix("rustc 1.")?.split_whitespace().next()?;
    let minor: u32 = version.split('.').next()?.parse().ok()?;
    if version.contains('-') { minor.checked_sub(1) } else { Some(minor) }
}
