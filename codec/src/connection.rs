//! Level 3: the state machine of one connection, for both roles.
//!
//! Only this file changes the state of receiving, and only `send.rs` that of sending. Neither does I/O, reads a clock
//! or draws randomness. Nothing is allocated, except one small box while a control frame is split across reads.
//! docs/architecture.md shows the states.

mod limits;
mod role;
mod send;
mod state;

pub use limits::Limits;
pub use role::{Client, KeySource, LentClient, LentServer, Role, Server, Unmasked};
#[cfg(feature = "deflate")]
pub(crate) use send::whole_header;
pub use send::{SendHalf, Sending};
pub use state::State;

use crate::{
    close::{Close, CloseCode},
    control::{Control, ControlFrame, Spill},
    decoder::Decoder,
    error::{ProtocolError, SendError},
    event::{Event, Kind, Part, Span},
    frame::{Header, Opcode, Rsv, clamp, split_front},
    mask::{self, Key},
    utf8::{self, Validator},
};
use core::{fmt, mem, ops};
use send::check_close;

/// One WebSocket connection after its opening handshake (RFC 6455 §5–§8). It turns bytes into [`Event`]s, and makes the
/// headers and control frames that the host writes.
///
/// It works in the host's buffer: it unmasks and validates payload in place, and lends it to the host. It takes all
/// bytes that it is given, and keeps at most a header and a control payload that are split across reads. So one receive
/// buffer serves all connections of a thread.
///
/// The methods that send are those of [`Sending`], to which a connection dereferences.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use framewire::{Connection, Event, Server, Unmasked};
///
/// let mut connection = Connection::<Server>::new();
/// let mut rx = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]; // a read: a masked "Hello"
/// let mut tx = Vec::new(); // for one write
///
/// let mut input = &mut rx[..];
/// while let Some(event) = connection.receive(&mut input)? {
///     if let Some(frame) = connection.reply(&event, Unmasked) {
///         tx.extend_from_slice(&frame); // a pong, or the answer to a close
///     }
///     if let Event::Text(text) = event {
///         connection.append_text(&mut tx, text, Unmasked)?; // the host's own answer: an echo
///     }
/// }
/// assert_eq!(tx, b"\x81\x05Hello");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The front page of the documentation has [the whole loop](crate#the-hosts-loop), errors included.
pub struct Connection<R: Role> {
    decoder: Decoder,
    limits: Limits,
    /// The sum of the payload lengths in the headers of the incoming message so far.
    incoming_len: u64,
    /// The payload of a control frame that was split across reads.
    spill: R::Spill,
    incoming: Incoming,
    /// The state of validation after the incoming text so far.
    text: Validator,
    /// The first error. After it, both directions are over.
    error: Option<ProtocolError>,
    /// Reserved bits that an extension may set on the first frame of a message.
    extension_bits: Rsv,
    sending: Sending<R>,
}

/// The memory that the host lends for a control frame that is split across reads; none if the connection has its own.
type Room<'b, R> = <<R as role::sealed::Role>::Spill as Spill>::Room<'b>;

