//! Masking keys.

use framewire::{Role, mask::Key};
use std::{cell::RefCell, mem};

/// Keys drawn at a time: a system call for each would cost more than the rest of a short message.
const KEYS: usize = 256;

/// Random bytes of which each key is used once.
struct Pool {
    left: usize,
    bytes: [u8; 4 * KEYS],
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { left: 0, bytes: [0; 4 * KEYS] }) };
}

/// The key of the next frame. A server has none.
#[inline]
pub(crate) fn key<R: Role>() -> R::Key {
    R::key(draw)
}

/// Whether this end is the server.
pub(crate) fn is_server<R: Role>() -> bool {
    let key: Option<Key> = R::key(Key::default).into();
    key.is_none()
}

/// A key that the peer's program cannot predict (RFC 6455 §10.3).
fn draw() -> Key {
    // A connection may be used while its thread ends.
    POOL.try_with(|pool| pool.borrow_mut().next()).unwrap_or_else(|_| Key::new(random()))
}

impl Pool {
    fn next(&mut self) -> Key {
        if self.left == 0 {
            self.bytes = random();
            self.left = KEYS;
        }
        self.left -= 1;
        let at = 4 * self.left;
        Key::new(std::array::from_fn(|i| mem::take(&mut self.bytes[at + i])))
    }
}

/// Bytes of the system's generator.
///
/// # Panics
/// If the system has none, which would make masking predictable.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::{KEYS, draw};
    use std::collections::HashSet;

    #[test]
    fn no_key_is_drawn_twice() {
        let keys: HashSet<_> = (0..3 * KEYS).map(|_| draw().to_bytes()).collect();
        // 768 of 2^32: two are the same by chance once in 14,000 runs.
        assert!(keys.len() >= 3 * KEYS - 1);
    }
}
