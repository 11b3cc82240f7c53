//! What the command line says.

use crate::{Outcome, cell::Cell, machine};
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Measures framewire-echo and servers on other WebSocket libraries beside one another: each pinned to one core, the
/// load generator to another, in rounds, every reply checked. `benches/run` builds and installs all that is needed and
/// calls this.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Options {
    /// A few cells in some six minutes.
    #[arg(long, conflicts_with = "full")]
    quick: bool,

    /// All cells, seven rounds of two seconds: some two hours.
    #[arg(long)]
    full: bool,

    /// The cells with compression, in place of those without; `--quick` has some of each.
    #[arg(long, conflicts_with = "quick")]
    compression: bool,

    /// How hard the servers compress, 1 to 9.
    #[arg(long, value_name = "LEVEL", default_value = "6", value_parser = clap::value_parser!(u8).range(1..=9))]
    compression_level: u8,

    /// Only these contenders (and framewire-echo).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Only these cells, each connections x size x messages in flight: 100x125x1,1000x16Kx16; with compression,
    /// 100x1Kx1+takeover or 100x1Kx1+alone.
    #[arg(long, value_name = "CELLS", value_delimiter = ',')]
    cells: Vec<Cell>,

    /// What messages are made of: ASCII text, which a server has to check, or any bytes. Compressed ones are JSON.
    #[arg(long, value_enum, default_value_t = Kind::Text)]
    payload: Kind,

    /// How often each cell is measured.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// How long each time, in seconds; large cells take longer.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,

    /// Without system calls, instructions and memory.
    #[arg(long)]
    no_counts: bool,

    /// The core of the server, and that of the load generator.
    #[arg(long, value_name = "CORE")]
    server_core: Option<usize>,
    #[arg(long, value_name = "CORE")]
    load_core: Option<usize>,

    /// Where the report and the raw data go.
    #[arg(long, value_name = "FOLDER", default_value = "target/compare")]
    pub(crate) out: PathBuf,

    /// Go on where an earlier run with the same settings was cut off.
    #[arg(long)]
    pub(crate) resume: bool,

    /// Measure nothing: make the report of the raw data that is there.
    #[arg(long)]
    pub(crate) report_only: bool,

    /// Where framewire-echo, framewire-load and framewire-peers are.
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_BIN", default_value = "target/release")]
    pub(crate) bin: PathBuf,

    /// Where npm's and PyPI's packages are; without, those peers are left out, and the report says so.
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_NODE")]
    pub(crate) node: Option<PathBuf>,
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_PYTHON")]
    pub(crate) python: Option<PathBuf>,

    /// Where the scripts of those peers are.
    #[arg(long, value_name = "FOLDER", env = "FRAMEWIRE_SCRIPTS", default_value = "servers/scripts")]
    pub(crate) scripts: PathBuf,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// What has to be the same for two runs to be one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Settings {
    pub(crate) cells: Vec<Cell>,
    pub(crate) payload: Kind,
    /// How hard the servers compress.
    #[serde(default = "zlib_default")]
    pub(crate) level: u8,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// In how many cells system calls and instructions are counted; none: no memory is looked at either.
    pub(crate) counts: usize,
    pub(crate) server_core: usize,
    pub(crate) load_core: usize,
    /// The generator: where it is is nobody's business.
    #[serde(skip)]
    pub(crate) load: PathBuf,
}

/// The one that every server can be set to: one of them has no other.
const fn zlib_default() -> u8 {
    6
}

impl Options {
    pub(crate) fn raw(&self) -> PathBuf {
        self.out.join("raw.jsonl")
    }

    pub(crate) fn settings(&self) -> Outcome<Settings> {
        let grid = || if self.compression { Cell::compressed() } else { Cell::grid() };
        let (cells, rounds, seconds, counts) = match (self.quick, self.full) {
            (true, _) => (Cell::quick(), 3, 0.25, 2),
            (_, true) => (grid(), 7, 2.0, 4),
            _ => (grid(), 3, 0.6, 4),
        };
        let cores = machine::cores()?;
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