/// An event of the slow path: see [`Connection::receive`].
enum Rare<'b> {
    Nothing,
    Control(Opcode, Control<'b>),
    Part(Part<'b>),
    Text(&'b str),
    Binary(&'b mut [u8]),
}

/// The messages that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incoming {
    /// No message is open.
    Between,
    /// A message is open, from its first header to its last byte.
    Open(Kind, Rsv),
    /// No message follows: the peer has sent its close, or the connection failed.
    Over,
}

impl<R: Role> Connection<R> {
    /// A connection after its opening handshake, with the role's limits and no extension.
    #[inline]
    pub const fn new() -> Self {
        Self {
            decoder: Decoder::pass_through(),
            limits: R::LIMITS,
            incoming_len: 0,
            spill: R::Spill::EMPTY,
            incoming: Incoming::Between,
            text: Validator::new(),
            error: None,
            extension_bits: Rsv::NONE,
            sending: Sending::new(),
        }
    }

    /// Sets the limits on what arrives.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Allows either end to set these reserved bits on the first frame of a message, for an extension:
    /// [`Rsv::RSV1`] for permessage-deflate (RFC 7692 §6). A message with such a bit arrives as [`Event::Part`]s.
    #[must_use]
    pub fn with_extension_bits(mut self, bits: Rsv) -> Self {
        self.extension_bits = bits;
        self.sending.extension_bits = bits;
        self
    }

    /// Takes the next event off the front of `input`, the bytes of a read. After `Ok(None)`, `input` is empty.
    ///
    /// A message that is one frame, and whole in `input`, is one event. Any other message comes as [`Event::Part`]s.
    ///
    /// # Errors
    /// The peer broke the protocol: see [`ProtocolError`]. All events before the bad byte have been returned by then.
    /// Give the error to [`fail`](Self::fail), which returns the close frame for the peer. Each further call returns
    /// the same error.
    // Always inlined: a call would return the event through memory, see below.
    #[inline(always)]
    pub fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError> {
        self.receive_in(Default::default(), input)
    }

    /// [`receive`](Self::receive) with memory that the host lends for a control frame that is split across reads.
    #[doc(hidden)]
    #[inline(always)]
    pub fn receive_in<'b>(
        &mut self,
        room: Room<'b, R>,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        // The straight path: no message is open, and a whole message is next.
        if self.is_straight() {
            if let Some((kind, key, bytes)) = whole_message::<R>(input, self.limits) {
                return match kind {
                    Kind::Binary => {
                        unmask::<R>(key, bytes);
                        Ok(Some(Event::Binary(bytes)))
                    }
                    Kind::Text => match unmask_text::<R>(key, bytes) {
                        Ok(text) => Ok(Some(Event::Text(text))),
                        Err(_) => Err(self.end(ProtocolError::InvalidUtf8, input)),
                    },
                };
            }
        }
        if input.is_empty() && self.error.is_none() {
            return Ok(None);
        }
        // A function that returned the event through memory would make every host copy it for each message, and the CPU
        // would wait for that copy longer than it takes to decode a short message. So the event is made here.
        Ok(Some(match self.resume(room, input)? {
            Rare::Nothing => return Ok(None),
            Rare::Control(Opcode::Ping, payload) => Event::Ping(payload),
            Rare::Control(Opcode::Pong, payload) => Event::Pong(payload),
            Rare::Control(_, payload) => Event::Close(payload),
            Rare::Part(part) => Event::Part(part),
            Rare::Text(text) => Event::Text(text),
            Rare::Binary(bytes) => Event::Binary(bytes),
        }))
    }

    /// The straight path of [`receive`](Self::receive): no message is open, and a whole message is next. Otherwise nothing
    /// changes, but an error of the text fails the connection. For the C library, whose callers cannot inline this: it calls
    /// `receive_in` for all else.
    #[doc(hidden)]
    #[inline(always)]
    pub fn receive_straight<'b>(&mut self, input: &mut &'b mut [u8]) -> Option<(Kind, &'b [u8])> {
        if !self.is_straight() {
            return None;
        }
        let (kind, key, bytes) = whole_message_inlined::<R>(input, self.limits)?;
        if kind == Kind::Binary {
            unmask::<R>(key, bytes);
            return Some((kind, bytes));
        }
        let is_valid = if R::UNMASKS { utf8::is_valid_masked(key, bytes) } else { utf8::is_valid(bytes) };
        if !is_valid {
            self.end_straight(input);
            return None;
        }
        Some((kind, bytes))
    }

    /// Out of line, so that the straight path saves fewer registers.
    #[cold]
    #[inline(never)]
    fn end_straight(&mut self, input: &mut &mut [u8]) {
        self.end(ProtocolError::InvalidUtf8, input);
    }

    /// Returns how many bytes of the current data frame's payload have not arrived yet; 0 after the connection failed.
    /// The host can read them straight into `Assembler::spare`; `Assembler::spare_for` says when it should.
    #[inline]
    pub fn remaining(&self) -> u64 {
        self.decoder.remaining_data()
    }

    /// Returns how many bytes the next read into a receive buffer of `room` bytes should ask for: 1 KiB to `room`, or `room` if
    /// that is less.
    ///
    /// For a host that puts large messages together in memory of their own, and reads there what `Assembler::spare_for` lends: of
    /// a large frame, as little as possible should be read into the buffer, from which it is copied. So after a frame of 64 KiB
    /// or more was cut, for which the buffer has no room, this is the first 16 KiB of the frame; or, if less is missing than
    /// there is room for, the rest and the header of the next, which will say how long that is. Once a shorter frame was cut, it
    /// is `room` again: short frames cost least in full buffers.
    ///
    /// It is advice: any other read gives the same messages. A host that passes parts on as they come should fill its buffer.
    ///
    /// ```
    /// use framewire::{Connection, Server};
    ///
    /// let mut connection = Connection::<Server>::new();
    /// assert_eq!(connection.want(64 << 10), 64 << 10);
    /// let mut rx = *b"\x82\xFF\0\0\0\0\0\x01\x86\xA0\0\0\0\x000123456789"; // 10 bytes of 100,000
    /// let mut input = &mut rx[..];
    /// while connection.receive(&mut input)?.is_some() {}
    /// assert_eq!(connection.want(64 << 10), (16 << 10) - 10);
    /// # Ok::<(), framewire::ProtocolError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn want(&self, room: usize) -> usize {
        self.decoder.want(R::UNMASKS, room)
    }

    /// The state of the connection (RFC 6455 §7.1).
    pub const fn state(&self) -> State {
        State::of(self.sending.close_expected(), matches!(self.incoming, Incoming::Over))
    }

    /// Tells the connection that the stream has ended (RFC 6455 §7.1.5): a read returned 0 bytes.
    ///
    /// # Errors
    /// [`ProtocolError::UnexpectedEof`] if the peer has not sent a close, and [`fail_with`](Self::fail_with) was not called;
    /// the connection has then failed, and sends no more messages. If it failed before, the error with which it failed.
    pub fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.incoming != Incoming::Over {
            return Err(self.set_error(ProtocolError::UnexpectedEof));
        }
        Ok(())
    }

    /// Fails the connection because of an error of the peer (RFC 6455 §7.1.7). Returns the close that tells the peer
    /// why; `None` if this end has sent a close before, or if the stream has ended. If the connection failed before,
    /// the close is that of the first error.
    ///
    /// The host writes the frame after all that is queued. Then a server closes the socket, and a client waits a little
    /// for the server to do so.
    #[must_use = "if there is a frame, the peer must get it: write it"]
    pub fn fail(&mut self, error: ProtocolError, key: impl KeySource<R>) -> Option<ControlFrame> {
        let error = self.set_error(error);
        self.sending.fail_by(error.close_code(), error.reason(), key)
    }

    /// Fails the connection for a reason of the application (RFC 6455 §7.1.7): a kind of data that it does not accept
    /// ([`CloseCode::UNSUPPORTED`]), a policy ([`CloseCode::POLICY`]), an overload ([`CloseCode::TRY_AGAIN`]). Returns the
    /// close.
    ///
    /// This differs from [`close`](Sending::close): all bytes that arrive later are discarded. After a protocol error, it
    /// tells the peer this reason in place of the error's.
    ///
    /// ```
    /// use framewire::{CloseCode, Connection, Server, State, Unmasked};
    ///
    /// let mut connection = Connection::<Server>::new();
    /// let close = connection.fail_with(CloseCode::TRY_AGAIN, "too many", Unmasked)?;
    /// assert_eq!(close[..], *b"\x88\x0a\x03\xf5too many");
    /// assert_eq!(connection.state(), State::Closed);
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Closed`] if this end has sent a close before: no other follows, but the connection has failed all the
    /// same. [`SendError::InvalidCloseCode`], [`SendError::ControlTooLong`]; nothing has changed then.
    pub fn fail_with(
        &mut self,
        code: CloseCode,
        reason: &str,
        key: impl KeySource<R>,
    ) -> Result<ControlFrame, SendError> {
        check_close(code, reason)?;
        self.stop();
        self.sending.fail_by(code, reason, key).ok_or(SendError::Closed)
    }

    /// Splits the connection, for a host that receives and sends in different places, such as two tasks.
    ///
    /// The halves share nothing, so the host tells each what it must know. It gives each event to
    /// [`reply`](Sending::reply) of the sending half, which learns from it that the peer has closed, and an error of the
    /// receiving half to [`SendHalf::fail`]. An error of a stage goes to [`ReceiveHalf::fail`] as well.
    ///
    /// ```
    /// use framewire::{Connection, Receive, Server, State, Unmasked};
    ///
    /// let (mut receiving, mut sending) = Connection::<Server>::new().split();
    /// let mut rx = *b"\x88\x82\0\0\0\0\x03\xe8"; // a close, masked with a key of zero bytes
    /// let event = receiving.receive(&mut &mut rx[..])?.expect("a close");
    /// assert_eq!(sending.state(), State::Open);
    /// assert_eq!(sending.reply(&event, Unmasked).as_deref(), Some(&b"\x88\x02\x03\xe8"[..]));
    /// assert_eq!(sending.state(), State::Closed);
    /// # Ok::<(), framewire::ProtocolError>(())
    /// ```
    pub fn split(self) -> (ReceiveHalf<R>, SendHalf<R>) {
        let sending = SendHalf(self.sending.copy());
        (ReceiveHalf(self), sending)
    }

    /// Joins the two halves of one connection again. Halves of two connections make one that makes no sense.
    ///
    /// If the receiving half has [stopped](ReceiveHalf::stop), the connection is as after the peer's close, or closed if
    /// the sending half failed.
    pub fn join(receiving: ReceiveHalf<R>, sending: SendHalf<R>) -> Self {
        let over = sending.state() == State::Closed;
        let mut connection = Self { sending: sending.0, ..receiving.0 };
        if connection.error.is_some() {
            connection.sending.end();
        } else if over {
            connection.stop();
        } else if connection.incoming == Incoming::Over {
            connection.sending.peer_finished = true;
        }
        connection
    }

    #[inline]
    fn is_straight(&self) -> bool {
        self.decoder.is_between_frames() && self.incoming == Incoming::Between
    }

    /// Everything but the straight path. It calls one of two functions, so that neither saves registers for the other.
    #[cold]
    #[inline(never)]
    fn resume<'b>(&mut self, room: Room<'b, R>, input: &mut &'b mut [u8]) -> Result<Rare<'b>, ProtocolError> {
        if self.decoder.remaining_data() > input.len() as u64 {
            self.go_on(room, input)
        } else {
            self.step(room, input)
        }
    }

    /// A piece from inside a frame, as most reads bring while a large message arrives.
    #[inline(never)]
    fn go_on<'b>(&mut self, room: Room<'b, R>, input: &mut &'b mut [u8]) -> Result<Rare<'b>, ProtocolError> {
        let Incoming::Open(kind, rsv) = self.incoming else { return self.step(room, input) };
        let Some((key, bytes)) = self.decoder.inside(R::UNMASKS, input) else { return Ok(Rare::Nothing) };
        let mut span = Span::NONE;
        if kind == Kind::Binary || !rsv.is_none() {
            unmask::<R>(key, bytes);
        } else {
            match self.feed(key, bytes) {
                Ok(fed) => span = fed,
                Err(error) => return Err(self.end(error, input)),
            }
        }
        Ok(Rare::Part(Part::checked(kind, rsv, bytes, false, span)))
    }

    /// Anything else: the rest of a frame that was cut, fragments, control frames, extensions, errors.
    #[inline(never)]
    fn step<'b>(&mut self, room: Room<'b, R>, input: &mut &'b mut [u8]) -> Result<Rare<'b>, ProtocolError> {
        if self.incoming == Incoming::Over {
            mem::take(input);
            return self.error.map_or(Ok(Rare::Nothing), Err);
        }
        self.next_event(room, input).map_err(|error| self.end(error, input))
    }

    fn next_event<'b>(
        &mut self,
        mut room: Room<'b, R>,
        input: &mut &'b mut [u8],
    ) -> Result<Rare<'b>, ProtocolError> {
        loop {
            let header = match self.decoder.current() {
                Some(header) => header,
                None => match self.decoder.next_header(input)? {
                    Some(header) => {
                        self.admit(&header)?;
                        header
                    }
                    None => return Ok(Rare::Nothing),
                },
            };
            let Some(chunk) = self.decoder.next_chunk(header, input) else { return Ok(Rare::Nothing) };
            let frame_ends = chunk.is_last();
            let key = chunk.key();

            if header.opcode.is_control() {
                unmask::<R>(key, chunk.bytes);
                if !frame_ends {
                    self.spill.push(&mut room, chunk.bytes);
                    continue;
                }
                let control = self.spill.take(room, chunk.bytes);
                if header.opcode == Opcode::Close {
                    Close::parse(&control)?;
                    (self.incoming, self.sending.peer_finished) = (Incoming::Over, true);
                    mem::take(input);
                }
                return Ok(Rare::Control(header.opcode, control));
            }

            // Not reached: a data frame that was admitted belongs to a message.
            let Incoming::Open(kind, rsv) = self.incoming else { return Ok(Rare::Nothing) };
            let last = header.fin && frame_ends;
            if last {
                self.incoming = Incoming::Between;
                self.incoming_len = 0;
            }
            let bytes = chunk.bytes;
            let whole = last && chunk.offset == 0 && header.opcode != Opcode::Continuation;
            let mut span = Span::NONE;
            if !rsv.is_none() || kind == Kind::Binary {
                unmask::<R>(key, bytes);
                if whole && rsv.is_none() {
                    return Ok(Rare::Binary(bytes));
                }
            } else if whole {
                let text = unmask_text::<R>(key, bytes).map_err(|_| ProtocolError::InvalidUtf8)?;
                return Ok(Rare::Text(text));
            } else {
                span = self.feed(key, bytes)?;
                if last {
                    mem::take(&mut self.text).finish().map_err(|_| ProtocolError::InvalidUtf8)?;
                }
            }
            if last || !bytes.is_empty() {
                return Ok(Rare::Part(Part::checked(kind, rsv, bytes, last, span)));
            }
        }
    }

    /// Unmasks and validates a piece of a text.
    #[inline(always)]
    fn feed(&mut self, key: Key, bytes: &mut [u8]) -> Result<Span, ProtocolError> {
        let before = self.text;
        let fed = if R::UNMASKS { self.text.feed_masked(key, bytes) } else { self.text.feed(bytes) };
        fed.map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Span::new(before, self.text))
    }

    /// Checks a header before any of its payload is taken.
    fn admit(&mut self, header: &Header) -> Result<(), ProtocolError> {
        match (R::UNMASKS, header.key) {
            (true, None) => return Err(ProtocolError::MaskMissing),
            (false, Some(_)) => return Err(ProtocolError::MaskUnexpected),
            _ => {}
        }
        let kind = match header.opcode {
            Opcode::Text => Some(Kind::Text),
            Opcode::Binary => Some(Kind::Binary),
            _ => None,
        };
        if !header.rsv.is_none() && (kind.is_none() || !self.extension_bits.contains(header.rsv)) {
            return Err(ProtocolError::ReservedBit);
        }
        if header.opcode.is_control() {
            return Ok(());
        }
        match (kind, self.incoming) {
            (None, Incoming::Open(..)) => {}
            (None, _) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), Incoming::Open(..)) => return Err(ProtocolError::ExpectedContinuation),
            (Some(kind), _) => self.incoming = Incoming::Open(kind, header.rsv),
        }
        if header.payload_len > self.limits.frame && header.payload_len > self.higher_limits().frame {
            return Err(ProtocolError::FrameTooBig);
        }
        self.incoming_len = self.incoming_len.saturating_add(header.payload_len);
        if self.incoming_len > self.limits.message && self.incoming_len > self.higher_limits().message {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(())
    }

    /// The limits of the open message, which are higher if an extension has encoded it.
    #[cold]
    fn higher_limits(&self) -> Limits {
        match self.incoming {
            Incoming::Open(_, rsv) if !rsv.is_none() => self.limits.encoded(),
            _ => self.limits,
        }
    }

    /// Fails the connection, and discards the rest of the input.
    fn end(&mut self, error: ProtocolError, input: &mut &mut [u8]) -> ProtocolError {
        mem::take(input);
        self.set_error(error)
    }

    /// Discards all that arrives from here on, also the rest of a frame.
    #[cold]
    #[inline(never)]
    fn stop(&mut self) {
        self.incoming = Incoming::Over;
        self.decoder = Decoder::pass_through();
    }

    /// Fails the connection, and returns the first error with which it failed.
    fn set_error(&mut self, error: ProtocolError) -> ProtocolError {
        self.stop();
        self.sending.end();
        *self.error.get_or_insert(error)
    }
}

