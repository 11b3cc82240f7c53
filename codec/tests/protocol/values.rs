//! Values apart from the wire: compared, copied into a host's buffer, printed. A printed value may end in a log, so a
//! message is printed without its payload.

use framewire::{Close, Connection, ControlFrame, Decoder, Event, HeaderBytes, Kind, Rsv, Server, Unmasked};
use framewire_testing::wire::*;

fn header(len: u64) -> HeaderBytes {
    Connection::<Server>::new().message_header(Kind::Binary, Rsv::NONE, len, Unmasked).unwrap()
}

#[test]
fn frames_to_be_sent() {
    let lengths = [0, 1, 125, 126, 65_535, 65_536, i64::MAX as u64];
    for (i, len) in lengths.into_iter().enumerate() {
        let expected = head(BINARY, None, len);
        assert_eq!(header(len).as_ref(), expected);
        for (j, other) in lengths.into_iter().enumerate() {
            assert_eq!(header(len) == header(other), i == j);
        }
        #[cfg(feature = "alloc")]
        {
            let mut buffer = b"before".to_vec();
            header(len).append_to(&mut buffer);
            assert_eq!(buffer, [b"before", &expected[..]].concat());
        }
    }
    assert_eq!(format!("{:?}", header(126)), "HeaderBytes([130, 126, 0, 126])");

    let ping = |payload: &[u8]| Connection::<Server>::new().ping(payload, Unmasked).unwrap();
    assert_eq!(ping(b"a"), ping(b"a"));
    assert_ne!(ping(b"a"), ping(b"b"));
    assert_ne!(ping(b""), ping(b"\0"), "what is behind the end does not count");
    assert_eq!(AsRef::<[u8]>::as_ref(&ping(b"a")), b"\x89\x01a");
    let shown = format!("{:?}", ControlFrame::clone(&ping(b"a")));
    assert_eq!(shown, "ControlFrame([137, 1, 97])");
}

