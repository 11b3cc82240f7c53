//! RFC 6455 after the handshake: frames, connections, and stages.

mod arbitrary;
mod attack;
mod bad_input;
mod cuts;
mod errors;
mod header;
mod in_place;
mod lent;
#[cfg(feature = "std")]
mod outbox;
#[cfg(feature = "bytes")]
mod owned;
mod peers;
#[cfg(feature = "alloc")]
mod reading;
mod rfc6455;
mod sending;
#[cfg(target_pointer_width = "64")]
mod sizes;
#[cfg(feature = "alloc")]
mod stages;
mod values;
