//! What the programs in `src/bin` share. Each of the two files stands alone, to be copied into a host of your own.

mod echo;
mod websocket;

pub use echo::Echo;
pub use websocket::{HIGH_WATER, Message, WebSocket};

/// The Rust of the documentation, compiled and run with the rest.
#[cfg(doctest)]
mod documentation {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/integrate.md")]
    mod integrate {}
}
