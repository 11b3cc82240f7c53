//! There is no TLS.

use std::{error::Error, fmt, io};

/// Why there is no TLS for `wss://`. Nothing is ever sent without it.
#[cfg_attr(docsrs, doc(cfg(feature = "connect")))]
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The feature `rustls` is off.
    Off,
    /// No provider of cryptography is known: enable the feature `rustls-ring`, install one for the process
    /// (`CryptoProvider::install_default` of rustls), or give `Connector::tls` a configuration.
    NoProvider,
    /// No roots are known: enable the feature `webpki-roots` or `platform-verifier`, or give `Connector::tls` a configuration.
    NoRoots,
    /// The provider or the roots of the system cannot be used.
    Configuration(io::Error),
    /// The host of the URL is neither a DNS name nor an IP address.
    ServerName,
    /// The handshake failed. A `rustls::Error` in it ([`io::Error::get_ref`]) says if the certificate was wrong, and how.
    Handshake(io::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("wss:// needs the feature rustls of framewire-tokio"),
            Self::NoProvider => {
                f.write_str("TLS has no provider of cryptography: enable the feature rustls-ring")
            }
            Self::NoRoots => {
                f.write_str("TLS has no roots: enable the feature webpki-roots or platform-verifier")
            }
            Self::Configuration(error) => write!(f, "TLS cannot be used: {error}"),
            Self::ServerName => f.write_str("a certificate cannot name the host"),
            Self::Handshake(error) => write!(f, "the handshake of TLS failed: {error}"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Configuration(error) | Self::Handshake(error) => Some(error),
            _ => None,
        }
    }
}
