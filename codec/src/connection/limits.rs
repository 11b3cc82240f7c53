//! How much a peer may send.

/// The most payload that a peer may send, in bytes. Checked on a frame's header, before any of its payload is taken.
/// Control frames do not count: their limit is always 125 bytes.
///
/// A connection buffers no data, so a limit costs no memory here: it bounds what the host or a later stage collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The limit of one frame.
    pub frame: u64,
    /// The limit of one message, over all its fragments. If an extension encodes the message, its encoded bytes count.
    pub message: u64,
}

impl Limits {
    /// The default of a server: 16 MiB.
    pub const SERVER: Self = Self { frame: 16 << 20, message: 16 << 20 };
    /// The default of a client, which chose its peer: 64 MiB.
    pub const CLIENT: Self = Self { frame: 64 << 20, message: 64 << 20 };
    /// No limit: for a host that streams.
    pub const NONE: Self = Self { frame: u64::MAX, message: u64::MAX };
}
