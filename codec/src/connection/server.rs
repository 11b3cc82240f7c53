//! The verbs of a server. Each gives a header, or a whole control frame, for the host to write; payload stays
//! where it is, and is written behind its header as it stands.

use super::{Connection, Server};
use crate::{
    close::CloseCode,
    control::ControlFrame,
    error::{ProtocolError, SendError},
    event::{Event, Kind},
    frame::{HeaderBytes, Opcode, Rsv},
};

impl Connection<Server> {
    /// The header of a text message (RFC 6455 §5.6). **Only the header:** the host writes `text` behind it.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`].
    #[inline]
    pub fn text(&mut self, text: &str) -> Result<HeaderBytes, SendError> {
        self.message(Kind::Text, Rsv::NONE, text.len() as u64)
    }

    /// The header of a binary message (RFC 6455 §5.6). **Only the header:** the host writes `payload` behind it.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`].
    #[inline]
    pub fn binary(&mut self, payload: &[u8]) -> Result<HeaderBytes, SendError> {
        self.message(Kind::Binary, Rsv::NONE, payload.len() as u64)
    }

    /// The header of a message of `len` bytes, wherever they are: in several pieces, in a file, coded by an
    /// extension that sets `rsv`. The bytes of a text must be UTF-8: that is the caller's word.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::ReservedBit`],
    /// [`SendError::PayloadTooLong`].
    #[inline]
    pub fn message(&mut self, kind: Kind, rsv: Rsv, len: u64) -> Result<HeaderBytes, SendError> {
        self.send_message(kind, rsv, len, None)
    }

    /// The header of the next fragment, of `len` bytes, of a message: the first starts it, the `last` ends it
    /// (RFC 6455 §5.4). Only control frames may go between. `rsv` counts on the first fragment alone. The
    /// fragments of a text together must be UTF-8, and may be cut inside a character: that is the caller's word.
    ///
    /// ```
    /// use framewire::{Connection, Kind, Rsv, Server};
    ///
    /// let mut connection = Connection::<Server>::new();
    /// assert_eq!(connection.fragment(Kind::Text, Rsv::NONE, 3, false)?[..], [0x01, 3]); // "Hel"
    /// assert_eq!(connection.fragment(Kind::Text, Rsv::NONE, 2, true)?[..], [0x80, 2]); // "lo"
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::KindChanged`], [`SendError::ReservedBit`],
    /// [`SendError::PayloadTooLong`].
    pub fn fragment(&mut self, kind: Kind, rsv: Rsv, len: u64, last: bool) -> Result<HeaderBytes, SendError> {
        self.send_fragment(kind, rsv, len, None, last)
    }

    /// A ping (RFC 6455 §5.5.2) with at most 125 bytes of payload.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<ControlFrame, SendError> {
        self.send_control(Opcode::Ping, payload, None)
    }

    /// A pong that nobody asked for (RFC 6455 §5.5.3). Those that were asked for are [`reply`](Self::reply)'s.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::ControlTooLong`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<ControlFrame, SendError> {
        self.send_control(Opcode::Pong, payload, None)
    }

    /// A close (RFC 6455 §5.5.1): the last frame. The reason is at most 123 bytes. [`CloseCode::NO_STATUS`] makes
    /// one that says nothing.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::InvalidCloseCode`], [`SendError::ControlTooLong`].
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<ControlFrame, SendError> {
        self.send_close(code, reason, None)
    }

    /// What an event obliges this end to answer: a pong, or the close that ends the handshake. The host writes it, and
    /// decides when. To be asked once for each event.
    #[inline]
    pub fn reply(&mut self, event: &Event<'_>) -> Option<ControlFrame> {
        self.answer(event, || None)
    }

    /// Fails the connection (RFC 6455 §7.1.7): the close that tells the peer why; `None` where a close went out
    /// already, or nobody is there to read it. The host writes it behind what is queued, then closes the socket.
    pub fn fail(&mut self, error: ProtocolError) -> Option<ControlFrame> {
        self.send_failure(error, || None)
    }
}
