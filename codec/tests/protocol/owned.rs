//! The stage on `Bytes`: messages that are split off the host's buffer, and the send queue, at every cut.

use bytes::{Buf, Bytes, BytesMut};
use framewire::{
    Client, CloseCode, Connection, Event, Header, Kind, Opcode, ProtocolError, Rsv, SendError, Server,
    Unmasked,
    mask::{self, Key},
    owned::{Message, PreparedFrame, Reader, SendQueue, Utf8Bytes},
};
use framewire_testing::miri::thin;

const KEY: Key = Key::new([0x37, 0xfa, 0x21, 0x3d]);

fn frame(fin: bool, rsv: Rsv, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let header = Header { fin, rsv, opcode, key: Some(KEY), payload_len: payload.len() as u64 };
    let mut wire = header.encode().to_vec();
    wire.extend(payload.iter().zip(KEY.to_bytes().iter().cycle()).map(|(byte, key)| byte ^ key));
    wire
}

/// A wire with every kind of frame, and the messages in it.
fn everything() -> (Vec<u8>, Vec<Message>) {
    let long = vec![7; 300];
    let frames: [(bool, Rsv, Opcode, &[u8]); 14] = [
        (true, Rsv::NONE, Opcode::Text, "ein Wörtchen".as_bytes()),
        (true, Rsv::NONE, Opcode::Binary, &long),
        (true, Rsv::NONE, Opcode::Binary, b""),
        (true, Rsv::NONE, Opcode::Text, b""),
        (false, Rsv::NONE, Opcode::Text, &"früh".as_bytes()[..3]),
        (true, Rsv::NONE, Opcode::Ping, b"in between"),
        (false, Rsv::NONE, Opcode::Continuation, b""),
        (true, Rsv::NONE, Opcode::Continuation, &"früh".as_bytes()[3..]),
        (false, Rsv::RSV1, Opcode::Binary, b"co"),
        (true, Rsv::NONE, Opcode::Pong, b""),
        (false, Rsv::NONE, Opcode::Continuation, b"de"),
        (true, Rsv::NONE, Opcode::Continuation, b""),
        (true, Rsv::RSV1, Opcode::Text, b"\xff"),
        (true, Rsv::NONE, Opcode::Close, b"\x03\xe8bye"),
    ];
    let wire: Vec<u8> =
        frames.iter().flat_map(|&(fin, rsv, opcode, payload)| frame(fin, rsv, opcode, payload)).collect();
    let control =
        |message: &Message| matches!(message, Message::Ping(_) | Message::Pong(_) | Message::Close(_));
    let messages = run(core::slice::from_ref(&wire), true).unwrap();
    assert_eq!(messages.iter().filter(|message| control(message)).count(), 3);
    let data: Vec<_> = messages.iter().filter(|message| !control(message)).cloned().collect();
    let coded = |kind, bytes: &'static [u8]| Message::Encoded {
        kind,
        rsv: Rsv::RSV1,
        bytes: Bytes::from_static(bytes),
    };
    assert_eq!(
        data,
        [
            Message::Text("ein Wörtchen".into()),
            Message::Binary(long.clone().into()),
            Message::Binary(Bytes::new()),
            Message::Text("".into()),
            Message::Text("früh".into()),
            coded(Kind::Binary, b"code"),
            coded(Kind::Text, b"\xff"),
        ]
    );
    (wire, messages)
}

/// Feeds the pieces one by one. With `keep`, the messages are held while more is read, which must not change them.
fn run(pieces: &[Vec<u8>], keep: bool) -> Result<Vec<Message>, ProtocolError> {
    let mut connection = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
    let (mut reader, mut buffer, mut messages) = (Reader::new(), BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(message) = reader.next(&mut connection, &mut buffer)? {
            if let Message::Ping(payload) = &message {
                let reply = message.event().and_then(|event| connection.reply(&event, Unmasked)).unwrap();
                assert_eq!(reply[..2], [0x8A, payload.len() as u8]);
            }
            messages.push(if keep { message } else { copy(&message) });
        }
    }
    Ok(messages)
}

