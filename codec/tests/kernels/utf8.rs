//! Every way to validate agrees with an oracle that reads a byte at a time: on the result, the position of the error,
//! and the unmasked bytes. No byte outside the slice changes.

use framewire::internal::{Utf8Kernel, utf8_kernels};
use framewire::mask::Key;
use framewire::utf8::{self, Validator};
use framewire_testing::{
    miri::thin,
    utf8::{Oracle, judge},
    wire,
};
use quickcheck::{Gen, QuickCheck, TestResult};

const KEY: Key = Key::new([0x9C, 0x41, 0xE7, 0x2A]);

/// The public functions, or those of a kernel.
#[derive(Clone, Copy, Debug)]
enum Way {
    Public,
    By(Utf8Kernel),
}

fn ways() -> Vec<Way> {
    [Way::Public].into_iter().chain(utf8_kernels().map(Way::By)).collect()
}

impl Way {
    fn validate(self, bytes: &[u8]) -> Result<&str, usize> {
        let verdict = match self {
            Self::Public => utf8::validate(bytes),
            Self::By(kernel) => kernel.validate(bytes),
        };
        verdict.map_err(|error| error.position())
    }

    fn validate_masked(self, key: Key, bytes: &mut [u8]) -> Result<&str, usize> {
        let verdict = match self {
            Self::Public => utf8::validate_masked(key, bytes),
            Self::By(kernel) => kernel.validate_masked(key, bytes),
        };
        verdict.map_err(|error| error.position())
    }

    fn feed(self, validator: &mut Validator, bytes: &[u8]) -> Result<(), usize> {
        let verdict = match self {
            Self::Public => validator.feed(bytes),
            Self::By(kernel) => kernel.feed(validator, bytes),
        };
        verdict.map_err(|error| error.position())
    }

    fn feed_masked(self, validator: &mut Validator, key: Key, bytes: &mut [u8]) -> Result<(), usize> {
        let verdict = match self {
            Self::Public => validator.feed_masked(key, bytes),
            Self::By(kernel) => kernel.feed_masked(validator, key, bytes),
        };
        verdict.map_err(|error| error.position())
    }

    /// All of the text at once.
    fn check(self, plain: &[u8], room: &mut Room, align: usize, key: Key) {
        let (impossible, complete) = judge(plain);
        let expected = match impossible {
            Some(position) => Err(position),
            None if !complete => Err(plain.len()),
            None => Ok(plain),
        };
        assert_eq!(self.validate(plain).map(str::as_bytes), expected, "{self:?} {plain:02X?}");
        room.masked(plain, align, key, |masked| {
            assert_eq!(
                self.validate_masked(key, masked).map(str::as_bytes),
                expected,
                "{self:?} {plain:02X?}"
            );
        });
    }

    /// The text in chunks, which end at `cuts`.
    fn check_cut(self, plain: &[u8], cuts: &[usize], room: &mut Room, align: usize, key: Key) {
        let (impossible, complete) = judge(plain);
        let (mut fed, mut unmasked) = (Validator::new(), Validator::new());
        let mut start = 0;
        for &end in cuts.iter().chain([&plain.len()]) {
            let expected = match impossible {
                Some(position) if position < end => Err(position.saturating_sub(start)),
                _ => Ok(()),
            };
            let (chunk, key) = (&plain[start..end], key.advance(start));
            assert_eq!(self.feed(&mut fed, chunk), expected, "{self:?} {plain:02X?} {cuts:?}");
            room.masked(chunk, align + start, key, |masked| {
                let verdict = self.feed_masked(&mut unmasked, key, masked);
                assert_eq!(verdict, expected, "{self:?} {plain:02X?} {cuts:?}");
            });
            if expected.is_err() {
                break;
            }
            start = end;
        }
        for validator in [fed, unmasked] {
            assert_eq!(validator.finish().is_ok(), complete, "{self:?} {plain:02X?} {cuts:?}");
        }
    }
}

/// Memory for a text at any alignment, with bytes around it that must not change.
struct Room(Vec<u8>);

impl Room {
    const MARGIN: usize = 64;
    const GUARD: u8 = 0xA5;

    fn new() -> Self {
        Self(vec![Self::GUARD; 4096])
    }

