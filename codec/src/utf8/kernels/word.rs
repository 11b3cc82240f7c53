//! Validation by words, on any CPU: blocks of ASCII are passed over, everything else goes through the automaton.
#![allow(unsafe_code)]

use crate::mask::Key;
use crate::utf8::{dfa::State, kernel::Kernel};

// SAFETY: any CPU can run both functions, which are safe.
pub(super) const KERNEL: Kernel = unsafe { Kernel::new("word", None, check, unmask) };

/// One test for ASCII covers this many bytes, a cache line. Compilers turn it into vectors of their target.
const BLOCK: usize = 64;
const WORD: usize = 8;

fn check(bytes: &[u8]) -> State {
    let (state, bytes) = check_blocks::<BLOCK>(State::ACCEPT, bytes);
    let (state, bytes) = check_blocks::<WORD>(state, bytes);
    state.run(bytes)
}

#[inline]
fn check_blocks<const N: usize>(mut state: State, bytes: &[u8]) -> (State, &[u8]) {
    let mut blocks = bytes.chunks_exact(N);
    for block in &mut blocks {
        let all = block.chunks_exact(WORD).fold(0, |all, word| all | load(word));
        if all & HIGH_BITS != 0 || state != State::ACCEPT {
            state = state.run(block);
        }
    }
    (state, blocks.remainder())
}

fn unmask(key: Key, bytes: &mut [u8]) -> State {
    let (state, bytes) = unmask_blocks::<BLOCK>(State::ACCEPT, key, bytes);
    let (state, bytes) = unmask_blocks::<WORD>(state, key, bytes);
    state.run_masked(key, bytes)
}

/// Takes as many blocks of `N` bytes as there are. Gives the state after them, and the rest. `N` is a multiple of the
/// word's size, so the key is the same for the rest.
#[inline]
fn unmask_blocks<const N: usize>(mut state: State, key: Key, bytes: &mut [u8]) -> (State, &mut [u8]) {
    let key = u64::from(u32::from_ne_bytes(key.to_bytes())) * 0x1_0000_0001;
    let mut blocks = bytes.chunks_exact_mut(N);
    for block in &mut blocks {
        let mut all = 0;
        for word in block.chunks_exact_mut(WORD) {
            let plain = load(word) ^ key;
            all |= plain;
            word.copy_from_slice(&plain.to_ne_bytes());
        }
        if all & HIGH_BITS != 0 || state != State::ACCEPT {
            state = state.run(block);
        }
    }
    (state, blocks.into_remainder())
}

const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; WORD]);

#[inline]
fn load(word: &[u8]) -> u64 {
    let mut bytes = [0; WORD];
    bytes.copy_from_slice(word);
    u64::from_ne_bytes(bytes)
}
