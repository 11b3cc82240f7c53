//! The opening handshake: each rule with its error and status, every cut of a head, the limits at their exact boundary,
//! the heads that real programs send, and both roles back to back.

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

/// Each rule of RFC 6455 §4.2.1 and of HTTP/1.1, broken by one change to a valid upgrade.
#[test]
fn rules_of_a_request() {
    use HandshakeError::*;
    assert_eq!(judge(UPGRADE), Ok(true));
    let cases = [
        // The first line.
        ("GET / HTTP/1.1", "GET / HTTP/2.0", UnsupportedHttpVersion, 505),
        ("GET / HTTP/1.1", "GET / HTTP/1.2", UnsupportedHttpVersion, 505),
        ("GET / HTTP/1.1", "GET / HTTP/1.1 ", InvalidLineEnding, 400),
        ("GET / HTTP/1.1", "GET / http/1.1", InvalidRequestLine, 400),
        ("GET / HTTP/1.1", "GET /", InvalidRequestLine, 400),
        ("GET / HTTP/1.1", "GET  / HTTP/1.1", InvalidRequestLine, 400),
        ("GET / HTTP/1.1", "GET /a b HTTP/1.1", InvalidRequestLine, 400),
        ("GET / HTTP/1.1", "G(T / HTTP/1.1", InvalidRequestLine, 400),
        ("GET / HTTP/1.1", " GET / HTTP/1.1", InvalidRequestLine, 400),
        ("GET / HTTP/1.1", "POST / HTTP/1.1", MethodNotAllowed, 405),
        ("GET / HTTP/1.1", "get / HTTP/1.1", MethodNotAllowed, 405),
        ("GET / HTTP/1.1", "HEAD / HTTP/1.1", MethodNotAllowed, 405),
        ("GET / HTTP/1.1", "GET * HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET a:80 HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET ftp://a/ HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET /#top HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET /\" HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET /?a=<b HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET /?a=b> HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET /\u{e4} HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET /?\u{1f980} HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET http:/// HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET http://b@a/ HTTP/1.1", InvalidTarget, 400),
        ("GET / HTTP/1.1", "GET http://:80/x HTTP/1.1", InvalidTarget, 400),
        // A whole URI, and the host that it names.
        ("GET / HTTP/1.1", "GET http://b/ HTTP/1.1", HostMismatch, 400),
        ("GET / HTTP/1.1", "GET http://a.b/ HTTP/1.1", HostMismatch, 400),
        ("GET / HTTP/1.1", "GET http://a:81/ HTTP/1.1", HostMismatch, 400),
        ("GET / HTTP/1.1", "GET https://a:80/ HTTP/1.1", HostMismatch, 400),
        // Host.
        ("Host: a\r\n", "", InvalidHost, 400),
        ("Host: a", "Host: a\r\nHost: a", InvalidHost, 400),
        ("Host: a", "Host:", InvalidHost, 400),
        ("Host: a", "Host: a b", InvalidHost, 400),
        ("Host: a", "Host: a/b", InvalidHost, 400),
        ("Host: a", "Host: b@a", InvalidHost, 400),
        ("Host: a", "Host: \u{e4}", InvalidHost, 400),
        ("Host: a", "Host: :80", InvalidHost, 400),
        // Upgrade without Connection.
        ("Connection: Upgrade\r\n", "", MissingConnectionUpgrade, 400),
        ("Connection: Upgrade", "Connection: keep-alive, Upgraded", MissingConnectionUpgrade, 400),
        // The version.
        ("Version: 13\r\n", "Version: 8\r\n", UnsupportedVersion, 426),
        ("Version: 13\r\n", "Version: 013\r\n", UnsupportedVersion, 426),
        ("Version: 13\r\n", "Version: 13, 8\r\n", UnsupportedVersion, 426),
        ("Sec-WebSocket-Version: 13\r\n", "", UnsupportedVersion, 426),
        ("Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Version: 13\r\n", UnsupportedVersion, 426),
        // The key.
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", InvalidKey, 400),
        ("Host: a", "Host: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", InvalidKey, 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "", InvalidKey, 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", InvalidKey, 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "SGVsbG8sIHdvcmxkIQ==", InvalidKey, 400), // 13 bytes
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSE=", InvalidKey, 400), // 17 bytes
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSEh", InvalidKey, 400), // 18 bytes
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhl_HNhbXBsZSBub25jZQ==", InvalidKey, 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==, dGhl", InvalidKey, 400),
        // A body.
        ("Host: a", "Host: a\r\nContent-Length: 1", UnexpectedBody, 400),
        ("Host: a", "Host: a\r\nContent-Length: 0\r\nContent-Length: 1", UnexpectedBody, 400),
        ("Host: a", "Host: a\r\nContent-Length: +0", UnexpectedBody, 400),
        ("Host: a", "Host: a\r\nContent-Length: 0, 5", UnexpectedBody, 400),
        ("Host: a", "Host: a\r\nTransfer-Encoding: chunked", UnexpectedBody, 400),
        // Lists.
        ("Host: a", "Host: a\r\nSec-WebSocket-Protocol: a b", InvalidSubprotocols, 400),
        (
            "Host: a",
            "Host: a\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: \"x\"",
            InvalidSubprotocols,
            400,
        ),
        ("Host: a", "Host: a\r\nSec-WebSocket-Protocol: \u{e4}", InvalidSubprotocols, 400),
        ("Host: a", "Host: a\r\nSec-WebSocket-Extensions: a;", InvalidExtensions, 400),
        (
            "Host: a",
            "Host: a\r\nSec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b=c",
            InvalidExtensions,
            400,
        ),
        ("Host: a", "Host: a\r\nSec-WebSocket-Extensions: a; b=\"c", InvalidExtensions, 400),
        ("Host: a", "Host: a\r\nOrigin: http://a\r\nOrigin: http://b", InvalidOrigin, 400),
        // Heads that two parsers could read in two ways.
        ("Host: a\r\n", "Host: a\n", InvalidLineEnding, 400),
        ("Host: a\r\n", "Host: a\r\nX: y\n\r\n", InvalidLineEnding, 400),
        ("Host: a\r\n", "Host: a\r\n\n", InvalidLineEnding, 400),
        ("Host: a\r\n", "Host: a\r\n folded\r\n", FoldedHeader, 400),
        ("Host: a\r\n", "Host: a\r\n\tfolded\r\n", FoldedHeader, 400),
        ("GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n X: y\r\n", FoldedHeader, 400),
        ("Host: a", "Host : a", InvalidHeader, 400),
        ("Host: a", "Host: a\r\nX\t: y", InvalidHeader, 400),
        ("Host: a", "Host: a\r\n: y", InvalidHeader, 400),
        ("Host: a", "Host: a\r\nno colon", InvalidHeader, 400),
        ("Host: a", "Host: a\r\nX\u{e4}: y", InvalidHeader, 400),
        ("Host: a", "Host: a\r\nX: y\0z", InvalidHeader, 400),
        ("Host: a", "Host: a\r\nX: y\rHost: b", InvalidHeader, 400),
        ("Host: a", "Host: a\r\nX: \x0b", InvalidHeader, 400),
        ("Host: a", "Host: a\r\nX: \x7f", InvalidHeader, 400),
    ];
    for (sound, broken, error, status) in cases {
        assert!(UPGRADE.contains(sound), "{sound:?}");
        let head = UPGRADE.replacen(sound, broken, 1);
        assert_eq!(judge(&head), Err(error), "{head:?}");
        assert_eq!(error.status(), status, "{error:?}");
    }
    assert_eq!(judge(&UPGRADE[..UPGRADE.len() - 1]), Err(Incomplete));
    assert_eq!(judge(""), Err(Incomplete));
}