    /// Lends the masked text. It must come back unmasked, and the bytes around it unchanged.
    fn masked(&mut self, plain: &[u8], align: usize, key: Key, run: impl FnOnce(&mut [u8])) {
        let needed = plain.len() + 4 * Self::MARGIN;
        if self.0.len() < needed {
            self.0.resize(needed, Self::GUARD);
        }
        let base = self.0.as_ptr().align_offset(Self::MARGIN);
        let start = base + Self::MARGIN + align % Self::MARGIN;
        let around = &mut self.0[start - Self::MARGIN..start + plain.len() + Self::MARGIN];
        let text = &mut around[Self::MARGIN..][..plain.len()];
        text.copy_from_slice(&wire::masked(key.to_bytes(), plain));
        run(text);
        assert_eq!(text, plain);
        text.fill(Self::GUARD);
        assert!(around.iter().all(|&byte| byte == Self::GUARD), "touched what is not its own");
    }
}

/// The first `len` bytes of a text that repeats `unit`. They may end inside a character.
fn text(unit: &str, len: usize) -> Vec<u8> {
    unit.bytes().cycle().take(len).collect()
}

const UNITS: [&str; 5] =
    ["plain old ASCII, ", "Съешь ещё этих ", "日本語のテキスト", "😀😃👩‍🚀", "naïve: 12 € 日本, and more 😀. "];

/// Puts an error at about this place, of one of several kinds.
fn spoil(bytes: &mut [u8], at: usize, how: usize) {
    const WRONG: [&[u8]; 12] = [
        b"\xFF",
        b"\x80",
        b"\xC0",
        b"\xC1\xBF",
        b"\xE0\x9F\x80",
        b"\xED\xA0\x80",
        b"\xF0\x8F\x80\x80",
        b"\xF4\x90\x80\x80",
        b"\xF5",
        b"\xC2",
        b"\xE1\x80",
        b"\xF1\x80\x80",
    ];
    for (to, from) in bytes[at..].iter_mut().zip(WRONG[how % WRONG.len()]) {
        *to = *from;
    }
}

/// The validator's whole state is one byte. So this walks all sequences from the start until they are accepted or
/// rejected, and by that covers every text.
#[test]
#[cfg_attr(miri, ignore = "4 million sequences")]
fn every_sequence() {
    fn walk(validator: Validator, oracle: Oracle, text: &mut Vec<u8>, count: &mut usize) {
        for byte in 0..=u8::MAX {
            let (mut validator, mut oracle) = (validator, oracle);
            text.push(byte);
            *count += 1;
            let possible = oracle.take(byte);
            assert_eq!(validator.feed(&[byte]).is_ok(), possible, "{text:02X?}");
            if !possible {
                assert!(validator.finish().is_err());
                assert_eq!(validator.feed(b"a").map_err(|error| error.position()), Err(0));
            } else if oracle.may_end() {
                assert_eq!(validator, Validator::new(), "{text:02X?}");
                assert!(core::str::from_utf8(text).is_ok(), "{text:02X?}");
            } else {
                assert!(validator.finish().is_err());
                assert!(text.len() < 4);
                walk(validator, oracle, text, count);
            }
            text.pop();
        }
    }
    assert_eq!(size_of::<Validator>(), 1);
    let mut count = 0;
    walk(Validator::new(), Oracle::START, &mut Vec::new(), &mut count);
    assert!(count > 4_000_000, "{count}");
}

/// Compares the automaton in one call with `core`: for all sequences of one and two bytes, and for those of three and
/// four bytes at the boundaries of the rules.
#[test]
fn short_sequences_in_one_call() {
    const EDGES: [u8; 20] = [
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4,
        0xF5, 0xFE, 0xFF,
    ];
    fn check(bytes: &[u8]) {
        let (impossible, complete) = judge(bytes);
        let expected = if complete { Ok(bytes) } else { Err(impossible.unwrap_or(bytes.len())) };
        let found = utf8::validate(bytes);
        assert_eq!(found.map(str::as_bytes).map_err(|error| error.position()), expected, "{bytes:02X?}");
        assert_eq!(core::str::from_utf8(bytes).is_ok(), complete, "{bytes:02X?}");
    }
    check(b"");
    for a in thin(37, 0..=u8::MAX) {
        check(&[a]);
        for b in thin(41, 0..=u8::MAX) {
            check(&[a, b]);
            for c in thin(3, EDGES) {
                check(&[a, b, c]);
                if a >= 0xE0 {
                    for d in [0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xF4] {
                        check(&[a, b, c, d]);
                    }
                }
            }
        }
    }
}

