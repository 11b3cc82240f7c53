//! The command line, and the banner.
// The comments on the options are the text of --help, not Markdown.
#![allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links)]

use crate::{health, log_lines::LogFormat, metrics};
use clap::{CommandFactory, Parser};
use framewire::{Limits, extension};
use framewire_mio::{Address, CompressionConfig, Config, Listener, Subprotocols};
use std::{fmt::Write, net::SocketAddr, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

/// A WebSocket server that echoes every message unchanged, to test clients, proxies and browsers, or to measure a
/// machine. A browser that opens its address gets a page to type, send and measure.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Options {
    /// Listen on HOST:PORT, [IPV6]:PORT, PORT (of 127.0.0.1) or the path of a Unix socket (which must contain a /); port 0
    /// means any free port; may be given several times
    #[arg(long, alias = "port", value_name = "ADDR", default_value = "127.0.0.1:9001")]
    #[cfg_attr(
        feature = "tls",
        arg(default_value_if("listen_tls", clap::builder::ArgPredicate::IsPresent, None))
    )]
    pub(crate) listen: Vec<Address>,

    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub(crate) tls: crate::tls::TlsOptions,

    /// Close a connection (code 1009) if its peer sends a message larger than this; a size is a number of bytes, or a number
    /// with K, M or G: 64K is 65,536 bytes
    #[arg(long, value_name = "SIZE", default_value = "16M", help_heading = "Limits")]
    pub(crate) max_message: Size,

    /// Close a connection (code 1009) if its peer sends a frame with a payload larger than this [default: as --max-message]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_frame: Option<Size>,

    /// Serve at most this many connections at once, divided equally among the threads (rounded up); further connections wait
    /// in the kernel's queue
    #[arg(long, value_name = "N", default_value = "1000000", help_heading = "Limits")]
    pub(crate) max_connections: NonZeroUsize,

    /// Stop reading from a peer when this many bytes are queued for it; resume at half
    #[arg(long, value_name = "SIZE", default_value = "1M", help_heading = "Limits")]
    pub(crate) high_water: Size,

    /// Refuse a client (status 408) if its request takes longer than this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", help_heading = "Time")]
    pub(crate) handshake_timeout: u32,

    /// Ping a peer after this many seconds of silence; 0 means never
    #[arg(long, value_name = "SECONDS", default_value = "120", help_heading = "Time")]
    pub(crate) idle_timeout: u32,

    /// Drop a peer that stays silent for this many seconds after a ping
    #[arg(long, value_name = "SECONDS", default_value = "20", help_heading = "Time")]
    pub(crate) pong_timeout: u32,

    /// Drop a closing peer that takes none of its queued bytes, or does not close, for this many seconds, or that has not
    /// taken all of them after as many minutes; when the server stops, wait this many seconds for all peers
    #[arg(long, value_name = "SECONDS", default_value = "5", help_heading = "Time")]
    pub(crate) close_timeout: u32,

    /// Let browsers connect only from pages of this origin, such as https://example.com; may be given several times;
    /// clients that send no origin may always connect [default: any origin]
    #[arg(long, value_name = "ORIGIN", value_parser = origin, help_heading = "Handshake")]
    pub(crate) allow_origin: Vec<String>,

    /// Choose this subprotocol if a client asks for it; `any` chooses the first that the client asks for, `none` chooses
    /// none; may be given several times
    #[arg(long, value_name = "NAME", default_value = "any", help_heading = "Handshake")]
    pub(crate) subprotocol: Vec<String>,

    /// Compress messages for clients that offer permessage-deflate (RFC 7692) [default: off]
    #[arg(long, help_heading = "Compression")]
    pub(crate) compression: bool,

    /// Compress at this level, from 1 (fastest) to 9 (smallest)
    #[arg(long, value_name = "LEVEL", default_value = "2", value_parser = clap::value_parser!(u8).range(1..=9), help_heading = "Compression")]
    pub(crate) compression_level: u8,

    /// Send messages smaller than this uncompressed
    #[arg(long, value_name = "SIZE", default_value = "64", help_heading = "Compression")]
    pub(crate) compression_min: Size,

    /// Compress each message independently of earlier ones, which takes no memory between messages [default: off]
    #[arg(long, help_heading = "Compression")]
    pub(crate) server_no_context_takeover: bool,

    /// Require clients to compress each message independently of earlier ones [default: off]
    #[arg(long, help_heading = "Compression")]
    pub(crate) client_no_context_takeover: bool,

    /// Compress with a window of at most 2^BITS bytes, BITS from 9 to 15
    #[arg(long, value_name = "BITS", default_value = "15", value_parser = clap::value_parser!(u8).range(9..=15), help_heading = "Compression")]
    pub(crate) server_max_window_bits: u8,

    /// Require clients to compress with a window of at most 2^BITS bytes, BITS from 9 to 15; below 15, clients that do not offer
    /// this parameter get no compression
    #[arg(long, value_name = "BITS", default_value = "15", value_parser = clap::value_parser!(u8).range(9..=15), help_heading = "Compression")]
    pub(crate) client_max_window_bits: u8,

    /// Use at most this much memory for compression on each thread, in addition to the memory of the messages; at the
    /// limit, new connections compress less or not at all, and a new compressed message waits until another one ends
    #[arg(long, value_name = "SIZE", default_value = "64M", help_heading = "Compression")]
    pub(crate) compression_memory: Size,

    /// Close a connection (code 1008) if its compressed message takes longer than this many seconds to arrive and to be
    /// answered while other connections wait to begin one
    #[arg(long, value_name = "SECONDS", default_value = "10", help_heading = "Compression")]
    pub(crate) compression_timeout: u32,

    /// Let the URL of a connection say what it does: ws://HOST:PORT/echo?delay=100ms, for example, echoes late; others cut, reset or
    /// close it, or send something unasked. The server lists all at /behaviours, and docs/behaviours.md explains them.
    /// /bad/NAME breaks the protocol, /bad/utf8-middle?at=N behind the first N bytes of a text; /bad/ lists all [default: off]
    #[arg(long, help_heading = "Behaviours")]
    pub(crate) behaviours: bool,

    /// Allow --behaviours on an address that other machines can reach, although it lets anyone make the server do strange things
    #[arg(long, requires = "behaviours", help_heading = "Behaviours")]
    pub(crate) behaviours_for_anyone: bool,

    /// Run this many threads, each with its own server; new connections are spread evenly over them
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Machine")]
    pub(crate) threads: NonZeroUsize,

    /// Set the kernel's receive buffer of each TCP socket (SO_RCVBUF) [default: the kernel's choice]
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub(crate) receive_buffer: Option<Size>,

    /// Set the kernel's send buffer of each TCP socket (SO_SNDBUF) [default: the kernel's choice]
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub(crate) send_buffer: Option<Size>,

    /// Do not echo, but check a client: lead it through violations of the protocol and things that it must accept, print what
    /// it did, and exit with 0 if it was strict, 1 if it was not, 3 if it did not finish. Each connection gets the next case;
    /// a client with a driver for an Autobahn test suite needs no other
    #[arg(long, help_heading = "Checking a client")]
    #[cfg_attr(feature = "tls", arg(conflicts_with = "certificate"))]
    pub(crate) check_client: bool,

    /// Also write what the client did to this file, as JSON
    #[arg(long, value_name = "FILE", requires = "check_client", help_heading = "Checking a client")]
    pub(crate) report: Option<PathBuf>,

    /// Wait this many seconds for each answer of the client
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=3600), help_heading = "Checking a client")]
    pub(crate) check_timeout: u32,

    /// Print a line of statistics every SECONDS seconds; 0 means never
    #[arg(long, value_name = "SECONDS", default_value = "0", help_heading = "Output")]
    pub(crate) stats: u64,

    /// Serve counters at /metrics, in the text formats of Prometheus and OpenMetrics, to everybody who can connect
    /// [default: off]
    #[arg(long, help_heading = "Output")]
    pub(crate) metrics: bool,

    /// Log each response to a request and each end of a WebSocket to standard error, whatever --log says [default: off]
    #[arg(long, help_heading = "Output")]
    pub(crate) access_log: bool,

    /// Write each line of the log in this format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_enum, help_heading = "Output")]
    pub(crate) log_format: LogFormat,

    /// Start no server: ask the one at ADDR for /healthz, and end with status 0 if it is healthy, 1 if it is not; https://ADDR if it
    /// has TLS there, and then any certificate will do
    #[arg(long, value_name = "ADDR", help_heading = "Output")]
    pub(crate) health_check: Option<health::Asked>,

    /// Log to standard error at this level: off, error, warn, info, debug or trace; RUST_LOG overrides it
    #[arg(long, value_name = "LEVEL", default_value = "warn", help_heading = "Output")]
    pub(crate) log: log::LevelFilter,
}