fn copy(message: &Message) -> Message {
    match message {
        Message::Text(text) => Message::Text(text.to_string().into()),
        Message::Binary(bytes) => Message::Binary(Bytes::copy_from_slice(bytes)),
        other => other.clone(),
    }
}

#[test]
fn any_cut_gives_the_same_messages() {
    let (wire, messages) = everything();
    for keep in [false, true] {
        for cut in thin(149, 0..=wire.len()) {
            assert_eq!(
                run(&[wire[..cut].to_vec(), wire[cut..].to_vec()], keep).unwrap(),
                messages,
                "cut at {cut}"
            );
        }
        for size in thin(3, [1, 2, 3, 7, 64]) {
            let pieces: Vec<_> = wire.chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(run(&pieces, keep).unwrap(), messages, "pieces of {size}");
        }
    }
}

#[test]
fn a_message_of_one_frame_is_not_copied() {
    let payload = vec![b'x'; 10_000];
    let wire = frame(true, Rsv::NONE, Opcode::Text, &payload);
    let mut buffer = BytesMut::with_capacity(wire.len());
    let start = buffer.as_ptr() as usize;
    let (mut connection, mut reader) = (Connection::<Server>::new(), Reader::new());
    let mut message = None;
    for piece in wire.chunks(1448) {
        assert!(message.is_none());
        buffer.extend_from_slice(piece);
        message = reader.next(&mut connection, &mut buffer).unwrap();
    }
    let Some(Message::Text(text)) = message else { panic!("no text") };
    assert_eq!(text.as_bytes(), payload);
    let at = text.as_ptr() as usize - start;
    assert!((4..=8).contains(&at), "behind its header, where it was read: {at}");
}

/// The reader holds nothing after a message: once the host drops the message, its memory is used again.
#[test]
fn the_buffer_is_used_again_whatever_the_cuts() {
    let payload = vec![b'x'; 20_000];
    let wire = frame(true, Rsv::NONE, Opcode::Binary, &payload);
    let mut buffer = BytesMut::with_capacity(2 * wire.len());
    let start = buffer.as_ptr() as usize;
    let (mut connection, mut reader) = (Connection::<Server>::new(), Reader::new());
    for _ in thin(4, 0..5) {
        for (i, piece) in wire.chunks(1448).enumerate() {
            buffer.extend_from_slice(piece);
            let message = reader.next(&mut connection, &mut buffer).unwrap();
            assert_eq!(message.is_some(), i == wire.len() / 1448);
        }
        assert!(buffer.try_reclaim(2 * wire.len()), "nobody shares it");
        assert_eq!(buffer.as_ptr() as usize, start);
    }
}

#[test]
fn bad_text_is_an_error_after_the_whole_messages() {
    let mut wire = frame(true, Rsv::NONE, Opcode::Text, b"good");
    wire.extend(frame(false, Rsv::NONE, Opcode::Text, b"bad \xF4\x90"));
    let mut connection = Connection::<Server>::new();
    let (mut reader, mut buffer) = (Reader::new(), BytesMut::from(&wire[..]));
    assert_eq!(reader.next(&mut connection, &mut buffer), Ok(Some(Message::Text("good".into()))));
    assert_eq!(reader.next(&mut connection, &mut buffer), Err(ProtocolError::InvalidUtf8));
}

#[test]
fn a_buffer_that_the_host_emptied_does_not_panic() {
    let wire = frame(true, Rsv::NONE, Opcode::Binary, &[1; 100]);
    let mut connection = Connection::<Server>::new();
    let (mut reader, mut buffer) = (Reader::new(), BytesMut::from(&wire[..50]));
    assert_eq!(reader.next(&mut connection, &mut buffer), Ok(None));
    buffer.clear();
    buffer.extend_from_slice(&wire[50..]);
    assert!(reader.next(&mut connection, &mut buffer).is_ok());
}