/// Heads that differ and mean the same.
#[test]
fn variants_of_an_upgrade() {
    let cases = [
        ("Host: a", "host:a"),
        ("Host: a", "HOST:  \t a \t "),
        ("Host: a", "Host: [::1]:9001"),
        ("Upgrade: websocket", "upgrade: WebSocket"),
        ("Upgrade: websocket", "Upgrade: h2c, websocket"),
        ("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: ,websocket,"),
        ("Connection: Upgrade", "connection:keep-alive,UPGRADE"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: , ,upgrade ,"),
        ("Connection: Upgrade", "Connection:\tkeep-alive\t,\tUpgrade\t"),
        ("Host: a", "Host: a\r\nContent-Length: 0"),
        ("Host: a", "Host: a\r\nX:"),
        ("Host: a", "Host: a\r\nX: \u{e4}"),
        ("Host: a", "Host: a\r\nSec-WebSocket-Protocol:"),
        ("Host: a", "Host: a\r\nSec-WebSocket-Extensions: ,"),
        ("Host: a", "Host: a\r\nOrigin: null"),
        ("GET / ", "GET http://a/ "),
        ("GET / ", "GET HTTP://A:80/ "),
        ("GET / ", "GET https://a:443 "),
        ("GET / ", "GET wss://a:?b "),
        ("GET / ", "GET /a%C3%A4/?http://b/ "),
        ("GET / ", "GET /?a={\\|`^} "), // as browsers send them
        ("GET / ", "\r\n\r\nGET / "),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==  "), // bits that decode to nothing
    ];
    for (usual, unusual) in cases {
        assert!(UPGRADE.contains(usual), "{usual:?}");
        let head = UPGRADE.replacen(usual, unusual, 1);
        assert_eq!(judge(&head), Ok(true), "{head:?}");
    }
}

/// RFC 9112 §3.2.2: the host is that of the target, and a `Host` that names another is refused.
#[test]
fn host_of_a_request() {
    use HandshakeError::{HostMismatch, InvalidHost, InvalidTarget};
    let cases = [
        ("/", "1.1", Some("A:80"), Ok(Some("A:80"))),
        ("/", "1.0", None, Ok(None)),
        ("/", "1.1", None, Err(InvalidHost)),
        ("//b/", "1.1", Some("a"), Ok(Some("a"))), // a path
        ("*", "1.1", Some("a"), Ok(Some("a"))),
        ("http://a", "1.1", Some("a"), Ok(Some("a"))),
        ("http://A:80/x", "1.1", Some("a"), Ok(Some("A:80"))),
        ("http://a/x", "1.1", Some("A:80"), Ok(Some("a"))),
        ("http://a:080/", "1.1", Some("a:80"), Ok(Some("a:080"))), // the same number
        ("http://a/", "1.1", Some("a:00080"), Ok(Some("a"))),
        ("http://a:/", "1.1", Some("a:80"), Ok(Some("a:"))),
        ("ws://a:8080?x", "1.1", Some("a:8080"), Ok(Some("a:8080"))),
        ("wss://[::1]/", "1.1", Some("[::1]:443"), Ok(Some("[::1]"))),
        ("http://[::1]:80/", "1.1", Some("[::1]"), Ok(Some("[::1]:80"))),
        ("ftp://a/", "1.1", Some("a"), Ok(Some("a"))),
        ("http://a/", "1.0", None, Ok(Some("a"))),
        ("http://a/", "1.1", None, Err(InvalidHost)),
        ("http://a/", "1.0", Some("b"), Err(HostMismatch)),
        ("http://a/", "1.1", Some("b"), Err(HostMismatch)),
        ("http://a/", "1.1", Some("a:443"), Err(HostMismatch)),
        ("https://a/", "1.1", Some("a:80"), Err(HostMismatch)),
        ("http://[::1]/", "1.1", Some("[::2]"), Err(HostMismatch)),
        ("http://[::1]/", "1.1", Some("[::1]:1"), Err(HostMismatch)),
        ("http://a:0/", "1.1", Some("a"), Err(HostMismatch)),
        ("ftp://b/", "1.1", Some("a"), Err(HostMismatch)),
        ("ftp://a:80/", "1.1", Some("a"), Err(HostMismatch)),
        ("http://?a", "1.1", Some("a"), Err(InvalidTarget)),
        ("http://a:b@a/", "1.1", Some("a"), Err(InvalidTarget)),
        ("http://a\u{e4}/", "1.0", None, Err(InvalidTarget)),
    ];
    for (target, version, host, expected) in cases {
        let host = host.map(|host| format!("Host: {host}\r\n")).unwrap_or_default();
        let head = format!("GET {target} HTTP/{version}\r\n{host}\r\n");
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head.as_bytes(), &mut slots);
        assert_eq!(request.map(|request| request.host()), expected, "{head:?}");
    }
    let mut slots = HeaderSlots::new();
    let headers = [("host", &b"a"[..])];
    let parts = |target| Request::from_parts("GET", target, HttpVersion::Http11, headers, &mut slots).err();
    assert_eq!(
        ["http://b/", "/\u{e4}", ""].map(parts),
        [Some(HostMismatch), Some(InvalidTarget), Some(InvalidTarget)]
    );
}