impl Options {
    /// Parses the command line. Ends the program if it asks for help, or is wrong.
    pub(crate) fn parse_and_check() -> Self {
        let options = Self::parse();
        let named = |name: &str| options.subprotocol.iter().any(|given| given == name);
        let wrong = if options.max_frame.is_some_and(|frame| frame.get() > options.max_message.get()) {
            "--max-frame cannot be larger than --max-message"
        } else if options.subprotocol.len() > 1 && (named("any") || named("none")) {
            "--subprotocol any and --subprotocol none cannot be combined with others"
        } else {
            return options;
        };
        Self::command().error(clap::error::ErrorKind::ArgumentConflict, wrong).exit()
    }

    /// The configuration of each server.
    pub(crate) fn config(&self) -> Config {
        let named = |name: &str| self.subprotocol.iter().any(|given| given == name);
        Config {
            limits: Limits { frame: self.max_frame().get() as u64, message: self.max_message.get() as u64 },
            max_connections: self.max_connections.get().div_ceil(self.threads.get()),
            high_water: self.high_water.get(),
            #[cfg(feature = "tls")]
            tls_handshake_timeout: self.tls.tls_handshake_timeout,
            handshake_timeout: self.handshake_timeout,
            idle_timeout: self.idle_timeout,
            pong_timeout: self.pong_timeout,
            close_timeout: self.close_timeout,
            origins: self.allow_origin.clone(),
            subprotocols: match () {
                () if named("any") => Subprotocols::Any,
                () if named("none") => Subprotocols::Only(Vec::new()),
                () => Subprotocols::Only(self.subprotocol.clone()),
            },
            compression: self.compression.then(|| self.compression()),
            records: self.access_log,
            socket_receive_buffer: self.receive_buffer.map(Size::get),
            socket_send_buffer: self.send_buffer.map(Size::get),
            ..Config::default()
        }
    }

