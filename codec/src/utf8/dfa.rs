//! The truth, a byte at a time: table 3-7 of the Unicode Standard as an automaton. Everything faster than this file
//! must agree with it; what is too short for a vector, or too rare to matter, runs on it.
//!
//! The table has a row for each byte: one 64-bit word of nine fields of six bits, the successor of each of the nine
//! states. A state is the place of its own field:
//!
//! ```text
//!                  54       48       42          12        6        0
//!   ROWS[byte]  ────┬────────┬────────┬── … ──┬────────┬────────┬────────┐
//!                   │AFTER_F4│AFTER_F0│       │ NEED_1 │ REJECT │ ACCEPT │
//!               ────┴────────┴────────┴── … ──┴────────┴────────┴────────┘
//! ```
//!
//! So a step is a load, which does not wait for the state, and a shift by the state, which is all that does: a byte
//! takes about as long as a shift. There is no branch to guess wrong, whatever the text.

use crate::mask::Key;

/// Where in a character the text stands; between two by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(u8);

impl State {
    /// Between two characters: the text may end here.
    pub(super) const ACCEPT: Self = Self(0);
    /// The last byte could not stand where it stood. There is no way back.
    pub(super) const REJECT: Self = Self(6);

    /// The state after one more byte.
    #[inline]
    pub(super) fn step(self, byte: u8) -> Self {
        self.run(&[byte])
    }

    /// The state after these bytes.
    #[inline]
    pub(super) fn run(self, bytes: &[u8]) -> Self {
        Self::from_word(bytes.iter().fold(u64::from(self.0), |state, &byte| next(state, byte)))
    }

    /// Unmasks these bytes in place; the state after them.
    #[inline]
    pub(super) fn run_masked(self, key: Key, bytes: &mut [u8]) -> Self {
        let key = key.to_bytes();
        let mut state = u64::from(self.0);
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte ^= key[i % 4];
            state = next(state, *byte);
        }
        Self::from_word(state)
    }

    /// The state after a text that is known to be in order, but for its last byte, and for the character that it may
    /// cut short. Looks at no more than the last three bytes.
    #[inline]
    #[allow(dead_code)] // where there are only words, every byte goes through the automaton
    pub(super) fn at_end_of(text: &[u8]) -> Self {
        match *text {
            [.., last @ 0xC0..=0xFF] => Self::ACCEPT.run(&[last]),
            [.., lead @ 0xE0..=0xFF, last] => Self::ACCEPT.run(&[lead, last]),
            [.., lead @ 0xF0..=0xFF, second, last] => Self::ACCEPT.run(&[lead, second, last]),
            _ => Self::ACCEPT,
        }
    }

    /// Index of the first of these bytes that cannot stand where it stands.
    #[cold]
    pub(super) fn first_impossible(mut self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|&byte| {
            self = self.step(byte);
            self == Self::REJECT
        })
    }

    #[inline]
    fn from_word(state: u64) -> Self {
        Self((state & FIELD) as u8)
    }
}

/// One step. Of a state in a word only the low six bits count: what a shift brings down above them is the successors
/// of other states. Masking them off before the shift is free where shifts take their count modulo 64 anyway.
#[inline]
fn next(state: u64, byte: u8) -> u64 {
    ROWS[usize::from(byte)] >> (state & FIELD)
}

const FIELD: u64 = 0x3F;

const ACCEPT: u8 = State::ACCEPT.0;
const REJECT: u8 = State::REJECT.0;
const NEED_1: u8 = 12; // one more continuation
const NEED_2: u8 = 18;
const NEED_3: u8 = 24;
const AFTER_E0: u8 = 30; // 80–9F would be an over-long form
const AFTER_ED: u8 = 36; // A0–BF would be a surrogate
const AFTER_F0: u8 = 42; // 80–8F would be an over-long form
const AFTER_F4: u8 = 48; // 90–BF would be beyond U+10FFFF

static ROWS: [u64; 256] = {
    let mut rows = [0; 256];
    let mut byte = 0;
    loop {
        let mut state = ACCEPT;
        while state <= AFTER_F4 {
            rows[byte as usize] |= (successor(state, byte) as u64) << state;
            state += 6;
        }
        if byte == u8::MAX {
            break rows;
        }
        byte += 1;
    }
};

const fn successor(state: u8, byte: u8) -> u8 {
    match (state, byte) {
        (ACCEPT, 0x00..=0x7F) => ACCEPT,
        (ACCEPT, 0xC2..=0xDF) => NEED_1,
        (ACCEPT, 0xE0) => AFTER_E0,
        (ACCEPT, 0xED) => AFTER_ED,
        (ACCEPT, 0xE1..=0xEF) => NEED_2,
        (ACCEPT, 0xF0) => AFTER_F0,
        (ACCEPT, 0xF1..=0xF3) => NEED_3,
        (ACCEPT, 0xF4) => AFTER_F4,
        (NEED_1, 0x80..=0xBF) => ACCEPT,
        (NEED_2, 0x80..=0xBF) | (AFTER_E0, 0xA0..=0xBF) | (AFTER_ED, 0x80..=0x9F) => NEED_1,
        (NEED_3, 0x80..=0xBF) | (AFTER_F0, 0x90..=0xBF) | (AFTER_F4, 0x80..=0x8F) => NEED_2,
        _ => REJECT,
    }
}
