//! Completion-based I/O: an echo server on io_uring. `cargo run --bin io_uring_echo [ADDR [BUFFERS [ENTRIES]]]`, on Linux 6.1 or
//! newer. If the kernel refuses io_uring, as in many containers, the program says so and ends.
//!
//! With readiness, one receive buffer serves all connections. With completions, the kernel needs memory before bytes arrive. Here, one
//! ring of buffers serves all connections: the kernel takes a buffer when bytes have arrived, and the program gives it back once they are
//! decoded, so an idle connection holds none.
//!
//! ```text
//! server    the loop: submits operations, and passes what has completed to the peers
//! peer      a connection: what it has in flight, what waits to be sent, when it ends
//! buffers   the ring of buffers
//! ```
//!
//! It has no timeouts: a peer that never closes its side keeps its socket.

#[cfg(target_os = "linux")]
mod buffers;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod server;

fn main() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    server::run()?;
    #[cfg(not(target_os = "linux"))]
    println!("skipped: io_uring is Linux's");
    Ok(())
}
