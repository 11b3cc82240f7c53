//! TLS: the certificate of a server's listeners, and the streams of their connections.

mod buffers;
mod stream;
#[cfg(all(test, feature = "self-signed"))]
mod tests;

pub(crate) use stream::{Inner, Tls};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    error, fmt, io,
    sync::{Arc, PoisonError, RwLock},
};

/// What a server needs for TLS 1.2 and 1.3: a certificate and its key, which can be replaced while the server runs.
///
/// Clones are the same: all listeners that have one get a new certificate at once. A client that asks for protocols by ALPN
/// (RFC 7301) must ask for `http/1.1`. Sessions are resumed by tickets (RFC 5077, RFC 8446 §2.2), which take no memory of the
/// server; there is no early data, and no renegotiation.
///
/// ```no_run
/// use framewire_mio::{Config, Listener, TlsConfig};
/// use std::{fs, num::NonZeroUsize};
///
/// let tls = TlsConfig::from_pem(&fs::read("cert.pem")?, &fs::read("key.pem")?)?;
/// let lists = Listener::bind(&["0.0.0.0:443".parse()?], NonZeroUsize::MIN, &Config::default())?;
/// let listeners: Vec<_> = lists.into_iter().flatten().map(|listener| listener.with_tls(tls.clone())).collect();
/// // Server::new(..., listeners, ...)
///
/// tls.replace(&fs::read("cert.pem")?, &fs::read("key.pem")?)?; // for connections from now on
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsConfig {
    server: Arc<ServerConfig>,
    identity: Arc<Identity>,
}

/// A certificate and its key, for new connections.
#[derive(Debug)]
struct Identity(RwLock<Arc<CertifiedKey>>);

impl TlsConfig {
    /// Makes a configuration from texts in PEM (RFC 7468): `certificates` has the server's certificate first, then those of
    /// the authorities between it and the root; `key` has the private key of the first (PKCS #8, PKCS #1 or SEC1). One text
    /// may have both.
    ///
    /// # Errors
    /// If either text is not PEM or has nothing of its kind, if the key is of a kind that is not supported, or if it is not
    /// that of the certificate.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::new(parse(certificates, key)?)
    }

    /// Makes a configuration with a new certificate for these names and addresses, which no authority vouches for. It is lost
    /// with the configuration. Programs can be told to trust it by its [`fingerprint`](Self::fingerprint).
    ///
    /// # Errors
    /// If a name is not one of DNS nor an address, or the system has no random numbers.
    #[cfg(feature = "self-signed")]
    pub fn self_signed(names: impl IntoIterator<Item = String>) -> Result<Self, TlsError> {
        let failed = |error: rcgen::Error| TlsError(Problem::SelfSigned(error.to_string()));
        let made =
            rcgen::generate_simple_self_signed(names.into_iter().collect::<Vec<_>>()).map_err(failed)?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        Self::new(certify(vec![made.cert.der().clone()], key)?)
    }

    fn new(identity: Arc<CertifiedKey>) -> Result<Self, TlsError> {
        let identity = Arc::new(Identity(RwLock::new(identity)));
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_no_client_auth()
            .with_cert_resolver(identity.clone());
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = ring::Ticketer::new().map_err(refused)?;
        server.send_tls13_tickets = 1; // each resumption brings another one
        Ok(Self { server: Arc::new(server), identity })
    }

    /// Replaces the certificate and its key, given as to [`from_pem`](Self::from_pem), for connections that begin from now on.
    /// A client that resumes a session does not see the certificate.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); the certificate is not replaced then.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let new = parse(certificates, key)?;
        *self.identity.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The SHA-256 of the certificate, in hexadecimal with colons, as `openssl x509 -fingerprint -sha256` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let identity = self.identity.get();
        let hash = ring::cipher_suite::TLS13_AES_128_GCM_SHA256
            .tls13()
            .map(|suite| suite.common.hash_provider.hash(identity.cert.first().map_or(&[], |cert| cert)));
        let hex: Vec<_> =
            hash.iter().flat_map(|hash| hash.as_ref()).map(|byte| format!("{byte:02X}")).collect();
        hex.join(":")
    }

    /// The stream of an accepted connection.
    pub(crate) fn accept<S: Inner>(&self, inner: S) -> io::Result<Tls<S>> {
        Tls::new(inner, self.server.clone()).map_err(io::Error::other)
    }
}

impl Identity {
    fn get(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn parse(certificates: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError(Problem::Certificate(error)))?;
    if certificates.is_empty() {
        return Err(TlsError(Problem::Certificate(pem::Error::NoItemsFound)));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError(Problem::Key(error)))?;
    certify(certificates, key)
}

fn certify(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, TlsError> {
    CertifiedKey::from_der(certificates, key, &provider()).map(Arc::new).map_err(refused)
}

/// A certificate or a key that cannot be used.
#[derive(Debug)]
pub struct TlsError(Problem);

#[derive(Debug)]
enum Problem {
    Certificate(pem::Error),
    Key(pem::Error),
    Refused(rustls::Error),
    #[cfg(feature = "self-signed")]
    SelfSigned(String),
}

fn refused(error: rustls::Error) -> TlsError {
    TlsError(Problem::Refused(error))
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::Certificate(pem::Error::NoItemsFound) => f.write_str("there is no certificate in PEM"),
            Problem::Certificate(error) => write!(f, "the certificate is not PEM: {error}"),
            Problem::Key(pem::Error::NoItemsFound) => f.write_str("there is no private key in PEM"),
            Problem::Key(error) => write!(f, "the private key is not PEM: {error}"),
            Problem::Refused(rustls::Error::InconsistentKeys(_)) => {
                f.write_str("the private key is not that of the certificate")
            }
            Problem::Refused(error) => write!(f, "the certificate or its key cannot be used: {error}"),
            #[cfg(feature = "self-signed")]
            Problem::SelfSigned(error) => write!(f, "cannot make a certificate: {error}"),
        }
    }
}

impl error::Error for TlsError {}
