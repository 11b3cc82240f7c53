//! The configuration of a server.

use framewire::{Limits, extension, handshake};

/// The configuration of a server. The default is that of `framewire-echo` without options.
///
/// Timeouts are in whole seconds, because the server checks each connection once a second.
///
/// ```
/// use framewire::Limits;
/// use framewire_mio::Config;
///
/// let config = Config {
///     limits: Limits { frame: 1 << 20, message: 1 << 20 },
///     origins: vec!["https://example.com".into()],
///     ..Config::default()
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The longest payload of a frame and of a message. If a message is compressed, the limit holds before and after
    /// decompression. 16 MiB each by default.
    pub limits: Limits,
    /// The limits on a request head. More than [`MAX_HEADERS`](Self::MAX_HEADERS) headers are refused even if this allows
    /// them.
    pub head_limits: handshake::HeadLimits,
    /// The most connections that one server has at once; more wait in the kernel's queue. A million by default.
    pub max_connections: usize,
    /// The server stops reading from a peer once this many bytes are queued for it, and resumes at half. 1 MiB by default.
    pub high_water: usize,
    /// The most seconds that the handshake of TLS may take, if a listener has TLS. 10 by default.
    pub tls_handshake_timeout: u32,
    /// The most seconds that a client may take to send its request, after that handshake. 10 by default.
    pub handshake_timeout: u32,
    /// A peer is pinged after this many seconds of silence; 0: never. 120 by default.
    pub idle_timeout: u32,
    /// A peer is dropped if it stays silent for this many seconds after a ping. 20 by default.
    pub pong_timeout: u32,
    /// The most seconds that a closing peer may take nothing of the bytes queued for it and, when nothing is queued any more,
    /// the most that it may take to close; also the most seconds in which the server stops. 5 by default. If a peer takes
    /// bytes now and then, it has sixty times as long to take all.
    pub close_timeout: u32,
    /// The origins whose pages may connect (RFC 6454 §6.2), such as `https://example.com`. If the list is empty, as by
    /// default, pages of any origin may. Clients that send no origin, such as programs, may always connect.
    pub origins: Vec<String>,
    /// The choice of a subprotocol (RFC 6455 §1.9).
    pub subprotocols: Subprotocols,
    /// Compresses messages for clients that offer permessage-deflate (RFC 7692). Off by default.
    pub compression: Option<CompressionConfig>,
    /// Calls [`Handler::responded`](crate::Handler::responded) and [`Handler::ended`](crate::Handler::ended), for an access log.
    /// A connection then takes 128 bytes more. Off by default.
    pub records: bool,
    /// The size of the one buffer into which a server reads all its connections, at least 1 KiB. 256 KiB by default: a power
    /// of two that fits twice into the cache, together with the messages that are being assembled.
    pub receive_buffer: usize,
    /// The kernel's receive buffer of each TCP socket (`SO_RCVBUF`); the kernel's choice by default.
    pub socket_receive_buffer: Option<usize>,
    /// The kernel's send buffer of each TCP socket (`SO_SNDBUF`); the kernel's choice by default.
    pub socket_send_buffer: Option<usize>,
}

/// The choice among the subprotocols for which a client asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subprotocols {
    /// The client's first: many clients give up if they ask for subprotocols and none is chosen.
    #[default]
    Any,
    /// The client's first that is in this list, if any is.
    Only(Vec<String>),
}

/// The configuration of compression (RFC 7692).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressionConfig {
    /// The parameters that the server negotiates.
    pub policy: extension::DeflatePolicy,
    /// The level, from 1 (fastest) to 9 (smallest). 2 by default.
    pub level: u8,
    /// Messages of fewer bytes are sent uncompressed. 64 by default.
    pub min_len: usize,
    /// The most bytes of memory that one server uses for compression, besides that of messages. At the limit, new
    /// connections get less of it, and new compressed messages wait until another one ends. 64 MiB by default.
    pub memory: usize,
    /// The most seconds that a compressed message may take to arrive, and its reply to be compressed, while others wait to begin
    /// one. 10 by default.
    pub message_timeout: u32,
}

impl Config {
    /// The most headers that a request may have.
    pub const MAX_HEADERS: usize = 64;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::SERVER,
            head_limits: handshake::HeadLimits { headers: Self::MAX_HEADERS, ..Default::default() },
            max_connections: 1_000_000,
            high_water: 1 << 20,
            tls_handshake_timeout: 10,
            handshake_timeout: 10,
            idle_timeout: 120,
            pong_timeout: 20,
            close_timeout: 5,
            origins: Vec::new(),
            subprotocols: Subprotocols::default(),
            compression: None,
            records: false,
            receive_buffer: 256 << 10,
            socket_receive_buffer: None,
            socket_send_buffer: None,
        }
    }
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self {
            policy: extension::DeflatePolicy::default(),
            level: 2,
            min_len: 64,
            memory: 64 << 20,
            message_timeout: 10,
        }
    }
}
