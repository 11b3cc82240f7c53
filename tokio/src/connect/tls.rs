//! TLS for `wss://`, by rustls.

use super::{error::TlsError, url::Place};
use rustls::{
    ClientConfig, ConfigBuilder, WantsVerifier, client::WantsClientCert, crypto::CryptoProvider,
    pki_types::ServerName,
};
use std::{
    io,
    sync::{Arc, OnceLock},
};
use tokio_rustls::{TlsConnector, rustls};

/// The configuration of TLS: the program's, or one that is made when it is first needed.
#[derive(Clone, Default)]
pub(super) struct Tls(Arc<OnceLock<TlsConnector>>);

impl Tls {
    pub(super) fn new(config: Arc<ClientConfig>) -> Self {
        Self(Arc::new(connector(Arc::unwrap_or_clone(config)).into()))
    }

    pub(super) fn connector(&self) -> Result<TlsConnector, TlsError> {
        if let Some(made) = self.0.get() {
            return Ok(made.clone());
        }
        let made = connector(default_config()?);
        Ok(self.0.get_or_init(|| made).clone())
    }
}

/// The name that the server's certificate must have. For an address, no SNI is sent (RFC 6066 §3).
pub(super) fn server_name(place: &Place) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(place.name().to_owned()).map_err(|_| TlsError::ServerName)
}

fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"http/1.1".to_vec()]; // a server that may choose HTTP/2 would
    TlsConnector::from(Arc::new(config))
}

fn default_config() -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()?).with_safe_default_protocol_versions();
    Ok(with_roots(builder.map_err(configuration)?)?.with_no_client_auth())
}

/// The provider of the process, or else the feature's.
fn provider() -> Result<Arc<CryptoProvider>, TlsError> {
    let provider = CryptoProvider::get_default().cloned();
    #[cfg(feature = "rustls-ring")]
    let provider = provider.or_else(|| Some(Arc::new(rustls::crypto::ring::default_provider())));
    provider.ok_or(TlsError::NoProvider)
}

type Builder<State> = ConfigBuilder<ClientConfig, State>;

#[cfg(feature = "platform-verifier")]
fn with_roots(builder: Builder<WantsVerifier>) -> Result<Builder<WantsClientCert>, TlsError> {
    use rustls_platform_verifier::BuilderVerifierExt;
    builder.with_platform_verifier().map_err(configuration)
}

#[cfg(all(feature = "webpki-roots", not(feature = "platform-verifier")))]
fn with_roots(builder: Builder<WantsVerifier>) -> Result<Builder<WantsClientCert>, TlsError> {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    Ok(builder.with_root_certificates(roots))
}

#[cfg(not(any(feature = "webpki-roots", feature = "platform-verifier")))]
fn with_roots(_: Builder<WantsVerifier>) -> Result<Builder<WantsClientCert>, TlsError> {
    Err(TlsError::NoRoots)
}

fn configuration(error: rustls::Error) -> TlsError {
    TlsError::Configuration(io::Error::other(error))
}
