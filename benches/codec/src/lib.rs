//! Compares framewire's codec with its peers and with loops written by hand: in one process, on the same bytes, taking
//! turns.
//!
//! [`groups`] has the lazily built [`Case`](work::Case)s: each is a piece of work and all contenders that can do it. Two
//! programs run them: `benches/codec.rs` passes them to Criterion, and the program `table` (`src/main.rs`) lets the
//! contenders take turns ([`rounds`]) and prints one table ([`table`]).
//!
//! The peers implement one trait, [`peer::Peer`]: a file each in `peers/`, and a line each in [`peers::PEERS`].
//! `tests/peers.rs` checks that they do the work that is measured.

pub mod batch;
pub mod groups;
pub mod peer;
pub mod peers;
pub mod rounds;
pub mod socket;
pub mod table;
pub mod work;
