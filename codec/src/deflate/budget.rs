//! Counters that all threads share, to limit how much memory is in use at the same time.

use alloc::sync::Arc;
use core::{
    num::NonZeroU64,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A counter of things in use. Its clones count together, on any thread. Each thing holds a [`Grant`], whose drop
/// subtracts it again, so a connection that is just dropped is not counted any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<AtomicUsize>);

/// A share of a [`Tally`].
#[derive(Debug)]
pub(super) struct Grant {
    tally: Tally,
    amount: usize,
}

impl Tally {
    /// The amount in use.
    pub(super) fn used(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// A share of this amount, if the sum then does not exceed `limit`.
    pub(super) fn grant(&self, amount: usize, limit: usize) -> Option<Grant> {
        let raise = |used: usize| used.checked_add(amount).filter(|&used| used <= limit);
        self.0.fetch_update(Relaxed, Relaxed, raise).ok()?;
        Some(Grant { tally: self.clone(), amount })
    }

    /// One more, whatever the limit.
    pub(super) fn count(&self) -> Grant {
        self.0.fetch_add(1, Relaxed);
        Grant { tally: self.clone(), amount: 1 }
    }

    /// Whether the share is counted in this tally.
    pub(super) fn granted(&self, grant: &Grant) -> bool {
        Arc::ptr_eq(&self.0, &grant.tally.0)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.tally.0.fetch_sub(self.amount, Relaxed);
    }
}

/// Makes numbers that no other clock makes. They tell which window a compressor or decompressor has read in, also after
/// it moved to another pool.
#[derive(Debug)]
pub(super) struct Clock {
    id: usize,
    time: NonZeroU64,
}

/// A number of a [`Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instant {
    id: usize,
    time: NonZeroU64,
}

impl Clock {
    pub(super) fn new() -> Self {
        static CLOCKS: AtomicUsize = AtomicUsize::new(0);
        Self { id: CLOCKS.fetch_add(1, Relaxed), time: NonZeroU64::MIN }
    }

    pub(super) const fn tick(&mut self) -> Instant {
        let now = Instant { id: self.id, time: self.time };
        self.time = self.time.saturating_add(1);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Tally};

    #[test]
    fn a_dropped_grant_is_subtracted() {
        let tally = Tally::default();
        let (six, four) = (tally.grant(6, 10), tally.clone().grant(4, 10));
        assert!(six.is_some() && four.is_some() && tally.grant(1, 10).is_none());
        drop(six);
        assert_eq!(tally.used(), 4);
        assert!(tally.grant(7, 10).is_none() && tally.grant(usize::MAX, usize::MAX).is_none());
        let more = [(); 9].map(|()| tally.count());
        assert_eq!(tally.used(), 13);
        assert!(tally.granted(&more[0]) && !Tally::default().granted(&more[0]));
        drop((four, more));
        assert_eq!(tally.used(), 0);
    }

    #[test]
    fn no_two_clocks_agree() {
        let (mut one, mut two) = (Clock::new(), Clock::new());
        let times = [one.tick(), one.tick(), two.tick(), two.tick()];
        for (i, time) in times.iter().enumerate() {
            assert_eq!(times.iter().position(|other| other == time), Some(i));
        }
    }
}
