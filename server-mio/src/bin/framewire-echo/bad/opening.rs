//! Violations in the response to the opening handshake.

use super::{
    case::{Case, Needs, Then},
    head::Head,
};

/// RFC 6455 §4.1 and §4.2.2, and RFC 9112 for the head.
pub(super) static HANDSHAKE: [Case; 20] = [
    Case::opening("status-200", "RFC 6455 §4.1", "the status is 200, with the headers of a 101", |head| {
        head.status("HTTP/1.1 200 OK");
        head.set("Content-Length", "0");
    }),
    Case::opening("http-1.0", "RFC 9110 §7.8", "the response is of HTTP/1.0, which has no upgrade", |head| {
        head.status("HTTP/1.0 101 Switching Protocols");
    }),
    Case::opening("status-line", "RFC 9112 §4", "the status is not a number", |head| {
        head.status("HTTP/1.1 1O1 Switching Protocols");
    }),
    Case::opening("upgrade-missing", "RFC 6455 §4.1", "there is no Upgrade", |head| head.remove("Upgrade")),
    Case::opening("upgrade-wrong", "RFC 6455 §4.1", "Upgrade is not websocket", |head| {
        head.set("Upgrade", "h2c");
    }),
    Case::opening("connection-missing", "RFC 6455 §4.1", "there is no Connection", |head| {
        head.remove("Connection");
    }),
    Case::opening("connection-wrong", "RFC 6455 §4.1", "Connection does not list Upgrade", |head| {
        head.set("Connection", "keep-alive");
    }),
    Case::opening("accept-missing", "RFC 6455 §4.1", "there is no Sec-WebSocket-Accept", |head| {
        head.remove("Sec-WebSocket-Accept");
    }),
    Case::opening("accept-wrong", "RFC 6455 §4.1", "Sec-WebSocket-Accept is that of another key", |head| {
        head.set("Sec-WebSocket-Accept", OTHER_ACCEPT);
    }),
    Case::opening(
        "accept-case",
        "RFC 6455 §4.1",
        "Sec-WebSocket-Accept has letters of the wrong case",
        |head| {
            let swapped =
                |c: char| if c.is_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            let accept: String = head.value("Sec-WebSocket-Accept").chars().map(swapped).collect();
            head.set("Sec-WebSocket-Accept", &accept);
        },
    ),
    Case::opening("accept-cut", "RFC 6455 §4.1", "Sec-WebSocket-Accept lacks its last character", |head| {
        let accept = head.value("Sec-WebSocket-Accept");
        head.set("Sec-WebSocket-Accept", &accept[..accept.len().saturating_sub(1)]);
    }),
    Case::opening(
        "accept-twice",
        "RFC 6455 §11.3.3",
        "there is a second Sec-WebSocket-Accept, a wrong one",
        |head| {
            head.add("Sec-WebSocket-Accept", OTHER_ACCEPT);
        },
    ),
    Case::opening(
        "subprotocol-unasked",
        "RFC 6455 §4.1",
        "the subprotocol is none that the client asked for",
        |head| {
            head.set("Sec-WebSocket-Protocol", "framewire-unasked");
        },
    ),
    Case::opening("subprotocol-twice", "RFC 6455 §11.3.4", "there are two subprotocols", |head| {
        let first = head.subprotocol.clone().unwrap_or_else(|| "framewire-one".into());
        head.set("Sec-WebSocket-Protocol", &first);
        head.add("Sec-WebSocket-Protocol", "framewire-two");
    }),
    Case::opening(
        "extension-unasked",
        "RFC 6455 §4.1",
        "the extension is none that the client offered",
        |head| {
            head.set("Sec-WebSocket-Extensions", "x-framewire-unasked");
        },
    ),
    Case::opening("header-colon", "RFC 9112 §5", "a header has no colon", |head| {
        head.line(b"X-Framewire no colon")
    }),
    Case::opening("header-nul", "RFC 9110 §5.5", "a header's value has a byte 0", |head| {
        head.line(b"X-Framewire: a\0b");
    }),
    Case::opening("header-name", "RFC 9110 §5.6.2", "a header's name is not a token", |head| {
        head.line(b"X Framewire (name): value");
    }),
    Case::opening(
        "head-too-long",
        "RFC 6455 §10.4",
        "the head has 4 MiB: a client SHOULD have a limit",
        |head| {
            let value = "x".repeat(1000);
            for _ in 0..(4 << 20) / 1024 {
                head.add("X-Framewire-Filler", &value);
            }
        },
    ),
    Case::opening("head-cut", "RFC 9112 §8", "the stream ends before the head does", |head| {
        head.ends = false
    })
    .then(Then::End),
];

/// RFC 7692 §7.1: the answer to an offer of permessage-deflate.
pub(super) static DEFLATE_HANDSHAKE: [Case; 9] = [
    Case::opening(
        "deflate-unasked",
        "RFC 7692 §5.1",
        "permessage-deflate, which the client did not offer",
        |head| {
            head.set("Sec-WebSocket-Extensions", "permessage-deflate");
        },
    )
    .needs(Needs::NoDeflate),
    deflate("deflate-twice", "RFC 6455 §9.1", "permessage-deflate is accepted twice", |head| {
        head.add("Sec-WebSocket-Extensions", "permessage-deflate");
    }),
    deflate("deflate-unknown", "RFC 7692 §7.1", "a parameter is unknown", |head| {
        head.set("Sec-WebSocket-Extensions", "permessage-deflate; framewire_unknown");
    }),
    deflate("deflate-repeated", "RFC 7692 §7.1", "a parameter is there twice", |head| {
        head.set(
            "Sec-WebSocket-Extensions",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        );
    }),
    deflate("deflate-value", "RFC 7692 §7.1.1.1", "server_no_context_takeover has a value", |head| {
        head.set("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover=1");
    }),
    deflate("deflate-no-value", "RFC 7692 §7.1.2.2", "client_max_window_bits has no value", |head| {
        head.set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
    }),
    deflate("deflate-bits-7", "RFC 7692 §7.1.2.1", "server_max_window_bits is 7", |head| {
        head.set("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=7");
    }),
    deflate("deflate-bits-16", "RFC 7692 §7.1.2.1", "server_max_window_bits is 16", |head| {
        head.set("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=16");
    }),
    deflate("deflate-bits-zero", "RFC 7692 §7.1.2.1", "server_max_window_bits is 010", |head| {
        head.set("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=010");
    }),
];

/// No client has the key of this.
const OTHER_ACCEPT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";

const fn deflate(name: &'static str, rfc: &'static str, what: &'static str, head: fn(&mut Head)) -> Case {
    Case::opening(name, rfc, what, head).needs(Needs::DEFLATE)
}
