//! The messages that are sent, and the replies that must come back.

use crate::{
    plan::{Handler, Payload, Plan, Sizes},
    random::Random,
};
use framewire::{Kind, mask::Key};
use std::io::Write;

/// The bytes of all messages. Each message is a piece of them that begins at a random place. So consecutive messages
/// differ, and a reply can be compared with its message's place, without a copy of the message.
#[derive(Debug)]
pub(crate) struct Corpus {
    bytes: Vec<u8>,
    /// Places at which a message may begin.
    places: u32,
    sizes: Sizes,
    payload: Payload,
    handler: Handler,
}

/// A message that was sent or will be: only its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    start: u32,
    pub(crate) len: u32,
    pub(crate) key: Key,
    /// When it was due, in nanoseconds of the run's clock.
    pub(crate) intended: u64,
}

impl Corpus {
    /// A larger corpus would not stay in the processor's cache, in which a server's received bytes do stay.
    const PLACES: u32 = 64 << 10;
    /// For compression: large enough that a window seldom holds the piece that a message repeats.
    const PLACES_TO_COMPRESS: u32 = 4 << 20;
    /// The most bytes that a place is moved, so as not to cut a character.
    const SLACK: usize = 256;

    pub(crate) fn new(plan: &Plan, random: &mut Random) -> Self {
        let places = if plan.payload == Payload::Json { Self::PLACES_TO_COMPRESS } else { Self::PLACES };
        let len = places as usize + plan.sizes.largest() + Self::SLACK;
        let mut bytes = Vec::with_capacity(len + 128);
        while bytes.len() < len {
            match plan.payload {
                Payload::Binary => bytes.extend(random.next().to_ne_bytes()),
                Payload::Text => bytes.push(b' ' + random.below(95) as u8),
                Payload::Mixed => {
                    let (first, count) =
                        [('!', 94), ('а', 32), ('一', 20_000), ('😀', 64)][random.below(4) as usize];
                    let letter = char::from_u32(first as u32 + random.below(count)).expect("a character");
                    bytes.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Payload::Json => record(&mut bytes, random),
            }
        }
        Self { bytes, places, sizes: plan.sizes.clone(), payload: plan.payload, handler: plan.handler }
    }

    /// Another message.
    pub(crate) fn next(&self, random: &mut Random, intended: u64) -> Flight {
        let len =
            self.sizes.at(if self.sizes.is_one() { 0 } else { random.below(self.sizes.total_weight()) });
        let mut start = random.below(self.places);
        if self.payload == Payload::Mixed {
            // About one place in six has both ends between characters.
            let is_between = |at: u32| self.bytes.get(at as usize).is_none_or(|byte| byte >> 6 != 0b10);
            while !(is_between(start) && is_between(start + len)) {
                start = (start + 1) % self.places;
            }
        }
        Flight { start, len, key: random.key(), intended }
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.payload.kind()
    }

    pub(crate) fn payload(&self, flight: &Flight) -> &[u8] {
        &self.bytes[flight.start as usize..][..flight.len as usize]
    }

    /// Passes the right reply to a message to `check`.
    #[inline]
    pub(crate) fn with_reply<T>(&self, flight: &Flight, check: impl FnOnce(Kind, &[u8]) -> T) -> T {
        let payload = self.payload(flight);
        match self.handler {
            Handler::Echo => check(self.kind(), payload),
            Handler::Length => {
                let mut text = [0; 16];
                let mut rest = &mut text[..];
                let last = payload.last().copied().unwrap_or(0);
                write!(rest, "{} {last}", payload.len()).expect("thirteen digits and a space");
                let left = rest.len();
                check(Kind::Text, &text[..text.len() - left])
            }
        }
    }
}

/// Adds an object of an array, of a hundred bytes or so.
fn record(bytes: &mut Vec<u8>, random: &mut Random) {
    const WORDS: [&str; 8] = ["order", "trade", "quote", "cancel", "filled", "pending", "limit", "market"];
    let (kind, state) = (WORDS[random.below(8) as usize], WORDS[random.below(8) as usize]);
    let (id, price, size) = (random.below(1_000_000), random.below(100_000), random.below(500));
    let (whole, cents) = (price / 100, price % 100);
    let written = write!(
        bytes,
        r#"{{"type":"{kind}","state":"{state}","id":{id},"price":{whole}.{cents:02},"size":{size}}},"#
    );
    written.expect("memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use clap::Parser;

    fn corpus(arguments: &[&str]) -> (Corpus, Random) {
        let options = Options::parse_from([&["framewire-load", "ws://localhost:1"], arguments].concat());
        let mut random = Random::new(Some(7));
        (Corpus::new(&options.plan(), &mut random), random)
    }

    #[test]
    fn a_text_is_text_and_as_long_as_asked() {
        for (payload, sizes) in
            [("text", "1,16,125"), ("json", "1,16,1K"), ("mixed", "0,1,2,3,4,5,16,125,1K")]
        {
            let (corpus, mut random) = corpus(&["--payload", payload, "--size", sizes]);
            for _ in 0..5000 {
                let flight = corpus.next(&mut random, 0);
                let text = std::str::from_utf8(corpus.payload(&flight));
                assert_eq!(text.map(str::len), Ok(flight.len as usize));
            }
        }
    }

    #[test]
    fn messages_and_keys_vary() {
        let (corpus, mut random) = corpus(&["--size", "16"]);
        let flights: Vec<Flight> = (0..100).map(|_| corpus.next(&mut random, 0)).collect();
        for pair in flights.windows(2) {
            assert_ne!(corpus.payload(&pair[0]), corpus.payload(&pair[1]));
            assert_ne!(pair[0].key, pair[1].key);
        }
    }

    #[test]
    fn the_other_handler() {
        let (corpus, mut random) = corpus(&["--size", "125", "--handler", "length"]);
        let flight = corpus.next(&mut random, 0);
        let last = corpus.payload(&flight)[124];
        corpus.with_reply(&flight, |kind, reply| {
            assert_eq!((kind, reply), (Kind::Text, format!("125 {last}").as_bytes()));
        });
    }
}
