//! A WebSocket echo server on the library framewire_mio.
//!
//! ```text
//! log_lines     the lines of the log
//! log_queue     a queue for them, so that they delay no loop
//! access        the access log
//! metrics       the page /metrics
//! tls           the options of TLS, and the certificate
//! health        the client of --health-check
//! options       the command line, and the banner
//! bad           violations of the protocol by name
//! check_client  leads a client through these
//! behaviours    what a connection does if its URL asks for it
//! echo          the handler
//! signals       SIGINT, SIGTERM and SIGQUIT
//! report        the line of statistics
//! threads       several servers, each on a thread of its own
//! ```

mod access;
mod bad;
mod behaviours;
mod check_client;
mod echo;
mod health;
mod log_lines;
mod log_queue;
mod metrics;
mod options;
mod report;
mod signals;
mod threads;
#[cfg(feature = "tls")]
mod tls;

use access::AccessLog;
use behaviours::Behaviours;
use echo::Echo;
use framewire_mio::{Listener, Server};
use log_queue::LogQueue;
use metrics::Metrics;
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
    let (outcome, failure) = match &options.health_check {
        Some(server) => (server.check().map(|()| ExitCode::SUCCESS), ExitCode::FAILURE),
        None if options.check_client => {
            (with_log(&options, |options, _| check_client::run(options)), check_client::UNFINISHED.into())
        }
        None => (with_log(&options, run).map(|()| ExitCode::SUCCESS), ExitCode::FAILURE),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("framewire-echo: {error}");
        failure
    })
}

/// Starts the log, does this, and ends the log.
fn with_log<T>(
    options: &Options,
    what: impl FnOnce(&Options, Option<&LogQueue>) -> io::Result<T>,
) -> io::Result<T> {
    let log = start_log(options)?;
    let outcome = what(options, log.as_ref());
    log.iter().for_each(LogQueue::finish);
    outcome
}

/// Starts the log. If there is an access log, it has a queue.
fn start_log(options: &Options) -> io::Result<Option<LogQueue>> {
    let mut builder = env_logger::Builder::new();
    let format = options.log_format;
    builder.filter_level(options.log).format(move |out, record| {
        let time = out.timestamp_millis();
        format.write(out, time, record)
    });
    let queue = if options.access_log {
        let queue = LogQueue::start(io::stderr())?;
        builder.filter_module(access::TARGET, log::LevelFilter::Info);
        builder.target(env_logger::Target::Pipe(Box::new(queue.clone())));
        Some(queue)
    } else {
        None
    };
    builder.parse_default_env().init();
    Ok(queue)
}

fn run(options: &Options, log: Option<&LogQueue>) -> io::Result<()> {
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
    let metrics = options.metrics.then(|| Arc::new(Metrics::new(options.limits())));
    let mut servers = Vec::new();
    #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS adds listeners"))]
    let mut lists = Listener::bind(&options.listen, options.threads, &config)?;
    #[cfg(feature = "tls")]
    let certificate = options.tls.bind(&mut lists, &config)?;
    for (number, listeners) in lists.into_iter().enumerate() {
        options.check_listeners(&listeners).map_err(io::Error::other)?;
        let echo = Echo {
            behaviours: behaviours.clone(),
            metrics: metrics.clone(),
            access: options.access_log.then_some(AccessLog { number }),
            log: log.cloned(),
            ..Echo::default()
        };
        servers.push(Server::new(config.clone(), listeners, echo)?);
    }
    if let Some(metrics) = &metrics {
        metrics.set_loops(servers.iter().map(Server::stats).collect());
    }
    let stop = StopAll::new(&servers);
    signals::stop_at_the_first(stop.handles())?;
    #[cfg(feature = "tls")]
    let description = certificate.as_ref().map(tls::Certificate::describe);
    #[cfg(not(feature = "tls"))]
    let description: Option<String> = None;
    #[cfg(feature = "tls")]
    if let Some(certificate) = certificate {
        certificate.reload_at_sighup()?; // before the banner, after which a SIGHUP may come
    }
    // If standard output is closed, the server runs all the same.
    let banner = options.banner(servers[0].listeners(), description.as_deref());
    let _ = io::stdout().write_all(banner.as_bytes());
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
