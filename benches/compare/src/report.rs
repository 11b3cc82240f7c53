//! The report, made from the records alone.

use crate::{
    Outcome,
    cell::{Cell, Coding},
    contender::{Contender, Group},
    counts,
    figures::{kilo, median, spread, thousands, with_spread},
    machine::Head,
    plot::{Plot, Row},
    record::Record,
};
use std::{collections::BTreeMap, fmt::Write};

/// All results.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    head: &'a Head,
    records: &'a [Record],
    /// Messages per CPU-second of the server, by cell and contender: one for each round. If connections come and go, connections
    /// instead of messages.
    per_cpu: Figures<'a>,
    /// The same a second.
    per_second: Figures<'a>,
    /// Bytes from the server for a message.
    wire: Figures<'a>,
    /// Microseconds from the start of a connection to its first reply: the median, and the 99th percentile.
    first_p50: Figures<'a>,
    first_p99: Figures<'a>,
}

type Figures<'a> = BTreeMap<(Cell, &'a str), Vec<f64>>;

/// The names of the plots' files.
const RATIOS: &str = "ratios.svg";
const IDLE: &str = "idle.svg";
const RATIOS_COMPRESSED: &str = "ratios-compressed.svg";
const IDLE_COMPRESSED: &str = "idle-compressed.svg";
const RATIOS_CHURN: &str = "ratios-churn.svg";

