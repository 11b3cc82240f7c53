//! Sending: queueing frames, and writing the queue.

use crate::{
    error::{Error, SendError, TrySendError},
    finish::{End, Phase},
    keys, memory,
    message::Message,
    websocket::WebSocket,
    writers::Side,
};
use bytes::Buf;
use framewire::{CloseCode, Role, Rsv, State, owned::SendQueue};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// The most pieces of one vectored write.
const SLICES: usize = 64;

/// A stream without vectored writes, such as TLS, gets this many bytes at a time in one piece: a record's worth.
const COPIED: usize = 16 << 10;

impl<S, R: Role> WebSocket<S, R> {
    /// Whether this end has closed, or the connection has ended.
    #[inline]
    pub(crate) fn cannot_send(&self) -> bool {
        self.phase != Phase::Open || self.connection.close_expected()
    }

    /// Queues a close.
    pub(crate) fn queue_close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        let frame = self.connection.close(code, reason, keys::key::<R>())?;
        self.busy().queue.push_control(frame);
        Ok(())
    }

    /// Queues a ping.
    pub(crate) fn queue_ping_with(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        let frame = self.connection.ping(payload, keys::key::<R>())?;
        self.busy().queue.push_control(frame);
        Ok(())
    }

    /// Whether bytes wait for the peer, and nobody looks how long.
    pub(crate) fn must_watch_writes(&self) -> bool {
        (self.waiting() > 0 || self.unflushed)
            && self.config.write_timeout.is_some()
            && !self.timers.as_ref().is_some_and(|timers| timers.watches_writes())
    }

    /// Whether bytes that were queued will never be written.
    pub(crate) fn has_lost(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.lost)
    }

    /// Queues a message, however much waits.
    ///
    /// # Errors
    /// [`TrySendError::Closed`].
    #[inline]
    pub(crate) fn queue(&mut self, message: Message) -> Result<(), TrySendError<Message>> {
        if self.cannot_send() {
            return Err(TrySendError::Closed(message));
        }
        #[cfg(feature = "deflate")]
        if self.deflate.is_some() {
            return self.queue_deflated(message);
        }
        let (kind, bytes) = message.into_parts();
        let queue = &mut memory::busy(&mut self.busy).queue;
        let queued = queue.push_message(&mut self.connection, kind, Rsv::NONE, bytes, keys::key::<R>());
        debug_assert!(queued.is_ok(), "it was asked above");
        Ok(())
    }
}

