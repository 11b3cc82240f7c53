//! What can be counted rather than timed: system calls and instructions of a message, and the memory of an idle connection.
//! Other work on the machine does not change these counts.

use crate::{
    Outcome,
    cell::{Cell, Coding},
    check,
    contender::{Contender, Group},
    options::{Kind, Settings},
    record::{self, Journal, Record},
    rounds,
    server::Server,
};
use framewire_load::{Handler, Leave, resident};
use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command, thread, time::Duration};

/// Counts everything, for all contenders.
pub(crate) fn all(contenders: &[Contender], settings: &Settings, journal: &mut Journal) -> Outcome<()> {
    let has_counters = has_counters();
    for contender in contenders {
        eprintln!("counting system calls, instructions and memory of {}", contender.name);
        let has_churn = settings.cells.iter().any(|cell| cell.churn.is_some());
        let churn = CHURN_CALLS.iter().filter(|_| has_churn);
        for &cell in CALLS.iter().take(settings.counts).chain(churn) {
            let doing = record::calls(cell);
            if contender.group() != Group::Echo || journal.has(contender, &doing) {
                continue;
            }
            match calls(contender, cell, settings) {
                Ok((per_message, by_name)) => {
                    journal.write(Record::Calls {
                        contender: contender.name.clone(),
                        cell,
                        per_message,
                        by_name,
                    })?;
                }
                Err(error) => journal.fail(contender, doing, &error)?,
            }
        }
        for &cell in INSTRUCTIONS.iter().take(settings.counts) {
            let doing = record::instructions(cell);
            if journal.has(contender, &doing)
                || !(has_counters || contender.is_native)
                || contender.compresses // nearly all would be zlib's
                || (contender.handler == Handler::Length && cell.size > 1 << 10)
            {
                continue;
            }
            let counted = if has_counters {
                by_counters(contender, cell, settings).map(|(user, kernel)| ("perf stat", user, Some(kernel)))
            } else {
                by_callgrind(contender, cell, settings).map(|user| ("callgrind", user, None))
            };
            match counted {
                Ok((tool, user, kernel)) => journal.write(Record::Instructions {
                    contender: contender.name.clone(),
                    cell,
                    tool: tool.into(),
                    user,
                    kernel,
                })?,
                Err(error) => journal.fail(contender, doing, &error)?,
            }
        }
        let codings: &[Coding] = match contender.group() {
            Group::Echo | Group::Churn => &[Coding::Plain],
            Group::Compressed => &Coding::COMPRESSED,
            Group::Length => &[],
        };
        for &coding in codings {
            let is_done = journal.has(contender, &record::idle(coding));
            if is_done || (contender.compresses && !journal.agrees(&contender.name, coding)) {
                continue;
            }
            match idle(contender, coding, settings) {
                Ok((connections, bytes)) => {
                    let contender = contender.name.clone();
                    journal.write(Record::Idle { contender, connections, coding, bytes })?;
                }
                Err(error) => journal.fail(contender, record::idle(coding), &error)?,
            }
        }
    }
    Ok(())
}

/// Cells for counting: one message at a time on many connections, many at a time, and large messages.
const CALLS: [Cell; 4] =
    [Cell::new(100, 125, 1), Cell::new(100, 16, 16), Cell::new(10, 16 << 10, 16), Cell::new(4, 1 << 20, 1)];
const INSTRUCTIONS: [Cell; 3] = [Cell::new(100, 125, 1), Cell::new(100, 16, 16), Cell::new(4, 1 << 20, 1)];

const CHURN_CALLS: [Cell; 2] = [Cell::churning(64, 1, Leave::Close), Cell::churning(64, 1, Leave::Reset)];

/// The most idle connections with compression: one takes as much memory on some servers as hundreds on others.
const IDLE_COMPRESSED: usize = 500;
/// So many messages that a window, 32 KiB in each direction, is full.
pub(crate) const BEFORE_IDLE: usize = 40;

/// The time limit of one count.
const LIMIT: Duration = Duration::from_secs(30);

