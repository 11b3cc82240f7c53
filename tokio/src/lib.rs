//! WebSockets for tokio (RFC 6455, and permessage-deflate, RFC 7692, with feature `deflate`), on the codec [`framewire`].
//!
//! * **An idle connection holds no buffer.** A read goes into a buffer of the thread. A whole message is copied to an allocation
//!   of its exact size. A connection takes memory only while something is unfinished: a message of which a part has arrived, or
//!   bytes that the peer has not taken.
//! * **Everything is bounded**: messages ([`Config::limits`]), what waits for a peer that does not read
//!   ([`Config::high_water`], in bytes), and the time that a peer may take ([`Keepalive`] and the other timeouts, which are on by
//!   default).
//! * **Each `async fn` says whether it is cancel safe.** A message is accepted wholly or not at all.
//!
//! ```
//! use framewire_tokio::{Acceptor, Config};
//! use tokio::net::TcpListener;
//!
//! # async fn serve() -> std::io::Result<()> {
//! let acceptor = Acceptor::new(Config::server());
//! let listener = TcpListener::bind("127.0.0.1:9001").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     let acceptor = acceptor.clone();
//!     tokio::spawn(async move {
//!         let mut socket = acceptor.accept(stream).await?;
//!         while let Some(message) = socket.recv().await {
//!             socket.feed(message?).await?; // written by the next `recv`, before it waits
//!         }
//!         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//!     });
//! }
//! # }
//! ```
//!
//! # Features
//!
//! None is on by default.
//!
//! | | adds |
//! |---|---|
//! | `deflate` | compression: [`Config`]'s `compression` |
//! | `connect` | clients that connect by URL: `connect` and `Connector::connect` |
//! | `rustls` | `wss://` for them. `rustls-ring` adds a provider of cryptography, and `platform-verifier` or `webpki-roots` roots |
//! | `proxy` | HTTP and SOCKS 5 proxies for them, by default those of the environment |
//! | `hyper` | the opening handshake of a server on hyper, and so on axum |
//! | `tracing` | events about handshakes that were refused, connections that ended, and shutdown |
//!
//! # Which way to receive
//!
//! | | messages are | an echo allocates |
//! |---|---|---|
//! | [`WebSocket::recv`], or the [`Stream`](futures_core::Stream) | owned: [`Message`] | once |
//! | [`WebSocket::serve`] | lent to a handler: [`Lent`] | nothing |
//! | [`WebSocket::into_split`] | owned, in another task than that which sends | once |
//!
//! # Which way to send
//!
//! | | when it is written | if the peer does not read |
//! |---|---|---|
//! | [`WebSocket::feed`] | by the next `recv` or `flush`: all replies to one read leave in one write | waits |
//! | [`WebSocket::try_feed`] | the same | [`TrySendError::Full`] |
//! | [`WebSocket::send`] | at once | waits |
//! | [`Sender::send`] | at once | waits, in the order of the callers |
//! | [`Sender::try_send`] | at once, and the rest by the receiver's task | [`TrySendError::Full`] |
//! | [`Sender::queue`] | by the receiver's task, many messages in one write | [`TrySendError::Full`] |
//!
//! # Memory
//!
//! A connection holds 160 bytes, plus the stream; with timers, 176 more. In addition:
//!
//! * while a message is incomplete: at most twice the bytes that have arrived, up to [`Config::limits`], or one of the thread's
//!   allocations for large messages;
//! * while bytes wait for the peer: up to [`Config::high_water`], plus one message;
//! * while messages of one read have not been received by the program: the rest of that read, at most 256 KiB.
//!
//! Each thread holds a buffer of 256 KiB for reads, of which only the pages are in memory that a read has touched; up to 256 KiB
//! for the replies of [`WebSocket::serve`]; up to 8 allocations of at most 2 MiB for large messages; and up to 64 boxes of at most
//! some 20 KiB, which connections borrow while something is unfinished.

#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod close;
mod config;
mod connect;
mod error;
mod finish;
mod keys;
mod memory;
mod message;
mod pieces;
mod prepared;
mod receive;
mod serve;
mod split;
mod timers;
mod tracker;
mod websocket;
mod write;
mod writers;

#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "hyper")]
mod hyper;

#[cfg(feature = "hyper")]
pub use self::hyper::{HyperStream, Rejected, UpgradeRequest, Upgrading};
pub use accept::{AcceptError, Acceptor, Answer, Refusal};
pub use close::Closed;
pub use config::{Config, Keepalive};
pub use connect::{Answered, ConnectError, Connector, Stage};
#[cfg(feature = "connect")]
pub use connect::{ConnectStream, TlsError, Unreachable, UrlError, connect};
#[cfg(feature = "proxy")]
pub use connect::{Proxy, ProxyError};
#[cfg(feature = "deflate")]
pub use deflate::Compression;
pub use error::{Error, SendError, TrySendError};
pub use framewire::handshake::{HandshakeError, Request, Upgrade};
pub use framewire::{Client, CloseCode, Kind, Limits, ProtocolError, Role, Server, owned::Utf8Bytes};
pub use message::{Event, Message};
pub use pieces::{MessageReader, MessageWriter};
pub use prepared::Prepared;
pub use serve::{Handler, Lent, Reply};
pub use split::{Receiver, Sender, WeakSender};
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub use tokio_rustls::rustls;
pub use tracker::Tracker;
pub use websocket::WebSocket;
