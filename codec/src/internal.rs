//! What this workspace's tests, benches and fuzzing need, and nobody else: no part of the API.
#![allow(missing_docs)]

pub use crate::utf8::kernel::{Kernel as Utf8Kernel, kernels as utf8_kernels};
