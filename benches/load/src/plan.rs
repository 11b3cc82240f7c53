//! A run, as values.

use framewire::{Kind, extension::DeflateOffer};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub url: Url,
    pub connections: usize,
    pub sizes: Sizes,
    pub payload: Payload,
    pub handler: Handler,
    pub load: Load,
    pub until: Until,
    /// Whether connections come and go.
    pub churn: Option<Churn>,
    /// The time over which the connections are opened.
    pub ramp: Duration,
    /// The time before measuring.
    pub warm_up: Duration,
    /// The time for which the connections stay open at the end.
    pub hold: Duration,
    /// The run fails if the server owes replies and sends no part of any for this long.
    pub patience: Duration,
    /// How late the sender of an open loop may be, at the 99th percentile.
    pub late_bound: Duration,
    /// The offer of permessage-deflate.
    pub compression: Option<DeflateOffer>,
    /// The server's process, if it is to be measured.
    pub pid: Option<u32>,
    /// The same seed gives the same keys, sizes and contents.
    pub seed: Option<u64>,
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Closed loop: when a reply arrives; this many are in flight on each connection.
    InFlight(usize),
    /// Open loop: by a schedule of this many a second, over all connections.
    Rate(f64),
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After this time, from the end of the warm-up.
    Time(Duration),
    /// After this many messages; if connections come and go, after this many connections.
    Messages(u64),
}

/// Connections come and go: each is opened, has messages echoed, and leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Churn {
    /// Messages on each connection.
    pub echoes: usize,
    pub leave: Leave,
    /// How many addresses connections come from: 127.0.0.1, 127.0.0.2 and so on.
    pub sources: u8,
}

/// How a connection is left.
#[derive(
    Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Deserialize, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Leave {
    /// By a closing handshake: the client sends a close, and waits for the server's and for the end of the stream.
    Close,
    /// The client closes its socket.
    Fin,
    /// The client resets the connection.
    Reset,
}

/// The content of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Random bytes.
    Binary,
    /// ASCII text.
    Text,
    /// Text of characters of one to four bytes.
    Mixed,
    /// Text like the JSON of applications, which compresses as well as that.
    Json,
}

impl Payload {
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Binary => Kind::Binary,
            Self::Text | Self::Mixed | Self::Json => Kind::Text,
        }
    }
}

/// What the server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Handler {
    /// It sends the message back unchanged.
    Echo,
    /// It answers with a text: the number of bytes, a space, the value of the last byte (0 if empty).
    Length,
}

/// Sizes of messages in bytes, with weights: `125`, or `16:50,125:30,1K:20`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(Vec<(u32, u32)>);

impl Sizes {
    /// The largest size: the corpus holds a message in memory.
    const MAX: u64 = 256 << 20;

    pub(crate) fn largest(&self) -> usize {
        self.0.iter().map(|&(size, _)| size as usize).max().unwrap_or(0)
    }

    pub(crate) fn total_weight(&self) -> u32 {
        self.0.iter().map(|&(_, weight)| weight).sum()
    }

    /// The size at this point of the total weight.
    pub(crate) fn at(&self, mut point: u32) -> u32 {
        for &(size, weight) in &self.0 {
            if point < weight {
                return size;
            }
            point -= weight;
        }
        unreachable!("the point is below the total weight")
    }

    pub(crate) const fn is_one(&self) -> bool {
        self.0.len() == 1
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut sizes = Vec::new();
        for each in text.split(',') {
            let (size, weight) = each.split_once(':').unwrap_or((each, "1"));
            let (number, unit) = match size.trim().to_ascii_uppercase() {
                size if size.ends_with('K') => (size[..size.len() - 1].to_owned(), 1 << 10),
                size if size.ends_with('M') => (size[..size.len() - 1].to_owned(), 1 << 20),
                size => (size, 1),
            };
            let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
            let size = size.filter(|&size| size <= Self::MAX).ok_or_else(|| {
                format!("{size:?} is not a size: give a number of bytes, or one with K or M, up to 256M")
            })?;
            let weight = weight.trim().parse::<u16>().ok().filter(|&weight| weight > 0);
            let weight = weight.ok_or("a weight is a whole number from 1 to 65535")?;
            sizes.push((size as u32, u32::from(weight)));
        }
        if sizes.len() > 1000 {
            return Err("at most 1000 sizes".into());
        }
        Ok(Self(sizes))
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(size, _)] = self.0[..] {
            return write!(f, "{size}");
        }
        for (i, (size, weight)) in self.0.iter().enumerate() {
            write!(f, "{}{size}:{weight}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// `ws://HOST[:PORT][/PATH]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The value of the `Host` header.
    pub host: String,
    /// The address to connect to, with a port.
    pub address: String,
    pub target: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest =
            text.strip_prefix("ws://").ok_or("an address is ws://HOST:PORT/PATH (TLS is not supported)")?;
        let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if host.is_empty() {
            return Err("the address names no host".into());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self {
            host: host.to_owned(),
            address: if has_port { host.to_owned() } else { format!("{host}:80") },
            target: if target.starts_with('/') { target.to_owned() } else { format!("/{target}") },
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.host, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let mix: Sizes = "16:50,125:30, 1K:20".parse().expect("a mix");
        assert_eq!((mix.largest(), mix.total_weight()), (1024, 100));
        assert_eq!([0, 49, 50, 79, 80, 99].map(|point| mix.at(point)), [16, 16, 125, 125, 1024, 1024]);
        assert_eq!(mix.to_string().parse(), Ok(mix));
        assert_eq!("1m".parse::<Sizes>().map(|sizes| sizes.to_string()), Ok("1048576".into()));
        for wrong in ["", "K", "16:0", "16:", ":3", "-1", "257M", "16;17", "99999999999999999999K", "1:65536"]
        {
            assert!(wrong.parse::<Sizes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn urls() {
        for (text, address, target) in [
            ("ws://localhost:9001", "localhost:9001", "/"),
            ("ws://localhost", "localhost:80", "/"),
            ("ws://[::1]:80/a?b", "[::1]:80", "/a?b"),
            ("ws://[::1]/", "[::1]:80", "/"),
            ("ws://h:1?q", "h:1", "/?q"),
        ] {
            let url: Url = text.parse().expect(text);
            assert_eq!((&*url.address, &*url.target), (address, target), "{text}");
        }
        assert!("wss://localhost".parse::<Url>().is_err());
        assert!("ws:///x".parse::<Url>().is_err());
    }
}
