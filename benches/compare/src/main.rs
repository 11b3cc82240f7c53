//! Measures framewire-echo and servers on other WebSocket libraries beside each other, and makes a report.
//!
//! ```text
//! options ──▶ main ──▶ rounds    messages, in rounds, servers in turn     ──▶ record    raw.jsonl, a line for each result
//!                      counts    syscalls, instructions, memory                           │
//!                      check     which servers do the work                                ▼
//!                        contender   the servers that can be started                    report ──▶ README.md, plots
//!                        server      one of them, running
//! ```
//!
//! Every result is written down at once. The report is made from these records alone, so it can be made again.

mod cell;
mod check;
mod contender;
mod counts;
mod figures;
mod machine;
mod options;
mod plot;
mod record;
mod report;
mod rounds;
mod server;
mod system;

use clap::Parser;
use options::Options;
use record::{Journal, Record};
use std::{error::Error, fs, process::ExitCode};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("framewire-compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<()> {
    if !options.report_only {
        measure(options)?;
    }
    let records = record::read(&options.raw())?;
    let report = report::Report::new(&records)?;
    for (name, svg) in report.plots() {
        if !svg.is_empty() {
            fs::write(options.out.join(name), svg)?;
        }
    }
    let path = options.out.join("README.md");
    fs::write(&path, report.markdown())?;
    eprintln!("{}", report.summary());
    eprintln!("the report is in {}", path.display());
    Ok(())
}

fn measure(options: &Options) -> Outcome<()> {
    fs::create_dir_all(&options.out)?;
    let settings = options.settings()?;
    let contenders = contender::all(options, &settings)?;
    let mut journal = Journal::open(&options.raw(), options.resume, &settings, &contenders)?;
    if !journal.has_head() {
        journal.write(Record::Head(Box::new(machine::head(&settings, &contenders))))?;
    }
    check::all(&contenders, &settings, &mut journal)?;
    let able: Vec<_> = contenders.iter().filter(|each| journal.is_able(&each.name)).cloned().collect();
    if contenders.iter().any(|each| each.is_ours() && !journal.is_able(&each.name)) {
        return Err("framewire-echo itself does not pass the check: see raw.jsonl".into());
    }
    if settings.counts > 0 {
        counts::all(&able, &settings, &mut journal)?;
    }
    rounds::all(&able, &settings, &mut journal)?;
    journal.write(Record::End { load_average: machine::load_average() })
}
