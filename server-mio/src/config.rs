//! How a server is configured.

use framewire::{Limits, extension, handshake};

/// How a server is configured. The default is what `framewire-echo` does without options.
///
/// Timeouts are whole seconds, since the server looks at each connection once a second.
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
    /// The longest payload of a frame and of a message, compressed or not. 16 MiB each by default.
    pub limits: Limits,
    /// The longest request head. More than [`MAX_HEADERS`](Self::MAX_HEADERS) headers are refused, whatever this allows.
    pub head_limits: handshake::HeadLimits,
    /// The most connections of one server at once; more wait in the kernel's queue. A million by default.
    pub max_connections: usize,
    /// The server stops reading from a peer once so many bytes are queued for it, and resumes at half. 1 MiB by default.
    pub high_water: usize,
    /// How long the opening handshake may take. 10 seconds by default.
    pub handshake_timeout: u32,
    /// After how many seconds of silence a peer is pinged; 0: never. 120 by default.
    pub idle_timeout: u32,
    /// How many seconds a pinged peer may remain silent. 20 by default.
    pub pong_timeout: u32,
    /// How many seconds a peer may take over its part of the closing handshake, and all of them when the server stops.
    /// 5 by default.
    pub close_timeout: u32,
    /// The origins whose pages may connect (RFC 6454 §6.2), such as `https://example.com`; by default none is named, and
    /// all may. Clients that are not browsers send no origin, and may always connect.
    pub origins: Vec<String>,
    /// Which subprotocol is chosen (RFC 6455 §1.9).
    pub subprotocols: Subprotocols,
    /// Compresses messages for clients that offer permessage-deflate (RFC 7692). Off by default.
    pub compression: Option<CompressionConfig>,
    /// The size of the one buffer into which a server reads all its connections, 1 KiB or more. 256 KiB by default: a power
    /// of two that the cache holds twice, beside the messages that are put together.
    pub receive_buffer: usize,
    /// The kernel's receive buffer of each TCP socket (`SO_RCVBUF`); the kernel's choice by default.
    pub socket_receive_buffer: Option<usize>,
    /// The kernel's send buffer of each TCP socket (`SO_SNDBUF`); the kernel's choice by default.
    pub socket_send_buffer: Option<usize>,
}

/// Which of the subprotocols that a client asks for is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subprotocols {
    /// The client's first: many clients give up if they ask for some and none is chosen.
    #[default]
    Any,
    /// The client's first that is in this list.
    Only(Vec<String>),
}

/// How messages are compressed (RFC 7692).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressionConfig {
    /// What the server asks for in the handshake.
    pub policy: extension::DeflatePolicy,
    /// How hard to compress, 1 to 9. 2 by default.
    pub level: u8,
    /// Messages of fewer bytes are sent uncompressed. 64 by default.
    pub min_len: usize,
    /// The most memory that one server uses for compression, in addition to that of messages. At the limit, new
    /// connections get less of it, and those that begin a compressed message wait until another ends one. 64 MiB by
    /// default.
    pub memory: usize,
    /// How many seconds a compressed message may take to arrive while others wait to begin one. 10 by default.
    pub message_timeout: u32,
}

impl Config {
    /// The most headers of a request.
    pub const MAX_HEADERS: usize = 64;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::SERVER,
            head_limits: handshake::HeadLimits { headers: Self::MAX_HEADERS, ..Default::default() },
            max_connections: 1_000_000,
            high_water: 1 << 20,
            handshake_timeout: 10,
            idle_timeout: 120,
            pong_timeout: 20,
            close_timeout: 5,
            origins: Vec::new(),
            subprotocols: Subprotocols::default(),
            compression: None,
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
