//! A WebSocket echo server on the framewire codec.
//!
//! ```text
//! options ──▶ main ──▶ server (the loop: poll, accept, sweep) ──▶ session (one peer)
//!                        listener, signals, stats                   site      what a head gets: a 101, a page, an error
//!                                                                   handler   what a message gets: here, itself
//!                                                                   reply     the way back, for the handler
//!                                                                   outbox    the replies of one readiness event
//!                                                                   backlog   what the socket would not take yet
//!                                                                   shared    the receive buffer, pools; compression
//! ```
//!
//! The codec is used as any host would use it: whoever replaces `handler.rs` has another server, as fast as this one.

// In a program, `pub` is what a module shows to the others.
#![allow(unreachable_pub)]

mod backlog;
mod compression;
mod handler;
mod listener;
mod options;
mod outbox;
mod reply;
mod server;
mod session;
mod shared;
mod signals;
mod site;
mod socket;
mod stats;

use options::Options;
use server::Server;
use signals::Signals;
use stats::Stats;
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    thread,
};

fn main() -> ExitCode {
    let options = Options::parse_and_check();
    env_logger::Builder::new()
        .filter_level(options.log)
        .parse_default_env()
        .format_timestamp_millis()
        .format_target(false)
        .init();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("framewire-echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    // A connection is a file descriptor. The soft limit is low for the sake of programs that use select(2).
    #[cfg(unix)]
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < options.max_connections.get() as u64 => {
            log::info!("the limit on open files is {files}: further connections wait");
        }
        Ok(_) => {}
        Err(error) => log::warn!("cannot raise the limit on open files: {error}"),
    }
    let config = Arc::new(options.config());
    let mut loops = Vec::new();
    for listeners in listener::bind(&options)? {
        loops.push(Server::new(config.clone(), listeners, Signals::new()?)?);
    }
    signals::exit_at_the_second()?;
    // Who started it with its output closed does not want to know.
    let _ = io::stdout().write_all(options.banner(loops[0].listeners()).as_bytes());
    let stats: Vec<Arc<Stats>> = loops.iter().map(|server| server.stats()).collect();
    if let Some(period) = options.stats_period() {
        // Not a loop's work: it would stop when they are busiest.
        thread::Builder::new().name("stats".into()).spawn(move || stats::report(&stats, period))?;
    }

    // One loop stays on this thread; usually it is the only one.
    let first = loops.remove(0);
    let others = loops
        .into_iter()
        .map(|server| thread::Builder::new().spawn(move || server.run()))
        .collect::<io::Result<Vec<_>>>()?;
    let mut outcome = first.run();
    for thread in others {
        let other = thread.join().unwrap_or_else(|_| Err(io::Error::other("a loop panicked")));
        outcome = outcome.and(other);
    }
    outcome
}
