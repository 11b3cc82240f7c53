//! How text that is not ASCII is validated, a vector at a time: by lookups in tables of nibbles.
//!
//! The algorithm is that of Keiser and Lemire, *Validating UTF-8 in less than one instruction per byte* (2021). Every
//! error but one shows in two neighbouring bytes, and there in three nibbles: both of the first byte, and the high
//! one of the second. Each of eight [`RULES`] names pairs of neighbours that are errors, and has a bit. Two tables,
//! indexed by the nibbles of a byte, give the rules that it *leads*, as a first byte of such a pair. A third table,
//! indexed by the high nibble of the next byte, gives the rules that this one *ends*. A rule in both is broken:
//!
//! ```text
//!     vector                      E2          82          AC          20         "€ "
//!                                 │╲          │╲          │╲          │╲
//!     LEAD_HIGH and LEAD_LOW      │ leads     │ leads     │ leads     │ leads
//!                                 │      ╲    │      ╲    │      ╲    │
//!     one byte on                 …       ╲───┐       ╲───┐       ╲───┐
//!     NEXT_HIGH                 ends        ends        ends        ends
//!                                           and         and         and
//!     broken rules                           0          TWICE        0
//!     expected                               0          TWICE        0            E2 is two bytes before AC
//!     xor: error                             0           0           0
//! ```
//!
//! The one error that two bytes do not show is a wrong *number* of continuations. Therefore the last rule, TWICE, is
//! about two continuations in a row, and has the high bit. It *must* be broken exactly if the byte two before is the
//! lead of three or four bytes, or the byte three before is the lead of four.
//!
//! A byte is checked against those before it only. So two things at the end of a text are no error here: a character
//! that the end cuts short, and a last byte that no character can start with. `State::at_end_of` finds both.
#![allow(unsafe_code)]

use super::vector::Lookup;

/// Checks one vector after the other. Its methods are unsafe: the caller promises that the CPU has the instructions.
pub(super) struct Checker<V> {
    prev: V,
    /// The rules that each byte of `prev` leads.
    led: V,
    /// Not zero after an error.
    error: V,
}

impl<V: Lookup> Checker<V> {
    /// A checker at the start of a text. The zeros before it count as ASCII.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        // SAFETY: the caller promises the CPU.
        unsafe {
            let zero = V::repeat([0; 4]);
            let mut checker = Self { prev: zero, led: zero, error: zero };
            checker.follow(zero);
            checker
        }
    }

    /// Sets the vector before the next one, without checking it.
    #[inline(always)]
    pub(super) unsafe fn follow(&mut self, prev: V) {
        // SAFETY: as in `new`.
        unsafe {
            self.led = led_by(prev, prev.high_nibbles());
            self.prev = prev;
        }
    }

    /// Checks the next vector.
    #[inline(always)]
    pub(super) unsafe fn check(&mut self, vector: V) {
        // SAFETY: as in `new`.
        unsafe {
            let high = vector.high_nibbles();
            let led = led_by(vector, high);
            let broken = led.one_before(self.led).and(high.lookup(V::table(&NEXT_HIGH)));
            // After the subtraction, only E0 and more, or F0 and more, have the high bit.
            let third = vector.two_before(self.prev).saturating_sub(V::repeat([0xE0 - 0x80; 4]));
            let fourth = vector.three_before(self.prev).saturating_sub(V::repeat([0xF0 - 0x80; 4]));
            let expected = third.or(fourth).and(V::repeat([TWICE; 4]));
            self.error = self.error.or(broken.xor(expected));
            self.prev = vector;
            self.led = led;
        }
    }

    /// Whether a vector had an error.
    #[inline(always)]
    pub(super) unsafe fn found_error(&self) -> bool {
        // SAFETY: as in `new`.
        unsafe { !self.error.is_zero() }
    }
}

/// The rules that each byte leads. `high` are its high nibbles.
#[inline(always)]
unsafe fn led_by<V: Lookup>(vector: V, high: V) -> V {
    // SAFETY: the caller promises the CPU.
    unsafe {
        let low = vector.and(V::repeat([0x0F; 4]));
        high.lookup(V::table(&LEAD_HIGH)).and(low.lookup(V::table(&LEAD_LOW)))
    }
}

/// Pairs of neighbours that are errors, as sets of nibbles: both of the first byte, and the high one of the second.
struct Rule {
    lead_high: u16,
    lead_low: u16,
    next_high: u16,
}

/// The bit of a rule is its index. The last one is [`TWICE`].
const RULES: [Rule; 8] = [
    // A lead without a continuation.
    Rule { lead_high: from(0xC, 0xF), lead_low: ANY, next_high: from(0x0, 0x7) | from(0xC, 0xF) },
    // A continuation after ASCII.
    Rule { lead_high: from(0x0, 0x7), lead_low: ANY, next_high: CONTINUATION },
    // C0, C1: an over-long form of ASCII.
    Rule { lead_high: from(0xC, 0xC), lead_low: from(0x0, 0x1), next_high: CONTINUATION },
    // E0 80–9F: an over-long form of two bytes.
    Rule { lead_high: from(0xE, 0xE), lead_low: from(0x0, 0x0), next_high: from(0x8, 0x9) },
    // ED A0–BF: a surrogate.
    Rule { lead_high: from(0xE, 0xE), lead_low: from(0xD, 0xD), next_high: from(0xA, 0xB) },
    // F4 90–BF, and F5–FF 90–BF: beyond U+10FFFF.
    Rule { lead_high: from(0xF, 0xF), lead_low: from(0x4, 0xF), next_high: from(0x9, 0xB) },
    // F0 80–8F: an over-long form of three bytes. F5–FF 80–8F: beyond U+10FFFF.
    Rule { lead_high: from(0xF, 0xF), lead_low: from(0x0, 0x0) | from(0x5, 0xF), next_high: from(0x8, 0x8) },
    // Two continuations.
    Rule { lead_high: CONTINUATION, lead_low: ANY, next_high: CONTINUATION },
];

const TWICE: u8 = 1 << 7;
const ANY: u16 = from(0x0, 0xF);
const CONTINUATION: u16 = from(0x8, 0xB);

/// The set of the nibbles from `first` to `last`: bit n for nibble n.
const fn from(first: u32, last: u32) -> u16 {
    (u16::MAX << first) & (u16::MAX >> (15 - last))
}

static LEAD_HIGH: [u8; 16] = TABLES[0];
static LEAD_LOW: [u8; 16] = TABLES[1];
static NEXT_HIGH: [u8; 16] = TABLES[2];

/// For each nibble, the rules whose set has it.
const TABLES: [[u8; 16]; 3] = {
    let mut tables = [[0; 16]; 3];
    let mut bit = 0;
    while bit < RULES.len() {
        let Rule { lead_high, lead_low, next_high } = RULES[bit];
        let columns = [lead_high, lead_low, next_high];
        let mut i = 0;
        while i < 3 * 16 {
            let (column, nibble) = (i / 16, i % 16);
            if columns[column] >> nibble & 1 == 1 {
                tables[column][nibble] |= 1 << bit;
            }
            i += 1;
        }
        bit += 1;
    }
    tables
};
