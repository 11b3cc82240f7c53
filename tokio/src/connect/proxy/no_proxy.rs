//! Servers that are reached without a proxy.

use crate::connect::url::{Place, unbracketed};
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use std::net::IpAddr;

/// The list of `NO_PROXY`.
#[derive(Default)]
pub(super) struct NoProxy(Vec<Entry>);

struct Entry {
    /// `None`: all hosts.
    hosts: Option<Matcher>,
    /// `None`: all ports.
    port: Option<u16>,
}

impl NoProxy {
    /// Commas or white space separate entries, as for curl.
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(entries.filter(|entry| !entry.is_empty()).map(Entry::parse).collect())
    }

    pub(super) fn has(&self, server: &Place) -> bool {
        self.0.iter().any(|entry| entry.has(server))
    }
}

impl Entry {
    fn parse(entry: &str) -> Self {
        let is_address = entry.parse::<IpAddr>().is_ok(); // its last colon begins no port
        let split = entry.rsplit_once(':').filter(|_| !is_address);
        let with_port = split.and_then(|(host, port)| Some((host, Some(port.parse().ok()?))));
        let (host, port) = with_port.unwrap_or((entry, None));
        let host = without_dot(unbracketed(host));
        let hosts = (host != "*").then(|| Matcher::builder().all("http://proxy").no(host).build());
        Self { hosts, port }
    }

    fn has(&self, server: &Place) -> bool {
        self.port.is_none_or(|port| port == server.port)
            && self.hosts.as_ref().is_none_or(|hosts| {
                let uri =
                    Uri::builder().scheme("http").authority(without_dot(&server.host)).path_and_query("/");
                uri.build().is_ok_and(|uri| hosts.intercept(&uri).is_none())
            })
    }
}

/// A name may end with the dot of the root, and means the same.
fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::NoProxy;
    use crate::connect::url::Url;

    fn direct(list: &str, url: &str) -> bool {
        NoProxy::parse(list).has(&Url::parse(url).unwrap().place)
    }

    #[test]
    fn hosts() {
        let list = "example.org, .example.net 10.0.0.0/8,192.0.2.1,::1,[::2],fd00::/8,example.com.";
        for (url, wanted) in [
            ("ws://example.org/", true),
            ("ws://example.org./", true),
            ("wss://a.Example.org:8443/", true),
            ("ws://notexample.org/", false),
            ("ws://example.net/", true),
            ("ws://a.example.net/", true),
            ("ws://example.com/", true),
            ("ws://10.1.2.3/", true),
            ("ws://11.1.2.3/", false),
            ("ws://192.0.2.1:9001/", true),
            ("ws://[::1]:9001/", true),
            ("ws://[::2]/", true),
            ("ws://[::3]/", false),
            ("ws://[fd00::1]/", true),
        ] {
            assert_eq!(direct(list, url), wanted, "{url}");
        }
        for list in ["", ",", " , ", ".", ":", "[", "[]"] {
            assert!(!direct(list, "ws://example.org/") && !direct(list, "ws://[::1]/"), "{list}");
        }
    }

    #[test]
    fn ports() {
        let list =
            "example.org:8080,.example.net:443,10.0.0.0/8:81,192.0.2.1:9001,[::1]:9001,example.com:http";
        for (url, wanted) in [
            ("ws://example.org:8080/", true),
            ("wss://a.example.org:8080/", true),
            ("ws://example.org/", false),
            ("wss://a.example.net/", true),
            ("ws://a.example.net/", false),
            ("ws://10.1.2.3:81/", true),
            ("ws://10.1.2.3/", false),
            ("ws://192.0.2.1:9001/", true),
            ("ws://192.0.2.1:9002/", false),
            ("ws://[::1]:9001/", true),
            ("ws://[::1]/", false),
            ("ws://example.com/", false),
        ] {
            assert_eq!(direct(list, url), wanted, "{url}");
        }
    }

    #[test]
    fn all() {
        for url in ["ws://example.org/", "wss://127.0.0.1/", "ws://[::1]:9001/"] {
            assert!(direct("*", url) && direct("example.net,*", url), "{url}");
            assert_eq!(direct("*:443", url), url.starts_with("wss"), "{url}");
        }
    }
}
