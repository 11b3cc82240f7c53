//! The user instructions that an echo costs the server, and their budgets: `cargo bench --bench instructions`. Needs valgrind.

use framewire_testing::{
    callgrind,
    echo_cost::{self, Load},
    wire::{BINARY, TEXT},
};
use std::{path::Path, process};

/// Name, budget in instructions a message, and the load.
const LOADS: [(&str, u64, Load); 5] = [
    (
        "125 B, 100 connections",
        389,
        Load { first: BINARY, size: 125, connections: 100, in_flight: 1, rounds: 40 },
    ),
    (
        "125 B of text, 100 connections",
        412,
        Load { first: TEXT, size: 125, connections: 100, in_flight: 1, rounds: 40 },
    ),
    (
        "16 B, 100 connections, 16 in flight",
        158,
        Load { first: BINARY, size: 16, connections: 100, in_flight: 16, rounds: 20 },
    ),
    (
        "1 KiB, 10 connections, 16 in flight",
        382,
        Load { first: BINARY, size: 1024, connections: 10, in_flight: 16, rounds: 40 },
    ),
    (
        "1 MiB, 4 connections",
        75600,
        Load { first: BINARY, size: 1 << 20, connections: 4, in_flight: 1, rounds: 20 },
    ),
];

fn main() {
    let server = Path::new(env!("CARGO_BIN_EXE_framewire-echo"));
    let mut gate = callgrind::Gate::open();
    for (name, budget, load) in LOADS {
        echo_cost::judge(&mut gate, name, budget, server, &["--listen", "127.0.0.1:0"], load);
    }
    process::exit(gate.verdict());
}
