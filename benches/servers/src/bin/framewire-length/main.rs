//! framewire-echo with another handler: all its files but one. What holds only for an echo shows in the difference.

// In a program, `pub` is what a module shows to the others.
#![allow(unreachable_pub)]
// Not all of the server's files is needed here, and they are written for an older compiler.
#![allow(clippy::collapsible_if, dead_code, unused_imports)]

#[path = "../../../../../server-mio/src/backlog.rs"]
mod backlog;
#[path = "../../../../../server-mio/src/compression.rs"]
mod compression;
mod handler;
#[path = "../../../../../server-mio/src/listener.rs"]
mod listener;
#[path = "../../../../../server-mio/src/options.rs"]
mod options;
#[path = "../../../../../server-mio/src/outbox.rs"]
mod outbox;
#[path = "../../../../../server-mio/src/reply.rs"]
mod reply;
#[path = "../../../../../server-mio/src/server.rs"]
mod server;
#[path = "../../../../../server-mio/src/session.rs"]
mod session;
#[path = "../../../../../server-mio/src/shared.rs"]
mod shared;
#[path = "../../../../../server-mio/src/signals.rs"]
mod signals;
#[path = "../../../../../server-mio/src/site.rs"]
mod site;
#[path = "../../../../../server-mio/src/socket.rs"]
mod socket;
#[path = "../../../../../server-mio/src/stats.rs"]
mod stats;

use options::Options;
use server::Server;
use signals::Signals;
use std::{
    io::{self, Write},
    sync::Arc,
};

fn main() -> io::Result<()> {
    let options = Options::parse_and_check();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let listeners = listener::bind(&options)?.remove(0);
    let server = Server::new(Arc::new(options.config()), listeners, Signals::new()?)?;
    io::stdout().write_all(options.banner(server.listeners()).as_bytes())?;
    server.run()
}
