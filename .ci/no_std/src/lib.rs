//! Proof that framewire's levels 1 to 3 work where there is neither std nor alloc.
//!
//! This library has a panic handler of its own, so std anywhere in the graph is a duplicate lang item (E0152), and
//! no global allocator, so alloc anywhere in the graph is an error as well. `cargo build --no-default-features` of
//! the codec proves neither: on a host it passes with a dependency that links std. main.c links and runs it.
#![no_std]

use core::hint::black_box;
use framewire::{mask, utf8};

/// What is run, by number: the public API of each level, really called. A new level gets a line here.
const CHECKS: &[fn() -> bool] = &[masking, validation];

fn masking() -> bool {
    let key = mask::Key::new([0x37, 0xfa, 0x21, 0x3d]);
    let mut bytes = black_box(*b"\x7f\x9f\x4d\x51\x58"); // the masked "Hello" of RFC 6455 §5.7
    mask::apply(key, &mut bytes);
    bytes == *b"Hello"
}

fn validation() -> bool {
    let mut validator = utf8::Validator::new();
    utf8::validate(black_box("héllo".as_bytes())).is_ok()
        && utf8::validate(black_box(b"\xff")).is_err()
        && validator.feed(black_box(b"hello")).is_ok()
        && validator.finish().is_ok()
}

/// Runs every check and returns the number of the first that failed, counted from 1, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn framewire_checks() -> i32 {
    let failed = CHECKS.iter().position(|check| !check());
    failed.map_or(0, |i| i as i32 + 1)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Memory that is handed out once and never taken back: enough for the checks.
#[cfg(feature = "allocator")]
mod allocator {
    use core::alloc::{GlobalAlloc, Layout};
    use core::cell::UnsafeCell;
    use core::ptr::null_mut;
    use core::sync::atomic::{AtomicUsize, Ordering};

    const SIZE: usize = 1 << 16;

    #[repr(align(16))]
    struct Bump {
        memory: UnsafeCell<[u8; SIZE]>,
        used: AtomicUsize,
    }

    // SAFETY: `memory` is reached only through `alloc`, which hands out each byte once.
    unsafe impl Sync for Bump {}

    // SAFETY: what `alloc` returns lies inside `memory`, is aligned, and overlaps nothing handed out before.
    unsafe impl GlobalAlloc for Bump {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let room = layout.size() + layout.align();
            let start = self.used.fetch_add(room, Ordering::Relaxed);
            if start + room > SIZE {
                return null_mut();
            }
            let byte = self.memory.get().cast::<u8>().wrapping_add(start);
            byte.wrapping_add(byte.align_offset(layout.align()))
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[global_allocator]
    static ALLOCATOR: Bump = Bump { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };
}