impl<S: AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Waits until fewer than the high-water mark wait.
    #[inline]
    pub(crate) fn poll_send_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if self.is_full() {
            let written = self.poll_write(cx, Side::Sends);
            if written.is_pending() && self.is_full() {
                return self.poll_stalled(cx);
            }
        }
        Poll::Ready(if self.cannot_send() { Err(SendError::Closed) } else { Ok(()) })
    }

    /// Waits until all is written.
    #[inline]
    pub(crate) fn poll_send_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match self.poll_write(cx, Side::Sends) {
            Poll::Pending => self.poll_stalled(cx),
            Poll::Ready(()) if self.has_lost() => Poll::Ready(Err(SendError::Closed)),
            Poll::Ready(()) => Poll::Ready(Ok(())),
        }
    }

    /// The peer does not read: is it time to give up?
    #[cold]
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let error = ready!(self.poll_timers(cx, Side::Sends, false));
        self.stop(error);
        Poll::Ready(Err(SendError::Timeout))
    }

    /// Writes the queue, as far as the stream takes it. If that fails, the queue is dropped, and the error is kept until all
    /// that had arrived is received.
    #[inline]
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<()> {
        if self.busy.is_none() && !self.unflushed {
            return Poll::Ready(());
        }
        let written = self.poll_write_queue(cx, side);
        let written = if written.is_pending() { self.poll_write_waiting(cx, side) } else { written };
        match ready!(written) {
            Ok(()) => memory::settle(&mut self.busy),
            Err(error) => self.cannot_write(error),
        }
        Poll::Ready(())
    }

    fn poll_write_queue(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>> {
        if let Some(busy) = &mut self.busy {
            while !busy.queue.is_empty() {
                let n = ready!(poll_write_some(&mut self.stream, cx, &busy.queue))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                busy.queue.advance(n);
                busy.written += n as u64;
                busy.ping[0] = busy.ping[0].saturating_sub(n);
                self.writes = self.writes.wrapping_add(1);
                self.unflushed = true;
                if busy.pong.is_some() && self.connection.state() != State::Closed {
                    busy.queue_pong(n, self.config.high_water / 2);
                }
                if let Some(writers) = &busy.writers {
                    writers.wake_other(side);
                }
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
            if let Some(writers) = self.busy.as_ref().and_then(|busy| busy.writers.as_ref()) {
                writers.wake_other(side);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the queue, until all is written that was queued at the first call, which notes in `span` how much was written by then,
    /// and how much must be.
    pub(crate) fn poll_write_queued(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        span: &mut Option<(u64, u64)>,
    ) -> Poll<()> {
        let written = self.busy.as_ref().map_or(0, |busy| busy.written);
        let (begin, end) = *span.get_or_insert((written, written + self.waiting() as u64));
        if self.poll_write(cx, side).is_ready() {
            return Poll::Ready(());
        }
        let written = self.busy.as_ref().map_or(0, |busy| busy.written);
        // Beyond the end, or of another box: all that was queued is written. If nothing else waits, it must be flushed, too.
        if (begin..end).contains(&written) || self.waiting() == 0 {
            return Poll::Pending;
        }
        // A stream such as TLS is not flushed while it is full: its bytes precede those that others have queued.
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_flush(cx) {
            self.cannot_write(error);
        }
        Poll::Ready(())
    }

    /// The stream takes no more. If another task waits for that, too, the stream must wake both.
    #[inline(never)]
    fn poll_write_waiting(&mut self, cx: &Context<'_>, side: Side) -> Poll<io::Result<()>> {
        let writers = memory::busy(&mut self.busy).writers.get_or_insert_default();
        match writers.wait(side, cx.waker()) {
            Some(both) => self.poll_write_queue(&mut Context::from_waker(&both), side),
            None => Poll::Pending,
        }
    }

    #[cold]
    pub(crate) fn cannot_write(&mut self, error: io::Error) {
        self.drop_queue();
        let end = End::get(&mut self.end);
        end.lost = true;
        if end.closed.is_none() {
            end.error.get_or_insert(Error::Io(error));
        }
        self.phase = self.phase.max(Phase::Failed);
        if let Some(timers) = &mut self.timers {
            timers.wake_receiver();
        }
    }
}

/// Writes the front of the queue, which is not empty.
#[inline]
fn poll_write_some<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    queue: &SendQueue,
) -> Poll<io::Result<usize>> {
    let chunk = queue.chunk();
    if chunk.len() == queue.remaining() {
        return Pin::new(stream).poll_write(cx, chunk);
    }
    let mut slices = [IoSlice::new(&[]); SLICES];
    let filled = queue.chunks_vectored(&mut slices);
    poll_write_slices(stream, cx, &slices[..filled])
}

/// Writes the front of these bytes.
#[inline(never)] // as a rule, there is one piece
pub(crate) fn poll_write_slices<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if stream.is_write_vectored() {
        return Pin::new(stream).poll_write_vectored(cx, slices);
    }
    if let Some(first) = slices.iter().find(|slice| !slice.is_empty()).filter(|first| first.len() >= COPIED) {
        return Pin::new(stream).poll_write(cx, first);
    }
    // A header alone would be a record of its own.
    let mut copy = Vec::with_capacity(COPIED);
    for slice in slices {
        let room = COPIED - copy.len();
        copy.extend_from_slice(&slice[..slice.len().min(room)]);
    }
    Pin::new(stream).poll_write(cx, &copy)
}
