//! The counters of a server.

use framewire::CloseCode;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The counters of one server. Only its loop writes them, so counting needs no lock; any thread may read them. Those that do not
/// say otherwise count from the start.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Open connections.
    pub connections: Counter,
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections that the handler has taken over. They no longer count as open.
    pub taken_over: Counter,
    /// Opening handshakes that made a connection a WebSocket.
    pub opened: Counter,
    /// Other requests to which the handler has responded.
    pub requests: Counter,
    /// Whole messages received.
    pub messages: Counter,
    /// Bytes of frames received.
    pub bytes: Counter,
    /// Bytes of responses and frames sent, or queued until their sockets take them; up to a second old.
    pub sent: Counter,
    /// Open connections from which the server does not read now, because too much is queued for them.
    pub paused: Counter,
    /// Handshakes of TLS. Those that failed are [faults](Fault::Tls).
    pub tls_handshakes: Counter,
    /// Bytes that are queued until their sockets take them; up to a second old.
    pub queued: Counter,
    /// Bytes of memory that compression has in use or in reserve; up to a second old. See
    /// [`CompressionConfig::memory`](crate::CompressionConfig::memory).
    pub compression_memory: Counter,
    /// What went wrong.
    pub faults: Faults,
    /// The close frames of peers.
    pub closes: Closes,
    /// How long the turns of the loop took.
    pub turns: Histogram,
}

impl Stats {
    /// The errors, of all kinds but [`Fault::CloseTimeout`]: a peer that leaves its side open at the end does no harm.
    #[must_use]
    pub fn errors(&self) -> u64 {
        let harmful = self.faults.iter().filter(|&(fault, _)| fault != Fault::CloseTimeout);
        harmful.map(|(_, count)| count).sum()
    }
}

/// Something that goes wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A request was refused: it is not valid, or its origin may not connect.
    Refused,
    /// The peer broke the protocol, or exceeded a limit.
    Protocol,
    /// The socket failed: in most cases, the peer has reset the connection. Or the peer broke the protocol of TLS after its
    /// handshake.
    Lost,
    /// The handshake of TLS failed, by an error of either side, the end of the connection, or [a timeout](crate::Config::tls_handshake_timeout).
    Tls,
    /// The request took [too long](crate::Config::handshake_timeout).
    HandshakeTimeout,
    /// The peer did not [answer a ping](crate::Config::pong_timeout).
    PongTimeout,
    /// A compressed message took [too long](crate::CompressionConfig::message_timeout) while others waited.
    MessageTimeout,
    /// A closing peer took [too long](crate::Config::close_timeout).
    CloseTimeout,
    /// Connections could not be accepted, so they wait: there are too few file descriptors, or too many connections. Counted at
    /// most once a minute.
    Accept,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Protocol,
        Self::Lost,
        Self::Tls,
        Self::HandshakeTimeout,
        Self::PongTimeout,
        Self::MessageTimeout,
        Self::CloseTimeout,
        Self::Accept,
    ];

    /// A short name, of the letters a to z and underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Protocol => "protocol",
            Self::Lost => "lost",
            Self::Tls => "tls",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::PongTimeout => "pong_timeout",
            Self::MessageTimeout => "message_timeout",
            Self::CloseTimeout => "close_timeout",
            Self::Accept => "accept",
        }
    }
}

/// A counter for each [`Fault`].
#[derive(Debug, Default)]
pub struct Faults([Counter; Fault::ALL.len()]);

impl Faults {
    /// How often this went wrong.
    #[must_use]
    pub fn get(&self, fault: Fault) -> u64 {
        self.0[fault as usize].get()
    }

    /// Each fault, and how often it occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.into_iter().map(|fault| (fault, self.get(fault)))
    }

    pub(crate) fn add(&self, fault: Fault) {
        self.0[fault as usize].add(1);
    }
}

