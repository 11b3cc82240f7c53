//! The way from a URL to a stream, stage by stage.

#[cfg(feature = "rustls")]
use super::tls::{self, Tls};
#[cfg(feature = "proxy")]
use super::{error::ProxyError, proxy::Proxy};
use super::{
    error::{ConnectError, Stage, TlsError},
    race::dial,
    resolve::Resolver,
    stream::ConnectStream,
    url::Url,
};
use crate::accept::in_time;
use std::time::Duration;
use tokio::net::TcpStream;

/// What connecting by URL needs.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) resolver: Resolver,
    #[cfg(feature = "proxy")]
    pub(super) proxy: Proxy,
    #[cfg(feature = "rustls")]
    pub(super) tls: Tls,
}

impl Network {
    pub(super) fn new() -> Self {
        Self {
            resolver: Resolver::default(),
            #[cfg(feature = "proxy")]
            proxy: Proxy::from_env(),
            #[cfg(feature = "rustls")]
            tls: Tls::default(),
        }
    }

    /// Connects to the server of a URL. Each stage has this time.
    pub(super) async fn open(
        &self,
        url: &Url,
        timeout: Option<Duration>,
    ) -> Result<ConnectStream, ConnectError> {
        if !url.secure {
            return Ok(ConnectStream::Tcp(self.reach(url, timeout).await?));
        }
        #[cfg(not(feature = "rustls"))]
        return Err(TlsError::Off.into());
        #[cfg(feature = "rustls")]
        {
            // These fail before anything is sent.
            let (connector, name) = (self.tls.connector()?, tls::server_name(&url.place)?);
            let stream = self.reach(url, timeout).await?;
            let stream = in_time(timeout, connector.connect(name, stream)).await;
            let stream = stream.ok_or(ConnectError::Timeout(Stage::Tls))?.map_err(TlsError::Handshake)?;
            Ok(ConnectStream::Tls(Box::new(stream)))
        }
    }

    /// Connects to the server, directly or through a proxy.
    async fn reach(&self, url: &Url, timeout: Option<Duration>) -> Result<TcpStream, ConnectError> {
        #[cfg(feature = "proxy")]
        if let Some(way) = self.proxy.way(url).map_err(ProxyError::Url)? {
            let opened = in_time(timeout, way.open(&url.place, &self.resolver)).await;
            let (mut stream, refusal) = opened.ok_or(ConnectError::Timeout(Stage::Proxy))??;
            return match refusal {
                Some(head) => Err(ProxyError::Refused(head.refusal(&mut stream, timeout).await).into()),
                None => Ok(stream),
            };
        }
        let addresses = in_time(timeout, self.resolver.addresses(&url.place)).await;
        let addresses = addresses.ok_or(ConnectError::Timeout(Stage::Resolve))??;
        let stream = in_time(timeout, dial(addresses)).await;
        Ok(stream.ok_or(ConnectError::Timeout(Stage::Tcp))??)
    }
}