/// Messages of the shorter run, or connections if they come and go. The longer run has twice as many; only they make the
/// difference.
fn messages(cell: Cell) -> u64 {
    let large = (20_000_000 / cell.size as u64).clamp(100, 4000);
    large * if cell.size < 1000 { cell.in_flight as u64 } else { 1 }
}

fn difference(cell: Cell, mut count: impl FnMut(u64) -> Outcome<f64>) -> Outcome<f64> {
    let n = messages(cell);
    Ok((count(2 * n)? - count(n)?) / n as f64)
}

/// The generator's options: the same messages each time.
fn options(contender: &Contender, cell: Cell, settings: &Settings, messages: u64) -> Vec<String> {
    // Checking text costs a server much more than echoing it; large messages should show the rest of the work.
    let payload = if cell.size >= 1 << 20 { Kind::Binary } else { settings.payload };
    let mut options = rounds::load(cell, payload, contender);
    options.extend(format!("-n {messages} --seed 1 --patience 30").split(' ').map(str::to_owned));
    options
}

/// System calls for a message, in total and by name.
fn calls(contender: &Contender, cell: Cell, settings: &Settings) -> Outcome<CallsOfMessage> {
    // Timing decides how often a server waits for the rest of a large message: take the middle one of three counts.
    let times = if cell.size >= 1 << 20 { 3 } else { 1 };
    let counted: Outcome<Vec<_>> = (0..times).map(|_| more_calls(contender, cell, settings)).collect();
    let mut counted = counted?;
    counted.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    Ok(counted.swap_remove(times / 2))
}

type CallsOfMessage = (f64, Vec<(String, f64)>);

/// The difference between a run and one with twice the messages, for one message.
fn more_calls(contender: &Contender, cell: Cell, settings: &Settings) -> Outcome<CallsOfMessage> {
    let file = scratch("strace");
    let path = file.display().to_string();
    let count = |messages| -> Outcome<Calls> {
        let server = Server::start_under(&["strace", "-c", "-f", "-o", &path], contender, settings)?;
        server.load(settings, &options(contender, cell, settings, messages), LIMIT)?;
        server.stop();
        let calls = summary(&fs::read_to_string(&file)?);
        if calls.is_empty() { Err("strace has counted nothing".into()) } else { Ok(calls) }
    };
    let n = messages(cell);
    let (few, many) = (count(n)?, count(2 * n)?);
    let mut by_name = Vec::new();
    for (name, more) in many {
        let per = (more - few.get(&name).unwrap_or(&0.0)) / n as f64;
        if per.abs() >= 0.005 {
            by_name.push((name, per));
        }
    }
    by_name.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let _ = fs::remove_file(file);
    Ok((by_name.iter().map(|(_, per)| per).sum(), by_name))
}

/// Calls by name.
type Calls = BTreeMap<String, f64>;

/// The table that `strace -c` prints: calls in the fourth column, the name in the last.
fn summary(table: &str) -> Calls {
    let row = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_share = columns.first()?.parse::<f64>().is_ok();
        let name = columns.last().filter(|name| is_share && **name != "total")?;
        Some(((*name).to_owned(), columns.get(3)?.parse().ok()?))
    };
    table.lines().filter_map(row).collect()
}

/// Instructions for a message in user mode, counted by valgrind's emulated processor.
fn by_callgrind(contender: &Contender, cell: Cell, settings: &Settings) -> Outcome<f64> {
    difference(cell, |messages| {
        let log = scratch("callgrind");
        let to = format!("--log-file={}", log.display());
        let watcher = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", &to];
        let mut contender = contender.clone();
        contender.environment.push((NO_STRING_INSTRUCTIONS.0.into(), NO_STRING_INSTRUCTIONS.1.into()));
        let server = Server::start_under(&watcher, &contender, settings)?;
        server.load(settings, &options(&contender, cell, settings, messages), LIMIT)?;
        server.stop();
        let text = fs::read_to_string(&log)?;
        let _ = fs::remove_file(log);
        let collected =
            text.rsplit_once("Collected :").and_then(|(_, rest)| rest.split_ascii_whitespace().next());
        Ok(collected.ok_or("callgrind has counted nothing")?.parse()?)
    })
}