#[test]
fn received_closes() {
    for (payload, code, reason) in
        [(closing(1000, "bye"), 1000, "bye"), (closing(4999, ""), 4999, ""), (vec![], 1005, "")]
    {
        let mut wire = to::<Server>(CLOSE, &payload);
        let mut conn = Connection::<Server>::new();
        match conn.receive(&mut &mut wire[..]) {
            Ok(Some(Event::Close(control))) => {
                let close = control.as_close();
                assert_eq!((close.code.get(), close.reason), (code, reason));
                assert_eq!(format!("{control:?}"), format!("Control({payload:?})"));
                let kept = control.into_owned();
                assert_eq!(kept.as_close(), Close::parse(&payload).unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
    // A payload that is not a close has no code.
    let mut wire = to::<Server>(PING, b"\xFF\xFF\xFF");
    match Connection::<Server>::new().receive(&mut &mut wire[..]) {
        Ok(Some(Event::Ping(control))) => assert_eq!(control.as_close(), Close::parse(b"").unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn chunks_tell_the_key_from_one_side_to_the_other() {
    let payload: Vec<u8> = (0..=255).collect();
    for size in 1..20 {
        let mut decoder = Decoder::pass_through();
        let mut out = Vec::new();
        for mut piece in to::<Server>(BINARY, &payload).chunks_mut(size) {
            while let Some(chunk) = decoder.decode(&mut piece).unwrap() {
                let key = chunk.key_to(framewire::mask::Key::new([9, 8, 7, 6]));
                framewire::mask::apply(key, chunk.bytes);
                out.extend_from_slice(chunk.bytes);
            }
        }
        assert_eq!(out, masked([9, 8, 7, 6], &payload), "pieces of {size}");
    }
    assert_eq!(Decoder::default().remaining(), 0);
}

#[cfg(feature = "alloc")]
#[test]
fn messages_are_printed_without_their_bytes() {
    use framewire::{Assembler, Part};
    fn push<'a>(to: &'a mut Assembler, bytes: &'a mut [u8], last: bool) -> Option<framewire::Assembled<'a>> {
        to.push(Part::new(Kind::Text, Rsv::NONE, bytes, last)).unwrap()
    }
    let (mut one, mut other) = (Assembler::new(100), Assembler::new(200));
    let [mut first, mut second, mut all, mut wrong] =
        ["secr", "ets", "secrets", "publics"].map(|text| text.as_bytes().to_vec());
    assert_eq!(push(&mut one, &mut first, false), None);
    let shown = format!("{one:?}");
    assert!(shown.starts_with("Assembler { len: 4, limit: 100, capacity: "), "{shown}");
    let joined = push(&mut one, &mut second, true).unwrap();
    assert_eq!(format!("{joined:?}"), "Assembled { kind: Text, rsv: Rsv(000), len: 7, .. }");
    assert_eq!(Some(joined), push(&mut other, &mut all.clone(), true));
    let joined = push(&mut one, &mut all, true);
    assert_ne!(joined, push(&mut other, &mut wrong, true));
}

#[cfg(feature = "bytes")]
#[test]
fn a_queue_one_piece_at_a_time() {
    use bytes::Buf;
    use framewire::{Connection, Server, Unmasked, owned::SendQueue};
    let mut connection = Connection::<Server>::new();
    let mut queue = SendQueue::new();
    let mut expected = Vec::new();
    for len in [3, SendQueue::COPY_BELOW, 7, 5000] {
        let payload = vec![b'x'; len];
        connection.append_binary(&mut expected, &payload, Unmasked).unwrap();
        queue.push_binary(&mut connection, payload.into(), Unmasked).unwrap();
    }
    let mut sent = Vec::new();
    while queue.has_remaining() {
        let chunk = queue.chunk();
        let some = chunk.len().min(1000);
        sent.extend_from_slice(&chunk[..some]);
        queue.advance(some);
    }
    assert_eq!(sent, expected);
    assert_eq!(queue.chunk(), b"");
}

#[cfg(feature = "bytes")]
#[test]
fn owned_messages_as_events() {
    use framewire::owned::{Message, Reader};
    let frames = [to::<Server>(PING, b"a"), to::<Server>(PONG, b"b"), to::<Server>(TEXT, b"c")].concat();
    let (mut conn, mut reader) = (Connection::<Server>::new(), Reader::new());
    let mut buffer = bytes::BytesMut::from(&frames[..]);
    let mut seen = Vec::new();
    while let Some(message) = reader.next(&mut conn, &mut buffer).unwrap() {
        seen.push(match message.event() {
            Some(Event::Ping(payload)) => format!("ping {:?}", &*payload),
            Some(Event::Pong(payload)) => format!("pong {:?}", &*payload),
            None => format!("data {}", matches!(message, Message::Text(_))),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, ["ping [97]", "pong [98]", "data true"]);
}

#[test]
fn parameters_are_the_same_however_they_are_quoted() {
    use framewire::extension::parse;
    use std::collections::HashSet;
    let value = |list: &'static str| parse(list).next().unwrap().unwrap().params().next().unwrap().value;
    let [plain, quoted, escaped] =
        [r"a; b=15", r#"a; b="15""#, r#"a; b="\1\5""#].map(|list| value(list).unwrap());
    assert!(plain == quoted && quoted == escaped && plain == *"15");
    assert_eq!(HashSet::from([plain, quoted, escaped]).len(), 1);
    assert_ne!(plain, value("a; b=14").unwrap());
    assert_eq!(format!("{escaped} {escaped:?}"), r#"15 "15""#);
}

#[cfg(all(feature = "handshake", feature = "alloc"))]
#[test]
fn heads() {
    use framewire::handshake::{
        BuildError, ClientKey, HeaderSlots, PlainResponse, Request, UpgradeResponse, accept_key,
    };
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nCookie:  one \r\nCOOKIE: two\r\n\r\n";
    let mut slots: HeaderSlots<'_> = HeaderSlots::default();
    assert!(format!("{slots:?}").starts_with("HeaderSlots<"));
    let request = Request::parse(head, &mut slots).unwrap();
    let headers: Vec<_> = request.headers().iter().map(|header| (header.name, header.value)).collect();
    assert_eq!(headers, [("Host", &b"a"[..]), ("Cookie", b"one"), ("COOKIE", b"two")]);
    assert_eq!(format!("{:?}", request.headers()).matches("ame: ").count(), 3);
    let key = ClientKey::new([0; 16]);
    assert_eq!(format!("{key:?}"), "ClientKey(AAAAAAAAAAAAAAAAAAAAAA==)");

    // Written into a buffer of the host as into a new `Vec`, but not into a buffer that is too small.
    let response = UpgradeResponse::new(accept_key(key));
    let reply = PlainResponse::new(404);
    for (bytes, write) in [
        (response.to_vec().unwrap(), &(|to: &mut [u8]| response.write_to(to)) as &dyn Fn(&mut [u8]) -> _),
        (reply.to_vec().unwrap(), &|to| reply.write_to(to)),
    ] {
        let needed = bytes.len();
        let mut buffer = vec![0; needed + 9];
        assert_eq!(write(&mut buffer), Ok(needed));
        assert_eq!(buffer[..needed], bytes);
        assert_eq!(write(&mut buffer[..needed - 1]), Err(BuildError::BufferTooSmall { needed }));
    }
}

#[cfg(feature = "deflate")]
#[test]
fn pools_can_be_shown() {
    use framewire::{
        Client,
        deflate::{DeflatePool, Deflater, InflateConfig, InflatePool, Inflater},
        extension::DeflateParams,
    };
    let (inflate, mut deflate) = (InflatePool::default(), DeflatePool::default());
    let mut conn = Connection::<Client>::new().with_extension_bits(Rsv::RSV1);
    let payload = b"secret, secret, secret, secret, secret, secret, secret".repeat(9);
    let params = DeflateParams { server_no_context_takeover: true, ..DeflateParams::default() };
    let mut deflater = Deflater::<Client>::new(&params);
    let key = framewire::mask::Key::new(KEY);
    let sent = deflater.message(&mut conn, Kind::Text, &payload, &mut deflate, key).unwrap();
    assert!(!format!("{sent:?}").contains("secret"));
    let inflater = Inflater::<Client>::new(&params, &inflate).unwrap();
    let shown = format!("{deflate:?} {deflater:?} {inflate:?} {inflater:?}");
    assert!(!shown.contains("secret") && shown.contains("Pool"), "{shown}");
    // Without a budget for windows there is an error with a text.
    let none = InflatePool::new(InflateConfig { windows: 0, ..InflateConfig::default() });
    let refused = Inflater::<Client>::new(&DeflateParams::default(), &none).map(|_| ()).unwrap_err();
    assert_eq!(refused.to_string(), "no window is left for a peer with context takeover");
}
