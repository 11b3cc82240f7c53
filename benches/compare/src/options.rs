//! The command line.

use crate::{Outcome, cell::Cell, system};
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Compares framewire-echo with servers on other WebSocket libraries: each server runs on one core and the load
/// generator on another, in rounds, and every reply is checked. `benches/run` builds and installs everything, then
/// calls this.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Options {
    /// A few cells: some six minutes.
    #[arg(long, conflicts_with = "full")]
    quick: bool,

    /// All cells, seven rounds instead of three: about an hour.
    #[arg(long)]
    full: bool,

    /// The cells with compression instead of those without; `--quick` has some of each.
    #[arg(long, conflicts_with = "quick")]
    compression: bool,

    /// The cells in which connections come and go, instead of the others; `--quick` has one of them.
    #[arg(long, conflicts_with_all = ["quick", "compression"])]
    churn: bool,

    /// The compression level of the servers, 1 to 9.
    #[arg(long, value_name = "LEVEL", default_value = "6", value_parser = clap::value_parser!(u8).range(1..=9))]
    compression_level: u8,

    /// Only these contenders (and framewire-echo).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Only these cells, each connections x size x messages in flight: 100x125x1,1000x16Kx16; with compression,
    /// 100x1Kx1+takeover or 100x1Kx1+alone; for connections that come and go, with the messages of each and its end,
    /// 64x125x1+close10, +fin10 or +reset10.
    #[arg(long, value_name = "CELLS", value_delimiter = ',')]
    cells: Vec<Cell>,

    /// The content of messages: ASCII text, which a server must check, or any bytes. Compressed messages are JSON.
    #[arg(long, value_enum, default_value_t = Kind::Text)]
    payload: Kind,

    /// How often each cell is measured.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// Seconds for each measurement; large cells take longer.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,

    /// Do not count system calls and instructions, nor measure memory.
    #[arg(long)]
    no_counts: bool,

    /// The number of idle connections whose memory is measured; with compression, at most 500. Each takes a file descriptor in
    /// the server and in the generator.
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=25_000))]
    idle: u32,

    /// The core of the server.
    #[arg(long, value_name = "CORE")]
    server_core: Option<usize>,
    /// The core of the load generator.
    #[arg(long, value_name = "CORE")]
    load_core: Option<usize>,

    /// The folder for the report and the raw data.
    #[arg(long, value_name = "FOLDER", default_value = "target/compare")]
    pub(crate) out: PathBuf,

    /// Continue an interrupted run with the same settings.
    #[arg(long)]
    pub(crate) resume: bool,

    /// Measure nothing; make the report from the raw data.
    #[arg(long)]
    pub(crate) report_only: bool,

    /// The folder with framewire-echo, framewire-load and framewire-peers.
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_BIN", default_value = "target/release")]
    pub(crate) bin: PathBuf,

    /// The folder with npm's packages. Without it, peers in JavaScript are left out, and the report says so.
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_NODE")]
    pub(crate) node: Option<PathBuf>,
    /// The folder with PyPI's packages. Without it, peers in Python are left out, and the report says so.
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_PYTHON")]
    pub(crate) python: Option<PathBuf>,

    /// The folder with the scripts of those peers.
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_SCRIPTS", default_value = "servers/scripts")]
    pub(crate) scripts: PathBuf,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// The settings that must be the same to continue a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Settings {
    pub(crate) cells: Vec<Cell>,
    pub(crate) payload: Kind,
    /// The compression level of the servers.
    #[serde(default = "zlib_default")]
    pub(crate) level: u8,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// The number of cells in which system calls and instructions are counted; with 0, memory is not measured either.
    pub(crate) counts: usize,
    /// The number of idle connections whose memory is measured.
    #[serde(default = "idle_before")]
    pub(crate) idle: usize,
    pub(crate) server_core: usize,
    pub(crate) load_core: usize,
    /// The generator's path, which the records do not contain.
    #[serde(skip)]
    pub(crate) load: PathBuf,
}

/// The one level that every server can have: one of them has no other.
const fn zlib_default() -> u8 {
    6
}

/// Before there was an option.
const fn idle_before() -> usize {
    2000
}

impl Options {
    pub(crate) fn raw(&self) -> PathBuf {
        self.out.join("raw.jsonl")
    }

    pub(crate) fn settings(&self) -> Outcome<Settings> {
        let grid = || match (self.compression, self.churn) {
            (true, _) => Cell::compressed(),
            (_, true) => Cell::churn(),
            _ => Cell::grid(),
        };
        let (cells, rounds, seconds, counts) = match (self.quick, self.full) {
            (true, _) => (Cell::quick(), 3, 0.25, 2),
            (_, true) => (grid(), 7, 0.6, 4),
            _ => (grid(), 3, 0.6, 4),
        };
        let cores = system::cores()?;
        let server_core = self.server_core.unwrap_or(cores[0]);
        let load_core = self.load_core.or_else(|| cores.iter().copied().find(|&core| core != server_core));
        let load_core = load_core.filter(|&core| core != server_core);
        Ok(Settings {
            cells: if self.cells.is_empty() { cells } else { self.cells.clone() },
            payload: self.payload,
            level: self.compression_level,
            rounds: self.rounds.unwrap_or(rounds),
            seconds: self.seconds.unwrap_or(seconds),
            counts: if self.no_counts { 0 } else { counts },
            idle: self.idle as usize,
            server_core,
            load_core: load_core.ok_or("two cores are needed: one for the server, one for the load")?,
            load: self
                .bin
                .join("framewire-load")
                .canonicalize()
                .map_err(|error| format!("{} has no framewire-load: {error}", self.bin.display()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_do_not_contradict_one_another() {
        Options::command().debug_assert();
    }
}
