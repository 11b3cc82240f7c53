//! What the tests of framewire share, in this repository only.
//!
//! Below are frames ([`wire`]) and payloads ([`payload`]). The oracles say what the codec should do, and share no code
//! with it: [`rfc6455`], [`utf8`], [`rfc1951`], and `miniz` for DEFLATE once more. The hosts run the codec and record what comes
//! out: [`host`], and `deflate` with compression. [`callgrind`] and [`allocations`] count.
//!
//! [`raw`] and `blocking` are clients with sockets: one without the codec, one on it.

pub mod allocations;
#[cfg(feature = "clients")]
pub mod blocking;
pub mod callgrind;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod host;
#[cfg(feature = "deflate")]
pub mod miniz;
pub mod payload;
pub mod raw;
pub mod rfc1951;
pub mod rfc6455;
pub mod utf8;
pub mod wire;
