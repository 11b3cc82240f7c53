//! The sending half of the state machine. It decides which frames may be sent, and makes their headers.

use super::{
    role::{KeySource, Role},
    state::State,
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
use core::{fmt, marker::PhantomData, ops};

/// The methods that send. A [`Connection`](crate::Connection) and a [`SendHalf`] dereference to this type, and so have
/// all of them.
///
/// Each method takes the key of its frame last: [`Unmasked`](crate::Unmasked) for a server, a
/// [`mask::Key`] for a client. So a host that serves both roles is generic over [`Role`].
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
pub struct Sending<R: Role> {
    outgoing: Outgoing,
    /// Whether the peer has sent its close, or the connection failed.
    pub(super) peer_finished: bool,
    /// Reserved bits that an extension may set on the first frame of a message.
    pub(super) extension_bits: Rsv,
    role: PhantomData<R>,
}

/// The messages that this end sends. In order: from `Failed` on, there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outgoing {
    /// No message is open.
    Between,
    /// A text is open, between its first and its last fragment.
    Text,
    /// A binary message is open.
    Binary,
    /// No message follows, as the connection failed. The close that says so was not made yet.
    Failed,
    /// No frame follows but pongs: the close was made, or none will be.
    Closed,
}

impl<R: Role> Sending<R> {
    pub(super) const fn new() -> Self {
        Self {
            outgoing: Outgoing::Between,
            peer_finished: false,
            extension_bits: Rsv::NONE,
            role: PhantomData,
        }
    }

    /// A copy. It is private: two copies would both send for one connection.
    pub(super) const fn copy(&self) -> Self {
        let Self { outgoing, peer_finished, extension_bits, role } = *self;
        Self { outgoing, peer_finished, extension_bits, role }
    }

    /// Whether this end has sent its close, or the connection failed. The socket should then be closed soon: the host
    /// starts a timer, and closes the socket when it ends (RFC 6455 §7.1.1).
    pub const fn close_expected(&self) -> bool {
        self.outgoing as u8 >= Outgoing::Failed as u8
    }

    /// Whether a fragmented message is being sent (RFC 6455 §5.4).
    pub const fn is_message_open(&self) -> bool {
        matches!(self.outgoing, Outgoing::Text | Outgoing::Binary)
    }

