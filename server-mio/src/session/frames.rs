//! Frames: passes messages to the handler, and queues the replies that the protocol demands.

use super::Session;
use crate::{handler::Handler, reply::Reply, shared::Shared, transport::Transport};
use framewire::{Event, Kind, Part, ProtocolError, Unmasked, outbox::Outbox};
use std::{borrow::Cow, mem};

impl<T: Transport> Session<T> {
    /// The host's loop (the front page of framewire's documentation). It is short: events other than whole messages are rare,
    /// and [`collect`](Self::collect) handles them.
    #[inline(always)]
    pub(super) fn frames<'b>(
        &mut self,
        mut input: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) {
        let mut messages = 0;
        let outcome = loop {
            let (kind, payload) = match self.connection.receive(&mut input) {
                Ok(Some(Event::Text(text))) => (Kind::Text, text.as_bytes()),
                Ok(Some(Event::Binary(bytes))) => (Kind::Binary, &*bytes),
                Ok(Some(event)) => match self.collect(event, &mut input, outbox, shared) {
                    Ok(()) => continue,
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            messages += 1;
            self.handle(kind, Cow::Borrowed(payload), outbox, shared);
        };
        shared.stats.messages.add(messages);
        if let Err(error) = outcome {
            self.fail(error, outbox, shared);
        }
        if !self.connection.close_expected() {
            self.alive(shared);
        } else {
            self.close(shared);
        }
    }

    #[inline(never)]
    pub(super) fn more_frames<'b>(
        &mut self,
        input: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) {
        self.frames(input, outbox, shared);
    }

    #[inline(never)]
    pub(super) fn handle_owned(
        &mut self,
        kind: Kind,
        payload: Vec<u8>,
        outbox: &mut Outbox<'_>,
        shared: &mut Shared<impl Handler>,
    ) {
        self.handle(kind, Cow::Owned(payload), outbox, shared);
    }

    #[inline(always)]
    fn handle<'b>(
        &mut self,
        kind: Kind,
        payload: Cow<'b, [u8]>,
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) {
        shared.handler.message(
            kind,
            payload,
            Reply {
                connection: &mut self.connection,
                outbox,
                compression: &mut self.compression,
                pools: &mut shared.compression,
            },
        );
    }

    /// Handles an event that is not a whole message: queues the protocol's reply to it, and handles the message of which it is
    /// the last part. If messages are compressed and the session [gives way](crate::compression::Compression::gives_way), the
    /// rest of the `input` is left to a later turn.
    #[inline(never)]
    fn collect<'b>(
        &mut self,
        event: Event<'_>,
        input: &mut &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> Result<(), ProtocolError> {
        if let Some(frame) = self.connection.reply(&event, Unmasked) {
            outbox.push(&frame);
        }
        let Event::Part(part) = event else { return Ok(()) };
        let whole = if part.rsv.is_none() {
            let frame = part.bytes().len() as u64 + self.connection.remaining();
            let message = shared.assembler(&mut self.busy, frame).push(part)?;
            message.map(|message| (message.kind, message.into_vec()))
        } else {
            self.inflate(part, shared)?
        };
        let Some((kind, payload)) = whole else { return Ok(()) };
        shared.stats.messages.add(1);
        let len = payload.len();
        self.handle_owned(kind, payload, outbox, shared);
        if let (Some(compression), Some(pools)) = (&mut self.compression, &shared.compression) {
            compression.collected += len;
            if compression.gives_way(pools, shared.config.high_water) && !input.is_empty() {
                compression.collected = 0;
                shared.busy(&mut self.busy).rest = mem::take(input).to_vec();
            }
        }
        Ok(())
    }

    /// Inflates a part of a message, and returns the message with its last part.
    fn inflate(
        &mut self,
        part: Part<'_>,
        shared: &mut Shared<impl Handler>,
    ) -> Result<Option<(Kind, Vec<u8>)>, ProtocolError> {
        // Both are present: the connection refuses the reserved bit unless compression was negotiated.
        let (Some(compression), Some(mut pools)) = (&mut self.compression, shared.compression.take()) else {
            return Err(ProtocolError::ReservedBit);
        };
        let frame = part.bytes().len() as u64 + self.connection.remaining();
        let assembler = shared.assembler(&mut self.busy, frame);
        let message = compression.inflate(part, &mut pools, assembler, shared.now);
        shared.compression = Some(pools);
        message
    }
}
