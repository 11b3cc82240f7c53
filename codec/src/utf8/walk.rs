//! How a text is unmasked and validated in one pass, a few vectors at a time.
//!
//! ```text
//!    ├────── 4 vectors ──────┼────── 4 vectors ──────┼── … ──┼────── front ──────────┤    │
//!    one test for ASCII      one test                        │    ├────── back ──────────┤
//! ```
//!
//! ASCII of up to [`overlap::MAX`] bytes is handled by [`overlap`]. Longer ASCII ends in two blocks that overlap,
//! whatever the length: all bytes that are unmasked twice are loaded before any of them is stored. Up to eight
//! vectors, these two blocks are all there is, with no more vectors than the length needs. Long text is tested eight
//! vectors at a time while there are enough.
//!
//! From the first block that is not ASCII on, vectors are classified in pairs, until a pair is ASCII: no character
//! can be open after it, so blocks are tested again. A text whose first vector is not ASCII is classified at once.
//!
//! If a text has more than eight vectors, stores are aligned: one vector at the very start, then vectors from the next
//! aligned address on. The first vector overlaps the second, so it is stored last. It is not stored if nothing else was
//! stored: then the text is classified from its start, which unmasks it.
#![allow(unsafe_code)]

use super::{dfa::State, lookup::Checker, overlap, vector::Lookup};
use crate::mask::Key;
use core::marker::PhantomData;
use core::slice;

/// From this length on, a second loop with fewer turns is worth its cost at the end.
const LONG: usize = 2048;

/// The state after `len` bytes at `at`, of a text that starts there. Unmasks them first if they are `MASKED`.
///
/// Short text is taken by vectors `S`, which is `V` or its half; up to [`overlap::MAX`] bytes, by `N` of them from
/// either end.
///
/// From the first block on that is not ASCII, `classify` takes the text. It is [`classify`](fn@classify) with the same
/// parameters, in a function of its own that is not inlined: if ASCII and other text shared registers, spilling them
/// would cost a short text half as much again.
///
/// # Safety
///
/// The CPU has the instructions of `V` and `S`. `at` is valid for reads of `len` bytes, and for writes if they are
/// `MASKED`. There are at least 16. This must be all that `classify` asks for, whether it gets all `len` bytes or only
/// the last ones, of which there are then at least `4 * V::LEN`.
#[inline(always)]
pub(super) unsafe fn scan<V: Lookup, S: Lookup, const N: usize, const MASKED: bool>(
    key: Key,
    at: *mut u8,
    len: usize,
    classify: unsafe fn(Key, *mut u8, usize) -> State,
) -> State {
    const { assert!(S::LEN == V::LEN || 2 * S::LEN == V::LEN, "eight `S` are four `V` or more") };
    const { assert!(3 * S::LEN <= overlap::MAX, "more than `MAX` bytes are three `S` or more") };
    // SAFETY: the caller promises the memory and the CPU. By the assertions, enough is left for each method: beyond
    // `MAX` bytes, three `S`; beyond eight `S`, four `V`; beyond eight `V`, more than seven, as the step to an
    // aligned address is less than one.
    unsafe {
        if len <= overlap::MAX {
            // Most texts of up to `INLINE` bytes come here because they are not ASCII.
            let ascii = len > overlap::INLINE && overlap::by_vectors::<S, N, MASKED>(key, at, len);
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
            return classify(key, at, len); // nothing is stored yet
        }
        store::<V, MASKED, 1>(at, [first]);
        if ascii { State::ACCEPT } else { classify(text.key, text.at, text.left) }
    }
}

/// The state after `len` bytes at `at`, of a text that starts there. Unmasks them first if they are `MASKED`.
///
/// # Safety
///
/// The CPU has the instructions of `V`. `at` is valid for reads of `len` bytes, and for writes if they are `MASKED`.
/// There are at least `2 * V::LEN`; for a `V` of 16 bytes, 16 are enough.
#[inline(always)]
pub(super) unsafe fn classify<V: Lookup, const MASKED: bool>(key: Key, at: *mut u8, len: usize) -> State {
    // SAFETY: the caller promises the memory and the CPU, and enough bytes.
    unsafe {
        let mut checker = Checker::<V>::new();
        Text::<V, MASKED>::new(key, at, len).classify(&mut checker);
        if checker.found_error() { State::REJECT } else { State::at_end_of(slice::from_raw_parts(at, len)) }
    }
}

