//! Masking: in place, and from one buffer to another.

use crate::{
    batch::{Random, Size},
    work::{Case, Contender, Part, Recipe, Work, used},
};
use framewire::{
    internal::mask_kernels,
    mask::{self, Key},
};
use std::rc::Rc;

const SIZES: [Size; 19] = [
    Size::Of(4),
    Size::Of(16),
    Size::Of(32),
    Size::Of(64),
    Size::Of(125),
    Size::Of(128),
    Size::Of(129),
    Size::Of(160),
    Size::Of(193),
    Size::Of(256),
    Size::Of(512),
    Size::Of(1 << 10),
    Size::Of(4 << 10),
    Size::Of(16 << 10),
    Size::Of(64 << 10),
    Size::Of(1 << 20),
    Size::Of(16 << 20),
    Size::UpTo(125),
    Size::UpTo(1000),
];

/// Offsets of the payloads from the start of a cache line.
const OFFSETS: [usize; 3] = [0, 6, 31];

pub(super) fn cases() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for size in SIZES {
        for offset in OFFSETS {
            let name = format!("in place, {} at {offset}", size.name());
            recipes.push(Recipe::new(name, move |name| in_place(name, &Payloads::new(size, offset))));
        }
    }
    for size in SIZES {
        let name = format!("masked copy, {}", size.name());
        recipes.push(Recipe::new(name, move |name| masked_copy(name, &Payloads::new(size, 6))));
    }
    recipes
}

fn in_place(name: &str, payloads: &Rc<Payloads>) -> Case {
    use Part::{Limit, Ours, OursToo, Peer, Share};
    let mut contenders = vec![payloads.between("memcpy", Share, |_, from, to| to.copy_from_slice(from))];
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        contenders.push(payloads.in_place("plain AVX2", Limit, plain::xor));
    }
    contenders.push(payloads.in_place("framewire", Ours, mask::apply));
    for kernel in mask_kernels() {
        let name = format!("kernel {}", kernel.name());
        contenders.push(payloads.in_place(name, OursToo, move |key, bytes| kernel.apply(key, bytes)));
    }
    contenders.extend([
        payloads.in_place("fastwebsockets", Peer, |key, bytes| fastwebsockets::unmask(bytes, key.to_bytes())),
        payloads.in_place("nago-wss", Peer, |key, bytes| {
            nago_wss::proto::mask::apply(bytes, key.to_bytes(), 0);
        }),
        payloads.in_place("nexus-web", Peer, |key, bytes| nexus_web::ws::apply_mask(bytes, key.to_bytes())),
        payloads
            .in_place("sockudo-ws", Peer, |key, bytes| sockudo_ws::simd::apply_mask(bytes, key.to_bytes())),
        payloads.in_place("soketto", Peer, |key, bytes| {
            let mut header = soketto::base::Header::new(soketto::base::OpCode::Binary);
            header.set_masked(true).set_mask(u32::from_be_bytes(key.to_bytes()));
            soketto::base::Codec::apply_mask(&header, bytes);
        }),
        payloads.in_place("yawc", Peer, |key, bytes| yawc::mask::apply_mask(bytes, key.to_bytes())),
    ]);
    payloads.case(name, contenders)
}

fn masked_copy(name: &str, payloads: &Rc<Payloads>) -> Case {
    use Part::{Limit, Ours, OursToo};
    let mut contenders = vec![
        payloads.between("memcpy", Limit, |_, from, to| to.copy_from_slice(from)),
        payloads.between("framewire", Ours, |key, from, to| {
            mask::apply_to(key, from, to);
        }),
        payloads.between("memcpy, then framewire", OursToo, move |key, from, to| {
            to.copy_from_slice(from);
            mask::apply(key, to);
        }),
    ];
    for kernel in mask_kernels() {
        let name = format!("kernel {}", kernel.name());
        contenders.push(payloads.between(name, OursToo, move |key, from, to| {
            kernel.apply_to(key, from, to);
        }));
    }
    payloads.case(name, contenders)
}

/// Offsets and keys of the payloads.
struct Payloads {
    places: Vec<(usize, usize, Key)>,
    room: usize,
    /// How often one [`Work::run`] masks all payloads, so that reading the clock does not count.
    sweeps: usize,
    /// Whether each payload has its own length. The order then changes in each pass, or the CPU would learn it by heart.
    is_random: bool,
}

impl Payloads {
    /// As many as fit into a CPU's first-level cache together; at least one.
    fn new(size: Size, offset: usize) -> Rc<Self> {
        let mut random = Random::new();
        let is_random = matches!(size, Size::UpTo(_));
        let stride = (size.max() + offset).next_multiple_of(64);
        let count = if is_random { 512 } else { ((16 << 10) / stride).clamp(1, 256) };
        let places = (0..count)
            .map(|i| {
                let key = Key::new((random.next() as u32).to_ne_bytes());
                (i * stride + offset, size.next(&mut random), key)
            })
            .collect();
        let sweeps = if is_random { 1 } else { ((256 << 10) / (count * stride)).clamp(1, 16) };
        Rc::new(Self { places, room: count * stride, sweeps, is_random })
    }

