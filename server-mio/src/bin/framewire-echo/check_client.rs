//! `--check-client`: waits for a client, leads it through all cases of [`bad`], and reports which it accepts.
//!
//! ```text
//! results   what each client did in each case
//! report    the same as a table and as JSON
//! checker   serves connections: cases, and answers in Autobahn's protocol
//! ```

mod checker;
mod report;
mod results;

use crate::{bad, options::Options, signals};
use checker::Checker;
use framewire_mio::Address;
use results::{Agent, Results};
use std::{
    fs,
    io::{self, Write},
    net::TcpListener,
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// The exit code if the client was lenient somewhere.
const LENIENT: u8 = 1;
/// The exit code if the client has not had all cases. (The command line's errors have 2.)
pub(crate) const UNFINISHED: u8 = 3;

/// How long the next connection may take, once there was one.
const IDLE: Duration = Duration::from_secs(60);

/// What happens while the program waits.
enum Event {
    /// A connection has begun or ended.
    Busy,
    /// This client has had all cases, or says that it has.
    Finished(Agent),
    /// A signal.
    Stop,
}

/// Leads one client through all cases. Prints and writes the report.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let mut listeners = Vec::new();
    for address in &options.listen {
        match address {
            Address::Tcp(address) => listeners.push(TcpListener::bind(address)?),
            Address::Unix(_) => {
                return Err(io::Error::other("--check-client listens on TCP, not on a Unix socket"));
            }
        }
    }
    let (send, events) = mpsc::channel();
    let stop = send.clone();
    signals::call_at_the_first(move || drop(stop.send(Event::Stop)))?;
    banner(options, &listeners)?; // a signal may come after it
    let all = Arc::new(Results::default());
    for listener in listeners {
        let (all, send) = (all.clone(), send.clone());
        let timeout = Duration::from_secs(options.check_timeout.into());
        let checker = Checker::new(all, timeout, move |event| drop(send.send(event)));
        thread::Builder::new().name("accept".into()).spawn(move || checker.accept(&listener))?;
    }

    let (mut begun, mut finished) = (false, None);
    while finished.is_none() {
        let patience = if begun { IDLE } else { Duration::MAX };
        match events.recv_timeout(patience) {
            Ok(Event::Busy) => begun = true,
            Ok(Event::Finished(client)) => finished = Some(client),
            Ok(Event::Stop) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    let client = finished.or_else(|| all.last()).unwrap_or_default();
    let results = all.of(&client);
    if let Some(path) = &options.report {
        fs::write(path, report::json(&client, &results))?;
    }
    // If standard output is closed, the exit code still says it.
    let _ = io::stdout().write_all(report::table(&client, &results).as_bytes());
    Ok(match report::passed(&results) {
        None => UNFINISHED.into(),
        Some(false) => LENIENT.into(),
        Some(true) => ExitCode::SUCCESS,
    })
}

/// If standard output is closed, the check goes on all the same.
fn banner(options: &Options, listeners: &[TcpListener]) -> io::Result<()> {
    let mut out = io::stdout();
    let _ = writeln!(out, "framewire-echo {}: checks a client", env!("CARGO_PKG_VERSION"));
    for listener in listeners {
        let _ = writeln!(out, "  listening on ws://{}/", listener.local_addr()?);
    }
    let _ = writeln!(
        out,
        "  limits: {} s for each answer, {} s for the next connection",
        options.check_timeout,
        IDLE.as_secs(),
    );
    let _ = writeln!(
        out,
        "  connect {} times, and echo each message; or run the client of an Autobahn test suite (Ctrl-C ends the check)",
        bad::all().count(),
    );
    Ok(())
}
