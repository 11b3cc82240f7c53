//! Counting instructions: programs under callgrind, and budgets.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The compiler with which the budgets were recorded. Another one gives slightly different counts.
const COMPILER: &str = "rustc 1.95";

/// By how many percent a count may exceed its budget: with another compiler, and with the recorded one.
const ROOM: (f64, f64) = (10.0, 1.0);

/// A command that runs a program under callgrind, with these further options.
pub fn command(program: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).args(options).arg(program);
    command.stderr(Stdio::piped());
    command
}

/// Waits for the end of such a command. Returns the number of instructions.
pub fn instructions(program: &mut Child) -> u64 {
    let mut said = String::new();
    program.stderr.take().expect("it is piped").read_to_string(&mut said).expect("text");
    let status = program.wait().expect("it ends");
    assert!(status.success(), "{status}: {said}");
    let count = said.lines().find_map(|line| line.split_once("Collected : ")).expect(&said).1;
    count.trim().parse().expect("a number")
}

/// Prints a path that has no budget.
pub fn record(name: &str, taken: f64) {
    println!("{name:<42} {taken:>12.1}");
}

/// Compares paths with their budgets, prints a line for each, and counts those that exceed theirs.
#[derive(Debug)]
pub struct Gate {
    room: f64,
    over: usize,
}

impl Gate {
    /// Prints the compiler, and by how much it may exceed the budgets.
    pub fn open() -> Self {
        let version = Command::new("rustc").arg("-V").output().expect("rustc is installed");
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let known = version.starts_with(COMPILER);
        let room = if known { ROOM.1 } else { ROOM.0 };
        println!("{} (budgets: {COMPILER}; room: {room} %)", version.trim());
        println!("{:<42} {:>12} {:>12}", "instructions a message", "taken", "budget");
        Self { room, over: 0 }
    }

    /// Compares one path with its budget.
    pub fn judge(&mut self, name: &str, taken: f64, budget: u64) {
        let percent = 100.0 * (taken / budget as f64 - 1.0);
        let verdict = if percent > self.room {
            self.over += 1;
            "  TOO MANY"
        } else if percent < -2.0 {
            "  less: please lower the budget"
        } else {
            ""
        };
        println!("{name:<42} {taken:>12.1} {budget:>12}{verdict}");
    }

    /// The exit status.
    pub fn verdict(&self) -> i32 {
        if self.over > 0 {
            println!("{} over budget", self.over);
            return 1;
        }
        0
    }
}
