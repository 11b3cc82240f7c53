//! Measures the program's memory and CPU time. These tests are separate from the others, so that they have the machine to
//! themselves. `.ci/run attack` runs the attacks.

use framewire_testing::{
    payload::Random,
    peer::*,
    program::*,
    wire::{self, BINARY, CLOSE, CONTINUATION, MORE, PING, RSV1, TEXT},
};

mod attack;
mod attack_deflate;
mod crowd;
mod flood;
mod memory;
mod siege;

/// Starts the program on a free port of the loopback interface.
fn start(options: &[&str]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_framewire-echo"), options)
}

/// Starts the program with only these options, from a shell that runs `setup` first.
fn start_with(setup: &str, options: &[&str]) -> Program {
    Program::start_with(env!("CARGO_BIN_EXE_framewire-echo"), setup, options)
}
