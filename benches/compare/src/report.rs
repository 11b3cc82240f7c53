//! What it all comes to, made of nothing but the records.

use crate::{
    Outcome,
    cell::Cell,
    contender::Contender,
    machine::Head,
    plot::{Plot, Row},
    record::Record,
};
use framewire_load::Handler;
use std::{collections::BTreeMap, fmt::Write};

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    head: &'a Head,
    records: &'a [Record],
    /// Messages per CPU-second of the server, by cell and contender: one for each round.
    per_cpu: BTreeMap<(Cell, &'a str), Vec<f64>>,
    /// Messages a second.
    per_second: BTreeMap<(Cell, &'a str), Vec<f64>>,
}

/// How a cell stands with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Our worst round is better than its best.
    Ahead,
    /// The rounds overlap.
    Inside,
    /// Our best round is worse than its worst.
    Behind,
}

impl<'a> Report<'a> {
    pub(crate) fn new(records: &'a [Record]) -> Outcome<Self> {
        let head = records.iter().find_map(|record| match record {
            Record::Head(head) => Some(&**head),
            _ => None,
        });
        let mut report = Self {
            head: head.ok_or("the raw data has no head")?,
            records,
            per_cpu: BTreeMap::new(),
            per_second: BTreeMap::new(),
        };
        for record in records {
            if let Record::Run { contender, cell, report: run, .. } = record {
                let key = (*cell, &**contender);
                report.per_second.entry(key).or_default().push(run.messages_per_second);
                if let Some(per_cpu) = run.messages_per_cpu_second {
                    report.per_cpu.entry(key).or_default().push(per_cpu);
                }
            }
        }
        Ok(report)
    }

