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

pub use error::{ProtocolError, SendError};
