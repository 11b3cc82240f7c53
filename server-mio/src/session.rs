//! One peer: from its first byte to its last.
//!
//! ```text
//! Handshake ──101──▶ Open ──closes have passed, or an error──▶ Draining ──peer closes, or time──▶ gone
//!     └──────────page, error────────────────────────────────────▶ ┘
//! ```
//!
//! An idle connection is a `Session` in the server's slab and nothing else. What a peer needs only while something
//! is unfinished (a head, a message that is not whole, bytes that the socket would not take) is in [`Busy`], which
//! is lent to it for as long.
//!
//! No peer can make that more than the high-water mark, two messages (one that is partly written keeps all its memory
//! while the next arrives) and two receive buffers: at the mark it is not read any more, and of what one read brings,
//! all but the last message was in the receive buffer. (Memory grows by doubling; what is not used of it is not
//! resident.) Where messages are compressed, a read may bring a thousand times as much: once as much as the mark has been
//! inflated of it, the rest of it waits.

use crate::{
    compression::Compression,
    config::Config,
    handler::Handler,
    handshake,
    reply::Reply,
    shared::{Buffers, Busy, DIRECT_FROM, Shared},
    transport::{Socket, Transport},
};
use framewire::outbox::{Memory, Outbox};
use framewire::{
    Assembler, CloseCode, Connection, Event, Kind, Part, ProtocolError, Rsv, Server, State, Unmasked,
};
use std::{
    borrow::Cow,
    io::{self, IoSliceMut, Read},
    mem,
};

/// How often a large message is read on before the others have their turn.
const READS_ON: usize = 3;

/// Where a large message is expected, so many bytes of it are read to the shared buffer: its header, and as much as makes
/// the rest go where it belongs.
const LARGE_START: usize = DIRECT_FROM + 14;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection<Server>,
    busy: Option<Box<Busy>>,
    /// Where compression was agreed on.
    compression: Option<Box<Compression>>,
    socket: Socket,
    /// When the peer last showed a sign of life, was pinged, or the phase began, on the loop's clock.
    seen: u32,
    phase: Phase,
    /// Not read, because it does not take what it is sent.
    held_back: bool,
    /// A ping went out, and nothing has come since.
    pinged: bool,
    /// It waits for another turn already.
    queued: bool,
    /// A short read need not be all: an event said that the peer closed its side, or that it sent urgent data, where
    /// every read stops.
    short: bool,
    /// The last message was larger than the receive buffer: of the next one, only the start is read to it.
    large: bool,
    /// The peer has closed its side, and all that it sent is read.
    ended: bool,
    /// Our side is closed.
    shut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Open,
    /// Nothing that arrives counts any more; what waits is still written.
    Draining,
}

/// What is to become of a session after it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for its socket.
    Wait,
    /// There may be more to read, of which no event will tell: look again, after the others had their turn.
    Again,
    /// There is more to read, but no decompressor for it: look again when one is free.
    Starved,
    /// It is over.
    Drop,
}

impl Session {
    pub(crate) fn new(socket: Socket, now: u32) -> Self {
        Self {
            connection: Connection::new(),
            busy: None,
            compression: None,
            socket,
            seen: now,
            phase: Phase::Handshake,
            held_back: false,
            pinged: false,
            queued: false,
            short: false,
            large: false,
            ended: false,
            shut: false,
        }
    }

    pub(crate) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    pub(crate) fn is_held_back(&self) -> bool {
        self.held_back
    }

