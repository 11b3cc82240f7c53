//! Forward proxies: which one is for a URL, and the way through it.

mod http_connect;
mod no_proxy;
mod socks5;

use super::{
    answer::Head,
    error::ProxyError,
    race::dial,
    resolve::Resolver,
    url::{Login, Place, Url, UrlError},
};
use http::Uri;
use no_proxy::NoProxy;
use std::{env, ffi::OsString, fmt, sync::Arc};
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
pub struct Proxy(Arc<Ways>);

/// Which way is for which URL. `None`: the server is reached directly.
struct Ways {
    /// For `ws://`.
    plain: Result<Option<Way>, UrlError>,
    /// For `wss://`.
    secure: Result<Option<Way>, UrlError>,
    direct: NoProxy,
}

impl Proxy {
    /// This proxy, for all servers.
    ///
    /// # Errors
    /// The URL is none, or names something else than a proxy that is supported.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let way = Some(Way::parse(url)?);
        Ok(Self::of(Ok(way.clone()), Ok(way), NoProxy::default()))
    }

    /// No proxy.
    #[must_use]
    pub fn none() -> Self {
        Self::of(Ok(None), Ok(None), NoProxy::default())
    }

    /// The proxies that the environment names now, as for curl: for `ws://`, that of `HTTP_PROXY`, and for `wss://`, that of
    /// `HTTPS_PROXY`; of `ALL_PROXY` if there is none. A server that `NO_PROXY` lists is reached directly. The names may also be
    /// in lower case, and an empty value counts as none. None is read if `REQUEST_METHOD` is set, because a CGI program's
    /// `HTTP_PROXY` comes from the peer. If a value is not the URL of a proxy that is supported, connecting through it is an error,
    /// [`ProxyError::Url`].
    ///
    /// `NO_PROXY` is a list with commas, of domains (which stand for their subdomains, too), IP addresses, networks such as
    /// `10.0.0.0/8`, or `*` for all. A port may follow: `example.org:8080`, `[::1]:8080`; the entry is then for this port only.
    /// Addresses are compared only with URLs that name an address.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_variables(|name| env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        if variable("REQUEST_METHOD").is_some() {
            return Self::none();
        }
        let value = |name: &str| {
            let value = |name: &str| variable(name).filter(|value| !value.is_empty());
            value(name).or_else(|| value(&name.to_ascii_lowercase()))
        };
        let way = |name| {
            let url = value(name).or_else(|| value("ALL_PROXY"));
            url.map(|url| Way::parse(url.to_str().ok_or(UrlError::Malformed)?)).transpose()
        };
        let direct = value("NO_PROXY").unwrap_or_default();
        Self::of(way("HTTP_PROXY"), way("HTTPS_PROXY"), NoProxy::parse(&direct.to_string_lossy()))
    }

    fn of(
        plain: Result<Option<Way>, UrlError>,
        secure: Result<Option<Way>, UrlError>,
        direct: NoProxy,
    ) -> Self {
        Self(Arc::new(Ways { plain, secure, direct }))
    }

    /// The way to a server. `None`: it is reached directly.
    pub(super) fn way(&self, url: &Url) -> Result<Option<&Way>, UrlError> {
        let Ways { plain, secure, direct } = &*self.0;
        if direct.has(&url.place) {
            return Ok(None);
        }
        let way = if url.secure { secure } else { plain };
        way.as_ref().map(Option::as_ref).map_err(|&error| error)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("plain", &self.0.plain)
            .field("secure", &self.0.secure)
            .finish_non_exhaustive()
    }
}

/// The way through a proxy.
#[derive(Clone)]
pub(super) struct Way {
    proxy: Place,
    protocol: Protocol,
    login: Option<Login>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http,
    Socks5,
}

impl Way {
    fn parse(url: &str) -> Result<Self, UrlError> {
        let uri: Uri = url.parse().map_err(|_| UrlError::Malformed)?;
        let (protocol, default_port) = match uri.scheme_str().map(str::to_ascii_lowercase).as_deref() {
            None | Some("http") => (Protocol::Http, 80),
            Some("socks5" | "socks5h") => (Protocol::Socks5, 1080),
            _ => return Err(UrlError::Scheme),
        };
        let authority = uri.authority().ok_or(UrlError::Host)?;
        Ok(Self { proxy: Place::parse(authority, default_port)?, protocol, login: Login::of(authority) })
    }

