//! Collecting a head: every cut, the limits at their exact boundary, memory and cost.

use super::*;

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
