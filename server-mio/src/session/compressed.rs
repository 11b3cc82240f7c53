//! Turns of a session whose messages are compressed. Each does a limited amount of work, and leaves the rest to the next turn:
//! also in the middle of a message that is inflated, or of a reply that is compressed.

use super::{
    Next, PAUSED, Phase, Queue, Session,
    reading::{LARGE_START, goes_on},
};
use crate::{
    compression::{Outcome, Rest},
    handler::Handler,
    shared::{Buffers, Shared},
    transport::Transport,
};
use framewire::{Event, Kind, Part, ProtocolError, outbox::Outbox};
use std::{borrow::Cow, io};

/// What a turn did with the input.
#[derive(Debug, Default)]
struct Input {
    /// The socket may have more, which no event will report.
    more: bool,
    /// How many bytes the socket gave.
    read: usize,
    /// How many of the last bytes are left to a later turn; `None` if the input is used up.
    left: Option<usize>,
}

impl<T: Transport> Session<T> {
    /// The turn for an event. A session that waits in a queue keeps its place there. `short` is that of the
    /// [`Turn`](super::Turn).
    #[inline(never)]
    pub(super) fn compressed_event(
        &mut self,
        short: bool,
        buffers: &mut Buffers,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<Next> {
        let next = match self.queue {
            Queue::None => self.compressed_turn(buffers, shared)?,
            Queue::Again | Queue::Working | Queue::Heavy | Queue::Line => Next::Wait,
        };
        if short && (next != Next::Wait || self.queue != Queue::None) {
            // Until the session's next turn, no read tells that the peer has reset the connection.
            self.socket.check()?;
        }
        Ok(next)
    }

    /// A turn: goes on with the replies that wait, otherwise handles input.
    pub(super) fn compressed_turn(
        &mut self,
        buffers: &mut Buffers,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<Next> {
        let (Some(compression), Some(pools)) = (&mut self.compression, &mut shared.compression) else {
            return Ok(Next::Wait);
        };
        if !pools.budget.begin_session() {
            return Ok(Next::Work);
        }
        let reads = !compression.has_replies() && self.aside & PAUSED == 0;
        if reads && !compression.begin_read(pools) {
            if self.short {
                // Until the line calls the session, no read tells that the peer has reset the connection. It may have done so
                // before a read that took what had come first. Looking for input would take the error away.
                self.socket.check()?;
            }
            // If there is nothing to read, it does not join the line: those before it would be closed because it waits.
            let joins = compression.has_rest() || self.socket.has_input();
            return Ok(if joins { Next::Line } else { Next::Wait });
        }
        let mut rest = if reads { compression.take_rest() } else { None };
        let room = buffers.room();
        let mut outbox = Outbox::new(&mut buffers.outbox);
        let mut input = Input { more: true, ..Input::default() };
        if let Some(rest) = &mut rest {
            input.left = self.limited_frames(rest.bytes(), &mut outbox, shared);
        } else if reads {
            input = match self.limited_read(&mut buffers.rx, room, &mut outbox, shared) {
                Err(error) => Input { more: goes_on(error)?, ..Input::default() },
                Ok(input) => input,
            };
            // Also if it brought nothing: a peer can send records that are empty, or that only change keys.
            spend(self.socket.encrypted().saturating_sub(input.read), shared);
        }
        if let (Some(compression), Some(pools)) = (&mut self.compression, &mut shared.compression) {
            if self.phase == Phase::Closing && compression.has_replies() {
                self.seen = shared.now; // the peer's time begins when they are sent
            }
            compression.send_replies(&mut outbox, pools);
        }
        self.write(outbox, shared)?;

        let (Some(compression), Some(pools)) = (&mut self.compression, &shared.compression) else {
            // The session has ended, but the rest of its input must be read, and discarded.
            return Ok(if input.more { Next::Again } else { Next::Wait });
        };
        if let Some(left) = input.left {
            let read = &buffers.rx[..input.read];
            compression.keep_rest(rest.unwrap_or_else(|| Rest::new(&read[read.len() - left..])), left);
        }
        compression.end_turn(pools);
        let more = compression.has_replies() || (input.more || compression.has_rest()) && !self.is_paused();
        Ok(if more { Next::Work } else { Next::Wait })
    }

    /// Reads once, and handles the frames as far as the budget allows.
    fn limited_read<'b>(
        &mut self,
        rx: &'b mut [u8],
        room: usize,
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<Input> {
        let missing = self.connection.remaining();
        let busy = self.busy.as_mut();
        if busy.is_some_and(|busy| busy.assembler.spare_for(&self.connection, room).is_some()) {
            let filled = self.read_direct(&mut [], outbox, shared)?;
            let read = (missing - self.connection.remaining()) as usize;
            spend(read, shared);
            return Ok(Input { more: self.may_have_more(filled), read, left: None });
        }
        let room = self.connection.want(room).max(LARGE_START.min(room));
        let n = self.socket.read(&mut rx[..room])?;
        if n == 0 {
            self.end(shared);
            return Ok(Input::default());
        }
        shared.stats.bytes.add(n as u64);
        let left = self.limited_frames(&mut rx[..n], outbox, shared);
        spend(n, shared);
        Ok(Input { more: self.may_have_more(n == room), read: n, left })
    }

    /// Handles frames until the budget is spent, a reply waits, or the replies reach the high-water mark. Then it returns how
    /// many bytes of the input are left to a later turn.
    fn limited_frames<'b>(
        &mut self,
        input: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> Option<usize> {
        let (mut paused, mut input) = match &mut self.compression {
            Some(compression) => compression.resume(input),
            None => (None, input),
        };
        shared.end = input.as_ptr_range().end as usize;
        let mut left = None;
        let outcome = loop {
            let event = match paused.take() {
                Some(part) => Ok(Some(Event::Part(part))),
                None if !input.is_empty() && self.must_stop(outbox, shared) => {
                    left = Some(0);
                    break Ok(());
                }
                None => self.connection.receive(&mut input),
            };
            match event {
                Ok(Some(Event::Text(text))) => {
                    shared.stats.messages.add(1);
                    self.handle(Kind::Text, Cow::Borrowed(text.as_bytes()), outbox, shared);
                }
                Ok(Some(Event::Binary(bytes))) => {
                    shared.stats.messages.add(1);
                    self.handle(Kind::Binary, Cow::Borrowed(bytes), outbox, shared);
                }
                Ok(Some(Event::Part(part))) if !part.rsv.is_none() => {
                    match self.inflate(part, outbox, shared) {
                        Ok(None) => {}
                        Ok(of_part) => {
                            left = of_part;
                            break Ok(());
                        }
                        Err(error) => break Err(error),
                    }
                }
                Ok(Some(event)) => {
                    if let Err(error) = self.collect(event, outbox, shared) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.after_frames(outcome, outbox, shared);
        left.map(|of_part| of_part + input.len())
    }

    fn must_stop(&self, outbox: &Outbox<'_>, shared: &Shared<impl Handler>) -> bool {
        let backlog = self.busy.as_ref().map_or(0, |busy| busy.backlog.len());
        // Otherwise a few bytes could bring many times as many replies before the peer is paused.
        let is_high = !outbox.is_empty() && backlog + outbox.len() >= shared.config.high_water;
        match (&self.compression, &shared.compression) {
            (Some(compression), Some(pools)) => is_high || compression.must_stop(pools),
            _ => false,
        }
    }

    /// Inflates a part of a message as far as the budget allows, and handles the message with its last part. Returns how many
    /// bytes of the part are left, if any work is left.
    fn inflate(
        &mut self,
        part: Part<'_>,
        outbox: &mut Outbox<'_>,
        shared: &mut Shared<impl Handler>,
    ) -> Result<Option<usize>, ProtocolError> {
        // Both are present: the connection refuses the reserved bit unless compression was negotiated.
        let (Some(compression), Some(mut pools)) = (&mut self.compression, shared.compression.take()) else {
            return Err(ProtocolError::ReservedBit);
        };
        let frame = part.bytes().len() as u64 + self.connection.remaining();
        let assembler = shared.assembler(&mut self.busy, frame);
        let outcome = compression.inflate(part, &mut pools, assembler, shared.now);
        shared.compression = Some(pools);
        match outcome? {
            Outcome::More => Ok(None),
            Outcome::Paused(left) => Ok(Some(left)),
            Outcome::Whole(kind, payload) => {
                shared.stats.messages.add(1);
                self.handle_owned(kind, payload, outbox, shared);
                Ok(None)
            }
        }
    }
}

/// Counts bytes that were read. So a session that sends much else gets no more turns than others.
fn spend(read: usize, shared: &mut Shared<impl Handler>) {
    if let Some(pools) = &mut shared.compression {
        pools.budget.spend(read);
    }
}
