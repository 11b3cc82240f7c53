//! Level 1: the code and the reason of a close frame (RFC 6455 §5.5.1, §7.4).

use crate::{error::ProtocolError, utf8};

/// A close code (RFC 6455 §7.4 and the IANA registry).
///
/// ```
/// use framewire::CloseCode;
///
/// assert!(CloseCode::NORMAL.may_be_sent());
/// assert!(CloseCode::new(4000).may_be_sent());
/// assert!(!CloseCode::ABNORMAL.may_be_sent());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the connection has done its work.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away, because a server shuts down or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: the endpoint does not accept this kind of data.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: the close frame carried no code. Never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. Never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: the data does not match the kind of its message, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: the endpoint's policy refuses the message.
    pub const POLICY: Self = Self(1008);
    /// 1009: the message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the server did not agree to an extension that the client needs.
    pub const EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition keeps the endpoint from going on.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: the server restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: the server is overloaded; try again later.
    pub const TRY_AGAIN: Self = Self(1013);
    /// 1014: a gateway got an invalid response from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: TLS failed. Never on the wire.
    pub const TLS: Self = Self(1015);

    /// The code with this number, even if it [may not be sent](Self::may_be_sent).
    #[inline]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether a close frame may carry the code (RFC 6455 §7.4): 1000–1003 and 1007–1014 (registered), 3000–3999 (for
    /// libraries), and 4000–4999 (private).
    #[inline]
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// The payload of a close frame (RFC 6455 §5.5.1): a code, and a reason that may be empty.
///
/// ```
/// use framewire::{Close, CloseCode};
///
/// let close = Close::parse(b"\x03\xe8bye")?;
/// assert_eq!((close.code, close.reason), (CloseCode::NORMAL, "bye"));
/// assert_eq!(Close::parse(b"")?.code, CloseCode::NO_STATUS);
/// # Ok::<(), framewire::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Close<'a> {
    /// The code; [`CloseCode::NO_STATUS`] if the payload is empty (RFC 6455 §7.1.5).
    pub code: CloseCode,
    /// The reason, for a log rather than for a person: at most 123 bytes.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// The longest reason, in bytes: a control frame has room for 125, and the code takes two.
    pub const MAX_REASON: usize = 123;

    /// The meaning of an empty payload.
    pub(crate) const NONE: Self = Self { code: CloseCode::NO_STATUS, reason: "" };

    /// Parses the payload of a close frame (RFC 6455 §5.5.1), which is already unmasked.
    ///
    /// # Errors
    /// [`ProtocolError::CloseTooShort`] if the payload is one byte, [`ProtocolError::InvalidCloseCode`] if the code may
    /// not be sent, [`ProtocolError::InvalidUtf8`] if the reason is not UTF-8.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        match payload {
            [] => Ok(Self::NONE),
            [_] => Err(ProtocolError::CloseTooShort),
            &[high, low, ref reason @ ..] => {
                let code = CloseCode(u16::from_be_bytes([high, low]));
                if !code.may_be_sent() {
                    return Err(ProtocolError::InvalidCloseCode);
                }
                let reason = utf8::validate(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
                Ok(Self { code, reason })
            }
        }
    }
}

impl ProtocolError {
    /// The code that tells the peer what it did wrong (RFC 6455 §7.4.1). For [`UnexpectedEof`](Self::UnexpectedEof) it
    /// is [`CloseCode::ABNORMAL`], which is never sent.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::FrameTooBig | Self::MessageTooBig => CloseCode::TOO_BIG,
            Self::InvalidUtf8 | Self::CorruptDeflate => CloseCode::INVALID_DATA,
            Self::UnexpectedEof => CloseCode::ABNORMAL,
            _ => CloseCode::PROTOCOL,
        }
    }
}
