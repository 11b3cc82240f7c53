//! The addresses of a host.

use super::{error::Unreachable, url::Place};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

/// The most addresses that are tried: an answer of the DNS may have thousands.
const ADDRESSES: usize = 32;

/// Finds the addresses of hosts. By default, the system does.
#[derive(Clone, Default)]
pub(super) struct Resolver(Option<Arc<Resolve>>);

type Resolve =
    dyn Fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> + Send + Sync;

impl Resolver {
    pub(super) fn new<F, R>(resolve: F) -> Self
    where
        F: Fn(String, u16) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Some(Arc::new(move |host, port| Box::pin(resolve(host, port)))))
    }

    /// At least one address, in the order in which to try them.
    pub(super) async fn addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, Unreachable> {
        let (name, port) = (place.name(), place.port);
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![(address, port).into()]);
        }
        let found = match &self.0 {
            Some(resolve) => resolve(name.to_owned(), port).await,
            None => tokio::net::lookup_host((name, port)).await.map(Iterator::collect),
        };
        let found: Vec<_> = found.map_err(Unreachable::Resolve)?;
        if found.is_empty() { Err(Unreachable::NoAddress) } else { Ok(interleaved(&found)) }
    }
}

/// Alternates the two families, IPv6 first (RFC 8305 §4). Within a family, the resolver's order is kept. There are not too many.
fn interleaved(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let (mut v6, mut v4) =
        (found.iter().filter(|address| address.is_ipv6()), found.iter().filter(|address| address.is_ipv4()));
    let mut ordered = Vec::new();
    while ordered.len() < found.len().min(ADDRESSES) {
        ordered.extend(v6.next());
        ordered.extend(v4.next());
    }
    ordered.truncate(ADDRESSES);
    ordered
}

#[cfg(test)]
mod tests {
    use super::{ADDRESSES, interleaved};

    #[test]
    fn families_alternate() {
        let address = |text: &str| text.parse().unwrap();
        let found = ["1.1.1.1:1", "2.2.2.2:2", "[::1]:1", "3.3.3.3:3", "[::2]:2"].map(address);
        let wanted = ["[::1]:1", "1.1.1.1:1", "[::2]:2", "2.2.2.2:2", "3.3.3.3:3"].map(address);
        assert_eq!(interleaved(&found), wanted);
    }

    #[test]
    fn addresses_are_bounded() {
        let mut found = vec![([127, 0, 0, 1], 1).into(); 5000];
        assert_eq!(interleaved(&found).len(), ADDRESSES);
        found.insert(4000, "[::1]:1".parse().unwrap());
        let tried = interleaved(&found);
        assert!(tried[0].is_ipv6() && tried.len() == ADDRESSES);
    }
}
