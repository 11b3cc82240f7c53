//! Receiving: reading, and decoding what was read.

use crate::{
    close::Closed,
    error::Error,
    finish::{End, Phase},
    keys,
    memory::{self, DIRECT_FROM, READ, ReadBuffer},
    message::{Event, Message},
    websocket::WebSocket,
    writers::Side,
};
use bytes::Bytes;
use framewire::{Assembled, Kind, ProtocolError, Role};
use std::{
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop,
};

/// The least that a read asks for: the header of a large message, and enough payload that the rest is read to where the message
/// is put together. (The codec wants little more than the header. But a connection has no memory for a message before it begins.)
pub(crate) const LARGE_START: usize = DIRECT_FROM + framewire::Header::MAX_LEN;

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Receives the next message, or event.
    #[inline]
    pub(crate) fn poll_receive<T: Received>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<T, Error>>> {
        loop {
            if self.has_rest() {
                // A read may hold tens of thousands of messages: other tasks have their turn between them.
                let budget = ready!(coop::poll_proceed(cx));
                let event = self.decode_rest();
                budget.made_progress();
                match event {
                    Some(event) if !self.discards::<T>() => return Poll::Ready(Some(Ok(event))),
                    Some(_) => continue,
                    None => {}
                }
            }
            if self.is_over() {
                return self.poll_finish(cx).map(|error| error.map(Err));
            }
            self.go_away_if_told(cx);
            // However much waits, the peer is read: if both ends waited for the other to read first, neither ever would.
            let _ = self.poll_write(cx, Side::Receives);
            if self.cannot_send() && self.is_close_overdue() {
                self.stop(Error::CloseTimeout);
                continue;
            }
            match self.poll_read_next(cx) {
                Poll::Ready(Some(event)) if !self.discards::<T>() => return Poll::Ready(Some(Ok(event))),
                Poll::Ready(_) => {}
                Poll::Pending => {
                    let error = ready!(self.poll_idle(cx));
                    self.give_up(error);
                }
            }
        }
    }

    /// Reads once, and returns the first message, or event, of that.
    #[inline]
    fn poll_read_next<T: Received>(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.reads_direct() {
            let whole = ready!(self.poll_direct(cx));
            return Poll::Ready(self.message(whole).map(T::message));
        }
        let mut buffer = ReadBuffer::take();
        let room = self.connection.want(READ).max(LARGE_START);
        let n = match ready!(poll_read(&mut self.stream, cx, &mut buffer.bytes()[..room])) {
            Ok(n) if n > 0 => n,
            end => {
                self.ended(end);
                return Poll::Ready(None);
            }
        };
        self.reads = self.reads.wrapping_add(1);
        let mut input = &mut buffer.bytes()[..n];
        let event = self.decode(&mut input);
        if !input.is_empty() && !self.is_over() {
            self.busy().rest.extend_from_slice(input);
        }
        Poll::Ready(event)
    }

    /// Reads the rest of a large frame to where its message is put together. Returns the message if it is whole.
    #[inline(never)]
    pub(crate) fn poll_direct(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Whole>, ProtocolError>> {
        let assembler = &mut memory::busy(&mut self.busy).assembler;
        let spare = assembler.spare(self.connection.remaining());
        let n = match ready!(poll_read(&mut self.stream, cx, spare)) {
            Ok(n) if n > 0 => n,
            end => {
                self.ended(end);
                return Poll::Ready(Ok(None));
            }
        };
        self.reads = self.reads.wrapping_add(1);
        let whole = assembler.receive(&mut self.connection, n).map(|whole| whole.map(Whole::of));
        Poll::Ready(whole.and_then(|whole| self.finish_whole(whole)))
    }

    /// The connection waits for the peer to send.
    #[inline]
    pub(crate) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.phase == Phase::Failed && self.config.close_timeout.is_none() {
            // All that had arrived before the failed write was received.
            return Poll::Ready(Error::CloseTimeout);
        }
        self.poll_timers(cx, Side::Receives, true)
    }

    /// Whether what arrives is discarded: after a tracker's close, since nothing can be answered any more. A message of which the
    /// program has read a part is not.
    #[inline]
    fn discards<T: Received>(&self) -> bool {
        self.leaves && !T::PARTS
    }

    /// Whether the next read goes to where a message is put together.
    #[inline]
    pub(crate) fn reads_direct(&mut self) -> bool {
        let Some(busy) = &mut self.busy else { return false };
        !busy.assembler.is_empty() && busy.assembler.spare_for(&self.connection, READ).is_some()
    }

    /// The stream has ended, or failed.
    #[cold]
    pub(crate) fn ended(&mut self, end: io::Result<usize>) {
        let error = match end {
            Ok(_) => match self.connection.receive_eof() {
                Ok(()) => return self.phase = Phase::Finishing,
                Err(error) if self.phase == Phase::Open => return self.fail(error),
                Err(error) => Error::Protocol(error),
            },
            Err(error) => Error::Io(error),
        };
        self.stop(error); // unless a write failed before, which is reported then
    }
}

