//! The response that opens a WebSocket: 101 Switching Protocols (RFC 6455 §4.2.2).

use core::fmt::{self, Write};

use super::headers::is_token;
use super::write::{self, Extra, Message, check_extra, write_extra, write_list};
use super::{AcceptKey, BuildError, Upgrade};
use crate::extension::{DeflateOffer, DeflateResponse};

/// The response that opens a WebSocket: `101 Switching Protocols` (RFC 6455 §4.2.2). What is written behind it are
/// frames.
///
/// ```
/// use framewire::handshake::{UpgradeResponse, BuildError, accept_key};
///
/// let mut buffer = [0; 256];
/// let answer = UpgradeResponse::new(accept_key("dGhlIHNhbXBsZSBub25jZQ==")).extra_headers(&[("Server", "example")]);
/// let len = answer.write_to(&mut buffer)?;
/// assert_eq!(
///     &buffer[..len],
///     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nServer: example\r\n\r\n"
/// );
/// assert_eq!(answer.extra_headers(&[("X", "a\r\nSet-Cookie: b")]).write_to(&mut buffer), Err(BuildError::InvalidHeader));
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct UpgradeResponse<'a> {
    accept: AcceptKey,
    /// What the client asked for, where it is known.
    upgrade: Option<Upgrade<'a, 'a>>,
    subprotocol: Option<&'a str>,
    deflate: Option<DeflateResponse>,
    extra: Extra<'a>,
}

impl<'a> UpgradeResponse<'a> {
    /// The answer to a client's key, for hosts that hold it already. [`Upgrade::accept`] is better where there is an
    /// [`Upgrade`]: that answer is held against what the client asked for.
    pub fn new(accept: AcceptKey) -> Self {
        Self { accept, upgrade: None, subprotocol: None, deflate: None, extra: &[] }
    }

    pub(super) fn to_request(upgrade: Upgrade<'a, 'a>) -> Self {
        Self { upgrade: Some(upgrade), ..Self::new(upgrade.key().accept()) }
    }

    /// The subprotocol that is chosen, one of those that the client asked for; `None` by default.
    pub fn subprotocol(self, subprotocol: Option<&'a str>) -> Self {
        Self { subprotocol, ..self }
    }

    /// The answer to the client's offer of permessage-deflate, which [`Upgrade::deflate`] makes; `None`, the default,
    /// declines it.
    pub fn deflate(self, deflate: Option<DeflateResponse>) -> Self {
        Self { deflate, ..self }
    }

    /// Further headers, name and value: cookies, for one. Not those that the handshake writes itself.
    pub fn extra_headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { extra: headers, ..self }
    }

    /// Writes it at the start of `buffer`, and returns its length.
    ///
    /// # Errors
    /// [`BuildError::BufferTooSmall`], and then `buffer` holds nothing of use;
    /// [`InvalidSubprotocol`](BuildError::InvalidSubprotocol), [`InvalidExtension`](BuildError::InvalidExtension),
    /// [`InvalidHeader`](BuildError::InvalidHeader), [`ReservedHeader`](BuildError::ReservedHeader).
    pub fn write_to(&self, buffer: &mut [u8]) -> Result<usize, BuildError> {
        write::write_to(self, buffer)
    }

    /// Writes it to a new `Vec`.
    ///
    /// # Errors
    /// As [`write_to`](Self::write_to), but for the room.
    #[cfg(feature = "alloc")]
    pub fn to_vec(&self) -> Result<alloc::vec::Vec<u8>, BuildError> {
        write::to_vec(self)
    }
}

impl Message for UpgradeResponse<'_> {
    fn validate(&self) -> Result<(), BuildError> {
        if let Some(chosen) = self.subprotocol {
            let asked = |upgrade: Upgrade<'_, '_>| upgrade.subprotocols().any(|name| name == chosen);
            if !is_token(chosen.as_bytes()) || !self.upgrade.is_none_or(asked) {
                return Err(BuildError::InvalidSubprotocol);
            }
        }
        if let Some(answer) = self.deflate {
            let valid = DeflateOffer {
                server_max_window_bits: answer.server_max_window_bits,
                client_max_window_bits: answer.client_max_window_bits,
                ..DeflateOffer::default()
            };
            let fits = |offer: DeflateOffer| offer.check(&answer).is_ok();
            let offered = |upgrade: Upgrade<'_, '_>| {
                upgrade.extensions().filter_map(|element| DeflateOffer::parse(&element).ok()).any(fits)
            };
            if !valid.is_valid() || !self.upgrade.is_none_or(offered) {
                return Err(BuildError::InvalidExtension);
            }
        }
        check_extra(
            self.extra,
            &["upgrade", "connection", "sec-websocket-*", "content-length", "transfer-encoding"],
        )
    }

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")?;
        write!(out, "Sec-WebSocket-Accept: {}\r\n", self.accept)?;
        write_list("Sec-WebSocket-Protocol", self.subprotocol, out)?;
        write_list("Sec-WebSocket-Extensions", self.deflate, out)?;
        write_extra(self.extra, out)?;
        out.write_str("\r\n")
    }
}