/// Makes the C library copy with vectors, not with the one instruction (`rep movsb`) that valgrind emulates, and counts as
/// one for each byte.
const NO_STRING_INSTRUCTIONS: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM");

/// Instructions for a message in user mode and in the kernel, counted by the processor.
fn by_counters(contender: &Contender, cell: Cell, settings: &Settings) -> Outcome<(f64, f64)> {
    let count = |messages| -> Outcome<(f64, f64)> {
        let server = Server::start(contender, settings)?;
        let pid = server.pid().to_string();
        let wrapper = ["perf", "stat", "-x", ",", "-e", EVENTS, "-p", &pid, "--"];
        let options = options(contender, cell, settings, messages);
        let (_, errors) = server.load_under(&wrapper, settings, &options, LIMIT)?;
        counted(&errors).ok_or_else(|| format!("perf says {errors}").into())
    };
    let n = messages(cell);
    let (few, many) = (count(n)?, count(2 * n)?);
    Ok(((many.0 - few.0) / n as f64, (many.1 - few.1) / n as f64))
}

const EVENTS: &str = "instructions:u,instructions:k";

/// Lines of `perf stat -x,`: the count, its unit, the event.
fn counted(lines: &str) -> Option<(f64, f64)> {
    let event = |name: &str| lines.lines().find(|line| line.contains(name))?.split(',').next()?.parse().ok();
    Some((event("instructions:u")?, event("instructions:k")?))
}

/// Whether this machine can count instructions. Virtual machines seldom can.
fn has_counters() -> bool {
    let output = Command::new("perf").args(["stat", "-x", ",", "-e", EVENTS, "true"]).output();
    output.is_ok_and(|output| {
        counted(&String::from_utf8_lossy(&output.stderr)).is_some_and(|(user, _)| user > 0.0)
    })
}

/// The number of idle connections, and bytes of the server's own memory for each, after its messages.
fn idle(contender: &Contender, coding: Coding, settings: &Settings) -> Outcome<(usize, f64)> {
    let (connections, each, message) = match coding {
        Coding::Plain => (settings.idle, 1, "-s 125".to_owned()),
        _ => {
            let message = format!("-s 1K --payload json {}", check::offer(coding));
            (settings.idle.min(IDLE_COMPRESSED), BEFORE_IDLE, message)
        }
    };
    let server = Server::start(contender, settings)?;
    let load = |options: &str| {
        let options = format!("{options} {message} --hold 0.5 --pid {}", server.pid());
        let options: Vec<String> = options.split(' ').map(str::to_owned).collect();
        server.load(settings, &options, LIMIT)
    };
    load(&format!("-c 20 -n {}", 20_000 / each))?; // memory that the server needs only once
    thread::sleep(Duration::from_millis(500));
    let (_, before) = resident(server.pid())?;
    let report = load(&format!("-c {connections} -n {}", connections * each))?;
    let after = report.server_anonymous.ok_or("its memory cannot be read")?;
    Ok((connections, (after as f64 - before as f64) / connections as f64))
}

fn scratch(name: &str) -> PathBuf {
    env::temp_dir().join(format!("framewire-compare-{}-{name}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strace_prints() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n \
                     60.00    0.000600           3       200           sendto\n \
                     40.00    0.000400           2       201         1 recvfrom\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.001000           2       401         1 total\n";
        let expected = [("recvfrom".to_owned(), 201.0), ("sendto".to_owned(), 200.0)];
        assert_eq!(summary(table), Calls::from(expected));
    }

    #[test]
    fn what_perf_prints() {
        let lines = "1243224,,instructions:u,1000,100.00,,\n9000,,instructions:k,1000,100.00,,\n";
        assert_eq!(counted(lines), Some((1_243_224.0, 9000.0)));
        assert_eq!(counted("<not supported>,,instructions:u,0,100.00,,\n"), None);
    }
}
