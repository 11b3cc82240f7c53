//! Proves that framewire's levels 1 to 3 work without std and alloc.
//!
//! This library has its own panic handler, so linking std anywhere in the graph is a duplicate lang item (E0152). It has no
//! global allocator, so linking alloc anywhere in the graph is an error as well. `cargo build --no-default-features` of
//! the codec proves neither: on a host, it passes with a dependency that links std. main.c links this library and runs it.
#![no_std]

// The example itself, by its path: an example cannot be a dependency, and this file itself must need neither std nor an
// allocator.
#[cfg(feature = "device")]
#[path = "../../../codec/examples/embedded/device.rs"]
mod device;

use core::hint::black_box;
use framewire::{
    Client, CloseCode, Connection, Decoder, Event, Kind, Server, State, Unmasked, frame, mask, utf8,
};

/// The checks, by number: each really calls the public API of a level. A new level gets a line here.
const CHECKS: &[fn() -> bool] = &[masking, validation, frames, chunks, a_server, a_client, a_device];

/// The masked "Hello" of RFC 6455 §5.7.
const HELLO: [u8; 11] = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

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

fn frames() -> bool {
    let mut wire = black_box(HELLO);
    let taken = frame::take(&mut &mut wire[..]);
    matches!(taken, Ok(Some((header, text))) if text == b"Hello" && header.encode()[..] == HELLO[..6])
}

fn chunks() -> bool {
    let mut wire = black_box(HELLO);
    let (mut decoder, mut taken) = (Decoder::new(), 0);
    for mut input in wire.chunks_mut(3) {
        while let Ok(Some(chunk)) = decoder.decode(&mut input) {
            taken += chunk.bytes.len();
        }
    }
    taken == 5 && decoder.is_between_frames()
}

/// Whole and cut messages: a ping among fragments, and a close.
fn a_server() -> bool {
    let wire = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x01\x81\0\0\0\0H\x89\x84\0\0\0\0ping\x80\x81\0\0\0\0i\x88\x82\0\0\0\0\x03\xe8";
    [1, 7, wire.len()].iter().all(|&size| {
        let mut wire = black_box(wire);
        let mut connection = Connection::<Server>::new();
        let (mut text, mut replies) = (0, 0);
        for mut input in wire.chunks_mut(size) {
            loop {
                match connection.receive(&mut input) {
                    Ok(Some(event)) => {
                        replies += connection.reply(&event, Unmasked).map_or(0, |frame| frame.len());
                        text += match event {
                            Event::Text(text) => text.len(),
                            Event::Part(part) => part.bytes().len(),
                            _ => 0,
                        };
                    }
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
        }
        text == 7 && replies == 6 + 4 && connection.state() == State::Closed
    })
}

fn a_client() -> bool {
    let key = || mask::Key::new([0x37, 0xfa, 0x21, 0x3d]);
    let mut connection = Connection::<Client>::new();
    let mut payload = black_box(*b"Hello");
    let sent = connection
        .header_in_place(Kind::Text, &mut payload, key())
        .is_ok_and(|header| header[..] == HELLO[..6]);
    let refused = connection.header_in_place(Kind::Text, &mut black_box(*b"\xff"), key()).is_err();
    let message = connection.message_header(Kind::Binary, frame::Rsv::NONE, 70_000, key()).is_ok();
    let closed = connection.close(CloseCode::NORMAL, "", key()).is_ok();
    sent && refused && message && closed && payload == HELLO[6..]
}

/// The example `embedded`, from its handshake to its close.
#[cfg(feature = "device")]
fn a_device() -> bool {
    struct Wire {
        rest: &'static [u8],
        written: usize,
    }
    impl device::Link for Wire {
        type Error = ();
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
            let n = self.rest.len().min(buffer.len()).min(50);
            buffer[..n].copy_from_slice(&self.rest[..n]);
            self.rest = &self.rest[n..];
            Ok(n)
        }
        fn write_all(&mut self, bytes: &[u8]) -> Result<(), ()> {
            self.written += bytes.len();
            Ok(())
        }
    }
    let mut wire = Wire {
        rest: black_box(
            b"GET / HTTP/1.1\r\nHost: lamp\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
            \x81\x87\0\0\0\0lamp on\x88\x82\0\0\0\0\x03\xe8",
        ),
        written: 0,
    };
    let answers = 129 + (2 + "the lamp is on".len()) + 4; // the 101, a text, the close
    device::Device::new().serve(&mut wire).is_ok() && wire.written == answers
}

#[cfg(not(feature = "device"))]
fn a_device() -> bool {
    true
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

/// Memory that is given out once and never taken back. It is enough for the checks.
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

    // SAFETY: only `alloc` accesses `memory`, and it gives out each byte once.
    unsafe impl Sync for Bump {}

    // SAFETY: the result of `alloc` lies inside `memory`, is aligned, and overlaps nothing given out before.
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
