//! Forward proxies: which one is for a URL, and the way through it.

mod http_connect;
mod socks5;

use super::{
    answer::Head,
    error::ProxyError,
    race::dial,
    resolve::Resolver,
    url::{Place, Url, UrlError},
};
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use std::{fmt, sync::Arc};
use tokio::net::TcpStream;

/// The proxies of a [`Connector`](crate::Connector): by default, those of the environment.
///
/// The URL of a proxy is `http://host:port` (a tunnel by CONNECT, for `ws://`, too) or `socks5://host:port` (`socks5h` means the
/// same). It may have a user and a password, `http://user:password@host:port`. Without a port, it is 80 or 1080. The proxy finds
/// the addresses of servers. TLS to the proxy itself and SOCKS 4 are not supported.
///
/// ```
/// use framewire_tokio::{Config, Connector, Proxy};
///
/// let direct = Connector::new(Config::client()).proxy(Proxy::none());
/// let tunnelled = Connector::new(Config::client()).proxy(Proxy::new("socks5://127.0.0.1:1080")?);
/// # Ok::<(), framewire_tokio::UrlError>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
#[derive(Clone)]
pub struct Proxy(Arc<Matcher>);

impl Proxy {
    /// This proxy, for all servers.
    ///
    /// # Errors
    /// The URL is none, or names something else than a proxy that is supported.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let uri: Uri = url.parse().map_err(|_| UrlError::Malformed)?;
        if uri.scheme_str().is_some_and(|scheme| Protocol::default_port(scheme).is_none()) {
            return Err(UrlError::Scheme);
        }
        Place::parse(uri.authority().ok_or(UrlError::Host)?, 0)?;
        Ok(Self(Arc::new(Matcher::builder().all(url).build())))
    }

    /// No proxy.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(Matcher::builder().build()))
    }

    /// The proxies that the environment names now, as for curl: for `ws://`, that of `HTTP_PROXY`, and for `wss://`, that of
    /// `HTTPS_PROXY`; of `ALL_PROXY` if there is none. A server that `NO_PROXY` lists is reached directly. The names may also be
    /// in lower case. A value that is no URL counts as none, as do all if `REQUEST_METHOD` is set, because a CGI program's
    /// `HTTP_PROXY` comes from the peer.
    ///
    /// `NO_PROXY` is a list with commas, of domains (which stand for their subdomains, too), IP addresses, networks such as
    /// `10.0.0.0/8`, or `*` for all names. It has no ports. Addresses are compared only with URLs that name an address.
    #[must_use]
    pub fn from_env() -> Self {
        Self(Arc::new(Matcher::from_env()))
    }

    /// The way to a server. `None`: it is reached directly.
    pub(super) fn way(&self, url: &Url) -> Result<Option<Way>, UrlError> {
        let scheme = if url.secure { "https" } else { "http" }; // the matcher knows no others
        let uri = Uri::builder().scheme(scheme).authority(url.place.to_string()).path_and_query("/").build();
        let uri = uri.map_err(|_| UrlError::Malformed)?;
        self.0.intercept(&uri).map(|proxy| Way::through(&proxy)).transpose()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f) // without passwords
    }
}

/// The way through a proxy.
pub(super) struct Way {
    proxy: Place,
    protocol: Protocol,
}

enum Protocol {
    Http { authorization: Option<HeaderValue> },
    Socks5 { login: Option<(String, String)> },
}

impl Protocol {
    fn default_port(scheme: &str) -> Option<u16> {
        match scheme {
            "http" => Some(80),
            "socks5" | "socks5h" => Some(1080),
            _ => None,
        }
    }
}

impl Way {
    fn through(proxy: &Intercept) -> Result<Self, UrlError> {
        let scheme = proxy.uri().scheme_str().unwrap_or_default();
        let default_port = Protocol::default_port(scheme).ok_or(UrlError::Scheme)?;
        let place = Place::parse(proxy.uri().authority().ok_or(UrlError::Host)?, default_port)?;
        let protocol = if scheme == "http" {
            Protocol::Http { authorization: proxy.basic_auth().cloned() }
        } else {
            let login = proxy.raw_auth().map(|(user, password)| (user.to_owned(), password.to_owned()));
            Protocol::Socks5 { login }
        };
        Ok(Self { proxy: place, protocol })
    }