/// All four-byte sequences, one call each. It takes a minute in a release build, so it runs only on request.
#[test]
#[ignore = "2^32 sequences"]
fn all_four_bytes_in_one_call() {
    for word in 0..=u32::MAX {
        let bytes = word.to_be_bytes();
        let (impossible, complete) = judge(&bytes);
        let expected = if complete { Ok(()) } else { Err(impossible.unwrap_or(4)) };
        assert_eq!(
            utf8::validate(&bytes).map(drop).map_err(|error| error.position()),
            expected,
            "{bytes:02X?}"
        );
    }
}

#[test]
fn each_kernel_has_a_name_of_its_own() {
    let names: Vec<_> = utf8_kernels().map(Utf8Kernel::name).collect();
    assert_eq!(names[0], "word", "the slowest runs anywhere");
    for (i, name) in names.iter().enumerate() {
        assert!(!names[..i].contains(name), "{name} twice");
    }
}

/// A kernel that the CPU cannot run would be undefined behaviour. std detects the same sets independently. `.ci/run
/// x86` runs this on emulated CPUs that lack some of them.
#[test]
#[cfg(framewire_x86_vectors)]
fn the_kernels_are_those_that_the_cpu_can_run() {
    use std::is_x86_feature_detected as has;
    let avx512 = has!("avx2") && has!("fma") && has!("avx512f") && has!("avx512bw") && has!("avx512vbmi2");
    let sets =
        [("ssse3", has!("ssse3")), ("avx2", has!("avx2")), ("avx512", cfg!(framewire_avx512) && avx512)];
    for (name, available) in sets {
        assert_eq!(utf8_kernels().any(|kernel| kernel.name() == name), available, "{name}");
    }
}

/// All three-byte sequences, and all four-byte sequences that begin with a lead of four and a continuation, inside
/// ASCII and across the edges of vectors, by every kernel. It takes a minute in a release build, so it runs only on
/// request.
#[test]
#[ignore = "80 million sequences"]
fn all_sequences_in_vectors() {
    // In the middle of vectors, across their parts of 16 bytes, across their edges, and at the end.
    const PLACES: [usize; 16] = [13, 14, 15, 29, 30, 31, 45, 46, 61, 62, 63, 77, 110, 125, 190, 194];
    let kernels: Vec<_> = utf8_kernels().collect();
    let threes = (0..1_u32 << 24).map(|word| word << 8 | u32::from(b'x'));
    let fours = (0xF080_0000..=u32::MAX).filter(|word| word >> 22 & 3 == 2);
    for word in threes.chain(fours) {
        let sequence = word.to_be_bytes();
        let at = PLACES[(word.wrapping_mul(0x9E37_79B1) >> 28) as usize];
        let mut plain = [b'a'; 200];
        plain[at..at + 4].copy_from_slice(&sequence);
        let complete = core::str::from_utf8(&sequence).is_ok();
        for kernel in &kernels {
            assert_eq!(kernel.validate(&plain).is_ok(), complete, "{kernel:?}, {sequence:02X?} at {at}");
        }
    }
}

/// Checks the rules of the vector kernels for two neighbours and for the number of continuations, in the middle of a
/// vector and across the edge between two.
#[test]
fn sequences_in_vectors() {
    let mut room = Room::new();
    let ways = ways();
    for a in thin(29, 0x70..=0xFF_u8) {
        for b in thin(97, (0x00..=0xFF_u8).step_by(if a < 0xC0 { 8 } else { 1 })) {
            for (i, way) in ways.iter().enumerate() {
                let turn = usize::from(a) + usize::from(b) + i;
                let (c, d) = [(b'x', b'x'), (0x80, b'x'), (0xBF, 0x80), (0xC3, 0xA9)][turn % 4];
                let at = [40, 61, 62, 63, 64, 146][turn % 6];
                let mut plain = [b'x'; 150];
                plain[at..at + 4].copy_from_slice(&[a, b, c, d]);
                way.check(&plain, &mut room, at, KEY);
            }
        }
    }
}

