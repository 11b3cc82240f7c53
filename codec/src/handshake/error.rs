//! Errors by blame: a [`HandshakeError`] is the peer's fault, a [`BuildError`] the caller's.

use core::{error, fmt};

/// The peer broke the handshake. A server sends the [`PlainResponse`](super::PlainResponse) that the error turns into
/// and closes the connection; a client closes it.
///
/// ```
/// use framewire::handshake::{HandshakeError, HeaderSlots, Request};
///
/// let mut slots = HeaderSlots::new();
/// let error = Request::parse(b"GET / HTTP/1.1\r\n\r\n", &mut slots).unwrap_err();
/// assert_eq!(error, HandshakeError::InvalidHost);
/// assert_eq!(error.status(), 400);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The bytes end before the head does. Only [`Request::parse`](super::Request::parse) and
    /// [`Response::parse`](super::Response::parse), which need a whole head, return this.
    Incomplete,
    /// The head is longer than [`HeadLimits::head_bytes`](super::HeadLimits::head_bytes).
    HeadTooLong,
    /// There are more headers than [`HeadLimits::headers`](super::HeadLimits::headers) allows, or than
    /// [`HeaderSlots`](super::HeaderSlots) has room for.
    TooManyHeaders,
    /// A line does not end with CR LF (RFC 9112 §2.2).
    InvalidLineEnding,
    /// A header is folded over two lines (RFC 9112 §5.2).
    FoldedHeader,
    /// A header is not a token, a colon and a value without control characters (RFC 9112 §5).
    InvalidHeader,
    /// The first line of a request is not a method, a target and a version (RFC 9112 §3).
    InvalidRequestLine,
    /// The version of HTTP is neither 1.0 nor 1.1 (RFC 9110 §15.6.6).
    UnsupportedHttpVersion,
    /// The target has a character that a URI may not have (RFC 3986 §2), a fragment, user information, or a malformed
    /// host or port (RFC 3986 §3.2.2, §3.2.3); or it is the target of an upgrade and neither a path nor a URI of HTTP or
    /// WebSocket (RFC 6455 §4.2.1).
    InvalidTarget,
    /// `Host` is missing, empty, repeated, or not a host with or without a port (RFC 9112 §3.2, RFC 3986 §3.2.2).
    InvalidHost,
    /// The target is a whole URI whose host or port is not that of `Host`. A client must send the same in both (RFC 9112
    /// §3.2). This is stricter than §3.2.2, by which an origin server ignores such a `Host` and uses the target: a proxy
    /// in front of the server may read `Host`, and the two would route one request to two hosts.
    HostMismatch,
    /// The method of an upgrade is not GET (RFC 6455 §4.2.1).
    MethodNotAllowed,
    /// An upgrade announces a body (`Content-Length` other than 0, or `Transfer-Encoding`), which could be taken for
    /// frames.
    UnexpectedBody,
    /// `Upgrade` asks for a WebSocket, but `Connection` does not list `Upgrade` (RFC 6455 §4.2.1). Usually a proxy has
    /// removed it.
    MissingConnectionUpgrade,
    /// `Sec-WebSocket-Version` is missing, repeated, or not 13 (RFC 6455 §4.2.2).
    UnsupportedVersion,
    /// `Sec-WebSocket-Key` is missing, repeated, or not the base64 of 16 bytes (RFC 6455 §4.2.1).
    InvalidKey,
    /// `Sec-WebSocket-Protocol` is not a list of tokens (RFC 6455 §4.1).
    InvalidSubprotocols,
    /// `Sec-WebSocket-Extensions` of a request is not in the grammar (RFC 6455 §9.1).
    InvalidExtensions,
    /// `Origin` is repeated or not text (RFC 6454 §7.3).
    InvalidOrigin,
    /// This origin may not connect (RFC 6455 §4.2.2). Only the host decides that; this crate never returns it.
    OriginForbidden,
    /// The request does not ask for a WebSocket, and the host serves nothing else (RFC 9110 §15.5.22). This crate never
    /// returns it.
    NotUpgrade,
    /// The first line of a response is not a version of HTTP/1 and a status (RFC 9112 §4).
    InvalidStatusLine,
    /// The 101 is of HTTP/1.0, its `Upgrade` is not `websocket`, or its `Connection` does not list `Upgrade`
    /// (RFC 6455 §4.1).
    InvalidUpgradeResponse,
    /// `Sec-WebSocket-Accept` is missing, repeated, or not that of this client's key (RFC 6455 §4.1).
    InvalidAccept,
    /// The server chose a subprotocol that the client did not ask for, or several (RFC 6455 §4.1).
    UnexpectedSubprotocol,
    /// The server accepted an extension that the client did not offer, or with other parameters (RFC 6455 §4.1).
    UnexpectedExtension,
}