    /// A few lines for who has waited.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        for cell in self.cells(Handler::Echo) {
            let behind = self.names_with(cell, Verdict::Behind);
            let inside = self.names_with(cell, Verdict::Inside);
            if !behind.is_empty() || !inside.is_empty() {
                let _ = writeln!(
                    text,
                    "{cell}: behind [{}], within the spread of [{}]",
                    behind.join(", "),
                    inside.join(", ")
                );
            }
        }
        if text.is_empty() {
            text.push_str("ahead of all in every cell by more than the spread\n");
        }
        if let Some((mean, cells)) = self.mean_against("bun") {
            let _ = writeln!(text, "{mean:.2} times bun on the geometric mean of {cells} cells");
        }
        text
    }

    /// Files and what is in them.
    pub(crate) fn plots(&self) -> Vec<(&'static str, String)> {
        let names: Vec<&str> = self.contenders(Handler::Echo).map(|each| &*each.name).collect();
        let index = |name: &str| names.iter().position(|each| *each == name);
        let mut ratios = Vec::new();
        for cell in self.cells(Handler::Echo) {
            let Some(ours) = self.per_cpu(cell, Contender::OURS).map(median) else { continue };
            let points = names.iter().enumerate().filter_map(|(i, name)| {
                let values = self.per_cpu(cell, name)?;
                let (low, high) = spread(values);
                Some((i, [low, median(values), high].map(|value| value / ours)))
            });
            ratios.push(Row { name: cell.to_string(), points: points.collect() });
        }
        let idle = self.records.iter().filter_map(|record| match record {
            Record::Idle { contender, bytes, .. } => {
                let value = bytes.max(1.0);
                Some(Row { name: contender.clone(), points: vec![(index(contender)?, [value; 3])] })
            }
            _ => None,
        });
        let named = |title: &str, axis: &str, rows, mark| Plot {
            title: title.into(),
            axis: axis.into(),
            rows,
            names: names.iter().map(|&name| name.to_owned()).collect(),
            mark,
        };
        let ratios =
            named("Messages per CPU-second of the server", "times framewire-echo's", ratios, Some(1.0));
        let idle = named("Memory of an idle connection", "bytes", idle.collect(), None);
        vec![("ratios.svg", ratios.svg()), ("idle.svg", idle.svg())]
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("# framewire-echo beside other servers\n\n");
        self.write_head(&mut text);
        self.write_verdict(&mut text);
        self.write_cells(&mut text, Handler::Echo, Contender::OURS);
        if self.contenders(Handler::Length).next().is_some() {
            text.push_str(
                "## A handler that does not echo\n\nEach message is answered with a short text: how many bytes it \
                 has, and the value of the last one.\n\n",
            );
            self.write_cells(&mut text, Handler::Length, Contender::OURS_LENGTH);
        }
        self.write_counts(&mut text);
        self.write_failures(&mut text);
        self.write_machine(&mut text);
        text
    }

    fn write_head(&self, text: &mut String) {
        let settings = &self.head.settings;
        let rounds = settings.rounds;
        let _ = write!(
            text,
            "{}. Each server on core {}, the load generator on core {}; {rounds} rounds of {} s a cell (longer for \
             large ones), in each a fresh process of every server, and in each cell the servers one right after the \
             other in another order. {:?} messages with a key of their own, TCP over the loopback interface, every \
             reply checked byte for byte. A cell is *connections* x *bytes of a message* x *messages in flight on each \
             connection*. Raw data: [raw.jsonl](raw.jsonl).\n\n",
            self.head.date, settings.server_core, settings.load_core, settings.seconds, settings.payload,
        );
        let end = self.records.iter().find_map(|record| match record {
            Record::End { load_average } => Some(load_average),
            _ => None,
        });
        match end {
            Some(load) => {
                let start = self.head.machine.iter().find(|(name, _)| name.starts_with("load average"));
                let start = start.map_or("", |(_, value)| value);
                let _ = write!(
                    text,
                    "Load average of the machine at the start {start}, at the end {load}: of the run itself some two \
                     are expected, and what is more was not ours.\n\n"
                );
            }
            None => text.push_str("**The run was cut off: what follows is what there is.**\n\n"),
        }
    }

    fn write_verdict(&self, text: &mut String) {
        text.push_str(
            "## Verdict\n\nMessages per CPU-second of the server, in thousands. *Ahead*: our worst round is better than its best. *Inside*: the \
             rounds overlap. *Behind*: our best is worse than its worst.\n\n\
             | cell | framewire-echo | best peer | ours to its | inside the spread of | behind |\n|---|---:|---|---:|---|---|\n",
        );
        for cell in self.cells(Handler::Echo) {
            let ours = self.per_cpu(cell, Contender::OURS);
            let peers = self.peers(Handler::Echo, Contender::OURS);
            let best = peers.filter_map(|peer| Some((peer, median(self.per_cpu(cell, peer)?))));
            let best = best.max_by(|(_, one), (_, other)| one.total_cmp(other));
            let (ours_cell, ratio) = match (ours, &best) {
                (Some(ours), Some((_, best))) => (with_spread(ours), format!("{:.2}", median(ours) / best)),
                (Some(ours), None) => (with_spread(ours), "–".into()),
                (None, _) => ("**failed**".into(), "–".into()),
            };
            let best = best.map_or_else(|| "–".into(), |(name, best)| format!("{name}, {}", kilo(best)));
            let list = |verdict| {
                let names = self.names_with(cell, verdict);
                if names.is_empty() { "–".to_owned() } else { names.join(", ") }
            };
            let _ = writeln!(
                text,
                "| {cell} | {ours_cell} | {best} | {ratio} | {} | {} |",
                list(Verdict::Inside),
                list(Verdict::Behind)
            );
        }
        text.push('\n');
        text.push_str("| peer | cells | ours to its, geometric mean | ahead | inside | behind |\n|---|---:|---:|---:|---:|---:|\n");
        for peer in self.peers(Handler::Echo, Contender::OURS) {
            let Some((mean, cells)) = self.mean_against(peer) else { continue };
            let count = |verdict| {
                self.cells(Handler::Echo)
                    .iter()
                    .filter(|&&cell| self.verdict(cell, peer) == Some(verdict))
                    .count()
            };
            let _ = writeln!(
                text,
                "| {peer} | {cells} | {mean:.2} | {} | {} | {} |",
                count(Verdict::Ahead),
                count(Verdict::Inside),
                count(Verdict::Behind)
            );
        }
        text.push_str("\n![Messages per CPU-second](ratios.svg)\n\n");
    }

    fn write_cells(&self, text: &mut String, handler: Handler, ours: &'a str) {
        let cells = self.cells(handler);
        if handler == Handler::Echo {
            text.push_str("## All cells\n\n");
        }
        type Values<'v, 'a> = &'v BTreeMap<(Cell, &'a str), Vec<f64>>;
        let tables: [(&str, Values<'_, 'a>); 2] = [
            ("Messages per CPU-second of the server, in thousands: median (lowest–highest).", &self.per_cpu),
            (
                "Messages a second, in thousands: with one message at a time, the generator is half of it.",
                &self.per_second,
            ),
        ];
        for (title, values) in tables {
            let _ = write!(text, "{title}\n\n| |");
            for cell in &cells {
                let _ = write!(text, " {cell} |");
            }
            text.push_str("\n|---|");
            text.push_str(&"---:|".repeat(cells.len()));
            text.push('\n');
            for name in [ours].into_iter().chain(self.peers(handler, ours)) {
                let _ = write!(text, "| {name} |");
                for cell in &cells {
                    let value = values
                        .get(&(*cell, name))
                        .map_or_else(|| "**–**".into(), |values| with_spread(values));
                    let _ = write!(text, " {value} |");
                }
                text.push('\n');
            }
            text.push('\n');
        }
    }

    fn write_counts(&self, text: &mut String) {
        if self.head.settings.counts == 0 {
            return;
        }
        text.push_str("## Counted\n\nOf two runs of which one has twice the messages, the difference: without start and connections. Messages of 1M are binary here, whatever the others are.\n\n");
        text.push_str(
            "System calls for a message (strace):\n\n| | cell | calls | of them |\n|---|---|---:|---|\n",
        );
        for record in self.records {
            if let Record::Calls { contender, cell, per_message, by_name } = record {
                let names: Vec<String> =
                    by_name.iter().map(|(name, per)| format!("{name} {per:.2}")).collect();
                let _ = writeln!(text, "| {contender} | {cell} | {per_message:.2} | {} |", names.join(", "));
            }
        }
        text.push_str("\nInstructions for a message:\n\n| | cell | counted by | user | kernel |\n|---|---|---|---:|---:|\n");
        for record in self.records {
            if let Record::Instructions { contender, cell, tool, user, kernel } = record {
                let kernel = kernel.map_or_else(|| "–".into(), thousands);
                let _ = writeln!(text, "| {contender} | {cell} | {tool} | {} | {kernel} |", thousands(*user));
            }
        }
        text.push_str(
            "\ncallgrind plays a processor with AVX2 and without AVX-512, and sees nothing of the kernel; of runtimes \
             that make machine code as they go it would say little.\n\n\
             Own memory (RssAnon) of a connection that has had one message each way and idles:\n\n\
             | | connections | bytes each |\n|---|---:|---:|\n",
        );
        for record in self.records {
            if let Record::Idle { contender, connections, bytes } = record {
                let _ = writeln!(text, "| {contender} | {connections} | {} |", thousands(*bytes));
            }
        }
        text.push_str("\n![Memory of an idle connection](idle.svg)\n\n");
    }

    fn write_failures(&self, text: &mut String) {
        text.push_str("## Who does the work\n\n| | sends back what it gets | refuses a text that is not UTF-8 |\n|---|---|---|\n");
        for record in self.records {
            if let Record::Check { contender, failure, validates_utf8 } = record {
                let (work, utf8) = match failure {
                    Some(failure) => (format!("**no, and so is not measured**: {failure}"), "–"),
                    None => (
                        "yes".into(),
                        if *validates_utf8 { "yes" } else { "**no**: it does less than the others" },
                    ),
                };
                let _ = writeln!(text, "| {contender} | {work} | {utf8} |");
            }
        }
        text.push_str("\nWhat could not be measured:\n\n");
        let before = text.len();
        for record in self.records {
            if let Record::Failed { contender, doing, why } = record {
                let _ = writeln!(text, "* {contender}, {doing}: {why}");
            }
        }
        if text.len() == before {
            text.push_str("Nothing.\n");
        }
        text.push('\n');
    }

    fn write_machine(&self, text: &mut String) {
        text.push_str("## Machine and versions\n\n| | |\n|---|---|\n");
        for (name, value) in &self.head.machine {
            let _ = writeln!(text, "| {name} | {} |", value.replace('|', "\\|"));
        }
        for each in &self.head.contenders {
            let _ = writeln!(text, "| {} | {} |", each.name, each.version);
        }
    }

    /// Those that have passed the check.
    fn contenders(&self, handler: Handler) -> impl Iterator<Item = &'a Contender> {
        let records = self.records;
        let is_able = move |name: &str| {
            records.iter().any(|record| {
                matches!(record, Record::Check { contender, failure: None, .. } if contender == name)
            })
        };
        self.head.contenders.iter().filter(move |each| each.handler == handler && is_able(&each.name))
    }

    fn peers(&self, handler: Handler, ours: &'a str) -> impl Iterator<Item = &'a str> {
        self.contenders(handler).map(|each| &*each.name).filter(move |name| *name != ours)
    }

    /// Those of which anything is known, in their order.
    fn cells(&self, handler: Handler) -> Vec<Cell> {
        let names: Vec<&str> = self.contenders(handler).map(|each| &*each.name).collect();
        let is_known = |cell: &Cell| names.iter().any(|name| self.per_cpu.contains_key(&(*cell, *name)));
        self.head.settings.cells.iter().copied().filter(is_known).collect()
    }

    fn per_cpu(&self, cell: Cell, name: &'a str) -> Option<&[f64]> {
        self.per_cpu.get(&(cell, name)).map(Vec::as_slice)
    }

    fn verdict(&self, cell: Cell, peer: &'a str) -> Option<Verdict> {
        Some(judge(self.per_cpu(cell, Contender::OURS)?, self.per_cpu(cell, peer)?))
    }

    fn names_with(&self, cell: Cell, verdict: Verdict) -> Vec<&'a str> {
        let peers = self.peers(Handler::Echo, Contender::OURS);
        peers.filter(|peer| self.verdict(cell, peer) == Some(verdict)).collect()
    }

    /// Ours to a peer's, on the geometric mean of so many cells.
    fn mean_against(&self, peer: &'a str) -> Option<(f64, usize)> {
        let ratio = |cell: &Cell| {
            Some(median(self.per_cpu(*cell, Contender::OURS)?) / median(self.per_cpu(*cell, peer)?))
        };
        let logs: Vec<f64> = self.cells(Handler::Echo).iter().filter_map(ratio).map(f64::ln).collect();
        (!logs.is_empty()).then(|| ((logs.iter().sum::<f64>() / logs.len() as f64).exp(), logs.len()))
    }
}

