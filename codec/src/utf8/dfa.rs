//! The definition of UTF-8, a byte at a time: table 3-7 of the Unicode Standard as an automaton. Everything faster must
//! agree with it. Text that is too short for a vector, or too rare to matter, runs on it.
//!
//! The table has a row for each byte. A row is a 64-bit word with nine fields of six bits: the successors of the nine
//! states. A state is the position of its field:
//!
//! ```text
//!                  54       48       42          12        6        0
//!   ROWS[byte]  ────┬────────┬────────┬── … ──┬────────┬────────┬────────┐
//!                   │AFTER_F4│AFTER_F0│       │ NEED_1 │ REJECT │ ACCEPT │
//!               ────┴────────┴────────┴── … ──┴────────┴────────┴────────┘
//! ```
//!
//! So a step is a load, and a shift by the state. Only the shift waits for the step before, so a byte takes about as
//! long as a shift. No text causes a misprediction, as there is no branch.

use crate::mask::Key;

/// A position in a character. By default, the one between two characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(u8);

impl State {
    /// Between two characters: the text can end here.
    pub(super) const ACCEPT: Self = Self(0);
    /// The last byte cannot follow those before it. No byte leads out of this state.
    pub(super) const REJECT: Self = Self(6);

    pub(super) const fn to_byte(self) -> u8 {
        self.0
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        if byte <= AFTER_F4 && byte % 6 == 0 { Some(Self(byte)) } else { None }
    }

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

    /// Unmasks these bytes in place, and gives the state after them.
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

    /// The state after a text that has no error, except perhaps in its last byte, and may end inside a character. Reads
    /// the last three bytes at most.
    #[cfg(not(framewire_portable))]
    #[inline]
    pub(super) fn at_end_of(text: &[u8]) -> Self {
        match *text {
            [.., last @ 0xC0..=0xFF] => Self::ACCEPT.run(&[last]),
            [.., lead @ 0xE0..=0xFF, last] => Self::ACCEPT.run(&[lead, last]),
            [.., lead @ 0xF0..=0xFF, second, last] => Self::ACCEPT.run(&[lead, second, last]),
            _ => Self::ACCEPT,
        }
    }

    /// The index of the first of these bytes that cannot follow those before it.
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

/// One step. A state is the low six bits of a word; above them, a shift leaves successors of other states. Removing
/// those before the next shift is free on CPUs whose shifts take their count modulo 64.
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
