//! permessage-deflate (RFC 7692). These tests are not in the codec: they need the shared code with the feature
//! `deflate`, and the codec's own tests also run without it.

use framewire_testing::allocations::Counting;

mod both_ends;
mod memory;
mod owned;
mod pools;
mod receiving;
mod steps;

#[global_allocator]
static COUNTING: Counting = Counting;
