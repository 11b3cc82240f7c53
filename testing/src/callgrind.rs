//! Counting instructions: programs under callgrind, and budgets.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The compiler that the budgets were recorded with. Another one has other ideas, a little.
const COMPILER: &str = "rustc 1.95";

/// More than a budget by this much is too much, in percent: for another compiler, and for the recorded one.
const ROOM: (f64, f64) = (10.0, 1.0);

/// A program to be run under callgrind, which takes these options as well.
pub fn command(program: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).args(options).arg(program);
    command.stderr(Stdio::piped());
    command
}

/// The instructions that it took, once it has ended by itself.
pub fn instructions(program: &mut Child) -> u64 {
    let mut said = String::new();
    program.stderr.take().expect("it is piped").read_to_string(&mut said).expect("text");
    let status = program.wait().expect("it ends");
    assert!(status.success(), "{status}: {said}");
    let count = said.lines().find_map(|line| line.split_once("Collected : ")).expect(&said).1;
    count.trim().parse().expect("a number")
}

/// Holds paths against their budgets, prints a line for each, and remembers whether one was over it.
#[derive(Debug)]
pub struct Gate {
    room: f64,
    over: usize,
}

impl Gate {
    /// Says which compiler this is, and how much room it gets.
    pub fn open() -> Self {
        let version = Command::new("rustc").arg("-V").output().expect("rustc is installed");
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let known = version.starts_with(COMPILER);
        let room = if known { ROOM.1 } else { ROOM.0 };
        println!("{} (budgets: {COMPILER}; room: {room} %)", version.trim());
        println!("{:<42} {:>12} {:>12}", "instructions a message", "taken", "budget");
        Self { room, over: 0 }
    }

    /// Holds one path against its budget.
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
