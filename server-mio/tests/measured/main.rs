//! What the program takes of memory and CPU time, apart from the other tests so that it has the machine to itself. Attacks
//! are run by `.ci/run attack`.

use framewire_testing::{
    payload::Random,
    peer::*,
    program::*,
    wire::{BINARY, CLOSE, CONTINUATION, MORE, PING, RSV1, TEXT},
};

mod attack;
mod attack_deflate;
mod memory;
mod siege;

/// The program, on a port of the loopback interface that is free.
fn start(options: &[&str]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_framewire-echo"), options)
}

/// The program with these options only, after `setup` has run in the shell that becomes it.
fn start_with(setup: &str, options: &[&str]) -> Program {
    Program::start_with(env!("CARGO_BIN_EXE_framewire-echo"), setup, options)
}
