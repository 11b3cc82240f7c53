//! The opening handshake: heads are the same whole and cut; an accepted head has all that RFC 6455 §4 demands, by a slow
//! reader; a refusal can be answered; each role accepts what the other writes; and extensions follow their grammar, by a
//! slow reader.

mod slowly;

use crate::cost;
use crate::input::{Input, Pieces};
use framewire::{
    extension::{self, DeflateOffer, DeflatePolicy, ExtensionError},
    handshake::{
        ClientHandshake, ClientKey, HandshakeError, HeadBuffer, HeadLimits, HeaderSlots, PlainResponse,
        Request, Response, accept_key,
    },
};
use slowly::Lines;

/// A byte that chooses a check, another with options, and the input of that check.
pub fn check(input: &[u8]) {
    cost::check("handshake", input);
    let mut input = Input::new(input);
    let (what, options) = (input.byte(), input.byte());
    match what % 4 {
        0 => request(input.pieces(), input.rest(), options),
        1 => response(input.pieces(), input.rest(), options),
        2 => extensions(&String::from_utf8_lossy(input.rest()), options),
        _ => both_roles(&mut input, options),
    }
}

const SUBPROTOCOLS: [&str; 3] = ["chat", "superchat", "x"];

fn config(options: u8) -> DeflatePolicy {
    DeflatePolicy {
        server_no_context_takeover: options & 1 != 0,
        client_no_context_takeover: options & 2 != 0,
        server_max_window_bits: 8 + (options >> 2 & 7),
        client_max_window_bits: 8 + (options >> 5 & 7),
    }
}

fn request(pieces: Pieces<'_>, bytes: &[u8], options: u8) {
    let Some(head) = head(bytes, pieces, options) else { return };
    let mut slots = HeaderSlots::new();
    let request = Request::parse(&head, &mut slots);
    {
        let mut slots = HeaderSlots::new();
        let more = Request::parse(bytes, &mut slots);
        let seen = |request: &Request<'_, '_>| format!("{request:?}");
        assert_eq!(
            request.as_ref().map(seen),
            more.as_ref().map(seen),
            "bytes after the head make no difference"
        );
    }
    let upgrade = match request.and_then(|request| request.upgrade()) {
        Ok(Some(upgrade)) => upgrade,
        Ok(None) => {
            let lines = Lines::of(&head);
            let ignored = lines.start.ends_with(" HTTP/1.0"); // RFC 9110 §7.8
            assert!(ignored || !lines.lists("upgrade", "websocket"));
            return;
        }
        Err(error) => return refused(error),
    };
    assert_eq!(upgrade.head_len(), head.len());
    let lines = Lines::of(&head);
    lines.demand_upgrade();
    assert_eq!(lines.all("sec-websocket-key"), [&*upgrade.key()]);
    assert_eq!(upgrade.origin().into_iter().collect::<Vec<_>>(), lines.all("origin"));

    let (chosen, deflate) = (upgrade.choose_subprotocol(&SUBPROTOCOLS), upgrade.deflate(&config(options)));
    let answer = upgrade.accept().subprotocol(chosen).deflate(deflate).to_vec().expect("as the client asked");
    let lines = Lines::of(&answer);
    assert_eq!(lines.start, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(lines.all("sec-websocket-accept"), [&*accept_key(&*upgrade.key())]);
    assert_eq!(lines.all("sec-websocket-protocol"), chosen.into_iter().collect::<Vec<_>>());
    assert_eq!(lines.all("sec-websocket-extensions").len(), usize::from(deflate.is_some()));
}

/// Every error of a request has a valid response.
fn refused(error: HandshakeError) {
    let answer = PlainResponse::from(error).to_vec().expect("an answer");
    let mut slots = HeaderSlots::new();
    let response = Response::parse(&answer, &mut slots).expect("sound");
    assert_eq!(response.status(), error.status());
    assert!((400..600).contains(&response.status()));
    assert!(Lines::of(&answer).lists("connection", "close"));
}

fn response(pieces: Pieces<'_>, bytes: &[u8], options: u8) {
    let Some(head) = head(bytes, pieces, options) else { return };
    let offers = [
        DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() },
        DeflateOffer {
            server_no_context_takeover: true,
            server_max_window_bits: Some(10),
            ..DeflateOffer::default()
        },
    ];
    let offers = &offers[..usize::from(options % 3)];
    let handshake = ClientHandshake::new("example.com", "/", ClientKey::new(*b"the sample nonce"))
        .subprotocols(&SUBPROTOCOLS)
        .deflate(offers);
    let mut slots = HeaderSlots::new();
    let Ok(response) = Response::parse(&head, &mut slots) else { return };
    let Ok(Some(negotiated)) = handshake.check(&response) else { return };
    let lines = Lines::of(&head);
    assert!(lines.start.starts_with("HTTP/1.1 101"));
    assert!(lines.lists("upgrade", "websocket") && lines.lists("connection", "upgrade"));
    assert_eq!(lines.all("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], "RFC 6455 §1.3");
    assert_eq!(lines.all("sec-websocket-protocol"), negotiated.subprotocol.into_iter().collect::<Vec<_>>());
    assert!(negotiated.subprotocol.is_none_or(|chosen| SUBPROTOCOLS.contains(&chosen)));
    let named = lines.all("sec-websocket-extensions").join(",");
    let named = slowly::extensions(&named).expect("in the grammar");
    assert_eq!(named.len(), usize::from(negotiated.deflate.is_some()), "one extension, and agreed on");
    assert!(named.is_empty() || !offers.is_empty(), "offered");
}

/// The head at the start of `bytes`, after a check that cuts make no difference.
fn head(bytes: &[u8], pieces: Pieces<'_>, options: u8) -> Option<Vec<u8>> {
    let limits = match options & 4 {
        0 => HeadLimits::default(),
        _ => HeadLimits { head_bytes: 200, headers: 5 },
    };
    let push = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut buffer, mut consumed) = (HeadBuffer::new(limits), 0);
        for piece in pieces {
            if let Some(head) = buffer.push(piece)? {
                consumed += head.consumed;
                assert_eq!(head.bytes, &bytes[..consumed], "as it came");
                return Ok(Some(consumed));
            }
            consumed += piece.len();
            assert_eq!(buffer.len(), consumed, "kept");
            assert!(consumed <= limits.head_bytes);
        }
        Ok::<_, HandshakeError>(None)
    };
    let whole = push(&mut [bytes].into_iter());
    assert_eq!(push(&mut pieces.of(bytes)), whole);
    assert_eq!(push(&mut bytes.chunks(1)), whole);
    if let Ok(Some(len)) = whole {
        assert!(len <= limits.head_bytes && bytes[..len].ends_with(b"\r\n\r\n"));
    }
    whole.ok().flatten().map(|len| bytes[..len].to_vec())
}