    /// Appends a whole text message (RFC 6455 §5.6) to `out`: its header, then the text, which a client masks.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`]; `out` is unchanged then.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append_text(&mut self, out: &mut Vec<u8>, text: &str, key: R::Key) -> Result<(), SendError> {
        self.append_message(out, Kind::Text, text.as_bytes(), key)
    }

    /// Appends a whole binary message (RFC 6455 §5.6) to `out`: its header, then the payload, which a client masks.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`]; `out` is unchanged then.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append_binary(&mut self, out: &mut Vec<u8>, payload: &[u8], key: R::Key) -> Result<(), SendError> {
        self.append_message(out, Kind::Binary, payload, key)
    }

    /// Appends a whole message (RFC 6455 §5.6) of this kind to `out`. The caller promises that a text is UTF-8.
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

    /// Returns the header of a text message (RFC 6455 §5.6). The host writes `text` after it; a client first masks it
    /// with the same key ([`mask::apply`], [`mask::apply_to`]).
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`].
    #[inline]
    pub fn text_header(&mut self, text: &str, key: R::Key) -> Result<HeaderBytes, SendError> {
        self.message_header(Kind::Text, Rsv::NONE, text.len() as u64, key)
    }

    /// Returns the header of a binary message (RFC 6455 §5.6). The host writes `payload` after it; a client first masks
    /// it with the same key ([`mask::apply`], [`mask::apply_to`]).
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`].
    #[inline]
    pub fn binary_header(&mut self, payload: &[u8], key: R::Key) -> Result<HeaderBytes, SendError> {
        self.message_header(Kind::Binary, Rsv::NONE, payload.len() as u64, key)
    }

    /// Returns the header of a message (RFC 6455 §5.6), and masks `payload` in place if this is a client. The host
    /// writes both.
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

    /// Returns the header of a message (RFC 6455 §5.6) with `len` bytes of payload, for a payload that is in several
    /// pieces or in a file, or that an extension encoded with the bits `rsv`. The host writes the payload after it; a
    /// client first masks it with the same key. The caller promises that a text is UTF-8 once decoded.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::ReservedBit`],
    /// [`SendError::PayloadTooLong`].
    #[inline(always)] // as `Header::encode`
    pub fn message_header(
        &mut self,
        kind: Kind,
        rsv: Rsv,
        len: u64,
        key: R::Key,
    ) -> Result<HeaderBytes, SendError> {
        self.may_send_message()?;
        self.may_set(rsv)?;
        data_header(opcode(kind), rsv, len, key.into(), true)
    }

    /// Returns the header of the next fragment of a message (RFC 6455 §5.4), with `len` bytes of payload. The first
    /// fragment starts the message, and the `last` one ends it. Only control frames may be sent between them. `rsv`
    /// counts for the first fragment only.
    ///
    /// The host writes the payload after the header; a client first masks it with the same key. The caller promises
    /// that the fragments of a text together are UTF-8; they may be cut inside a character.
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
    #[inline(always)] // as `Header::encode`
    pub fn fragment_header(
        &mut self,
        kind: Kind,
        rsv: Rsv,
        len: u64,
        last: bool,
        key: R::Key,
    ) -> Result<HeaderBytes, SendError> {
        self.may_send_fragment(kind)?;
        let (opcode, rsv) = if self.is_message_open() {
            (Opcode::Continuation, Rsv::NONE)
        } else {
            self.may_set(rsv)?;
            (opcode(kind), rsv)
        };
        let header = data_header(opcode, rsv, len, key.into(), last)?;
        self.outgoing = match kind {
            _ if last => Outgoing::Between,
            Kind::Text => Outgoing::Text,
            Kind::Binary => Outgoing::Binary,
        };
        Ok(header)
    }

    /// Returns a ping (RFC 6455 §5.5.2) with at most 125 bytes of payload.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn ping(&mut self, payload: &[u8], key: R::Key) -> Result<ControlFrame, SendError> {
        self.control(Opcode::Ping, payload, key)
    }

    /// Returns an unsolicited pong (RFC 6455 §5.5.3) with at most 125 bytes of payload. [`reply`](Self::reply) answers
    /// pings.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn pong(&mut self, payload: &[u8], key: R::Key) -> Result<ControlFrame, SendError> {
        self.control(Opcode::Pong, payload, key)
    }

    /// Returns a close (RFC 6455 §5.5.1), after which this end sends no data. Messages of the peer arrive until its own
    /// close. The reason has at most 123 bytes. [`CloseCode::NO_STATUS`] makes a close without a code.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::InvalidCloseCode`], [`SendError::ControlTooLong`].
    pub fn close(&mut self, code: CloseCode, reason: &str, key: R::Key) -> Result<ControlFrame, SendError> {
        self.may_send()?;
        check_close(code, reason)?;
        self.outgoing = Outgoing::Closed;
        Ok(close_frame(code, reason, key.into()))
    }

    /// Returns the frame that answers an event: a pong to a ping, a close to a close (RFC 6455 §5.5). Other events need
    /// no answer, and neither does a close if this end has sent one. Call this once for each event; the host decides
    /// when to write the frame.
    #[inline]
    #[must_use = "if there is a frame, the protocol demands it: write it"]
    pub fn reply(&mut self, event: &Event<'_>, key: impl KeySource<R>) -> Option<ControlFrame> {
        match event {
            Event::Ping(payload) => self.reply_to_ping(payload, key),
            Event::Close(payload) => self.reply_to_close(payload, key),
            _ => None,
        }
    }

    /// Ends both directions, and returns the close that says why, unless this end has made one before.
    pub(super) fn fail_by(
        &mut self,
        code: CloseCode,
        reason: &str,
        key: impl KeySource<R>,
    ) -> Option<ControlFrame> {
        let can_be_sent = code.may_be_sent() || code == CloseCode::NO_STATUS;
        let silent = self.outgoing == Outgoing::Closed || !can_be_sent;
        (self.outgoing, self.peer_finished) = (Outgoing::Closed, true);
        (!silent).then(|| close_frame(code, reason, key.key().into()))
    }

    /// Ends both directions. Whether a close must still be sent is left to [`fail_by`](Self::fail_by).
    pub(super) fn end(&mut self) {
        if self.outgoing != Outgoing::Closed {
            self.outgoing = Outgoing::Failed;
        }
        self.peer_finished = true;
    }

    #[cold]
    fn reply_to_ping(&self, payload: &[u8], key: impl KeySource<R>) -> Option<ControlFrame> {
        // Pongs are required until the peer's close (RFC 6455 §5.5.2): our own close forbids only data (§5.5.1).
        let over = self.close_expected() && self.peer_finished;
        (!over).then(|| ControlFrame::new(Opcode::Pong, key.key().into(), payload))
    }

    #[cold]
    fn reply_to_close(&mut self, payload: &[u8], key: impl KeySource<R>) -> Option<ControlFrame> {
        self.peer_finished = true;
        self.may_send().ok()?;
        let code = Close::parse(payload).unwrap_or(Close::NONE).code;
        self.close(code, "", key.key()).ok()
    }

    fn control(&self, opcode: Opcode, payload: &[u8], key: R::Key) -> Result<ControlFrame, SendError> {
        self.may_send()?;
        if payload.len() > control::MAX_PAYLOAD {
            return Err(SendError::ControlTooLong);
        }
        Ok(ControlFrame::new(opcode, key.into(), payload))
    }

    /// Whether anything may be sent. This is checked first: if not, the other errors do not matter.
    #[inline]
    fn may_send(&self) -> Result<(), SendError> {
        if self.close_expected() { Err(SendError::Closed) } else { Ok(()) }
    }

    /// Whether an extension uses these reserved bits. A deflater asks this before it compresses a message in steps.
    #[inline]
    pub(crate) fn may_set(&self, rsv: Rsv) -> Result<(), SendError> {
        if self.extension_bits.contains(rsv) { Ok(()) } else { Err(SendError::ReservedBit) }
    }

    /// Whether a message may be sent now. A deflater asks this before it compresses one.
    #[inline(always)]
    pub(crate) const fn may_send_message(&self) -> Result<(), SendError> {
        if matches!(self.outgoing, Outgoing::Between) {
            return Ok(());
        }
        Err(if self.close_expected() { SendError::Closed } else { SendError::MessageOpen })
    }

    /// Whether a fragment of this kind may be sent now. A deflater asks this before it compresses one.
    #[inline(always)]
    pub(crate) const fn may_send_fragment(&self, kind: Kind) -> Result<(), SendError> {
        match (self.outgoing, kind) {
            (Outgoing::Between, _) | (Outgoing::Text, Kind::Text) | (Outgoing::Binary, Kind::Binary) => {
                Ok(())
            }
            (Outgoing::Text | Outgoing::Binary, _) => Err(SendError::KindChanged),
            (Outgoing::Failed | Outgoing::Closed, _) => Err(SendError::Closed),
        }
    }
}

