//! permessage-deflate (RFC 7692). These tests are here, and not in the codec, as they need what is shared with `deflate`
//! on: the codec's own tests are also run without it.

use framewire_testing::allocations::Counting;

mod both_ends;
mod memory;
mod receiving;

#[global_allocator]
static COUNTING: Counting = Counting;
