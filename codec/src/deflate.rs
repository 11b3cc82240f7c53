//! A stage (feature `deflate`): permessage-deflate (RFC 7692) in both directions, within bounds.
//!
//! The [`Inflater`] of a connection takes compressed [`Part`](crate::Part)s, which have RSV1 set, and returns inflated
//! parts of bounded size, for an [`Assembler`](crate::Assembler) or for a host that streams. The [`Deflater`] turns a
//! payload into a frame to be written. The connections of a thread share two pools, an [`InflatePool`] and a
//! [`DeflatePool`], which the host owns.
//!
//! # Whole messages: the easy way
//!
//! A host that has each compressed message whole need not feed parts. It calls `owned::Message::inflate` for a message
//! from `owned::Reader`, or [`Ready::inflate_text`] or [`Ready::inflate_binary`] for a slice. Each needs a decompressor
//! only during that call. So if no connection of a pool feeds parts, `messages: 1` serves all of them, and no peer
//! waits for another.
//!
//! # The host's loop, with compression
//!
//! This host feeds parts, and does not collect compressed bytes:
//!
//! ```
//! use framewire::deflate::{DeflatePool, Deflater, InflatePool, Inflater};
//! use framewire::{Assembler, Connection, Event, Kind, ProtocolError, Rsv, Server, Unmasked, extension::DeflateParams};
//! use std::io::{self, Read, Write};
//!
//! /// All connections of a thread share this.
//! struct Shared { rx: Vec<u8>, inflate: InflatePool, deflate: DeflatePool }
//!
//! struct Peer<S> {
//!     socket: S,
//!     connection: Connection<Server>,
//!     inflater: Inflater<Server>,
//!     deflater: Deflater<Server>,
//!     assembler: Assembler,
//! }
//!
//! impl<S: Read + Write> Peer<S> {
//!     fn new(socket: S, params: &DeflateParams, shared: &Shared) -> io::Result<Self> {
//!         Ok(Self {
//!             socket,
//!             connection: Connection::new().with_extension_bits(Rsv::RSV1), // RFC 7692 §6
//!             inflater: Inflater::new(params, &shared.inflate).map_err(io::Error::other)?,
//!             deflater: Deflater::new(params),
//!             assembler: Assembler::new(16 << 20),
//!         })
//!     }
//!
//!     /// Serves a socket that is readable. `false`: no decompressor is free; try again when another peer's message has
//!     /// ended.
//!     fn readable(&mut self, shared: &mut Shared) -> io::Result<bool> {
//!         // Ask before the read, so that all bytes that it brings can be inflated.
//!         let Some(mut ready) = self.inflater.ready(&mut shared.inflate) else { return Ok(false) };
//!         let n = self.socket.read(&mut shared.rx)?;
//!         let mut input = &mut shared.rx[..n];
//!         let mut out = Vec::new();
//!         let mut echo = |connection: &mut Connection<Server>, kind, payload: &[u8]| {
//!             if let Ok(sent) = self.deflater.message(connection, kind, payload, &mut shared.deflate, Unmasked) {
//!                 sent.append_to(&mut out);
//!             }
//!         };
//!         let outcome = 'read: loop {
//!             match self.connection.receive(&mut input) {
//!                 Ok(Some(Event::Text(text))) => echo(&mut self.connection, Kind::Text, text.as_bytes()),
//!                 Ok(Some(Event::Binary(bytes))) => echo(&mut self.connection, Kind::Binary, bytes),
//!                 Ok(Some(Event::Part(part))) => {
//!                     let mut parts = ready.feed(part); // compressed or not
//!                     loop {
//!                         match parts.next_part().and_then(|part| part.map(|part| self.assembler.push(part)).transpose()) {
//!                             Ok(Some(Some(message))) => echo(&mut self.connection, message.kind, message.bytes()),
//!                             Ok(Some(None)) => {}     // the message goes on
//!                             Ok(None) => break,       // the part is used up
//!                             Err(error) => break 'read Err(error),
//!                         }
//!                     }
//!                 }
//!                 Ok(Some(_control)) => {}             // `Connection::reply`, as without compression
//!                 Ok(None) => break Ok(()),
//!                 Err(error) => break Err(error),
//!             }
//!         };
//!         if let Err(error) = outcome {
//!             out.extend(self.connection.fail(error, Unmasked).iter().flat_map(|frame| frame.iter()));
//!         }
//!         self.socket.write_all(&out)?;
//!         Ok(true)
//!     }
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
//! let mut shared = Shared { rx: vec![0; 4096], inflate: InflatePool::default(), deflate: DeflatePool::default() };
//! // RFC 7692 §7.2.3.1: "Hello", compressed, in two fragments; masked with a key of zero bytes.
//! let wire = b"\x41\x83\0\0\0\0\xf2\x48\xcd\x80\x84\0\0\0\0\xc9\xc9\x07\x00".to_vec();
//! let mut peer = Peer::new(Socket(io::Cursor::new(wire), Vec::new()), &DeflateParams::default(), &shared)?;
//! assert!(peer.readable(&mut shared)?);
//! assert_eq!(peer.socket.1, b"\x81\x05Hello"); // too short to be worth compressing
//! # Ok::<(), io::Error>(())
//! ```
//!
//! A client does the same, with a key for each frame. The key masks the payload in the pool's buffer:
//!
//! ```
//! use framewire::deflate::{DeflatePool, Deflater, InflatePool, Inflater};
//! use framewire::{Client, Connection, Kind, Rsv, extension::{self, DeflateOffer}, mask::Key};
//!
//! let offers = [DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() }];
//! let answer = "permessage-deflate; client_no_context_takeover"; // the server's
//! let params = extension::verify([answer], &offers)?.expect("accepted");
//!
//! let mut connection = Connection::<Client>::new().with_extension_bits(Rsv::RSV1);
//! let (inflate_pool, mut deflate_pool) = (InflatePool::default(), DeflatePool::default());
//! let inflater = Inflater::<Client>::new(&params, &inflate_pool)?; // used as above
//! let mut deflater = Deflater::<Client>::new(&params);
//!
//! let text = "again ".repeat(100);
//! let key = Key::new([1, 2, 3, 4]); // fresh and unpredictable for each frame
//! let mut frame = Vec::new();
//! deflater.message(&mut connection, Kind::Text, text.as_bytes(), &mut deflate_pool, key)?.append_to(&mut frame);
//! assert_eq!(frame[0], 0xC1); // a text, with RSV1
//! assert!(frame.len() < 40);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Waiting for a decompressor
//!
//! A host that feeds parts lends a decompressor to each message from its first byte to its last, however long the peer
//! takes. A pool lends [`InflateConfig::messages`] decompressors at the same time. While all are lent,
//! [`Inflater::ready`] returns `None` for a peer that is between two messages. Pools that
//! [share a budget](InflateBudget) share all of these but one: each may always lend one, so none waits while it has no
//! open message. If a peer has to wait, the host
//!
//! - does not read that peer's socket, and remembers that the peer waits;
//! - tries again when another peer's message ends: with its last part, with an error, or with its connection. If the
//!   pool shares its budget, this may happen on another thread, so the host also tries again after a short time, or
//!   lets the other thread notify it;
//! - continues to read peers that are [inside a message](Inflater::is_open), which are always ready;
//! - limits how long a compressed message may take, as it limits how long a handshake may take, and fails connections
//!   that exceed the limit while others wait. Otherwise a few peers that never end their messages stop all others.
//!
//! A peer inside a compressed message keeps its decompressor while the host does not read it, for example because too
//! many bytes are queued for it. So the same time limit must hold then. To avoid all this, collect the compressed bytes
//! first, and inflate the message whole.
//!
//! # Long messages
//!
//! A few KiB may inflate to the largest message that is allowed, and their sender may wait for an echo of it. So a host that
//! serves many connections on one thread works on a message in turns, between which it serves others:
//!
//! - [`Inflated::pause`] stops in the middle of a part, and returns the rest of it, to be fed later. Count the bytes that go
//!   in and that come out: some input takes long and inflates to nothing. To limit the bytes that go in, cut the part itself.
//! - [`Deflater::begin`] begins a message that is compressed in steps of as many bytes as you like.
//! - [`Ready::hold`] keeps a message counted as long as it is in progress, also after its last part. So
//!   [`InflateConfig::messages`] limits how many messages are in memory because they are being inflated, or because their
//!   replies are being compressed.
//!
//! # Threads
//!
//! An inflater or deflater may meet another thread's pool: a connection may move to another thread between any two
//! calls, also inside a message. It owns its window, and a decompressor that is lent to it moves with it. Before the
//! next message, the new pool reads the window in once (32 KiB: 0.7 µs to inflate; to compress, 0.8 µs for each KiB, of
//! which short messages need few).
//!
//! Pools that [share](InflatePool::sharing) an [`InflateBudget`] or a [`DeflateBudget`] have one cap together. An open
//! message counts in the pool in which it began until it ends; so do the messages after it in the same read, if the new
//! pool can lend no decompressor. If the two pools do not share a budget, the window counts in the first pool's budget
//! as long as the connection lives.
//!
//! # Memory
//!
//! Between two messages, a connection holds its `Inflater` (24 bytes), its `Deflater` (24 bytes) and, with context
//! takeover, its windows. A window is plain bytes, at most as many as the two ends agreed on. A decompressor or
//! compressor reads it in when the connection needs one. So whatever the peers do, all connections together hold at
//! most
//!
//! ```text
//! receiving   (messages + pools − 1) × (48 KiB + 2^bits if messages are cut)
//!             + windows                                                              (InflateConfig, all pools)
//!             + part, and as much as 4 messages if pools share a budget              (each pool)
//! sending     compressors × 288 KiB + windows                                        (DeflateConfig, all pools)
//!             + the longest payload as it is sent, and 288 KiB for a pool that
//!               starts when all compressors are taken                                (each pool)
//!             + as much as the payload again            (each message that is compressed in steps)
//! ```
//!
//! `pools` is the number of pools that share the budget: each may always have one message. At the cap on `windows` for
//! receiving, a server asks further clients not to take their context over ([`InflatePool::has_window`]). At the cap on
//! `windows` for sending, it compresses each message to further clients by itself, which needs no agreement. At the cap
//! on `messages`, peers [wait](#waiting-for-a-decompressor).
//!
//! # Work
//!
//! [`InflateConfig::message`] bounds a message while it is inflated, so a compression bomb costs no more than an honest
//! message of that size. The connection's [`Limits::message`](crate::Limits::message) bounds input that inflates to
//! nothing. Each final block starts a new deflate stream; the number of final blocks in a message is bounded by a share
//! of its input. On targets whose `c_ulong` has 32 bits, such as Windows, a message of more than 2 GiB of compressed
//! input is too big, whatever the limits.
//!
//! # Secrets
//!
//! If an attacker can make one end send chosen text beside a secret, the length of the compressed message reveals parts
//! of the secret (RFC 7692 §8). Send such messages with the connection's own methods, which do not compress.

mod budget;
mod deflate_pool;
mod deflater;
mod deflating;
mod format;
mod inflate_pool;
mod inflate_stream;
mod inflater;
mod window;

pub use deflate_pool::{DeflateBudget, DeflateConfig, DeflatePool};
pub use deflater::{Deflater, Outgoing};
pub use deflating::{Deflated, Deflating};
#[cfg(feature = "bytes")]
pub(crate) use format::MIN_BITS;
pub use inflate_pool::{InflateBudget, InflateConfig, InflatePool, Place};
pub use inflater::{Inflated, Inflater, NoWindow, Ready};
