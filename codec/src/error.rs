//! What can go wrong, by blame: [`ProtocolError`] is the peer's doing, [`SendError`] the caller's.

use core::{error, fmt};

/// The peer broke the protocol. Fatal: the connection can only be failed (RFC 6455 §7.1.7).
///
/// [`close_code`](Self::close_code) is the code that tells the peer why.
///
/// ```
/// use framewire::{CloseCode, Header, ProtocolError};
///
/// let error = Header::parse(&[0x83, 0x00]).unwrap_err(); // opcode 3 is reserved
/// assert_eq!(error, ProtocolError::ReservedOpcode);
/// assert_eq!(error.close_code(), CloseCode::PROTOCOL);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame carries one of the opcodes 3–7 or 11–15 (RFC 6455 §5.2).
    ReservedOpcode,
    /// A control frame is a fragment (RFC 6455 §5.5).
    FragmentedControl,
    /// A control frame declares more than 125 bytes of payload (RFC 6455 §5.5).
    ControlTooLong,
    /// A payload length is not written in the fewest bytes (RFC 6455 §5.2).
    LengthNotMinimal,
    /// The most significant bit of a 64-bit payload length is set (RFC 6455 §5.2).
    LengthOutOfRange,
    /// A client sent a frame that is not masked (RFC 6455 §5.1).
    MaskMissing,
    /// A server sent a frame that is masked (RFC 6455 §5.1).
    MaskUnexpected,
    /// A reserved bit is set that no negotiated extension gave a meaning, or on a frame where its extension
    /// does not allow it (RFC 6455 §5.2, RFC 7692 §6).
    ReservedBit,
    /// A continuation frame arrived while no message was open (RFC 6455 §5.4).
    UnexpectedContinuation,
    /// A new text or binary frame arrived inside a fragmented message (RFC 6455 §5.4).
    ExpectedContinuation,
    /// A frame declares more payload than [`Limits::frame`](crate::Limits::frame) allows.
    FrameTooBig,
    /// A message is longer than [`Limits::message`](crate::Limits::message), or than the stage that collects or
    /// inflates it, allows.
    MessageTooBig,
    /// Text, or the reason of a close, is not UTF-8 (RFC 6455 §8.1).
    InvalidUtf8,
    /// A compressed message is not the deflate stream that it should be, or not the whole of one (RFC 7692 §7.2.2).
    CorruptDeflate,
    /// The payload of a close frame is a single byte (RFC 6455 §5.5.1).
    CloseTooShort,
    /// A close frame carries a code that may not be sent (RFC 6455 §7.4).
    InvalidCloseCode,
    /// The stream ended before the closing handshake did (RFC 6455 §7.1.5). Nothing can be sent any more.
    UnexpectedEof,
}

impl ProtocolError {
    /// What went wrong, in words; also the reason in the close frame that tells the peer.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::ReservedOpcode => "a frame has a reserved opcode",
            Self::FragmentedControl => "a control frame is fragmented",
            Self::ControlTooLong => "a control frame has more than 125 bytes of payload",
            Self::LengthNotMinimal => "a payload length is not written in the fewest bytes",
            Self::LengthOutOfRange => "a payload length has its most significant bit set",
            Self::MaskMissing => "a frame from a client is not masked",
            Self::MaskUnexpected => "a frame from a server is masked",
            Self::ReservedBit => "a reserved bit is set without an extension that allows it",
            Self::UnexpectedContinuation => "a continuation frame has no message to continue",
            Self::ExpectedContinuation => "a new message starts inside a fragmented one",
            Self::FrameTooBig => "a frame is over the frame limit",
            Self::MessageTooBig => "a message is over the message limit",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::CorruptDeflate => "a compressed message is corrupt",
            Self::CloseTooShort => "a close frame has a payload of one byte",
            Self::InvalidCloseCode => "a close frame has a code that may not be sent",
            Self::UnexpectedEof => "the stream ended before the closing handshake",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl error::Error for ProtocolError {}

/// The caller asked for something that the protocol does not allow now. Nothing was sent, nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// A close frame went out already, or the connection failed (RFC 6455 §5.5.1).
    Closed,
    /// A fragmented message is still open: finish it first (RFC 6455 §5.4).
    MessageOpen,
    /// The fragment is of another kind than the message that it continues.
    KindChanged,
    /// No extension was agreed on that gives the reserved bit a meaning (RFC 6455 §5.2):
    /// [`with_extension_bits`](crate::Connection::with_extension_bits).
    ReservedBit,
    /// The payload of a control frame may be no longer than 125 bytes, two of which a close code takes
    /// (RFC 6455 §5.5).
    ControlTooLong,
    /// The payload is longer than a frame can say: 2⁶³ bytes or more (RFC 6455 §5.2).
    PayloadTooLong,
    /// This close code may not be put on the wire (RFC 6455 §7.4).
    InvalidCloseCode,
    /// The text is not UTF-8 (RFC 6455 §5.6).
    InvalidUtf8,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closed for sending",
            Self::MessageOpen => "a fragmented message is still open",
            Self::KindChanged => "the fragment is of another kind than its message",
            Self::ReservedBit => "no extension gives the reserved bit a meaning",
            Self::ControlTooLong => "the payload of a control frame is too long",
            Self::PayloadTooLong => "the payload is longer than a frame can say",
            Self::InvalidCloseCode => "this close code may not be sent",
            Self::InvalidUtf8 => "the text is not UTF-8",
        })
    }
}

impl error::Error for SendError {}
