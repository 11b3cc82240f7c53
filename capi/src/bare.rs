//! What the compiler demands of a library without std.

/// Does not return: a panic is a bug of this library, which fuzzing never reached. The host's watchdog takes over.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
