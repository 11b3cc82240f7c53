//! Sending: the half of the state machine that says which frames may go out, and makes their headers.

use super::{
    role::{KeySource, Role},
    state::{Flow, State},
};
use crate::{
    close::{Close, CloseCode},
    control::{self, ControlFrame, Payload},
    error::{ProtocolError, SendError},
    event::{Event, Kind},
    frame::{Header, HeaderBytes, Opcode, Rsv},
    mask::{self, Key},
    utf8,
};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::{fmt, marker::PhantomData};

/// The sending half of a [`Connection`](crate::Connection), which dereferences to it: so the methods here are a
/// connection's own.
///
/// By itself it is for a host that receives and sends in different places, see
/// [`Connection::split`](crate::Connection::split). It learns from [`reply`](Self::reply) that the peer has closed, and
/// from [`fail`](Self::fail) that the connection failed.
///
/// Each method takes the key of its frame last: [`Unmasked`](crate::Unmasked) for a server, a
/// a [`Key`] for a client. So a host that serves both roles is generic over [`Role`].
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use framewire::{Connection, Role, SendError, Server, Unmasked};
///
/// /// Sends "Hello", whichever end this is.
/// fn greet<R: Role>(connection: &mut Connection<R>, key: R::Key, tx: &mut Vec<u8>) -> Result<(), SendError> {
///     connection.append_text(tx, "Hello", key)
/// }
///
/// let mut tx = Vec::new();
/// greet(&mut Connection::<Server>::new(), Unmasked, &mut tx)?;
/// assert_eq!(tx, b"\x81\x05Hello");
/// # }
/// # Ok::<(), framewire::SendError>(())
/// ```
#[derive(Clone)]
pub struct SendHalf<R: Role> {
    outgoing: Flow<Kind>,
    /// Whether this end's last frame has gone out, or never will.
    finished: bool,
    pub(super) peer: Peer,
    /// Reserved bits that an extension may set on the first frame of a message.
    pub(super) extension_bits: Rsv,
    role: PhantomData<R>,
}

/// How this half hears that the peer has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// From the receiving half, which is in the same connection.
    Joined,
    /// From the event that it replies to.
    Apart,
    /// It has heard; or the connection failed.
    Finished,
}

impl<R: Role> SendHalf<R> {
    pub(super) const fn new() -> Self {
        Self {
            outgoing: Flow::Between,
            finished: false,
            peer: Peer::Joined,
            extension_bits: Rsv::NONE,
            role: PhantomData,
        }
    }

    /// How far the connection is from its end.
    pub const fn state(&self) -> State {
        match (matches!(self.outgoing, Flow::Over), matches!(self.peer, Peer::Finished)) {
            (false, false) => State::Open,
            (true, false) => State::CloseSent,
            (false, true) => State::CloseReceived,
            (true, true) => State::Closed,
        }
    }

    /// Whether the peer is expected to close the socket soon: the host starts a timer, and closes the socket when the
    /// timer ends (RFC 6455 §7.1.1). Ask after a close, a reply to one, or a failure was sent.
    pub const fn close_expected(&self) -> bool {
        matches!(self.outgoing, Flow::Over)
    }

    /// Whether a fragmented message is being sent.
    pub const fn is_message_open(&self) -> bool {
        matches!(self.outgoing, Flow::Open(_))
    }

