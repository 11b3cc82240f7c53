//! The state of a session, for the simulation's invariants.

use super::{Phase, Queue, Session};

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
    /// It is inside a compressed message, so it holds a decompressor.
    pub(crate) inflating: bool,
    /// Bytes that wait for the socket.
    pub(crate) backlog: usize,
    /// Bytes that were read, and are left to a later turn.
    pub(crate) rest: usize,
    /// Bytes of a message that has not arrived completely.
    pub(crate) assembled: usize,
    /// Bytes of an incomplete request.
    pub(crate) head: usize,
}

impl<T> Session<T> {
    pub(crate) fn view(&self) -> (View, &T) {
        let busy = self.busy.as_deref();
        let view = View {
            phase: self.phase,
            queue: self.queue,
            paused: self.paused,
            pinged: self.pinged,
            compressed: self.compression.is_some(),
            inflating: self.compression.as_ref().is_some_and(|compression| compression.is_open()),
            backlog: busy.map_or(0, |busy| busy.backlog.len()),
            rest: busy.map_or(0, |busy| busy.rest.len()),
            assembled: busy.map_or(0, |busy| busy.assembler.len()),
            head: busy.map_or(0, |busy| busy.head.len()),
        };
        (view, &self.socket)
    }
}
