//! The queue of sessions that wait for a decompressor: first come, first served.

use std::collections::BTreeMap;

/// The keys of sessions that wait for a decompressor. Joining and leaving take logarithmic time at any place in the line.
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

    /// Removes a session, unless it was called already.
    pub(crate) fn leave(&mut self, ticket: Ticket) {
        self.keys.remove(&ticket);
    }

    /// Removes the first session and returns its key.
    pub(crate) fn call(&mut self) -> Option<usize> {
        self.keys.pop_first().map(|(_, key)| key)
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
        assert_eq!([(); 4].map(|()| line.call()), [Some(3), Some(4), Some(1), None]);
        assert!(line.is_empty());
    }
}
