//! The portable kernel: blocks of words that are ASCII are passed over, everything else goes through the automaton.

use super::dfa::State;
use super::kernel::Kernel;
use crate::mask::Key;

pub(super) const KERNEL: Kernel = Kernel { name: "word", available: || true, unmask, check };

/// Bytes that share one test for ASCII: a cache line, which compilers turn into the vectors of their target.
const BLOCK: usize = 64;
const WORD: usize = 8;

fn unmask(key: Key, bytes: &mut [u8]) -> State {
    let (state, bytes) = unmask_blocks::<BLOCK>(State::ACCEPT, key, bytes);
    let (state, bytes) = unmask_blocks::<WORD>(state, key, bytes);
    state.run_masked(key, bytes)
}

/// As many blocks of `N` bytes as there are; the state after them, and what is left. `N` is a number of words, so
/// the key is the same for what is left.
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

const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; WORD]);

#[inline]
fn load(word: &[u8]) -> u64 {
    let mut bytes = [0; WORD];
    bytes.copy_from_slice(word);
    u64::from_ne_bytes(bytes)
}
