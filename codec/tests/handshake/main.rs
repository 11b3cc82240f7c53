//! The opening handshake, and the extension that it negotiates.

mod extension;
#[cfg(all(feature = "handshake", feature = "alloc"))]
mod host;
#[cfg(all(feature = "handshake", feature = "alloc"))]
mod opening;
