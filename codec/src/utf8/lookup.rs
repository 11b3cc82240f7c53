//! Unmasking and validating in one pass, a vector at a time.
//!
//! # How a byte is judged
//!
//! The algorithm is that of Keiser and Lemire, *Validating UTF-8 in less than one instruction per byte* (2021). Every
//! error but one shows in two neighbouring bytes, and there in three nibbles: both of the first byte, and the high
//! one of the second. There are eight [`RULES`] that two bytes can break together, a bit for each. The nibbles of a
//! byte look up, in two tables of sixteen bytes, what it *forbids* the next one to do; the high nibble of the next
//! one looks up, in a third, what it *does*:
//!
//! ```text
//!     vector                      E2          82          AC          20         "€ "
//!                                 │╲          │╲          │╲          │╲
//!     LEAD_HIGH and LEAD_LOW      │ forbids   │ forbids   │ forbids   │ forbids
//!                                 │      ╲    │      ╲    │      ╲    │
//!     one byte on                 …       ╲───┐       ╲───┐       ╲───┐
//!     NEXT_HIGH                 does        does        does        does
//!                                           and         and         and
//!     broken rules                           0          TWICE        0
//!     expected                               0          TWICE        0            E2 stands two bytes before AC
//!     xor: error                             0           0           0
//! ```
//!
//! The error that does not show in two bytes is a wrong *number* of continuations. That two of them follow each other
//! is therefore a rule as well, TWICE, with the high bit for its own; and it *must* be broken exactly where the lead
//! of three or four bytes stands two bytes before, or that of four stands three before.
//!
//! A byte is judged by those before it only. So what the end of the text cuts short is no error here, nor is a last
//! byte that could begin nothing: [`State::at_end_of`] sees to both.
//!
//! # How a text is walked
//!
//! ```text
//!    ├────── 4 vectors ──────┼────── 4 vectors ──────┼── … ──┼────── front ──────────┤    │
//!    one test for ASCII      one test                        │    ├────── back ──────────┤
//! ```
//!
//! Up to [`short::MAX`] bytes, ASCII is the short path's. Longer, it ends in two blocks that overlap, whatever the length:
//! everything that is masked twice is loaded before any of it is stored. Up to eight vectors of text are these two blocks
//! and nothing else, of no more vectors than the length asks for; in long text there are eight to a test, as long as they
//! last. From the first block that is not ASCII on, pairs of vectors are classified; a pair that turns out to be ASCII
//! ends that, as nothing can be left open then. A text whose first vector is not ASCII is classified at once.
//!
//! Stores are aligned in all text of more than eight vectors: a vector from the very start first, then those from the
//! next aligned address on. Again they overlap, so the first one is stored last; and not at all if nothing else was
//! stored, since what is classified is unmasked there.
#![allow(unsafe_code)]

use super::dfa::State;
use super::short;
use super::vector::Lookup;
use crate::mask::Key;
use core::marker::PhantomData;
use core::slice;

/// From this length on, a second loop that goes round less often is worth its own end.
const LONG: usize = 2048;