/// The methods that receive, of a [`Connection`] and of a [`ReceiveHalf`].
pub trait Receive: sealed::Receive {
    /// Takes the next event off the front of `input`: see [`Connection::receive`].
    ///
    /// # Errors
    /// As [`Connection::receive`].
    fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError>;

    /// Returns how many bytes of the current data frame's payload have not arrived yet: see [`Connection::remaining`].
    fn remaining(&self) -> u64;

    /// Returns how many bytes the next read should ask for: see [`Connection::want`].
    #[must_use]
    fn want(&self, room: usize) -> usize;

    /// Whether nothing more will be received: the peer has sent its close, or the connection failed.
    fn is_over(&self) -> bool;

    /// Tells the connection that the stream has ended: see [`Connection::receive_eof`].
    ///
    /// # Errors
    /// As [`Connection::receive_eof`].
    fn receive_eof(&mut self) -> Result<(), ProtocolError>;
}

/// The receiving half of a [`Connection`], made by [`Connection::split`].
pub struct ReceiveHalf<R: Role>(Connection<R>); // its sending part is not used

impl<R: Role> ReceiveHalf<R> {
    /// Fails this half because of an error of the peer that a stage has returned (`Assembler`, `Inflater`): bytes that
    /// arrive later are discarded, and each further call returns the first error. Give it to [`SendHalf::fail`], too.
    pub fn fail(&mut self, error: ProtocolError) {
        self.0.set_error(error);
    }