impl<S, R: Role> WebSocket<S, R> {
    #[inline]
    pub(crate) fn has_rest(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| !busy.rest.is_empty())
    }

    /// The next event of what was read before.
    #[inline(always)]
    fn decode_rest<T: Received>(&mut self) -> Option<T> {
        let busy = self.busy.as_deref_mut()?;
        let (mut rest, at) = (mem::take(&mut busy.rest), busy.at);
        let mut input = &mut rest[at..];
        let event = self.decode(&mut input);
        let left = input.len();
        let busy = self.busy.as_deref_mut()?; // it is there as long as a rest is
        busy.at = rest.len() - left;
        if left == 0 {
            rest.clear();
            busy.at = 0;
        }
        busy.rest = rest;
        event
    }

    /// The next event of the input. If there is none, all of the input is taken.
    #[inline(always)]
    fn decode<T: Received>(&mut self, input: &mut &mut [u8]) -> Option<T> {
        loop {
            return match self.connection.receive(input) {
                Ok(Some(framewire::Event::Text(text))) => {
                    Some(T::message(Message::Text(text.to_owned().into())))
                }
                Ok(Some(framewire::Event::Binary(bytes))) => {
                    Some(T::message(Message::Binary(Bytes::copy_from_slice(bytes))))
                }
                Ok(Some(event)) => match self.unusual(event) {
                    None => continue,
                    some => some,
                },
                Ok(None) => None,
                Err(error) => {
                    *input = &mut [];
                    self.fail(error);
                    None
                }
            };
        }
    }

    /// Anything but a message that arrived whole.
    #[inline(never)]
    fn unusual<T: Received>(&mut self, event: framewire::Event<'_>) -> Option<T> {
        match event {
            framewire::Event::Part(part) if self.skips => {
                self.skips = !part.last;
                None
            }
            framewire::Event::Part(part) if T::PARTS && part.rsv.is_none() && !self.is_collecting() => {
                T::part(&part)
            }
            framewire::Event::Part(part) => {
                let whole = self.collect(part).and_then(|whole| self.finish_whole(whole));
                self.message(whole).map(T::message)
            }
            control => self.control(&control).and_then(T::event),
        }
    }

    /// Whether a part of a message was put together.
    fn is_collecting(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| !busy.assembler.is_empty())
    }

    /// Answers a control frame.
    fn control(&mut self, event: &framewire::Event<'_>) -> Option<Event> {
        if let Some(frame) = self.connection.reply(event, keys::key::<R>) {
            if self.phase == Phase::Open {
                match event {
                    // A peer that sends pings and does not read gets an answer to the last (RFC 6455 §5.5.3). Pongs take at
                    // most half of the room, so that some is left for the reply to the next message.
                    framewire::Event::Ping(_) if self.waiting() > self.config.high_water / 2 => {
                        self.busy().defer_pong(frame);
                    }
                    _ => self.busy().queue.push_control(frame),
                }
            }
        }
        self.note(event)
    }

    /// Notes a control frame that was answered.
    pub(crate) fn note(&mut self, event: &framewire::Event<'_>) -> Option<Event> {
        Some(match event {
            framewire::Event::Ping(payload) => Event::Ping(Bytes::copy_from_slice(payload)),
            framewire::Event::Pong(payload) => {
                if let Some(timers) = &mut self.timers {
                    timers.pong(payload);
                }
                Event::Pong(Bytes::copy_from_slice(payload))
            }
            framewire::Event::Close(payload) => {
                let close = payload.as_close();
                let closed = Closed { code: close.code, reason: close.reason.to_owned().into() };
                End::get(&mut self.end).closed = Some(closed.clone());
                Event::Close(closed)
            }
            _ => return None,
        })
    }

    /// Adds a part to its message.
    pub(crate) fn collect(&mut self, part: framewire::Part<'_>) -> Result<Option<Whole>, ProtocolError> {
        #[cfg(feature = "deflate")]
        if part.last && !part.rsv.is_none() && self.busy.as_ref().is_none_or(|busy| busy.assembler.is_empty())
        {
            // A compressed message that is whole needs no other memory before it is inflated.
            return self.inflate(part.kind, part.bytes()).map(Some);
        }
        let frame = part.bytes().len() as u64 + self.connection.remaining();
        let limits = self.config.limits;
        let limits = if part.rsv.is_none() { limits } else { limits.encoded() };
        let assembler = memory::busy(&mut self.busy).assembler(frame, limits.message);
        Ok(assembler.push(part)?.map(Whole::of))
    }

    /// Makes a message of what was put together.
    fn message(&mut self, whole: Result<Option<Whole>, ProtocolError>) -> Option<Message> {
        let whole = match whole {
            Ok(whole) => whole?,
            Err(error) => {
                self.fail(error);
                return None;
            }
        };
        Some(match whole {
            Whole::Text(text) => text_message(text),
            Whole::Binary(bytes) => Message::Binary(memory::into_bytes(bytes)),
            #[cfg(feature = "deflate")]
            Whole::Compressed(..) => return None, // not reached: it was inflated
        })
    }

    /// Notes that a message was put together, and inflates it if it is compressed.
    pub(crate) fn finish_whole(&mut self, whole: Option<Whole>) -> Result<Option<Whole>, ProtocolError> {
        let Some(whole) = whole else { return Ok(None) };
        self.assembled = self.assembled.wrapping_add(1);
        #[cfg(feature = "deflate")]
        if let Whole::Compressed(kind, bytes) = whole {
            return self.inflate(kind, &bytes).map(Some);
        }
        Ok(Some(whole))
    }
}

