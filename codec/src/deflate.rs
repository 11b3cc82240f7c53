//! A stage (deflate): permessage-deflate (RFC 7692), both ways, within bounds.
//!
//! The [`Inflater`] of a connection takes the [`Part`](crate::Part)s that carry RSV1 and gives parts that are not
//! compressed any more, for an [`Assembler`](crate::Assembler) or a host that streams: one in, many out, each bounded.
//! The [`Deflater`] turns a payload into what is to be written, with the header that says so. What they have in common
//! is in two pools of the host's, one of each a thread.
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
//!     /// The socket can be read. `false`: not now; look again when another peer's message has ended.
//!     fn readable(&mut self, shared: &mut Shared) -> io::Result<bool> {
//!         // Before the read: what it brings can be inflated, come what may.
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
//! A client is the same with a key for each frame; what it sends is masked already:
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
//! # Memory
//!
//! A connection between two messages holds its `Inflater` (24 bytes) and `Deflater` (16 bytes), and, with context
//! takeover, no more than the windows that the peers agreed on: as plain bytes, which a decompressor or compressor reads
//! in when it is needed. So the most that all connections of a thread hold is
//!
//! ```text
//! receiving   part + messages × (48 KiB + 2^bits where messages are cut) + windows      (InflateConfig)
//! sending     compressors × 372 KiB + windows + the longest message, compressed          (DeflateConfig)
//! ```
//!
//! whatever the peers do. `windows` is a cap: at it, a server asks further clients not to take their context over
//! ([`InflatePool::has_window`]), and itself compresses each message to them by itself, which needs no agreement.
//! `messages` is a cap, too: at it, a peer that would begin a compressed message is not read until another has ended
//! its own ([`Inflater::ready`]). A peer may hold on to its decompressor by never ending its message, so a host gives
//! messages a time to end in, as it does with handshakes.
//!
//! # Work
//!
//! Output is bounded by [`InflateConfig::message`] while it is inflated, so a bomb costs what an honest message of that
//! size does. Input that inflates to nothing is bounded by the connection's own
//! [`Limits::message`](crate::Limits::message), final blocks that each begin a new stream by a share of the input.
//!
//! # Secrets
//!
//! Where an attacker can make one end send what he chose beside a secret, the length of what is compressed tells
//! him about the secret (RFC 7692 §8). Such messages are to be sent with the connection's own verbs, which do not
//! compress.

mod budget;
mod deflate_pool;
mod deflater;
mod inflate_pool;
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
