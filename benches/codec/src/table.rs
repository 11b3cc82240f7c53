//! Tables of measurements.

use crate::{
    groups::Group,
    peers::PEERS,
    rounds::{Effort, Measured, Timing},
    work::Part,
};
use std::{collections::BTreeSet, fmt::Write as _, fs, process::Command};

/// The form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people, and for docs/performance.md.
    Markdown,
    /// A line for each timing.
    Csv,
    /// A line for each timing.
    JsonLines,
}

/// The machine, the compiler and the versions.
pub fn head(form: Form, effort: Effort) -> String {
    let lines = [
        ("processor", processor()),
        ("system", format!("Linux {}", read("/proc/sys/kernel/osrelease"))),
        ("compiler", compiler()),
        ("effort", format!("{} rounds of turns of {:?}", effort.rounds, effort.turn)),
        ("versions", versions()),
    ];
    match form {
        Form::Markdown => {
            lines.iter().fold(String::new(), |all, (key, value)| all + &format!("* {key}: {value}\n"))
        }
        Form::Csv => {
            let head =
                lines.iter().fold(String::new(), |all, (key, value)| all + &format!("# {key}: {value}\n"));
            head + "group,case,bytes,contender,part,min_ns,median_ns,ratio_to_framewire\n"
        }
        Form::JsonLines => {
            let fields: Vec<_> =
                lines.iter().map(|(key, value)| format!("{}:{}", quoted(key), quoted(value))).collect();
            format!("{{{}}}\n", fields.join(","))
        }
    }
}

/// A group's table.
pub fn group(form: Form, group: &Group, all: &[Measured]) -> String {
    match form {
        Form::Markdown => markdown(group, all),
        Form::Csv => lines(all, |measured, timing, ratio| {
            let (case, name) = (quoted(&measured.case), quoted(&timing.name));
            let Timing { part, min, median, .. } = timing;
            format!(
                "{},{case},{:.1},{name},{part:?},{min:.2},{median:.2},{ratio:.3}",
                group.name, measured.bytes
            )
        }),
        Form::JsonLines => lines(all, |measured, timing, ratio| {
            let (case, name) = (quoted(&measured.case), quoted(&timing.name));
            let Timing { part, min, median, .. } = timing;
            format!(
                "{{\"group\":\"{}\",\"case\":{case},\"bytes\":{:.1},\"contender\":{name},\"part\":\"{part:?}\",\
                 \"min_ns\":{min:.2},\"median_ns\":{median:.2},\"ratio_to_framewire\":{ratio:.3}}}",
                group.name, measured.bytes
            )
        }),
    }
}

fn lines(all: &[Measured], line: impl Fn(&Measured, &Timing, f64) -> String) -> String {
    let mut text = String::new();
    for measured in all {
        let ours = measured.one(Part::Ours).map_or(f64::NAN, |ours| ours.min);
        for timing in &measured.timings {
            text += &line(measured, timing, timing.min / ours);
            text.push('\n');
        }
    }
    text
}

/// A row for each case, a column for each contender; an empty cell if it cannot do the case. First the minima, then the
/// medians.
fn markdown(group: &Group, all: &[Measured]) -> String {
    let mut text = format!("\n## {}\n", group.about);
    // Cases with different contenders, such as masking in place and masking a copy, have tables of their own.
    let mut rest = all;
    while let [first, ..] = rest {
        let kind = kind_of(first);
        let len = rest.iter().position(|measured| kind_of(measured) != kind).unwrap_or(rest.len());
        let (table, behind) = rest.split_at(len);
        rest = behind;
        let names = columns(table);
        let _ = write!(
            text,
            "\nns a {}, {kind}: the fastest pass. GB/s is framewire's. **Bold**: the fastest, apart from the limit.\n\
             †: text is not validated.\n\n",
            group.unit
        );
        rows(&mut text, table, &names, |timing| timing.min, true);
        let _ = write!(text, "\nThe same, medians.\n\n");
        rows(&mut text, table, &names, |timing| timing.median, false);
    }
    text
}

fn rows(
    text: &mut String,
    table: &[Measured],
    names: &[&str],
    value: impl Fn(&Timing) -> f64,
    is_full: bool,
) {
    let ratios = if is_full { " GB/s | to the limit | best peer | to framewire |" } else { "" };
    let rule = if is_full { "---:|---:|---|---:|" } else { "" };
    let _ = writeln!(text, "| | {} |{ratios}", names.join(" | "));
    let _ = writeln!(text, "|---|{}{rule}", "---:|".repeat(names.len()));
    for measured in table {
        let best = measured
            .timings
            .iter()
            .filter(|timing| matches!(timing.part, Part::Ours | Part::Peer))
            .map(&value)
            .fold(f64::INFINITY, f64::min);
        let case = measured.case.split_once(", ").map_or(&*measured.case, |(_, case)| case);
        let _ = write!(text, "| {case} |");
        for name in names {
            match measured.timings.iter().find(|timing| timing.name == *name) {
                Some(timing) if value(timing) == best && is_full => {
                    let _ = write!(text, " **{}** |", number(value(timing)));
                }
                Some(timing) => {
                    let mark = if timing.part == Part::Lax { "†" } else { "" };
                    let _ = write!(text, " {}{mark} |", number(value(timing)));
                }
                None => text.push_str(" |"),
            }
        }
        if let (true, Some(ours)) = (is_full, measured.one(Part::Ours)) {
            let limit = measured.one(Part::Limit).map(|limit| format!("{:.2}", ours.min / limit.min));
            let (peer, ratio) = match measured.best_peer() {
                Some(peer) => (&*peer.name, format!("{:.2}", peer.min / ours.min)),
                None => ("", String::new()),
            };
            let _ = write!(
                text,
                " {:.2} | {} | {peer} | {ratio} |",
                measured.bytes / ours.min,
                limit.unwrap_or_default()
            );
        }
        text.push('\n');
    }
}

/// The part of a case's name before the comma, which is the same for all cases of a table.
fn kind_of(measured: &Measured) -> &str {
    measured.case.split(',').next().unwrap_or_default()
}

fn columns(table: &[Measured]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for timing in table.iter().flat_map(|measured| &measured.timings) {
        if !names.contains(&&*timing.name) {
            names.push(&timing.name);
        }
    }
    names
}

fn number(ns: f64) -> String {
    if ns < 100.0 {
        return format!("{ns:.1}");
    }
    let digits = format!("{ns:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().into()
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let [name, family, model] =
        ["model name", "cpu family", "model\t"].map(|name| field(name).unwrap_or_else(|| "?".into()));
    format!("{name} (family {family}, model {model})")
}

/// The compiler on this machine, which has built this program unless it was copied here.
fn compiler() -> String {
    match Command::new("rustc").arg("-V").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().into(),
        Err(_) => "unknown: no rustc here".into(),
    }
}

/// The versions of all peers, and of the libraries below them and us, as they were linked.
fn versions() -> String {
    let lock = include_str!("../../Cargo.lock");
    let wanted: BTreeSet<_> = PEERS
        .iter()
        .map(|peer| peer.about.package)
        .chain(["bytes", "flate2", "simdutf8", "zlib-rs"])
        .collect();
    let mut found = Vec::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| package.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix('"'));
        if let (Some(name), Some(version)) = (field("name = \""), field("version = \""))
            && wanted.contains(name)
        {
            found.push(format!("{name} {version}"));
        }
    }
    found.join(", ")
}
