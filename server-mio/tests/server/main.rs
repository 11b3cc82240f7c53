//! The program as a process, with clients that follow the protocol and clients that do not.

use framewire_testing::{
    payload::Random,
    peer::*,
    program::*,
    wire::{self, BINARY, CLOSE, CONTINUATION, MORE, PING, PONG, RSV1, TEXT},
};

mod access;
mod behaviours;
mod check_client;
mod closing;
mod compression;
mod echo;
mod faults;
mod handshake;
mod library;
mod metrics;
mod pressure;
mod takeover;
#[cfg(all(feature = "program", feature = "self-signed"))]
mod tls;

/// Starts the program on a free port of the loopback interface.
fn start(options: &[&str]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_framewire-echo"), options)
}

/// Starts the program with only these options, from a shell that runs `setup` first.
fn start_with(setup: &str, options: &[&str]) -> Program {
    Program::start_with(env!("CARGO_BIN_EXE_framewire-echo"), setup, options)
}
