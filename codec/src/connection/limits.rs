//! How much a peer may send.

/// The most payload that a peer may send, in bytes. It is checked on the header of each frame, before any payload is
/// taken. Control frames do not count: their limit is always 125 bytes (RFC 6455 §5.5).
///
/// A connection buffers no data, so a high limit costs no memory here. It bounds the memory of a host or stage that
/// collects messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The limit of one frame.
    pub frame: u64,
    /// The limit of one message, with all its fragments. If the message is compressed, its compressed bytes count.
    pub message: u64,
}

impl Limits {
    /// The default of a server: 16 MiB a frame and a message.
    pub const SERVER: Self = Self { frame: 16 << 20, message: 16 << 20 };
    /// The default of a client, which chose its peer: 64 MiB a frame and a message.
    pub const CLIENT: Self = Self { frame: 64 << 20, message: 64 << 20 };
    /// No limit, for a host that does not collect messages.
    pub const NONE: Self = Self { frame: u64::MAX, message: u64::MAX };
}
