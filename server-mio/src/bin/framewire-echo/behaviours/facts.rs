//! What the server tells about a request and a connection, as JSON.

use framewire::handshake::Request;
use serde_json::{Map, json};
use std::{net::SocketAddr, time::Instant};

/// What was received and sent.
#[derive(Debug)]
pub(super) struct Count {
    begun: Instant,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) pings: u64,
    pub(super) pongs: u64,
    pub(super) sent_messages: u64,
    pub(super) sent_pings: u64,
    pub(super) sent_pongs: u64,
    pub(super) pushed: u64,
}

impl Count {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            begun: now,
            messages: 0,
            bytes: 0,
            pings: 0,
            pongs: 0,
            sent_messages: 0,
            sent_pings: 0,
            sent_pongs: 0,
            pushed: 0,
        }
    }

    /// All of it. `written` is the number of bytes that were sent.
    pub(super) fn json(&self, written: u64) -> String {
        json!({
            "received": {
                "messages": self.messages, "bytes": self.bytes, "pings": self.pings, "pongs": self.pongs,
            },
            "sent": {
                "messages": self.sent_messages, "bytes": written, "pings": self.sent_pings,
                "pongs": self.sent_pongs,
            },
            "milliseconds": u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
        .to_string()
    }
}

/// A request, and where it came from.
pub(super) fn of_request(request: &Request<'_, '_>, peer: Option<SocketAddr>) -> String {
    let mut headers = Map::new();
    for field in request.headers().iter() {
        let value = String::from_utf8_lossy(field.value);
        let all = headers.entry(field.name.to_ascii_lowercase()).or_insert_with(|| "".into());
        // Lines with the same name are one list (RFC 9110 §5.2).
        *all = match all.as_str() {
            Some("") | None => value.into(),
            Some(before) => format!("{before}, {value}").into(),
        };
    }
    json!({
        "method": request.method(),
        "target": request.target(),
        "peer": peer.map(|address| address.to_string()),
        "headers": headers,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use framewire::handshake::HeaderSlots;

    #[test]
    fn headers_with_the_same_name_are_one() {
        let head = b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-Y: 1\r\nx-y: \"2\"\r\nZ: \xFF\r\n\r\n";
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head, &mut slots).unwrap();
        let expected = r#"{"headers":{"host":"x","x-y":"1, \"2\"","z":"\ufffd"},"method":"GET","peer":"127.0.0.1:80","target":"/a?b"}"#;
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        let got = of_request(&request, "127.0.0.1:80".parse().ok());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&got).unwrap(), expected);
    }
}