/// The state after `len` bytes at `at`, of a text that starts there; unmasks them first, if they are `MASKED`. Short text
/// is taken by `S`, which is `V` or its half; of up to [`short::MAX`] bytes by `N` of them from either end.
///
/// Passes over the ASCII that they start with. What remains is for `classify`, which is [`classify`] with the same
/// parameters. It is called, and not a part of this, so that ASCII and the rest need not share the registers: what
/// they would spill costs a short text half as much again.
///
/// # Safety
///
/// The CPU has the instructions of `V` and `S`. `len` bytes, 16 or more, are readable, and if `MASKED` writable, at `at`.
/// What `classify` asks for is granted by that, as long as it takes `len` bytes, and if they are more, any number from
/// `4 * V::LEN`.
#[inline(always)]
pub(super) unsafe fn scan<V: Lookup, S: Lookup, const N: usize, const MASKED: bool>(
    key: Key,
    at: *mut u8,
    len: usize,
    classify: unsafe fn(Key, *mut u8, usize) -> State,
) -> State {
    const { assert!(S::LEN == V::LEN || 2 * S::LEN == V::LEN, "eight `S` are four `V` or more") };
    const { assert!(3 * S::LEN <= short::MAX, "beyond `MAX`, there are three") };
    // SAFETY: the caller says that these bytes are there. What is left for each method is as much as it takes, as the
    // assertions have it: three `S` or more beyond `MAX`; four `V` beyond eight `S`; beyond eight `V` more than seven, as a
    // step to an aligned address is less than one.
    unsafe {
        if len <= short::MAX {
            // The shortest mostly come here because they are not ASCII.
            let ascii = len > short::INLINE && short::by_vectors::<S, N, MASKED>(key, at, len);
            return if ascii { State::ACCEPT } else { classify(key, at, len) };
        }
        if len <= 8 * S::LEN {
            let text = Text::<S, MASKED>::new(key, at, len);
            let ascii = text.get(0).is_ascii() && text.up_to_eight();
            return if ascii { State::ACCEPT } else { classify(key, at, len) };
        }
        let mut text = Text::<V, MASKED>::new(key, at, len);
        let first = text.get(0);
        if !first.is_ascii() {
            return classify(key, at, len);
        }
        if len <= 8 * V::LEN {
            return if text.up_to_eight() { State::ACCEPT } else { classify(key, at, len) };
        }
        let skip = if MASKED { at.addr().wrapping_neg() % V::LEN } else { 0 };
        text.skip(skip);
        let ascii = text.ascii_to_end();
        if !ascii && text.left == len - skip {
            return classify(key, at, len); // nothing is stored yet, and the first vector must not be
        }
        store::<V, MASKED, 1>(at, [first]);
        if ascii { State::ACCEPT } else { classify(text.key, text.at, text.left) }
    }
}

/// The state after `len` bytes at `at`, of a text that starts there; unmasks them first, if they are `MASKED`.
///
/// # Safety
///
/// The CPU has the instructions of `V`. `len` bytes are readable, and if `MASKED` writable, at `at`. They are at
/// least `2 * V::LEN`; for a `V` of 16 bytes, 16 are enough.
#[inline(always)]
pub(super) unsafe fn classify<V: Lookup, const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller says that these bytes are there, and that they are enough.
    unsafe {
        let mut judge = Judge::<V>::new();
        Text::<V, MASKED>::new(key, at, len).walk(&mut judge);
        if judge.found_nothing() { State::at_end_of(slice::from_raw_parts(at, len)) } else { State::REJECT }
    }
}

/// What is left of the text. All its methods are unsafe: the caller promises what [`scan`] was promised, and that as
/// many bytes are left as the method takes.
struct Text<V, const MASKED: bool> {
    at: *mut u8,
    left: usize,
    key: Key,
    vector: PhantomData<V>,
}

impl<V: Lookup, const MASKED: bool> Text<V, MASKED> {
    #[inline(always)]
    fn new(key: Key, at: *mut u8, left: usize) -> Self {
        Self { at, left, key, vector: PhantomData }
    }

    /// Whether all that is left is ASCII. If so, unmasks it; if not, takes what is ASCII before the block that is not,
    /// and leaves four vectors or more. Takes more than seven vectors.
    #[inline(always)]
    unsafe fn ascii_to_end(&mut self) -> bool {
        // SAFETY: no block is taken unless more than eight vectors are left, so more than four are left of them.
        unsafe {
            if self.left >= LONG {
                while self.left > 12 * V::LEN {
                    let block = self.vectors::<8>();
                    if !is_ascii(&block) {
                        return false;
                    }
                    self.put(block);
                }
            }
            while self.left > 8 * V::LEN {
                let block = self.vectors::<4>();
                if !is_ascii(&block) {
                    return false;
                }
                self.put(block);
            }
            self.ends::<4>()
        }
    }

    /// Whether all that is left is ASCII. If so, unmasks it. Takes three to eight vectors' bytes.
    #[inline(always)]
    unsafe fn up_to_eight(&self) -> bool {
        // SAFETY: the caller promises three vectors, and here are four or more where four are taken.
        unsafe { if self.left <= 6 * V::LEN { self.ends::<3>() } else { self.ends::<4>() } }
    }

