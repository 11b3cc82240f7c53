//! What holds for every input.
//!
//! Each module has one `check`, which takes any bytes and panics where a promise is broken. The programs in
//! `fuzz_targets` hand it to libFuzzer; `tests/seeds.rs` runs it over the seeds, on any compiler. What an input stands
//! for is read from its front by an [`input::Input`], so that seeds can be written, and read, as bytes.
//!
//! The oracles are those of the codec's own tests, in `framewire-testing`: RFC 6455, UTF-8 and RFC 1951, each read slowly,
//! simdutf8, and flate2.

mod input;
mod meter;
mod room;

pub mod seeds;

pub mod connection;
pub mod decoder;
pub mod deflate;
pub mod handshake;
pub mod header;
pub mod inflate;
pub mod mask;
pub mod tungstenite;
pub mod utf8;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("header", header::check),
    ("decoder", decoder::check),
    ("connection", connection::check),
    ("mask", mask::check),
    ("utf8", utf8::check),
    ("handshake", handshake::check),
    ("inflate", inflate::check),
    ("deflate", deflate::check),
    ("tungstenite", tungstenite::check),
];
