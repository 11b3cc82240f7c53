//! Receiving without owning: messages are lent to a handler from the thread's buffer, and all replies to a read leave in one
//! write.

use crate::{
    error::{Error, SendError},
    finish::Phase,
    keys,
    memory::{self, OutboxMemory, READ, ReadBuffer},
    message::Message,
    receive::{LARGE_START, Whole, poll_read},
    websocket::WebSocket,
    write::poll_write_slices,
    writers::Side,
};
use framewire::{
    CloseCode, Connection, Kind, ProtocolError, Role, Rsv, Server, mask,
    outbox::{Outbox, Written},
};
use std::{
    borrow::Cow,
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// What a program does with messages that are lent to it. [`WebSocket::serve_fn`] takes a closure in its stead.
///
/// If it panics, the connection ends: what the same read brought after the message is lost.
pub trait Handler<R: Role = Server> {
    /// A message has arrived.
    fn message<'b>(&mut self, message: Lent<'b>, reply: &mut Reply<'_, 'b, R>);
}

/// A message. It is lent if it arrived whole, and owned if it was put together.
#[derive(Debug, PartialEq, Eq)]
pub enum Lent<'b> {
    /// Text.
    Text(Cow<'b, str>),
    /// Bytes.
    Binary(Cow<'b, [u8]>),
}

impl<'b> Lent<'b> {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The bytes of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    #[inline]
    fn into_parts(self) -> (Kind, Cow<'b, [u8]>) {
        match self {
            Self::Text(Cow::Borrowed(text)) => (Kind::Text, text.as_bytes().into()),
            Self::Text(Cow::Owned(text)) => (Kind::Text, text.into_bytes().into()),
            Self::Binary(bytes) => (Kind::Binary, bytes),
        }
    }
}

impl From<Whole> for Lent<'_> {
    fn from(whole: Whole) -> Self {
        match whole {
            Whole::Text(text) => Self::Text(text.into()),
            Whole::Binary(bytes) => Self::Binary(bytes.into()),
            #[cfg(feature = "deflate")]
            Whole::Compressed(_, bytes) => Self::Binary(bytes.into()), // not reached: it was inflated
        }
    }
}

/// Takes the replies to the messages of one read. They are written together after the last of these. After a write has failed,
/// replies are lost: [`serve`](WebSocket::serve) returns the error at its end.
pub struct Reply<'a, 'b, R: Role = Server> {
    connection: &'a mut Connection<R>,
    outbox: &'a mut Outbox<'b>,
    /// Bytes that waited before.
    waiting: usize,
    #[cfg(feature = "deflate")]
    deflate: Option<&'a mut crate::deflate::Deflate<R>>,
    #[cfg(feature = "deflate")]
    config: &'a crate::Config,
}

