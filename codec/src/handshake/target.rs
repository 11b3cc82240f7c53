//! The target of a request (RFC 9112 §3.2): its characters, its forms, and the parts of a whole URI.

use super::headers::host;

/// A target in absolute-form (RFC 9112 §3.2.2): a whole URI.
pub(super) struct AbsoluteForm<'b> {
    scheme: &'b str,
    pub(super) authority: &'b str,
    path_and_query: &'b str,
}

impl<'b> AbsoluteForm<'b> {
    /// `None`: the target has another form.
    pub(super) fn parse(target: &'b str) -> Option<Self> {
        let (scheme, rest) = target.split_once("://")?;
        let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(in_scheme) {
            return None;
        }
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Some(Self { scheme, authority, path_and_query })
    }

    /// Whether the authority is a host, with or without a port. User information is not accepted (RFC 9110 §4.2.4).
    pub(super) fn is_valid(&self) -> bool {
        host(self.authority.as_bytes()).is_some()
    }

    /// Whether the value of `Host` names the same host and port: in any case, and with or without the port that is the
    /// scheme's own (RFC 9110 §4.2.3).
    pub(super) fn is_at(&self, host: &str) -> bool {
        let (own, own_port) = self.split_port(self.authority);
        let (other, other_port) = self.split_port(host);
        own.eq_ignore_ascii_case(other) && own_port == other_port
    }

    fn split_port(&self, authority: &'b str) -> (&'b str, &'b str) {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port), // not a colon of an IPv6 address
            _ => (authority, ""),
        };
        (host, if port.is_empty() { self.default_port() } else { port })
    }

    fn default_port(&self) -> &'static str {
        if is_any(self.scheme, &["http", "ws"]) {
            "80"
        } else if is_any(self.scheme, &["https", "wss"]) {
            "443"
        } else {
            ""
        }
    }
}

/// Whether `target` has only characters that a target may have: those of a URI (RFC 3986 §2), except `#`, which begins
/// a fragment, and those that browsers send in a query as they are (WHATWG URL, "query percent-encode set").
pub(super) fn is_target(target: &str) -> bool {
    !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"#<>".contains(&byte))
}

/// Path and query of a target in origin-form or in absolute-form with a scheme of HTTP or WebSocket.
pub(super) fn path_and_query(target: &str) -> Option<(&str, Option<&str>)> {
    let both = if target.starts_with('/') {
        target
    } else {
        let absolute = AbsoluteForm::parse(target)?;
        if !is_any(absolute.scheme, &["http", "https", "ws", "wss"]) {
            return None;
        }
        absolute.path_and_query
    };
    let (path, query) = both.split_once('?').map_or((both, None), |(path, query)| (path, Some(query)));
    Some((if path.is_empty() { "/" } else { path }, query))
}

fn is_any(scheme: &str, known: &[&str]) -> bool {
    known.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}
