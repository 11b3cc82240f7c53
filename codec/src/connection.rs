//! Level 3: the state machine of one connection, for both roles.
//!
//! **The law.** Everything that changes protocol state stands in this file; the verbs of the two roles
//! (`connection/server.rs`, `connection/client.rs`) only call it. It performs no I/O, reads no clock, draws no
//! randomness, and allocates nothing but the box in which a control payload waits while it is cut.
//!
//! Four small machines run beside each other:
//!
//! ```text
//! frame      between frames ──header──▶ in a payload ──last byte──▶ between frames            (Decoder)
//! incoming   no message ──text, binary──▶ message open ──fin──▶ no message                    (incoming, text)
//!            any ──the peer's close, an error──▶ over, for good
//! outgoing   no message ──fragment──▶ message open ──last fragment──▶ no message              (outgoing)
//! closing    Open ──we close──▶ CloseSent ──peer closes──▶ Closed
//!            Open ──peer closes──▶ CloseReceived ──we reply──▶ Closed
//!            any  ──error──▶ Closed, for good                               (outgoing, incoming, close_sent, error)
//! ```

mod client;
mod server;

use crate::{
    close::{Close, CloseCode},
    control::{self, Control, ControlFrame, Payload, Spill},
    decoder::Decoder,
    error::{ProtocolError, SendError},
    event::{Event, Kind, Part},
    frame::{Header, HeaderBytes, Opcode, Rsv, clamp, split_front},
    mask::{self, Key},
    utf8::{self, Validator},
};
use core::{fmt, marker::PhantomData, mem};

/// One WebSocket connection after its opening handshake: bytes in, [`Event`]s out; and the headers and control
/// frames that the host is to write.
///
/// It works on the host's buffer: payload is unmasked and validated in place and lent out. It takes all bytes that
/// it is given and keeps no more than a header and a control payload that were cut, so that one receive buffer
/// serves every connection of a thread.
///
/// ```
/// use framewire::{Connection, Event, Server};
///
/// let mut connection = Connection::<Server>::new();
/// let mut rx = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut tx = Vec::new();
///
/// let mut input = &mut rx[..]; // what one read gave
/// let outcome = loop {
///     match connection.receive(&mut input) {
///         Ok(Some(event)) => {
///             if let Some(frame) = connection.reply(&event) {
///                 tx.extend_from_slice(&frame); // a pong, or the answer to a close
///             }
///             if let Event::Text(text) = event {
///                 if let Ok(header) = connection.text(text) {
///                     tx.extend_from_slice(&header); // the host's own answer: here, an echo
///                     tx.extend_from_slice(text.as_bytes());
///                 } // refused only where we closed already
///             }
///         }
///         Ok(None) => break Ok(()),
///         Err(error) => break Err(error),
///     }
/// };
/// if let Err(error) = outcome {
///     tx.extend(connection.fail(error).iter().flat_map(|frame| frame.iter()));
/// }
/// assert_eq!(tx, b"\x81\x05Hello"); // now one write, and then, if it failed, the socket is closed
/// ```
#[derive(Clone)]
pub struct Connection<R: Role> {
    decoder: Decoder,
    limits: Limits,
    /// Payload of the incoming message, as far as its frames' headers have told.
    incoming_len: u64,
    /// The payload of a control frame that was cut.
    spill: Spill,
    incoming: Flow<Incoming>,
    /// Where in a character an incoming text stands.
    text: Validator,
    outgoing: Flow<Kind>,
    close_sent: bool,
    /// Where there is one, both flows are over.
    error: Option<ProtocolError>,
    /// Reserved bits that an extension may set on the first frame of a message.
    extension_bits: Rsv,
    role: PhantomData<R>,
}

