//! No TCP connection was made.

use std::{error::Error, fmt, io, net::SocketAddr};

/// Why no TCP connection was made.
#[cfg_attr(docsrs, doc(cfg(feature = "connect")))]
#[derive(Debug)]
#[non_exhaustive]
pub enum Unreachable {
    /// The resolver failed: the host may not exist.
    Resolve(io::Error),
    /// The resolver found no address.
    NoAddress,
    /// No address accepted a connection. These are all that were tried, in the order in which they failed.
    Tcp(Vec<(SocketAddr, io::Error)>),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "the host was not found: {error}"),
            Self::NoAddress => f.write_str("the host has no address"),
            Self::Tcp(failed) => {
                f.write_str("no address of the host accepted a connection")?;
                let mut separator = ": ";
                for (address, error) in failed {
                    write!(f, "{separator}{address}: {error}")?;
                    separator = "; ";
                }
                Ok(())
            }
        }
    }
}

impl Error for Unreachable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve(error) => Some(error),
            Self::NoAddress => None,
            Self::Tcp(failed) => failed.first().map(|(_, error)| error as _),
        }
    }
}