    /// Stops receiving, as after [`SendHalf::fail_with`]: bytes that arrive later are discarded.
    pub fn stop(&mut self) {
        self.0.stop();
    }
}

impl<R: Role> Receive for Connection<R> {
    #[inline(always)]
    fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError> {
        Self::receive(self, input)
    }

    #[inline]
    fn remaining(&self) -> u64 {
        Self::remaining(self)
    }

    #[inline]
    fn want(&self, room: usize) -> usize {
        Self::want(self, room)
    }

    fn is_over(&self) -> bool {
        self.incoming == Incoming::Over
    }

    fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        Self::receive_eof(self)
    }
}

impl<R: Role> Receive for ReceiveHalf<R> {
    #[inline(always)]
    fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError> {
        self.0.receive(input)
    }

    #[inline]
    fn remaining(&self) -> u64 {
        self.0.remaining()
    }

    #[inline]
    fn want(&self, room: usize) -> usize {
        self.0.want(room)
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }

    fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        self.0.receive_eof()
    }
}

#[expect(unnameable_types, reason = "only the two types above receive")]
mod sealed {
    use crate::frame::Rsv;

    pub trait Receive {
        /// The reserved bits of the message that is open.
        fn incoming_rsv(&self) -> Option<Rsv>;
    }

