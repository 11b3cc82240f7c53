//! Frames: passes messages to the handler, and queues the replies that the protocol demands.

use super::Session;
use crate::{handler::Handler, reply::Reply, shared::Shared, transport::Transport};
use framewire::{Event, Kind, ProtocolError, Unmasked, outbox::Outbox};
use std::borrow::Cow;

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
        shared.end = input.as_ptr_range().end as usize; // not a local: the loop has no register for it
        let mut messages = 0;
        let outcome = loop {
            let (kind, payload) = match self.connection.receive(&mut input) {
                Ok(Some(Event::Text(text))) => (Kind::Text, text.as_bytes()),
                Ok(Some(Event::Binary(bytes))) => (Kind::Binary, &*bytes),
                Ok(Some(event)) => match self.collect(event, outbox, shared) {
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
        self.after_frames(outcome, outbox, shared);
    }

    /// Ends the connection after an error or a close; otherwise the frames are a sign of life.
    #[inline(always)]
    pub(super) fn after_frames(
        &mut self,
        outcome: Result<(), ProtocolError>,
        outbox: &mut Outbox<'_>,
        shared: &mut Shared<impl Handler>,
    ) {
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
    pub(super) fn handle<'b>(
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
    /// the last part.
    #[inline(never)]
    pub(super) fn collect(
        &mut self,
        event: Event<'_>,
        outbox: &mut Outbox<'_>,
        shared: &mut Shared<impl Handler>,
    ) -> Result<(), ProtocolError> {
        if let Event::Close(close) = &event {
            let code = close.as_close().code;
            shared.stats.closes.add(code);
            self.closes(code, shared);
        }
        if let Some(frame) = self.connection.reply(&event, Unmasked) {
            outbox.push(&frame);
        }
        if let Event::Close(payload) = &event {
            self.clean = payload.as_ptr_range().end as usize == shared.end && !self.asked;
        }
        let Event::Part(part) = event else { return Ok(()) };
        let frame = part.bytes().len() as u64 + self.connection.remaining();
        if let Some(message) = shared.assembler(&mut self.busy, frame).push(part)? {
            let (kind, payload) = (message.kind, message.into_vec());
            shared.stats.messages.add(1);
            self.handle_owned(kind, payload, outbox, shared);
        }
        Ok(())
    }
}
