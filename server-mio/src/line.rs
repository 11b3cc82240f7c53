//! A queue of sessions: first come, first served.

use std::collections::BTreeMap;

/// The keys of sessions that wait for a turn. Joining and leaving take logarithmic time at any place in the line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    keys: BTreeMap<Ticket, usize>,
    next: Ticket,
}

/// A place in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys in their order.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> impl Iterator<Item = usize> {
        self.keys.values().copied()
    }

    /// Adds a session at the end.
    pub(crate) fn join(&mut self, key: usize) -> Ticket {
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        self.keys.insert(ticket, key);
        ticket
    }

    /// Adds a session at a place that it had before.
    pub(crate) fn rejoin(&mut self, ticket: Ticket, key: usize) {
        self.keys.insert(ticket, key);
    }

    /// Removes a session, unless it was called already.
    pub(crate) fn leave(&mut self, ticket: Ticket) {
        self.keys.remove(&ticket);
    }

    /// Removes the first session and returns its key.
    pub(crate) fn call(&mut self) -> Option<usize> {
        self.keys.pop_first().map(|(_, key)| key)
    }

    /// The place of the next session that joins.
    pub(crate) const fn end(&self) -> Ticket {
        self.next
    }

    /// Removes the first session, if it is before this place, and returns its key.
    pub(crate) fn call_before(&mut self, end: Ticket) -> Option<usize> {
        let first = self.keys.first_entry()?;
        (*first.key() < end).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_first_served() {
        let mut line = Line::default();
        let tickets: Vec<_> = (0..5).map(|key| line.join(key)).collect();
        line.leave(tickets[1]);
        line.leave(tickets[0]);
        assert_eq!(line.call(), Some(2));
        line.leave(tickets[2]); // called already
        line.join(1);
        line.rejoin(tickets[2], 2);
        assert_eq!([(); 5].map(|()| line.call()), [Some(2), Some(3), Some(4), Some(1), None]);
        assert!(line.is_empty());
    }
}
