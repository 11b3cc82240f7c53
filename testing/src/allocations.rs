//! An allocator that counts, for a test program to install:
//!
//! ```text
//! #[global_allocator]
//! static COUNTING: Counting = Counting;
//! ```
//!
//! It counts for each thread, so tests may run at the same time.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};
use std::alloc::System;

/// The allocator of the system, with counters.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

/// How some work changed the memory of its thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it allocated.
    pub allocated: usize,
    /// How often it gave memory back.
    pub freed: usize,
    /// How many bytes it asked for in all, also those that it gave back.
    pub asked: usize,
    /// How many bytes more than before its thread holds.
    pub held: isize,
    /// How many bytes more than before its thread held at most.
    pub peak: isize,
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocated: 0, freed: 0, asked: 0, held: 0, peak: 0 }) };
}

/// Does some work, and counts its allocations.
pub fn counted<T>(work: impl FnOnce() -> T) -> (T, Counts) {
    let outer = COUNTS.take();
    let result = work();
    let counts = COUNTS.get();
    COUNTS.set(Counts {
        allocated: outer.allocated + counts.allocated,
        freed: outer.freed + counts.freed,
        asked: outer.asked + counts.asked,
        held: outer.held + counts.held,
        peak: outer.peak.max(outer.held + counts.peak),
    });
    (result, counts)
}

/// How many bytes this thread has allocated and not freed. Memory of another thread that is freed here is subtracted,
/// so only the difference of two such numbers means something.
pub fn held() -> isize {
    COUNTS.get().held
}

fn count(allocated: usize, freed: usize, asked: usize, given: usize) {
    // A thread that ends frees memory after its counters are gone.
    let _ = COUNTS.try_with(|counts| {
        let now = counts.get();
        let held = now.held + asked as isize - given as isize;
        counts.set(Counts {
            allocated: now.allocated + allocated,
            freed: now.freed + freed,
            asked: now.asked + asked,
            held,
            peak: now.peak.max(held),
        });
    });
}

#[allow(unsafe_code, reason = "an allocator can be written in no other way")]
// SAFETY: the system allocator does all work, and keeps the contract. Counting touches no memory of the callers, and
// does not allocate: the counters are `Cell`s without a destructor and with a constant start.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, 0, layout.size(), 0);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, 0, layout.size(), 0);
        // SAFETY: the caller keeps `alloc_zeroed`'s contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, 1, 0, layout.size());
        // SAFETY: the caller keeps `dealloc`'s contract, which is the same: `at` came from an allocation here.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, 1, size, layout.size());
        // SAFETY: the caller keeps `realloc`'s contract, which is the same: `at` came from an allocation here.
        unsafe { System.realloc(at, layout, size) }
    }
}
