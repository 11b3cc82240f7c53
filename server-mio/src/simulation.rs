//! A deterministic simulation: the loop and its sessions, with peers and a kernel whose every choice comes from a seed.
//!
//! A seed makes the configuration, the peers and the faults. The peers check what they get, and the invariants are checked
//! after every turn of the loop. The same seed gives the same run, so that a failure can be repeated and traced.
//!
//! ```text
//! coverage     counts the faults and paths that were met
//! connection   a connection in the kernel
//! kernel       sockets, listeners, poll and clock
//! sockets      the server's side of the kernel: the seam
//! script       what a peer does
//! clients      the peers
//! track        the history of a connection, and the rules for its session alone
//! judgement    whether the server had a reason to close a socket
//! invariants   the rules that hold after every turn
//! world        all of it, from a seed
//! ```

mod clients;
mod connection;
mod coverage;
mod invariants;
mod judgement;
mod kernel;
mod script;
mod sockets;
mod track;
mod world;

use coverage::Coverage;
use std::{
    env,
    panic::{self, AssertUnwindSafe},
};
use world::World;

/// How many lines of a trace a failure shows.
const SHOWN: usize = 60;

/// A world after its end, and the rule that was broken, if one was.
fn run(seed: u64, trace: bool) -> (World, Result<(), String>) {
    let mut world = World::new(seed, trace);
    let result = panic::catch_unwind(AssertUnwindSafe(|| world.run()));
    (world, result.unwrap_or_else(|_| Err("the server panicked".into())))
}

/// Runs a seed, and adds to the coverage and the number of turns. Panics with the end of the trace if a rule was broken, and
/// says how to repeat it.
fn check(seed: u64, coverage: &mut Coverage, total: &mut usize) {
    let (world, result) = run(seed, false);
    coverage.join(&world.coverage());
    *total += world.turns;
    if let Err(error) = result {
        let trace = run(seed, true).0.trace();
        panic!(
            "{}\nseed {seed} failed in turn {} (the {total}th of all): {error}\nRepeat it with:\n  \
             SIMULATION_SEED={seed} cargo test -p framewire-echo --lib simulation::replay -- --ignored --nocapture",
            excerpt(&trace, &error),
            world.turns
        );
    }
}

/// The last lines of a trace that are about the connection that an error names.
fn excerpt(trace: &[String], error: &str) -> String {
    let name = error.split([' ', ':']).next().filter(|name| name.starts_with('#'));
    let mut lines: Vec<&str> = Vec::new();
    for line in trace {
        let is_turn = line.starts_with("turn ");
        if is_turn && lines.last().is_some_and(|last| last.starts_with("turn ")) {
            lines.pop();
        }
        if is_turn || name.is_none_or(|name| line.split([' ', ':']).any(|word| word == name)) {
            lines.push(line);
        }
    }
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

/// A few seeds, the same each time.
#[test]
fn a_few_seeds() {
    (0..40).for_each(|seed| check(seed, &mut Coverage::new(), &mut 0));
}

/// Many seeds, and with them each of the faults and paths. `.ci/run simulation` runs it, with the same seeds on every machine.
#[test]
#[ignore = "takes as long as there are seeds"]
fn many_seeds() {
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("SIMULATION_SEED").unwrap_or(0);
    let seeds = first..first + number("SIMULATION_SEEDS").unwrap_or(1000);
    let (mut coverage, mut turns) = (Coverage::new(), 0);
    seeds.clone().for_each(|seed| check(seed, &mut coverage, &mut turns));
    println!("seeds {seeds:?}, {turns} turns\n{coverage}");
    assert!(coverage.missing().is_empty(), "never met: {:?}", coverage.missing());
}

/// Repeats a seed, and prints its trace.
#[test]
#[ignore = "needs SIMULATION_SEED"]
fn replay() {
    let seed = env::var("SIMULATION_SEED").expect("SIMULATION_SEED").parse().expect("a number");
    let (world, result) = run(seed, true);
    world.trace().iter().for_each(|line| println!("{line}"));
    println!("{} turns\n{}", world.turns, world.coverage());
    result.unwrap();
}
