//! `Sec-WebSocket-Key`, and `Sec-WebSocket-Accept`, which is computed from it (RFC 6455 §1.3). They prove that the
//! server speaks WebSocket; they are not secrets.

use core::{fmt, ops, str};

use base64::alphabet;
use base64::engine::{Engine as _, GeneralPurpose, GeneralPurposeConfig};
use sha1_smol::Sha1;

use super::error::HandshakeError;

/// The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2). The key is not checked: use
/// [`ClientKey::parse`] for a key that a client sent.
///
/// ```
/// // The example of RFC 6455 §1.3.
/// let accept = framewire::handshake::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(*accept, *"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: impl AsRef<[u8]>) -> AcceptKey {
    let mut sha1 = Sha1::new();
    sha1.update(key.as_ref());
    sha1.update(GUID);
    AcceptKey(encode(&sha1.digest().bytes()))
}

/// A `Sec-WebSocket-Key` (RFC 6455 §4.1): sixteen random bytes in base64, which are 24 characters. It derefs to `str`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey([u8; 24]);

impl ClientKey {
    /// The key of a client, from 16 random bytes. The host must draw new ones for each connection (RFC 6455 §4.1).
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(encode(&random))
    }

    /// The key that a client sent. White space around it is allowed, and so are set bits in the last character that
    /// decode to nothing: a key is never used decoded.
    ///
    /// # Errors
    /// [`HandshakeError::InvalidKey`] unless it is the base64 of exactly 16 bytes (RFC 6455 §4.2.1).
    ///
    /// ```
    /// use framewire::handshake::ClientKey;
    ///
    /// assert!(ClientKey::parse("dGhlIHNhbXBsZSBub25jZQ==").is_ok());
    /// assert!(ClientKey::parse("SGVsbG8sIHdvcmxkIQ==").is_err()); // 13 bytes
    /// ```
    pub fn parse(value: impl AsRef<[u8]>) -> Result<Self, HandshakeError> {
        let text = value.as_ref().trim_ascii();
        let mut decoded = [0; 18]; // the most that 24 characters decode to
        match (text.try_into(), BASE64.decode_slice(text.get(..24).unwrap_or_default(), &mut decoded)) {
            (Ok(text), Ok(16)) => Ok(Self(text)),
            _ => Err(HandshakeError::InvalidKey),
        }
    }

    /// The `Sec-WebSocket-Accept` of the server's response (RFC 6455 §4.2.2).
    #[must_use]
    pub fn accept(&self) -> AcceptKey {
        accept_key(self.0)
    }
}

/// A `Sec-WebSocket-Accept` (RFC 6455 §4.2.2): a SHA-1 in base64, which are 28 characters. It derefs to `str`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AcceptKey([u8; 28]);

macro_rules! read_as_str {
    ($($type:ident)*) => {$(
        impl ops::Deref for $type {
            type Target = str;

            fn deref(&self) -> &str {
                str::from_utf8(&self.0).unwrap_or_default() // base64 is ASCII
            }
        }

        impl AsRef<[u8]> for $type {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }
    )*};
}

read_as_str!(ClientKey AcceptKey);

/// The base64 of `bytes`. `N` must be its length.
fn encode<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [0; N];
    let written = BASE64.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(N));
    text
}

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
