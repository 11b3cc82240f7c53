//! `table`: all contenders take turns, and it prints one table, to compare them. Criterion measures them one after the other
//! instead.

use framewire_bench_codec::{
    groups::GROUPS,
    rounds::{Effort, measure},
    table::{self, Form},
};
use std::{env, io::IsTerminal, process::ExitCode, time::Duration};

const USAGE: &str = "\
framewire-bench-codec table [GROUP...] [OPTION...]

Groups: mask, utf8, decode, encode, echo, deflate. Without a group: all of them.

  --filter TEXT   only cases whose name contains this text; may be given several times
  --rounds N      how many turns each contender has (30)
  --turn MS       length of a turn in milliseconds (1)
  --markdown      tables for people (the default); --csv or --json for programs
  --list          only list the cases

Run it on one core: taskset -c 1 framewire-bench-codec table";

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
        return Err("the first argument must be `table`".into());
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
            _ => return Err(format!("{argument} is neither a group nor an option")),
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
