//! What is sent later: replies with their delays, in their order, and pongs, which do not wait for replies.

use super::plan::Replies;
use framewire::{CloseCode, Kind, ProtocolError};
use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What is sent later.
#[derive(Debug)]
pub(super) struct Queue {
    replies: VecDeque<(Instant, Item)>,
    pongs: VecDeque<(Instant, Vec<u8>)>,
    /// The payloads, and something for each item.
    bytes: usize,
    delay: Duration,
    jitter: Duration,
    random: Random,
    /// When the last reply is due.
    last: Instant,
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Item {
    Message(Kind, Vec<u8>),
    Pong(Vec<u8>),
    /// The answer to the peer's close.
    CloseReply(CloseCode),
    /// The answer to an error of the peer.
    Fail(ProtocolError),
    /// The end that the plan says.
    End,
}

/// How many bytes an item counts besides its payload: so queues of empty ones are bounded, too.
const ITEM: usize = 64;

impl Queue {
    pub(super) fn new(replies: &Replies, now: Instant) -> Self {
        // Without a seed, any number will do.
        let any = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
        Self {
            replies: VecDeque::new(),
            pongs: VecDeque::new(),
            bytes: 0,
            delay: replies.delay,
            jitter: replies.jitter,
            random: Random(replies.seed.unwrap_or_else(any)),
            last: now,
        }
    }

    /// Adds a reply to a message that came now.
    pub(super) fn reply(&mut self, kind: Kind, payload: Vec<u8>, now: Instant) {
        let jitter = self.random.below(self.jitter);
        self.push_behind(Item::Message(kind, payload), now + self.delay + jitter);
    }

    /// Adds something that is due then, but not before the last reply.
    pub(super) fn push_behind(&mut self, item: Item, due: Instant) {
        self.last = self.last.max(due);
        self.bytes += item.bytes();
        self.replies.push_back((self.last, item));
    }

    /// Adds a pong that is due then. They all have the same delay.
    pub(super) fn push_apart(&mut self, pong: Vec<u8>, due: Instant) {
        self.bytes += pong.len() + ITEM;
        self.pongs.push_back((due, pong));
    }

    /// Takes the next item that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Item> {
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let item = if is_due(self.pongs.front().map(|pong| pong.0)) {
            Item::Pong(self.pongs.pop_front()?.1)
        } else if is_due(self.replies.front().map(|reply| reply.0)) {
            self.replies.pop_front()?.1
        } else {
            return None;
        };
        self.bytes -= item.bytes();
        Some(item)
    }

    /// When the next item is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let times = [self.pongs.front().map(|pong| pong.0), self.replies.front().map(|reply| reply.0)];
        times.into_iter().flatten().min()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.pongs.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.replies.clear();
        self.pongs.clear();
        self.bytes = 0;
    }
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(_, payload) | Self::Pong(payload) => payload.len() + ITEM,
            _ => ITEM,
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014). Written here, as a seed must give the same times with each version of the program.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A time up to this one.
    fn below(&mut self, most: Duration) -> Duration {
        let nanos = (u128::from(self.next()) * (most.as_nanos() + 1)) >> 64;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seed: u64) -> Vec<Duration> {
        let begin = Instant::now();
        let replies = Replies {
            delay: Duration::from_millis(100),
            jitter: Duration::from_millis(50),
            seed: Some(seed),
            ..Replies::default()
        };
        let mut queue = Queue::new(&replies, begin);
        (0..100).for_each(|i| queue.reply(Kind::Text, vec![i], begin));
        queue.replies.iter().map(|(due, _)| *due - begin).collect()
    }

    #[test]
    fn a_seed_gives_the_same_delays_in_order_and_within_their_bounds() {
        let delays = times(7);
        assert_eq!(delays, times(7));
        assert_ne!(delays, times(8));
        assert!(delays.is_sorted());
        let (least, most) = (delays[0], delays[99]);
        assert!(least >= Duration::from_millis(100) && most <= Duration::from_millis(150));
        assert!(most - least > Duration::from_millis(10));
    }

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn nothing_comes_before_it_is_due() {
        let begin = Instant::now();
        let later = begin + Duration::from_secs(1);
        let mut queue = Queue::new(&Replies::default(), begin);
        queue.push_behind(Item::CloseReply(CloseCode::NORMAL), later);
        queue.reply(Kind::Text, b"after it".to_vec(), begin);
        queue.push_apart(b"pong".to_vec(), begin);
        assert!(matches!(queue.pop(begin), Some(Item::Pong(_))));
        assert!(queue.pop(begin).is_none());
        assert_eq!(queue.next(), Some(later));
        assert!(matches!(queue.pop(later), Some(Item::CloseReply(_))));
        assert!(matches!(queue.pop(later), Some(Item::Message(..))));
        assert!(queue.is_empty() && queue.bytes() == 0);
    }
}
