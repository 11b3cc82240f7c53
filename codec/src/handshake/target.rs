//! The target of a request (RFC 9112 §3.2): its characters, its forms, and the parts of a whole URI.

use super::authority::Authority;

/// A target in absolute-form (RFC 9112 §3.2.2): a whole URI.
pub(super) struct AbsoluteForm<'b> {
    scheme: &'b str,
    /// The text between the scheme and the path. Only [`authority`](Self::authority) says whether it is valid.
    pub(super) authority_text: &'b str,
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
        let (authority_text, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Some(Self { scheme, authority_text, path_and_query })
    }

    /// The host, with or without a port. `None`: it is malformed.
    pub(super) fn authority(&self) -> Option<Authority<'b>> {
        Authority::parse(self.authority_text.as_bytes())
    }

    /// Whether the target names the same host and port as `other`: in any case, and with or without the port that is
    /// the scheme's own (RFC 9110 §4.2.3).
    pub(super) fn is_at(&self, other: &Authority<'_>) -> bool {
        self.authority().is_some_and(|own| {
            let port = |authority: &Authority<'_>| authority.port.or_else(|| self.default_port());
            own.host.eq_ignore_ascii_case(other.host) && port(&own) == port(other)
        })
    }

    fn default_port(&self) -> Option<u16> {
        if is_any(self.scheme, &["http", "ws"]) {
            Some(80)
        } else if is_any(self.scheme, &["https", "wss"]) {
            Some(443)
        } else {
            None
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
