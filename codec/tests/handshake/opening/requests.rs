//! Requests: each rule with its error and status, and the heads that real programs send.

use super::*;

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