#[test]
fn the_queue_gives_the_bytes_in_order_for_every_partial_write() {
    let mut connection = Connection::<Server>::new();
    let mut client = Connection::<Client>::new();
    let payloads = [0, 1, 125, SendQueue::COPY_BELOW - 1, SendQueue::COPY_BELOW, 5000, 3];
    let mut expected = Vec::new();
    let mut fill = |queue: &mut SendQueue| {
        expected.clear();
        for (i, len) in payloads.into_iter().enumerate() {
            let payload = vec![i as u8; len];
            connection.append_binary(&mut expected, &payload, Unmasked).unwrap();
            queue.push_binary(&mut connection, payload.clone().into(), Unmasked).unwrap();

            let ping = connection.ping(b"now", Unmasked).unwrap();
            expected.extend_from_slice(&ping);
            queue.push_control(ping);

            // A client's payload is masked in place, or in a copy if it is shared.
            let shared = Bytes::from(payload);
            for payload in [shared.clone(), Bytes::from(shared.to_vec())] {
                client.append_binary(&mut expected, &payload, KEY).unwrap();
                queue.push_binary(&mut client, payload, KEY).unwrap();
            }
            assert!(shared.iter().all(|&byte| byte == i as u8), "what is shared is not masked");
            for (text, last) in [("Hel", false), ("lo", true)] {
                let header =
                    client.fragment_header(Kind::Text, Rsv::NONE, text.len() as u64, last, KEY).unwrap();
                expected.extend_from_slice(&header);
                let start = expected.len();
                expected.extend_from_slice(text.as_bytes());
                mask::apply(KEY, &mut expected[start..]);
            }
            let mut again = Connection::<Client>::new();
            queue.push_fragment(&mut again, Kind::Text, Rsv::NONE, "Hel".into(), false, KEY).unwrap();
            let refused = queue.push_text(&mut again, "no".into(), KEY);
            assert_eq!(refused, Err(SendError::MessageOpen));
            queue.push_fragment(&mut again, Kind::Text, Rsv::NONE, "lo".into(), true, KEY).unwrap();
        }
        expected.clone()
    };
    for step in thin(3, [100_000, 1024, 1000, 125, 64, 5, 3, 2, 1]) {
        let mut queue = SendQueue::new();
        let expected = fill(&mut queue);
        assert_eq!(queue.remaining(), expected.len());
        let mut written = Vec::new();
        while queue.has_remaining() {
            let before = queue.remaining();
            #[cfg(feature = "std")]
            {
                let mut slices = [std::io::IoSlice::new(&[]); 3];
                let filled = queue.chunks_vectored(&mut slices);
                assert!(filled > 0 && slices[..filled].iter().all(|slice| !slice.is_empty()));
                let bytes = slices[..filled].iter().flat_map(|slice| slice.iter().copied());
                written.extend(bytes.take(step));
                let n = written.len() + before - expected.len();
                queue.advance(n);
                assert_eq!(queue.remaining(), before - n);
            }
            #[cfg(not(feature = "std"))]
            {
                let n = step.min(queue.chunk().len());
                written.extend_from_slice(&queue.chunk()[..n]);
                queue.advance(n);
                assert_eq!(queue.remaining(), before - n);
            }
        }
        assert_eq!(written, expected, "steps of {step}");
    }
}

#[test]
fn the_queue_takes_more_while_it_is_written() {
    let mut random = 7_u32;
    let mut below = |n: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % n
    };
    let (mut queue, mut expected) = (SendQueue::new(), Vec::new());
    let mut connection = Connection::<Server>::new();
    for i in thin(199, 0..20_000) {
        let len = [0, 1, 100, SendQueue::COPY_BELOW - 1, SendQueue::COPY_BELOW, 3000][below(6)];
        let payload = Bytes::from(vec![i as u8; len]);
        if below(4) == 0 {
            expected.extend_from_slice(&payload);
            queue.push_bytes(payload);
        } else {
            connection.append_binary(&mut expected, &payload, Unmasked).unwrap();
            queue.push_binary(&mut connection, payload, Unmasked).unwrap();
        }
        // Sometimes all bytes are written, and sometimes more than there are.
        let n = if below(50) == 0 { usize::MAX } else { below(2 * len + 500) };
        let mut written = Vec::new();
        while written.len() < n && queue.has_remaining() {
            let step = (n - written.len()).min(queue.chunk().len());
            written.extend_from_slice(&queue.chunk()[..step]);
            queue.advance(step);
        }
        assert_eq!(written, expected[..written.len()]);
        expected.drain(..written.len());
        assert_eq!(queue.remaining(), expected.len());
    }
    queue.advance(usize::MAX);
    assert!(!queue.has_remaining() && queue.chunk().is_empty());
}

