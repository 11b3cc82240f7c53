//! The end of a connection: what is owed is written, the stream is shut down, and a peer that has not finished is waited for.

use crate::{
    close::Closed, error::Error, keys, memory::ReadBuffer, receive::poll_read, websocket::WebSocket,
    writers::Side,
};
use framewire::{CloseCode, ProtocolError, Role, owned::SendQueue};
use std::{
    pin::Pin,
    task::{Context, Poll, Wake, ready},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Messages are received and sent.
    Open,
    /// Nothing can be sent any more, but what has arrived is received.
    Failed,
    /// Nothing more is received. What is queued is written.
    Finishing,
    /// All is written, and the stream is shut down. What still arrives is discarded, so that the peer gets what was written:
    /// closing a socket with unread bytes would reset the connection.
    Draining,
    /// Nothing is left to be done.
    Ended,
}

/// Why a connection ends. It is reported after what has arrived.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) closed: Option<Closed>,
    pub(crate) error: Option<Error>,
    /// Bytes that were queued will never be written.
    pub(crate) lost: bool,
    /// Bytes that were discarded.
    drained: usize,
    /// Reads after the time that the peer had for its close.
    overdue: u8,
}

/// The most reads after the time that the peer has for its close, which may be among what has arrived by then.
const OVERDUE: u8 = 16;

/// The most bytes that are discarded after the end.
const DRAINED: usize = 1 << 20;

impl End {
    pub(crate) fn get(slot: &mut Option<Box<Self>>) -> &mut Self {
        slot.get_or_insert_default()
    }
}

impl<S, R: Role> WebSocket<S, R> {
    /// Fails the connection because of an error of the peer, which is told.
    #[cold]
    pub(crate) fn fail(&mut self, error: ProtocolError) {
        if let Some(frame) = self.connection.fail(error, keys::key::<R>) {
            if self.phase == Phase::Open {
                self.busy().queue.push_control(frame);
            }
        }
        self.discard();
        End::get(&mut self.end).error.get_or_insert(Error::Protocol(error));
        self.phase = self.phase.max(Phase::Finishing);
    }

    /// Ends the connection because a timeout is over. If the peer may still read, it is told.
    #[cold]
    pub(crate) fn give_up(&mut self, error: Error) {
        if matches!(error, Error::MessageTimeout) && self.phase == Phase::Open {
            if let Ok(frame) = self.connection.fail_with(CloseCode::POLICY, "message timeout", keys::key::<R>)
            {
                self.busy().queue.push_control(frame);
            }
            self.discard();
            End::get(&mut self.end).error.get_or_insert(error);
            self.phase = Phase::Finishing;
        } else {
            self.stop(error);
        }
    }

    /// Ends the connection at once. What was read before is still received.
    #[cold]
    pub(crate) fn stop(&mut self, error: Error) {
        self.drop_queue();
        if !self.has_rest() {
            self.busy = None;
        }
        let end = End::get(&mut self.end);
        if end.closed.is_none() {
            end.error.get_or_insert(error);
        }
        self.phase = Phase::Ended;
    }

    /// Whether the peer, which still sends, has had all the time that it has for its close. This is asked before each read after
    /// this end's close: if the peer never pauses, the connection does not wait, and looks at no timer.
    #[cold]
    pub(crate) fn is_close_overdue(&mut self) -> bool {
        if self.is_close_late() {
            let end = End::get(&mut self.end);
            end.overdue += 1;
            return end.overdue > OVERDUE;
        }
        false
    }

    /// Drops what is queued. A task that waits to write is woken.
    pub(crate) fn drop_queue(&mut self) {
        if self.waiting() > 0 || self.unflushed {
            End::get(&mut self.end).lost = true;
        }
        self.unflushed = false;
        let Some(busy) = &mut self.busy else { return };
        busy.queue = SendQueue::new();
        busy.pong = None;
        busy.ping = [0; 2];
        if let Some(writers) = busy.writers.take() {
            writers.wake();
        }
    }

    /// Drops what has arrived and is not decoded.
    fn discard(&mut self) {
        if let Some(busy) = &mut self.busy {
            busy.rest = Vec::new();
            busy.at = 0;
            busy.assembler = framewire::Assembler::new(0);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Whether nothing more will be received.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.phase > Phase::Failed || self.connection.state() == framewire::State::Closed
    }

    /// Does what is left to be done, and reports why the connection ended.
    #[cold]
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        if self.phase < Phase::Finishing {
            self.discard();
            if self.phase == Phase::Failed {
                // The peer has closed, too: that nothing could be written is no news.
                End::get(&mut self.end).error = None;
                self.phase = self.after_writing();
            } else {
                self.phase = Phase::Finishing;
            }
        }
        while self.phase != Phase::Ended {
            let step = match self.phase {
                Phase::Finishing => self.poll_write_last(cx),
                _ => self.poll_drain(cx),
            };
            if step.is_pending() {
                let error = ready!(self.poll_timers(cx, Side::Receives, false));
                self.stop(error);
            }
        }
        self.drop_queue();
        self.busy = None;
        self.timers = None;
        self.tracked = None;
        let error = self.end.as_mut().and_then(|end| end.error.take());
        #[cfg(feature = "tracing")]
        if let Some(error) = &error {
            tracing::debug!(%error, "a connection ended");
        }
        Poll::Ready(error)
    }

    fn poll_write_last(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_write(cx, Side::Receives));
        if self.phase == Phase::Finishing {
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx)); // the peer may have closed first
        }
        self.phase = self.after_writing();
        Poll::Ready(())
    }

    /// The phase after all is written that can be.
    fn after_writing(&self) -> Phase {
        // Without a timeout, a peer that does nothing could not be got rid of. A server whose peer has closed is the first to end
        // the stream (RFC 6455 §7.1.1), so nothing more arrives.
        let closed = self.end.as_ref().is_some_and(|end| end.closed.is_some());
        let waits = self.config.close_timeout.is_some() && !(keys::is_server::<R>() && closed);
        if waits { Phase::Draining } else { Phase::Ended }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut buffer = ReadBuffer::take();
        loop {
            let n = ready!(poll_read(&mut self.stream, cx, buffer.bytes())).unwrap_or(0);
            let end = End::get(&mut self.end);
            end.drained += n;
            if n == 0 || end.drained > DRAINED {
                self.phase = Phase::Ended;
                return Poll::Ready(());
            }
        }
    }
}