/// An event of the cold path; see [`Connection::receive`].
enum Rare<'b> {
    Nothing,
    Control(Opcode, Control<'b>),
    Part(Part<'b>),
    Text(&'b str),
    Binary(&'b mut [u8]),
}

/// The messages of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow<T> {
    /// None is open.
    Between,
    /// One is: from its first header to its last byte, or from its first fragment to its last.
    Open(T),
    /// There will be no more: this side's close has passed, or the connection failed.
    Over,
}

/// The incoming message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Incoming {
    kind: Kind,
    rsv: Rsv,
}

/// The most payload that a peer may send, in bytes. Judged on a frame's header, before a byte of it is taken.
/// Control frames do not count: 125 bytes are their limit always.
///
/// A connection buffers no data, so no limit costs memory here: they bound what the host or a later stage collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Of one frame.
    pub frame: u64,
    /// Of one message, over all its fragments; of what stands on the wire, where an extension codes it.
    pub message: u64,
}

impl Limits {
    /// What a server starts with: 16 MiB.
    pub const SERVER: Self = Self { frame: 16 << 20, message: 16 << 20 };
    /// What a client, which chose its peer, starts with: 64 MiB.
    pub const CLIENT: Self = Self { frame: 64 << 20, message: 64 << 20 };
    /// None: for a host that streams.
    pub const NONE: Self = Self { frame: u64::MAX, message: u64::MAX };
}

/// How far a connection is from its end (RFC 6455 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages may go both ways.
    Open,
    /// We sent a close; messages may still arrive.
    CloseSent,
    /// The peer sent a close; [`reply`](Connection::reply) to it is still owed.
    CloseReceived,
    /// Nothing will be received or may be sent any more: both closes have passed, or the connection failed. When
    /// what is queued is written, a server closes the socket; a client waits a little for the server to do so.
    Closed,
}

/// Which end of the connection this is: [`Server`] or [`Client`].
pub trait Role: sealed::Role + Copy {}

/// The end that accepted: frames arrive masked and leave bare.
#[derive(Clone, Copy, Debug)]
pub enum Server {}

/// The end that connected: frames arrive bare and leave masked.
#[derive(Clone, Copy, Debug)]
pub enum Client {}

impl Role for Server {}
impl Role for Client {}

#[expect(unnameable_types, reason = "the roles are two, and ours")]
mod sealed {
    use super::{Client, Limits, Server};

    pub trait Role {
        /// Whether frames arrive masked.
        const UNMASKS: bool;
        const LIMITS: Limits;
    }

    impl Role for Server {
        const UNMASKS: bool = true;
        const LIMITS: Limits = Limits::SERVER;
    }

    impl Role for Client {
        const UNMASKS: bool = false;
        const LIMITS: Limits = Limits::CLIENT;
    }
}

impl<R: Role> Connection<R> {
    /// A connection whose opening handshake is done, with the role's limits and no extension.
    #[inline]
    pub const fn new() -> Self {
        Self {
            decoder: Decoder::pass_through(),
            limits: R::LIMITS,
            incoming_len: 0,
            spill: Spill::new(),
            incoming: Flow::Between,
            text: Validator::new(),
            outgoing: Flow::Between,
            close_sent: false,
            error: None,
            extension_bits: Rsv::NONE,
            role: PhantomData,
        }
    }

    /// With these limits on what arrives.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With an extension, by which either end may set these reserved bits on the first frame of a message:
    /// [`Rsv::RSV1`] for permessage-deflate (RFC 7692 §6). Messages that have one arrive as [`Event::Part`]s.
    #[must_use]
    pub fn with_extension_bits(mut self, bits: Rsv) -> Self {
        self.extension_bits = bits;
        self
    }

    /// Takes the next event off the front of `input`, what a read gave. After `Ok(None)`, `input` is empty.
    ///
    /// A message comes as one event where it is one frame and wholly in hand, otherwise as [`Event::Part`]s.
    ///
    /// # Errors
    /// The peer broke the protocol: see [`ProtocolError`]. All that was whole before the bad byte has come out by
    /// then. What is owed to the peer is [`fail`](Self::fail)'s to say. The error is final: each further call
    /// returns it again.
    // Always: a call would leave the event in memory, see below.
    #[inline(always)]
    pub fn receive<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError> {
        // The straight path: nothing to remember, and a whole message is next.
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
        // An event that a function left in memory would be moved from there as a whole, by every host, at each message:
        // for that a CPU waits longer than it takes to decode one. So it comes as something else, and is made here.
        Ok(Some(match self.resume(input)? {
            Rare::Nothing => return Ok(None),
            Rare::Control(Opcode::Ping, payload) => Event::Ping(payload),
            Rare::Control(Opcode::Pong, payload) => Event::Pong(payload),
            Rare::Control(_, payload) => Event::Close(payload),
            Rare::Part(part) => Event::Part(part),
            Rare::Text(text) => Event::Text(text),
            Rare::Binary(bytes) => Event::Binary(bytes),
        }))
    }

