//! Responses that a client gets: each rule, and the choices of a server.

use super::*;

#[test]
fn rules_of_a_response() {
    use HandshakeError::*;
    assert!(judge_response(&handshake(), SWITCHED).unwrap().is_some());
    let cases = [
        ("HTTP/1.1 101", "HTTP/1.0 101", InvalidUpgradeResponse),
        ("HTTP/1.1 101", "HTTP/2 101", InvalidStatusLine),
        ("HTTP/1.1 101", "HTTP/1.1 1O1", InvalidStatusLine),
        ("HTTP/1.1 101", "HTTP/1.1 099", InvalidStatusLine),
        ("HTTP/1.1 101", "\u{7f}HTTP/1.1 101", InvalidStatusLine),
        ("Upgrade: websocket\r\n", "", InvalidUpgradeResponse),
        ("Upgrade: websocket", "Upgrade: h2c", InvalidUpgradeResponse),
        ("Upgrade: websocket", "Upgrade: websocket, h2c", InvalidUpgradeResponse),
        ("Connection: Upgrade\r\n", "", InvalidUpgradeResponse),
        ("Connection: Upgrade", "Connection: close", InvalidUpgradeResponse),
        ("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "", InvalidAccept),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", InvalidAccept),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", InvalidAccept),
        ("\r\n\r\n", "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", InvalidAccept),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n", UnexpectedSubprotocol),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol:\r\n\r\n", UnexpectedSubprotocol),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", UnexpectedExtension),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: mux\r\n\r\n", UnexpectedExtension),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: \u{e4}\r\n\r\n", UnexpectedExtension),
        ("Upgrade: websocket", "Upgrade: websocket\r\n folded", FoldedHeader),
        ("Upgrade: websocket", "Upgrade : websocket", InvalidHeader),
    ];
    for (sound, broken, error) in cases {
        assert!(SWITCHED.contains(sound), "{sound:?}");
        let head = SWITCHED.replacen(sound, broken, 1);
        assert_eq!(judge_response(&handshake(), &head), Err(error), "{head:?}");
        assert!(matches!(error.status(), 400 | 502), "{error:?}");
    }
    let same = [
        ("Switching Protocols", "Web Socket Protocol Handshake"),
        (" Switching Protocols", ""),
        ("Upgrade: websocket", "upgrade:WebSocket"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nconnection: upgrade"),
        ("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
    ];
    for (usual, unusual) in same {
        let head = SWITCHED.replacen(usual, unusual, 1);
        assert!(judge_response(&handshake(), &head).unwrap().is_some(), "{head:?}");
    }
}

#[test]
fn choices_of_a_server() {
    use HandshakeError::{UnexpectedExtension, UnexpectedSubprotocol};
    let offers = [DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() }];
    let handshake = handshake().subprotocols(&["chat", "mqtt"]).deflate(&offers);
    let cases = [
        ("Sec-WebSocket-Protocol: mqtt", Ok(("mqtt", None))),
        ("Sec-WebSocket-Protocol: Chat", Err(UnexpectedSubprotocol)),
        ("Sec-WebSocket-Protocol: chat, mqtt", Err(UnexpectedSubprotocol)),
        ("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat", Err(UnexpectedSubprotocol)),
        ("Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat", Err(UnexpectedSubprotocol)),
        ("sec-websocket-protocol:  chat ", Ok(("chat", None))),
        ("Sec-WebSocket-Protocol: \u{e4}", Err(UnexpectedSubprotocol)),
        ("Sec-WebSocket-Extensions: \u{e4}", Err(UnexpectedExtension)),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"10\"", Ok(("", Some(10)))),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", Err(UnexpectedExtension)),
        ("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate", Err(UnexpectedExtension)),
        (
            "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: mux",
            Err(UnexpectedExtension),
        ),
        ("X: y", Ok(("", None))),
    ];
    for (header, expected) in cases {
        let head = SWITCHED.replacen("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"), 1);
        let got = judge_response(&handshake, &head).map(Option::unwrap);
        let got = got.as_ref().map(|(name, e)| (name.as_str(), e.deflate.map(|p| p.client_max_window_bits)));
        assert_eq!(got, expected.as_ref().copied(), "{header:?}");

        // The same for a response over HTTP/2, which has only these headers.
        let headers = header.split("\r\n").filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name, value.as_bytes()));
        let alone = Negotiated::from_headers(headers, &["chat", "mqtt"], &offers);
        let alone = alone.map(|e| {
            (e.subprotocol.unwrap_or_default(), e.deflate.map(|params| params.client_max_window_bits))
        });
        assert_eq!(alone, expected, "{header:?}");
    }
}

#[test]
fn other_statuses_are_returned() {
    let cases = [
        ("HTTP/1.1 301 Moved Permanently\r\nLocation: wss://b/\r\n\r\n", 301, "Moved Permanently", ""),
        ("HTTP/1.1 401 \r\nWWW-Authenticate: Basic\r\n\r\nno", 401, "", "no"),
        ("HTTP/1.0 503\r\n\r\nbusy", 503, "", "busy"),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101", 103, "Early Hints", "HTTP/1.1 101"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 200, "OK", "0\r\n"),
    ];
    for (received, status, reason, body) in cases {
        let mut slots = HeaderSlots::new();
        let response = Response::parse(received.as_bytes(), &mut slots).unwrap();
        assert_eq!((response.status(), response.reason()), (status, reason));
        assert_eq!(&received[response.head_len()..], body);
        assert_eq!(handshake().check(&response), Ok(None));
    }
}
