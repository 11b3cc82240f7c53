//! A host with its port, as `Host`, a whole URI and the caller of a client name it: the authority of a URI
//! (RFC 3986 §3.2).

use core::net::Ipv6Addr;
use core::str;

/// A host, with or without a port. It has no user information: neither `Host` nor a target may have that
/// (RFC 9110 §4.2.4, §7.2).
pub(super) struct Authority<'b> {
    pub(super) host: &'b str,
    /// `None`: there is no port, or none after the colon.
    pub(super) port: Option<u16>,
}

impl<'b> Authority<'b> {
    /// Reads `host [ ":" port ]` (RFC 3986 §3.2). `None`: it is malformed.
    ///
    /// - The host is not empty (RFC 9110 §4.2.1). It is a name or an IPv4 address, or in brackets an IPv6 address,
    ///   perhaps with a zone (RFC 6874 §2), or an address of a future version of IP, `v1.x` (RFC 3986 §3.2.2).
    /// - The port is a decimal number of 16 bits. It may be left out after its colon (RFC 3986 §3.2.3).
    pub(super) fn parse(value: &'b [u8]) -> Option<Self> {
        let value = str::from_utf8(value).ok()?;
        let host_len = if value.starts_with('[') {
            value.find(']')? + 1
        } else {
            value.find(':').unwrap_or(value.len())
        };
        let (host, rest) = value.split_at_checked(host_len)?;
        let port = match rest {
            "" | ":" => None,
            _ => Some(rest.strip_prefix(':').and_then(number)?),
        };
        is_host(host).then_some(Self { host, port })
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => is_ip_literal(address),
        None => is_made_of(host, b"!$&'()*+,;=%") && has_whole_escapes(host),
    }
}

/// Whether this may be in brackets (RFC 3986 §3.2.2).
fn is_ip_literal(address: &str) -> bool {
    if let Some(future) = address.strip_prefix(['v', 'V']) {
        let is_version =
            |version: &str| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        return future
            .split_once('.')
            .is_some_and(|(version, address)| is_version(version) && is_made_of(address, b"!$&'()*+,;=:"));
    }
    let (address, zone) = match address.split_once("%25") {
        Some((address, zone)) => (address, Some(zone)),
        None => (address, None),
    };
    address.parse::<Ipv6Addr>().is_ok()
        && zone.is_none_or(|zone| is_made_of(zone, b"%") && has_whole_escapes(zone))
}

/// A number of digits alone: `parse` would also take a sign.
fn number(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether there is a byte, and each is unreserved (RFC 3986 §2.3) or one of `more`.
fn is_made_of(text: &str, more: &[u8]) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || more.contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Whether two hexadecimal digits follow each `%` (RFC 3986 §2.1).
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        matches!(after.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}
