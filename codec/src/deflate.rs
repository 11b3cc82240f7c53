//! A stage (deflate): permessage-deflate (RFC 7692), both ways, within bounds.
//!
//! The [`Inflater`] of a connection takes the [`Part`](crate::Part)s that carry RSV1 and gives parts that are not
//! compressed any more, for an [`Assembler`](crate::Assembler) or a host that streams: one in, many out, each bounded.
//! The [`Deflater`] turns a payload into a frame to be written. What connections share is in two pools, an
//! [`InflatePool`] and a [`DeflatePool`], which the host owns: one of each for each thread.
//!
//! # The host's loop, with compression
//!
//! ```
//! use framewire::deflate::{DeflatePool, Deflater, InflatePool, Inflater};
//! use framewire::{Assembler, Connection, Event, Kind, ProtocolError, Rsv, Server, Unmasked, extension::DeflateParams};
//! use std::io::{self, Read, Write};
//!
//! /// What all connections of a thread share.
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
//!     /// The socket can be read. `false`: not now; try again when another peer's message has ended.
//!     fn readable(&mut self, shared: &mut Shared) -> io::Result<bool> {
//!         // Asked before the read, so that whatever the read brings can be inflated.
//!         let Some(mut ready) = self.inflater.ready(&mut shared.inflate) else { return Ok(false) };
//!         let n = self.socket.read(&mut shared.rx)?;
//!         let mut input = &mut shared.rx[..n];
//!         let mut out = Vec::new();
//!         let mut echo = |connection: &mut Connection<Server>, kind, payload: &[u8]| {
//!             if let Ok(sent) = self.deflater.message(connection, kind, payload, &mut shared.deflate, Unmasked) {
//!                 out.extend_from_slice(&sent.header);
//!                 out.extend_from_slice(sent.payload);
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
//!                 Ok(Some(_control)) => {}             // `Connection::reply`, as ever
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
//! A client does the same, with a key for each frame, which masks the payload in the pool's buffer:
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
//! let inflater = Inflater::<Client>::new(&params, &inflate_pool)?; // and on as above
//! let mut deflater = Deflater::<Client>::new(&params);
//!
//! let text = "again ".repeat(100);
//! let key = Key::new([1, 2, 3, 4]); // fresh and unpredictable for each frame
//! let sent = deflater.message(&mut connection, Kind::Text, text.as_bytes(), &mut deflate_pool, key)?;
//! let frame = [&sent.header[..], sent.payload].concat();
//! assert_eq!(frame[0], 0xC1); // a text, with RSV1
//! assert!(frame.len() < 40);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Whole messages
//!
//! A host that has its messages whole need not feed parts: [`Ready::inflate_text`] and [`Ready::inflate_binary`] take a
//! slice, and `owned::Message::inflate` takes what `owned::Reader` gives. Each needs a decompressor only for the length
//! of that call. So a pool of which no connection feeds parts serves any number of them with `messages: 1`, and no peer
//! ever waits for another.
//!
//! # Waiting
//!
//! A host that feeds parts lends a decompressor to each message, from its first byte to its last, however long the peer
//! takes. There are [`InflateConfig::messages`] of them. While all are lent, [`Inflater::ready`] gives `None` for a peer
//! that is between two messages. The host then
//!
//! - leaves that peer's socket unread, and remembers that the peer waits;
//! - tries again after an event that ends another peer's message: the last part of one, an error, the end of a
//!   connection. If the pool [shares its budget](InflateBudget), that may happen on another thread: the host also tries
//!   again after a short time, or has the other thread tell it;
//! - goes on reading the peers that are [inside a message](Inflater::is_open), for these are always ready;
//! - gives each compressed message a time to end in, and fails connections that take longer while others wait
//!   (as a handshake has a time to end in). Otherwise a few peers that never end their messages stop all others.
//!
//! It must not stop reading a peer inside a compressed message for the sake of something else, such as a full queue,
//! without that limit in time: that peer would hold its decompressor while it waits. To be free of this, put the
//! compressed bytes together first, and inflate the message whole.
//!
//! # Threads
//!
//! A connection may go to another thread, and so meet another thread's pool, from any call to the next, also inside a
//! message: its window belongs to it, and a decompressor that is lent to it goes with it. Pools that
//! [share](InflatePool::sharing) an [`InflateBudget`] or a [`DeflateBudget`] have one cap for all of them. In the
//! new pool, the window is read in once, before the next message (32 KiB: 0.7 µs to inflate; to compress, 0.8 µs for
//! each KiB, of which short messages need few). If the two pools do not share a budget, the window and the open message
//! still count in the first one's, the window as long as the connection lives.
//!
//! # Memory
//!
//! A connection between two messages holds its `Inflater` (24 bytes) and `Deflater` (16 bytes), and, with context
//! takeover, no more than the windows that the peers agreed on: as plain bytes, which a decompressor or compressor reads
//! in when it is needed. So the most that all connections hold, whatever the peers do, is
//!
//! ```text
//! receiving   messages × (48 KiB + 2^bits if messages are cut) + windows             (InflateConfig, all pools)
//!             + part, and as much as 4 messages if pools share a budget              (each pool)
//! sending     compressors × 372 KiB + windows                                        (DeflateConfig, all pools)
//!             + the longest payload as it is sent, and 372 KiB for a pool that
//!               comes when all compressors are taken                                 (each pool)
//! ```
//!
//! `messages` counts at least one for each pool. At the cap on `windows`, a server asks further clients not to take
//! their context over ([`InflatePool::has_window`]), and itself compresses each message to them by itself, which needs no
//! agreement. At the cap on `messages`, peers [wait](#waiting).
//!
//! # Work
//!
//! Output is bounded by [`InflateConfig::message`] while it is inflated, so a bomb costs no more than an honest message
//! of that size. Input that inflates to nothing is bounded by the connection's own
//! [`Limits::message`](crate::Limits::message); final blocks, each of which begins a new stream, by a share of the input.
//! On targets whose `c_ulong` has 32 bits, such as Windows, more than 2 GiB of compressed input in one message is too big,
//! whatever the limits.
//!
//! # Secrets
//!
//! If an attacker can make one end send text of his choice beside a secret, the length of the compressed message tells
//! him about the secret (RFC 7692 §8). Send such messages with the connection's own methods, which do not compress.

mod budget;
mod deflate_pool;
mod deflater;
mod inflate_pool;
mod inflate_stream;
mod inflater;
mod window;

pub use deflate_pool::{DeflateBudget, DeflateConfig, DeflatePool};
pub use deflater::{Deflater, Outgoing};
pub use inflate_pool::{InflateBudget, InflateConfig, InflatePool};
pub use inflater::{Inflated, Inflater, NoWindow, Ready};

/// What a sender leaves out at the end of a message, and the receiver adds: an empty stored block, less its header
/// (RFC 7692 §7.2.1, §7.2.2).
const TAIL: &[u8] = &[0x00, 0x00, 0xff, 0xff];

/// The windows that zlib compresses with.
pub(crate) const MIN_BITS: u8 = 9;
const MAX_BITS: u8 = 15;
