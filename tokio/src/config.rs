//! What a program may choose.

use framewire::Limits;
use std::time::Duration;

/// The limits and timeouts of connections. [`Acceptor`](crate::Acceptor) and [`Connector`](crate::Connector) share one among all
/// theirs.
///
/// ```
/// use framewire_tokio::Config;
///
/// let mut config = Config::server();
/// config.limits.message = 1 << 20;
/// config.keepalive = None;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The most bytes of a frame and of a message that arrive. Default: 16 MiB each for a server, 64 MiB for a client.
    pub limits: Limits,
    /// Bytes, at least one. While this many wait for a peer, no more messages are accepted for it; and if a
    /// [`Handler`](crate::Handler) answers, nothing is read from it. Default: 256 KiB.
    pub high_water: usize,
    /// Pings for a peer that is silent. Default: on for a server, off for a client.
    pub keepalive: Option<Keepalive>,
    /// The longest time in which the peer takes none of the bytes that wait for it. Default: 30 seconds.
    pub write_timeout: Option<Duration>,
    /// The longest time from the first bytes of a message to its last, as far as the program waits for them. A message that
    /// [`next_reader`](crate::WebSocket::next_reader) returns has none: its program has its own. Default: 5 minutes for a server,
    /// off for a client.
    pub message_timeout: Option<Duration>,
    /// The longest time from this end's close to the end of the connection. Without one, a peer that has vanished is waited for
    /// without end. Default: 5 seconds.
    pub close_timeout: Option<Duration>,
    /// The longest time for the opening handshake, and for each stage before it of connecting by URL
    /// ([`Stage`](crate::Stage)). Default: 10 seconds.
    pub handshake_timeout: Option<Duration>,
    /// The origins of pages that may connect, such as `https://example.org`; empty: all. Programs other than browsers send
    /// none, and may connect. For a server.
    pub origins: Vec<String>,
    /// The subprotocols that a server speaks, or that a client offers, the best first.
    pub subprotocols: Vec<String>,
    /// Compression, if the peer agrees. Default: off.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    pub compression: Option<crate::Compression>,
    /// What the connections of an acceptor or connector share for compression. Here, a connection needs no pointer of its own to it.
    #[cfg(feature = "deflate")]
    pub(crate) pools: Option<std::sync::Arc<crate::deflate::Shared>>,
}

/// Pings for a peer that is silent, and the end of a connection whose peer does not answer them. All bytes that arrive are signs
/// of life. After this end's close, no ping can be sent, and only [`Config::close_timeout`] counts.
///
/// Whether anything has arrived is looked at only when time is up, so that no message costs a look at the clock. So a ping comes
/// after one to two times `idle` without a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// The silence after which a ping is sent.
    pub idle: Duration,
    /// The further silence after which the peer is given up, with [`Error::IdleTimeout`](crate::Error::IdleTimeout). While a peer
    /// takes the bytes before the ping, it has not begun.
    pub answer: Duration,
}

impl Default for Keepalive {
    /// A ping after 30 seconds, and the end after 20 more.
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), answer: Duration::from_secs(20) }
    }
}

impl Config {
    /// The defaults of a server.
    #[must_use]
    pub fn server() -> Self {
        Self {
            limits: Limits::SERVER,
            high_water: 256 << 10,
            keepalive: Some(Keepalive::default()),
            write_timeout: Some(Duration::from_secs(30)),
            message_timeout: Some(Duration::from_secs(300)),
            close_timeout: Some(Duration::from_secs(5)),
            handshake_timeout: Some(Duration::from_secs(10)),
            origins: Vec::new(),
            subprotocols: Vec::new(),
            #[cfg(feature = "deflate")]
            compression: None,
            #[cfg(feature = "deflate")]
            pools: None,
        }
    }

    /// The defaults of a client.
    #[must_use]
    pub fn client() -> Self {
        Self { limits: Limits::CLIENT, keepalive: None, message_timeout: None, ..Self::server() }
    }

    /// Turns all timeouts off, for a program that has its own, or a runtime without a timer.
    #[must_use]
    pub fn without_timers(self) -> Self {
        Self {
            keepalive: None,
            write_timeout: None,
            message_timeout: None,
            close_timeout: None,
            handshake_timeout: None,
            ..self
        }
    }

    /// Whether an open connection has a timeout.
    pub(crate) fn has_timers(&self) -> bool {
        self.keepalive.is_some()
            || [self.write_timeout, self.message_timeout, self.close_timeout].iter().any(Option::is_some)
    }
}
