//! How much compression may do in one turn, so that no message holds up the others.

/// What is left of the present turn, in bytes that are inflated or compressed. Other work is converted into such bytes.
///
/// A turn of the loop has three parts: for sessions that have an event, for those that wait for a turn, and for those whose
/// message is heavy. Each part has a budget of its own, and also gets what is left of the part before. So none can starve
/// another. The last step of a session may exceed what is left, by less than [`STEP`].
#[derive(Debug)]
pub(crate) struct Budget {
    /// Of the part.
    part: usize,
    /// Of the session's turn, and what it was.
    session: usize,
    granted: usize,
    /// Everything that was spent, and the most that a session's turn gets. All other amounts change in proportion.
    #[cfg(test)]
    pub(crate) spent: usize,
    #[cfg(test)]
    pub(crate) most: usize,
}

/// The budget of each part of a turn of the loop.
pub(crate) const EVENTS: usize = 256 << 10;
pub(crate) const WORKING: usize = 128 << 10;
pub(crate) const HEAVY: usize = 128 << 10;

/// The budget of a session's turn.
const SESSION: usize = 128 << 10;

/// A message with its reply is heavy once it has cost so much.
const HEAVY_FROM: usize = 1 << 20;

/// The most that one step may cost.
pub(crate) const STEP: usize = 50 << 10;

impl Budget {
    /// For the first turn of the loop.
    pub(crate) const fn new() -> Self {
        Self {
            part: EVENTS,
            session: 0,
            granted: 0,
            #[cfg(test)]
            spent: 0,
            #[cfg(test)]
            most: SESSION,
        }
    }

    /// Begins a turn of the loop.
    pub(crate) const fn begin_loop(&mut self) {
        self.part = self.scaled(EVENTS);
    }

    /// Begins the next part of the loop's turn.
    pub(crate) const fn begin_part(&mut self, part: usize) {
        self.part += self.scaled(part);
    }

    /// Whether nothing is left for another session in this part.
    pub(crate) const fn is_over(&self) -> bool {
        self.part == 0
    }

    /// Begins a session's turn. Returns whether anything is left for it.
    pub(crate) fn begin_session(&mut self) -> bool {
        self.granted = self.part.min(self.scaled(SESSION));
        self.session = self.granted;
        !self.is_spent()
    }

    /// What is left of the session's turn.
    pub(crate) const fn left(&self) -> usize {
        self.session
    }

    pub(crate) const fn is_spent(&self) -> bool {
        self.session == 0
    }

    /// What the session has spent in its turn.
    pub(crate) const fn used(&self) -> usize {
        self.granted - self.session
    }

    /// Whether a step of this cost may be made: it is within the budget, or small.
    pub(crate) fn allows(&self, cost: usize) -> bool {
        !self.is_spent() && cost <= self.session.max(STEP)
    }

    /// Whether a message with its reply has cost [much](HEAVY_FROM).
    pub(crate) const fn is_heavy(&self, cost: usize) -> bool {
        cost >= self.scaled(HEAVY_FROM)
    }

    pub(crate) const fn spend(&mut self, bytes: usize) {
        self.session = self.session.saturating_sub(bytes);
        self.part = self.part.saturating_sub(bytes);
        #[cfg(test)]
        {
            self.spent += bytes;
        }
    }

    #[cfg(not(test))]
    const fn scaled(&self, amount: usize) -> usize {
        amount
    }

    #[cfg(test)]
    const fn scaled(&self, amount: usize) -> usize {
        amount / SESSION * self.most
    }
}
