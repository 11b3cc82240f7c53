//! Messages, in rounds, servers in turn.

use crate::{
    Outcome,
    cell::{Cell, Coding, leave_name},
    check::{all_compressed, handler, offer},
    contender::{Contender, Group},
    options::{Kind, Settings},
    record::{self, Journal, Record},
    server::Server,
};
use framewire_load::Report;
use std::time::Duration;

/// Measures all cells of all contenders, in this many rounds. In a round, every server is a fresh process, and the cells have
/// another order; in every cell they take turns in another order, one right after the other, so that other work on the machine
/// affects all of them.
pub(crate) fn all(contenders: &[Contender], settings: &Settings, journal: &mut Journal) -> Outcome<()> {
    for round in 0..settings.rounds {
        let mut running = Vec::new();
        for contender in contenders {
            if settings.cells.iter().all(|&cell| is_done(contender, cell, round, journal)) {
                continue;
            }
            match Server::start(contender, settings) {
                Ok(server) => running.push((contender, server)),
                Err(error) => journal.fail(contender, format!("round {}", round + 1), &error)?,
            }
        }
        // Another order in each round: what a cell leaves behind in a process does not always meet the same cell.
        for i in order(settings.cells.len(), round as u64) {
            let cell = settings.cells[i];
            if !running.is_empty() {
                eprintln!("round {} of {}, {cell}", round + 1, settings.rounds);
            }
            for which in order(running.len(), (round * settings.cells.len() + i) as u64) {
                let (contender, server) = &mut running[which];
                if is_done(contender, cell, round, journal) {
                    continue;
                }
                match measure(contender, server, cell, settings) {
                    Ok(report) => journal.write(Record::Run {
                        contender: contender.name.clone(),
                        cell,
                        round,
                        report: Box::new(report),
                    })?,
                    Err(error) => {
                        journal.fail(contender, record::run(cell, round), &error)?;
                        // It may be in any state now.
                        if let Ok(fresh) = Server::start(contender, settings) {
                            *server = fresh;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn is_done(contender: &Contender, cell: Cell, round: usize, journal: &Journal) -> bool {
    !takes_part(contender, cell, journal) || journal.has(contender, &record::run(cell, round))
}

/// The other handler is measured in cells with cheap messages, in which the handler matters; compression in cells that have
/// it, if the server agrees to it.
fn takes_part(contender: &Contender, cell: Cell, journal: &Journal) -> bool {
    match contender.group() {
        Group::Echo | Group::Churn => cell.coding == Coding::Plain,
        Group::Length => {
            let is_plain = cell.coding == Coding::Plain && cell.churn.is_none();
            is_plain && cell.connections == 100 && cell.size <= 1 << 10
        }
        Group::Compressed => journal.agrees(&contender.name, cell.coding),
    }
}

fn measure(contender: &Contender, server: &Server, cell: Cell, settings: &Settings) -> Outcome<Report> {
    let seconds = settings.seconds * cell.patience();
    let warm_up = 0.15 * cell.patience();
    let mut options = load(cell, settings.payload, contender);
    options.extend(
        format!("-d {seconds} --warm-up {warm_up} --patience 30 --pid {}", server.pid())
            .split(' ')
            .map(str::to_owned),
    );
    let report = server.load(settings, &options, Duration::from_secs_f64(30.0 + 20.0 * seconds))?;
    if cell.coding != Coding::Plain {
        all_compressed(&report)?;
        let agreed = report.agreed.as_deref().unwrap_or_default();
        if !cell.coding.is_kept_by(agreed) {
            return Err(format!("it agrees to {agreed}").into());
        }
    }
    Ok(report)
}

/// The generator's options for a cell.
pub(crate) fn load(cell: Cell, payload: Kind, contender: &Contender) -> Vec<String> {
    let Cell { connections, size, in_flight, coding, churn } = cell;
    let payload = match (coding, payload) {
        (Coding::Plain, Kind::Text) => "text",
        (Coding::Plain, Kind::Binary) => "binary",
        _ => "json",
    };
    let handler = handler(contender);
    let churn = churn.map_or_else(String::new, |(echoes, leave)| {
        format!("--churn {echoes} --leave {} --sources {SOURCES}", leave_name(leave))
    });
    let options = format!(
        "-c {connections} -s {size} -i {in_flight} --payload {payload} --handler {handler} {} {churn}",
        offer(coding)
    );
    options.split_whitespace().map(str::to_owned).collect()
}

/// The addresses from which connections come: 1.8 million ports, more than a run opens connections in the minute for which a port
/// may rest.
const SOURCES: u8 = 64;

/// The numbers below `count` in an order that looks random and is the same each time.
fn order(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for i in (1..count).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(i, (state % (i as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn_and_nobody_always_the_first() {
        let mut first = std::collections::HashSet::new();
        for seed in 0..100 {
            let mut turns = order(12, seed);
            first.insert(turns[0]);
            turns.sort_unstable();
            assert_eq!(turns, (0..12).collect::<Vec<_>>());
        }
        assert_eq!(first.len(), 12);
    }
}
