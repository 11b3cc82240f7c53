//! What the tests of framewire share, in this repository only.
//!
//! Below are frames ([`wire`]) and payloads ([`payload`]). The oracles say what the codec should do, and share no code
//! with it: [`rfc6455`], [`utf8`], [`rfc1951`], and `miniz` for DEFLATE once more. The hosts run the codec and record what comes
//! out: [`host`], and `deflate` with compression. [`callgrind`] and [`allocations`] count.
//!
//! [`raw`], `peer` and `blocking` are clients with sockets: the first without the codec, the second for the tests of a
//! server, which `program` runs, the third with compression, for the interoperability tests.

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
#[cfg(all(feature = "server", unix))]
pub mod peer;
#[cfg(all(feature = "server", unix))]
pub mod program;
pub mod raw;
pub mod rfc1951;
pub mod rfc6455;
pub mod utf8;
pub mod wire;