    /// Bytes of the current data frame's payload that have not arrived yet: what is worth reading into one place.
    /// 0 once the connection failed.
    #[inline]
    pub fn remaining(&self) -> u64 {
        if self.error.is_none() { self.decoder.remaining_data() } else { 0 }
    }

    /// The peer has closed its side of the stream.
    ///
    /// # Errors
    /// [`ProtocolError::UnexpectedEof`] where it did not send a close before; the error that the connection failed
    /// with, where it did fail.
    pub fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.incoming != Flow::Over {
            return Err(self.set_error(ProtocolError::UnexpectedEof));
        }
        Ok(())
    }

    /// How far the connection is from its end.
    pub const fn state(&self) -> State {
        match (matches!(self.outgoing, Flow::Over), matches!(self.incoming, Flow::Over)) {
            (false, false) => State::Open,
            (true, false) => State::CloseSent,
            (false, true) => State::CloseReceived,
            (true, true) => State::Closed,
        }
    }

    /// Whether the peer is expected to close soon: the host starts a timer, and closes the socket when it ends
    /// (RFC 6455 §7.1.1). Ask after a close was sent, a reply to one, or a failure.
    pub const fn close_expected(&self) -> bool {
        matches!(self.outgoing, Flow::Over)
    }

    #[inline]
    fn is_straight(&self) -> bool {
        self.decoder.is_between_frames() && self.incoming == Flow::Between
    }

    /// Everything but the straight path. Two functions, so that neither pays for what the other keeps in registers.
    #[cold]
    #[inline(never)]
    fn resume<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Rare<'b>, ProtocolError> {
        if self.decoder.remaining_data() > input.len() as u64 { self.go_on(input) } else { self.step(input) }
    }

    /// What most reads bring while a large message arrives: a piece of it from inside a frame.
    #[inline(never)]
    fn go_on<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Rare<'b>, ProtocolError> {
        let Flow::Open(Incoming { kind, rsv }) = self.incoming else { return self.step(input) };
        let Some((key, bytes)) = self.decoder.inside(R::UNMASKS, input) else { return Ok(Rare::Nothing) };
        if kind == Kind::Binary || !rsv.is_none() {
            unmask::<R>(key, bytes);
        } else if let Err(error) = self.feed(key, bytes) {
            return Err(self.end(error, input));
        }
        Ok(Rare::Part(Part { kind, rsv, bytes, last: false }))
    }

    /// Whatever comes next: what was cut, fragments, control frames, extensions, errors.
    #[inline(never)]
    fn step<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Rare<'b>, ProtocolError> {
        if self.incoming == Flow::Over {
            mem::take(input);
            return self.error.map_or(Ok(Rare::Nothing), Err);
        }
        self.next_event(input).map_err(|error| self.end(error, input))
    }

    fn next_event<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Rare<'b>, ProtocolError> {
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
                    self.spill.push(chunk.bytes);
                    continue;
                }
                let control = self.spill.take(chunk.bytes);
                if header.opcode == Opcode::Close {
                    Close::parse(&control)?;
                    self.incoming = Flow::Over;
                    mem::take(input);
                }
                return Ok(Rare::Control(header.opcode, control));
            }

            // Not reached: a data frame that was admitted belongs to a message.
            let Flow::Open(Incoming { kind, rsv }) = self.incoming else { return Ok(Rare::Nothing) };
            let last = header.fin && frame_ends;
            if last {
                self.incoming = Flow::Between;
                self.incoming_len = 0;
            }
            let bytes = chunk.bytes;
            let whole = last && chunk.offset == 0 && header.opcode != Opcode::Continuation;
            if !rsv.is_none() || kind == Kind::Binary {
                unmask::<R>(key, bytes);
                if whole && rsv.is_none() {
                    return Ok(Rare::Binary(bytes));
                }
            } else if whole {
                let text = unmask_text::<R>(key, bytes).map_err(|_| ProtocolError::InvalidUtf8)?;
                return Ok(Rare::Text(text));
            } else {
                self.feed(key, bytes)?;
                if last {
                    mem::take(&mut self.text).finish().map_err(|_| ProtocolError::InvalidUtf8)?;
                }
            }
            if last || !bytes.is_empty() {
                return Ok(Rare::Part(Part { kind, rsv, bytes, last }));
            }
        }
    }

    /// A piece of a text, as it stands on the wire.
    #[inline(always)]
    fn feed(&mut self, key: Key, bytes: &mut [u8]) -> Result<(), ProtocolError> {
        let fed = if R::UNMASKS { self.text.feed_masked(key, bytes) } else { self.text.feed(bytes) };
        fed.map_err(|_| ProtocolError::InvalidUtf8)
    }

    /// Judges a header that is whole, before a byte of its payload is taken.
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
            (None, Flow::Open(_)) => {}
            (None, _) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), Flow::Open(_)) => return Err(ProtocolError::ExpectedContinuation),
            (Some(kind), _) => self.incoming = Flow::Open(Incoming { kind, rsv: header.rsv }),
        }
        if header.payload_len > self.limits.frame {
            return Err(ProtocolError::FrameTooBig);
        }
        self.incoming_len = self.incoming_len.saturating_add(header.payload_len);
        if self.incoming_len > self.limits.message {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(())
    }

    /// Ends the connection for good, and with it the interpretation of what arrived.
    fn end(&mut self, error: ProtocolError, input: &mut &mut [u8]) -> ProtocolError {
        mem::take(input);
        self.set_error(error)
    }

    /// The first error is the one that ended the connection; it is given back.
    fn set_error(&mut self, error: ProtocolError) -> ProtocolError {
        (self.incoming, self.outgoing) = (Flow::Over, Flow::Over);
        *self.error.get_or_insert(error)
    }

    // What the verbs of the two roles are made of. `key` is `Some` for a client.

    /// The header of a whole message.
    #[inline]
    fn send_message(
        &self,
        kind: Kind,
        rsv: Rsv,
        len: u64,
        key: Option<Key>,
    ) -> Result<HeaderBytes, SendError> {
        match self.outgoing {
            Flow::Between => {}
            Flow::Open(_) => return Err(SendError::MessageOpen),
            Flow::Over => return Err(SendError::Closed),
        }
        self.may_set(rsv)?;
        data_header(opcode(kind), rsv, len, key, true)
    }

    /// Whether a fragmented message is being sent.
    #[cfg(feature = "deflate")]
    pub(crate) const fn is_message_open(&self) -> bool {
        matches!(self.outgoing, Flow::Open(_))
    }

    /// The header of the next fragment of a message.
    fn send_fragment(
        &mut self,
        kind: Kind,
        rsv: Rsv,
        len: u64,
        key: Option<Key>,
        last: bool,
    ) -> Result<HeaderBytes, SendError> {
        let (opcode, rsv) = match self.outgoing {
            Flow::Between => {
                self.may_set(rsv)?;
                (opcode(kind), rsv)
            }
            Flow::Open(open) if open == kind => (Opcode::Continuation, Rsv::NONE),
            Flow::Open(_) => return Err(SendError::KindChanged),
            Flow::Over => return Err(SendError::Closed),
        };
        let header = data_header(opcode, rsv, len, key, last)?;
        self.outgoing = if last { Flow::Between } else { Flow::Open(kind) };
        Ok(header)
    }

    /// Whether anything may be sent at all. Asked first: where it may not, nothing else that is wrong can be mended.
    #[inline]
    fn may_send(&self) -> Result<(), SendError> {
        if self.outgoing == Flow::Over { Err(SendError::Closed) } else { Ok(()) }
    }

    /// Whether an extension gave these reserved bits a meaning.
    #[inline]
    fn may_set(&self, rsv: Rsv) -> Result<(), SendError> {
        if self.extension_bits.contains(rsv) { Ok(()) } else { Err(SendError::ReservedBit) }
    }

    /// A ping or a pong of the host's own.
    fn send_control(
        &self,
        opcode: Opcode,
        payload: &[u8],
        key: Option<Key>,
    ) -> Result<ControlFrame, SendError> {
        self.may_send()?;
        if payload.len() > control::MAX_PAYLOAD {
            return Err(SendError::ControlTooLong);
        }
        Ok(ControlFrame::new(opcode, key, payload))
    }

    fn send_close(
        &mut self,
        code: CloseCode,
        reason: &str,
        key: Option<Key>,
    ) -> Result<ControlFrame, SendError> {
        self.may_send()?;
        if !code.may_be_sent() && (code != CloseCode::NO_STATUS || !reason.is_empty()) {
            return Err(SendError::InvalidCloseCode);
        }
        if reason.len() > Close::MAX_REASON {
            return Err(SendError::ControlTooLong);
        }
        (self.outgoing, self.close_sent) = (Flow::Over, true);
        Ok(close_frame(code, reason, key))
    }

    /// What an event obliges us to answer.
    #[inline]
    fn answer(&mut self, event: &Event<'_>, key: impl FnOnce() -> Option<Key>) -> Option<ControlFrame> {
        match event {
            Event::Ping(payload) => self.answer_ping(&payload[..], key()),
            Event::Close(payload) => self.answer_close(&payload[..], key()),
            _ => None,
        }
    }

    #[cold]
    fn answer_ping(&self, payload: &[u8], key: Option<Key>) -> Option<ControlFrame> {
        // Owed until the peer's close (RFC 6455 §5.5.2): our own close forbids data, not pongs (§5.5.1).
        (self.state() != State::Closed).then(|| ControlFrame::new(Opcode::Pong, key, payload))
    }

    #[cold]
    fn answer_close(&mut self, payload: &[u8], key: Option<Key>) -> Option<ControlFrame> {
        let code = Close::parse(payload).unwrap_or(Close::NONE).code;
        self.send_close(code, "", key).ok()
    }

    /// Ends the connection for good, and says so to the peer unless a close went out already.
    fn send_failure(
        &mut self,
        error: ProtocolError,
        key: impl FnOnce() -> Option<Key>,
    ) -> Option<ControlFrame> {
        let error = self.set_error(error); // the first one says whether anybody still listens
        let code = error.close_code();
        if self.close_sent || !code.may_be_sent() {
            return None;
        }
        self.close_sent = true;
        Some(close_frame(code, error.reason(), key()))
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
            .field("outgoing", &self.outgoing)
            .field("remaining", &self.decoder.remaining())
            .finish_non_exhaustive()
    }
}

