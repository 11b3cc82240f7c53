//! framewire for C: the functions that `include/framewire.h` and the headers in `include/framewire/` declare.
//!
//! The headers are the documentation: they say what each function does, and what its caller must guarantee. This crate
//! turns pointers into references, calls the codec, and turns results into numbers; it decides nothing. Its `unsafe` is at
//! that border only. What cannot be checked (that a pointer is valid for the length that comes with it) is the caller's
//! duty, and the header says so beside the function. What can be checked is checked: null pointers, alignment, lengths,
//! unknown numbers, and memory that was never initialised but is zero.
//!
//! A panic cannot cross the border: `extern "C"` aborts, and so do the profiles of this workspace. No input should get
//! there: the codec does not panic, and a fuzz target drives these functions.

#![cfg_attr(not(feature = "std"), no_std)]

// A module imports only from modules above it.

mod code;
mod types;

mod border;

mod connection;
mod kernels;

mod handshake;

#[cfg(not(any(feature = "std", test)))]
mod bare;
#[cfg(feature = "std")]
mod deflate;

pub use code::*;
pub use connection::*;
#[cfg(feature = "std")]
pub use deflate::*;
pub use handshake::*;
pub use kernels::*;
pub use types::*;
