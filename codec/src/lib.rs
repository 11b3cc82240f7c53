//! A WebSocket codec (RFC 6455, and the parameters of RFC 7692) for servers and clients that do their own I/O.
//!
//! `&mut [u8]` in, borrowed messages out, headers by value back: no socket, no clock, no randomness, no executor, and
//! no allocation unless a stage that needs it is asked for. It is linked into an epoll or io_uring loop, into tokio,
//! into a kernel or a microcontroller alike.
//!
//! # Three levels, each usable alone
//!
//! | level | for whom | what |
//! |---|---|---|
//! | 1, values and kernels | whoever builds something else of them | [`Header`], [`frame::take`], [`mask`], [`utf8`], [`Close`] |
//! | 2, [`Decoder`] | proxies, sniffers, load generators | a stream cut anywhere, to the chunks of its frames |
//! | 3, [`Connection`] | servers and clients | the whole protocol: fragments, control frames, closing, limits, UTF-8 |
//!
//! Levels 1 to 3 work without alloc. **Stages** stand on level 3 where a host wants more than what was in hand:
#![cfg_attr(feature = "alloc", doc = "[`Assembler`]")]
#![cfg_attr(not(feature = "alloc"), doc = "`Assembler`")]
//! (whole messages from parts),
#![cfg_attr(feature = "std", doc = "[`vectored`]")]
#![cfg_attr(not(feature = "std"), doc = "`vectored`")]
//! (one write for many frames, feature `std`),
#![cfg_attr(feature = "bytes", doc = "[`owned`]")]
#![cfg_attr(not(feature = "bytes"), doc = "`owned`")]
//! (messages as `Bytes`, a send queue, frames prepared once for many peers; feature `bytes`),
#![cfg_attr(feature = "deflate", doc = "[`deflate`]")]
#![cfg_attr(not(feature = "deflate"), doc = "`deflate`")]
//! (permessage-deflate, both ways; feature `deflate`). Before them all stands the opening
#![cfg_attr(feature = "handshake", doc = "[`handshake`]")]
#![cfg_attr(not(feature = "handshake"), doc = "`handshake`")]
//! (feature `handshake`); [`extension`] has the parameters of permessage-deflate as values.
//!
//! Whole programs: in `examples/`, from `loopback`, which needs no socket, over a server and a client on blocking sockets
//! (`std_threads`, `blocking`) to a relay, a broadcast, a 10 GiB upload and a device without an operating system; in the
//! repository, the same on tokio, hyper, rustls and io_uring; and the crate `framewire-echo`, a server on mio. The
//! repository's `docs/integrate.md` explains them.
//!
//! # The host's loop
//!
//! All of it; the rest is the host's own.
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
//!         connection.receive_eof().map_err(io::Error::other)?; // an error unless the peer closed before
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
//!                     // The host's own answer: an echo. It is refused only after our own close: nobody waits for it then.
//!                     let _ = connection.append_text(&mut out, text, Unmasked);
//!                 }
//!             }
//!             Ok(None) => break Ok(()), // all of the input is taken
//!             Err(error) => break Err(error), // not `?`: what was whole before the bad byte is still answered
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
//! 1. No I/O, no clock, no randomness; below `Assembler` no allocation but the box of a control payload that is cut; no
//!    panic on any input.
//! 2. After `Ok(None)` the input is empty: no bytes need to be kept and presented again.
//! 3. Any way of cutting the input gives the same messages, the same replies and the same error.
//! 4. Below `Assembler`, payload is written once, when it is unmasked, and never moved.
//! 5. Memory and work are functions of the configuration, never of what a peer claims.
//!
//! # Features
//!
//! All are additive and none changes behaviour. The crate is always `no_std`; vector kernels are chosen at run time
//! also without `std`.
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `std` | yes | `vectored`; implies `alloc` |
//! | `alloc` | through `std` | `Assembler`; a smaller [`Connection`] |
//! | `bytes` | | `owned`; implies `alloc` |
//! | `handshake` | | `handshake` |
//! | `deflate` | | `deflate`; implies `std` |

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// Each group may import from those above it, and everything from `error`: no arrow points down (docs/architecture.md).

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
    Client, Connection, KeySource, Limits, Receive, ReceiveHalf, Role, SendHalf, Server, State, Unmasked,
};
pub use control::{Control, ControlFrame};
pub use decoder::{Chunk, Decoder};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Kind, Part};
pub use frame::{Header, HeaderBytes, Opcode, Rsv};
