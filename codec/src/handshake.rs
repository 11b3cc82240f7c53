//! The opening handshake of both roles (RFC 6455 §4), without sockets: it takes the bytes that were received, and
//! returns values and the bytes to send. There are three ways to use it, depending on what the host has.
//!
//! **A socket.** Give the bytes that are read to a [`HeadBuffer`]. It collects the head, however it is cut, within
//! [`HeadLimits`], and says where the head ends and the frames begin. (Without alloc: a [`HeadScanner`] over a buffer
//! of the host.) A server:
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use framewire::handshake::{HandshakeError, HeadBuffer, HeadLimits, HeaderSlots, PlainResponse, Request};
//!
//! /// The 101 for this head, or the response that refuses it.
//! fn accept(head: &[u8]) -> Result<Vec<u8>, PlainResponse<'static>> {
//!     let mut slots = HeaderSlots::new();
//!     let request = Request::parse(head, &mut slots)?;
//!     let upgrade = request.upgrade()?.ok_or(match request.path() {
//!         "/healthz" => PlainResponse::new(200),
//!         _ => HandshakeError::NotUpgrade.into(),
//!     })?;
//!     let response = upgrade.accept().subprotocol(upgrade.choose_subprotocol(&["chat"]));
//!     Ok(response.to_vec()?)
//! }
//!
//! let mut buffer = HeadBuffer::new(HeadLimits::default());
//! let first = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
//! assert_eq!(buffer.push(first)?, None); // read on
//! let second = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x80";
//! let head = buffer.push(second)?.expect("the whole head");
//! let response = accept(head.bytes).expect("an upgrade");
//! assert!(response.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//! assert_eq!(&second[head.consumed..], b"\x81\x80", "the first frame");
//!
//! let refusal = accept(b"GET / HTTP/2.0\r\n\r\n").unwrap_err(); // an error becomes its response
//! assert!(refusal.to_vec()?.starts_with(b"HTTP/1.1 505 "));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **The bytes of a head.** Give them to [`Request::parse`] or [`Response::parse`].
//!
//! **An HTTP stack** (hyper, axum, actix), which has parsed the head. [`Request::from_parts`] and
//! [`Response::from_parts`] take the values and do every check; [`UpgradeResponse::headers`],
//! [`PlainResponse::headers`] and [`ClientHandshake::headers`] return the headers to send. Single steps are
//! functions, too: [`accept_key`], [`ClientKey::parse`], [`list_contains`], [`choose_subprotocol`] and
//! [`extension::negotiate`](crate::extension::negotiate), and for a client [`Negotiated::from_headers`]. WebSocket over
//! HTTP/2 (RFC 8441), which has no key and no `Upgrade`, needs no more than those.
//!
//! ```
//! use framewire::handshake::accept_key;
//!
//! assert_eq!(*accept_key("dGhlIHNhbXBsZSBub25jZQ=="), *"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! ```
//!
//! A client starts with a [`ClientHandshake`].
//!
//! # What is accepted
//!
//! Heads that differ without being ambiguous are accepted: names and tokens in any case, lists in several lines and
//! with empty elements (RFC 9110 §5.6.1), values with or without white space around them, a GET with
//! `Content-Length: 0`, a request after an empty line (RFC 9112 §2.2).
//!
//! Heads that two parsers could read in two ways are refused, because a proxy in front of the server may be the other
//! parser: a line that does not end with CR LF (RFC 9112 §2.2 would allow a bare LF), a folded line (§5.2), space
//! before a colon (§5.1), control characters, a second `Host`, `Origin` or `Sec-WebSocket-Key`, a target that names
//! another host than `Host` (stricter than RFC 9112 §3.2.2), and an upgrade with a body.
//!
//! # What the host decides
//!
//! Which origins may connect ([`Upgrade::origin`], [`HandshakeError::OriginForbidden`]), who the user is, and how long
//! the peer may take to send its head. A client's host draws sixteen random bytes for each [`ClientKey`]. After any
//! response but the 101, the server closes the connection.

pub use client::{ClientHandshake, Negotiated};
pub use error::{BuildError, HandshakeError};
#[cfg(feature = "alloc")]
pub use head::{Head, HeadBuffer};
pub use head::{HeadLimits, HeadScanner};
pub use headers::{HeaderField, HeaderSlots, Headers, list_contains};
pub use key::{AcceptKey, ClientKey, accept_key};
pub use plain_response::PlainResponse;
pub use request::{HttpVersion, Request};
pub use response::Response;
pub use upgrade::{Upgrade, choose_subprotocol};
pub use upgrade_response::UpgradeResponse;
pub use write::HeaderValue;

mod authority;
mod client;
mod error;
mod head;
mod headers;
mod key;
mod plain_response;
mod request;
mod response;
mod target;
mod upgrade;
mod upgrade_response;
mod write;
