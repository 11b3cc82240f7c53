//! The request of a client.

use super::Connector;
use crate::keys;
use framewire::{
    extension::DeflateOffer,
    handshake::{ClientHandshake, ClientKey},
};

/// What a [`ClientHandshake`] refers to.
pub(super) struct Request<'a> {
    host: &'a str,
    target: &'a str,
    key: ClientKey,
    subprotocols: Vec<&'a str>,
    offers: Vec<DeflateOffer>,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Request<'a> {
    pub(super) fn new(
        connector: &'a Connector,
        host: &'a str,
        target: &'a str,
        authorization: Option<&'a str>,
    ) -> Self {
        let headers = connector.headers.iter().map(|(name, value)| (&**name, &**value));
        Self {
            host,
            target,
            key: ClientKey::new(keys::random()),
            subprotocols: connector.config.subprotocols.iter().map(|name| &**name).collect(),
            #[cfg(feature = "deflate")]
            offers: connector.config.pools.iter().map(|shared| shared.offer()).collect(),
            #[cfg(not(feature = "deflate"))]
            offers: Vec::new(),
            headers: headers.chain(authorization.map(|value| ("Authorization", value))).collect(),
        }
    }

    pub(super) fn handshake(&self) -> ClientHandshake<'_> {
        ClientHandshake::new(self.host, self.target, self.key)
            .subprotocols(&self.subprotocols)
            .deflate(&self.offers)
            .extra_headers(&self.headers)
    }

    /// Whether it may be sent.
    #[cfg(feature = "connect")]
    pub(super) fn check(&self) -> Result<(), framewire::handshake::BuildError> {
        self.handshake().headers().map(drop)
    }
}
