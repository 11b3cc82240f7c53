//! What bounds how much there may be of something at once.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How much there may be of something at once. What was granted is a [`Grant`], which gives itself back: nothing is
/// lost with a connection that ends where nobody looks.
#[derive(Debug)]
pub(super) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// A share of a [`Budget`].
#[derive(Debug)]
pub(super) struct Grant {
    used: Arc<AtomicUsize>,
    amount: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// What is left.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Relaxed))
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// A share of this amount; `None` where less is left.
    pub(super) fn grant(&self, amount: usize) -> Option<Grant> {
        let raise = |used: usize| used.checked_add(amount).filter(|&used| used <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, raise).ok()?;
        Some(Grant { used: self.used.clone(), amount })
    }

    /// Whether the share is of this budget.
    pub(super) fn granted(&self, grant: &Grant) -> bool {
        Arc::ptr_eq(&self.used, &grant.used)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.used.fetch_sub(self.amount, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_budget_gets_back_what_is_dropped() {
        let budget = Budget::new(10);
        let (six, four) = (budget.grant(6), budget.grant(4));
        assert!(six.is_some() && four.is_some() && budget.grant(1).is_none());
        drop(six);
        assert_eq!(budget.left(), 6);
        assert!(budget.grant(7).is_none() && budget.grant(usize::MAX).is_none());
    }
}