    /// Whether all that is left is ASCII. If so, unmasks it, by `N` vectors from either end. Takes `N` to `2 * N`
    /// vectors' bytes.
    #[inline(always)]
    unsafe fn ends<const N: usize>(&self) -> bool {
        // SAFETY: the caller promises `N` vectors.
        unsafe {
            let (front, back) = (self.vectors::<N>(), self.vectors_at_end::<N>());
            let mut all = front[0].or(back[0]);
            for (&front, &back) in front[1..].iter().zip(&back[1..]) {
                all = all.or(front).or(back);
            }
            let ascii = all.is_ascii();
            if ascii {
                store::<V, MASKED, N>(self.at, front);
                store::<V, MASKED, N>(self.at.add(self.left - N * V::LEN), back);
            }
            ascii
        }
    }

    /// Takes as many bytes as [`classify`](fn@classify) does.
    #[inline(always)]
    unsafe fn walk(&mut self, judge: &mut Judge<V>) {
        // SAFETY: the caller promises as many bytes as `two` or `rest` take; the loop leaves as many to `rest`.
        unsafe {
            if self.left < 2 * V::LEN {
                return self.two(judge);
            }
            while self.left >= 4 * V::LEN {
                let pair = [self.get(0), self.get(V::LEN)];
                judge.look_at(pair[0]);
                judge.look_at(pair[1]);
                let ascii = is_ascii(&pair);
                self.put(pair);
                if ascii {
                    self.ascii();
                }
            }
            self.rest(judge);
        }
    }

    /// Takes the blocks of ASCII that come next, and leaves two vectors or more. The judge need not hear of them: it
    /// has seen ASCII last, and all ASCII is the same to it.
    #[inline(always)]
    unsafe fn ascii(&mut self) {
        // SAFETY: no block is taken unless more bytes than that are left.
        unsafe {
            while self.left >= 6 * V::LEN {
                let block = self.vectors::<4>();
                if !is_ascii(&block) {
                    break;
                }
                self.put(block);
            }
        }
    }

    /// Takes two vectors' bytes or more: one by one, and the last one up to the very end, so that it may overlap.
    #[inline(always)]
    unsafe fn rest(&mut self, judge: &mut Judge<V>) {
        // SAFETY: the caller promises two vectors, and the loop takes one only if there is more than one.
        unsafe {
            let (before, last) = (self.get_at_end(2 * V::LEN), self.get_at_end(V::LEN));
            while self.left > V::LEN {
                let vector = self.get(0);
                judge.look_at(vector);
                self.put([vector]);
            }
            if self.left < V::LEN {
                judge.follow(before);
            }
            judge.look_at(last);
            // What is left is the end of the last vector.
            store::<V, MASKED, 1>(self.at.add(self.left).sub(V::LEN), [last]);
        }
    }

    /// Takes less than two vectors' bytes, but at least one's, of a vector of sixteen: there is none before the last
    /// one to load, so the first one is slid up to where it ends.
    #[inline(always)]
    unsafe fn two(&mut self, judge: &mut Judge<V>) {
        // SAFETY: the caller promises one vector; of the 32 bytes of `SLIDE`, 16 are taken from one of the first 16.
        unsafe {
            let (first, last) = (self.get(0), self.get_at_end(V::LEN));
            let slide = V::load(SLIDE.as_ptr().add(self.left - V::LEN));
            judge.look_at(first);
            judge.follow(slide.lookup(first));
            judge.look_at(last);
            store::<V, MASKED, 1>(self.at, [first]);
            store::<V, MASKED, 1>(self.at.add(self.left - V::LEN), [last]);
        }
    }

    /// The vector `by` bytes from here, which is a multiple of four. Takes nothing.
    #[inline(always)]
    unsafe fn get(&self, by: usize) -> V {
        // SAFETY: the caller promises `by` bytes and a vector.
        unsafe {
            let vector = V::load(self.at.add(by));
            if MASKED { vector.xor(V::repeat(self.key.to_bytes())) } else { vector }
        }
    }

    /// The vector that starts `by` bytes before the end, which is a multiple of four. Takes nothing.
    #[inline(always)]
    unsafe fn get_at_end(&self, by: usize) -> V {
        // SAFETY: the caller promises `by` bytes, which are a vector or more.
        unsafe {
            let vector = V::load(self.at.add(self.left - by));
            if MASKED { vector.xor(V::repeat(self.key.advance(self.left).to_bytes())) } else { vector }
        }
    }

