//! Checks that hold for every input.
//!
//! Each module has one function `check`, which takes any bytes and panics if a promise is broken. The programs in
//! `fuzz_targets` pass it to libFuzzer; `tests/seeds.rs` runs it on the seeds, with any compiler. An [`input::Input`]
//! reads the meaning of an input from its front, so that seeds can be written, and read, as bytes.
//!
//! The oracles are those of the codec's own tests, in `framewire-testing`: slow readers of RFC 6455, UTF-8 and RFC 1951,
//! simdutf8, and miniz_oxide.

mod input;
mod meter;
mod room;

pub mod cost;
pub mod seeds;

pub mod capi;
pub mod connection;
pub mod decoder;
pub mod deflate;
pub mod handshake;
pub mod header;
pub mod inflate;
pub mod mask;
pub mod tungstenite;
pub mod utf8;

/// A target: its name, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 10] = [
    ("header", header::check),
    ("decoder", decoder::check),
    ("connection", connection::check),
    ("capi", capi::check),
    ("mask", mask::check),
    ("utf8", utf8::check),
    ("handshake", handshake::check),
    ("inflate", inflate::check),
    ("deflate", deflate::check),
    ("tungstenite", tungstenite::check),
];
