//! `table`: all contenders take turns, one table is printed. What Criterion measures one after the other is measured here
//! side by side, for comparisons.

use framewire_bench_codec::{
    groups::GROUPS,
    rounds::{Effort, measure},
    table::{self, Form},
};
use std::{env, io::IsTerminal, process::ExitCode, time::Duration};

const USAGE: &str = "\
framewire-bench-codec table [GROUP...] [OPTION...]

Groups: mask, utf8, decode, encode, echo, deflate; all, where none is named.

  --filter TEXT   only cases whose name has this in it; more than once: each of them
  --rounds N      how often everybody has a turn (30)
  --turn MS       how long a turn is (1)
  --markdown      tables for people (as it is without an option), --csv or --json for programs
  --list          only say which cases there are

Pin it to a core: taskset -c 1 framewire-bench-codec table";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let (mut form, mut effort, mut is_list) = (Form::Markdown, Effort::default(), false);
    let (mut filters, mut names) = (Vec::new(), Vec::new());
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some("table") {
        return Err("there is one thing to do here, which is called `table`".into());
    }
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match &*argument {
            "--filter" => filters.push(value()?),
            "--rounds" => effort.rounds = number(&value()?)?.max(1) as usize,
            "--turn" => effort.turn = Duration::from_millis(number(&value()?)?),
            "--markdown" => form = Form::Markdown,
            "--csv" => form = Form::Csv,
            "--json" => form = Form::JsonLines,
            "--list" => is_list = true,
            name if GROUPS.iter().any(|group| group.name == name) => names.push(argument),
            _ => return Err(format!("{argument}: what is that?")),
        }
    }
    if !is_list {
        print!("{}", table::head(form, effort));
    }
    for group in GROUPS {
        if !names.is_empty() && !names.iter().any(|name| name == group.name) {
            continue;
        }
        let mut all = Vec::new();
        for recipe in (group.cases)() {
            let name = format!("{}/{}", group.name, recipe.name);
            if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
                continue;
            }
            if is_list {
                println!("{name}");
                continue;
            }
            if std::io::stderr().is_terminal() {
                eprintln!("{name}");
            }
            all.push(measure(recipe.build(), effort));
        }
        if !all.is_empty() {
            print!("{}", table::group(form, group, &all));
        }
    }
    Ok(())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}