    /// The vectors that come next. Takes nothing.
    #[inline(always)]
    unsafe fn vectors<const N: usize>(&self) -> [V; N] {
        // SAFETY: the caller promises `N` vectors.
        unsafe {
            let mut vectors = [self.get(0); N];
            for (i, vector) in vectors.iter_mut().enumerate() {
                *vector = self.get(i * V::LEN);
            }
            vectors
        }
    }

    /// The vectors up to the end. Takes nothing.
    #[inline(always)]
    unsafe fn vectors_at_end<const N: usize>(&self) -> [V; N] {
        // SAFETY: the caller promises `N` vectors.
        unsafe {
            let mut vectors = [self.get_at_end(N * V::LEN); N];
            for (i, vector) in vectors.iter_mut().enumerate() {
                *vector = self.get_at_end((N - i) * V::LEN);
            }
            vectors
        }
    }

    /// Takes these vectors, which come next.
    #[inline(always)]
    unsafe fn put<const N: usize>(&mut self, vectors: [V; N]) {
        // SAFETY: the caller promises `N` vectors.
        unsafe {
            store::<V, MASKED, N>(self.at, vectors);
            self.skip(N * V::LEN);
        }
    }

    #[inline(always)]
    unsafe fn skip(&mut self, by: usize) {
        // SAFETY: the caller promises this many bytes.
        self.at = unsafe { self.at.add(by) };
        self.left -= by;
        self.key = self.key.advance(by);
    }
}

/// Stores vectors in a row, if they were `MASKED`.
#[inline(always)]
unsafe fn store<V: Lookup, const MASKED: bool, const N: usize>(at: *mut u8, vectors: [V; N]) {
    if MASKED {
        for (i, vector) in vectors.into_iter().enumerate() {
            // SAFETY: the caller promises that the CPU has the instructions, and `N` vectors' bytes.
            unsafe { vector.store(at.add(i * V::LEN)) }
        }
    }
}

#[inline(always)]
unsafe fn is_ascii<V: Lookup, const N: usize>(block: &[V; N]) -> bool {
    let mut all = block[0];
    for &vector in &block[1..] {
        // SAFETY: the caller promises that the CPU has the instructions.
        all = unsafe { all.or(vector) };
    }
    // SAFETY: as above.
    unsafe { all.is_ascii() }
}

/// Sixteen of these, from the n-th on, slide a vector of sixteen bytes up by 16 − n, with zeros below.
static SLIDE: [u8; 32] = {
    let mut slide = [0x80; 32];
    let mut i = 0;
    while i < 16 {
        slide[16 + i as usize] = i;
        i += 1;
    }
    slide
};

/// Judges a vector after the other. All its methods are unsafe: the caller promises that the CPU has the
/// instructions.
struct Judge<V> {
    prev: V,
    /// What each byte of `prev` forbids the next one.
    forbidden: V,
    /// Not zero once something was wrong.
    error: V,
}

impl<V: Lookup> Judge<V> {
    /// Nothing has come before: zeros, which is as good as any ASCII.
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the caller promises the instructions.
        unsafe {
            let zero = V::repeat([0; 4]);
            let mut judge = Self { prev: zero, forbidden: zero, error: zero };
            judge.follow(zero);
            judge
        }
    }

    /// The next vector is the one behind this one.
    #[inline(always)]
    unsafe fn follow(&mut self, prev: V) {
        // SAFETY: as in `new`.
        unsafe {
            self.forbidden = forbids(prev, prev.high_nibbles());
            self.prev = prev;
        }
    }

    #[inline(always)]
    unsafe fn look_at(&mut self, vector: V) {
        // SAFETY: as in `new`.
        unsafe {
            let high = vector.high_nibbles();
            let forbidden = forbids(vector, high);
            let broken = forbidden.one_before(self.forbidden).and(high.lookup(V::table(&NEXT_HIGH)));
            // What is left of E0 and more, or F0 and more, has the high bit.
            let third = vector.two_before(self.prev).saturating_sub(V::repeat([0xE0 - 0x80; 4]));
            let fourth = vector.three_before(self.prev).saturating_sub(V::repeat([0xF0 - 0x80; 4]));
            let expected = third.or(fourth).and(V::repeat([TWICE; 4]));
            self.error = self.error.or(broken.xor(expected));
            self.prev = vector;
            self.forbidden = forbidden;
        }
    }

    #[inline(always)]
    unsafe fn found_nothing(&self) -> bool {
        // SAFETY: as in `new`.
        unsafe { self.error.is_zero() }
    }
}

