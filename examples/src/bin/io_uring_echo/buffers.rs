//! The ring of buffers into which the kernel receives, for all connections.
#![allow(unsafe_code)] // the kernel writes to this memory

use io_uring::{IoUring, types::BufRingEntry};
use std::{
    alloc::{self, Layout},
    io,
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicU16, Ordering},
};

/// The bytes of a buffer. A large message needs fewer completions with larger ones.
pub(crate) const SIZE: usize = 32 << 10;

/// Buffers, and the ring through which the kernel gets those that are free. Both are never freed: the kernel may write to them as long
/// as the process lives.
pub(crate) struct Buffers {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    /// A power of two.
    count: u16,
    /// How many buffers were given in all, which wraps.
    tail: u16,
}

impl Buffers {
    /// The number by which operations name this ring.
    pub(crate) const GROUP: u16 = 0;

    /// Registers at least so many buffers, and gives all of them to the kernel.
    pub(crate) fn register(uring: &IoUring, count: u16) -> io::Result<Self> {
        let count = count.clamp(1, 1 << 15).next_power_of_two();
        let entries = allocate(usize::from(count) * size_of::<BufRingEntry>())?;
        let memory = allocate(usize::from(count) * SIZE)?;
        // SAFETY: the memory is zeroed, begins with a page, has so many entries, and is never freed.
        unsafe {
            uring.submitter().register_buf_ring_with_flags(entries.as_ptr() as u64, count, Self::GROUP, 0)?;
        }
        let mut buffers = Self { ring: entries.cast(), memory, count, tail: 0 };
        (0..count).for_each(|number| buffers.give(number));
        Ok(buffers)
    }

    /// The first `n` bytes of a buffer that the kernel has filled.
    pub(crate) fn filled(&mut self, number: u16, n: usize) -> &mut [u8] {
        // SAFETY: the buffer is valid and initialised. Nothing else has a reference to it: this one borrows all buffers, and the
        // kernel, which has reported the number, leaves the buffer alone until it is given back.
        unsafe { slice::from_raw_parts_mut(self.start(number), n.min(SIZE)) }
    }

    /// Gives a buffer to the kernel, which may write to it from now on. It must have been reported since it was last given.
    pub(crate) fn give(&mut self, number: u16) {
        let start = self.start(number) as u64;
        let place = usize::from(self.tail & (self.count - 1));
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the place is one of `count` entries. The kernel reads no entry that is not before its tail, so it does not read this
        // one while it is written: the ring has as many entries as there are buffers. The tail itself lies in a part of the first entry
        // that the three setters leave alone.
        unsafe {
            let entry = &mut *self.ring.as_ptr().add(place);
            entry.set_addr(start);
            entry.set_len(SIZE as u32);
            entry.set_bid(number);
            let tail = BufRingEntry::tail(self.ring.as_ptr());
            AtomicU16::from_ptr(tail.cast_mut()).store(self.tail, Ordering::Release);
        }
    }

    fn start(&self, number: u16) -> *mut u8 {
        assert!(number < self.count, "the kernel reports a buffer that it has");
        // SAFETY: the memory has `count` buffers.
        unsafe { self.memory.as_ptr().add(usize::from(number) * SIZE) }
    }
}

/// Zeroed memory that begins with a page.
fn allocate(bytes: usize) -> io::Result<NonNull<u8>> {
    let layout = Layout::from_size_align(bytes, 4096).map_err(io::Error::other)?;
    // SAFETY: there is at least one buffer, so the size is not zero.
    NonNull::new(unsafe { alloc::alloc_zeroed(layout) }).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}