fn judge(ours: &[f64], peer: &[f64]) -> Verdict {
    let ((our_low, our_high), (low, high)) = (spread(ours), spread(peer));
    if our_low > high {
        Verdict::Ahead
    } else if our_high < low {
        Verdict::Behind
    } else {
        Verdict::Inside
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

fn spread(values: &[f64]) -> (f64, f64) {
    (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max))
}

/// Median, lowest and highest, in thousands.
fn with_spread(values: &[f64]) -> String {
    let (low, high) = spread(values);
    format!("{} ({}–{})", kilo(median(values)), kilo(low), kilo(high))
}

/// In thousands, with as many digits as mean something.
fn kilo(value: f64) -> String {
    let value = value / 1e3;
    if value < 10.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// A whole number with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ahead_is_more_than_the_spread() {
        assert_eq!(judge(&[10.0, 11.0, 12.0], &[7.0, 9.0, 9.9]), Verdict::Ahead);
        assert_eq!(judge(&[10.0, 11.0, 12.0], &[7.0, 9.0, 10.1]), Verdict::Inside);
        assert_eq!(judge(&[10.0, 11.0, 12.0], &[13.0, 12.1]), Verdict::Behind);
    }

    #[test]
    fn figures() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(
            [0.4, 999.0, 1000.0, 1_234_567.0, -1200.0].map(thousands),
            ["0", "999", "1,000", "1,234,567", "-1,200"]
        );
        assert_eq!(with_spread(&[1500.0, 2000.0, 123_456.0]), "2.00 (1.50–123)");
    }
}