    /// Changes the order, if the CPU could learn it.
    fn shuffle(&self, order: &mut [(usize, usize, Key)], random: &mut Random) {
        if self.is_random {
            for i in 1..order.len() {
                order.swap(i, random.below(i + 1));
            }
        }
    }

    fn in_place(
        self: &Rc<Self>,
        name: impl Into<String>,
        part: Part,
        mask: impl Fn(Key, &mut [u8]) + 'static,
    ) -> Contender {
        Contender::new(
            name,
            part,
            InPlace { memory: Memory::new(self), payloads: self.clone(), order: Order::of(self), mask },
        )
    }

    fn between(
        self: &Rc<Self>,
        name: impl Into<String>,
        part: Part,
        mask: impl Fn(Key, &[u8], &mut [u8]) + 'static,
    ) -> Contender {
        let (from, to) = (Memory::new(self), Memory::new(self));
        Contender::new(name, part, Between { from, to, payloads: self.clone(), order: Order::of(self), mask })
    }

    fn case(&self, name: &str, contenders: Vec<Contender>) -> Case {
        let bytes: usize = self.places.iter().map(|(_, len, _)| len).sum();
        let messages = self.places.len() * self.sweeps;
        Case { name: name.into(), messages, bytes: bytes * self.sweeps, contenders }
    }
}

/// Bytes that begin at the start of a cache line.
struct Memory {
    bytes: Vec<u8>,
    start: usize,
}

impl Memory {
    fn new(payloads: &Payloads) -> Self {
        let bytes = vec![0xA5; payloads.room + 64];
        let start = bytes.as_ptr().align_offset(64);
        Self { bytes, start }
    }

    #[inline(always)]
    fn place(&mut self, at: usize, len: usize) -> &mut [u8] {
        &mut self.bytes[self.start + at..][..len]
    }
}

/// The order of the payloads for one contender.
struct Order {
    places: Vec<(usize, usize, Key)>,
    random: Random,
}

impl Order {
    fn of(payloads: &Payloads) -> Self {
        Self { places: payloads.places.clone(), random: Random::new() }
    }
}

struct InPlace<F> {
    memory: Memory,
    payloads: Rc<Payloads>,
    order: Order,
    mask: F,
}

impl<F: Fn(Key, &mut [u8])> Work for InPlace<F> {
    fn prepare(&mut self) {
        self.payloads.shuffle(&mut self.order.places, &mut self.order.random);
    }

    fn run(&mut self) {
        for _ in 0..self.payloads.sweeps {
            for &(at, len, key) in &self.order.places {
                let bytes = self.memory.place(at, len);
                (self.mask)(key, bytes);
                used(bytes);
            }
        }
    }
}

struct Between<F> {
    from: Memory,
    to: Memory,
    payloads: Rc<Payloads>,
    order: Order,
    mask: F,
}

impl<F: Fn(Key, &[u8], &mut [u8])> Work for Between<F> {
    fn prepare(&mut self) {
        self.payloads.shuffle(&mut self.order.places, &mut self.order.random);
    }

    fn run(&mut self) {
        for _ in 0..self.payloads.sweeps {
            for &(at, len, key) in &self.order.places {
                let to = self.to.place(at, len);
                (self.mask)(key, self.from.place(at, len), to);
                used(to);
            }
        }
    }
}

/// The lower bound: a loop over vectors in place, and one over the remaining bytes.
#[cfg(target_arch = "x86_64")]
mod plain {
    #![allow(unsafe_code)]

    use framewire::mask::Key;
    use std::arch::x86_64::{
        __m256i, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_storeu_si256, _mm256_xor_si256,
    };

    /// Needs AVX2: the code that makes a contender of it checks that.
    pub(super) fn xor(key: Key, bytes: &mut [u8]) {
        debug_assert!(std::is_x86_feature_detected!("avx2"));
        // SAFETY: `in_place`, its only caller, has checked that the CPU has AVX2.
        unsafe { vectors(key.to_bytes(), bytes) }
    }

    #[target_feature(enable = "avx2")]
    fn vectors(key: [u8; 4], bytes: &mut [u8]) {
        let mask = _mm256_set1_epi32(i32::from_ne_bytes(key));
        let (vectors, rest) = bytes.as_chunks_mut::<32>();
        let mut fours = vectors.chunks_exact_mut(4);
        for four in &mut fours {
            for vector in four {
                one(mask, vector);
            }
        }
        for vector in fours.into_remainder() {
            one(mask, vector);
        }
        for (i, byte) in rest.iter_mut().enumerate() {
            *byte ^= key[i % 4];
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn one(mask: __m256i, vector: &mut [u8; 32]) {
        let at = vector.as_mut_ptr().cast::<__m256i>();
        // SAFETY: `at` points to 32 bytes that may be read and written.
        unsafe { _mm256_storeu_si256(at, _mm256_xor_si256(_mm256_loadu_si256(at), mask)) }
    }
}
