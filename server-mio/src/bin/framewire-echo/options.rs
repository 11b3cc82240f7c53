//! What the command line says.
// The comments on the options are the text of --help, and no Markdown.
#![allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links)]

use clap::{CommandFactory, Parser};
use framewire::{Limits, extension};
use framewire_mio::{Address, CompressionConfig, Config, Listener, Subprotocols};
use std::{fmt::Write, num::NonZeroUsize, str::FromStr, time::Duration};

/// A WebSocket echo server: every message comes back as it went. To test clients, proxies and browsers against, and
/// to benchmark. A browser that opens its address gets a page to try it with.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Options {
    /// Where to listen: HOST:PORT, [IPV6]:PORT, PORT for this machine only, or the path of a Unix socket. May be given
    /// several times. Port 0 takes any that is free, and prints it.
    #[arg(long, alias = "port", value_name = "ADDR", default_value = "127.0.0.1:9001")]
    pub(crate) listen: Vec<Address>,

    /// The most payload that a message may have, over all its fragments. Sizes take K, M or G: 64K is 65,536 bytes.
    #[arg(long, value_name = "SIZE", default_value = "16M", help_heading = "Limits")]
    pub(crate) max_message: Size,

    /// The most payload that a frame may have; without it, as much as a message.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_frame: Option<Size>,

    /// The most connections at once, over all threads; more wait in the kernel's queue.
    #[arg(long, value_name = "N", default_value = "1000000", help_heading = "Limits")]
    pub(crate) max_connections: NonZeroUsize,

    /// A peer for which more than this waits, because it does not read, is not read from either until half is gone.
    #[arg(long, value_name = "SIZE", default_value = "1M", help_heading = "Limits")]
    pub(crate) high_water: Size,

    /// How long the opening handshake may take.
    #[arg(long, value_name = "SECONDS", default_value = "10", help_heading = "Time")]
    pub(crate) handshake_timeout: u32,

    /// After how long a silence a peer is pinged; 0: never.
    #[arg(long, value_name = "SECONDS", default_value = "120", help_heading = "Time")]
    pub(crate) idle_timeout: u32,

    /// How long a pinged peer may go on being silent.
    #[arg(long, value_name = "SECONDS", default_value = "20", help_heading = "Time")]
    pub(crate) pong_timeout: u32,

    /// How long a peer may take over its part of the closing handshake, and all of them when the server stops.
    #[arg(long, value_name = "SECONDS", default_value = "5", help_heading = "Time")]
    pub(crate) close_timeout: u32,

    /// An origin whose pages may connect, such as https://example.com. May be given several times; without it, all
    /// may. Programs that are no browsers send none, and may always.
    #[arg(long, value_name = "ORIGIN", value_parser = origin, help_heading = "Handshake")]
    pub(crate) allow_origin: Vec<String>,

    /// A subprotocol to choose where a client asks for it; `any` chooses the client's first, `none` none. May be
    /// given several times.
    #[arg(long, value_name = "NAME", default_value = "any", help_heading = "Handshake")]
    pub(crate) subprotocol: Vec<String>,

    /// Compress messages for clients that offer it: permessage-deflate, RFC 7692.
    #[arg(long, help_heading = "Compression")]
    pub(crate) compression: bool,

    /// How hard to compress, 1 to 9.
    #[arg(long, value_name = "LEVEL", default_value = "2", value_parser = clap::value_parser!(u8).range(1..=9), help_heading = "Compression")]
    pub(crate) compression_level: u8,

    /// Messages of fewer bytes go uncompressed.
    #[arg(long, value_name = "SIZE", default_value = "64", help_heading = "Compression")]
    pub(crate) compression_min: Size,

    /// Compress each message by itself: less compression, and no memory between messages.
    #[arg(long, help_heading = "Compression")]
    pub(crate) server_no_context_takeover: bool,

    /// Have clients compress each message by itself.
    #[arg(long, help_heading = "Compression")]
    pub(crate) client_no_context_takeover: bool,

    /// The largest window that the server compresses with, 9 to 15 bits.
    #[arg(long, value_name = "BITS", default_value = "15", value_parser = clap::value_parser!(u8).range(9..=15), help_heading = "Compression")]
    pub(crate) server_max_window_bits: u8,

    /// The largest window that clients may compress with, 9 to 15 bits. Below 15, clients that cannot be told so are
    /// not compressed with.
    #[arg(long, value_name = "BITS", default_value = "15", value_parser = clap::value_parser!(u8).range(9..=15), help_heading = "Compression")]
    pub(crate) client_max_window_bits: u8,

    /// The most memory for compression, beside that of messages, for each thread. At it, new connections get less of
    /// it, and those that would begin a compressed message wait until another has ended one.
    #[arg(long, value_name = "SIZE", default_value = "64M", help_heading = "Compression")]
    pub(crate) compression_memory: Size,

    /// How long a compressed message may take to arrive while others wait.
    #[arg(long, value_name = "SECONDS", default_value = "10", help_heading = "Compression")]
    pub(crate) compression_timeout: u32,

    /// Independent single-threaded loops, between which the kernel spreads the connections (SO_REUSEPORT).
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Machine")]
    pub(crate) threads: NonZeroUsize,

    /// The receive buffer of each TCP socket (SO_RCVBUF); without it, the kernel's choice.
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub(crate) receive_buffer: Option<Size>,

    /// The send buffer of each TCP socket (SO_SNDBUF); without it, the kernel's choice.
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub(crate) send_buffer: Option<Size>,

    /// Print a line of figures every so many seconds; 0: never.
    #[arg(long, value_name = "SECONDS", default_value = "0", help_heading = "Output")]
    pub(crate) stats: u64,

    /// What to log to standard error: off, error, warn, info, debug or trace. Nothing is logged for a message.
    #[arg(long, value_name = "LEVEL", default_value = "warn", help_heading = "Output")]
    pub(crate) log: log::LevelFilter,
}