    /// Connects to a server. If there is a head, the proxy has refused with it.
    pub(super) async fn open(
        &self,
        server: &Place,
        resolver: &Resolver,
    ) -> Result<(TcpStream, Option<Head>), ProxyError> {
        let mut stream = dial(resolver.addresses(&self.proxy).await?).await?;
        let refusal = match &self.protocol {
            Protocol::Http { authorization } => {
                http_connect::tunnel(&mut stream, server, authorization.as_ref()).await?
            }
            Protocol::Socks5 { login } => {
                let login = login.as_ref().map(|(user, password)| (&**user, &**password));
                socks5::tunnel(&mut stream, server, login).await?;
                None
            }
        };
        Ok((stream, refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::{Matcher, Protocol, Proxy};
    use crate::connect::url::{Url, UrlError};

    fn way(proxy: &Proxy, url: &str) -> Option<String> {
        let way = proxy.way(&Url::parse(url).unwrap()).unwrap()?;
        let protocol = match way.protocol {
            Protocol::Http { authorization } => format!("{authorization:?}"),
            Protocol::Socks5 { login } => format!("{login:?}"),
        };
        Some(format!("{} {protocol}", way.proxy))
    }

    #[test]
    fn urls_of_proxies() {
        for (url, wanted) in [
            ("http://proxy.example", "proxy.example:80 None"),
            ("proxy.example:3128", "proxy.example:3128 None"),
            ("http://a:b@[::1]:3128/", "[::1]:3128 Some(Sensitive)"),
            ("socks5://10.0.0.1", "10.0.0.1:1080 None"),
            ("socks5h://a:%40@proxy.example:1", "proxy.example:1 Some((\"a\", \"@\"))"),
        ] {
            let proxy = Proxy::new(url).unwrap();
            for server in ["ws://example.org/", "wss://[::2]/"] {
                assert_eq!(way(&proxy, server).as_deref(), Some(wanted), "{url}");
            }
            assert!(!format!("{proxy:?}").contains("%40"), "a password");
        }
        for (url, error) in [
            ("", UrlError::Malformed),
            ("/path", UrlError::Host),
            ("https://proxy.example/", UrlError::Scheme),
            ("socks4://proxy.example/", UrlError::Scheme),
            ("http://proxy.example:65536/", UrlError::Port),
        ] {
            assert_eq!(Proxy::new(url).err(), Some(error), "{url}");
        }
        assert_eq!(way(&Proxy::none(), "ws://example.org/"), None);
    }

    #[test]
    fn an_environment_may_name_what_is_not_supported() {
        let proxy = Proxy(Matcher::builder().https("https://proxy.example").build().into());
        assert_eq!(proxy.way(&Url::parse("wss://example.org/").unwrap()).err(), Some(UrlError::Scheme));
        assert_eq!(way(&proxy, "ws://example.org/"), None);
    }

    /// What hyper-util's matcher makes of NO_PROXY.
    #[test]
    fn servers_that_are_reached_directly() {
        let listed = "example.org, .example.net,10.0.0.0/8,192.0.2.1,::1,example.com:8080";
        let proxy = Proxy(Matcher::builder().all("http://proxy").no(listed).build().into());
        for (url, direct) in [
            ("ws://example.org/", true),
            ("wss://a.Example.org:8443/", true),
            ("ws://notexample.org/", false),
            ("ws://example.net/", true),
            ("ws://a.example.net/", true),
            ("ws://10.1.2.3/", true),
            ("ws://11.1.2.3/", false),
            ("ws://192.0.2.1:9001/", true),
            ("ws://[::1]:9001/", true),
            ("ws://example.com:8080/", false), // it has no ports
            ("ws://example.com/", false),
        ] {
            assert_eq!(way(&proxy, url).is_none(), direct, "{url}");
        }
        let proxy = Proxy(Matcher::builder().all("http://proxy").no("*").build().into());
        assert_eq!(way(&proxy, "ws://example.org/"), None);
        // It does not stand for addresses, other than for curl.
        assert!(way(&proxy, "ws://127.0.0.1/").is_some());
    }
}