#[test]
fn requests_that_are_no_upgrade() {
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/", None),
        ("GET /healthz?full HTTP/1.1\r\nHost: a\r\n\r\n", "/healthz", Some("full")),
        ("GET /healthz HTTP/1.0\r\n\r\n", "/healthz", None),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", None),
        ("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "/x", None),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
            "/",
            None,
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websockets\r\nConnection: Upgrade\r\n\r\n", "/", None),
        // RFC 9110 §7.8: `Upgrade` of HTTP/1.0 is ignored, sound or not.
        (&UPGRADE.replace("HTTP/1.1", "HTTP/1.0"), "/", None),
        (&UPGRADE.replace("HTTP/1.1", "HTTP/1.0").replace("Connection: Upgrade\r\n", ""), "/", None),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "/", None),
        ("GET HTTPS://a?x=/ HTTP/1.1\r\nHost: a\r\n\r\n", "/", Some("x=/")),
        ("GET http://a/b?c?d HTTP/1.1\r\nHost: a\r\n\r\n", "/b", Some("c?d")),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "a:80", None),
    ];
    for (head, path, query) in cases {
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head.as_bytes(), &mut slots).unwrap();
        assert!(request.upgrade().unwrap().is_none(), "{head:?}");
        assert_eq!((request.path(), request.query()), (path, query), "{head:?}");
        assert_eq!(request.has_body(), request.method() == "POST");
        assert_eq!(request.version() == HttpVersion::Http10, head.contains("HTTP/1.0"));
    }
}