#[test]
fn every_length_with_an_error_at_every_position() {
    let mut room = Room::new();
    let ways = ways();
    for (u, unit) in thin(2, UNITS.iter().enumerate()) {
        for len in thin(149, 0..=600) {
            let plain = text(unit, len);
            for way in &ways {
                way.check(&plain, &mut room, len + u, KEY.advance(len / 4));
            }
            // Every position in short texts. In longer ones, each length has a share of the positions.
            let step = if len <= 128 {
                1
            } else if len <= 280 {
                7
            } else {
                41
            };
            for at in thin(41, (len % step..len).step_by(step)) {
                let mut wrong = plain.clone();
                spoil(&mut wrong, at, at + len);
                let way = ways[(at / step + len + u) % ways.len()];
                way.check(&wrong, &mut room, at, KEY.advance(at));
            }
        }
    }
}

#[test]
fn every_alignment_and_key_phase() {
    let mut room = Room::new();
    for way in ways() {
        for unit in [UNITS[0], UNITS[4]] {
            for len in thin(9, [1, 3, 7, 15, 16, 17, 31, 33, 64, 65, 100, 129, 255, 256, 257, 300, 384, 513])
            {
                let plain = text(unit, len);
                for align in thin(31, 0..64) {
                    way.check(&plain, &mut room, align, KEY.advance(align / 3));
                }
                for phase in 0..4 {
                    way.check(&plain, &mut room, 5 * phase, KEY.advance(phase));
                }
            }
        }
        // A single byte that is not ASCII, at every place of text that would be skipped.
        let mut plain = text(UNITS[0], 400);
        for at in thin(399, 0..plain.len() - 1) {
            plain[at..at + 2].copy_from_slice("é".as_bytes());
            way.check(&plain, &mut room, at, KEY);
            plain[at + 1] = b'e';
            way.check(&plain, &mut room, at, KEY);
            plain[at] = b'e';
        }
    }
}

#[test]
fn every_cut() {
    let mut room = Room::new();
    let ways = ways();
    for (u, unit) in thin(2, UNITS.iter().enumerate()) {
        for len in thin(4, [2, 5, 16, 33, 70, 150, 290]) {
            let plain = text(unit, len);
            for spoiled in thin(4, 0..4) {
                let mut plain = plain.clone();
                if spoiled > 0 {
                    spoil(&mut plain, len * spoiled / 4, len + spoiled + u);
                }
                for cut in thin(37, 0..=len) {
                    let way = ways[(cut + spoiled) % ways.len()];
                    way.check_cut(&plain, &[cut], &mut room, cut, KEY.advance(u));
                }
                let every: Vec<_> = (1..len).collect();
                for way in &ways {
                    way.check_cut(&plain, &every, &mut room, len, KEY);
                }
            }
        }
        for len in thin(2, [9, 21, 40]) {
            for spoiled in thin(3, 0..3) {
                let mut plain = text(unit, len);
                if spoiled > 0 {
                    spoil(&mut plain, len * spoiled / 3, 3 * len + spoiled + u);
                }
                for first in thin(13, 0..=len) {
                    for second in thin(13, first..=len) {
                        let way = ways[(first + second) % ways.len()];
                        way.check_cut(&plain, &[first, second], &mut room, first, KEY);
                    }
                }
            }
        }
    }
}

/// Blocks of ASCII are skipped, but not while a character is open: here a lead is followed by ASCII that just fills
/// blocks, and then by the continuation or by nothing.
#[test]
fn ascii_does_not_complete_a_character() {
    let mut room = Room::new();
    for way in ways() {
        for at in thin(71, 0..140) {
            for gap in thin(4, [8, 64, 128, 192, 256, 320]) {
                let mut plain = vec![b'x'; at + gap + 400];
                plain[at] = 0xC3;
                plain[at + 1 + gap] = 0xA9;
                way.check(&plain, &mut room, 0, KEY);
                plain.truncate(at + 1 + gap);
                way.check_cut(&plain, &[], &mut room, 0, KEY);
            }
        }
    }
}

