//! One connection, from its first byte to its last.
//!
//! ```text
//! Securing ──the handshake of TLS is over──▶ Handshake
//!
//!                                                                         ┌─────a clean close─────────────┐
//! Handshake ──101──▶ Open ──we close──▶ Closing ──the peer closes──▶ Draining ──all is written──▶ Shut ──▶ dropped
//!     │               └──────the peer closes, or an error───────────▶ ┘                            ▲
//!     ├──page, error────────────────────────────────────────────────▶ ┘       the peer's end of stream, or a timeout
//!     └──the handler takes the connection over──▶ Taken ──▶ handed over
//! ```
//!
//! Each phase reads, writes and awaits something else:
//!
//! | phase | received bytes are | the server writes | for how long |
//! |---|---|---|---|
//! | `Securing` | the handshake of TLS, if the listener has TLS | that handshake | timeout of its own; then comes `Handshake` |
//! | `Handshake` | the request | the response | handshake timeout |
//! | `Open` | frames | replies, pings | until the idle and pong timeouts end it |
//! | `Closing` | frames, up to the peer's close | replies to messages | close timeout |
//! | `Draining` | discarded | the backlog | close timeout, which starts anew when the socket takes bytes |
//! | `Shut` | discarded, up to the end of the stream | nothing: our side is closed | the rest of the close timeout |
//! | `Ended` | none: the peer's side is closed | the backlog | close timeout, which starts anew when the socket takes bytes |
//! | `Taken` | left to the handler | nothing | the rest of the turn |
//!
//! A close is *clean* if the session may be dropped at once, without a wait in `Shut`: both sides have sent a close, the peer's was
//! the last that was read, the read has left nothing, and nothing is queued. Our side is closed before the socket, so that the
//! kernel holds nothing back. It sends all that it has, and the end of the stream; but it answers bytes that come after the close
//! with a reset, which may destroy what the peer has not read yet, and sends no more if some are unread then. So a close is not
//! clean if anything may follow the peer's close: a pong (the server has sent a ping: the peer may get it only now, and has to
//! answer, RFC 6455 §5.5.2), bytes that no event tells of, or TLS's own end. A peer that sends frames after its close breaks the
//! protocol (§5.5.1). If they come in the same read, it still gets everything; if later, all that its kernel has got by then.
//!
//! After `Open`, the backlog is written for at most sixty close timeouts. In any phase, the session is dropped if its socket
//! fails. The flags are independent of the phase, except as stated here:
//!
//! | flag | meaning | phases in which it counts |
//! |---|---|---|
//! | `paused` | the socket is not read until the backlog is down to half the high-water mark | any; set in `Open` and `Closing` |
//! | `pinged` | a ping was sent, and the peer has neither sent nor taken anything since | `Open` |
//! | `short` | a short read may not be the last: the socket is a Unix socket, or the peer closed its side or sent urgent data | any but `Ended` |
//! | `asked` | a ping was sent, so a pong may follow the peer's close | `Open`, `Closing` |
//! | `clean` | the peer's close was the last that was read in this turn, and nothing may follow it | the turn in which it came |
//!
//! `queue` names the queue in which the session waits for a turn that no event will report. A session in `Again` is also read if
//! an event comes, unless its messages are compressed. A session in `Working` or `Heavy` has a turn only in its order, so that
//! events get it no more of the [budget](crate::budget). A session in `Line` has none until the line calls it, so that it takes
//! no decompressor from the sessions before it.
//!
//! An idle connection is only a `Session` in the server's slab. Memory for unfinished work (a request head, a message in
//! parts, a backlog) is in [`Busy`], which is lent to the session until the work is done.
//!
//! The memory of one peer is bounded by the high-water mark, two messages and two receive buffers. The peer is not read once
//! its backlog reaches the mark. Of the messages that one read brings, all but the last were in the receive buffer. A message
//! that is partly written keeps all its memory while the next one arrives. (Memory grows by doubling; the unused part of it is
//! not resident.) If messages are compressed, one read may inflate to a thousand times its size: once the
//! [budget](crate::budget) of the turn is spent, the rest of the read waits. A reply that is being compressed takes up to two
//! messages, and the peer is not read meanwhile.

mod compressed;
mod frames;
mod life;
#[cfg(test)]
mod probe;
mod reading;
mod recorded;
mod writing;

use crate::{
    compression::{Compression, Pools},
    handler::Handler,
    line::Line,
    records::Place,
    shared::{Buffers, Busy, Shared},
    transport::Transport,
};
use framewire::{Connection, Server};
use std::io;

