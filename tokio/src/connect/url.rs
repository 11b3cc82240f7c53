//! The URL of a WebSocket (RFC 6455 §3).

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Uri, uri::Authority};
use percent_encoding::percent_decode_str;
use std::{fmt, net::Ipv6Addr};

/// A URL, in the parts that connecting needs.
pub(super) struct Url {
    /// `wss`, and not `ws`.
    pub(super) secure: bool,
    pub(super) place: Place,
    /// The header `Host`: the port is left out if it is the scheme's own.
    pub(super) host_header: String,
    /// Path and query.
    pub(super) target: String,
    /// The header `Authorization` for user and password.
    pub(super) authorization: Option<String>,
}

impl Url {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        if url.contains('#') {
            return Err(UrlError::Fragment); // `Uri` would drop it
        }
        let uri: Uri = url.parse().map_err(|_| UrlError::Malformed)?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let secure = scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return Err(UrlError::Scheme);
        }
        let default_port = if secure { 443 } else { 80 };
        let authority = uri.authority().ok_or(UrlError::Host)?;
        let place = Place::parse(authority, default_port)?;
        let host_header = if place.port == default_port { place.host.clone() } else { place.to_string() };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            secure,
            place,
            host_header,
            target: if target.starts_with('/') { target.to_owned() } else { format!("/{target}") },
            authorization: Login::of(authority).map(|login| login.basic()),
        })
    }
}

/// A host and a port.
#[derive(Clone)]
pub(super) struct Place {
    /// An IPv6 address is in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    pub(super) fn parse(authority: &Authority, default_port: u16) -> Result<Self, UrlError> {
        let host = authority.host();
        if host.is_empty() {
            return Err(UrlError::Host);
        }
        // `Authority` takes any text in brackets, which would be looked up as a name.
        if host.starts_with('[') && unbracketed(host).parse::<Ipv6Addr>().is_err() {
            return Err(UrlError::Malformed);
        }
        let text = authority.as_str();
        let behind_user = text.rsplit_once('@').map_or(text, |(_, place)| place);
        // `Authority::port` also says of a number that is too large that there is none.
        let port = match behind_user.strip_prefix(host).ok_or(UrlError::Malformed)? {
            "" | ":" => default_port,
            rest => rest
                .strip_prefix(':')
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok())
                .ok_or(UrlError::Port)?,
        };
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host without the brackets of an IPv6 address.
    pub(super) fn name(&self) -> &str {
        unbracketed(&self.host)
    }
}

pub(super) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The user and the password before the `@` of a URL.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

impl Login {
    /// `None`: there is no `@`, or nothing before it.
    pub(super) fn of(authority: &Authority) -> Option<Self> {
        let (user_info, _) =
            authority.as_str().rsplit_once('@').filter(|(user_info, _)| !user_info.is_empty())?;
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let decoded = |text| percent_decode_str(text).collect();
        Some(Self { user: decoded(user), password: decoded(password) })
    }

    /// The value of `Authorization` (RFC 7617).
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", BASE64_STANDARD.encode([&*self.user, b":", &*self.password].concat()))
    }
}

/// Why a URL was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is no absolute URL, or has characters that a URL may not have. A host of other letters than ASCII must be given in
    /// Punycode.
    Malformed,
    /// The scheme of a WebSocket is `ws` or `wss`; that of a proxy `http`, `socks5` or `socks5h`.
    Scheme,
    /// There is no host.
    Host,
    /// The port is no number of 16 bits.
    Port,
    /// It has a fragment, `#…`, which the URL of a WebSocket may not have (RFC 6455 §3).
    Fragment,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the URL is malformed",
            Self::Scheme => "the scheme of the URL is not supported",
            Self::Host => "the URL has no host",
            Self::Port => "the port of the URL is no port",
            Self::Fragment => "the URL has a fragment",
        })
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::{Url, UrlError};

    #[test]
    fn parts() {
        for (url, secure, name, port, host_header, target) in [
            ("ws://example.org", false, "example.org", 80, "example.org", "/"),
            ("wss://example.org/", true, "example.org", 443, "example.org", "/"),
            ("WSS://Example.org:443/a/b?c=d", true, "Example.org", 443, "Example.org", "/a/b?c=d"),
            ("ws://example.org:443/", false, "example.org", 443, "example.org:443", "/"),
            ("ws://example.org:/", false, "example.org", 80, "example.org", "/"),
            ("ws://127.0.0.1:9001?a=b", false, "127.0.0.1", 9001, "127.0.0.1:9001", "/?a=b"),
            ("wss://[::1]/", true, "::1", 443, "[::1]", "/"),
            ("ws://[2001:db8::1]:9001/x", false, "2001:db8::1", 9001, "[2001:db8::1]:9001", "/x"),
            ("ws://user@example.org:81/", false, "example.org", 81, "example.org:81", "/"),
        ] {
            let found = Url::parse(url).unwrap();
            assert_eq!((found.secure, found.place.name(), found.place.port), (secure, name, port), "{url}");
            assert_eq!((&*found.host_header, &*found.target), (host_header, target), "{url}");
        }
    }

    #[test]
    fn user_and_password() {
        for (url, authorization) in [
            ("ws://example.org/", None),
            ("ws://Aladdin:open%20sesame@example.org/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("ws://Aladdin@[::1]:80/", Some("Basic QWxhZGRpbjo=")),
            ("ws://a:b%3Ac%40@h/", Some("Basic YTpiOmNA")),
            ("ws://@h/", None),
        ] {
            assert_eq!(Url::parse(url).unwrap().authorization.as_deref(), authorization, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_websocket() {
        for (url, error) in [
            ("", UrlError::Malformed),
            ("ws://", UrlError::Malformed),
            ("ws://exa mple.org/", UrlError::Malformed),
            ("ws://b\u{fc}cher.example/", UrlError::Malformed),
            ("ws://example.org/\r\nX: y", UrlError::Malformed),
            ("example.org:80", UrlError::Scheme),
            ("/chat", UrlError::Scheme),
            ("http://example.org/", UrlError::Scheme),
            ("ws://:80/", UrlError::Host),
            ("ws://user@/", UrlError::Malformed),
            ("ws://example.org:65536/", UrlError::Port),
            ("ws://[example.org]/", UrlError::Malformed),
            ("ws://[127.0.0.1]/", UrlError::Malformed),
            ("ws://example.org\\@example.net/", UrlError::Malformed),
            ("ws://example.org/#top", UrlError::Fragment),
            ("ws://example.org/#", UrlError::Fragment),
        ] {
            assert_eq!(Url::parse(url).err(), Some(error), "{url}");
        }
    }
}
