//! The client that an Autobahn fuzzing server tests: it echoes every message of every case.
//!
//! ```text
//! cargo run --release -p framewire-testing --bin autobahn_client ws://127.0.0.1:9001
//! ```
//!
//! `interop/run conformance` runs it, and checks the results.

use core::error::Error;
use framewire::extension::DeflateOffer;
use framewire_testing::blocking::{Received, Socket};
use std::{env, io};

const AGENT: &str = "framewire";

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("usage: autobahn_client ws://HOST:PORT")?;
    let url = url.trim_end_matches('/');

    let (mut socket, _) = Socket::connect(&format!("{url}/getCaseCount"), &[], &[])?;
    let Received::Message(_, count) = socket.receive()? else { return Err("no count of cases".into()) };
    let count: u32 = String::from_utf8(count)?.trim().parse()?;

    for case in 1..=count {
        // The server checks how a case ends. Many must end with an error.
        let _ = echo(&format!("{url}/runCase?case={case}&agent={AGENT}"));
    }
    println!("{count} cases");
    let (mut socket, _) = Socket::connect(&format!("{url}/updateReports?agent={AGENT}"), &[], &[])?;
    let _ = socket.receive();
    Ok(())
}

/// Echoes every message, until the server closes.
fn echo(url: &str) -> io::Result<()> {
    // If an offer allows it, cases 13.* limit the client's window, and forbid its context takeover.
    let offer = DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() };
    let offers = [offer, DeflateOffer { client_no_context_takeover: true, ..offer }];
    let (mut socket, _) = Socket::connect(url, &[], &offers)?;
    loop {
        match socket.receive()? {
            Received::Message(kind, payload) => socket.send(kind, &payload)?,
            Received::Pong(_) => {}
            Received::Close(..) => return Ok(()),
        }
    }
}
