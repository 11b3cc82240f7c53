//! The state of a session, for the simulation's invariants.

use super::{PAUSED, Phase, Queue, Session};
use crate::compression::Compression;

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) phase: Phase,
    /// The queue in which the session believes to be.
    pub(crate) queue: Queue,
    pub(crate) paused: bool,
    pub(crate) pinged: bool,
    /// Compression was negotiated, and the session has not ended.
    pub(crate) compressed: bool,
    /// It is inside a compressed message, so it holds a decompressor; or it holds a place for one.
    pub(crate) holds: bool,
    /// Bytes of replies that are not compressed yet, if there are replies.
    pub(crate) replies: Option<usize>,
    /// Bytes that wait for the socket.
    pub(crate) backlog: usize,
    /// Bytes that were read, and are left to a later turn; and how many of them are of a part that is being inflated. Either may
    /// be 0 if only output is left.
    pub(crate) rest: Option<usize>,
    pub(crate) part: Option<usize>,
    /// Bytes of a message that has not arrived completely.
    pub(crate) assembled: usize,
    /// Bytes of an incomplete request.
    pub(crate) head: usize,
}

impl<T> Session<T> {
    pub(crate) fn view(&self) -> (View, &T) {
        let busy = self.busy.as_deref();
        let compression = self.compression.as_deref();
        let (rest, part, replies) = compression.map_or((None, None, None), Compression::left);
        let view = View {
            phase: self.phase,
            queue: self.queue,
            paused: self.aside & PAUSED != 0,
            pinged: self.pinged,
            compressed: compression.is_some(),
            holds: compression.is_some_and(Compression::holds),
            replies,
            backlog: busy.map_or(0, |busy| busy.backlog.len()),
            rest,
            part,
            assembled: busy.map_or(0, |busy| busy.assembler.len()),
            head: busy.map_or(0, |busy| busy.head.len()),
        };
        (view, &self.socket)
    }
}
