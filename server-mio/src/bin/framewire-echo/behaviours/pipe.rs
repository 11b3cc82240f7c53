//! Bytes on their way to the socket, at the pace that a plan sets.

use super::plan::Wire;
use framewire_mio::Detached;
use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// Bytes that are encoded and not written yet.
#[derive(Debug)]
pub(super) struct Pipe {
    bytes: Vec<u8>,
    /// How many of them are written.
    at: usize,
    meter: Option<Meter>,
    slice: usize,
    gap: Duration,
    /// The next write must not come before.
    next: Option<Instant>,
    /// How many bytes were written in all, and how many may be.
    pub(super) written: u64,
    pub(super) most: u64,
}

/// A limit on bytes a second.
#[derive(Debug)]
pub(super) struct Meter {
    rate: u64,
    /// All bytes that the rate allows up to this time were used.
    used: Instant,
}

impl Pipe {
    pub(super) fn new(wire: &Wire, most: u64, now: Instant) -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            meter: wire.rate.map(|rate| Meter::new(rate, now)),
            slice: wire.slice.unwrap_or(usize::MAX),
            gap: wire.gap,
            next: None,
            written: 0,
            most,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all bytes that may be written are.
    pub(super) const fn is_cut(&self) -> bool {
        self.written >= self.most
    }

    /// The buffer, to append frames to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.at >= 64 << 10 || self.is_empty() {
            self.bytes.drain(..self.at);
            self.at = 0;
            // A large message does not hold its memory for ever.
            if self.bytes.is_empty() && self.bytes.capacity() > 64 << 10 {
                self.bytes = Vec::new();
            }
        }
        &mut self.bytes
    }

    /// When the next byte may be written: now, or later. `None`: there is none.
    pub(super) fn ready(&self, now: Instant) -> Option<Instant> {
        if self.is_empty() || self.is_cut() {
            return None;
        }
        let meter = self.meter.as_ref().map(|meter| meter.ready(self.len()));
        self.next.max(meter).max(Some(now))
    }

    /// Writes what the pace allows and the socket takes, and returns whether that is any byte. The stream must not block.
    pub(super) fn write(&mut self, stream: &mut Detached, now: Instant) -> io::Result<bool> {
        let before = self.written;
        while self.ready(now).is_some_and(|ready| ready <= now) {
            let allowed = self.meter.as_ref().map_or(usize::MAX, |meter| meter.allowed(now));
            let left = usize::try_from(self.most - self.written).unwrap_or(usize::MAX);
            let end = self.at + self.len().min(allowed).min(self.slice).min(left);
            let n = match stream.write(&self.bytes[self.at..end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
                Err(error) => return Err(error),
            };
            self.at += n;
            self.written += n as u64;
            if let Some(meter) = &mut self.meter {
                meter.take(n, now);
            }
            if self.gap > Duration::ZERO {
                self.next = Some(now + self.gap);
            }
        }
        Ok(self.written > before)
    }
}

impl Meter {
    /// The longest time for which unused bytes count.
    const BURST: Duration = Duration::from_millis(20);

    pub(super) const fn new(rate: u64, now: Instant) -> Self {
        Self { rate, used: now }
    }

    /// How many bytes are allowed now.
    pub(super) fn allowed(&self, now: Instant) -> usize {
        let time = now.saturating_duration_since(self.used).min(self.burst());
        usize::try_from(time.as_nanos() * u128::from(self.rate) / 1_000_000_000).unwrap_or(usize::MAX)
    }

    /// Uses so many bytes.
    pub(super) fn take(&mut self, n: usize, now: Instant) {
        let oldest = now.checked_sub(self.burst()).unwrap_or(self.used);
        self.used = self.used.max(oldest) + self.time(n as u64);
    }

    /// When so many bytes are allowed, or as many as ever are at once.
    pub(super) fn ready(&self, n: usize) -> Instant {
        self.used + self.time(n as u64).min(self.burst())
    }

    /// The time for bytes, rounded up.
    fn time(&self, bytes: u64) -> Duration {
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.rate));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// At least the time for one byte.
    fn burst(&self) -> Duration {
        Self::BURST.max(self.time(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_allows_its_rate() {
        for rate in [1, 7, 1000, 1 << 20, 1 << 30] {
            let begin = Instant::now();
            let (mut meter, mut now, mut sum) = (Meter::new(rate, begin), begin, 0);
            while now < begin + Duration::from_secs(10) {
                let allowed = meter.allowed(now);
                sum += allowed as u64;
                meter.take(allowed, now);
                let next = meter.ready(usize::MAX);
                assert!(next > now && meter.allowed(next) > 0, "{rate}: it waits for something");
                now = next;
            }
            let (least, most) = (10 * rate - rate / 20 - 1, 10 * rate + 1);
            assert!((least..=most).contains(&sum), "{rate}: {sum}");
        }
    }

    #[test]
    fn time_without_bytes_counts_for_a_moment_only() {
        let begin = Instant::now();
        let mut meter = Meter::new(1000, begin);
        let later = begin + Duration::from_secs(100);
        assert_eq!(meter.allowed(later), 20);
        meter.take(20, later);
        assert_eq!(meter.allowed(later), 0);
        assert_eq!(meter.ready(5), later + Duration::from_millis(5));
    }
}
