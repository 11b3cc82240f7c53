//! The request with which a client opens a WebSocket, and the check of the response (RFC 6455 §4.1).

use core::fmt::{self, Write};
use core::str;

use super::authority::Authority;
use super::error::{BuildError, HandshakeError};
use super::headers::{is_token, is_value, list, list_contains};
use super::key::ClientKey;
use super::request::HttpVersion;
use super::response::Response;
use super::write::{self, Extra, HeaderValue, OutgoingMessage, Value, check_extra, with_extra};
use crate::extension::{self, DeflateOffer, DeflateParams};

/// The request with which a client opens a WebSocket (RFC 6455 §4.1). Keep it, or build the same one again, until the
/// response has arrived: [`check`](Self::check) compares the two.
///
/// ```
/// use framewire::extension::DeflateOffer;
/// use framewire::handshake::{ClientHandshake, ClientKey, HeaderSlots, Response};
///
/// let key = ClientKey::new(*b"the sample nonce"); // sixteen random bytes
/// let offers = [DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() }];
/// let handshake = ClientHandshake::new("example.com:8080", "/chat?room=1", key);
/// let handshake = handshake.subprotocols(&["chat"]).deflate(&offers);
/// let mut buffer = [0; 512];
/// let len = handshake.write_to(&mut buffer)?;
/// assert!(buffer[..len].starts_with(b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\n"));
///
/// let received = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n\x81\x00";
/// let mut slots = HeaderSlots::new();
/// let response = Response::parse(received, &mut slots)?;
/// match handshake.check(&response)? {
///     Some(negotiated) => assert_eq!(negotiated.subprotocol, Some("chat")),
///     None => println!("{} {}", response.status(), response.reason()),
/// }
/// let frames = &received[response.head_len()..];
/// assert_eq!(frames, b"\x81\x00");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "the request must be sent, and the response checked with it"]
pub struct ClientHandshake<'a> {
    host: &'a str,
    target: &'a str,
    key: ClientKey,
    origin: Option<&'a str>,
    subprotocols: &'a [&'a str],
    offers: &'a [DeflateOffer],
    extra: Extra<'a>,
}

/// The result of a 101 that was checked (RFC 6455 §4.1): all that client and server have agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[must_use = "the connection must be set up for what was negotiated"]
pub struct Negotiated<'b> {
    /// The subprotocol that the server chose. It may choose none although the client asked for some; the host decides
    /// whether to go on.
    pub subprotocol: Option<&'b str>,
    /// The parameters of permessage-deflate (RFC 7692). `None`: messages are not compressed.
    pub deflate: Option<DeflateParams>,
}

impl<'a> ClientHandshake<'a> {
    /// A request to `host` for `target`. `host` has a port, after a colon, unless it is the scheme's own, and an IPv6
    /// address is in brackets. `target` is the path, and the query if there is one. The key is new for every
    /// connection.
    pub const fn new(host: &'a str, target: &'a str, key: ClientKey) -> Self {
        Self { host, target, key, origin: None, subprotocols: &[], offers: &[], extra: &[] }
    }

    /// The origin, which browsers must send (RFC 6455 §4.1); `None` by default.
    pub const fn origin(self, origin: Option<&'a str>) -> Self {
        Self { origin, ..self }
    }