/// The error comes with the impossible byte, whatever follows.
#[test]
fn fails_at_the_first_impossible_byte() {
    let tails: [(&[u8], usize); 12] = [
        (b"\xFF", 0),
        (b"\xC0", 0),
        (b"\xC1", 0),
        (b"\xF5", 0),
        (b"\x80", 0),
        (b"\xE0\x80", 1),
        (b"\xED\xA0", 1),
        (b"\xF0\x8F", 1),
        (b"\xF4\x90", 1),
        (b"\xF1\x80\xC0", 2),
        (b"\xF1\x80\x80\xFF", 3),
        (b"\xE1\x80a", 2),
    ];
    let mut room = Room::new();
    for way in ways() {
        for unit in [UNITS[0], "é"] {
            for before in thin(37, (0..70).chain([126, 128, 254, 256, 510, 1022])) {
                for (tail, position) in thin(11, tails) {
                    let mut plain = text(unit, before);
                    if unit != UNITS[0] && before % 2 == 1 {
                        plain[before - 1] = b'.';
                    }
                    plain.extend_from_slice(tail);
                    assert_eq!(
                        way.feed(&mut Validator::new(), &plain),
                        Err(before + position),
                        "{way:?} {plain:02X?}"
                    );
                    way.check_cut(&plain, &[], &mut room, before, KEY);
                }
            }
        }
    }
}

#[test]
fn long_text() {
    let len = if cfg!(miri) { 1300 } else { 5000 };
    let mut room = Room::new();
    for way in ways() {
        for unit in thin(5, UNITS) {
            let mut plain = text(unit, len);
            way.check(&plain, &mut room, 3, KEY);
            way.check_cut(&plain, &[1, len / 5, len / 5 + 3, len - 679], &mut room, 7, KEY);
            plain[len - 500] = 0xFF;
            way.check(&plain, &mut room, 9, KEY);
            way.check_cut(&plain, &[len / 2, len - 500], &mut room, 0, KEY);
        }
        // ASCII and other text take turns, so that the kernels change their method at every distance.
        for run in thin(131, 1..200) {
            let mut plain: Vec<u8> = Vec::new();
            while plain.len() < 700 {
                plain.extend(text(UNITS[0], run));
                plain.extend_from_slice("日本".as_bytes());
                plain.extend(text(UNITS[0], 301 - run));
            }
            way.check(&plain, &mut room, run, KEY);
        }
    }
}

/// Long ASCII is taken in large steps. None may skip a byte that is not ASCII, or unmask one twice.
#[test]
fn long_ascii_with_a_character_anywhere() {
    let mut room = Room::new();
    for way in ways() {
        for (turn, at) in thin(298, (0..2680).step_by(9).enumerate()) {
            let mut plain = text(UNITS[0], 2700);
            plain[at..at + 3].copy_from_slice("日".as_bytes());
            way.check(&plain, &mut room, turn, KEY);
            plain[at + 1] = b'x';
            way.check(&plain, &mut room, turn, KEY);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "texts of 3,000 bytes, many times")]
fn mutated_text_in_chunks() {
    fn property(
        words: Vec<String>,
        repeat: u8,
        edits: Vec<(u16, u8)>,
        cuts: Vec<u16>,
        key: u32,
        align: u8,
    ) -> TestResult {
        let mut plain = words.join(" ").repeat(1 + usize::from(repeat % 8)).into_bytes();
        plain.truncate(3000);
        if plain.is_empty() {
            return TestResult::discard();
        }
        let place = |at: u16| usize::from(at) % plain.len();
        let mut cuts: Vec<_> = cuts.into_iter().map(place).collect();
        cuts.sort_unstable();
        let edits: Vec<_> = edits.into_iter().take(3).map(|(at, byte)| (place(at), byte)).collect();
        let (mut room, key) = (Room::new(), Key::new(key.to_ne_bytes()));
        for edited in 0..=edits.len() {
            for way in ways() {
                way.check(&plain, &mut room, align.into(), key);
                way.check_cut(&plain, &cuts, &mut room, align.into(), key);
            }
            if let Some(&(at, byte)) = edits.get(edited) {
                plain[at] = byte;
            }
        }
        TestResult::passed()
    }
    QuickCheck::new().rng(Gen::new(30)).tests(150).quickcheck(property as fn(_, _, _, _, _, _) -> _);
}
