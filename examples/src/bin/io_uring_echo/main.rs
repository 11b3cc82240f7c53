//! Completion-based I/O: an echo server on io_uring. `cargo run --bin io_uring_echo [ADDR]`, on Linux. If the kernel refuses
//! io_uring, as in many containers, the program says so and ends.

#[cfg(target_os = "linux")]
mod server;

fn main() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    server::run()?;
    #[cfg(not(target_os = "linux"))]
    println!("skipped: io_uring is Linux's");
    Ok(())
}
