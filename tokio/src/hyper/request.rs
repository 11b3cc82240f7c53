//! A request of hyper as the codec reads requests.

use framewire::handshake::{HandshakeError, HeaderSlots, HttpVersion, Request};
use http::{Extensions, HeaderMap, Method, Uri, Version, request::Parts};
use hyper::ext::Protocol;

/// A request that hyper has read: an [`http::Request`], or its [`Parts`]. Only this crate implements it.
pub trait UpgradeRequest: sealed::Sealed {}

impl<B> UpgradeRequest for http::Request<B> {}
impl UpgradeRequest for Parts {}

mod sealed {
    #[allow(unnameable_types, reason = "that seals the trait")]
    pub trait Sealed {
        fn head(&self) -> super::Head<'_>;
        fn extensions_mut(&mut self) -> &mut http::Extensions;
    }
}

impl<B> sealed::Sealed for http::Request<B> {
    fn head(&self) -> Head<'_> {
        Head::new(self.method(), self.uri(), self.version(), self.headers(), self.extensions())
    }

    fn extensions_mut(&mut self) -> &mut Extensions {
        self.extensions_mut()
    }
}

impl sealed::Sealed for Parts {
    fn head(&self) -> Head<'_> {
        Head::new(&self.method, &self.uri, self.version, &self.headers, &self.extensions)
    }

    fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

#[allow(unnameable_types, reason = "only the sealed trait names it")]
pub struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
    /// `:protocol` of an extended CONNECT.
    protocol: Option<&'a Protocol>,
}

/// What HTTP/2 has replaced (RFC 8441 §5), and a key that any client could send.
const REPLACED: [(&str, &[u8]); 3] = [
    ("upgrade", b"websocket"),
    ("connection", b"Upgrade"),
    ("sec-websocket-key", b"AAAAAAAAAAAAAAAAAAAAAA=="),
];

impl<'a> Head<'a> {
    fn new(
        method: &'a Method,
        uri: &'a Uri,
        version: Version,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
    ) -> Self {
        Self { method, uri, version, headers, protocol: extensions.get() }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.version > Version::HTTP_11
    }

    /// The target of the request line. An extended CONNECT has its authority apart from it.
    pub(super) fn target(&self) -> String {
        match self.uri.path_and_query() {
            Some(path) if self.is_http2() => path.to_string(),
            _ => self.uri.to_string(),
        }
    }

    /// All cookies, if HTTP/2 has several fields of them: any other reader expects one (RFC 9113 §8.2.3).
    pub(super) fn cookies(&self) -> Option<Vec<u8>> {
        let cookies: Vec<_> = self.headers.get_all("cookie").iter().map(|value| value.as_bytes()).collect();
        (self.is_http2() && cookies.len() > 1).then(|| cookies.join(&b"; "[..]))
    }

    /// The request for the codec, which checks it. An extended CONNECT for a WebSocket is the GET that it stands for: so the
    /// same rules hold for both.
    pub(super) fn request<'h, const N: usize>(
        &'a self,
        target: &'a str,
        cookies: Option<&'a [u8]>,
        slots: &'h mut HeaderSlots<'a, N>,
    ) -> Result<Request<'h, 'a>, HandshakeError> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let version = if self.version < Version::HTTP_11 { HttpVersion::Http10 } else { HttpVersion::Http11 };
        if !self.is_http2() {
            return Request::from_parts(self.method.as_str(), target, version, headers, slots);
        }
        if self.method != Method::CONNECT
            || self.protocol.is_none_or(|protocol| protocol.as_str() != "websocket")
        {
            return Err(HandshakeError::NotUpgrade);
        }
        // The authority wins over a `Host` (RFC 9113 §8.3.1).
        let authority = self.uri.authority().map(|authority| ("host", authority.as_str().as_bytes()));
        let replaced = |name: &str| {
            REPLACED.iter().any(|(ours, _)| *ours == name)
                || (name == "host" && authority.is_some())
                || (name == "cookie" && cookies.is_some())
        };
        let headers = headers.filter(|(name, _)| !replaced(name)).chain(REPLACED).chain(authority);
        let headers = headers.chain(cookies.map(|cookies| ("cookie", cookies)));
        Request::from_parts("GET", target, version, headers, slots)
    }
}
