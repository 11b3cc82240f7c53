//! What is counted while replies arrive.

use crate::{corpus::Flight, process::Usage};
use hdrhistogram::Histogram;

/// The measurements from the end of the warm-up to the end of the run.
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// Usage at the start and at the end.
    pub(crate) server: Option<(Usage, Usage)>,
    pub(crate) own: (Usage, Usage),
}

/// The replies so far.
pub(crate) struct Tally {
    /// Whether replies that arrive now count.
    pub(crate) is_counting: bool,
    /// Whether latency counts for messages that were due in the measured time, or for replies that arrived in it. Only the
    /// former includes replies that arrived too late, so only it is right for an open loop.
    pub(crate) by_intention: bool,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Compressed replies, and all bytes from the server.
    pub(crate) compressed: u64,
    pub(crate) received: u64,
    /// Connections that have left, and the time from the start of a connection to its first reply (or, if it sends no messages,
    /// to the end of its opening handshake), in nanoseconds.
    pub(crate) connections: u64,
    pub(crate) first: Histogram<u64>,
    /// Messages that were sent, or were due, and are not answered.
    pub(crate) outstanding: usize,
    /// When the server last sent a part of a reply.
    pub(crate) heard: u64,
    /// Latency and lateness of the sender, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) lateness: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new(by_intention: bool) -> Self {
        // To a thousandth of a value, up to an hour.
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("valid bounds");
        Self {
            is_counting: false,
            by_intention,
            from: u64::MAX,
            to: u64::MAX,
            messages: 0,
            bytes: 0,
            compressed: 0,
            received: 0,
            connections: 0,
            first: histogram.clone(),
            outstanding: 0,
            heard: 0,
            latency: histogram.clone(),
            lateness: histogram,
        }
    }

    /// A part of a reply has arrived.
    pub(crate) fn hear(&mut self, now: u64) {
        self.heard = now;
    }

    /// This many bytes have arrived, with frame headers.
    pub(crate) const fn receive(&mut self, bytes: usize) {
        if self.is_counting {
            self.received += bytes as u64;
        }
    }

    #[inline]
    pub(crate) fn reply(&mut self, flight: &Flight, compressed: bool, now: u64) {
        self.outstanding -= 1;
        if self.is_counting {
            self.messages += 1;
            self.bytes += u64::from(flight.len);
            self.compressed += u64::from(compressed);
        }
        if if self.by_intention { self.is_within(flight.intended) } else { self.is_counting } {
            self.latency.saturating_record(now.saturating_sub(flight.intended));
        }
    }

    /// A connection has its first reply, so many nanoseconds after its start.
    pub(crate) fn first(&mut self, after: u64) {
        if self.is_counting {
            self.first.saturating_record(after);
        }
    }

    /// This many more replies are owed.
    pub(crate) fn ask(&mut self, count: usize, now: u64) {
        if self.outstanding == 0 {
            self.heard = now; // the server owed nothing until now
        }
        self.outstanding += count;
    }

    /// A message is sent that was due at a time. It counts if either is in the measured time: a sender far behind sends there what
    /// was due long before.
    pub(crate) fn sent(&mut self, intended: u64, now: u64) {
        if self.is_counting || self.is_within(intended) {
            self.lateness.saturating_record(now - intended);
        }
    }

    const fn is_within(&self, intended: u64) -> bool {
        self.from <= intended && intended < self.to
    }
}