    /// Connects to a server. If there is a head, the proxy has refused with it.
    pub(super) async fn open(
        &self,
        server: &Place,
        resolver: &Resolver,
    ) -> Result<(TcpStream, Option<Head>), ProxyError> {
        let mut stream = dial(resolver.addresses(&self.proxy).await?).await?;
        let login = self.login.as_ref();
        let refusal = match self.protocol {
            Protocol::Http => http_connect::tunnel(&mut stream, server, login).await?,
            Protocol::Socks5 => {
                socks5::tunnel(&mut stream, server, login).await?;
                None
            }
        };
        Ok((stream, refusal))
    }
}

/// Without the password.
impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.protocol, self.proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::{Proxy, Way};
    use crate::connect::url::{Url, UrlError};

    fn way<'a>(proxy: &'a Proxy, url: &str) -> Result<Option<&'a Way>, UrlError> {
        proxy.way(&Url::parse(url).unwrap())
    }

    /// Protocol and place of the proxy for a URL.
    fn place(proxy: &Proxy, url: &str) -> Result<Option<String>, UrlError> {
        Ok(way(proxy, url)?.map(|way| format!("{way:?}")))
    }

    #[test]
    fn urls_of_proxies() {
        for (url, wanted, login) in [
            ("http://proxy.example", "Http proxy.example:80", None),
            ("proxy.example:3128", "Http proxy.example:3128", None),
            ("HTTP://a:b@[::1]:3128/", "Http [::1]:3128", Some(("a", "b"))),
            ("a:b@proxy.example", "Http proxy.example:80", Some(("a", "b"))),
            ("socks5://10.0.0.1", "Socks5 10.0.0.1:1080", None),
            ("socks5h://a:%40@proxy.example:1", "Socks5 proxy.example:1", Some(("a", "@"))),
            ("http://a:b@c@proxy.example", "Http proxy.example:80", Some(("a", "b@c"))),
        ] {
            let proxy = Proxy::new(url).unwrap();
            for server in ["ws://example.org/", "wss://[::2]/"] {
                assert_eq!(place(&proxy, server).unwrap().as_deref(), Some(wanted), "{url}");
                let found = way(&proxy, server).unwrap().and_then(|way| way.login.as_ref());
                let found = found.map(|login| (&*login.user, &*login.password));
                assert_eq!(found, login.map(|(a, b)| (a.as_bytes(), b.as_bytes())), "{url}");
            }
            assert!(!format!("{proxy:?}").contains('@'), "a password");
        }
        for (url, error) in [
            ("", UrlError::Malformed),
            ("/path", UrlError::Host),
            ("https://proxy.example/", UrlError::Scheme),
            ("socks4://proxy.example/", UrlError::Scheme),
            ("http://proxy.example:65536/", UrlError::Port),
            ("http://[proxy.example]/", UrlError::Malformed),
        ] {
            assert_eq!(Proxy::new(url).err(), Some(error), "{url}");
        }
        assert_eq!(place(&Proxy::none(), "ws://example.org/"), Ok(None));
    }

    fn from_env(variables: &[(&str, &str)]) -> Proxy {
        Proxy::from_variables(|name| {
            variables.iter().find(|(ours, _)| *ours == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn variables_of_the_environment() {
        let (plain, secure) = ("ws://example.org/", "wss://example.org/");
        let named = |place: &str| Ok(Some(format!("Http {place}:80")));

        let proxy = from_env(&[("HTTP_PROXY", ""), ("http_proxy", "a"), ("ALL_PROXY", "b")]);
        assert_eq!((place(&proxy, plain), place(&proxy, secure)), (named("a"), named("b")));
        let proxy = from_env(&[("HTTPS_PROXY", "a"), ("https_proxy", "b")]);
        assert_eq!((place(&proxy, plain), place(&proxy, secure)), (Ok(None), named("a")));
        let proxy = from_env(&[("all_proxy", "a"), ("no_proxy", "example.org:80")]);
        assert_eq!((place(&proxy, plain), place(&proxy, secure)), (Ok(None), named("a")));
        let proxy = from_env(&[("HTTP_PROXY", "a"), ("REQUEST_METHOD", "")]);
        assert_eq!(place(&proxy, plain), Ok(None));
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_an_error() {
        for (value, error) in [
            ("https://proxy.example", UrlError::Scheme),
            ("ftp://proxy.example", UrlError::Scheme),
            ("http://proxy example", UrlError::Malformed),
            ("http://proxy.example:port", UrlError::Port),
        ] {
            let variables = [("HTTP_PROXY", value), ("ALL_PROXY", "proxy"), ("NO_PROXY", "example.net")];
            let proxy = from_env(&variables);
            assert_eq!(place(&proxy, "ws://example.org/"), Err(error), "{value}");
            assert_eq!(place(&proxy, "ws://example.net/"), Ok(None), "{value}");
            assert_eq!(place(&proxy, "wss://example.org/"), Ok(Some("Http proxy:80".into())), "{value}");
        }
    }
}