/// What each byte forbids the next one, given the high nibbles.
#[inline(always)]
unsafe fn forbids<V: Lookup>(vector: V, high: V) -> V {
    // SAFETY: the caller promises that the CPU has the instructions.
    unsafe {
        let low = vector.and(V::repeat([0x0F; 4]));
        high.lookup(V::table(&LEAD_HIGH)).and(low.lookup(V::table(&LEAD_LOW)))
    }
}

/// Two neighbours that UTF-8 does not know, as sets of nibbles: of the first byte both, of the second the high one.
struct Rule {
    lead_high: u16,
    lead_low: u16,
    next_high: u16,
}

/// The bit of a rule is its place. The last one is [`TWICE`].
const RULES: [Rule; 8] = [
    // A lead, and no continuation.
    Rule { lead_high: from(0xC, 0xF), lead_low: ANY, next_high: from(0x0, 0x7) | from(0xC, 0xF) },
    // ASCII, and a continuation.
    Rule { lead_high: from(0x0, 0x7), lead_low: ANY, next_high: CONTINUATION },
    // C0, C1: an over-long form of ASCII.
    Rule { lead_high: from(0xC, 0xC), lead_low: from(0x0, 0x1), next_high: CONTINUATION },
    // E0 80–9F: an over-long form of what takes two bytes.
    Rule { lead_high: from(0xE, 0xE), lead_low: from(0x0, 0x0), next_high: from(0x8, 0x9) },
    // ED A0–BF: a surrogate.
    Rule { lead_high: from(0xE, 0xE), lead_low: from(0xD, 0xD), next_high: from(0xA, 0xB) },
    // F4 90–BF, and F5–FF 90–BF: beyond U+10FFFF.
    Rule { lead_high: from(0xF, 0xF), lead_low: from(0x4, 0xF), next_high: from(0x9, 0xB) },
    // F0 80–8F: an over-long form of what takes three bytes. F5–FF 80–8F: beyond U+10FFFF.
    Rule { lead_high: from(0xF, 0xF), lead_low: from(0x0, 0x0) | from(0x5, 0xF), next_high: from(0x8, 0x8) },
    // Two continuations.
    Rule { lead_high: CONTINUATION, lead_low: ANY, next_high: CONTINUATION },
];

const TWICE: u8 = 1 << 7;
const ANY: u16 = from(0x0, 0xF);
const CONTINUATION: u16 = from(0x8, 0xB);

/// The nibbles from `first` to `last`: bit n for nibble n.
const fn from(first: u32, last: u32) -> u16 {
    (u16::MAX << first) & (u16::MAX >> (15 - last))
}

static LEAD_HIGH: [u8; 16] = TABLES[0];
static LEAD_LOW: [u8; 16] = TABLES[1];
static NEXT_HIGH: [u8; 16] = TABLES[2];

