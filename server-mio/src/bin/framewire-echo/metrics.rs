//! The page /metrics: the counters of all loops, in the text formats of Prometheus (0.0.4) and OpenMetrics (1.0.0).

use framewire_mio::{Counter, Histogram, Stats};
use std::{
    fmt::{self, Display, Write},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

/// What the pages of all loops say.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Set once, when all servers exist.
    loops: OnceLock<Vec<Arc<Stats>>>,
    started: Duration,
    limits: Limits,
}

/// Limits of the options, for all threads together, so that alerts need not repeat them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    /// Of memory for compression, if there is compression.
    pub(crate) compression: Option<usize>,
}

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Prometheus,
    OpenMetrics,
}

impl Format {
    /// The format for a request with these values of `Accept`. Prometheus lists OpenMetrics if it understands it.
    pub(crate) fn accepted<'a>(mut accept: impl Iterator<Item = &'a [u8]>) -> Self {
        let wanted = b"application/openmetrics-text";
        if accept.any(|value| value.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted))) {
            return Self::OpenMetrics;
        }
        Self::Prometheus
    }

    /// The headers of a page in this format.
    pub(crate) const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Prometheus => {
                &[("Content-Type", "text/plain; version=0.0.4; charset=utf-8"), ("Cache-Control", "no-store")]
            }
            Self::OpenMetrics => &[
                ("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
                ("Cache-Control", "no-store"),
            ],
        }
    }
}

impl Metrics {
    pub(crate) fn new(limits: Limits) -> Self {
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { loops: OnceLock::new(), started, limits }
    }

    /// Sets the counters, which exist only when the servers do. Only the first call has an effect.
    pub(crate) fn set_loops(&self, loops: Vec<Arc<Stats>>) {
        let _ = self.loops.set(loops);
    }

    /// Writes the page. `dropped`: how many lines of the log were dropped, if that is possible.
    pub(crate) fn write(&self, text: &mut String, format: Format, dropped: Option<u64>) {
        text.clear();
        let loops = self.loops.get().map_or(&[][..], Vec::as_slice);
        let sum =
            |counter: fn(&Stats) -> &Counter| loops.iter().map(|stats| counter(stats).get()).sum::<u64>();
        let mut page = Page { text, format };
        let page = &mut page;

        page.gauge("framewire_connections", "Open connections.", sum(|stats| &stats.connections));
        page.gauge("framewire_connections_limit", "The most open connections.", self.limits.connections);
        page.counter("framewire_connections_accepted", "Connections accepted.", sum(|stats| &stats.accepted));
        page.counter(
            "framewire_connections_taken_over",
            "Connections that left the loop for a behaviour.",
            sum(|stats| &stats.taken_over),
        );
        page.counter(
            "framewire_tls_handshakes",
            "Handshakes of TLS that succeeded.",
            sum(|stats| &stats.tls_handshakes),
        );
        page.counter(
            "framewire_websockets_opened",
            "Opening handshakes that succeeded.",
            sum(|stats| &stats.opened),
        );
        page.counter(
            "framewire_http_requests",
            "Other requests that got a response.",
            sum(|stats| &stats.requests),
        );
        page.counter("framewire_messages_received", "Whole messages received.", sum(|stats| &stats.messages));
        page.counter("framewire_received_bytes", "Bytes of frames received.", sum(|stats| &stats.bytes));
        page.counter(
            "framewire_sent_bytes",
            "Bytes of responses and frames sent, or queued until their sockets take them.",
            sum(|stats| &stats.sent),
        );
        page.gauge(
            "framewire_paused_connections",
            "Open connections that are not read now, because too much is queued for them.",
            sum(|stats| &stats.paused),
        );
        page.gauge(
            "framewire_queued_bytes",
            "Bytes that wait until their sockets take them.",
            sum(|stats| &stats.queued),
        );
        if let Some(limit) = self.limits.compression {
            page.gauge(
                "framewire_compression_memory_bytes",
                "Memory that compression has in use or in reserve.",
                sum(|stats| &stats.compression_memory),
            );
            page.gauge("framewire_compression_memory_limit_bytes", "The most memory for compression.", limit);
        }
        page.faults(loops);
        page.closes(loops);
        page.turns(loops);
        if let Some(dropped) = dropped {
            page.counter(
                "framewire_log_lines_dropped",
                "Lines dropped because standard error was too slow.",
                dropped,
            );
        }
        page.family("framewire_build_info", "gauge", "The version of the program.");
        page.sample("framewire_build_info", format_args!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1);
        page.gauge(
            "process_start_time_seconds",
            "The time at which the program began, since 1970.",
            format_args!("{:.3}", self.started.as_secs_f64()),
        );
        if let Some(bytes) = resident_memory() {
            page.gauge("process_resident_memory_bytes", "Resident memory.", bytes);
        }
        if format == Format::OpenMetrics {
            page.line(format_args!("# EOF"));
        }
    }
}