impl HandshakeError {
    /// The status of the response to the client (RFC 9110 §15): 400, 403, 405, 426, 431 or 505. An error that only a
    /// server can make is 502, which a gateway sends to its own client.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::OriginForbidden => 403,
            Self::MethodNotAllowed => 405,
            Self::UnsupportedVersion | Self::NotUpgrade => 426,
            Self::HeadTooLong | Self::TooManyHeaders => 431,
            Self::UnsupportedHttpVersion => 505,
            Self::InvalidStatusLine
            | Self::InvalidUpgradeResponse
            | Self::InvalidAccept
            | Self::UnexpectedSubprotocol
            | Self::UnexpectedExtension => 502,
            _ => 400,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incomplete => "the head is not complete",
            Self::HeadTooLong => "the head is too long",
            Self::TooManyHeaders => "there are too many headers",
            Self::InvalidLineEnding => "a line does not end with CR LF",
            Self::FoldedHeader => "a header is folded over two lines",
            Self::InvalidHeader => "a header is malformed",
            Self::InvalidRequestLine => "the request line is malformed",
            Self::UnsupportedHttpVersion => "the version of HTTP is neither 1.0 nor 1.1",
            Self::InvalidTarget => "the target is malformed, or not that of a WebSocket",
            Self::InvalidHost => "Host is missing, repeated or malformed",
            Self::HostMismatch => "the target names another host than Host",
            Self::MethodNotAllowed => "the method of an upgrade is not GET",
            Self::UnexpectedBody => "an upgrade has a body",
            Self::MissingConnectionUpgrade => "Connection does not list Upgrade",
            Self::UnsupportedVersion => "Sec-WebSocket-Version is not 13",
            Self::InvalidKey => "Sec-WebSocket-Key is missing, repeated, or not the base64 of 16 bytes",
            Self::InvalidSubprotocols => "Sec-WebSocket-Protocol is malformed",
            Self::InvalidExtensions => "Sec-WebSocket-Extensions is malformed",
            Self::InvalidOrigin => "Origin is repeated or malformed",
            Self::OriginForbidden => "this origin may not connect",
            Self::NotUpgrade => "the request does not ask for a WebSocket",
            Self::InvalidStatusLine => "the status line is malformed",
            Self::InvalidUpgradeResponse => "the response does not upgrade to a WebSocket",
            Self::InvalidAccept => "Sec-WebSocket-Accept is not that of the key",
            Self::UnexpectedSubprotocol => "the server chose a subprotocol that the client did not ask for",
            Self::UnexpectedExtension => "the server accepted an extension that the client did not offer",
        })
    }
}

impl error::Error for HandshakeError {}

/// The caller built a request or a response that must not be sent. On a server it turns into a
/// [`PlainResponse`](super::PlainResponse) with status 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildError {
    /// The buffer is too small.
    BufferTooSmall {
        /// The length of the whole request or response, in bytes.
        needed: usize,
    },
    /// A header's name is not a token, or its value has a control character, such as CR or LF (RFC 9110 §5.1, §5.5).
    InvalidHeader,
    /// An extra header is one that the handshake itself writes, or one that announces a body.
    ReservedHeader,
    /// The host is not a host with or without a port (RFC 3986 §3.2.2, §3.2.3), or is empty (RFC 9110 §4.2.1).
    InvalidHost,
    /// The target does not begin with `/`, or has a character that a URI may not have (RFC 3986 §2).
    InvalidTarget,
    /// A subprotocol is not a token or is named twice, or the client did not ask for it (RFC 6455 §4.1, §4.2.2).
    InvalidSubprotocol,
    /// A number of window bits is not 8–15, or the response fits none of the client's offers (RFC 7692 §7.1).
    InvalidExtension,
    /// The status is not that of a final response with a body (RFC 9110 §15).
    InvalidStatus,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall { needed } => {
                return write!(f, "the buffer is too small: {needed} bytes are needed");
            }
            Self::InvalidHeader => "a header's name or value is invalid",
            Self::ReservedHeader => "a header is reserved to the handshake",
            Self::InvalidHost => "the host is invalid",
            Self::InvalidTarget => "the target is invalid",
            Self::InvalidSubprotocol => "a subprotocol is invalid",
            Self::InvalidExtension => "an extension is invalid",
            Self::InvalidStatus => "the status is not that of a final response with a body",
        })
    }
}

impl error::Error for BuildError {}
