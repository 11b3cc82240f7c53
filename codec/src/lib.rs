//! framewire
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod cpu;
mod error;
pub mod extension;
#[cfg(feature = "handshake")]
pub mod handshake;
pub mod mask;
pub mod utf8;

pub use error::{ProtocolError, SendError};
