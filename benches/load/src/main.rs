//! The program: see the library.

use clap::Parser;
use framewire_load::{Options, run};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    let options = Options::parse();
    // Progress is shown only if standard error is a terminal.
    let bar = ProgressBar::new(1000);
    bar.set_style(
        ProgressStyle::with_template("{msg:<30} [{bar:40}] {elapsed}")
            .expect("a valid template")
            .progress_chars("=> "),
    );
    let outcome = run(&options.plan(), |part, doing| {
        bar.set_message(doing.to_owned());
        bar.set_position((part * 1000.0) as u64);
    });
    bar.finish_and_clear();
    match outcome {
        Ok(report) => {
            // If our output was closed, nobody needs the error.
            let _ = io::stdout().write_all(report.format(options.format).as_bytes());
            if report.void.is_some() { ExitCode::from(3) } else { ExitCode::SUCCESS }
        }
        Err(failure) => {
            eprintln!("framewire-load: {failure}");
            ExitCode::FAILURE
        }
    }
}