    /// Appends a whole text message (RFC 6455 §5.6) to `out`: its header, and behind it the text, masked if this is a
    /// client.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`]; `out` is unchanged then.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append_text(&mut self, out: &mut Vec<u8>, text: &str, key: R::Key) -> Result<(), SendError> {
        self.append_message(out, Kind::Text, text.as_bytes(), key)
    }

    /// Appends a whole binary message (RFC 6455 §5.6) to `out`: its header, and behind it the payload, masked if this
    /// is a client.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`]; `out` is unchanged then.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append_binary(&mut self, out: &mut Vec<u8>, payload: &[u8], key: R::Key) -> Result<(), SendError> {
        self.append_message(out, Kind::Binary, payload, key)
    }

    /// Appends a whole message of either kind, for example to echo one. The caller promises that a text is UTF-8.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`]; `out` is unchanged then.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append_message(
        &mut self,
        out: &mut Vec<u8>,
        kind: Kind,
        payload: &[u8],
        key: R::Key,
    ) -> Result<(), SendError> {
        self.message_header(kind, Rsv::NONE, payload.len() as u64, key)?.append_to(out);
        let start = out.len();
        out.extend_from_slice(payload);
        if let Some(key) = key.into() {
            mask::apply(key, &mut out[start..]);
        }
        Ok(())
    }

    /// Returns the header of a text message (RFC 6455 §5.6). The host writes `text` behind it; a client masks it with
    /// the same key before ([`mask::apply`], [`mask::apply_to`]).
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`].
    #[inline]
    pub fn text_header(&mut self, text: &str, key: R::Key) -> Result<HeaderBytes, SendError> {
        self.message_header(Kind::Text, Rsv::NONE, text.len() as u64, key)
    }

    /// Returns the header of a binary message (RFC 6455 §5.6). The host writes `payload` behind it; a client masks it
    /// with the same key before ([`mask::apply`], [`mask::apply_to`]).
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`].
    #[inline]
    pub fn binary_header(&mut self, payload: &[u8], key: R::Key) -> Result<HeaderBytes, SendError> {
        self.message_header(Kind::Binary, Rsv::NONE, payload.len() as u64, key)
    }

    /// Returns the header of a message (RFC 6455 §5.6) and makes `payload` what the host writes behind it: a client
    /// masks it in place, a server leaves it unchanged.
    ///
    /// ```
    /// use framewire::{Client, Connection, Kind, mask::Key};
    ///
    /// let mut connection = Connection::<Client>::new();
    /// let mut payload = *b"Hello";
    /// let key = Key::new([0x37, 0xfa, 0x21, 0x3d]); // fresh and unpredictable for each frame
    /// let header = connection.header_in_place(Kind::Text, &mut payload, key)?;
    /// assert_eq!(header[..], [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
    /// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::InvalidUtf8`]; `payload` is unchanged then.
    pub fn header_in_place(
        &mut self,
        kind: Kind,
        payload: &mut [u8],
        key: R::Key,
    ) -> Result<HeaderBytes, SendError> {
        let header = self.message_header(kind, Rsv::NONE, payload.len() as u64, key)?;
        if kind == Kind::Text {
            utf8::validate(payload).map_err(|_| SendError::InvalidUtf8)?;
        }
        if let Some(key) = key.into() {
            mask::apply(key, payload);
        }
        Ok(header)
    }

    /// Returns the header of a message whose payload of `len` bytes is anywhere: in several pieces, in a file, encoded
    /// by an extension that sets `rsv`. The host writes the payload behind it; a client masks it with the same key
    /// before. The caller promises that the payload of a text is UTF-8.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::ReservedBit`],
    /// [`SendError::PayloadTooLong`].
    #[inline]
    pub fn message_header(
        &mut self,
        kind: Kind,
        rsv: Rsv,
        len: u64,
        key: R::Key,
    ) -> Result<HeaderBytes, SendError> {
        match self.outgoing {
            Flow::Between => {}
            Flow::Open(_) => return Err(SendError::MessageOpen),
            Flow::Over => return Err(SendError::Closed),
        }
        self.may_set(rsv)?;
        data_header(opcode(kind), rsv, len, key.into(), true)
    }

    /// Returns the header of the next fragment of a message, with a payload of `len` bytes: the first fragment starts
    /// the message, the `last` one ends it (RFC 6455 §5.4). Only control frames may go between. `rsv` counts on the
    /// first fragment alone. The host writes the payload behind it; a client masks it with the same key before.
    /// The caller promises that the fragments of a text together are UTF-8; they may be cut inside a character.
    ///
    /// ```
    /// use framewire::{Connection, Kind, Rsv, Server, Unmasked};
    ///
    /// let mut connection = Connection::<Server>::new();
    /// assert_eq!(connection.fragment_header(Kind::Text, Rsv::NONE, 3, false, Unmasked)?[..], [0x01, 3]); // "Hel"
    /// assert_eq!(connection.fragment_header(Kind::Text, Rsv::NONE, 2, true, Unmasked)?[..], [0x80, 2]); // "lo"
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::KindChanged`], [`SendError::ReservedBit`],
    /// [`SendError::PayloadTooLong`].
    pub fn fragment_header(
        &mut self,
        kind: Kind,
        rsv: Rsv,
        len: u64,
        last: bool,
        key: R::Key,
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
        let header = data_header(opcode, rsv, len, key.into(), last)?;
        self.outgoing = if last { Flow::Between } else { Flow::Open(kind) };
        Ok(header)
    }

    /// Returns a ping (RFC 6455 §5.5.2) with at most 125 bytes of payload.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn ping(&mut self, payload: &[u8], key: R::Key) -> Result<ControlFrame, SendError> {
        self.control(Opcode::Ping, payload, key)
    }

    /// Returns an unsolicited pong (RFC 6455 §5.5.3). [`reply`](Self::reply) answers pings.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn pong(&mut self, payload: &[u8], key: R::Key) -> Result<ControlFrame, SendError> {
        self.control(Opcode::Pong, payload, key)
    }

    /// Returns a close (RFC 6455 §5.5.1): the last frame that this end sends. The peer's messages still arrive until
    /// its own close. The reason is at most 123 bytes. [`CloseCode::NO_STATUS`] makes a close without a code.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::InvalidCloseCode`], [`SendError::ControlTooLong`].
    pub fn close(&mut self, code: CloseCode, reason: &str, key: R::Key) -> Result<ControlFrame, SendError> {
        self.may_send()?;
        if !code.may_be_sent() && (code != CloseCode::NO_STATUS || !reason.is_empty()) {
            return Err(SendError::InvalidCloseCode);
        }
        if reason.len() > Close::MAX_REASON {
            return Err(SendError::ControlTooLong);
        }
        (self.outgoing, self.finished) = (Flow::Over, true);
        Ok(close_frame(code, reason, key.into()))
    }

    /// Returns what an event obliges this end to answer: a pong to a ping, a close to a close (RFC 6455 §5.5). Call it
    /// once for each event; the host decides when to write the frame.
    #[inline]
    #[must_use = "the peer is owed this frame: write it"]
    pub fn reply(&mut self, event: &Event<'_>, key: impl KeySource<R>) -> Option<ControlFrame> {
        match event {
            Event::Ping(payload) => self.reply_to_ping(payload, key.key()),
            Event::Close(payload) => self.reply_to_close(payload, key.key()),
            _ => None,
        }
    }

    /// Fails the connection (RFC 6455 §7.1.7) because of what the peer did: returns the close that tells it why, or
    /// `None` if a close was sent before, or if nobody is there to read it. The host writes it behind what is queued;
    /// then a server closes the socket, and a client waits a little for the server to do so.
    #[must_use = "the peer is owed this frame, if there is one: write it"]
    pub fn fail(&mut self, error: ProtocolError, key: impl KeySource<R>) -> Option<ControlFrame> {
        let code = error.close_code();
        let silent = self.finished || !code.may_be_sent();
        self.finish();
        self.finished = true;
        (!silent).then(|| close_frame(code, error.reason(), key.key().into()))
    }

    /// Fails the connection (RFC 6455 §7.1.7) for a reason of the application's: a kind of data that it does not take
    /// ([`CloseCode::UNSUPPORTED`]), a policy ([`CloseCode::POLICY`]), an overload ([`CloseCode::TRY_AGAIN`]). It is
    /// [`close`](Self::close), but nothing that arrives afterwards is interpreted.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn fail_with(
        &mut self,
        code: CloseCode,
        reason: &str,
        key: R::Key,
    ) -> Result<ControlFrame, SendError> {
        let frame = self.close(code, reason, key)?;
        self.finish();
        Ok(frame)
    }

    /// Ends both directions. Whether a close is still owed is [`fail`](Self::fail)'s to say.
    pub(super) fn finish(&mut self) {
        (self.outgoing, self.peer) = (Flow::Over, Peer::Finished);
    }

    #[cold]
    fn reply_to_ping(&self, payload: &[u8], key: R::Key) -> Option<ControlFrame> {
        // Owed until the peer's close (RFC 6455 §5.5.2): our own close forbids data, not pongs (§5.5.1).
        (self.state() != State::Closed).then(|| ControlFrame::new(Opcode::Pong, key.into(), payload))
    }

    #[cold]
    fn reply_to_close(&mut self, payload: &[u8], key: R::Key) -> Option<ControlFrame> {
        if self.peer == Peer::Apart {
            self.peer = Peer::Finished;
        }
        let code = Close::parse(payload).unwrap_or(Close::NONE).code;
        self.close(code, "", key).ok()
    }

    fn control(&self, opcode: Opcode, payload: &[u8], key: R::Key) -> Result<ControlFrame, SendError> {
        self.may_send()?;
        if payload.len() > control::MAX_PAYLOAD {
            return Err(SendError::ControlTooLong);
        }
        Ok(ControlFrame::new(opcode, key.into(), payload))
    }

    /// Whether anything may be sent at all. Checked first: if not, mending the other mistakes would not help.
    #[inline]
    fn may_send(&self) -> Result<(), SendError> {
        if self.outgoing == Flow::Over { Err(SendError::Closed) } else { Ok(()) }
    }

    /// Whether an extension gave these reserved bits a meaning.
    #[inline]
    fn may_set(&self, rsv: Rsv) -> Result<(), SendError> {
        if self.extension_bits.contains(rsv) { Ok(()) } else { Err(SendError::ReservedBit) }
    }
}

impl<R: Role> fmt::Debug for SendHalf<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendHalf")
            .field("state", &self.state())
            .field("outgoing", &self.outgoing)
            .finish_non_exhaustive()
    }
}

/// The header of a data frame.
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

/// A close frame: without a payload if the code says that there is none.
fn close_frame(code: CloseCode, reason: &str, key: Option<Key>) -> ControlFrame {
    let mut payload = Payload::new(&[]);
    if code != CloseCode::NO_STATUS {
        payload.push(&code.get().to_be_bytes());
        payload.push(reason.as_bytes());
    }
    ControlFrame::new(Opcode::Close, key, payload.as_slice())
}