/// What a program asks for: messages, all events, or parts of messages.
pub(crate) trait Received: Sized {
    /// Whether parts are asked for.
    const PARTS: bool = false;

    fn message(message: Message) -> Self;
    /// `None`: it was not asked for.
    fn event(event: Event) -> Option<Self>;
    /// `None`: it was not asked for.
    fn part(_: &framewire::Part<'_>) -> Option<Self> {
        None
    }
}

impl Received for Message {
    #[inline]
    fn message(message: Message) -> Self {
        message
    }

    fn event(event: Event) -> Option<Self> {
        match event {
            Event::Message(message) => Some(message),
            _ => None,
        }
    }
}

impl Received for Event {
    #[inline]
    fn message(message: Message) -> Self {
        Self::Message(message)
    }

    fn event(event: Event) -> Option<Self> {
        Some(event)
    }
}

/// A message that was put together.
pub(crate) enum Whole {
    Text(String),
    Binary(Vec<u8>),
    /// It must be inflated.
    #[cfg(feature = "deflate")]
    Compressed(Kind, Vec<u8>),
}

impl Whole {
    pub(crate) fn of(assembled: Assembled<'_>) -> Self {
        #[cfg(feature = "deflate")]
        if !assembled.rsv.is_none() {
            return Self::Compressed(assembled.kind, assembled.into_vec());
        }
        match assembled.kind {
            // It was validated as it arrived.
            Kind::Text => Self::Text(assembled.into_string().unwrap_or_default()),
            Kind::Binary => Self::Binary(assembled.into_vec()),
        }
    }
}

fn text_message(mut text: String) -> Message {
    if text.len() < text.capacity() / 2 || text.capacity() < DIRECT_FROM {
        text.shrink_to_fit();
    }
    Message::Text(text.into())
}

/// Reads what is there, at most as much as fits.
#[inline]
pub(crate) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
