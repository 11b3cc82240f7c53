//! The schedule of an open loop.

/// Evenly spaced points in time at which messages are due, whatever happens to earlier messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start: u64,
    /// Nanoseconds between two messages.
    period: f64,
    next: u64,
}

impl Schedule {
    /// This many messages a second from `start` on, in nanoseconds.
    pub(crate) const fn new(start: u64, rate: f64) -> Self {
        Self { start, period: 1e9 / rate, next: 0 }
    }

    /// When the next message is due.
    pub(crate) fn due(&self) -> u64 {
        self.start + (self.next as f64 * self.period) as u64
    }

    /// Takes the next message that is due by now: its number, and when it was due.
    pub(crate) fn take(&mut self, now: u64) -> Option<(u64, u64)> {
        let due = self.due();
        (due <= now).then(|| {
            self.next += 1;
            (self.next - 1, due)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_late_finds_all_that_were_due() {
        let mut schedule = Schedule::new(5_000, 1e6);
        assert_eq!(schedule.take(4_999), None);
        assert_eq!(schedule.take(5_000), Some((0, 5_000)));
        assert_eq!(schedule.take(5_999), None);
        let late = [8_500; 4].map(|now| schedule.take(now));
        assert_eq!(late, [Some((1, 6_000)), Some((2, 7_000)), Some((3, 8_000)), None]);
        assert_eq!(schedule.due(), 9_000);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let mut schedule = Schedule::new(0, 300_000.0);
        let taken = (0..).map_while(|_| schedule.take(10_000_000_000)).count();
        assert_eq!(taken, 3_000_001);
    }
}