/// An empty queue holds a few KiB, however many bytes waited before.
#[test]
fn the_queue_gives_its_memory_back() {
    let mut connection = Connection::<Server>::new();
    let mut queue = SendQueue::new();
    assert_eq!(queue.capacity(), 0);
    for _ in thin(100, 0..100_000) {
        queue.push_text(&mut connection, "a small message".into(), Unmasked).unwrap();
    }
    assert!(queue.capacity() >= queue.remaining());
    while queue.has_remaining() {
        queue.advance(10_000);
        assert!(queue.capacity() <= 4 << 20);
        assert!(queue.remaining() > 100_000 || queue.capacity() <= 1 << 20, "{}", queue.capacity());
    }
    assert!(queue.capacity() <= 4 << 10, "{}", queue.capacity());
    queue.shrink();
    assert!(queue.is_empty() && queue.capacity() == 0);
    // A queue that is never empty does not grow without limit either.
    queue.push_text(&mut connection, "ahead".into(), Unmasked).unwrap();
    for _ in thin(100, 0..100_000) {
        queue.push_text(&mut connection, "a small message".into(), Unmasked).unwrap();
        queue.advance(17);
    }
    queue.shrink();
    assert!(!queue.is_empty() && queue.capacity() <= 32 << 10, "{}", queue.capacity());
}

#[test]
fn a_prepared_frame_obeys_the_rules_of_the_send_methods() {
    for len in [0, 5, 125, 126, 65535, 65536] {
        let text = "x".repeat(len);
        let mut one = Connection::<Server>::new();
        let mut expected = one.text_header(&text, Unmasked).unwrap().to_vec();
        expected.extend_from_slice(text.as_bytes());
        let prepared = PreparedFrame::text(&text);
        assert_eq!(prepared.kind(), Kind::Text);
        let (first, second) = (one.prepared(&prepared).unwrap(), one.prepared(&prepared.clone()).unwrap());
        assert_eq!(first[..], expected);
        assert_eq!(first.as_ptr(), second.as_ptr(), "shared");
    }

    let prepared = PreparedFrame::binary(b"x");
    let mut open = Connection::<Server>::new();
    let _ = open.fragment_header(Kind::Text, Rsv::NONE, 1, false, Unmasked).unwrap();
    assert_eq!(open.prepared(&prepared), Err(SendError::MessageOpen));
    let mut closed = Connection::<Server>::new();
    let _ = closed.close(CloseCode::NORMAL, "", Unmasked).unwrap();
    assert_eq!(closed.prepared(&prepared), Err(SendError::Closed));
    let coded = PreparedFrame::new(Kind::Text, Rsv::RSV1, b"\x01");
    assert_eq!(Connection::<Server>::new().prepared(&coded), Err(SendError::ReservedBit));
    let mut agreed = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
    assert_eq!(agreed.prepared(&coded).unwrap()[..], b"\xC1\x01\x01"[..]);
}

#[test]
fn events_of_data_are_none() {
    assert_eq!(Message::Binary(Bytes::new()).event(), None);
    let (_, messages) = everything();
    let close = messages.last().unwrap();
    assert!(matches!(close.event(), Some(Event::Close(_))));
}

#[test]
fn owned_text_is_text() {
    let text = Utf8Bytes::try_from(Bytes::from_static("früh".as_bytes())).unwrap();
    assert_eq!((&*text, text.as_ref(), text.to_string()), ("früh", "früh", "früh".to_owned()));
    assert_eq!(format!("{text:?}"), "\"früh\"");
    assert_eq!(text, Utf8Bytes::from("früh".to_owned()));
    let bytes = Bytes::from(text.clone());
    assert_eq!(bytes.as_ptr(), text.as_ptr(), "the same memory");
    assert_eq!(text.into_bytes(), bytes);
    let error = Utf8Bytes::try_from(Bytes::from_static(b"ok \xFF")).unwrap_err();
    assert_eq!((error.position(), error.to_string()), (3, "not UTF-8 at byte 3".to_owned()));
}