    fn compression(&self) -> CompressionConfig {
        CompressionConfig {
            policy: extension::DeflatePolicy {
                server_no_context_takeover: self.server_no_context_takeover,
                client_no_context_takeover: self.client_no_context_takeover,
                server_max_window_bits: self.server_max_window_bits,
                client_max_window_bits: self.client_max_window_bits,
            },
            level: self.compression_level,
            min_len: self.compression_min.get(),
            memory: self.compression_memory.get(),
            message_timeout: self.compression_timeout,
        }
    }

    /// Refuses behaviours for other machines, unless they are asked for.
    pub(crate) fn check_listeners(&self, listeners: &[Listener]) -> Result<(), String> {
        let reachable = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
        let mut addresses = listeners.iter().filter_map(Listener::local_addr);
        match addresses.find(reachable) {
            Some(address) if self.behaviours && !self.behaviours_for_anyone => Err(format!(
                "other machines may reach {address}, and --behaviours lets anyone make the server do strange things; \
                 listen on a loopback address only, or add --behaviours-for-anyone"
            )),
            _ => Ok(()),
        }
    }

    /// The limits that the page of metrics tells.
    pub(crate) fn limits(&self) -> metrics::Limits {
        let compression = self.compression_memory.get().saturating_mul(self.threads.get());
        metrics::Limits {
            connections: self.max_connections.get(),
            compression: self.compression.then_some(compression),
        }
    }

    fn max_frame(&self) -> Size {
        self.max_frame.unwrap_or(self.max_message)
    }

    /// How often to print statistics, if at all.
    pub(crate) fn stats_period(&self) -> Option<Duration> {
        (self.stats > 0).then(|| Duration::from_secs(self.stats))
    }

