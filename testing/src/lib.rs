//! Code that the tests of framewire share, in this repository only.
//!
//! [`wire`] has frames and [`payload`] has payloads. The oracles compute the right results, and share no code with the
//! codec: [`rfc6455`], [`utf8`], [`rfc1951`], and `miniz` as a second one for DEFLATE. The hosts run the codec and
//! record the outcome: [`host`], and `deflate` with compression. [`callgrind`], `echo_cost` and [`allocations`] count.
//! [`miri`] has smaller bounds.
//!
//! [`raw`], `peer` and `blocking` are clients with sockets. `raw` does not use the codec. `peer` is for the tests of a
//! server, which `program` runs. `blocking` has compression, for the interoperability tests.

pub mod allocations;
#[cfg(feature = "clients")]
pub mod blocking;
pub mod callgrind;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(all(feature = "server", unix))]
pub mod echo_cost;
pub mod host;
#[cfg(feature = "deflate")]
pub mod miniz;
pub mod miri;
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