/// How our server compares with one peer in a cell.
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
            wire: BTreeMap::new(),
            first_p50: BTreeMap::new(),
            first_p99: BTreeMap::new(),
        };
        for record in records {
            if let Record::Run { contender, cell, report: run, .. } = record {
                let key = (*cell, &**contender);
                let mut add = |figures: fn(&mut Self) -> &mut Figures<'a>, value: Option<f64>| {
                    if let Some(value) = value {
                        figures(&mut report).entry(key).or_default().push(value);
                    }
                };
                let is_churn = cell.churn.is_some();
                let of = |messages, connections| if is_churn { connections } else { messages };
                add(
                    |report| &mut report.per_second,
                    of(Some(run.messages_per_second), run.connections_per_second),
                );
                add(
                    |report| &mut report.per_cpu,
                    of(run.messages_per_cpu_second, run.connections_per_cpu_second),
                );
                add(|report| &mut report.wire, Some(run.wire_bytes as f64 / run.messages.max(1) as f64));
                add(|report| &mut report.first_p50, run.first_p50);
                add(|report| &mut report.first_p99, run.first_p99);
            }
        }
        Ok(report)
    }

    /// A few lines for the terminal.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        let groups = [Group::Echo, Group::Compressed, Group::Churn];
        for (group, cell) in
            groups.into_iter().flat_map(|group| self.cells(group).into_iter().map(move |cell| (group, cell)))
        {
            let behind = self.names_with(group, cell, Verdict::Behind);
            let inside = self.names_with(group, cell, Verdict::Inside);
            let without = self.names_without(group, cell);
            if !behind.is_empty() || !inside.is_empty() {
                let _ = writeln!(
                    text,
                    "{cell}: behind [{}], within the spread of [{}]",
                    behind.join(", "),
                    inside.join(", ")
                );
            }
            if !without.is_empty() {
                let _ =
                    writeln!(text, "{cell}: not in all rounds, so without a verdict: {}", without.join(", "));
            }
        }
        if text.is_empty() {
            text.push_str("ahead of all in every cell by more than the spread\n");
        }
        for (group, bun) in groups.into_iter().zip(["bun", "bun (deflate)", "bun"]) {
            if let Some((mean, cells)) = self.mean_against(group, bun) {
                let counted = group.counted().to_lowercase();
                let _ = writeln!(
                    text,
                    "{mean:.2} times {bun} on the geometric mean of {cells} cells of {counted}"
                );
            }
        }
        text
    }

    /// The files of the plots and their content, which is empty if there is nothing to show.
    pub(crate) fn plots(&self) -> Vec<(&'static str, String)> {
        let (ratios, idle) = self.plots_of(Group::Echo);
        let (ratios_compressed, idle_compressed) = self.plots_of(Group::Compressed);
        let (ratios_churn, _) = self.plots_of(Group::Churn);
        vec![
            (RATIOS, ratios),
            (IDLE, idle),
            (RATIOS_COMPRESSED, ratios_compressed),
            (IDLE_COMPRESSED, idle_compressed),
            (RATIOS_CHURN, ratios_churn),
        ]
    }

    fn plots_of(&self, group: Group) -> (String, String) {
        let names: Vec<&str> = self.contenders(group).map(|each| &*each.name).collect();
        let index = |name: &str| names.iter().position(|each| *each == name);
        let mut ratios = Vec::new();
        for cell in self.cells(group) {
            let Some(ours) = self.per_cpu(cell, group.ours()).map(median) else { continue };
            let points = names.iter().enumerate().filter_map(|(i, name)| {
                let values = self.per_cpu(cell, name)?;
                let (low, high) = spread(values);
                Some((i, [low, median(values), high].map(|value| value / ours)))
            });
            ratios.push(Row { name: cell.to_string(), points: points.collect() });
        }
        let idle = self.records.iter().filter_map(|record| match record {
            Record::Idle { contender, coding, bytes, .. } => {
                let value = bytes.max(1.0);
                let name = format!("{}{coding}", Contender::plain(contender));
                Some(Row { name, points: vec![(index(contender)?, [value; 3])] })
            }
            _ => None,
        });
        let named = |title: &str, axis: &str, rows, mark| Plot {
            title: title.into(),
            axis: axis.into(),
            rows,
            names: names.iter().map(|&name| Contender::plain(name).to_owned()).collect(),
            mark,
        };
        let title = format!("{} per CPU-second of the server", group.counted());
        let ratios = named(&title, "times framewire-echo's", ratios, Some(1.0));
        let idle = named("Memory of an idle connection", "bytes", idle.collect(), None);
        (ratios.svg(), idle.svg())
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("# framewire-echo beside other servers\n\n");
        self.write_head(&mut text);
        if !self.cells(Group::Echo).is_empty() {
            text.push_str("## Verdict\n\n");
            self.write_verdict(&mut text, Group::Echo);
            text.push_str("## All cells\n\n");
            self.write_cells(&mut text, Group::Echo);
        }
        if self.contenders(Group::Compressed).next().is_some() {
            self.write_compressed(&mut text);
        }
        if !self.cells(Group::Churn).is_empty() {
            self.write_churn(&mut text);
        }
        if self.contenders(Group::Length).next().is_some() {
            text.push_str(
                "## A handler that does not echo\n\nEach message is answered with a short text: its number of \
                 bytes, and the value of the last one.\n\n",
            );
            self.write_cells(&mut text, Group::Length);
        }
        self.write_counts(&mut text);
        self.write_failures(&mut text);
        self.write_machine(&mut text);
        text
    }

    fn write_head(&self, text: &mut String) {
        let settings = &self.head.settings;
        let rounds = settings.rounds;
        let messages = if settings.cells.iter().any(|cell| cell.coding == Coding::Plain) {
            format!("{:?} messages", settings.payload)
        } else {
            "Messages".into()
        };
        let _ = write!(
            text,
            "{}. Each server on core {}, the load generator on core {}; {rounds} rounds of {} s a cell (longer for \
             large ones), in each a fresh process of every server, and the cells in another order; in each cell, the \
             servers take turns, one right after the other, in another order. {messages} with their own keys, TCP over the loopback interface, every \
             reply checked byte for byte. A cell is *connections* x *bytes of a message* x *messages in flight on each \
             connection*. Raw data: [raw.jsonl](raw.jsonl).\n\n",
            self.head.date, settings.server_core, settings.load_core, settings.seconds,
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
                    "Load average of the machine at the start {start}, at the end {load}: the run itself causes some \
                     two, other programs the rest.\n\n"
                );
            }
            None => text.push_str("**The run was interrupted: results are missing.**\n\n"),
        }
    }

    fn write_verdict(&self, text: &mut String, group: Group) {
        let ours_name = Contender::plain(group.ours());
        let _ = write!(
            text,
            "{} per CPU-second of the server, in thousands. *Ahead*: our worst round is better than its best. *Inside*: the \
             rounds overlap. *Behind*: our best is worse than its worst.\n\n\
             | cell | {ours_name} | best peer | ours to its | inside the spread of | behind |\n|---|---:|---|---:|---|---|\n",
            group.counted(),
        );
        for cell in self.cells(group) {
            let ours = self.per_cpu(cell, group.ours());
            let best = self.best_peer(group, cell);
            let (ours_cell, ratio) = match (ours, &best) {
                (Some(ours), Some((_, best))) => (self.shown(ours), format!("{:.2}", median(ours) / best)),
                (Some(ours), None) => (self.shown(ours), "–".into()),
                (None, _) => ("**failed**".into(), "–".into()),
            };
            let best = best.map_or_else(
                || "–".into(),
                |(name, best)| format!("{}, {}", Contender::plain(name), kilo(best)),
            );
            let list = |verdict| {
                let names = self.names_with(group, cell, verdict);
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
        for cell in self.cells(group) {
            let names = self.names_without(group, cell);
            if !names.is_empty() {
                let _ = writeln!(
                    text,
                    "{cell}: not in all rounds, so without a verdict: {}.\n",
                    names.join(", ")
                );
            }
        }
        text.push_str("| peer | cells | ours to its, geometric mean | ahead | inside | behind |\n|---|---:|---:|---:|---:|---:|\n");
        for peer in self.peers(group) {
            let Some((mean, cells)) = self.mean_against(group, peer) else { continue };
            let count = |verdict| {
                self.cells(group)
                    .iter()
                    .filter(|&&cell| self.verdict(group.ours(), cell, peer) == Some(verdict))
                    .count()
            };
            let _ = writeln!(
                text,
                "| {} | {cells} | {mean:.2} | {} | {} | {} |",
                Contender::plain(peer),
                count(Verdict::Ahead),
                count(Verdict::Inside),
                count(Verdict::Behind)
            );
        }
        self.write_companions(text, group);
        let plot = match group {
            Group::Compressed => RATIOS_COMPRESSED,
            Group::Churn => RATIOS_CHURN,
            Group::Echo | Group::Length => RATIOS,
        };
        let _ = write!(text, "\n![{} per CPU-second]({plot})\n\n", group.counted());
    }

    /// Our other servers, and `tokio-bare`, beside the best peer.
    fn write_companions(&self, text: &mut String, group: Group) {
        let names: Vec<&str> = self.companions(group).collect();
        if names.is_empty() || self.peers(group).next().is_none() {
            return;
        }
        let shown: Vec<&str> = names.iter().map(|name| Contender::plain(name)).collect();
        let _ = write!(
            text,
            "\nThe same of {}. **Bold**: ahead of all peers.\n\n| cell | {} | best peer |\n|---|{}---|\n",
            shown.join(", "),
            shown.join(" | "),
            "---:|".repeat(names.len())
        );
        for cell in self.cells(group) {
            let Some((best, figure)) = self.best_peer(group, cell) else { continue };
            let of = |name: &&'a str| {
                let Some(values) = self.per_cpu(cell, name) else { return "–".to_owned() };
                let ahead = |peer| {
                    let has_figures = self.per_cpu(cell, peer).is_some();
                    !has_figures || self.verdict(name, cell, peer) == Some(Verdict::Ahead)
                };
                let mark = if self.peers(group).all(ahead) { "**" } else { "" };
                format!("{mark}{}{mark}", self.shown(values))
            };
            let row: Vec<String> = names.iter().map(of).collect();
            let _ = writeln!(
                text,
                "| {cell} | {} | {}, {} |",
                row.join(" | "),
                Contender::plain(best),
                kilo(figure)
            );
        }
        let _ = write!(
            text,
            "\nTheirs to a peer's, geometric mean:\n\n| peer | {} |\n|---|{}\n",
            shown.join(" | "),
            "---:|".repeat(names.len())
        );
        for peer in self.peers(group) {
            let mean = |name: &&'a str| {
                self.mean_of(group, name, peer)
                    .map_or_else(|| "–".to_owned(), |(mean, _)| format!("{mean:.2}"))
            };
            let row: Vec<String> = names.iter().map(mean).collect();
            let _ = writeln!(text, "| {} | {} |", Contender::plain(peer), row.join(" | "));
        }
    }

    /// Figures with their spread, and a mark if some rounds have none.
    fn shown(&self, values: &[f64]) -> String {
        let mark = if values.len() < self.head.settings.rounds { "†" } else { "" };
        with_spread(values) + mark
    }

    fn write_churn(&self, text: &mut String) {
        text.push_str(
            "## Connections that come and go\n\nEach connection is opened, has as many messages of 125 bytes echoed, one \
             after the other, as the cell's name ends with, and leaves; then another takes its place. `+close`: by a \
             closing handshake, after which the client waits for the server to close; `+fin`: the client closes its \
             socket; `+reset`: the client resets the connection.\n\n",
        );
        self.write_verdict(text, Group::Churn);
        self.write_cells(text, Group::Churn);
        for (what, figures) in [("median", &self.first_p50), ("99th percentile", &self.first_p99)] {
            let _ = write!(
                text,
                "From the start of a connection to its first reply (without messages, to the end of the opening \
                 handshake), in µs: {what}, of which the median of the rounds.\n\n"
            );
            self.write_table(text, Group::Churn, figures, |values| thousands(median(values)));
        }
    }

    fn write_compressed(&self, text: &mut String) {
        let level = self.head.settings.level;
        let _ = write!(
            text,
            "## Compressed\n\npermessage-deflate, both ways, of pieces of 4 MiB of JSON. `+takeover`: a message may refer \
             to those before it on its connection, in a window of 32 KiB; `+alone`: each is compressed by itself. A \
             server that does not agree to one of these is not in its cells. All compress at level {level}{}. An \
             uncompressed reply fails a run.\n\n",
            if level == 6 { "" } else { ", except bun, which is fixed at 6" },
        );
        self.write_verdict(text, Group::Compressed);
        self.write_cells(text, Group::Compressed);
        text.push_str("Bytes of a reply on the wire, with its header:\n\n");
        self.write_table(text, Group::Compressed, &self.wire, |values| format!("{:.0}", median(values)));
        text.push_str("What each server agrees to, for each way of compressing:\n\n| | asked for | agreed on |\n|---|---|---|\n");
        for record in self.records {
            if let Record::Check { contender, agreed, .. } = record {
                for (coding, to) in agreed {
                    let is_kept = if coding.is_kept_by(to) { "" } else { " **(and so has no such cells)**" };
                    let (name, asked) = (Contender::plain(contender), &coding.to_string()[1..]);
                    let _ = writeln!(text, "| {name} | {asked} | `{to}`{is_kept} |");
                }
            }
        }
        text.push('\n');
        text.push_str(
            "tokio-tungstenite, tokio-websockets, fastwebsockets, web-socket and picows have no permessage-deflate.\n\n",
        );
        self.write_idle(
            text,
            Group::Compressed,
            &format!("has had some {} messages of 1 KiB in each direction", counts::BEFORE_IDLE),
            IDLE_COMPRESSED,
        );
    }

    fn write_cells(&self, text: &mut String, group: Group) {
        let (counted, cells, rounds) = (group.counted(), self.cells(group), self.head.settings.rounds);
        let names: Vec<&str> = self.contenders(group).map(|each| &*each.name).collect();
        let half = if group == Group::Churn { "" } else { " with one message at a time," };
        let tables = [
            (
                format!("{counted} per CPU-second of the server, in thousands: median (lowest–highest)."),
                &self.per_cpu,
            ),
            (
                format!("{counted} a second, in thousands:{half} the generator takes half of the time."),
                &self.per_second,
            ),
        ];
        for (title, values) in tables {
            let lacks = |((cell, name), values): (&(Cell, &str), &Vec<f64>)| {
                cells.contains(cell) && names.contains(name) && values.len() < rounds
            };
            let note =
                if values.iter().any(lacks) { " †: not in all rounds, so without a verdict." } else { "" };
            let _ = write!(text, "{title}{note}\n\n");
            self.write_table(text, group, values, |values| self.shown(values));
        }
    }

    /// A row for each cell and a column for each contender of a group.
    fn write_table(
        &self,
        text: &mut String,
        group: Group,
        values: &Figures<'a>,
        shown: impl Fn(&[f64]) -> String,
    ) {
        let others = self.companions(group).chain(self.peers(group));
        let names: Vec<&str> = [group.ours()].into_iter().chain(others).collect();
        let shown_names: Vec<&str> = names.iter().map(|name| Contender::plain(name)).collect();
        let _ = writeln!(text, "| | {} |\n|---|{}", shown_names.join(" | "), "---:|".repeat(names.len()));
        for cell in self.cells(group) {
            let value = |name: &&'a str| {
                values.get(&(cell, *name)).map_or_else(|| "**–**".into(), |values| shown(values))
            };
            let row: Vec<String> = names.iter().map(value).collect();
            let _ = writeln!(text, "| {cell} | {} |", row.join(" | "));
        }
        text.push('\n');
    }

    fn write_idle(&self, text: &mut String, group: Group, when: &str, plot: &str) {
        let names: Vec<&str> = self.contenders(group).map(|each| &*each.name).collect();
        let row = |record: &Record| match record {
            Record::Idle { contender, connections, coding, bytes } if names.contains(&&**contender) => {
                let (name, bytes) = (Contender::plain(contender), thousands(*bytes));
                Some(format!("| {name}{coding} | {connections} | {bytes} |\n"))
            }
            _ => None,
        };
        let rows: String = self.records.iter().filter_map(row).collect();
        if !rows.is_empty() {
            let _ = write!(
                text,
                "Own memory (RssAnon) of an idle connection that {when}:\n\n| | connections | bytes each |\n\
                 |---|---:|---:|\n{rows}\n![Memory of an idle connection]({plot})\n\n"
            );
        }
    }

    fn write_counts(&self, text: &mut String) {
        if self.head.settings.counts == 0 || self.contenders(Group::Echo).next().is_none() {
            return;
        }
        text.push_str("## Counted\n\nThe difference between two runs, one with twice the messages, so start and connections are not in it. Messages of 1M are binary here.\n\n");
        text.push_str(
            "System calls for a message (strace):\n\n| | cell | calls | of them |\n|---|---|---:|---|\n",
        );
        self.write_calls(text, false);
        if self.head.settings.cells.iter().any(|cell| cell.churn.is_some()) {
            text.push_str(
                "\nSystem calls for a connection that comes and goes:\n\n| | cell | calls | of them |\n|---|---|---:|---|\n",
            );
            self.write_calls(text, true);
        }
        text.push_str("\nInstructions for a message:\n\n| | cell | counted by | user | kernel |\n|---|---|---|---:|---:|\n");
        for record in self.records {
            if let Record::Instructions { contender, cell, tool, user, kernel } = record {
                let kernel = kernel.map_or_else(|| "–".into(), thousands);
                let _ = writeln!(text, "| {contender} | {cell} | {tool} | {} | {kernel} |", thousands(*user));
            }
        }
        text.push_str(
            "\ncallgrind emulates a processor with AVX2 and without AVX-512, and does not see the kernel. It is not \
             used for runtimes that compile at run time.\n\n",
        );
        self.write_idle(text, Group::Echo, "has had one message in each direction", IDLE);
    }

    fn write_calls(&self, text: &mut String, of_churn: bool) {
        for record in self.records {
            if let Record::Calls { contender, cell, per_message, by_name } = record
                && cell.churn.is_some() == of_churn
            {
                let names: Vec<String> =
                    by_name.iter().map(|(name, per)| format!("{name} {per:.2}")).collect();
                let _ = writeln!(text, "| {contender} | {cell} | {per_message:.2} | {} |", names.join(", "));
            }
        }
    }

    fn write_failures(&self, text: &mut String) {
        text.push_str("## Which servers do the work\n\n| | sends back each message | refuses a text that is not UTF-8 |\n|---|---|---|\n");
        for record in self.records {
            if let Record::Check { contender, failure, validates_utf8, .. } = record {
                let (work, utf8) = match failure {
                    Some(failure) => (format!("**no, so it is not measured**: {failure}"), "–"),
                    None => (
                        "yes".into(),
                        if *validates_utf8 { "yes" } else { "**no**: it does less than the others" },
                    ),
                };
                let _ = writeln!(text, "| {contender} | {work} | {utf8} |");
            }
        }
        text.push_str("\nThese measurements failed:\n\n");
        let before = text.len();
        for record in self.records {
            if let Record::Failed { contender, doing, why } = record {
                let _ = writeln!(text, "* {contender}, {doing}: {why}");
            }
        }
        if text.len() == before {
            text.push_str("None.\n");
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

    /// The contenders that have passed the check.
    fn contenders(&self, group: Group) -> impl Iterator<Item = &'a Contender> {
        let records = self.records;
        let is_able = move |name: &str| {
            records.iter().any(|record| {
                matches!(record, Record::Check { contender, failure: None, .. } if contender == name)
            })
        };
        self.head.contenders.iter().filter(move |each| group.has(each) && is_able(&each.name))
    }

    /// Other people's.
    fn peers(&self, group: Group) -> impl Iterator<Item = &'a str> {
        self.contenders(group).filter(|each| each.is_peer()).map(|each| &*each.name)
    }

    /// Our other servers, and `tokio-bare`: they are shown, and are no peers.
    fn companions(&self, group: Group) -> impl Iterator<Item = &'a str> {
        let names = self.contenders(group).filter(|each| !each.is_peer()).map(|each| &*each.name);
        names.filter(move |name| *name != group.ours())
    }

    /// The peer with the highest median in a cell, and that.
    fn best_peer(&self, group: Group, cell: Cell) -> Option<(&'a str, f64)> {
        let figures = self.peers(group).filter_map(|peer| Some((peer, median(self.per_cpu(cell, peer)?))));
        figures.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// The contenders with results, in their order.
    fn cells(&self, group: Group) -> Vec<Cell> {
        let names: Vec<&str> = self.contenders(group).map(|each| &*each.name).collect();
        let is_known = |cell: &Cell| names.iter().any(|name| self.per_cpu.contains_key(&(*cell, *name)));
        let is_its = |cell: &Cell| (cell.churn.is_some()) == (group == Group::Churn);
        self.head.settings.cells.iter().copied().filter(is_its).filter(is_known).collect()
    }

    fn per_cpu(&self, cell: Cell, name: &'a str) -> Option<&[f64]> {
        self.per_cpu.get(&(cell, name)).map(Vec::as_slice)
    }

    /// None if one of them has not all rounds: a spread of few is not one of many.
    fn verdict(&self, ours: &'a str, cell: Cell, peer: &'a str) -> Option<Verdict> {
        let all = |name| self.per_cpu(cell, name).filter(|values| values.len() == self.head.settings.rounds);
        Some(judge(all(ours)?, all(peer)?))
    }

    /// The names of a cell's peers, as the report shows them.
    fn names_with(&self, group: Group, cell: Cell, verdict: Verdict) -> Vec<&'a str> {
        let peers = self.peers(group).filter(|peer| self.verdict(group.ours(), cell, peer) == Some(verdict));
        peers.map(Contender::plain).collect()
    }

    /// The names of the peers that have figures for a cell, and no verdict, as they or we lack a round.
    fn names_without(&self, group: Group, cell: Cell) -> Vec<&'a str> {
        let peers = self.peers(group).filter(|peer| {
            self.per_cpu(cell, peer).is_some() && self.verdict(group.ours(), cell, peer).is_none()
        });
        peers.map(Contender::plain).collect()
    }

    /// Our throughput divided by a peer's: the geometric mean, and the number of cells.
    fn mean_against(&self, group: Group, peer: &'a str) -> Option<(f64, usize)> {
        self.mean_of(group, group.ours(), peer)
    }

    fn mean_of(&self, group: Group, ours: &'a str, peer: &'a str) -> Option<(f64, usize)> {
        let ratio =
            |cell: &Cell| Some(median(self.per_cpu(*cell, ours)?) / median(self.per_cpu(*cell, peer)?));
        let logs: Vec<f64> = self.cells(group).iter().filter_map(ratio).map(f64::ln).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ahead_is_more_than_the_spread() {
        assert_eq!(judge(&[10.0, 11.0, 12.0], &[7.0, 9.0, 9.9]), Verdict::Ahead);
        assert_eq!(judge(&[10.0, 11.0, 12.0], &[7.0, 9.0, 10.1]), Verdict::Inside);
        assert_eq!(judge(&[10.0, 11.0, 12.0], &[13.0, 12.1]), Verdict::Behind);
    }
}