impl<'b, R: Role> Reply<'_, 'b, R> {
    /// Sends a message, for example the one that was lent. A server does not copy a large one.
    ///
    /// # Errors
    /// [`SendError::Closed`] after this end's close.
    #[inline]
    pub fn send(&mut self, message: Lent<'b>) -> Result<(), SendError> {
        let (kind, bytes) = message.into_parts();
        #[cfg(feature = "deflate")]
        if let (Some(deflate), Some(shared)) = (&mut self.deflate, &self.config.pools) {
            return Ok(deflate.send(shared, self.connection, self.outbox, kind, bytes)?);
        }
        Ok(self.outbox.message(self.connection, kind, bytes, keys::key::<R>())?)
    }

    /// Sends a copy of this text.
    ///
    /// # Errors
    /// [`SendError::Closed`] after this end's close.
    pub fn text(&mut self, text: &str) -> Result<(), SendError> {
        self.copy(Kind::Text, text.as_bytes())
    }

    /// Sends a copy of these bytes.
    ///
    /// # Errors
    /// [`SendError::Closed`] after this end's close.
    pub fn binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.copy(Kind::Binary, bytes)
    }

    /// Sends a close (RFC 6455 §5.5.1). No message can be sent after it.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::Invalid`].
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let frame = self.connection.close(code, reason, keys::key::<R>())?;
        self.outbox.push(&frame);
        Ok(())
    }

    /// How many bytes wait for the peer, these replies included. A handler may send however much waits; but from
    /// [`Config::high_water`](crate::Config::high_water) on, it gets no more messages, and nothing more is read.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting + self.outbox.len()
    }

    fn copy(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), SendError> {
        #[cfg(feature = "deflate")]
        if let (Some(deflate), Some(shared)) = (&mut self.deflate, &self.config.pools) {
            return Ok(deflate.send(shared, self.connection, self.outbox, kind, bytes.to_vec().into())?);
        }
        let key = keys::key::<R>();
        let header = self.connection.message_header(kind, Rsv::NONE, bytes.len() as u64, key)?;
        self.outbox.push(&header);
        match key.into() {
            None => self.outbox.push(bytes),
            Some(key) => {
                let mut masked = bytes.to_vec();
                mask::apply(key, &mut masked);
                self.outbox.push(&masked);
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Passes each message to the handler until the connection ends. Messages of one read are passed one after the other, while
    /// fewer than [`Config::high_water`](crate::Config::high_water) bytes wait; then all replies are written at once. Returns `Ok`
    /// after the peer's close: [`peer_close`](Self::peer_close) has it.
    ///
    /// An echo of a short message takes no allocation, and a little more time than tokio itself does.
    ///
    /// ```
    /// use framewire_tokio::{Handler, Lent, Reply, WebSocket};
    /// use tokio::net::TcpStream;
    ///
    /// struct Echo;
    ///
    /// impl Handler for Echo {
    ///     fn message<'b>(&mut self, message: Lent<'b>, reply: &mut Reply<'_, 'b>) {
    ///         let _ = reply.send(message); // an error means that this end has closed
    ///     }
    /// }
    ///
    /// async fn echo(mut socket: WebSocket<TcpStream>) -> Result<(), framewire_tokio::Error> {
    ///     socket.serve(Echo).await
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost, and the replies to those that the handler has got are queued.
    pub async fn serve(&mut self, mut handler: impl Handler<R>) -> Result<(), Error> {
        poll_fn(|cx| self.poll_serve(cx, &mut handler)).await
    }

    /// As [`serve`](Self::serve), with a closure.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Cancel safe, as [`serve`](Self::serve).
    pub async fn serve_fn<F>(&mut self, handler: F) -> Result<(), Error>
    where
        F: for<'a, 'b> FnMut(Lent<'b>, &mut Reply<'a, 'b, R>),
    {
        self.serve(Closure(handler)).await
    }

    #[inline]
    fn poll_serve(&mut self, cx: &mut Context<'_>, handler: &mut impl Handler<R>) -> Poll<Result<(), Error>> {
        loop {
            let over = self.is_over();
            if over && (self.leaves || !self.has_rest()) {
                return self.poll_finish(cx).map(|error| error.map_or(Ok(()), Err));
            }
            // What was read before the end is still received.
            if !over {
                self.go_away_if_told(cx);
                if self.leaves {
                    // This discards what still arrives, so it returns nothing but the end.
                    return self
                        .poll_receive::<Message>(cx)
                        .map(|end| end.map_or(Ok(()), |end| end.map(drop)));
                }
                if self.poll_write(cx, Side::Receives).is_pending() && self.is_full() {
                    // The handler's replies would add to what waits.
                    let error = ready!(self.poll_timers(cx, Side::Receives, false));
                    self.stop(error);
                    continue;
                }
                if self.cannot_send() && self.is_close_overdue() {
                    self.stop(Error::CloseTimeout);
                    continue;
                }
            }
            if self.poll_turn(cx, handler).is_pending() {
                let error = ready!(self.poll_idle(cx));
                self.give_up(error);
            }
        }
    }

    /// Reads once, unless a rest of the last read is there, passes messages on until the high-water mark waits, and writes the
    /// replies.
    #[inline]
    fn poll_turn(&mut self, cx: &mut Context<'_>, handler: &mut impl Handler<R>) -> Poll<()> {
        let mut buffer = None;
        let mut rest = Vec::new();
        let mut memory;
        let mut outbox;
        let mut outcome = Ok(());
        // How many bytes were read, and how many of them are not decoded because so much waits.
        let (mut read, mut left) = (0, 0);
        // While a handler runs, the connection counts as ended: if it panics, the rest of what was read is lost.
        let phase;
        if self.reads_direct() {
            let whole = match ready!(self.poll_direct(cx)) {
                Ok(Some(whole)) => whole,
                Ok(None) => return Poll::Ready(()),
                Err(error) => {
                    self.fail(error);
                    return Poll::Ready(());
                }
            };
            memory = OutboxMemory::take();
            outbox = Outbox::new(memory.get());
            phase = mem::replace(&mut self.phase, Phase::Ended);
            let waiting = self.waiting();
            handler.message(whole.into(), &mut self.reply(&mut outbox, waiting));
        } else {
            let mut input = if self.has_rest() {
                let busy = self.busy();
                rest = mem::take(&mut busy.rest);
                let at = mem::take(&mut busy.at);
                &mut rest[at..]
            } else {
                let buffer = buffer.insert(ReadBuffer::take());
                let room = self.connection.want(READ).max(LARGE_START);
                match ready!(poll_read(&mut self.stream, cx, &mut buffer.bytes()[..room])) {
                    Ok(n) if n > 0 => {
                        self.reads = self.reads.wrapping_add(1);
                        read = n;
                        &mut buffer.bytes()[..n]
                    }
                    end => {
                        self.ended(end);
                        return Poll::Ready(());
                    }
                }
            };
            memory = OutboxMemory::take();
            outbox = Outbox::new(memory.get());
            phase = mem::replace(&mut self.phase, Phase::Ended);
            let waiting = self.waiting();
            let room = self.config.high_water.saturating_sub(waiting);
            loop {
                let lent = match self.connection.receive(&mut input) {
                    Ok(Some(framewire::Event::Text(text))) => Lent::Text(Cow::Borrowed(text)),
                    Ok(Some(framewire::Event::Binary(bytes))) => Lent::Binary(Cow::Borrowed(bytes)),
                    Ok(Some(event)) => match self.serve_unusual(event, &mut outbox) {
                        Ok(Some(whole)) => whole.into(),
                        Ok(None) => continue,
                        Err(error) => {
                            outcome = Err(error);
                            break;
                        }
                    },
                    Ok(None) => break,
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                };
                handler.message(lent, &mut self.reply(&mut outbox, waiting));
                if outbox.len() >= room {
                    left = input.len();
                    break;
                }
            }
        }
        self.phase = phase;
        self.write_replies(cx, outbox);
        if left > 0 {
            if let Some(buffer) = &mut buffer {
                rest.extend_from_slice(&buffer.bytes()[read - left..read]);
            }
            let busy = self.busy();
            busy.at = rest.len() - left;
            busy.rest = rest;
        }
        if let Err(error) = outcome {
            self.fail(error);
        }
        Poll::Ready(())
    }

    /// Anything but a message that arrived whole.
    #[inline(never)]
    fn serve_unusual(
        &mut self,
        event: framewire::Event<'_>,
        outbox: &mut Outbox<'_>,
    ) -> Result<Option<Whole>, ProtocolError> {
        match event {
            framewire::Event::Part(part) if self.skips => {
                self.skips = !part.last;
                Ok(None)
            }
            framewire::Event::Part(part) => {
                let whole = self.collect(part)?;
                self.finish_whole(whole)
            }
            control => {
                if let Some(frame) = self.connection.reply(&control, keys::key::<R>) {
                    outbox.push(&frame);
                    if let (framewire::Event::Ping(_), Some(busy)) = (&control, &mut self.busy) {
                        busy.pong = None; // that of an earlier ping
                    }
                }
                self.note(&control);
                Ok(None)
            }
        }
    }

    /// Writes the replies after what waits, and queues what the stream does not take.
    #[inline]
    fn write_replies(&mut self, cx: &mut Context<'_>, outbox: Outbox<'_>) {
        if outbox.is_empty() || self.phase != Phase::Open {
            return; // if nothing can be sent, the replies are lost with all others
        }
        let ready = self.waiting() == 0;
        let mut socket = Blocking { stream: &mut self.stream, cx, ready, taken: 0 };
        let written = outbox.write(&mut socket, None, memory::keep_large);
        let taken = socket.taken;
        match written {
            Ok(Written::All) => {}
            Ok(Written::Rest(rest)) => {
                rest.queue(&mut memory::busy(&mut self.busy).queue, memory::into_bytes)
            }
            Err(error) => return self.cannot_write(error),
        }
        if taken > 0 {
            self.writes = self.writes.wrapping_add(1);
            self.unflushed = true;
        }
    }

    #[inline]
    fn reply<'a, 'b>(&'a mut self, outbox: &'a mut Outbox<'b>, waiting: usize) -> Reply<'a, 'b, R> {
        Reply {
            waiting,
            connection: &mut self.connection,
            outbox,
            #[cfg(feature = "deflate")]
            deflate: self.deflate.as_deref_mut(),
            #[cfg(feature = "deflate")]
            config: &self.config,
        }
    }
}

/// A closure as a handler.
struct Closure<F>(F);

impl<R: Role, F: for<'a, 'b> FnMut(Lent<'b>, &mut Reply<'a, 'b, R>)> Handler<R> for Closure<F> {
    #[inline]
    fn message<'b>(&mut self, message: Lent<'b>, reply: &mut Reply<'_, 'b, R>) {
        self.0(message, reply);
    }
}

/// A stream as a socket that does not block.
struct Blocking<'a, 'c, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'c>,
    /// Otherwise other bytes wait, which are written first.
    ready: bool,
    /// Bytes that the stream has taken.
    taken: usize,
}

impl<S> Blocking<'_, '_, S> {
    #[inline]
    fn result(&mut self, written: Poll<io::Result<usize>>) -> io::Result<usize> {
        match written {
            Poll::Ready(written) => {
                self.taken += *written.as_ref().unwrap_or(&0);
                written
            }
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncWrite + Unpin> io::Write for Blocking<'_, '_, S> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.ready {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = Pin::new(&mut *self.stream).poll_write(self.cx, bytes);
        self.result(written)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        if !self.ready {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = poll_write_slices(self.stream, self.cx, slices);
        self.result(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
