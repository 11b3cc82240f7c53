//! Payloads that are the same in each run.

/// Pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next one.
    #[allow(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next one, below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// The numbers of [`Random`] as a function.
pub fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut random = Random(seed);
    move || random.next()
}

/// Bytes as text (RFC 7468).
#[cfg(feature = "server")]
pub fn pem(label: &str, bytes: &[u8]) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};

    let text = BASE64_STANDARD.encode(bytes);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Words, numbers and repetitions, as in JSON: it compresses to about a quarter.
pub fn prose(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut text = String::new();
    while text.len() < len {
        let n = random.next();
        text += &format!("{{\"id\":{},\"größe\":{},\"tags\":[\"neu\",\"schön\"]}},", n % 100_000, n >> 60);
    }
    let mut end = len;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.into_bytes()
}

/// Bytes that do not compress.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.next() as u8).collect()
}