#[cfg(test)]
pub(crate) use probe::View;

/// The state of one connection. `T` is the type of its socket.
#[derive(Debug)]
pub(crate) struct Session<T> {
    connection: Connection<Server>,
    busy: Option<Box<Busy>>,
    /// Present if compression was negotiated.
    compression: Option<Box<Compression>>,
    socket: T,
    /// The time, on the loop's clock, from which timeouts count: the peer's last activity, a ping, or the phase's begin.
    seen: u32,
    phase: Phase,
    queue: Queue,
    pinged: bool,
    short: bool,
    asked: bool,
    clean: bool,
    /// Why a turn is not the usual one: [`PAUSED`], [`RECORDED`], [`COMPRESSED`], [`NOT_OPEN`]. One test finds all.
    aside: u8,
    /// Where its record is, if the handler keeps an access log.
    record: Option<Place>,
}

/// `paused`, in [`Session::aside`].
const PAUSED: u8 = 1;

/// The session has a record, in [`Session::aside`].
const RECORDED: u8 = 2;

/// Compression was negotiated, in [`Session::aside`].
const COMPRESSED: u8 = 4;

/// The phase is neither [`Phase::Open`] nor [`Phase::Closing`], in [`Session::aside`].
const NOT_OPEN: u8 = 8;

/// The phases of a session, in their order. A session never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Waits for the end of the handshake of TLS.
    Securing,
    /// Waits for the request.
    Handshake,
    Open,
    /// We sent a close, and wait for the peer's.
    Closing,
    /// The backlog is written; then our side of the socket is closed.
    Draining,
    /// Our side is closed; the peer's end of stream is awaited.
    Shut,
    /// The peer has closed its side. The backlog is written; then the session is dropped.
    Ended,
    /// The handler has taken the connection over; at the end of its turn, the session is gone.
    Taken,
}

/// The queue in which a session waits for a turn that no event will report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    None,
    /// The sessions that may have more to read.
    Again,
    /// The same, if their messages are compressed: they may also have a message to inflate, or a reply to compress.
    Working,
    /// The same, if the message has already cost much.
    Heavy,
    /// The line of sessions that wait for a decompressor.
    Line,
}

impl Queue {
    const fn line(self, pools: &mut Pools) -> Option<&mut Line> {
        match self {
            Self::None | Self::Again => None,
            Self::Working => Some(&mut pools.working),
            Self::Heavy => Some(&mut pools.heavy),
            Self::Line => Some(&mut pools.line),
        }
    }
}

/// The reason for a session's turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// There may be more to read even after a read that does not fill the buffer: the peer has closed its side, which only an
    /// empty read confirms, has reset the connection, or has sent urgent data, at which a read stops.
    pub(crate) short: bool,
}

/// The next step of a session after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for an event.
    Wait,
    /// There may be more to read, which no event will report: take another turn after the others had theirs.
    Again,
    /// There is more to read, to inflate or to compress: [join](Session::join) the queue for that.
    Work,
    /// There is more to read, but no free decompressor: [join](Session::join) the line.
    Line,
    /// The session is over.
    Drop,
    /// The session is over, and its socket is handed to the handler.
    HandOver,
}

impl<T: Transport> Session<T> {
    pub(crate) fn new(socket: T, now: u32) -> Self {
        Self {
            connection: Connection::new(),
            busy: None,
            compression: None,
            short: socket.may_read_short(),
            phase: if socket.is_securing() { Phase::Securing } else { Phase::Handshake },
            socket,
            seen: now,
            queue: Queue::None,
            pinged: false,
            asked: false,
            clean: false,
            aside: NOT_OPEN,
            record: None,
        }
    }

    /// The turn for an event.
    #[inline]
    pub(crate) fn ready(
        &mut self,
        turn: Turn,
        buffers: &mut Buffers,
        shared: &mut Shared<impl Handler>,
    ) -> Next {
        let Turn { mut readable, writable, short } = turn;
        self.short |= short;
        if writable && self.busy.is_some() {
            match self.write_backlog(shared) {
                Ok(resumed) => readable |= resumed, // no event will report bytes that came during the pause
                Err(error) => return self.lost(&error, shared),
            }
        }
        let mut more = Next::Wait;
        if readable && self.aside == 0 {
            match self.read_turn(buffers, shared) {
                Ok(true) => more = Next::Again,
                Ok(false) => {}
                Err(error) => return self.lost(&error, shared),
            }
        } else {
            match self.other_turn(readable, writable, short, buffers, shared) {
                Ok(next) => more = next,
                Err(error) => return self.lost(&error, shared),
            }
        }
        self.end_turn(more, shared)
    }

