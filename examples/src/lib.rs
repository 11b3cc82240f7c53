//! What the programs in `src/bin` share.

mod accept;
mod echo;

pub use accept::accept;
pub use echo::Echo;

/// The Rust code of the documentation, compiled and run with the other tests.
#[cfg(doctest)]
mod documentation {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/integrate.md")]
    mod integrate {}
    #[doc = include_str!("../../docs/tokio.md")]
    mod tokio {}
}
