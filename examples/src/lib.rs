//! What the programs in `src/bin` share. Each of the two files can be copied into your own host by itself.

mod echo;
mod websocket;

pub use echo::Echo;
pub use websocket::{HIGH_WATER, Message, WebSocket};

/// The Rust code of the documentation, compiled and run with the other tests.
#[cfg(doctest)]
mod documentation {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/integrate.md")]
    mod integrate {}
}