/// Heads exactly as real programs send them.
#[test]
fn real_heads() {
    let offer = "permessage-deflate; client_max_window_bits";
    let heads = [
        (
            "Chrome",
            "GET /chat HTTP/1.1\r\nHost: localhost:9001\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
          Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
          Chrome/142.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://localhost:9001\r\n\
          Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\
          Cookie: a=b; c=\"d\"\r\nSec-WebSocket-Key: kGZrQ1ou4fK3YaVaRoyKRg==\r\n\
          Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
            Some(offer),
            Some("http://localhost:9001"),
        ),
        (
            "Firefox",
            "GET / HTTP/1.1\r\nHost: localhost:9001\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) \
          Gecko/20100101 Firefox/145.0\r\nAccept: */*\r\nAccept-Language: en-US,en;q=0.5\r\n\
          Accept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Version: 13\r\nOrigin: null\r\n\
          Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: OlaxCv3rVfFiPH5gYW1WRw==\r\nDNT: 1\r\n\
          Connection: keep-alive, Upgrade\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\n\
          Sec-Fetch-Site: same-origin\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n",
            Some("permessage-deflate"),
            Some("null"),
        ),
        (
            "Safari",
            "GET / HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: 4R3ZDtX6rFFT1gnEWa2XZQ==\r\n\
          Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
          Sec-Fetch-Mode: websocket\r\nOrigin: https://example.com\r\nHost: example.com\r\nPragma: no-cache\r\n\
          User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
          Version/18.5 Safari/605.1.15\r\nCache-Control: no-cache\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
            Some("permessage-deflate"),
            Some("https://example.com"),
        ),
        (
            "curl",
            "GET / HTTP/1.1\r\nHost: localhost:9001\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\
          Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bHkfFY+C4fTZ9T6dqNjNOw==\r\n\
          Connection: Upgrade\r\n\r\n",
            None,
            None,
        ),
        (
            "Node ws",
            "GET / HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZsYlGtnz3n9jmqHEcY8oYA==\r\n\
          Connection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nHost: 127.0.0.1:9001\r\n\r\n",
            Some(offer),
            None,
        ),
        (
            "Node undici",
            "GET / HTTP/1.1\r\nhost: 127.0.0.1:9001\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
          sec-websocket-key: 3C0aGCVRWGGYfqFCNKCtRg==\r\nsec-websocket-version: 13\r\n\
          sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\naccept: */*\r\n\
          accept-language: *\r\nsec-fetch-mode: websocket\r\nuser-agent: node\r\npragma: no-cache\r\n\
          cache-control: no-cache\r\naccept-encoding: gzip, deflate\r\n\r\n",
            Some(offer),
            None,
        ),
        (
            "Python websockets",
            "GET / HTTP/1.1\r\nHost: localhost:9001\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: J2a9XfQ6wD8Jhg2OZ6pqYw==\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
          User-Agent: Python/3.13 websockets/15.0.1\r\n\r\n",
            Some(offer),
            None,
        ),
        (
            "Python websocket-client",
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: 127.0.0.1:9001\r\n\
          Origin: http://127.0.0.1:9001\r\nSec-WebSocket-Key: c7oXuH6FcpmYkQ2cqmrr0Q==\r\n\
          Sec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n\r\n",
            None,
            Some("http://127.0.0.1:9001"),
        ),
        (
            "Go gorilla",
            "GET /echo HTTP/1.1\r\nHost: localhost:9001\r\nUser-Agent: Go-http-client/1.1\r\n\
          Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
          client_no_context_takeover\r\nSec-WebSocket-Key: hj0eNqbhE/A0GkBXDRrYYw==\r\nSec-WebSocket-Version: 13\r\n\
          Upgrade: websocket\r\n\r\n",
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
            None,
        ),
        (
            "nginx in front",
            "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nHost: backend\r\n\
          X-Forwarded-For: 203.0.113.7\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n",
            None,
            None,
        ),
    ];
    for (program, head, offer, origin) in heads {
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head.as_bytes(), &mut slots).unwrap();
        let upgrade = request.upgrade().unwrap().expect(program);
        assert_eq!(upgrade.origin(), origin, "{program}");
        let offered = upgrade.extensions().next().map(|e| DeflateOffer::parse(&e).unwrap().to_string());
        assert_eq!(offered.as_deref(), offer, "{program}");
        assert_eq!(upgrade.deflate(&DeflatePolicy::default()).is_some(), offer.is_some(), "{program}");
        let response = upgrade.accept().deflate(upgrade.deflate(&DeflatePolicy::default())).to_vec().unwrap();
        assert!(Response::parse(&response, &mut HeaderSlots::new()).is_ok(), "{program}");
    }
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

#[test]
fn every_cut() {
    for lead in ["", "\r\n"] {
        let head = format!("{lead}{RFC}");
        let bytes = [head.as_bytes(), b"\x81\x85frame\n\r\n\r\n"].concat();
        let expected = Ok(Some((head.clone().into_bytes(), head.len())));
        assert_eq!(collect(HeadLimits::default(), &[&bytes]), expected);
        assert_eq!(collect(HeadLimits::default(), &bytes.chunks(1).collect::<Vec<_>>()), expected);
        for first in 0..=head.len() {
            let (a, b) = bytes.split_at(first);
            assert_eq!(collect(HeadLimits::default(), &[a, b]), expected, "{first}");
            assert_eq!(collect(HeadLimits::default(), &[a, b"", b]), expected, "{first}");
        }
        for size in 2..40 {
            assert_eq!(
                collect(HeadLimits::default(), &bytes.chunks(size).collect::<Vec<_>>()),
                expected,
                "{size}"
            );
        }
    }
}

/// A whole head is lent from the input; one that is cut takes memory up to the limit.
#[test]
fn memory_of_a_head() {
    let mut buffer = HeadBuffer::new(HeadLimits::default());
    let head = buffer.push(RFC.as_bytes()).unwrap().unwrap();
    assert_eq!(head.bytes.as_ptr(), RFC.as_ptr());
    assert!(buffer.is_empty());

    // The next bytes begin another head: a client may get a 1xx before its 101.
    assert_eq!(buffer.push(b"HTTP/1.1 103 Early Hints\r\n\r"), Ok(None));
    let received = [b"\n", SWITCHED.as_bytes()].concat();
    let interim = buffer.push(&received).unwrap().unwrap();
    assert_eq!((interim.bytes, interim.consumed), (&b"HTTP/1.1 103 Early Hints\r\n\r\n"[..], 1));
    assert!(buffer.is_empty());
    assert_eq!(buffer.push(&received[1..]).unwrap().unwrap().bytes, SWITCHED.as_bytes());
}

/// Each byte is read once: the scanner keeps no bytes, and gets none of them again.
#[test]
fn cost_is_linear() {
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(7000));
    let mut scanner = HeadScanner::new(HeadLimits::default());
    let mut fed = 0;
    for byte in head.as_bytes().chunks(1) {
        assert_eq!(scanner.head_len(), fed);
        let end = scanner.feed(byte).unwrap();
        fed += 1;
        assert_eq!(end, (fed == head.len()).then_some(1));
    }
    assert_eq!((fed, scanner.head_len()), (head.len(), head.len()));
    assert_eq!(scanner.feed(b"frames"), Ok(Some(0)));
    assert_eq!(scanner.head_len(), head.len());
}

#[test]
fn limits_at_their_boundary() {
    use HandshakeError::{HeadTooLong, TooManyHeaders};
    let len = RFC.len();
    let headers = RFC.matches("\r\n").count() - 2;
    let cases = [
        (HeadLimits { head_bytes: len, headers }, Ok(true)),
        (HeadLimits { head_bytes: len - 1, headers }, Err(HeadTooLong)),
        (HeadLimits { head_bytes: len, headers: headers - 1 }, Err(TooManyHeaders)),
        (HeadLimits { head_bytes: 0, headers: 0 }, Err(HeadTooLong)),
    ];
    for (limits, expected) in cases {
        for size in [1, 2, 7, len, len + 9] {
            let bytes = [RFC.as_bytes(), b"behind it"].concat();
            let got = collect(limits, &bytes.chunks(size).collect::<Vec<_>>());
            assert_eq!(got.map(|head| head.is_some()), expected, "{limits:?} {size}");
        }
    }
    assert_eq!((HeadTooLong.status(), TooManyHeaders.status()), (431, 431));

    // The error comes with the byte that fills the limit, and stays.
    let mut buffer = HeadBuffer::new(HeadLimits { head_bytes: 100, headers: 1 });
    assert_eq!(buffer.push(&[b'x'; 99]), Ok(None));
    assert_eq!(buffer.push(b"x"), Err(HeadTooLong));
    assert_eq!(buffer.push(b"\r\n\r\n"), Err(HeadTooLong));
    assert_eq!(buffer.len(), 99);

    // As many slots as headers.
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    assert!(Request::parse(head.as_bytes(), &mut HeaderSlots::<2>::with_slots()).is_ok());
    let few = Request::parse(head.as_bytes(), &mut HeaderSlots::<1>::with_slots()).err();
    assert_eq!(few, Some(TooManyHeaders));
}

/// A peer that does not speak HTTP is refused at its first bytes.
#[test]
fn other_protocols_are_refused_at_once() {
    use HandshakeError::*;
    let cases: [(&[u8], HandshakeError); 5] = [
        (b"\x16\x03\x01\x02\x00\x01", InvalidRequestLine), // TLS
        (b"\x81\x85", InvalidRequestLine),                 // frames without a handshake
        (b"\0", InvalidRequestLine),
        (b"GET / HTTP/1.1\n", InvalidLineEnding),
        (b"GET / HTTP/1.1\r\n ", FoldedHeader),
    ];
    for (bytes, error) in cases {
        assert_eq!(HeadBuffer::new(HeadLimits::default()).push(bytes), Err(error), "{bytes:?}");
    }
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(judge(preface), Err(UnsupportedHttpVersion));
}

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

/// A request or response that an HTTP stack has parsed passes the same checks.
#[test]
fn parsed_requests_are_checked_like_heads() {
    for head in
        [RFC, UPGRADE, &UPGRADE.replace("13", "8"), &UPGRADE.replace("Host", "X"), &RFC.replace("GET", "PUT")]
    {
        let mut slots = HeaderSlots::new();
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let headers = lines.map(|(name, value)| (name, value.as_bytes()));
        let (method, _) = head.split_once(' ').unwrap();
        let request = Request::from_parts(method, "/", HttpVersion::Http11, headers, &mut slots);
        let upgrade = request.and_then(|request| Ok(request.upgrade()?.is_some()));
        assert_eq!(upgrade, judge(head), "{head}");
    }
    let mut slots = HeaderSlots::<1>::with_slots();
    let headers: [(&str, &[u8]); 2] = [("host", b"a"), ("x", b"y")];
    let few = Request::from_parts("GET", "/", HttpVersion::Http11, headers, &mut slots);
    assert_eq!(few.err(), Some(HandshakeError::TooManyHeaders));

    let mut slots = HeaderSlots::new();
    let lines = SWITCHED.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = lines.map(|(name, value)| (name, value.as_bytes()));
    let response = Response::from_parts(101, HttpVersion::Http11, headers, &mut slots).unwrap();
    assert!(handshake().check(&response).unwrap().is_some());

    assert!(list_contains([&b"a, B"[..]], "b"));
    assert!(!list_contains([&b"a b"[..]], "b"));
    assert_eq!(choose_subprotocol([&b"a b"[..]], &["b"]), Err(HandshakeError::InvalidSubprotocols));
}

/// The headers for a host with an HTTP stack are those that are written, in both directions and for every response.
#[test]
fn headers_are_those_that_are_written() {
    type Collected = Vec<(String, String)>;
    fn collect<'a>(headers: impl Iterator<Item = (&'a str, HeaderValue<'a>)>) -> Collected {
        headers
            .map(|(name, value)| {
                let text = value.to_string();
                assert!(value.as_str().is_none_or(|same| same == text), "{name}");
                (name.to_owned(), text)
            })
            .collect()
    }
    fn written(head: &[u8]) -> Collected {
        let head = core::str::from_utf8(head).unwrap();
        let (head, _body) = head.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").skip(1).map(|line| line.split_once(": ").unwrap());
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
    fn lent(headers: &Collected) -> impl Iterator<Item = (&str, &[u8])> {
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    let offers = [
        DeflateOffer { server_max_window_bits: Some(8), ..DeflateOffer::default() },
        DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() },
    ];
    let plain = handshake();
    assert_eq!(collect(plain.headers().unwrap()), written(&plain.to_vec().unwrap()));
    let handshake = plain
        .origin(Some("https://example.com"))
        .subprotocols(&["v2.chat", "v1.chat"])
        .deflate(&offers)
        .extra_headers(&[("Cookie", "a=b"), ("Cookie", "")]);
    let sent = collect(handshake.headers().unwrap());
    assert_eq!(sent, written(&handshake.to_vec().unwrap()));
    let value = |name| &sent.iter().find(|(found, _)| found == name).unwrap().1;
    assert_eq!(value("Host"), "a");
    assert_eq!(value("Sec-WebSocket-Protocol"), "v2.chat, v1.chat");
    assert_eq!(
        value("Sec-WebSocket-Extensions"),
        "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits"
    );

    let mut slots = HeaderSlots::new();
    let request = Request::from_parts("GET", "/", HttpVersion::Http11, lent(&sent), &mut slots).unwrap();
    let upgrade = request.upgrade().unwrap().unwrap();
    let deflate = upgrade.deflate(&DeflatePolicy { client_max_window_bits: 12, ..DeflatePolicy::default() });
    assert!(deflate.is_some());
    let cookie = [("Set-Cookie", "c=d")];
    let response = upgrade.accept().subprotocol(Some("v1.chat")).deflate(deflate).extra_headers(&cookie);
    for response in [response, upgrade.accept()] {
        let headers = collect(response.headers().unwrap());
        assert_eq!(headers, written(&response.to_vec().unwrap()));
        let mut slots = HeaderSlots::new();
        let received = Response::from_parts(101, HttpVersion::Http11, lent(&headers), &mut slots).unwrap();
        let negotiated = handshake.check(&received).unwrap().unwrap();
        assert_eq!(negotiated.deflate.is_some(), headers.len() > 3);
        assert_eq!(negotiated.subprotocol.is_some(), headers.len() > 3);
    }

    for error in
        [HandshakeError::UnsupportedVersion, HandshakeError::MethodNotAllowed, HandshakeError::InvalidKey]
    {
        for head_only in [false, true] {
            let refusal = PlainResponse::from(error).extra_headers(&cookie).head_only(head_only);
            let bytes = refusal.to_vec().unwrap();
            let headers = collect(refusal.headers().unwrap());
            assert_eq!(headers, written(&bytes));
            assert!(
                headers.contains(&("Content-Length".to_owned(), (error.to_string().len() + 1).to_string()))
            );
            assert!(bytes.ends_with(format!("\r\n\r\n{}", refusal.body_text()).as_bytes()));
            assert_eq!(refusal.body_text().to_string().is_empty(), head_only);
        }
    }

    // Headers that may not be written are not returned either.
    let invalid = [("X", "a\r\nY: z")];
    assert_eq!(plain.extra_headers(&invalid).headers().err(), Some(BuildError::InvalidHeader));
    assert_eq!(upgrade.accept().extra_headers(&invalid).headers().err(), Some(BuildError::InvalidHeader));
    assert_eq!(
        upgrade.accept().subprotocol(Some("other")).headers().err(),
        Some(BuildError::InvalidSubprotocol)
    );
    assert_eq!(PlainResponse::new(101).headers().err(), Some(BuildError::InvalidStatus));
}

/// Values that are one string need no formatting.
#[test]
fn values_that_are_one_string() {
    fn assert_strings<'a>(
        headers: impl Iterator<Item = (&'a str, HeaderValue<'a>)>,
        expected: &[(&str, Option<&str>)],
    ) {
        let headers: Vec<_> = headers.collect();
        let strings: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(strings, expected);
    }
    let offers = [DeflateOffer::default()];
    let handshake = handshake().subprotocols(&["v2.chat", "v1.chat"]).deflate(&offers);
    assert_strings(
        handshake.headers().unwrap(),
        &[
            ("Host", Some("a")),
            ("Upgrade", Some("websocket")),
            ("Connection", Some("Upgrade")),
            ("Sec-WebSocket-Version", Some("13")),
            ("Sec-WebSocket-Key", Some(KEY)),
            ("Sec-WebSocket-Protocol", None),
            ("Sec-WebSocket-Extensions", None),
        ],
    );
    let handshake = handshake.subprotocols(&["chat"]).deflate(&[]);
    assert_strings(handshake.headers().unwrap().skip(5), &[("Sec-WebSocket-Protocol", Some("chat"))]);
    let response = UpgradeResponse::new(accept_key(KEY)).deflate(Some(DeflateResponse::default()));
    assert_strings(
        response.headers().unwrap().skip(2),
        &[("Sec-WebSocket-Accept", Some(ACCEPT)), ("Sec-WebSocket-Extensions", None)],
    );
    let page = PlainResponse::new(200).headers().unwrap().collect::<Vec<_>>();
    assert_strings(
        page.into_iter().filter(|(name, _)| *name == "Content-Length"),
        &[("Content-Length", None)],
    );
}

/// A response that cannot be written is the server's fault: it becomes a 500 without details.
#[test]
fn build_errors_become_500() {
    let mut slots = HeaderSlots::new();
    let upgrade = Request::parse(RFC.as_bytes(), &mut slots).unwrap().upgrade().unwrap().unwrap();
    let error = upgrade.accept().subprotocol(Some("other")).to_vec().unwrap_err();
    let response = PlainResponse::from(error).to_vec().unwrap();
    assert!(response.starts_with(b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n"));
    assert!(response.ends_with(b"\r\n\r\nInternal Server Error\n"));
}

#[test]
fn headers_cannot_be_injected() {
    use BuildError::*;
    let handshake = handshake();
    let accept = UpgradeResponse::new(accept_key(KEY));
    let plain = PlainResponse::new(200);

    let values = ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\x7f", "\x1b[0m"];
    for value in values {
        let extra = [("X", value)];
        assert_eq!(handshake.extra_headers(&extra).to_vec(), Err(InvalidHeader), "{value:?}");
        assert_eq!(accept.extra_headers(&extra).to_vec(), Err(InvalidHeader), "{value:?}");
        assert_eq!(plain.extra_headers(&extra).to_vec(), Err(InvalidHeader), "{value:?}");
        assert_eq!(handshake.origin(Some(value)).to_vec(), Err(InvalidHeader), "{value:?}");
        assert_eq!(handshake.subprotocols(&[value]).to_vec(), Err(InvalidSubprotocol), "{value:?}");
        assert_eq!(accept.subprotocol(Some(value)).to_vec(), Err(InvalidSubprotocol), "{value:?}");
        assert_eq!(
            ClientHandshake::new(value, "/", ClientKey::new([0; 16])).to_vec(),
            Err(InvalidHost),
            "{value:?}"
        );
        let target = format!("/{value}");
        assert_eq!(
            ClientHandshake::new("a", &target, ClientKey::new([0; 16])).to_vec(),
            Err(InvalidTarget),
            "{value:?}"
        );
    }
    for name in ["", "a b", "a:", "X\r\nY", "\u{e4}"] {
        assert_eq!(plain.extra_headers(&[(name, "y")]).to_vec(), Err(InvalidHeader), "{name:?}");
    }
    for name in ["connection", "UPGRADE", "Transfer-Encoding", "content-length"] {
        assert_eq!(handshake.extra_headers(&[(name, "y")]).to_vec(), Err(ReservedHeader), "{name:?}");
        assert_eq!(accept.extra_headers(&[(name, "y")]).to_vec(), Err(ReservedHeader), "{name:?}");
        assert_eq!(plain.extra_headers(&[(name, "y")]).to_vec(), Err(ReservedHeader), "{name:?}");
    }
    for name in ["Sec-WebSocket-Key", "sec-websocket-extensions", "Sec-WebSocket-Anything"] {
        assert_eq!(handshake.extra_headers(&[(name, "y")]).to_vec(), Err(ReservedHeader), "{name:?}");
        assert_eq!(accept.extra_headers(&[(name, "y")]).to_vec(), Err(ReservedHeader), "{name:?}");
    }
    for target in ["", "chat", "/a b", "/#x", "/\u{e4}"] {
        assert_eq!(
            ClientHandshake::new("a", target, ClientKey::new([0; 16])).to_vec(),
            Err(InvalidTarget),
            "{target:?}"
        );
    }
    assert_eq!(handshake.subprotocols(&["a", "a"]).to_vec(), Err(InvalidSubprotocol));
    assert_eq!(handshake.subprotocols(&[""]).to_vec(), Err(InvalidSubprotocol));
    let bits = DeflateOffer { server_max_window_bits: Some(16), ..DeflateOffer::default() };
    assert_eq!(handshake.deflate(&[bits]).to_vec(), Err(InvalidExtension));
    for status in [0, 101, 199, 204, 304, 600, 1000] {
        assert_eq!(PlainResponse::new(status).to_vec(), Err(InvalidStatus));
    }
}

/// If the request is known, the response is checked against it.
#[test]
fn responses_fit_the_request() {
    let mut slots = HeaderSlots::new();
    let head = RFC.replacen("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1);
    let upgrade = Request::parse(head.as_bytes(), &mut slots).unwrap().upgrade().unwrap().unwrap();
    let accept = upgrade.accept();
    assert!(accept.subprotocol(Some("superchat")).deflate(Some(DeflateResponse::default())).to_vec().is_ok());
    assert_eq!(accept.subprotocol(Some("other")).to_vec(), Err(BuildError::InvalidSubprotocol));
    let unasked = DeflateResponse { client_max_window_bits: Some(10), ..DeflateResponse::default() };
    assert_eq!(accept.deflate(Some(unasked)).to_vec(), Err(BuildError::InvalidExtension));
}

#[test]
fn writes_into_a_buffer() {
    let whole = handshake().to_vec().unwrap();
    let mut buffer = vec![0; whole.len()];
    assert_eq!(handshake().write_to(&mut buffer), Ok(whole.len()));
    assert_eq!(buffer, whole);
    for room in [0, 1, whole.len() - 1] {
        let needed = whole.len();
        assert_eq!(handshake().write_to(&mut buffer[..room]), Err(BuildError::BufferTooSmall { needed }));
    }
}

#[test]
fn responses_to_errors() {
    use HandshakeError::*;
    let cases = [
        (InvalidKey, "400 Bad Request", vec![]),
        (OriginForbidden, "403 Forbidden", vec![]),
        (MethodNotAllowed, "405 Method Not Allowed", vec![("Allow", "GET")]),
        (
            UnsupportedVersion,
            "426 Upgrade Required",
            vec![("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
        ),
        (NotUpgrade, "426 Upgrade Required", vec![("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]),
        (TooManyHeaders, "431 Request Header Fields Too Large", vec![]),
        (UnsupportedHttpVersion, "505 HTTP Version Not Supported", vec![]),
        (InvalidAccept, "502 Bad Gateway", vec![]),
    ];
    for (error, line, headers) in cases {
        let bytes = PlainResponse::from(error).to_vec().unwrap();
        let mut slots = HeaderSlots::new();
        let response = Response::parse(&bytes, &mut slots).unwrap();
        assert_eq!(format!("{} {}", response.status(), response.reason()), line);
        assert!(list_contains(response.headers().get_all("connection"), "close"));
        for (name, value) in headers {
            assert_eq!(response.headers().get(name), Some(value.as_bytes()), "{error:?}");
        }
        let body = String::from_utf8_lossy(&bytes[response.head_len()..]);
        assert_eq!(body, format!("{error}\n"));
        assert_eq!(response.headers().get("content-length"), Some(body.len().to_string().as_bytes()));
    }
    let head = PlainResponse::new(200).body("page").head_only(true).to_vec().unwrap();
    assert!(head.ends_with(b"Content-Length: 4\r\n\r\n"));
}

quickcheck! {
    fn never_panics(head: Vec<u8>, edits: Vec<(usize, u8)>, cut: usize) -> bool {
        let mut edited = RFC.as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at % edited.len();
            edited[at] = byte;
        }
        for bytes in [&head, &edited] {
            let (a, b) = bytes.split_at(cut % (bytes.len() + 1));
            // The end of the head and the errors do not depend on how the head is cut.
            let whole = collect(HeadLimits::default(), &[bytes]);
            if whole != collect(HeadLimits::default(), &[a, b]) || whole != collect(HeadLimits::default(), &bytes.chunks(1).collect::<Vec<_>>()) {
                return false;
            }
            // A head that the buffer returns is whole for the parser; one that it refuses, the parser refuses as well.
            let judged = judge(bytes);
            let agree = match whole {
                Ok(Some(_)) => judged != Err(HandshakeError::Incomplete),
                Ok(None) => judged == Err(HandshakeError::Incomplete),
                Err(error) => judged == Err(error),
            };
            let _ = Response::parse(bytes, &mut HeaderSlots::new());
            if !agree {
                return false;
            }
        }
        true
    }

    fn keys_round_trip(a: u64, b: u64) -> bool {
        let mut random = [0; 16];
        random[..8].copy_from_slice(&a.to_le_bytes());
        random[8..].copy_from_slice(&b.to_le_bytes());
        let key = ClientKey::new(random);
        ClientKey::parse(key) == Ok(key) && key.accept().len() == 28
    }

    fn client_requests_are_accepted(random: u64, path: String, names: Vec<String>, value: String) -> bool {
        let path = format!("/{path}");
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let extra = [("X-Value", value.as_str())];
        let mut key = [0; 16];
        key[..8].copy_from_slice(&random.to_be_bytes());
        let handshake = ClientHandshake::new("a", &path, ClientKey::new(key)).subprotocols(&names).extra_headers(&extra);
        let Ok(bytes) = handshake.to_vec() else { return true }; // refused, so never sent
        let mut slots = HeaderSlots::new();
        let Ok(request) = Request::parse(&bytes, &mut slots) else { return false };
        let Ok(Some(upgrade)) = request.upgrade() else { return false };
        let response = upgrade.accept().subprotocol(upgrade.subprotocols().last()).to_vec().unwrap();
        let mut slots = HeaderSlots::new();
        let response = Response::parse(&response, &mut slots).unwrap();
        let negotiated = handshake.check(&response).unwrap().unwrap();
        upgrade.target() == path
            && upgrade.subprotocols().eq(names.iter().copied())
            && upgrade.headers().get("x-value") == Some(value.trim_matches([' ', '\t']).as_bytes())
            && negotiated.subprotocol == names.last().copied()
    }
}