impl Options {
    /// The command line; ends the program where it asks for help, or for what cannot be.
    pub(crate) fn parse_and_check() -> Self {
        let options = Self::parse();
        let named = |name: &str| options.subprotocol.iter().any(|given| given == name);
        let wrong = if options.max_frame.is_some_and(|frame| frame.get() > options.max_message.get()) {
            "a frame cannot be larger than a message: --max-frame is more than --max-message"
        } else if options.subprotocol.len() > 1 && (named("any") || named("none")) {
            "--subprotocol any and --subprotocol none stand alone"
        } else {
            return options;
        };
        Self::command().error(clap::error::ErrorKind::ArgumentConflict, wrong).exit()
    }

    /// How each server is configured.
    pub(crate) fn config(&self) -> Config {
        let named = |name: &str| self.subprotocol.iter().any(|given| given == name);
        Config {
            limits: Limits { frame: self.max_frame().get() as u64, message: self.max_message.get() as u64 },
            max_connections: self.max_connections.get().div_ceil(self.threads.get()),
            high_water: self.high_water.get(),
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

    fn max_frame(&self) -> Size {
        self.max_frame.unwrap_or(self.max_message)
    }

    /// How often to print figures, if at all.
    pub(crate) fn stats_period(&self) -> Option<Duration> {
        (self.stats > 0).then(|| Duration::from_secs(self.stats))
    }

    /// What is served, where, within which limits, and how to try it.
    pub(crate) fn banner(&self, listeners: &[Listener]) -> String {
        let mut text =
            format!("framewire-echo {}: every message comes back as it went\n", env!("CARGO_PKG_VERSION"));
        let mut browser = None;
        for listener in listeners {
            let _ = match listener.local_addr() {
                Some(address) => {
                    browser.get_or_insert(address);
                    writeln!(text, "  listening on ws://{address}/")
                }
                None => writeln!(text, "  listening on {listener} (Unix socket)"),
            };
        }
        let _ = writeln!(
            text,
            "  limits: {} a frame, {} a message, {} connections, {} thread(s){}",
            self.max_frame(),
            self.max_message,
            self.max_connections,
            self.threads,
            if self.compression { "; compressed where clients offer it" } else { "" },
        );
        let _ = match &*self.allow_origin {
            [] => writeln!(text, "  pages of any origin may connect (--allow-origin)"),
            origins => writeln!(text, "  pages of these origins may connect: {}", origins.join(", ")),
        };
        if let Some(address) = browser {
            let _ = writeln!(
                text,
                "  try it: open http://{address}/ in a browser, or: npx wscat -c ws://{address}/ (Ctrl-C ends the server)",
            );
        }
        text
    }
}

/// What a browser sends as `Origin` (RFC 6454 §6.2): anything else could never match.
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
            format!("a size is a number of bytes from 1 to {}, or one with K, M or G", usize::MAX)
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
    fn the_defaults_are_the_library_s() {
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