/// A page that is being written.
struct Page<'a> {
    text: &'a mut String,
    format: Format,
}

impl Page<'_> {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // In the format of Prometheus, the name of a counter's family is that of its samples.
        let total = if kind == "counter" && self.format == Format::Prometheus { "_total" } else { "" };
        self.line(format_args!("# HELP {name}{total} {help}"));
        self.line(format_args!("# TYPE {name}{total} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: impl Display, value: impl Display) {
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, "_total", value);
    }

    fn faults(&mut self, loops: &[Arc<Stats>]) {
        self.family("framewire_errors", "counter", "What went wrong with connections.");
        for fault in framewire_mio::Fault::ALL {
            let count: u64 = loops.iter().map(|stats| stats.faults.get(fault)).sum();
            self.sample("framewire_errors_total", format_args!("{{kind=\"{}\"}}", fault.name()), count);
        }
    }

    fn closes(&mut self, loops: &[Arc<Stats>]) {
        let help = "How peers have closed WebSockets, by close code; 1006: without a close frame.";
        self.family("framewire_closes", "counter", help);
        for (code, count) in sums(loops, |stats| stats.closes.iter()) {
            let code = code.map_or_else(|| "other".into(), |code| code.get().to_string());
            self.sample("framewire_closes_total", format_args!("{{code=\"{code}\"}}"), count);
        }
    }

    fn turns(&mut self, loops: &[Arc<Stats>]) {
        let help = "How long the turns of the loops took: so long can all others of a loop wait for a peer.";
        self.family("framewire_turn_seconds", "histogram", help);
        let mut count = 0;
        for (bound, more) in sums(loops, |stats| stats.turns.iter()) {
            count += more;
            let bound = bound.map_or_else(|| "+Inf".into(), |bound| canonical(bound.as_secs_f64()));
            self.sample("framewire_turn_seconds_bucket", format_args!("{{le=\"{bound}\"}}"), count);
        }
        let sum: Duration = loops.iter().map(|stats| Histogram::sum(&stats.turns)).sum();
        self.sample("framewire_turn_seconds_sum", "", format_args!("{:.9}", sum.as_secs_f64()));
        self.sample("framewire_turn_seconds_count", "", count);
    }
}

/// Adds the lists of all loops, which have the same keys.
fn sums<'a, K, I: Iterator<Item = (K, u64)>>(
    loops: &'a [Arc<Stats>],
    list: impl Fn(&'a Stats) -> I,
) -> Vec<(K, u64)> {
    let mut lists = loops.iter().map(|stats| list(stats));
    let mut sums: Vec<_> = lists.next().map_or_else(Vec::new, Iterator::collect);
    for list in lists {
        sums.iter_mut().zip(list).for_each(|((_, sum), (_, more))| *sum += more);
    }
    sums
}

/// A number as OpenMetrics wants the bounds of a histogram: with a point, or with an exponent of two digits.
fn canonical(number: f64) -> String {
    if number >= 1e-4 { format!("{number:?}") } else { format!("{number:e}").replace("e-", "e-0") }
}

/// The resident memory of this process in bytes, if procfs tells it.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_canonical() {
        let bounds: Vec<_> = Histogram::BOUNDS.iter().map(|bound| canonical(bound.as_secs_f64())).collect();
        assert_eq!(bounds, ["1e-05", "3e-05", "0.0001", "0.0003", "0.001", "0.003", "0.01", "0.1", "1.0"]);
    }

    #[test]
    fn the_format_is_negotiated() {
        let format = |accept: &'static str| Format::accepted([accept.as_bytes()].into_iter());
        assert_eq!(
            format("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
            Format::OpenMetrics
        );
        assert_eq!(format("text/plain;version=0.0.4"), Format::Prometheus);
        assert_eq!(Format::accepted([].into_iter()), Format::Prometheus);
    }
}