    /// The lines that the program prints at its start: addresses, limits, and how to try it.
    /// `certificate` says which one it has, if any.
    pub(crate) fn banner(&self, listeners: &[Listener], certificate: Option<&str>) -> String {
        let mut text =
            format!("framewire-echo {}: echoes every message unchanged\n", env!("CARGO_PKG_VERSION"));
        let mut browser = None;
        for listener in listeners {
            let (secure, tls) = if listener.has_tls() { ("s", ", TLS") } else { ("", "") };
            let _ = match listener.local_addr() {
                Some(address) => {
                    browser.get_or_insert((secure, address));
                    writeln!(text, "  listening on ws{secure}://{address}/")
                }
                None => writeln!(text, "  listening on {listener} (Unix socket{tls})"),
            };
        }
        if let Some(certificate) = certificate {
            let _ = writeln!(text, "  certificate: {certificate}");
        }
        let _ = writeln!(
            text,
            "  limits: {} a frame, {} a message, {} connections, {} thread(s){}",
            self.max_frame(),
            self.max_message,
            self.max_connections,
            self.threads,
            if self.compression { "; compressed if clients offer it" } else { "" },
        );
        let _ = match &*self.allow_origin {
            [] => writeln!(text, "  pages of any origin may connect (--allow-origin)"),
            origins => writeln!(text, "  pages of these origins may connect: {}", origins.join(", ")),
        };
        if let (true, Some((secure, address))) = (self.behaviours, browser) {
            let _ = writeln!(
                text,
                "  behaviours: ws{secure}://{address}/echo?delay=100ms, and others; http{secure}://{address}/behaviours lists them"
            );
        }
        if let Some((secure, address)) = browser {
            let _ = writeln!(
                text,
                "  try it: open http{secure}://{address}/ in a browser, or: npx wscat -c ws{secure}://{address}/ (Ctrl-C ends the server)",
            );
        }
        text
    }
}

/// Checks that a browser could send this as `Origin` (RFC 6454 §6.2): anything else would never match.
fn origin(text: &str) -> Result<String, String> {
    match text.split_once("://") {
        Some((scheme, host)) if !scheme.is_empty() && !host.is_empty() && !host.contains('/') => {
            Ok(text.into())
        }
        _ if text == "null" => Ok(text.into()),
        _ => Err("an origin is SCHEME://HOST[:PORT] without a path, as in https://example.com".into()),
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(usize);

impl Size {
    pub(crate) const fn get(self) -> usize {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_uppercase();
        let units =
            [("GIB", 30), ("MIB", 20), ("KIB", 10), ("BYTES", 0), ("G", 30), ("M", 20), ("K", 10), ("", 0)];
        let split = |(unit, shift)| Some((text.strip_suffix(unit)?, 1_usize << shift));
        let size = units
            .into_iter()
            .find_map(split)
            .and_then(|(number, unit)| number.trim_end().parse::<usize>().ok()?.checked_mul(unit));
        size.filter(|&size| size > 0).map(Self).ok_or_else(|| {
            format!("a size is a number of bytes from 1 to {}, or a number with K, M or G", usize::MAX)
        })
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            n if n % (1 << 30) == 0 => write!(f, "{} GiB", n >> 30),
            n if n % (1 << 20) == 0 => write!(f, "{} MiB", n >> 20),
            n if n % (1 << 10) == 0 => write!(f, "{} KiB", n >> 10),
            n => write!(f, "{n} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_match_the_library() {
        assert_eq!(Options::parse_from(["framewire-echo"]).config(), Config::default());
        let compression = Options::parse_from(["framewire-echo", "--compression"]).config().compression;
        assert_eq!(compression, Some(CompressionConfig::default()));
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1", 1),
            ("64K", 64 << 10),
            ("64 kib", 64 << 10),
            ("16M", 16 << 20),
            ("1G", 1 << 30),
            (" 2GiB ", 2 << 30),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string().parse().ok(), text.parse::<Size>().ok(), "{text}");
        }
        for text in
            ["", "0", "K", "64KK", "-1", "1.5M", "64KiBiB", "99999999999999999999", "18446744073709551615K"]
        {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