    /// The socket can be read or written, or both. `short`: a read that brings less than it could is not the last: the
    /// peer has closed its side, which only a read that comes back empty tells for sure, or has sent urgent data.
    #[inline]
    pub(crate) fn ready(
        &mut self,
        mut readable: bool,
        writable: bool,
        short: bool,
        buffers: &mut Buffers,
        shared: &mut Shared<impl Handler>,
    ) -> Next {
        self.short |= short;
        if writable && self.busy.is_some() {
            match self.write_backlog(shared) {
                Ok(resumed) => readable |= resumed, // no event will tell of what came meanwhile
                Err(error) => return self.lost(&error, shared),
            }
        }
        let mut more = false;
        let starved = readable && self.is_starved(shared);
        if readable && !self.held_back && !self.ended && !starved {
            match self.read(buffers, shared) {
                Ok(filled) => {
                    more = self.may_have_more(filled);
                    if filled && more {
                        match self.read_on(buffers, shared) {
                            Ok(may) => more = may,
                            Err(error) => return self.lost(&error, shared),
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return self.lost(&error, shared),
            }
        }
        match self.settle(shared) {
            Next::Wait if (more || starved) && !self.queued => {
                self.queued = true;
                if starved { Next::Starved } else { Next::Again }
            }
            next => next,
        }
    }

    /// Whether what the next read brings could not be inflated.
    #[inline]
    fn is_starved(&mut self, shared: &mut Shared<impl Handler>) -> bool {
        match (&mut self.compression, &mut shared.compression) {
            (Some(compression), Some(pools)) => !compression.is_ready(pools),
            _ => false,
        }
    }

    /// The turn that [`Next::Again`] or [`Next::Starved`] asked for.
    pub(crate) fn again(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> Next {
        self.queued = false;
        self.ready(true, false, false, buffers, shared)
    }

    /// About once a second: is the peer's time up?
    pub(crate) fn sweep(&mut self, shared: &mut Shared<impl Handler>) -> Next {
        let starved = self.queued && self.is_starved(shared);
        let Config { handshake_timeout, idle_timeout, pong_timeout, close_timeout, .. } = *shared.config;
        // Both are rounded down, so the last second need not have been a whole one.
        let silent = shared.now.saturating_sub(self.seen).saturating_sub(1);
        match self.phase {
            Phase::Handshake if silent >= handshake_timeout => {
                shared.stats.errors.add(1);
                self.say(shared, |session, outbox, shared| {
                    outbox.push(&handshake::too_slow());
                    session.drain(shared);
                })
            }
            Phase::Draining if silent >= close_timeout => Next::Drop,
            Phase::Open if self.connection.close_expected() => {
                if silent >= close_timeout {
                    Next::Drop
                } else {
                    Next::Wait
                }
            }
            Phase::Open if self.keeps_others_waiting(shared) => {
                log::debug!("a peer takes too long over a compressed message, and others wait");
                shared.stats.errors.add(1);
                self.say(shared, |session, outbox, shared| {
                    let close = session.connection.close(
                        CloseCode::POLICY,
                        "a compressed message takes too long",
                        Unmasked,
                    );
                    close.iter().for_each(|frame| outbox.push(frame));
                    session.drain(shared);
                })
            }
            Phase::Open if starved => {
                self.alive(shared); // for all that we know: nobody listens to it
                Next::Wait
            }
            Phase::Open if self.pinged && silent >= pong_timeout => {
                log::debug!("a peer shows no sign of life");
                shared.stats.errors.add(1);
                Next::Drop
            }
            Phase::Open if !self.pinged && silent >= idle_timeout && idle_timeout != 0 => {
                self.pinged = true;
                self.seen = shared.now;
                self.say(shared, |session, outbox, _| {
                    session.connection.ping(b"", Unmasked).iter().for_each(|frame| outbox.push(frame));
                })
            }
            _ => Next::Wait,
        }
    }

    /// Whether others wait for the decompressor that it holds, and have done so for long enough.
    fn keeps_others_waiting(&self, shared: &Shared<impl Handler>) -> bool {
        match (&self.compression, &shared.compression, &shared.config.compression) {
            (Some(compression), Some(pools), Some(config)) => {
                pools.starved > 0 && compression.open_for(shared.now) >= config.message_timeout
            }
            _ => false,
        }
    }

    /// The server stops, and says so.
    pub(crate) fn go_away(&mut self, shared: &mut Shared<impl Handler>) -> Next {
        match self.phase {
            Phase::Handshake => Next::Drop,
            Phase::Draining => Next::Wait,
            Phase::Open => {
                self.seen = shared.now;
                self.say(shared, |session, outbox, _| {
                    let close =
                        session.connection.close(CloseCode::GOING_AWAY, "the server is stopping", Unmasked);
                    close.iter().for_each(|frame| outbox.push(frame));
                })
            }
        }
    }

    /// What filled the buffer, also by coincidence, need not be all; and no event will tell of the rest.
    #[inline]
    fn may_have_more(&self, filled: bool) -> bool {
        let rest = self.busy.as_ref().is_some_and(|busy| !busy.rest.is_empty());
        (filled || rest || self.short) && !self.ended && !self.held_back
    }

    /// Receives more of a large message, as long as there is some, before the others have their turn: what is done with it
    /// finds it in the cache. Whether there may be more to receive.
    #[cold]
    fn read_on(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> io::Result<bool> {
        for _ in 0..READS_ON {
            // Not where messages are compressed: the next one may have to wait for a decompressor.
            let inside = self.busy.is_some() && self.connection.remaining() >= DIRECT_FROM as u64;
            if !inside || self.compression.is_some() || self.held_back || self.ended {
                break;
            }
            match self.read(buffers, shared) {
                Ok(true) => {}
                Ok(false) => return Ok(self.may_have_more(false)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(self.may_have_more(true))
    }

    /// One receive, and what follows from it. Whether there may be more to receive.
    #[inline(always)]
    fn read(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> io::Result<bool> {
        let room = buffers.room();
        let mut outbox = Outbox::new(&mut buffers.outbox);
        let mut filled = self.read_into(&mut buffers.rx, room, &mut outbox, shared);
        if filled.is_ok() {
            if let Err(error) = self.write(&mut outbox, shared) {
                filled = Err(error);
            }
        }
        outbox.recycle(|bytes| shared.pool.put_buffer(bytes));
        filled
    }

    #[inline(always)]
    fn read_into<'b>(
        &mut self,
        rx: &'b mut [u8],
        room: usize,
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        if let Some(busy) = &mut self.busy {
            let missing = self.connection.remaining();
            if !busy.rest.is_empty() {
                let rest = mem::take(&mut busy.rest);
                let input = &mut rx[..rest.len()];
                input.copy_from_slice(&rest);
                self.more_frames(input, outbox, shared);
                return Ok(true); // the socket was not asked
            }
            // Not what is compressed: the assembler has what that inflates to.
            let direct = busy.assembler.len() >= DIRECT_FROM && missing >= DIRECT_FROM as u64;
            if direct && !self.compression.as_ref().is_some_and(|compression| compression.is_open()) {
                return self.read_direct(missing, rx, outbox, shared);
            }
        }
        if self.large {
            return self.read_start(rx, outbox, shared);
        }
        let n = self.socket.read(&mut rx[..room])?;
        if n == 0 {
            self.end(shared);
            return Ok(false);
        }
        match self.phase {
            Phase::Open => self.frames(&mut rx[..n], outbox, shared),
            Phase::Handshake => self.handshake(&mut rx[..n], outbox, shared),
            Phase::Draining => {}
        }
        Ok(n == room)
    }

    /// Reads no more to the shared buffer than what makes the rest of a large message go where it belongs.
    #[cold]
    fn read_start<'b>(
        &mut self,
        rx: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        let room = rx.len().min(LARGE_START);
        let n = self.socket.read(&mut rx[..room])?;
        if n == 0 {
            self.end(shared);
            return Ok(false);
        }
        if self.phase == Phase::Open {
            self.more_frames(&mut rx[..n], outbox, shared);
        }
        // Not inside any frame: small ones in a row are cut as well, and cost least in a full buffer.
        self.large = self.connection.remaining() >= DIRECT_FROM as u64;
        Ok(n == room)
    }

    /// Reads what a large frame lacks to where it belongs; what follows it, to the shared buffer.
    #[cold]
    fn read_direct<'b>(
        &mut self,
        missing: u64,
        rx: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        let Some(busy) = &mut self.busy else { return Ok(false) };
        let large = busy.assembler.len() as u64 + missing > rx.len() as u64;
        let behind = if large { rx.len().min(LARGE_START) } else { rx.len() };
        let spare = busy.assembler.spare(missing);
        let room = spare.len();
        let rest = if room as u64 == missing { behind } else { 0 };
        let mut slices = [IoSliceMut::new(spare), IoSliceMut::new(&mut rx[..rest])];
        let n = self.socket.read_vectored(&mut slices)?;
        if n == 0 {
            self.end(shared);
            return Ok(false);
        }
        let direct = n.min(room);
        shared.stats.bytes.add(direct as u64);
        let received = busy.assembler.receive(&mut self.connection, direct);
        // An error is final: it comes again below.
        if let Ok(Some(message)) = received {
            shared.stats.messages.add(1);
            let (kind, payload) = (message.kind, message.into_vec());
            // Not where the next one may be compressed, and have no place to go to.
            self.large = payload.len() > rx.len() && self.compression.is_none();
            self.handle_owned(kind, payload, outbox, shared);
        }
        self.more_frames(&mut rx[..n - direct], outbox, shared);
        Ok(n == room + rest)
    }

    /// The host's loop (the front page of framewire's documentation). What is not a message that came whole is rare, and
    /// apart, so that the loop is short.
    #[inline(always)]
    fn frames<'b>(
        &mut self,
        mut input: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) {
        shared.stats.bytes.add(input.len() as u64);
        let (mut messages, mut collected) = (0, 0);
        let outcome = loop {
            let (kind, payload) = match self.connection.receive(&mut input) {
                Ok(Some(Event::Text(text))) => (Kind::Text, text.as_bytes()),
                Ok(Some(Event::Binary(bytes))) => (Kind::Binary, &*bytes),
                Ok(Some(event)) => match self.collect(event, outbox, shared) {
                    Ok(Some((kind, payload))) => {
                        messages += 1;
                        collected += payload.len();
                        self.handle_owned(kind, payload, outbox, shared);
                        if collected < shared.config.high_water
                            || input.is_empty()
                            || self.compression.is_none()
                        {
                            continue;
                        }
                        shared.stats.bytes.subtract(input.len() as u64); // counted when it is looked at
                        shared.busy(&mut self.busy).rest = input.to_vec();
                        break Ok(());
                    }
                    Ok(None) => continue,
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
        } else if self.connection.state() == State::Closed {
            self.drain(shared);
        }
    }

    #[inline(never)]
    fn more_frames<'b>(
        &mut self,
        input: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) {
        self.frames(input, outbox, shared);
    }

    #[inline(never)]
    fn handle_owned(
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

    /// An event that is not a whole message: what is owed for it goes out, and a message comes where it was the last part
    /// of one.
    #[inline(never)]
    fn collect(
        &mut self,
        event: Event<'_>,
        outbox: &mut Outbox<'_>,
        shared: &mut Shared<impl Handler>,
    ) -> Result<Option<(Kind, Vec<u8>)>, ProtocolError> {
        if let Some(frame) = self.connection.reply(&event, Unmasked) {
            outbox.push(&frame);
        }
        match event {
            Event::Part(part) if !part.rsv.is_none() => self.inflate(part, shared),
            Event::Part(part) => {
                let frame = part.bytes().len() as u64 + self.connection.remaining();
                let message = shared.assembler(&mut self.busy, frame).push(part)?;
                Ok(message.map(|message| (message.kind, message.into_vec())))
            }
            _ => Ok(None),
        }
    }

    /// Inflates a part of a message; gives the message once it is whole.
    fn inflate(
        &mut self,
        part: Part<'_>,
        shared: &mut Shared<impl Handler>,
    ) -> Result<Option<(Kind, Vec<u8>)>, ProtocolError> {
        // Both are there: the bit that brought us here was agreed on.
        let (Some(compression), Some(mut pools)) = (&mut self.compression, shared.compression.take()) else {
            return Err(ProtocolError::ReservedBit);
        };
        let frame = part.bytes().len() as u64 + self.connection.remaining();
        let assembler = shared.assembler(&mut self.busy, frame);
        let message = compression.inflate(part, &mut pools, assembler, shared.now);
        shared.compression = Some(pools);
        message
    }

    /// The head, as far as it has come; then the frames of a peer that did not wait for the answer.
    #[cold]
    fn handshake<'b>(
        &mut self,
        input: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) {
        let config = shared.config.clone();
        let agreement = match (&config.compression, &shared.compression) {
            (Some(config), Some(pools)) => pools.agreement(config),
            _ => None,
        };
        let head = &mut shared.busy(&mut self.busy).head;
        let (answer, consumed) = match head.push(input) {
            Ok(None) => return,
            Ok(Some(head)) => (
                handshake::answer(&config, &mut shared.handler, head.bytes, agreement.as_ref()),
                head.consumed,
            ),
            Err(error) => (handshake::Answer::refuse(error), 0),
        };
        outbox.push(&answer.bytes);
        if answer.error {
            shared.stats.errors.add(1);
        }
        if answer.open {
            self.connection = Connection::new().with_limits(config.limits);
            self.phase = Phase::Open;
            if let (Some(params), Some(pools)) = (answer.deflate, &shared.compression) {
                // There is a window for it: otherwise it would not have been agreed on.
                self.compression = Compression::new(&params, pools).ok().map(Box::new);
                self.connection = mem::take(&mut self.connection).with_extension_bits(Rsv::RSV1);
            }
            self.more_frames(&mut input[consumed..], outbox, shared);
        } else {
            self.drain(shared);
        }
    }

    /// Ends a connection over what its peer did.
    #[cold]
    fn fail(&mut self, error: ProtocolError, outbox: &mut Outbox<'_>, shared: &Shared<impl Handler>) {
        log::debug!("a peer broke the protocol: {error}");
        shared.stats.errors.add(1);
        if let Some(frame) = self.connection.fail(error, Unmasked) {
            outbox.push(&frame);
        }
    }

    /// From here on, only what waits is written. The peer's close of the socket is awaited, for a time: closing
    /// first would make the kernel throw away what the peer has not read yet (RFC 6455 §7.1.1).
    #[cold]
    fn drain(&mut self, shared: &Shared<impl Handler>) {
        if self.phase != Phase::Draining {
            self.phase = Phase::Draining;
            self.seen = shared.now;
            self.compression = None;
            if let Some(busy) = &mut self.busy {
                busy.assembler = Assembler::new(0); // what it has is never to be whole
                busy.rest = Vec::new();
            }
        }
    }

    /// The peer has closed its side. What waits for it is still written: it may read on.
    #[cold]
    fn end(&mut self, shared: &Shared<impl Handler>) {
        self.ended = true;
        if self.phase == Phase::Open && self.connection.receive_eof().is_err() {
            log::debug!("a peer closed its socket without a close frame");
        }
        self.drain(shared);
    }

    #[cold]
    fn lost(&self, error: &io::Error, shared: &Shared<impl Handler>) -> Next {
        log::debug!("a connection was lost: {error}");
        shared.stats.errors.add(1);
        Next::Drop
    }

    /// Something that is not the answer to what was read.
    #[cold]
    fn say<H: Handler>(
        &mut self,
        shared: &mut Shared<H>,
        what: impl FnOnce(&mut Self, &mut Outbox<'_>, &mut Shared<H>),
    ) -> Next {
        let mut memory = Memory::default();
        let mut outbox = Outbox::new(&mut memory);
        what(self, &mut outbox, shared);
        match self.write(&mut outbox, shared) {
            Ok(()) => self.settle(shared),
            Err(error) => self.lost(&error, shared),
        }
    }

    /// Writes the replies at once, as far as the socket takes them; the rest waits.
    #[inline(always)]
    fn write(&mut self, outbox: &mut Outbox<'_>, shared: &mut Shared<impl Handler>) -> io::Result<()> {
        if outbox.len() == 0 {
            return Ok(());
        }
        let waiting = self.busy.as_ref().is_some_and(|busy| !busy.backlog.is_empty());
        let written = if waiting { 0 } else { or_blocked(outbox.write(&mut self.socket))? };
        if written < outbox.len() {
            self.keep(written, outbox, shared);
        }
        Ok(())
    }

    #[cold]
    fn keep(&mut self, written: usize, outbox: &mut Outbox<'_>, shared: &mut Shared<impl Handler>) {
        let backlog = &mut shared.busy(&mut self.busy).backlog;
        outbox.take_rest(written, |bytes, skip| backlog.push(bytes, skip));
        let high = backlog.len() >= shared.config.high_water;
        if high && self.phase == Phase::Open {
            self.set_held_back(true, shared);
        }
    }

    /// The socket takes bytes again. Whether the peer is to be read again, after it was held back.
    #[cold]
    fn write_backlog(&mut self, shared: &mut Shared<impl Handler>) -> io::Result<bool> {
        let Some(busy) = &mut self.busy else { return Ok(false) };
        let before = busy.backlog.len();
        busy.backlog.flush(&mut self.socket, |bytes| shared.pool.put_buffer(bytes))?;
        let now = busy.backlog.len();
        if now < before {
            self.alive(shared); // it takes what it is sent
        }
        let resumed = self.held_back && now <= shared.config.high_water / 2;
        if resumed {
            self.set_held_back(false, shared);
        }
        Ok(resumed)
    }

    #[inline]
    fn alive(&mut self, shared: &Shared<impl Handler>) {
        self.seen = shared.now;
        self.pinged = false;
    }

    fn set_held_back(&mut self, held_back: bool, shared: &Shared<impl Handler>) {
        if self.held_back != held_back {
            self.held_back = held_back;
            if held_back { shared.stats.paused.add(1) } else { shared.stats.paused.subtract(1) }
        }
    }

    /// Gives back what is not needed any more.
    #[inline]
    fn settle(&mut self, shared: &mut Shared<impl Handler>) -> Next {
        if self.busy.is_none() && self.phase == Phase::Open {
            return Next::Wait;
        }
        self.settle_slowly(shared)
    }

    fn settle_slowly(&mut self, shared: &mut Shared<impl Handler>) -> Next {
        if let Some(busy) = self.busy.take_if(|busy| self.phase != Phase::Handshake && busy.is_idle()) {
            shared.pool.put_busy(busy, shared.config.head_limits);
        }
        if self.phase != Phase::Draining || self.busy.as_ref().is_some_and(|busy| !busy.backlog.is_empty()) {
            return Next::Wait;
        }
        if self.ended {
            return Next::Drop;
        }
        if !self.shut {
            self.shut = true;
            if self.socket.shutdown_write().is_err() {
                return Next::Drop;
            }
        }
        Next::Wait
    }
}

/// A socket that takes nothing now took nothing: that is no error.
#[inline]
fn or_blocked(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
