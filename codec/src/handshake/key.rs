//! `Sec-WebSocket-Key` and its answer, `Sec-WebSocket-Accept` (RFC 6455 §1.3): proof that the server speaks WebSocket,
//! not a secret.

use core::{fmt, ops, str};

use base64::alphabet;
use base64::engine::{Engine as _, GeneralPurpose, GeneralPurposeConfig};
use sha1_smol::Sha1;

use super::HandshakeError;

/// The answer to the `key` of a client, as it stands in the header. The key is taken as it is: see
/// [`ClientKey::parse`] for one that a client sent.
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

/// A `Sec-WebSocket-Key`: sixteen random bytes in base64, 24 characters. It is read as a `str`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey([u8; 24]);

impl ClientKey {
    /// The key of a client, from 16 bytes that the host drew at random, anew for each connection (RFC 6455 §4.1).
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(encode(&random))
    }

    /// The key that a client sent, white space around it allowed. Bits of the last character that decode to nothing
    /// may be set: the key is never used decoded.
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
        let mut decoded = [0; 18]; // 24 characters could stand for as many
        match (text.try_into(), BASE64.decode_slice(text.get(..24).unwrap_or_default(), &mut decoded)) {
            (Ok(text), Ok(16)) => Ok(Self(text)),
            _ => Err(HandshakeError::InvalidKey),
        }
    }

    /// What a server answers.
    #[must_use]
    pub fn accept(&self) -> AcceptKey {
        accept_key(self.0)
    }
}

/// A `Sec-WebSocket-Accept`: a SHA-1 in base64, 28 characters. It is read as a `str`.
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

/// The base64 of `bytes`, where `N` is the length of exactly that; otherwise what there is room for, which is nothing.
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
