//! What framewire's codec costs, beside its peers and beside what one would write by hand: in one process, on the same
//! bytes, taking turns.
//!
//! [`groups`] has what is measured: lazily built [`Case`](work::Case)s, each a piece of work and all who can do it. Two
//! programs go through them: `benches/codec.rs` hands them to Criterion, and the program `table` (`src/main.rs`) lets the
//! contenders take turns ([`rounds`]) and prints one table ([`table`]).
//!
//! The peers stand behind one trait, [`peer::Peer`], a file each in `peers/`, and a line each in [`peers::PEERS`].
//! `tests/peers.rs` shows that they do the work which is measured.

pub mod batch;
pub mod groups;
pub mod peer;
pub mod peers;
pub mod rounds;
pub mod socket;
pub mod table;
pub mod work;
