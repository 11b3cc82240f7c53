//! Says `--cfg framewire_avx512` where the compiler has stable intrinsics for AVX-512: from Rust 1.89 on. An older one,
//! down to the `rust-version` of the manifest, builds the crate without those kernels, and so does one that says of itself
//! what is not understood here.
//!
//! Inline assembly would do without this on any compiler. But AddressSanitizer sees nothing of what it reads and writes,
//! and the kernels would not share their methods (`src/mask/overlap.rs`, `src/utf8/lookup.rs`) with the others. A higher
//! `rust-version` would shut out the compilers of current distributions, and a feature would be off where it helps.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs"); // the compiler is watched by Cargo itself
    println!("cargo::rustc-check-cfg=cfg(framewire_avx512)");
    if minor_version().is_some_and(|minor| minor >= 89) {
        println!("cargo::rustc-cfg=framewire_avx512");
    }
}

/// The 95 of `rustc 1.95.0 (59807616e 2026-04-14)`. What comes before a release (`1.89.0-nightly`) counts as the
/// release before it, since it may be older than what was new in it.
fn minor_version() -> Option<u32> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.strip_prefix("rustc 1.")?.split_whitespace().next()?;
    let minor: u32 = version.split('.').next()?.parse().ok()?;
    if version.contains('-') { minor.checked_sub(1) } else { Some(minor) }
}