/// Takes a message off the front of `input` that is one frame, wholly there, within the limits and without an
/// extension; otherwise leaves `input` as it is. The key is zero where frames arrive bare.
#[inline]
fn whole_message<'b, R: Role>(input: &mut &'b mut [u8], limits: Limits) -> Option<(Kind, Key, &'b mut [u8])> {
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

/// The header of a frame of data, however long.
#[inline]
fn data_header(
    opcode: Opcode,
    rsv: Rsv,
    payload_len: u64,
    key: Option<Key>,
    fin: bool,
) -> Result<HeaderBytes, SendError> {
    if payload_len >> 63 != 0 {
        return Err(SendError::PayloadTooLong);
    }
    Ok(Header { fin, rsv, opcode, key, payload_len }.encode())
}

#[inline]
const fn opcode(kind: Kind) -> Opcode {
    match kind {
        Kind::Text => Opcode::Text,
        Kind::Binary => Opcode::Binary,
    }
}

/// A close frame: without a payload where the code says that there is none.
fn close_frame(code: CloseCode, reason: &str, key: Option<Key>) -> ControlFrame {
    let mut payload = Payload::new(&[]);
    if code != CloseCode::NO_STATUS {
        payload.push(&code.get().to_be_bytes());
        payload.push(reason.as_bytes());
    }
    ControlFrame::new(Opcode::Close, key, payload.as_slice())
}