/// A counter for each code with which peers close WebSockets.
#[derive(Debug, Default)]
pub struct Closes([Counter; Self::CODES.len() + 1]);

impl Closes {
    /// The codes that have a counter: those of RFC 6455 §7.4.1 that a client may send or a server may conclude.
    pub const CODES: [CloseCode; 10] = [
        CloseCode::NORMAL,
        CloseCode::GOING_AWAY,
        CloseCode::PROTOCOL,
        CloseCode::UNSUPPORTED,
        CloseCode::NO_STATUS,
        CloseCode::ABNORMAL,
        CloseCode::INVALID_DATA,
        CloseCode::POLICY,
        CloseCode::TOO_BIG,
        CloseCode::INTERNAL,
    ];

    /// Each code, and how many peers have closed with it. [`CloseCode::ABNORMAL`] counts those that ended an open WebSocket
    /// without a close frame; `None` all other codes.
    pub fn iter(&self) -> impl Iterator<Item = (Option<CloseCode>, u64)> {
        let codes = Self::CODES.into_iter().map(Some).chain([None]);
        codes.zip(&self.0).map(|(code, counter)| (code, counter.get()))
    }

    pub(crate) fn add(&self, code: CloseCode) {
        let place = Self::CODES.iter().position(|&each| each == code);
        self.0[place.unwrap_or(Self::CODES.len())].add(1);
    }
}

/// How long something took each time.
#[derive(Debug, Default)]
pub struct Histogram {
    /// For each bound, and for what took longer than all of them.
    counts: [Counter; Self::BOUNDS.len() + 1],
    nanoseconds: Counter,
}

impl Histogram {
    /// The bounds of the counts.
    pub const BOUNDS: [Duration; 9] = [
        Duration::from_micros(10),
        Duration::from_micros(30),
        Duration::from_micros(100),
        Duration::from_micros(300),
        Duration::from_millis(1),
        Duration::from_millis(3),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_secs(1),
    ];

    /// Each bound, and how often it took longer than the bound before and no longer than this one. The last has no bound.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = Self::BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(&self.counts).map(|(bound, count)| (bound, count.get()))
    }

    /// The time that all of it took together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.get())
    }

    #[inline]
    pub(crate) fn record(&self, time: Duration) {
        let place = Self::BOUNDS.iter().position(|&bound| time <= bound);
        self.counts[place.unwrap_or(Self::BOUNDS.len())].add(1);
        // Wraps after 584 years.
        self.nanoseconds.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// A number that only one thread writes.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn subtract(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The current number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place() {
        let stats = Stats::default();
        for (i, fault) in Fault::ALL.into_iter().enumerate() {
            (0..=i).for_each(|_| stats.faults.add(fault));
        }
        let most = Fault::ALL.len() as u64;
        assert!(stats.faults.iter().map(|(_, count)| count).eq(1..=most));
        assert_eq!(stats.errors(), (1..=most).sum::<u64>() - stats.faults.get(Fault::CloseTimeout));
        for code in [1000, 1000, 1006, 1012, 3000, 4999] {
            stats.closes.add(CloseCode::new(code));
        }
        let counted: Vec<_> = stats.closes.iter().filter(|&(_, count)| count > 0).collect();
        assert_eq!(counted, [(Some(CloseCode::NORMAL), 2), (Some(CloseCode::ABNORMAL), 1), (None, 3)]);
    }

    #[test]
    fn a_histogram_counts_up_to_its_bounds() {
        let histogram = Histogram::default();
        let times = [0, 10_000, 10_001, 1_000_000_000, 1_000_000_001];
        times.iter().for_each(|&nanoseconds| histogram.record(Duration::from_nanos(nanoseconds)));
        let counts: Vec<u64> = histogram.iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(histogram.sum(), Duration::from_nanos(times.iter().sum()));
        histogram.record(Duration::MAX);
        assert_eq!(histogram.iter().last(), Some((None, 2)));
    }
}
