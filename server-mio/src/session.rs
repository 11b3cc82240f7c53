//! One peer: from its first byte to its last.
//!
//! ```text
//! Handshake ──101──▶ Open ──we close──▶ Closing ──the peer closes──▶ Draining ──all is written──▶ Shut ──▶ gone
//!     │               └──────the peer closes, or an error───────────▶ ┘                            ▲
//!     └──page, error────────────────────────────────────────────────▶ ┘       the peer's end, or its time is up
//! ```
//!
//! The phase says what is read, written and awaited:
//!
//! | phase | what arrives | what is written | how long |
//! |---|---|---|---|
//! | `Handshake` | is the head | the answer | handshake timeout |
//! | `Open` | is frames | replies, pings | while the peer lives: idle and pong timeouts |
//! | `Closing` | is frames, up to the peer's close | replies to messages | close timeout |
//! | `Draining` | is discarded | what is queued | close timeout, which starts anew when the peer takes something |
//! | `Shut` | is discarded, up to the peer's end | nothing: our side is closed | what is left of that |
//! | `Ended` | nothing: the peer's side is closed | what is queued | what is left of that |
//!
//! A session in any phase is dropped if its socket fails. The flags are independent of the phase, except as this says:
//!
//! | flag | meaning | phases in which it counts |
//! |---|---|---|
//! | `paused` | the socket is not read until it has taken half of what is queued | any; set in `Open` and `Closing` |
//! | `pinged` | a ping was sent, and nothing has arrived since | `Open` |
//! | `short` | a short read may not be the last: the peer closed its side, or sent urgent data | any but `Ended` |
//! | `large` | the last message was larger than the receive buffer: only the start of the next is read to it | `Open`, `Closing` |
//!
//! `queue` says where the session waits for a turn of which no event will tell. A session in `Again` is also read when an
//! event comes. A session in `Line` is read only when the line calls it: it takes no decompressor from those before it.
//!
//! An idle connection is a `Session` in the server's slab and nothing else. What a peer needs only while something
//! is unfinished (a head, a message that is not whole, bytes that the socket would not take) is in [`Busy`], which
//! is lent to it for as long.
//!
//! No peer can make that more than the high-water mark, two messages (one that is partly written keeps all its memory
//! while the next arrives) and two receive buffers: at the mark it is not read any more, and of the messages that one read
//! brings, all but the last were in the receive buffer. (Memory grows by doubling; the unused part of it is not
//! resident.) If messages are compressed, a read may bring a thousand times as much: once as much as the mark has been
//! inflated of it, the rest of it waits.

mod frames;
mod life;
mod reading;
mod writing;

use crate::{
    compression::Compression,
    handler::Handler,
    shared::{Buffers, Busy, Shared},
    transport::Transport,
};
use framewire::{Connection, Server};

/// The state of one connection. `T` is its socket.
#[derive(Debug)]
pub(crate) struct Session<T> {
    connection: Connection<Server>,
    busy: Option<Box<Busy>>,
    /// Present if compression was agreed on.
    compression: Option<Box<Compression>>,
    socket: T,
    /// When the peer last showed a sign of life, was pinged, or the phase began, on the loop's clock.
    seen: u32,
    phase: Phase,
    queue: Queue,
    paused: bool,
    pinged: bool,
    short: bool,
    large: bool,
}

/// How far a session has come. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The head is awaited.
    Handshake,
    Open,
    /// We sent a close; the peer's is awaited.
    Closing,
    /// What is queued is written; then our side is closed.
    Draining,
    /// Our side is closed; the peer's end is awaited.
    Shut,
    /// The peer has closed its side, and all that it sent is read. What is queued is written; then it is over.
    Ended,
}

/// Where a session waits for a turn of which no event will tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    None,
    /// Among those that may have more to read.
    Again,
    /// In the line of those that wait for a decompressor.
    Line,
}

/// Why a session has a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// A read that brings less than it could is not the last: the peer has closed its side, which only a read that comes
    /// back empty tells for sure, or has sent urgent data.
    pub(crate) short: bool,
    /// The line has called it.
    pub(crate) called: bool,
}

/// What a session needs after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for its socket.
    Wait,
    /// There may be more to read, of which no event will tell: look again, after the others had their turn.
    Again,
    /// There is more to read, but no decompressor for it: it [joins](Session::join) the line.
    Line,
    /// It is over.
    Drop,
}

impl<T: Transport> Session<T> {
    pub(crate) fn new(socket: T, now: u32) -> Self {
        Self {
            connection: Connection::new(),
            busy: None,
            compression: None,
            socket,
            seen: now,
            phase: Phase::Handshake,
            queue: Queue::None,
            paused: false,
            pinged: false,
            short: false,
            large: false,
        }
    }

    /// The turn that an event brings.
    #[inline]
    pub(crate) fn ready(
        &mut self,
        turn: Turn,
        buffers: &mut Buffers,
        shared: &mut Shared<impl Handler>,
    ) -> Next {
        let Turn { mut readable, writable, short, called } = turn;
        self.short |= short;
        if writable && self.busy.is_some() {
            match self.write_backlog(shared) {
                Ok(resumed) => readable |= resumed, // no event will tell of what came meanwhile
                Err(error) => return self.lost(&error, shared),
            }
        }
        let mut more = Next::Wait;
        if readable && !self.paused && self.phase != Phase::Ended {
            if self.begin_read(called, shared) {
                match self.read_turn(buffers, shared) {
                    Ok(true) => more = Next::Again,
                    Ok(false) => {}
                    Err(error) => return self.lost(&error, shared),
                }
            } else {
                more = Next::Line;
            }
        }
        match self.settle(shared) {
            Next::Wait if more != Next::Wait && self.queue == Queue::None => {
                if more == Next::Again {
                    self.queue = Queue::Again;
                }
                more
            }
            next => next,
        }
    }

    /// The turn that [`Next::Again`] asked for.
    pub(crate) fn again(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> Next {
        self.queue = Queue::None;
        self.ready(Turn { readable: true, ..Turn::default() }, buffers, shared)
    }

    /// The turn for which the line has called it.
    pub(crate) fn called(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> Next {
        self.queue = Queue::None;
        self.ready(Turn { readable: true, called: true, ..Turn::default() }, buffers, shared)
    }

    /// Joins the line, as [`Next::Line`] asks.
    pub(crate) fn join(&mut self, key: usize, shared: &mut Shared<impl Handler>) {
        if let (Some(compression), Some(pools)) = (&mut self.compression, &mut shared.compression) {
            compression.ticket = pools.line.join(key);
            self.queue = Queue::Line;
        }
    }

    /// Takes a session that is dropped out of what is counted, and out of the line.
    pub(crate) fn leave(&mut self, shared: &mut Shared<impl Handler>) {
        self.set_paused(false, shared);
        self.leave_line(shared);
    }

    fn leave_line(&mut self, shared: &mut Shared<impl Handler>) {
        if let (Queue::Line, Some(compression), Some(pools)) =
            (self.queue, &self.compression, &mut shared.compression)
        {
            pools.line.leave(compression.ticket);
            self.queue = Queue::None;
        }
    }

    /// Whether the session may be read: whether what the read brings can be inflated.
    #[inline]
    fn begin_read(&mut self, called: bool, shared: &Shared<impl Handler>) -> bool {
        match (&mut self.compression, &shared.compression) {
            (Some(compression), Some(pools)) => compression.begin_read(called, pools),
            _ => true,
        }
    }

    /// Whether what arrives is frames that count.
    #[inline]
    const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Closing)
    }
}
