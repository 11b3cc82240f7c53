//! framewire
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod cpu;
mod error;
#[doc(hidden)]
pub mod internal;
pub mod mask;
pub mod utf8;

mod close;
mod control;
pub mod frame;

mod decoder;

mod connection;
mod event;

#[cfg(feature = "alloc")]
mod assembler;
#[cfg(feature = "std")]
pub mod vectored;

#[cfg(feature = "alloc")]
pub use assembler::{Assembler, Message};
pub use close::{Close, CloseCode};
pub use connection::{Client, Connection, Limits, Role, Server, State};
pub use control::{Control, ControlFrame};
pub use decoder::{Chunk, Decoder};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Kind, Part};
pub use frame::{Header, HeaderBytes, Opcode, Rsv};
