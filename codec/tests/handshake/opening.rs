//! The opening handshake: the example of the RFC, and both roles back to back.

mod heads;
mod requests;
mod responses;
mod writing;

use framewire::extension::{DeflateOffer, DeflatePolicy, DeflateResponse};
use framewire::handshake::{
    BuildError, ClientHandshake, ClientKey, HandshakeError, HeadBuffer, HeadLimits, HeadScanner, HeaderSlots,
    HeaderValue, HttpVersion, Negotiated, PlainResponse, Request, Response, UpgradeResponse, accept_key,
    choose_subprotocol, list_contains,
};
use quickcheck::quickcheck;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request of RFC 6455 §1.2.
const RFC: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The smallest upgrade.
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The smallest 101 to [`KEY`].
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The result of a server for a head: `Ok(true)` an upgrade, `Ok(false)` another request.
fn judge(head: impl AsRef<[u8]>) -> Result<bool, HandshakeError> {
    let mut slots = HeaderSlots::new();
    Ok(Request::parse(head.as_ref(), &mut slots)?.upgrade()?.is_some())
}

/// The result of a client for a head.
fn judge_response(
    handshake: &ClientHandshake<'_>,
    head: &str,
) -> Result<Option<(String, Negotiated<'static>)>, HandshakeError> {
    let mut slots = HeaderSlots::new();
    let response = Response::parse(head.as_bytes(), &mut slots)?;
    let negotiated = handshake.check(&response)?;
    Ok(negotiated.map(|e| {
        (e.subprotocol.unwrap_or_default().to_owned(), Negotiated { subprotocol: None, deflate: e.deflate })
    }))
}

/// Feeds a head and the bytes after it to a buffer, in these pieces. Returns the head, and the offset at which frames
/// begin.
fn collect(limits: HeadLimits, pieces: &[&[u8]]) -> Result<Option<(Vec<u8>, usize)>, HandshakeError> {
    let mut buffer = HeadBuffer::new(limits);
    let mut before = 0;
    for piece in pieces {
        if let Some(head) = buffer.push(piece)? {
            return Ok(Some((head.bytes.to_vec(), before + head.consumed)));
        }
        before += piece.len();
        assert_eq!(buffer.len(), before);
    }
    Ok(None)
}

fn handshake() -> ClientHandshake<'static> {
    ClientHandshake::new("a", "/", ClientKey::new(*b"the sample nonce"))
}

#[test]
fn example_of_the_rfc() {
    let mut slots = HeaderSlots::new();
    let request = Request::parse(RFC.as_bytes(), &mut slots).unwrap();
    let upgrade = request.upgrade().unwrap().unwrap();
    assert_eq!(*upgrade.key(), *KEY);
    assert_eq!(*upgrade.key().accept(), *ACCEPT);
    assert_eq!(*accept_key(KEY), *ACCEPT);
    assert_eq!(upgrade.origin(), Some("http://example.com"));
    assert_eq!(upgrade.host(), Some("server.example.com"));
    assert_eq!((upgrade.method(), upgrade.target(), upgrade.path()), ("GET", "/chat", "/chat"));
    assert_eq!(upgrade.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    assert_eq!(upgrade.choose_subprotocol(&["superchat", "chat"]), Some("chat"), "the client's order");
    assert_eq!(upgrade.head_len(), RFC.len());

    let response = upgrade.accept().subprotocol(Some("chat")).to_vec().unwrap();
    let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(String::from_utf8(response).unwrap(), expected);
    assert_eq!(ClientKey::new(*b"the sample nonce").to_string(), KEY);
}

#[test]
fn client_and_server_back_to_back() {
    let offers = [
        DeflateOffer { server_max_window_bits: Some(8), ..DeflateOffer::default() },
        DeflateOffer {
            server_no_context_takeover: true,
            client_max_window_bits: Some(15),
            ..DeflateOffer::default()
        },
    ];
    let handshake = ClientHandshake::new("[2001:db8::1]:9001", "/chat?room=%C3%A4", ClientKey::new([7; 16]))
        .origin(Some("https://example.com"))
        .subprotocols(&["v2.chat", "v1.chat"])
        .deflate(&offers)
        .extra_headers(&[("Cookie", "a=b"), ("Authorization", "Basic eDp5")]);
    let request_bytes = handshake.to_vec().unwrap();

    let mut slots = HeaderSlots::new();
    let request = Request::parse(&request_bytes, &mut slots).unwrap();
    let upgrade = request.upgrade().unwrap().unwrap();
    assert_eq!((upgrade.path(), upgrade.query()), ("/chat", Some("room=%C3%A4")));
    assert_eq!(upgrade.host(), Some("[2001:db8::1]:9001"));
    assert_eq!(upgrade.origin(), Some("https://example.com"));
    assert_eq!(upgrade.headers().get("cookie"), Some(&b"a=b"[..]));
    let policy = DeflatePolicy {
        client_max_window_bits: 11,
        client_no_context_takeover: true,
        ..DeflatePolicy::default()
    };
    let deflate = upgrade.deflate(&policy).unwrap();
    let response =
        upgrade.accept().subprotocol(upgrade.choose_subprotocol(&["v1.chat"])).deflate(Some(deflate));
    let mut response_bytes = response.extra_headers(&[("Set-Cookie", "c=d")]).to_vec().unwrap();
    response_bytes.extend_from_slice(b"\x81\x02hi");

    let mut slots = HeaderSlots::new();
    let response = Response::parse(&response_bytes, &mut slots).unwrap();
    let negotiated = handshake.check(&response).unwrap().unwrap();
    assert_eq!(negotiated.subprotocol, Some("v1.chat"));
    assert_eq!(negotiated.deflate, Some(deflate.params()), "both sides hold the same");
    assert_eq!(deflate.params().client_max_window_bits, 11);
    assert_eq!(&response_bytes[response.head_len()..], b"\x81\x02hi");
}
