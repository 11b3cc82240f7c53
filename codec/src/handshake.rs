//! The opening handshake (RFC 6455 §4), both roles, without sockets: bytes in, values out, bytes out. It can be entered
//! at three heights.
//!
//! **A host that has an HTTP stack** (hyper, axum, actix) holds the values already. [`Request::from_parts`] takes
//! them and does every check; below that, [`accept_key`], [`ClientKey::parse`], [`list_contains`],
//! [`choose_subprotocol`] and [`extension::negotiate`](crate::extension::negotiate) each do one. They are also all
//! that WebSocket over HTTP/2 needs (RFC 8441), where neither key nor `Upgrade` is left.
//!
//! ```
//! use framewire::handshake::accept_key;
//!
//! assert_eq!(*accept_key("dGhlIHNhbXBsZSBub25jZQ=="), *"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! ```
//!
//! **A host without an HTTP parser** gives the bytes of a head to [`Request::parse`] or [`Response::parse`].
//!
//! **A host with nothing but a socket** gives what it reads to a [`HeadBuffer`], which keeps the start of a head that
//! is cut, within [`HeadLimits`], and says where the head ends and the frames begin. (Without alloc: a [`HeadScanner`]
//! over a buffer of the host's own.) This is a server:
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use framewire::handshake::{HandshakeError, HeadBuffer, HeaderSlots, HeadLimits, PlainResponse, Request};
//!
//! /// What to send, and whether frames follow. `None`: read on.
//! fn serve(head: &mut HeadBuffer, received: &[u8]) -> Result<Option<(Vec<u8>, bool)>, HandshakeError> {
//!     let Some(head) = head.push(received)? else { return Ok(None) };
//!     let mut slots = HeaderSlots::new();
//!     let request = Request::parse(head.bytes, &mut slots)?;
//!     let Some(upgrade) = request.upgrade()? else {
//!         let page = match request.path() {
//!             "/healthz" => PlainResponse::new(200),
//!             _ => PlainResponse::from(HandshakeError::NotUpgrade),
//!         };
//!         return Ok(Some((page.to_vec().unwrap_or_default(), false)));
//!     };
//!     let answer = upgrade.accept().subprotocol(upgrade.choose_subprotocol(&["chat"]));
//!     // Frames begin at received[head.consumed..].
//!     Ok(Some((answer.to_vec().unwrap_or_default(), true)))
//! }
//!
//! let mut head = HeadBuffer::new(HeadLimits::default());
//! assert_eq!(serve(&mut head, b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"), Ok(None));
//! let rest = b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
//! let (answer, open) = serve(&mut head, rest)?.unwrap();
//! assert!(open && answer.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//!
//! // An error knows its answer.
//! let error = serve(&mut HeadBuffer::new(HeadLimits::default()), b"GET / HTTP/2.0\r\n\r\n").unwrap_err();
//! assert!(PlainResponse::from(error).to_vec().unwrap().starts_with(b"HTTP/1.1 505 "));
//! # }
//! # Ok::<(), framewire::handshake::HandshakeError>(())
//! ```
//!
//! The client's side starts at [`ClientHandshake`].
//!
//! # What is accepted
//!
//! Real heads differ. Names and tokens come in any case, lists in several lines and with empty elements (RFC 9110
//! §5.6.1), values with or without white space around them, a GET with `Content-Length: 0`, a request after an empty
//! line (RFC 9112 §2.2): all of these are met, none is ambiguous, all are accepted.
//!
//! What two parsers could read in two ways is refused, since a proxy in front may be the other one: a line that does
//! not end with CR LF (RFC 9112 §2.2 would let a recipient take a bare LF), a folded line (§5.2), space before a colon
//! (§5.1), control characters, a second `Host`, `Origin` or `Sec-WebSocket-Key`, and a request with a body.
//!
//! # What is left to the host
//!
//! Which origins may connect ([`Upgrade::origin`], [`HandshakeError::OriginForbidden`]), who the user is, how long a
//! head may take, and the sixteen random bytes of a client. Every reply other than 101 closes the connection.

pub use client::{ClientHandshake, Negotiated};
pub use error::{BuildError, HandshakeError};
#[cfg(feature = "alloc")]
pub use head::{Head, HeadBuffer};
pub use head::{HeadLimits, HeadScanner};
pub use headers::{HeaderField, HeaderSlots, Headers, list_contains};
pub use key::{AcceptKey, ClientKey, accept_key};
pub use plain_response::PlainResponse;
pub use request::{HttpVersion, Request, Upgrade, choose_subprotocol};
pub use response::Response;
pub use upgrade_response::UpgradeResponse;
pub use write::HeaderValue;

mod client;
mod error;
mod head;
mod headers;
mod key;
mod plain_response;
mod request;
mod response;
mod upgrade_response;
mod write;
