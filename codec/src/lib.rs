//! A WebSocket codec (RFC 6455, and permessage-deflate of RFC 7692) for servers and clients that do their own I/O.
//!
//! The program that uses the codec is its *host*. It passes in the bytes that it read, as `&mut [u8]`, and gets
//! messages that borrow those bytes, and headers to write. The codec uses no socket, no clock, no randomness and no
//! executor. It fits into an epoll or io_uring loop, into tokio, and into a device without an operating system.
//!
//! # Three levels, each usable alone
//!
//! | level | for | contains |
//! |---|---|---|
//! | 1, values and kernels | other codecs and tools | [`Header`], [`frame::take`], [`mask`], [`utf8`], [`Close`] |
//! | 2, [`Decoder`] | proxies, sniffers, load generators | frames, as chunks of a stream that is cut anywhere |
//! | 3, [`Connection`] | servers and clients | the whole protocol: fragments, control frames, closing, limits, UTF-8 |
//!
//! # Stages
//!
//! Levels 1 to 3 work without an allocator. A stage is an optional module on top of them, for a host that needs more:
//!
//! | stage | feature | contains |
//! |---|---|---|
//! | [`Assembler`] | `alloc` | whole messages from parts, within a limit |
//! | [`vectored`] | `std` | one write for many pieces |
//! | [`outbox`] | `std` | the replies to one read, and the bytes that a socket did not take |
//! | [`owned`] | `bytes` | messages as `Bytes`, a send queue, frames encoded once for many peers |
//! | [`deflate`] | `deflate` | permessage-deflate, in both directions |
//!
//! A connection begins with the opening [`handshake`] (feature `handshake`), which also negotiates the parameters of
//! permessage-deflate. The types of these parameters are in [`extension`], which needs no feature.
//!
// Documentation without a feature links to the list of features instead.
#![cfg_attr(not(feature = "alloc"), doc = "[`Assembler`]: #features")]
#![cfg_attr(not(feature = "std"), doc = "[`vectored`]: #features")]
#![cfg_attr(not(feature = "std"), doc = "[`outbox`]: #features")]
#![cfg_attr(not(feature = "bytes"), doc = "[`owned`]: #features")]
#![cfg_attr(not(feature = "deflate"), doc = "[`deflate`]: #features")]
#![cfg_attr(not(feature = "handshake"), doc = "[`handshake`]: #features")]
//!
//! # Programs to start from
//!
//! The folder `examples/` of this crate has `loopback`, which needs no socket, a server on blocking sockets
//! (`std_threads`), a relay (`proxy`), a `broadcast`, a 10 GiB upload (`huge_upload`), and a device without an
//! operating system (`embedded`). The repository has programs on tokio, hyper, rustls, mio and io_uring, and
//! `framewire-echo`, a server on mio. The page `docs/integrate.md` of the repository lists all of them.
//!
//! # The host's loop
//!
//! This is all that a server does when a socket can be read:
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use framewire::{Connection, Event, Server, State, Unmasked};
//! use std::io::{self, Read, Write};
//!
//! /// Serves a socket that is readable. One `rx` serves all connections of the thread.
//! fn readable(socket: &mut (impl Read + Write), connection: &mut Connection<Server>, rx: &mut [u8]) -> io::Result<State> {
//!     let n = socket.read(rx)?;
//!     if n == 0 {
//!         connection.receive_eof().map_err(io::Error::other)?; // an error unless the peer has sent a close
//!     }
//!     let mut out = Vec::new(); // all replies, for one write
//!     let mut input = &mut rx[..n];
//!     let outcome = loop {
//!         match connection.receive(&mut input) {
//!             Ok(Some(event)) => {
//!                 if let Some(frame) = connection.reply(&event, Unmasked) {
//!                     out.extend_from_slice(&frame); // the protocol asks for it: a pong, or the answer to a close
//!                 }
//!                 if let Event::Text(text) = event {
//!                     // The host's own answer, an echo. It is refused only after this end has sent a close.
//!                     let _ = connection.append_text(&mut out, text, Unmasked);
//!                 }
//!             }
//!             Ok(None) => break Ok(()), // all of the input is taken
//!             Err(error) => break Err(error), // not `?`: the events before the bad byte are still answered
//!         }
//!     };
//!     if let Err(error) = outcome {
//!         if let Some(frame) = connection.fail(error, Unmasked) {
//!             out.extend_from_slice(&frame);
//!         }
//!     }
//!     socket.write_all(&out)?;
//!     Ok(connection.state()) // if it is `Closed`, close the socket
//! }
//!
//! struct Socket(io::Cursor<Vec<u8>>, Vec<u8>);
//! # impl Read for Socket {
//! #     fn read(&mut self, to: &mut [u8]) -> io::Result<usize> { self.0.read(to) }
//! # }
//! # impl Write for Socket {
//! #     fn write(&mut self, from: &[u8]) -> io::Result<usize> { self.1.write(from) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//!
//! // RFC 6455 §5.7: a masked "Hello", then a masked close with code 1000.
//! let wire = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\0\0\0\0\x03\xe8".to_vec();
//! let mut socket = Socket(io::Cursor::new(wire), Vec::new());
//! let state = readable(&mut socket, &mut Connection::new(), &mut [0; 4096])?;
//! assert_eq!((state, &socket.1[..]), (State::Closed, &b"\x81\x05Hello\x88\x02\x03\xe8"[..]));
//! # // The same, met by an end that has closed already: no answer, and no error.
//! # let wire = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\0\0\0\0\x03\xe8".to_vec();
//! # let mut socket = Socket(io::Cursor::new(wire), Vec::new());
//! # let mut connection = Connection::<Server>::new();
//! # let _ = connection.close(framewire::CloseCode::GOING_AWAY, "", Unmasked).map_err(io::Error::other)?;
//! # let state = readable(&mut socket, &mut connection, &mut [0; 4096])?;
//! # assert_eq!((state, &socket.1[..]), (State::Closed, &b""[..]));
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Promises
//!
//! 1. Levels 1–3 use no clock and no randomness, and do no I/O.
//! 2. Levels 1–3 do not allocate, except one small box while a control frame is split across reads. (A `Vec` that the
//!    host passes in may grow.)
//! 3. No function panics, whatever a peer sends, and in whatever order the host calls the functions. An error's type
//!    says whose fault it is: [`ProtocolError`] is the peer's, [`SendError`] is the caller's.
//! 4. After `Ok(None)` the input is empty: the host need not keep any of its bytes.
//! 5. The same bytes give the same messages, replies and error, however they are split into reads.
//! 6. Levels 1–3 unmask received payload in place, and never move it.
//! 7. Memory and work are bounded by the configuration, never by a length that a peer claims.
//!
//! # Features
//!
//! All features are additive, and none changes behaviour. The crate itself is always `no_std`. It chooses its SIMD
//! kernels at run time, also without `std`.
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `std` | yes | the stages `vectored` and `outbox`; implies `alloc` |
//! | `alloc` | yes, through `std` | the stage `Assembler`, and methods that append to a `Vec`; makes a [`Connection`] smaller |
//! | `bytes` | | the stage `owned`; implies `alloc` |
//! | `handshake` | | the module `handshake` |
//! | `deflate` | | the stage `deflate`; implies `std` |

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// A module imports only from modules above it (docs/architecture.md).

mod error;

mod cpu;
pub mod extension;

pub mod mask;

pub mod frame;
pub mod utf8;

mod close;

mod control;
mod decoder;

mod event;

mod connection;

#[cfg(feature = "alloc")]
mod assembler;
#[cfg(feature = "std")]
pub mod vectored;

#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(feature = "std")]
pub mod outbox;
#[cfg(feature = "bytes")]
pub mod owned;

#[doc(hidden)]
pub mod internal;
#[cfg(doctest)]
mod mistakes;

#[cfg(feature = "alloc")]
pub use assembler::{Assembled, Assembler};
pub use close::{Close, CloseCode};
pub use connection::{
    Client, Connection, KeySource, Limits, Receive, ReceiveHalf, Role, SendHalf, Sending, Server, State,
    Unmasked,
};
pub use control::{Control, ControlFrame};
pub use decoder::{Chunk, Decoder};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Kind, Part};
pub use frame::{Header, HeaderBytes, Opcode, Rsv};
