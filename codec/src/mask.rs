//! Masking (RFC 6455 §5.3): the XOR of a client's payload with a repeated four-byte key.
//!
//! XOR undoes itself, so the same functions mask and unmask. [`apply`] works in place; [`apply_to`] copies from one
//! buffer to another. A payload that arrives in pieces is masked piece by piece: [`Key::advance`] gives the key for the
//! next piece, wherever the last one ended.
//!
//! ```
//! use framewire::mask::{self, Key};
//!
//! let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
//! let mut payload = *b"\x7f\x9f\x4d\x51\x58"; // the example of RFC 6455 §5.7
//! let (head, tail) = payload.split_at_mut(3);
//! mask::apply(key, head);
//! mask::apply(key.advance(head.len()), tail);
//! assert_eq!(&payload, b"Hello");
//! ```

// From the top down: `dispatch` chooses the fastest kernel that the CPU can run. `kernels` is the table of them, with a
// file for each. They share one method, `overlap`, which is generic over the operations of a `vector`. `kernel` is the
// contract between a kernel and its callers. Payloads under 32 bytes are masked without a kernel, in `short`.

mod dispatch;
mod kernel;
mod kernels;
mod key;
mod overlap;
mod short;
mod vector;

pub use key::Key;
pub(crate) use {dispatch::run_by, kernel::Kernel, kernels::KERNELS};

/// Masks or unmasks `bytes` in place (RFC 6455 §5.3). Never panics.
///
/// ```
/// use framewire::mask::{self, Key};
///
/// let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
/// let mut payload = *b"Hello";
/// mask::apply(key, &mut payload);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// mask::apply(key, &mut payload);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline]
pub fn apply(key: Key, bytes: &mut [u8]) {
    dispatch::apply(key, bytes);
}

/// Copies bytes from `from` to `to` and masks or unmasks them (RFC 6455 §5.3). Returns their number, which is the
/// smaller of the two lengths. The rest of `to` stays as it is. Never panics.
///
/// This is one pass over memory; a copy and then [`apply`] are two.
///
/// ```
/// use framewire::mask::{self, Key};
///
/// let mut frame = [0; 16];
/// let len = mask::apply_to(Key::new([0x37, 0xfa, 0x21, 0x3d]), b"Hello", &mut frame);
/// assert_eq!(frame[..len], [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline]
pub fn apply_to(key: Key, from: &[u8], to: &mut [u8]) -> usize {
    dispatch::apply_to(key, from, to)
}
