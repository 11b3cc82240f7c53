//! The command line.
// The comments on the options are the text of --help, and no Markdown.
#![allow(rustdoc::bare_urls)]

use crate::plan::{Churn, Handler, Leave, Load, Payload, Plan, Sizes, Until, Url};
use clap::{Parser, ValueEnum};
use framewire::extension::DeflateOffer;
use std::{num::NonZeroUsize, time::Duration};

/// Loads a WebSocket echo server, checks every reply byte for byte, and reports its throughput and latency. Uses one
/// thread. Exit status: 0 for success, 1 for a failure, 2 for a wrong option, 3 if the run is void because the sender was late.
#[derive(Clone, Debug, Parser)]
#[command(name = "framewire-load", version, max_term_width = 100)]
pub struct Options {
    /// The server: ws://HOST:PORT/PATH.
    pub url: Url,

    /// The number of connections. Messages are spread evenly over them.
    #[arg(short, long, value_name = "N", default_value = "100", help_heading = "Load")]
    pub connections: NonZeroUsize,

    /// Closed loop: keep this many messages in flight on each connection; each reply triggers the next message.
    #[arg(
        short,
        long,
        value_name = "N",
        default_value = "1",
        conflicts_with = "rate",
        help_heading = "Load"
    )]
    pub in_flight: NonZeroUsize,

    /// Open loop: send this many messages a second over all connections, by a schedule, whether or not replies have
    /// arrived. Latency counts from when a message was due, so messages that a slow server delays show it.
    #[arg(short, long, value_name = "PER SECOND", value_parser = rate, help_heading = "Load")]
    pub rate: Option<f64>,

    /// How long to measure, in seconds.
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = seconds, help_heading = "Load")]
    pub duration: Duration,

    /// Send this many messages instead of measuring for a time, without a warm-up. With `--churn`: make this many connections.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          conflicts_with_all = ["duration", "warm_up"], help_heading = "Load")]
    pub messages: Option<u64>,

    /// How long to load the server before measuring.
    #[arg(short, long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds, help_heading = "Load")]
    pub warm_up: Duration,

    /// Open the connections evenly over this time.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, help_heading = "Load")]
    pub ramp: Duration,

    /// Connections come and go: each has this many messages echoed, and leaves; then another is opened. `--connections` is how
    /// many there are at a time.
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "compression", "ramp", "hold"], help_heading = "Churn")]
    pub churn: Option<usize>,

    /// How connections leave.
    #[arg(long, value_enum, requires = "churn", default_value_t = Leave::Close, help_heading = "Churn")]
    pub leave: Leave,

    /// Connect from this many addresses in turn: 127.0.0.1, 127.0.0.2 and so on. One address has some 28,000 ports, and a port
    /// may rest for a minute after its connection.
    #[arg(long, value_name = "N", requires = "churn", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=254), help_heading = "Churn")]
    pub sources: u8,

    /// Bytes of a message, or several sizes with weights: 16:50,125:30,1K:20.
    #[arg(short, long, value_name = "SIZES", default_value = "125", help_heading = "Messages")]
    pub size: Sizes,

    /// The content of messages.
    #[arg(short, long, value_enum, default_value_t = Payload::Text, help_heading = "Messages")]
    pub payload: Payload,

    /// The reply that the server sends.
    #[arg(long, value_enum, default_value_t = Handler::Echo, help_heading = "Messages")]
    pub handler: Handler,

    /// Offer permessage-deflate. (Use `--payload json`: random bytes and text hardly shrink.)
    #[arg(long, help_heading = "Messages")]
    pub compression: bool,

    /// Offer compression without context takeover: each message, in both directions, is compressed by itself.
    #[arg(long, requires = "compression", help_heading = "Messages")]
    pub no_context_takeover: bool,

    /// Repeat the messages and keys of another run with the same number.
    #[arg(long, value_name = "N", help_heading = "Messages")]
    pub seed: Option<u64>,

    /// The process ID of the server, on this machine, to report its CPU time and memory.
    #[arg(long, help_heading = "Server")]
    pub pid: Option<u32>,

    /// Keep the connections open for this long after the last reply, before the server's memory is read.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, help_heading = "Server")]
    pub hold: Duration,

    /// Fail if the server owes replies and sends no part of any for this long.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, help_heading = "Server")]
    pub patience: Duration,

    /// With `--rate`, the run is void if one message in a hundred is sent later than this.
    #[arg(long, value_name = "SECONDS", default_value = "0.001", value_parser = seconds, requires = "rate",
          help_heading = "Server")]
    pub late_bound: Duration,

    /// The form of the report.
    #[arg(short, long, value_enum, default_value_t = Format::Human, help_heading = "Output")]
    pub format: Format,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Human,
    /// A line of JSON.
    Json,
    /// A line of names, and a line of values.
    Csv,
}

impl Options {
    /// The run that the options describe.
    pub fn plan(&self) -> Plan {
        Plan {
            url: self.url.clone(),
            connections: self.connections.get(),
            sizes: self.size.clone(),
            payload: self.payload,
            handler: self.handler,
            load: self.rate.map_or_else(|| Load::InFlight(self.in_flight.get()), Load::Rate),
            until: self.messages.map_or(Until::Time(self.duration), Until::Messages),
            churn: self.churn.map(|echoes| Churn { echoes, leave: self.leave, sources: self.sources }),
            ramp: self.ramp,
            warm_up: if self.messages.is_some() { Duration::ZERO } else { self.warm_up },
            hold: self.hold,
            patience: self.patience,
            late_bound: self.late_bound,
            compression: self.compression.then_some(DeflateOffer {
                server_no_context_takeover: self.no_context_takeover,
                client_no_context_takeover: self.no_context_takeover,
                server_max_window_bits: None,
                client_max_window_bits: Some(15),
            }),
            pid: self.pid,
            seed: self.seed,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "a number of seconds, at most a day's".into())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.01..=1e8).contains(rate));
    rate.ok_or_else(|| "a number of messages from 0.01 to 100000000".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_do_not_contradict_one_another() {
        Options::command().debug_assert();
        let parse = |arguments: &str| {
            Options::try_parse_from(format!("framewire-load ws://h:1 {arguments}").split_whitespace())
        };
        assert_eq!(parse("--rate 1e3").expect("a rate").plan().load, Load::Rate(1000.0));
        assert_eq!(parse("-n 5").expect("a number").plan().warm_up, Duration::ZERO);
        let alone = parse("--compression --no-context-takeover").expect("both").plan().compression;
        assert!(alone.is_some_and(|offer| offer.server_no_context_takeover));
        let churn = parse("--churn 3 --leave reset --sources 9").expect("a churn").plan().churn;
        assert_eq!(churn, Some(Churn { echoes: 3, leave: Leave::Reset, sources: 9 }));
        for wrong in [
            "--churn 1 --rate 5",
            "--churn 1 --compression",
            "--churn 1 --sources 255",
            "--leave fin",
            "--rate 0",
            "--rate 5 -i 2",
            "-n 5 -d 1",
            "-n 0",
            "-d -1",
            "-c 0",
            "-d inf",
            "--no-context-takeover",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