fn extensions(text: &str, options: u8) {
    let slowly = slowly::extensions(text);
    let read: Result<Vec<_>, ExtensionError> = extension::parse(text).collect();
    let seen = read.as_ref().ok().map(|elements| {
        let params = |element: &extension::Extension<'_>| {
            element.params().map(|p| (p.name.to_owned(), p.value.map(|value| value.to_string()))).collect()
        };
        elements.iter().map(|element| (element.name().to_owned(), params(element))).collect::<Vec<_>>()
    });
    assert_eq!(seen, slowly, "{text:?}");

    let config = config(options);
    let answer = extension::negotiate([text], &config);
    assert_eq!(answer.is_err(), slowly.is_none(), "malformed or not");
    let offers: Vec<DeflateOffer> =
        read.iter().flatten().filter_map(|element| DeflateOffer::parse(element).ok()).collect();
    for offer in &offers {
        let written = offer.to_string();
        let again = extension::parse(&written).next().expect("one").expect("in the grammar");
        assert_eq!(DeflateOffer::parse(&again), Ok(*offer), "written and read");
    }
    if let Ok(Some(answer)) = answer {
        let params = extension::verify([&*answer.to_string()], &offers).expect("offered").expect("agreed");
        let within = |bits: u8, config: u8| bits <= config.max(9);
        assert!(within(params.server_max_window_bits, config.server_max_window_bits));
        assert!(within(params.client_max_window_bits, config.client_max_window_bits));
        assert!(params.server_no_context_takeover || !config.server_no_context_takeover);
        assert!(params.client_no_context_takeover || !config.client_no_context_takeover);
        assert!(params.server_max_window_bits >= 9, "zlib can compress");
    }
    // The same text as a response.
    let offer = DeflateOffer {
        client_max_window_bits: Some(12),
        server_max_window_bits: Some(11),
        ..DeflateOffer::default()
    };
    if let Ok(Some(params)) = extension::verify([text], &[offer]) {
        assert_eq!(slowly.map(|elements| elements.len()), Some(1), "one extension");
        assert!(params.server_max_window_bits <= 11 && params.client_max_window_bits <= 12);
    }
}

/// A server accepts any request that a client can be made to write, and the client accepts the response.
fn both_roles(input: &mut Input<'_>, options: u8) {
    let (host, target, key) = (input.text(), input.text(), ClientKey::new(input.bytes()));
    let (origin, names, extra) = (input.text(), input.text(), [input.text(), input.text()]);
    let names: Vec<&str> = names.split(' ').filter(|name| !name.is_empty()).collect();
    let offers = [(); 2].map(|()| {
        let [switches, bits] = input.bytes();
        DeflateOffer {
            server_no_context_takeover: switches & 1 != 0,
            client_no_context_takeover: switches & 2 != 0,
            server_max_window_bits: (switches & 4 != 0).then_some(bits % 16),
            client_max_window_bits: (switches & 8 != 0).then_some(bits >> 4),
        }
    });
    let headers = [(&*extra[0], &*extra[1])];
    let handshake = ClientHandshake::new(&host, &target, key)
        .origin((!origin.is_empty()).then_some(&origin))
        .subprotocols(&names)
        .deflate(&offers[..usize::from(options % 3)])
        .extra_headers(&headers[..usize::from(options >> 7)]);
    let Ok(wire) = handshake.to_vec() else { return };

    let mut slots = HeaderSlots::new();
    let request = Request::parse(&wire, &mut slots).expect("what a client writes is sound");
    let upgrade = request.upgrade().expect("and asks as it should").expect("for a WebSocket");
    assert_eq!(upgrade.head_len(), wire.len(), "nothing behind the head");
    assert_eq!((upgrade.host(), upgrade.target()), (Some(&*host), &*target));
    assert_eq!((upgrade.key(), upgrade.subprotocols().collect::<Vec<_>>()), (key, names.clone()));
    assert_eq!(upgrade.origin().unwrap_or_default(), origin.trim_ascii());
    Lines::of(&wire).demand_upgrade();

    let (chosen, deflate) = (upgrade.choose_subprotocol(&SUBPROTOCOLS), upgrade.deflate(&config(options)));
    let answer = upgrade.accept().subprotocol(chosen).deflate(deflate).to_vec().expect("as the client asked");
    let mut slots = HeaderSlots::new();
    let response = Response::parse(&answer, &mut slots).expect("what a server writes is sound");
    let negotiated = handshake.check(&response).expect("an answer to this request").expect("a 101");
    assert_eq!((negotiated.subprotocol, negotiated.deflate.is_some()), (chosen, deflate.is_some()));
}