    /// A turn that is not the usual one, after the backlog.
    #[inline(never)]
    fn other_turn(
        &mut self,
        readable: bool,
        writable: bool,
        short: bool,
        buffers: &mut Buffers,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<Next> {
        if readable && !self.is_paused() && self.phase != Phase::Ended {
            return self.recorded(shared, |session, shared| {
                if session.compression.is_some() {
                    return session.compressed_event(short, buffers, shared);
                }
                session.read_turn(buffers, shared).map(|more| if more { Next::Again } else { Next::Wait })
            });
        }
        if writable {
            match self.socket.flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        Ok(Next::Wait)
    }

    /// The turn that [`Next::Again`] asked for.
    pub(crate) fn again(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> Next {
        if self.queue != Queue::Again {
            return Next::Wait; // a session that had this key before has asked for the turn
        }
        self.queue = Queue::None;
        self.ready(Turn { readable: true, ..Turn::default() }, buffers, shared)
    }

    /// The turn that [`Next::Work`] asked for.
    pub(crate) fn work(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> Next {
        self.queue = Queue::None;
        if self.phase == Phase::Open {
            self.alive(shared); // it was not read while it waited, so it only seemed silent
        }
        match self.recorded(shared, |session, shared| session.compressed_turn(buffers, shared)) {
            Ok(next) => self.end_turn(next, shared),
            Err(error) => self.lost(&error, shared),
        }
    }

    /// Gives a session that the line has called its place for a message, and a turn after those that wait for one.
    pub(crate) fn called(&mut self, key: usize, shared: &mut Shared<impl Handler>) {
        if let (Some(compression), Some(pools)) = (&mut self.compression, &mut shared.compression) {
            compression.called(pools, shared.now);
        }
        self.join(Next::Work, key, shared);
    }

    /// Joins the queue that [`Next::Work`] or [`Next::Line`] asks for.
    pub(crate) fn join(&mut self, next: Next, key: usize, shared: &mut Shared<impl Handler>) {
        let (Some(compression), Some(pools)) = (&mut self.compression, &mut shared.compression) else {
            return;
        };
        let queue = match next {
            Next::Line => Queue::Line,
            _ if compression.is_heavy(pools) => Queue::Heavy,
            _ => Queue::Working,
        };
        let Some(line) = queue.line(pools) else { return };
        if compression.has_heavy_ticket {
            line.rejoin(compression.ticket, key);
        } else {
            compression.ticket = line.join(key);
            compression.has_heavy_ticket = queue == Queue::Heavy;
        }
        self.queue = queue;
    }

    /// The socket of a session that has left.
    pub(crate) fn into_socket(self) -> T {
        self.socket
    }

    /// Removes a session that is dropped from the counters and from its queue, and ends its record.
    pub(crate) fn leave(&mut self, shared: &mut Shared<impl Handler>) {
        self.end_record(shared);
        self.set_paused(false, shared);
        self.leave_queue(shared);
    }

    fn leave_queue(&mut self, shared: &mut Shared<impl Handler>) {
        if let (Some(compression), Some(pools)) = (&self.compression, &mut shared.compression) {
            if let Some(line) = self.queue.line(pools) {
                line.leave(compression.ticket);
                self.queue = Queue::None;
            }
        }
    }

    #[inline(always)]
    fn end_turn(&mut self, more: Next, shared: &mut Shared<impl Handler>) -> Next {
        match self.settle(more, shared) {
            Next::Wait if more != Next::Wait && self.queue == Queue::None => {
                if more == Next::Again {
                    self.queue = Queue::Again;
                }
                more
            }
            next => next,
        }
    }

    /// Asks for one more turn, unless the session waits for one already.
    fn again_after(&mut self, next: Next) -> Next {
        if next == Next::Wait && self.queue == Queue::None {
            self.queue = Queue::Again;
            return Next::Again;
        }
        next
    }

    #[inline]
    const fn is_paused(&self) -> bool {
        self.aside & PAUSED != 0
    }

    /// Whether received bytes are frames.
    #[inline]
    const fn is_open(&self) -> bool {
        self.aside & NOT_OPEN == 0
    }

    /// Whether a message is being inflated or assembled, or a reply is being compressed.
    #[cfg(test)]
    pub(crate) fn has_message_in_progress(&self) -> bool {
        self.has_replies() || self.busy.as_ref().is_some_and(|busy| !busy.assembler.is_empty())
    }

    /// How many bytes wait until the socket takes them.
    pub(crate) fn backlog(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.backlog.len())
    }
}