    impl<R: super::Role> Receive for super::Connection<R> {
        #[inline]
        fn incoming_rsv(&self) -> Option<Rsv> {
            if let super::Incoming::Open(_, rsv) = self.incoming { Some(rsv) } else { None }
        }
    }

    impl<R: super::Role> Receive for super::ReceiveHalf<R> {
        #[inline]
        fn incoming_rsv(&self) -> Option<Rsv> {
            self.0.incoming_rsv()
        }
    }
}

/// The methods that send.
impl<R: Role> ops::Deref for Connection<R> {
    type Target = Sending<R>;

    #[inline]
    fn deref(&self) -> &Sending<R> {
        &self.sending
    }
}

impl<R: Role> ops::DerefMut for Connection<R> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Sending<R> {
        &mut self.sending
    }
}

impl<R: Role> Clone for Connection<R> {
    fn clone(&self) -> Self {
        Self {
            decoder: self.decoder.clone(),
            spill: self.spill.clone(),
            sending: self.sending.copy(),
            ..*self
        }
    }
}

impl<R: Role> Default for Connection<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Role> fmt::Debug for Connection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(if R::UNMASKS { "Connection<Server>" } else { "Connection<Client>" })
            .field("state", &self.state())
            .field("error", &self.error)
            .field("incoming", &self.incoming)
            .field("sending", &self.sending)
            .field("remaining", &self.decoder.remaining())
            .finish_non_exhaustive()
    }
}