/// The other way round: the rules that each nibble has a part in.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mask, utf8::vector::Plain};
    use core::array;

    /// A vector that every CPU has, byte by byte.
    #[derive(Clone, Copy)]
    struct Bytes<const N: usize>([u8; N]);

    impl<const N: usize> Plain for Bytes<N> {
        const LEN: usize = N;

        unsafe fn load(from: *const u8) -> Self {
            // SAFETY: the caller says that the bytes are there.
            Self(unsafe { from.cast::<[u8; N]>().read() })
        }
        unsafe fn store(self, to: *mut u8) {
            // SAFETY: as above.
            unsafe { to.cast::<[u8; N]>().write(self.0) }
        }
        unsafe fn repeat(bytes: [u8; 4]) -> Self {
            Self(array::from_fn(|i| bytes[i % 4]))
        }
        unsafe fn xor(self, other: Self) -> Self {
            Self(array::from_fn(|i| self.0[i] ^ other.0[i]))
        }
        unsafe fn or(self, other: Self) -> Self {
            Self(array::from_fn(|i| self.0[i] | other.0[i]))
        }
        unsafe fn is_ascii(self) -> bool {
            self.0.is_ascii()
        }
    }

    impl<const N: usize> Bytes<N> {
        fn before(self, prev: Self, by: usize) -> Self {
            Self(array::from_fn(|i| if i < by { prev.0[N - by + i] } else { self.0[i - by] }))
        }
    }

    impl<const N: usize> Lookup for Bytes<N> {
        unsafe fn table(bytes: &[u8; 16]) -> Self {
            Self(array::from_fn(|i| bytes[i % 16]))
        }
        unsafe fn lookup(self, table: Self) -> Self {
            Self(array::from_fn(|i| if self.0[i] < 0x80 { table.0[usize::from(self.0[i] % 16)] } else { 0 }))
        }
        unsafe fn and(self, other: Self) -> Self {
            Self(array::from_fn(|i| self.0[i] & other.0[i]))
        }
        unsafe fn high_nibbles(self) -> Self {
            Self(self.0.map(|byte| byte >> 4))
        }
        unsafe fn saturating_sub(self, other: Self) -> Self {
            Self(array::from_fn(|i| self.0[i].saturating_sub(other.0[i])))
        }
        unsafe fn one_before(self, prev: Self) -> Self {
            self.before(prev, 1)
        }
        unsafe fn two_before(self, prev: Self) -> Self {
            self.before(prev, 2)
        }
        unsafe fn three_before(self, prev: Self) -> Self {
            self.before(prev, 3)
        }
        unsafe fn is_zero(self) -> bool {
            self.0 == [0; N]
        }
    }

    unsafe fn widest<const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> State {
        // SAFETY: the caller says that these bytes are there.
        unsafe {
            if len < 2 * 32 {
                classify::<Bytes<16>, MASKED>(key, at, len)
            } else if len < 2 * 64 {
                classify::<Bytes<32>, MASKED>(key, at, len)
            } else {
                classify::<Bytes<64>, MASKED>(key, at, len)
            }
        }
    }

    /// What few CPUs have, and qemu does not, is held by all that have vectors to how it walks a text, and to where it writes.
    #[test]
    fn the_walk_of_the_widest_vectors() {
        const GUARD: usize = 64;
        const LEN: usize = 2600;
        #[repr(align(64))]
        struct Memory([u8; GUARD + 64 + LEN + GUARD]);

        let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
        let character = "€".as_bytes();
        let lengths = (16..=600).chain([767, 768, 769, 1023, 1025, 2047, 2048, 2049, LEN]);
        for (len, align) in lengths.flat_map(|len| [0, 1, 30, 63].map(|align| (len, align))) {
            // ASCII; a character somewhere; the first two bytes of one, somewhere and at the end.
            let places = [(0, 0), (3, 0), (3, len / 2), (3, len - 3), (2, len / 3), (2, len - 2)];
            for (bytes, place) in places {
                let mut clear = [b'a'; LEN];
                clear[place..place + bytes].copy_from_slice(&character[..bytes]);
                let clear = &clear[..len];
                let mut memory = Memory([0xEE; GUARD + 64 + LEN + GUARD]);
                let text = &mut memory.0[GUARD + align..][..len];
                text.copy_from_slice(clear);
                // SAFETY: these are the bytes of a slice, which is not written; arrays need nothing of the CPU.
                let end = unsafe {
                    scan::<Bytes<64>, Bytes<32>, 2, false>(key, text.as_mut_ptr(), len, widest::<false>)
                };
                assert_eq!(end, State::ACCEPT.run(clear), "{len} bytes at {align}, {bytes} at {place}");
                assert_eq!(text, clear, "{len} bytes at {align}, {bytes} at {place}");
                mask::apply(key, text);
                // SAFETY: as above, and the slice may be written.
                let end = unsafe {
                    scan::<Bytes<64>, Bytes<32>, 2, true>(key, text.as_mut_ptr(), len, widest::<true>)
                };
                assert_eq!(end, State::ACCEPT.run(clear), "{len} bytes at {align}, {bytes} at {place}");
                assert_eq!(text, clear, "{len} bytes at {align}, {bytes} at {place}");
                let (before, behind) = memory.0.split_at(GUARD + align);
                assert!(
                    before.iter().chain(&behind[len..]).all(|&byte| byte == 0xEE),
                    "{len} bytes at {align}"
                );
            }
        }
    }
}
