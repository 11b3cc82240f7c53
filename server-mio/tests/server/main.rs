//! The program as a process: what it does with clients, right and wrong.

use framewire_testing::{
    payload::Random,
    peer::*,
    program::*,
    wire::{BINARY, CLOSE, CONTINUATION, MORE, PING, PONG, RSV1, TEXT},
};

mod closing;
mod compression;
mod echo;
mod faults;
mod handshake;
mod library;
mod pressure;

/// The program, on a port of the loopback interface that is free.
fn start(options: &[&str]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_framewire-echo"), options)
}

/// The program with these options only, after `setup` has run in the shell that becomes it.
fn start_with(setup: &str, options: &[&str]) -> Program {
    Program::start_with(env!("CARGO_BIN_EXE_framewire-echo"), setup, options)
}
