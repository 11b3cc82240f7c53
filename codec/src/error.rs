//! Errors by blame: a [`ProtocolError`] is the peer's fault, a [`SendError`] the caller's.

use core::{error, fmt};

/// The peer broke the protocol. The host must fail the connection (RFC 6455 §7.1.7): [`fail`](crate::Connection::fail)
/// returns the close frame that tells the peer why, with the code of [`close_code`](Self::close_code).
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
    /// A reserved bit is set that no negotiated extension uses, or that its extension does not allow on this frame
    /// (RFC 6455 §5.2, RFC 7692 §6).
    ReservedBit,
    /// A continuation frame arrived while no message was open (RFC 6455 §5.4).
    UnexpectedContinuation,
    /// A new text or binary frame arrived inside a fragmented message (RFC 6455 §5.4).
    ExpectedContinuation,
    /// A frame declares more payload than [`Limits::frame`](crate::Limits::frame) allows.
    FrameTooBig,
    /// A message is longer than [`Limits::message`](crate::Limits::message) or the limit of an `Assembler` allows; or
    /// it inflates to more than `InflateConfig::message`.
    MessageTooBig,
    /// A text, or the reason of a close, is not UTF-8 (RFC 6455 §8.1).
    InvalidUtf8,
    /// A compressed message is not a deflate stream, or ends before its stream does (RFC 7692 §7.2.2).
    CorruptDeflate,
    /// The payload of a close frame is a single byte (RFC 6455 §5.5.1).
    CloseTooShort,
    /// A close frame carries a code that may not be sent (RFC 6455 §7.4).
    InvalidCloseCode,
    /// The stream ended before the peer sent a close (RFC 6455 §7.1.5).
    UnexpectedEof,
}

impl ProtocolError {
    /// The error as text: what `Display` writes, and the reason in the close frame to the peer.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::ReservedOpcode => "a frame has a reserved opcode",
            Self::FragmentedControl => "a control frame is fragmented",
            Self::ControlTooLong => "a control frame has more than 125 bytes of payload",
            Self::LengthNotMinimal => "a payload length is not written in the fewest bytes",
            Self::LengthOutOfRange => "a payload length has its most significant bit set",
            Self::MaskMissing => "a frame from a client is not masked",
            Self::MaskUnexpected => "a frame from a server is masked",
            Self::ReservedBit => "a reserved bit is set that no extension allows here",
            Self::UnexpectedContinuation => "a continuation frame has no message to continue",
            Self::ExpectedContinuation => "a new message starts inside a fragmented message",
            Self::FrameTooBig => "a frame is larger than the frame limit",
            Self::MessageTooBig => "a message is larger than the message limit",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::CorruptDeflate => "a compressed message is corrupt",
            Self::CloseTooShort => "a close frame has a payload of one byte",
            Self::InvalidCloseCode => "a close frame has a code that may not be sent",
            Self::UnexpectedEof => "the stream ended without a close frame",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl error::Error for ProtocolError {}

/// The caller asked for a frame that the protocol does not allow now. No frame was made, and the connection is
/// unchanged. (Exception: [`fail_with`](crate::Connection::fail_with) fails the connection even if it returns `Closed`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// A close was sent before, or the connection failed (RFC 6455 §5.5.1).
    Closed,
    /// A fragmented message is being sent: finish it first (RFC 6455 §5.4).
    MessageOpen,
    /// The fragment is text and its message binary, or the other way round (RFC 6455 §5.4).
    KindChanged,
    /// No extension uses the reserved bit (RFC 6455 §5.2). The host allows bits with
    /// [`with_extension_bits`](crate::Connection::with_extension_bits).
    ReservedBit,
    /// The payload of a control frame is longer than 125 bytes (RFC 6455 §5.5), or the reason of a close is longer than
    /// 123.
    ControlTooLong,
    /// The payload has 2⁶³ bytes or more, which no header can express (RFC 6455 §5.2).
    PayloadTooLong,
    /// This close code may not be sent (RFC 6455 §7.4).
    InvalidCloseCode,
    /// The text is not UTF-8 (RFC 6455 §5.6).
    InvalidUtf8,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closed",
            Self::MessageOpen => "a fragmented message must be finished first",
            Self::KindChanged => "a fragment and its message are not of the same kind",
            Self::ReservedBit => "no extension uses this reserved bit",
            Self::ControlTooLong => "the payload of a control frame is longer than 125 bytes",
            Self::PayloadTooLong => "the payload is too long for a frame",
            Self::InvalidCloseCode => "this close code may not be sent",
            Self::InvalidUtf8 => "the text is not UTF-8",
        })
    }
}

impl error::Error for SendError {}
