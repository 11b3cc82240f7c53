//! What is written: requests, responses, headers for a host with an HTTP stack, and what may not be written.

use super::*;

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