    /// The subprotocols to ask for, the preferred one first; none by default.
    pub const fn subprotocols(self, subprotocols: &'a [&'a str]) -> Self {
        Self { subprotocols, ..self }
    }

    /// The offers of permessage-deflate, the preferred one first (RFC 7692 §5.1); none by default.
    pub const fn deflate(self, offers: &'a [DeflateOffer]) -> Self {
        Self { offers, ..self }
    }

    /// Adds headers, each a name and a value: cookies, `Authorization`. Headers that the handshake itself writes are
    /// refused when the request is written.
    pub const fn extra_headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { extra: headers, ..self }
    }

    /// The headers that [`write_to`](Self::write_to) writes, `Host` among them, for a host whose HTTP stack writes the
    /// request. Nothing is allocated until a value is turned into a string.
    ///
    /// # Errors
    /// The same as [`write_to`](Self::write_to), except [`BuildError::BufferTooSmall`].
    pub fn headers(&self) -> Result<impl Iterator<Item = (&'a str, HeaderValue<'a>)> + use<'a>, BuildError> {
        write::headers(*self)
    }

    /// Writes the request at the start of `buffer`, and returns its length.
    ///
    /// # Errors
    /// - [`BuildError::BufferTooSmall`]: do not send the contents of `buffer` then.
    /// - [`BuildError::InvalidHost`], [`BuildError::InvalidTarget`]: the host or the target is not one of a URI.
    /// - [`BuildError::InvalidSubprotocol`]: a subprotocol is not a token, or is named twice (RFC 6455 §4.1).
    /// - [`BuildError::InvalidExtension`]: an offer has window bits other than 8–15.
    /// - [`BuildError::InvalidHeader`], [`BuildError::ReservedHeader`]: the origin or an extra header may not be sent.
    #[must_use = "the request is only this many bytes of the buffer"]
    pub fn write_to(&self, buffer: &mut [u8]) -> Result<usize, BuildError> {
        write::write_to(*self, buffer)
    }

    /// Writes the request to a new `Vec`.
    ///
    /// # Errors
    /// The same as [`write_to`](Self::write_to), except [`BuildError::BufferTooSmall`].
    #[cfg(feature = "alloc")]
    #[must_use = "these bytes must be sent"]
    pub fn to_vec(&self) -> Result<alloc::vec::Vec<u8>, BuildError> {
        write::to_vec(*self)
    }

    /// Checks the response to this request (RFC 6455 §4.1). `Ok(None)`: it is not a 101, and the host handles it.
    ///
    /// # Errors
    /// It is a 101, but not one to this request. The client must close the connection.
    ///
    /// - [`HandshakeError::InvalidUpgradeResponse`]: it does not upgrade to WebSocket.
    /// - [`HandshakeError::InvalidAccept`]: `Sec-WebSocket-Accept` is missing, repeated, or not that of the key.
    /// - [`HandshakeError::UnexpectedSubprotocol`]: the client did not ask for the subprotocol.
    /// - [`HandshakeError::UnexpectedExtension`]: the client did not offer the extension, or not with these parameters.
    pub fn check<'b>(&self, response: &Response<'_, 'b>) -> Result<Option<Negotiated<'b>>, HandshakeError> {
        if response.status() != 101 {
            return Ok(None);
        }
        let headers = response.headers();
        let mut upgrade = headers.get_all("upgrade").flat_map(list);
        let to_websocket = upgrade.next().is_some_and(|to| to.eq_ignore_ascii_case(b"websocket"));
        if response.version() != HttpVersion::Http11
            || !to_websocket
            || upgrade.next().is_some()
            || !list_contains(headers.get_all("connection"), "upgrade")
        {
            return Err(HandshakeError::InvalidUpgradeResponse);
        }
        if headers.once("sec-websocket-accept") != Some(self.key.accept().as_ref()) {
            return Err(HandshakeError::InvalidAccept);
        }
        let headers = headers.iter().map(|field| (field.name, field.value));
        Negotiated::from_headers(headers, self.subprotocols, self.offers).map(Some)
    }
}

