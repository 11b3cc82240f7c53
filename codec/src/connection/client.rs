//! The verbs of a client. Each takes the key that masks the frame, fresh and unpredictable for each (RFC 6455 §5.3,
//! §10.3): the host draws it. Payload is masked in place; to mask a copy and leave the original alone, take the
//! header from [`Connection::message`] and use [`mask::apply_to`].

use super::{Client, Connection};
use crate::{
    close::CloseCode,
    control::ControlFrame,
    error::{ProtocolError, SendError},
    event::{Event, Kind},
    frame::{HeaderBytes, Opcode, Rsv},
    mask::{self, Key},
    utf8,
};

impl Connection<Client> {
    /// Masks `text` in place and gives the header of its message (RFC 6455 §5.6): **only the header**, behind which the
    /// host writes what `text` has become.
    ///
    /// ```
    /// use framewire::{Client, Connection, mask::Key};
    ///
    /// let mut connection = Connection::<Client>::new();
    /// let mut payload = *b"Hello";
    /// let header = connection.text(Key::new([0x37, 0xfa, 0x21, 0x3d]), &mut payload)?;
    /// assert_eq!(header[..], [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
    /// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::InvalidUtf8`]; `text` is as it was then.
    pub fn text(&mut self, key: Key, text: &mut [u8]) -> Result<HeaderBytes, SendError> {
        let header = self.message(key, Kind::Text, Rsv::NONE, text.len() as u64)?;
        utf8::validate(text).map_err(|_| SendError::InvalidUtf8)?;
        mask::apply(key, text);
        Ok(header)
    }

    /// Masks `payload` in place and gives the header of its message (RFC 6455 §5.6): **only the header**, behind which
    /// the host writes what `payload` has become.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`]; `payload` is as it was then.
    pub fn binary(&mut self, key: Key, payload: &mut [u8]) -> Result<HeaderBytes, SendError> {
        let header = self.message(key, Kind::Binary, Rsv::NONE, payload.len() as u64)?;
        mask::apply(key, payload);
        Ok(header)
    }

    /// The header of a message of `len` bytes that the host masks with `key` itself. The bytes of a text must be
    /// UTF-8 before that: that is the caller's word. `rsv` is for an extension that codes the message.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::ReservedBit`],
    /// [`SendError::PayloadTooLong`].
    #[inline]
    pub fn message(&mut self, key: Key, kind: Kind, rsv: Rsv, len: u64) -> Result<HeaderBytes, SendError> {
        self.send_message(kind, rsv, len, Some(key))
    }

    /// The header of the next fragment, of `len` bytes that the host masks with `key` itself: the first starts a
    /// message, the `last` ends it (RFC 6455 §5.4). Only control frames may go between. `rsv` counts on the first
    /// fragment alone. The fragments of a text together must be UTF-8, and may be cut inside a character: that is
    /// the caller's word.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::KindChanged`], [`SendError::ReservedBit`],
    /// [`SendError::PayloadTooLong`].
    pub fn fragment(
        &mut self,
        key: Key,
        kind: Kind,
        rsv: Rsv,
        len: u64,
        last: bool,
    ) -> Result<HeaderBytes, SendError> {
        self.send_fragment(kind, rsv, len, Some(key), last)
    }

    /// A ping (RFC 6455 §5.5.2) with at most 125 bytes of payload.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn ping(&mut self, key: Key, payload: &[u8]) -> Result<ControlFrame, SendError> {
        self.send_control(Opcode::Ping, payload, Some(key))
    }

    /// A pong that nobody asked for (RFC 6455 §5.5.3). Those that were asked for are [`reply`](Self::reply)'s.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn pong(&mut self, key: Key, payload: &[u8]) -> Result<ControlFrame, SendError> {
        self.send_control(Opcode::Pong, payload, Some(key))
    }

    /// A close (RFC 6455 §5.5.1): the last frame. The reason is at most 123 bytes. [`CloseCode::NO_STATUS`] makes
    /// one that says nothing.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::InvalidCloseCode`], [`SendError::ControlTooLong`].
    pub fn close(&mut self, key: Key, code: CloseCode, reason: &str) -> Result<ControlFrame, SendError> {
        self.send_close(code, reason, Some(key))
    }

    /// What an event obliges this end to answer: a pong, or the close that ends the handshake. `key` is asked only
    /// where there is an answer. The host writes it, and decides when. To be asked once for each event.
    #[inline]
    pub fn reply(&mut self, event: &Event<'_>, key: impl FnOnce() -> Key) -> Option<ControlFrame> {
        self.answer(event, || Some(key()))
    }

    /// Fails the connection (RFC 6455 §7.1.7): the close that tells the peer why; `None` where a close went out
    /// already, or nobody is there to read it. The host writes it behind what is queued, then waits a little for
    /// the server to close the socket.
    pub fn fail(&mut self, error: ProtocolError, key: impl FnOnce() -> Key) -> Option<ControlFrame> {
        self.send_failure(error, || Some(key()))
    }
}
