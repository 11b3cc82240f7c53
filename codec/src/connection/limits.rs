//! How much a peer may send.

/// The most payload that a peer may send, in bytes. It is checked on the header of each frame, before any payload is
/// taken. Control frames do not count: their limit is always 125 bytes (RFC 6455 §5.5). If an extension has encoded a message,
/// its encoded bytes count, and may be [a little more](Self::encoded).
///
/// A connection buffers no data, so a high limit costs no memory here. It bounds the memory of a host or stage that
/// collects messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The limit of one frame.
    pub frame: u64,
    /// The limit of one message, with all its fragments.
    pub message: u64,
}

impl Limits {
    /// The default of a server: 16 MiB a frame and a message.
    pub const SERVER: Self = Self { frame: 16 << 20, message: 16 << 20 };
    /// The default of a client, which chose its peer: 64 MiB a frame and a message.
    pub const CLIENT: Self = Self { frame: 64 << 20, message: 64 << 20 };
    /// No limit, for a host that does not collect messages.
    pub const NONE: Self = Self { frame: u64::MAX, message: u64::MAX };

    /// The limits for a message that an extension has encoded (one with reserved bits): a sixteenth more, and 64 bytes.
    ///
    /// Compression makes bytes that cannot be compressed longer: DEFLATE stores them in blocks, with 5 bytes for each (RFC
    /// 1951 §3.2.4), so that a message of nearly [`message`](Self::message) bytes would be refused because it is compressed. The
    /// stage that decodes it checks the decoded length.
    #[must_use]
    pub const fn encoded(self) -> Self {
        Self { frame: longer(self.frame), message: longer(self.message) }
    }
}

const fn longer(limit: u64) -> u64 {
    limit.saturating_add(limit / 16).saturating_add(64)
}
