//! Masking and UTF-8 validation: every kernel, and the public functions above them, against oracles.

mod mask;
mod utf8;
