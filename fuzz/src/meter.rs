//! How much memory a thread holds.

use framewire_testing::allocations::{Counting, counted};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Adds up the memory that calls keep, and the most that is held during one of them.
#[derive(Default)]
pub(crate) struct Meter {
    held: isize,
    peak: isize,
}

impl Meter {
    /// Makes a call, and counts what it allocates and frees.
    pub(crate) fn run<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let (result, counts) = counted(call);
        self.peak = self.peak.max(self.held + counts.peak);
        self.held += counts.held;
        result
    }

    /// The most bytes that were held at once.
    pub(crate) fn peak(&self) -> usize {
        self.peak.max(0).cast_unsigned()
    }
}
