//! A WebSocket echo server on the library framewire_mio.
//!
//! ```text
//! options       the command line, and the banner
//! bad           violations of the protocol by name
//! check_client  leads a client through these
//! behaviours    what a connection does if its URL asks for it
//! echo          the handler
//! signals       SIGINT, SIGTERM and SIGQUIT
//! report        the line of statistics
//! threads       several servers, each on a thread of its own
//! ```

mod bad;
mod behaviours;
mod check_client;
mod echo;
mod options;
mod report;
mod signals;
mod threads;

use behaviours::Behaviours;
use echo::Echo;
use framewire_mio::{Listener, Server};
use options::Options;
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    thread,
};
use threads::StopAll;

fn main() -> ExitCode {
    let options = Options::parse_and_check();
    env_logger::Builder::new()
        .filter_level(options.log)
        .parse_default_env()
        .format_timestamp_millis()
        .format_target(false)
        .init();
    let (outcome, failure) = if options.check_client {
        (check_client::run(&options), check_client::UNFINISHED.into())
    } else {
        (run(&options).map(|()| ExitCode::SUCCESS), ExitCode::FAILURE)
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("framewire-echo: {error}");
        failure
    })
}

fn run(options: &Options) -> io::Result<()> {
    // Each connection is a file descriptor. The default soft limit is low only because select(2) needs that.
    #[cfg(unix)]
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < options.max_connections.get() as u64 => {
            log::info!("at most {files} files can be open: more connections wait");
        }
        Ok(_) => {}
        Err(error) => log::warn!("cannot raise the limit on open files: {error}"),
    }
    let config = Arc::new(options.config());
    let behaviours = options.behaviours.then(|| Arc::new(Behaviours::new(config.clone())));
    let mut servers = Vec::new();
    for listeners in Listener::bind(&options.listen, options.threads, &config)? {
        options.check_listeners(&listeners).map_err(io::Error::other)?;
        servers.push(Server::new(config.clone(), listeners, Echo::new(behaviours.clone()))?);
    }
    let stop = StopAll::new(&servers);
    signals::stop_at_the_first(stop.handles())?;
    // If standard output is closed, the server runs all the same.
    let _ = io::stdout().write_all(options.banner(servers[0].listeners()).as_bytes());
    if let Some(period) = options.stats_period() {
        let stats: Vec<_> = servers.iter().map(Server::stats).collect();
        // On a thread of its own: a busy server cannot delay it.
        thread::Builder::new().name("stats".into()).spawn(move || report::report(&stats, period))?;
    }
    let outcome = threads::run(servers, &stop);
    if let Some(behaviours) = behaviours {
        behaviours.stop(); // already done, unless the servers ended by an error
        behaviours.wait();
    }
    outcome
}
