//! A connection in the simulated kernel: bytes on their way in both directions, and the event that is due.

use std::{collections::VecDeque, time::Duration};

/// A connection: the server's socket, and the peer's.
pub(super) struct Connection {
    pub(super) unix: bool,
    /// The key of the server's registration.
    pub(super) key: Option<usize>,
    /// Whether the server has accepted it, and when it registered it.
    pub(super) accepted: bool,
    pub(super) registered: Duration,
    /// The handler has taken it over.
    pub(super) taken: bool,
    /// When the server closed its socket.
    pub(super) closed: Option<Duration>,

    /// Bytes on the way to the server.
    pub(super) incoming: VecDeque<u8>,
    pub(super) incoming_room: usize,
    /// How many bytes the server has read.
    pub(super) read: u64,
    /// A read does not go beyond these places in the stream, which rise.
    pub(super) cuts: VecDeque<u64>,
    /// The peer has closed its sending direction.
    pub(super) finished: bool,
    /// The peer has reset the connection, or closed both directions and got more.
    pub(super) reset: bool,
    /// The reset is not reported yet. The first system call that can report it does; reads then get the end of the stream.
    pub(super) unreported: bool,
    /// The peer has closed both directions.
    pub(super) gone: bool,

    /// Bytes on the way to the peer.
    pub(super) outgoing: VecDeque<u8>,
    pub(super) outgoing_room: usize,
    /// How many of them the kernel holds back, because the server has said that the end follows.
    pub(super) held: usize,
    /// The server wanted to write more than there was room for, so an event is due once there is.
    pub(super) full: bool,
    /// The server has closed its sending direction.
    pub(super) shut: bool,
    /// The server closed its socket before it had read everything, or the peer has sent something after that: the peer gets an
    /// error.
    pub(super) refused: bool,
    /// The error has overtaken bytes that were on the way.
    pub(super) overtaken: bool,

    pub(super) due: Due,
    pub(super) seen: Seen,
    /// Where the compressed messages that the peer has sent, or is sending, begin and end in the stream.
    pub(super) compressed: VecDeque<(u64, u64)>,
    pub(super) judged: Judged,
    /// Where the peer's close ends in the stream, once it has sent one that is right.
    pub(super) close: Option<u64>,
}

/// What the invariants say about the end of a connection.
#[derive(Clone, Copy, Default)]
pub(super) struct Judged {
    /// The server had a reason to drop it, so the peer may miss something.
    pub(super) excused: bool,
    /// The server closed its socket at once after a clean close.
    pub(super) at_once: bool,
    /// The server had a reason to close it with 1008.
    pub(super) policy: bool,
}

/// The event that is due for a socket.
#[derive(Clone, Copy, Default)]
pub(super) struct Due {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) priority: bool,
    /// For how many polls it has been late.
    pub(super) late: u32,
}

/// What the server has learnt about a connection, and when.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// How many calls read the socket.
    pub(super) reads: u64,
    /// The last read of at least one byte.
    pub(super) read: Duration,
    /// The last write of at least one byte.
    pub(super) written: Duration,
    /// When the peer last took bytes from the kernel.
    pub(super) taken: Duration,
    /// The server has got an error for this socket.
    pub(super) error: bool,
    /// The server has read the end of the stream.
    pub(super) end: bool,
    /// The server got an event while the connection was reset.
    pub(super) reset: bool,
}

impl Due {
    pub(super) const fn is_due(&self) -> bool {
        self.readable || self.writable || self.priority
    }

    /// An event that makes the server read is due.
    pub(super) const fn is_readable(&self) -> bool {
        self.readable || self.priority
    }
}

impl Connection {
    pub(super) fn new(unix: bool, incoming_room: usize, outgoing_room: usize, now: Duration) -> Self {
        Self {
            unix,
            key: None,
            accepted: false,
            registered: Duration::ZERO,
            taken: false,
            closed: None,
            incoming: VecDeque::new(),
            incoming_room,
            read: 0,
            cuts: VecDeque::new(),
            finished: false,
            reset: false,
            unreported: false,
            gone: false,
            outgoing: VecDeque::new(),
            outgoing_room,
            held: 0,
            full: false,
            shut: false,
            refused: false,
            overtaken: false,
            due: Due::default(),
            seen: Seen { taken: now, ..Seen::default() },
            compressed: VecDeque::new(),
            judged: Judged::default(),
            close: None,
        }
    }

    /// Whether an event will report that the socket can be written, if the peer reads.
    pub(super) const fn wakes_writer(&self) -> bool {
        self.full || self.due.writable
    }

    /// Whether the server may close its socket at once: it has read the peer's close and nothing behind it, without an error.
    pub(super) fn closes_cleanly(&self) -> bool {
        !self.unix && self.close == Some(self.read) && !self.seen.end && !self.seen.error
    }

    /// Whether a read would not block.
    pub(super) fn has_input(&self) -> bool {
        !self.incoming.is_empty() || self.finished || self.reset
    }
}

/// What the peer gets from its socket.
pub(super) enum Taken {
    Nothing,
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// The error of a system call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    WouldBlock,
    Interrupted,
    Reset,
    NoBuffers,
    NoDescriptors,
    Aborted,
}