impl<R: Role> fmt::Debug for ReceiveHalf<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveHalf")
            .field("error", &self.0.error)
            .field("incoming", &self.0.incoming)
            .finish_non_exhaustive()
    }
}

/// The two functions below: one for the compiler to inline or not, which is best in a loop of Rust, and one for a function
/// that C calls for each message.
macro_rules! whole_message {
    ($($(#[$attribute:meta])* $name:ident)*) => {$(
        $(#[$attribute])*
        fn $name<'b, R: Role>(input: &mut &'b mut [u8], limits: Limits) -> Option<(Kind, Key, &'b mut [u8])> {
            let &[first, second, ref rest @ ..] = &**input else { return None };
            let kind = match first {
                0x81 => Kind::Text,
                0x82 => Kind::Binary,
                _ => return None,
            };
            let (len, head) = match second ^ if R::UNMASKS { 0x80 } else { 0 } {
                len @ 0..=125 => (u64::from(len), 2),
                126 => match u16::from_be_bytes(*rest.first_chunk()?) {
                    0..=125 => return None,
                    len => (u64::from(len), 4),
                },
                127 => match u64::from_be_bytes(*rest.first_chunk()?) {
                    0..=0xFFFF => return None,
                    len => (len, 10),
                },
                _ => return None, // not masked as the role demands
            };
            let head = if R::UNMASKS { head + 4 } else { head };
            if len > limits.frame || len > limits.message || len > input.len().checked_sub(head)? as u64 {
                return None;
            }
            let head = split_front(input, head);
            let payload = split_front(input, clamp(len, input.len()));
            let key = if R::UNMASKS { Key::new(*head.last_chunk()?) } else { Key::default() };
            Some((kind, key, payload))
        }
    )*};
}

whole_message! {
    /// Takes a message off the front of `input` if it is one frame, whole, within the limits, and without an extension.
    /// Otherwise leaves `input` unchanged. The key is zero if frames arrive unmasked.
    #[inline]
    whole_message
    /// The same, always inlined.
    #[inline(always)]
    whole_message_inlined
}

#[inline]
fn unmask<R: Role>(key: Key, bytes: &mut [u8]) {
    if R::UNMASKS {
        mask::apply(key, bytes);
    }
}

#[inline]
fn unmask_text<R: Role>(key: Key, bytes: &mut [u8]) -> Result<&str, utf8::Utf8Error> {
    if R::UNMASKS { utf8::validate_masked(key, bytes) } else { utf8::validate(bytes) }
}
