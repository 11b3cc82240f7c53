//! A WebSocket server on the [framewire](https://docs.rs/framewire) codec and mio: one thread, one poll, any number of
//! connections. A [`Handler`] handles messages, a [`Config`] sets limits, and a [`Server`] serves.
//!
//! ```
//! use framewire::{Kind, handshake::{self, Request}};
//! use framewire_mio::{Config, Handler, Reply, Server};
//! use std::{borrow::Cow, io::{Read, Write}, net::TcpStream, thread};
//!
//! /// Echoes every message unchanged.
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
//!         let _ = reply.send(kind, payload);
//!     }
//!
//!     fn request(&mut self, _: &Request<'_, '_>) -> handshake::PlainResponse<'_> {
//!         handshake::PlainResponse::new(200).body("an echo server\n")
//!     }
//! }
//!
//! let server = Server::bind(&["127.0.0.1:0".parse()?], Config::default(), Echo)?;
//! let (address, stop) = (server.listeners()[0].to_string(), server.stop_handle());
//! let thread = thread::spawn(move || server.run());
//!
//! let mut client = TcpStream::connect(&address)?;
//! client.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
//! let mut response = String::new();
//! client.read_to_string(&mut response)?;
//! assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("an echo server\n"));
//!
//! stop.stop()?;
//! thread.join().expect("no panic")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The program `framewire-echo` is this library with a handler that echoes. It is behind the feature `program`, which is on
//! by default. Without default features, the library depends only on the codec, log, mio, slab and socket2.
//!
//! # Modules
//! Each module imports only modules above it.
//!
//! ```text
//! config        the configuration of a server
//! stats         the counters of a server
//! records       what an access log says of a connection
//! stop          stops a server from outside its loop
//! tls           certificates, and streams over TLS (feature `tls`)
//! transport     connected sockets: the only module that reads and writes them; the seam to the operating system
//! spread        several servers that share their connections evenly
//! listener      addresses and listening sockets
//! detached      connections that a handler has taken over
//! line          a queue that sessions can leave
//! budget        how much compression may do in one turn
//! replies       replies that are compressed in steps
//! compression   permessage-deflate: the state of one peer, and the pools for all
//! reply         sends a handler's replies
//! handler       the trait that an application implements
//! handshake     responses to requests
//! shared        the receive buffer, and pools of memory
//! session       one connection
//! sessions      all connections, and the order of their turns
//! event_loop    the turns of the loop: accept, pass events on, sweep
//! server        a poll and a clock around the event loop
//! simulation    (tests) the event loop with a kernel and peers from a seed
//! ```

mod budget;
mod compression;
mod config;
mod detached;
mod event_loop;
mod handler;
mod handshake;
mod line;
mod listener;
mod records;
mod replies;
mod reply;
mod server;
mod session;
mod sessions;
mod shared;
#[cfg(test)]
mod simulation;
mod spread;
mod stats;
mod stop;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use config::{CompressionConfig, Config, Subprotocols};
pub use detached::{Detached, Interrupter, Wait};
pub use handler::{Admission, Handler, TakeOver};
pub use listener::{Address, Listener};
pub use records::{End, Ending, Peer};
pub use reply::Reply;
pub use server::Server;
pub use stats::{Closes, Counter, Fault, Faults, Histogram, Stats};
pub use stop::StopHandle;
#[cfg(feature = "tls")]
pub use tls::{TlsConfig, TlsError};