/// The rest of a text. Its methods are unsafe: the caller promises the memory and the CPU, as for [`scan`], and that as
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

    /// Whether the rest is ASCII. If so, unmasks it. If not, takes the ASCII before the first block that is not, and
    /// leaves four vectors or more. Takes more than seven vectors.
    #[inline(always)]
    unsafe fn ascii_to_end(&mut self) -> bool {
        // SAFETY: a block is taken only if more than four vectors are left after it.
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

    /// Whether the rest is ASCII. If so, unmasks it. Takes the bytes of three to eight vectors.
    #[inline(always)]
    unsafe fn up_to_eight(&self) -> bool {
        // SAFETY: the caller promises three vectors, and four are taken only if there are more than six.
        unsafe { if self.left <= 6 * V::LEN { self.ends::<3>() } else { self.ends::<4>() } }
    }

    /// Whether the rest is ASCII. If so, unmasks it. Takes `N` vectors from either end, so the bytes of `N` to `2 * N`.
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

    /// Takes as many bytes as [`classify`](fn@classify).
    #[inline(always)]
    unsafe fn classify(&mut self, checker: &mut Checker<V>) {
        // SAFETY: the caller promises as many bytes as `two` or `rest` take; the loop leaves as many for `rest`.
        unsafe {
            if self.left < 2 * V::LEN {
                return self.two(checker);
            }
            while self.left >= 4 * V::LEN {
                let pair = [self.get(0), self.get(V::LEN)];
                checker.check(pair[0]);
                checker.check(pair[1]);
                let ascii = is_ascii(&pair);
                self.put(pair);
                if ascii {
                    self.ascii();
                }
            }
            self.rest(checker);
        }
    }

    /// Takes the blocks of ASCII that come next, and leaves two vectors or more. They are not checked: the last
    /// vector that was checked is ASCII, and what follows is checked in the same way after any ASCII.
    #[inline(always)]
    unsafe fn ascii(&mut self) {
        // SAFETY: a block is taken only if two vectors are left after it.
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

    /// Takes the bytes of two vectors or more. The last vector ends with the text, so it may overlap the one before.
    #[inline(always)]
    unsafe fn rest(&mut self, checker: &mut Checker<V>) {
        // SAFETY: the caller promises two vectors, and the loop takes one only if more than one is left.
        unsafe {
            let (before, last) = (self.get_at_end(2 * V::LEN), self.get_at_end(V::LEN));
            while self.left > V::LEN {
                let vector = self.get(0);
                checker.check(vector);
                self.put([vector]);
            }
            if self.left < V::LEN {
                checker.follow(before);
            }
            checker.check(last);
            // The rest is the end of the last vector.
            store::<V, MASKED, 1>(self.at.add(self.left).sub(V::LEN), [last]);
        }
    }

    /// Takes at least the bytes of one vector, but not of two; vectors have 16 bytes. There is no vector to load
    /// before the last one, so the first one is moved up until it ends there.
    #[inline(always)]
    unsafe fn two(&mut self, checker: &mut Checker<V>) {
        // SAFETY: the caller promises one vector; 16 bytes from one of the first 16 are within the 32 of `SLIDE`.
        unsafe {
            let (first, last) = (self.get(0), self.get_at_end(V::LEN));
            let slide = V::load(SLIDE.as_ptr().add(self.left - V::LEN));
            checker.check(first);
            checker.follow(slide.lookup(first));
            checker.check(last);
            store::<V, MASKED, 1>(self.at, [first]);
            store::<V, MASKED, 1>(self.at.add(self.left - V::LEN), [last]);
        }
    }

    /// The vector `by` bytes from here, a multiple of four. Takes nothing.
    #[inline(always)]
    unsafe fn get(&self, by: usize) -> V {
        // SAFETY: the caller promises `by` bytes and a vector.
        unsafe {
            let vector = V::load(self.at.add(by));
            if MASKED { vector.xor(V::repeat(self.key.to_bytes())) } else { vector }
        }
    }

    /// The vector that starts `by` bytes before the end, a multiple of four. Takes nothing.
    #[inline(always)]
    unsafe fn get_at_end(&self, by: usize) -> V {
        // SAFETY: the caller promises `by` bytes, a vector or more.
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

/// Stores vectors in a row if they were `MASKED`.
#[inline(always)]
unsafe fn store<V: Lookup, const MASKED: bool, const N: usize>(at: *mut u8, vectors: [V; N]) {
    if MASKED {
        for (i, vector) in vectors.into_iter().enumerate() {
            // SAFETY: the caller promises the CPU, and memory for `N` vectors.
            unsafe { vector.store(at.add(i * V::LEN)) }
        }
    }
}

#[inline(always)]
unsafe fn is_ascii<V: Lookup, const N: usize>(block: &[V; N]) -> bool {
    let mut all = block[0];
    for &vector in &block[1..] {
        // SAFETY: the caller promises the CPU.
        all = unsafe { all.or(vector) };
    }
    // SAFETY: as above.
    unsafe { all.is_ascii() }
}

/// A lookup by sixteen of these, from index n on, moves a vector of 16 bytes up by 16 − n and puts zeros below.
static SLIDE: [u8; 32] = {
    let mut slide = [0x80; 32];
    let mut i = 0;
    while i < 16 {
        slide[16 + i as usize] = i;
        i += 1;
    }
    slide
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mask, utf8::vector::Vector};
    use core::array;

    /// A vector for any CPU, byte by byte.
    #[derive(Clone, Copy)]
    struct Bytes<const N: usize>([u8; N]);

    impl<const N: usize> Vector for Bytes<N> {
        const LEN: usize = N;

        unsafe fn load(from: *const u8) -> Self {
            // SAFETY: the caller promises the memory.
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
        // SAFETY: the caller promises the memory; each branch has the lengths that its callee takes.
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

    /// Few CPUs have AVX-512, and the emulator does not. So this runs the same method with arrays of bytes in place of
    /// vectors, on any CPU, and checks its reads and writes.
    #[test]
    #[cfg_attr(miri, ignore = "Miri has AVX-512, and runs that kernel")]
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
                // SAFETY: a slice is valid for reads, and is not written; arrays need nothing of the CPU.
                let end = unsafe {
                    scan::<Bytes<64>, Bytes<32>, 2, false>(key, text.as_mut_ptr(), len, widest::<false>)
                };
                assert_eq!(end, State::ACCEPT.run(clear), "{len} bytes at {align}, {bytes} at {place}");
                assert_eq!(text, clear, "{len} bytes at {align}, {bytes} at {place}");
                mask::apply(key, text);
                // SAFETY: as above; a `&mut` slice is valid for writes.
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