impl<'b> Negotiated<'b> {
    /// Checks the server's choices in these headers, each a name and a value, against the `subprotocols` and `offers` of
    /// the request (RFC 6455 §4.1, RFC 7692 §5.1). [`ClientHandshake::check`] does this after the other checks of a 101.
    /// Over HTTP/2 the status, 200–299, is all else that a client checks (RFC 8441 §4, §5).
    ///
    /// # Errors
    /// The client must close the connection.
    ///
    /// - [`HandshakeError::UnexpectedSubprotocol`]: the client did not ask for the subprotocol, or there are several.
    /// - [`HandshakeError::UnexpectedExtension`]: the client did not offer the extension, or not with these parameters.
    ///
    /// ```
    /// use framewire::extension::DeflateOffer;
    /// use framewire::handshake::{HandshakeError, Negotiated};
    ///
    /// # let map = [("sec-websocket-protocol", "chat"), ("sec-websocket-extensions", "permessage-deflate")];
    /// let headers = map.iter().map(|(name, value)| (*name, value.as_bytes())); // as in an http::HeaderMap
    /// let offers = [DeflateOffer::default()];
    /// let negotiated = Negotiated::from_headers(headers.clone(), &["mqtt", "chat"], &offers)?;
    /// assert_eq!(negotiated.subprotocol, Some("chat"));
    /// assert!(negotiated.deflate.is_some());
    ///
    /// let unasked = Negotiated::from_headers(headers, &[], &offers);
    /// assert_eq!(unasked, Err(HandshakeError::UnexpectedSubprotocol));
    /// # Ok::<(), HandshakeError>(())
    /// ```
    pub fn from_headers(
        headers: impl IntoIterator<Item = (&'b str, &'b [u8])>,
        subprotocols: &[&str],
        offers: &[DeflateOffer],
    ) -> Result<Self, HandshakeError> {
        let mut subprotocol = Ok(None);
        let extensions = headers.into_iter().filter_map(|(name, value)| {
            if name.eq_ignore_ascii_case("sec-websocket-protocol") {
                let is_first = subprotocol == Ok(None);
                let chosen = str::from_utf8(value).ok().map(str::trim_ascii);
                let chosen = chosen.filter(|chosen| is_first && subprotocols.contains(chosen));
                subprotocol = chosen.map(Some).ok_or(HandshakeError::UnexpectedSubprotocol);
            }
            let is_extension = name.eq_ignore_ascii_case("sec-websocket-extensions");
            // A value that is not UTF-8 is not in the grammar, and neither is a lone quote.
            is_extension.then(|| str::from_utf8(value).unwrap_or("\""))
        });
        let deflate =
            extension::verify(extensions, offers).map_err(|_| HandshakeError::UnexpectedExtension)?;
        Ok(Self { subprotocol: subprotocol?, deflate })
    }
}

impl<'a> OutgoingMessage<'a> for ClientHandshake<'a> {
    fn validate(&self) -> Result<(), BuildError> {
        if Authority::parse(self.host.as_bytes()).is_none() {
            return Err(BuildError::InvalidHost);
        }
        let in_target = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
        if !self.target.starts_with('/') || !self.target.bytes().all(in_target) {
            return Err(BuildError::InvalidTarget);
        }
        for (at, name) in self.subprotocols.iter().enumerate() {
            if !is_token(name.as_bytes()) || self.subprotocols.iter().take(at).any(|before| before == name) {
                return Err(BuildError::InvalidSubprotocol);
            }
        }
        if !self.offers.iter().all(DeflateOffer::is_valid) {
            return Err(BuildError::InvalidExtension);
        }
        if !self.origin.is_none_or(|origin| is_value(origin.as_bytes())) {
            return Err(BuildError::InvalidHeader);
        }
        check_extra(
            self.extra,
            &[
                "host",
                "upgrade",
                "connection",
                "sec-websocket-*",
                "origin",
                "content-length",
                "transfer-encoding",
            ],
        )
    }

    fn write_start(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "GET {} HTTP/1.1", self.target)
    }

    fn headers(self) -> impl Iterator<Item = (&'a str, HeaderValue<'a>)> {
        let text = |name, value| Some((name, Value::Text(value)));
        let own = [
            text("Host", self.host),
            text("Upgrade", "websocket"),
            text("Connection", "Upgrade"),
            text("Sec-WebSocket-Version", "13"),
            Some(("Sec-WebSocket-Key", Value::Key(self.key))),
            self.origin.map(|origin| ("Origin", Value::Text(origin))),
            Some(("Sec-WebSocket-Protocol", Value::List(self.subprotocols)))
                .filter(|_| !self.subprotocols.is_empty()),
            Some(("Sec-WebSocket-Extensions", Value::Offers(self.offers)))
                .filter(|_| !self.offers.is_empty()),
        ];
        with_extra(own, self.extra)
    }
}