impl<R: Role> fmt::Debug for Sending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("outgoing", &self.outgoing).finish_non_exhaustive()
    }
}

/// The sending half of a connection, made by [`Connection::split`](crate::Connection::split). It dereferences to
/// [`Sending`].
#[derive(Debug)]
pub struct SendHalf<R: Role>(pub(super) Sending<R>);

impl<R: Role> SendHalf<R> {
    /// The state of the connection (RFC 6455 §7.1), as far as this half was told by [`reply`](Sending::reply) and
    /// [`fail`](Self::fail).
    pub const fn state(&self) -> State {
        State::of(self.0.close_expected(), self.0.peer_finished)
    }

    /// Fails the connection because of an error of the peer (RFC 6455 §7.1.7), which the receiving half or a stage has
    /// returned: see [`Connection::fail`](crate::Connection::fail).
    #[must_use = "if there is a frame, the peer must get it: write it"]
    pub fn fail(&mut self, error: ProtocolError, key: impl KeySource<R>) -> Option<ControlFrame> {
        self.0.fail_by(error.close_code(), error.reason(), key)
    }

    /// Fails the connection for a reason of the application (RFC 6455 §7.1.7): see
    /// [`Connection::fail_with`](crate::Connection::fail_with). The receiving half must be
    /// [stopped](crate::ReceiveHalf::stop), too.
    ///
    /// # Errors
    /// As [`Connection::fail_with`](crate::Connection::fail_with).
    pub fn fail_with(
        &mut self,
        code: CloseCode,
        reason: &str,
        key: impl KeySource<R>,
    ) -> Result<ControlFrame, SendError> {
        check_close(code, reason)?;
        self.0.fail_by(code, reason, key).ok_or(SendError::Closed)
    }
}

impl<R: Role> ops::Deref for SendHalf<R> {
    type Target = Sending<R>;

    #[inline]
    fn deref(&self) -> &Sending<R> {
        &self.0
    }
}

impl<R: Role> ops::DerefMut for SendHalf<R> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Sending<R> {
        &mut self.0
    }
}

/// Whether a close may have this code and reason.
pub(super) fn check_close(code: CloseCode, reason: &str) -> Result<(), SendError> {
    if !code.may_be_sent() && (code != CloseCode::NO_STATUS || !reason.is_empty()) {
        return Err(SendError::InvalidCloseCode);
    }
    if reason.len() > Close::MAX_REASON {
        return Err(SendError::ControlTooLong);
    }
    Ok(())
}

/// The header of a whole message that the connection has allowed.
#[cfg(feature = "deflate")]
pub(crate) const fn whole_header(kind: Kind, rsv: Rsv, payload_len: u64, key: Option<Key>) -> HeaderBytes {
    Header { fin: true, rsv, opcode: opcode(kind), key, payload_len }.encode()
}

/// The header of a data frame.
#[inline(always)] // as `Header::encode`
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

/// A close frame. It has no payload if the code is [`CloseCode::NO_STATUS`].
fn close_frame(code: CloseCode, reason: &str, key: Option<Key>) -> ControlFrame {
    let mut payload = Payload::new(&[]);
    if code != CloseCode::NO_STATUS {
        payload.push(&code.get().to_be_bytes());
        payload.push(reason.as_bytes());
    }
    ControlFrame::new(Opcode::Close, key, payload.as_slice())
}
