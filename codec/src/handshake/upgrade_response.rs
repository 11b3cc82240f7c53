//! The response that opens a WebSocket: 101 Switching Protocols (RFC 6455 §4.2.2).

use core::fmt::{self, Write};

use super::error::BuildError;
use super::headers::is_token;
use super::key::AcceptKey;
use super::upgrade::Upgrade;
use super::write::{self, Extra, HeaderValue, OutgoingMessage, Value, check_extra, with_extra};
use crate::extension::{DeflateOffer, DeflateResponse};

/// The response that opens a WebSocket: `101 Switching Protocols` (RFC 6455 §4.2.2). Frames follow it.
///
/// ```
/// use framewire::handshake::{BuildError, UpgradeResponse, accept_key};
///
/// let mut buffer = [0; 256];
/// let response = UpgradeResponse::new(accept_key("dGhlIHNhbXBsZSBub25jZQ=="));
/// let len = response.extra_headers(&[("Server", "example")]).write_to(&mut buffer)?;
/// assert_eq!(
///     &buffer[..len],
///     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nServer: example\r\n\r\n"
/// );
///
/// let injected = response.extra_headers(&[("X", "a\r\nSet-Cookie: b")]);
/// assert_eq!(injected.write_to(&mut buffer), Err(BuildError::InvalidHeader));
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "the WebSocket is open only once this response was sent"]
pub struct UpgradeResponse<'a> {
    accept: AcceptKey,
    /// The client's request, if it is known.
    upgrade: Option<Upgrade<'a, 'a>>,
    subprotocol: Option<&'a str>,
    deflate: Option<DeflateResponse>,
    extra: Extra<'a>,
}

impl<'a> UpgradeResponse<'a> {
    /// A response with this `Sec-WebSocket-Accept`, for a host that has computed it. If there is an [`Upgrade`], use
    /// [`Upgrade::accept`]: its response is also checked against the client's request.
    pub fn new(accept: AcceptKey) -> Self {
        Self { accept, upgrade: None, subprotocol: None, deflate: None, extra: &[] }
    }

    /// Chooses one of the subprotocols that the client asked for; `None`, the default, chooses none
    /// (RFC 6455 §4.2.2).
    pub fn subprotocol(self, subprotocol: Option<&'a str>) -> Self {
        Self { subprotocol, ..self }
    }

    /// Accepts the client's offer of permessage-deflate with this response, which [`Upgrade::deflate`] makes; `None`,
    /// the default, declines it (RFC 7692 §5.1).
    pub fn deflate(self, deflate: Option<DeflateResponse>) -> Self {
        Self { deflate, ..self }
    }

    /// Adds headers, each a name and a value: cookies, for example. Headers that the handshake itself writes are
    /// refused when the response is written.
    pub fn extra_headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { extra: headers, ..self }
    }

    /// The headers that [`write_to`](Self::write_to) writes, for a host whose HTTP stack writes the 101. Nothing is
    /// allocated until a value is turned into a string.
    ///
    /// # Errors
    /// The same as [`write_to`](Self::write_to), except [`BuildError::BufferTooSmall`].
    ///
    /// ```
    /// use framewire::handshake::{UpgradeResponse, accept_key};
    ///
    /// let mut map = Vec::new(); // or an `http::HeaderMap`, with `HeaderName::try_from` and `HeaderValue::try_from`
    /// let response = UpgradeResponse::new(accept_key("dGhlIHNhbXBsZSBub25jZQ=="));
    /// for (name, value) in response.subprotocol(Some("chat")).headers()? {
    ///     map.push((name, value.to_string()));
    /// }
    /// let expected = [
    ///     ("Upgrade", "websocket"),
    ///     ("Connection", "Upgrade"),
    ///     ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ///     ("Sec-WebSocket-Protocol", "chat"),
    /// ];
    /// assert_eq!(map, expected.map(|(name, value)| (name, value.to_owned())));
    /// # Ok::<(), framewire::handshake::BuildError>(())
    /// ```
    pub fn headers(&self) -> Result<impl Iterator<Item = (&'a str, HeaderValue<'a>)> + use<'a>, BuildError> {
        write::headers(*self)
    }

    /// Writes the response at the start of `buffer`, and returns its length.
    ///
    /// # Errors
    /// - [`BuildError::BufferTooSmall`]: do not send the contents of `buffer` then.
    /// - [`BuildError::InvalidSubprotocol`]: the subprotocol is not a token, or the client did not ask for it.
    /// - [`BuildError::InvalidExtension`]: the response to permessage-deflate is invalid, or fits no offer of the
    ///   client.
    /// - [`BuildError::InvalidHeader`], [`BuildError::ReservedHeader`]: an extra header may not be sent.
    ///
    /// None of these is the client's fault: [`PlainResponse::from`](super::PlainResponse) turns each into a 500.
    #[must_use = "the response is only this many bytes of the buffer"]
    pub fn write_to(&self, buffer: &mut [u8]) -> Result<usize, BuildError> {
        write::write_to(*self, buffer)
    }

    /// Writes the response to a new `Vec`.
    ///
    /// # Errors
    /// The same as [`write_to`](Self::write_to), except [`BuildError::BufferTooSmall`].
    #[cfg(feature = "alloc")]
    #[must_use = "these bytes must be sent"]
    pub fn to_vec(&self) -> Result<alloc::vec::Vec<u8>, BuildError> {
        write::to_vec(*self)
    }
}

impl<'h, 'b> Upgrade<'h, 'b> {
    /// The response that opens the WebSocket (RFC 6455 §4.2.2).
    pub fn accept<'a>(&self) -> UpgradeResponse<'a>
    where
        'h: 'a,
        'b: 'a,
    {
        UpgradeResponse { upgrade: Some(*self), ..UpgradeResponse::new(self.key().accept()) }
    }
}

impl<'a> OutgoingMessage<'a> for UpgradeResponse<'a> {
    fn validate(&self) -> Result<(), BuildError> {
        if let Some(chosen) = self.subprotocol {
            let asked = |upgrade: Upgrade<'_, '_>| upgrade.subprotocols().any(|name| name == chosen);
            if !is_token(chosen.as_bytes()) || !self.upgrade.is_none_or(asked) {
                return Err(BuildError::InvalidSubprotocol);
            }
        }
        if let Some(response) = self.deflate {
            let fits = |offer: DeflateOffer| offer.check(&response).is_ok();
            let offered = |upgrade: Upgrade<'_, '_>| {
                upgrade.extensions().filter_map(|extension| DeflateOffer::parse(&extension).ok()).any(fits)
            };
            if !response.is_valid() || !self.upgrade.is_none_or(offered) {
                return Err(BuildError::InvalidExtension);
            }
        }
        check_extra(
            self.extra,
            &["upgrade", "connection", "sec-websocket-*", "content-length", "transfer-encoding"],
        )
    }

    fn write_start(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("HTTP/1.1 101 Switching Protocols")
    }

    fn headers(self) -> impl Iterator<Item = (&'a str, HeaderValue<'a>)> {
        let own = [
            Some(("Upgrade", Value::Text("websocket"))),
            Some(("Connection", Value::Text("Upgrade"))),
            Some(("Sec-WebSocket-Accept", Value::Accept(self.accept))),
            self.subprotocol.map(|chosen| ("Sec-WebSocket-Protocol", Value::Text(chosen))),
            self.deflate.map(|response| ("Sec-WebSocket-Extensions", Value::Deflate(response))),
        ];
        with_extra(own, self.extra)
    }
}
