//! The measurements of a run, for people and for programs.

use crate::{
    options::Format,
    plan::{Handler, Leave, Load, Payload, Plan},
    process::Usage,
    tally::{Measured, Tally},
};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// One run, as a flat struct, so that it is a row of a table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    pub url: String,
    pub connections: usize,
    /// Bytes of a message, or several sizes with weights.
    pub size: String,
    pub payload: Payload,
    pub handler: Handler,
    /// In a closed loop.
    pub in_flight: Option<usize>,
    /// In an open loop: messages a second by the schedule.
    pub rate: Option<f64>,
    /// Whether permessage-deflate was agreed on, and the parameters of some or all connections.
    pub compressed: bool,
    #[serde(default)]
    pub agreed: Option<String>,

    /// The time that was measured.
    pub seconds: f64,
    /// Replies, all of them checked; and bytes of their messages, in one direction.
    pub messages: u64,
    pub bytes: u64,
    /// Compressed replies; and all bytes from the server, with frame headers.
    #[serde(default)]
    pub compressed_messages: u64,
    #[serde(default)]
    pub wire_bytes: u64,
    pub messages_per_second: f64,

    /// If connections come and go: messages on each, how they leave, and from how many addresses they come.
    #[serde(default)]
    pub churn: Option<usize>,
    #[serde(default)]
    pub leave: Option<Leave>,
    #[serde(default)]
    pub sources: Option<u8>,
    /// Connections that have left, in total, a second, and per CPU-second of the server.
    #[serde(default)]
    pub left: Option<u64>,
    #[serde(default)]
    pub connections_per_second: Option<f64>,
    #[serde(default)]
    pub connections_per_cpu_second: Option<f64>,
    /// From the start of a connection to its first reply (without messages, to the end of the opening handshake), in
    /// microseconds.
    #[serde(default)]
    pub first_p50: Option<f64>,
    #[serde(default)]
    pub first_p99: Option<f64>,

    /// From when a message was due until its whole reply had arrived, in microseconds.
    pub latency_p50: f64,
    pub latency_p90: f64,
    pub latency_p99: f64,
    pub latency_p999: f64,
    pub latency_max: f64,

    /// How late the sender of an open loop was, in microseconds.
    pub late_p50: Option<f64>,
    pub late_p99: Option<f64>,
    pub late_max: Option<f64>,
    /// Why the run is void, if it is.
    pub void: Option<String>,

    /// The server's CPU time in seconds, and the part of it in user mode.
    pub server_cpu: Option<f64>,
    pub server_user: Option<f64>,
    pub messages_per_cpu_second: Option<f64>,
    /// The server's resident memory in bytes, and the anonymous part of it, with all connections open and idle.
    pub server_resident: Option<u64>,
    pub server_anonymous: Option<u64>,
    /// The generator's own CPU time in seconds. If it is close to the run's time, the generator was the limit.
    pub generator_cpu: f64,
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        measured: &Measured,
        idle: Option<Usage>,
        agreed: Option<String>,
        tally: &Tally,
    ) -> Self {
        let seconds = measured.seconds;
        let micros = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let at = |histogram: &Histogram<u64>, quantile| micros(histogram.value_at_quantile(quantile));
        let (latency, late) = (&tally.latency, &tally.lateness);
        let rate = match plan.load {
            Load::Rate(rate) => Some(rate),
            Load::InFlight(_) => None,
        };
        let bound = plan.late_bound.as_nanos() as f64 / 1e3;
        let late_p99 = rate.map(|_| at(late, 0.99));
        let void = late_p99.filter(|&p99| p99 > bound).map(|p99| {
            format!(
                "the sender was {p99:.0} µs late with one message in a hundred; at most {bound:.0} are allowed (--late-bound)"
            )
        });
        let server = measured.server.map(|(before, after)| after.since(&before));
        let cpu = server.map(|(cpu, _)| cpu).filter(|&cpu| cpu > 0.0);
        let left = plan.churn.map(|_| tally.connections);
        Self {
            url: plan.url.to_string(),
            connections: plan.connections,
            size: plan.sizes.to_string(),
            payload: plan.payload,
            handler: plan.handler,
            in_flight: match plan.load {
                Load::InFlight(count) => Some(count),
                Load::Rate(_) => None,
            },
            rate,
            compressed: agreed.is_some(),
            agreed,
            seconds,
            messages: tally.messages,
            bytes: tally.bytes,
            compressed_messages: tally.compressed,
            wire_bytes: tally.received,
            messages_per_second: tally.messages as f64 / seconds,
            churn: plan.churn.map(|churn| churn.echoes),
            leave: plan.churn.map(|churn| churn.leave),
            sources: plan.churn.map(|churn| churn.sources),
            left,
            connections_per_second: left.map(|left| left as f64 / seconds),
            connections_per_cpu_second: left.zip(cpu).map(|(left, cpu)| left as f64 / cpu),
            first_p50: left.map(|_| at(&tally.first, 0.5)),
            first_p99: left.map(|_| at(&tally.first, 0.99)),
            latency_p50: at(latency, 0.5),
            latency_p90: at(latency, 0.9),
            latency_p99: at(latency, 0.99),
            latency_p999: at(latency, 0.999),
            latency_max: micros(latency.max()),
            late_p50: rate.map(|_| at(late, 0.5)),
            late_p99,
            late_max: rate.map(|_| micros(late.max())),
            void,
            server_cpu: server.map(|(cpu, _)| cpu),
            server_user: server.map(|(_, user)| user),
            messages_per_cpu_second: cpu.map(|cpu| tally.messages as f64 / cpu),
            server_resident: idle.map(|idle| idle.resident),
            server_anonymous: idle.map(|idle| idle.anonymous),
            generator_cpu: measured.own.1.since(&measured.own.0).0,
        }
    }

    /// As text that ends with a newline.
    pub fn format(&self, format: Format) -> String {
        match format {
            Format::Human => self.table(),
            Format::Json => serde_json::to_string(self).expect("numbers and strings") + "\n",
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(Vec::new());
                csv.serialize(self).expect("a flat struct");
                String::from_utf8(csv.into_inner().expect("memory")).expect("numbers and strings")
            }
        }
    }

    fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<12} {value}");
        };
        let load = match (self.in_flight, self.rate) {
            (Some(count), _) => format!("{count} in flight (closed loop)"),
            (_, Some(rate)) => format!("{rate} messages/s (open loop)"),
            _ => String::new(),
        };
        line("server", self.url.clone());
        line(
            "load",
            format!("{} connections, {load}, {} bytes of {:?}", self.connections, self.size, self.payload),
        );
        if let Some(agreed) = &self.agreed {
            line(
                "compression",
                format!(
                    "{agreed}: {} of {} replies, {:.0} bytes of {:.0} on the wire",
                    self.compressed_messages,
                    self.messages,
                    self.wire_bytes as f64 / self.messages.max(1) as f64,
                    self.bytes as f64 / self.messages.max(1) as f64
                ),
            );
        }
        line("measured", format!("{} replies in {:.2} s, all correct", self.messages, self.seconds));
        if let (Some(churn), Some(leave), Some(left)) = (self.churn, self.leave, self.left) {
            let per_second = self.connections_per_second.unwrap_or(0.0);
            let per_cpu = self.connections_per_cpu_second;
            let per_cpu =
                per_cpu.map_or_else(String::new, |per| format!(", {per:.0} per CPU-second of the server"));
            line(
                "churn",
                format!(
                    "{left} connections of {churn} messages, left by {leave:?}: {per_second:.0} a second{per_cpu}"
                ),
            );
            if let (Some(p50), Some(p99)) = (self.first_p50, self.first_p99) {
                line(
                    "first reply",
                    format!("p50 {p50:.1} µs, p99 {p99:.1}, from the start of the connection"),
                );
            }
        }
        line(
            "throughput",
            format!(
                "{:.0} messages/s, {:.1} MB/s each way",
                self.messages_per_second,
                self.bytes as f64 / self.seconds / 1e6
            ),
        );
        line(
            "latency",
            format!(
                "p50 {:.1} µs, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}",
                self.latency_p50, self.latency_p90, self.latency_p99, self.latency_p999, self.latency_max
            ),
        );
        if let (Some(p50), Some(p99), Some(max)) = (self.late_p50, self.late_p99, self.late_max) {
            line("sender late", format!("p50 {p50:.1} µs, p99 {p99:.1}, max {max:.1}"));
        }
        if let (Some(cpu), Some(user)) = (self.server_cpu, self.server_user) {
            let per = self.messages_per_cpu_second.unwrap_or(0.0);
            line(
                "server CPU",
                format!(
                    "{cpu:.2} s ({:.0} % of a core; {:.0} % of it in user mode), {per:.0} messages per CPU-second",
                    100.0 * cpu / self.seconds,
                    100.0 * user / cpu.max(f64::MIN_POSITIVE)
                ),
            );
        }
        if let (Some(resident), Some(own)) = (self.server_resident, self.server_anonymous) {
            line("memory", format!("{:.1} MiB resident, {:.1} anonymous", mebi(resident), mebi(own)));
        }
        line(
            "generator",
            format!(
                "{:.2} s of CPU ({:.0} % of a core)",
                self.generator_cpu,
                100.0 * self.generator_cpu / self.seconds
            ),
        );
        if let Some(why) = &self.void {
            line("VOID", why.clone());
        }
        text
    }
}

fn mebi(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
