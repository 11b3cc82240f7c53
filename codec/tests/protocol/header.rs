//! Level 1, exhaustively: every first pair of bytes, compared with a reader written from the RFC, and every close code.

use framewire::{Close, CloseCode, Header, Opcode, ProtocolError, Rsv, mask::Key};
use framewire_testing::{rfc6455::*, wire::*};

/// All first pairs of bytes, each with extended lengths on both sides of every boundary and a key, followed by bytes of
/// a payload.
fn headers() -> impl Iterator<Item = Vec<u8>> {
    const SHORT: [u16; 8] = [0, 1, 125, 126, 127, 0xFF, 0x100, 0xFFFF];
    const LONG: [u64; 15] = [
        0,
        125,
        126,
        0xFFFF,
        0x1_0000,
        0xFF_FFFF,
        0x7FFF_FFFF,
        0x8000_0000,
        0xFFFF_FFFF,
        0x1_0000_0000,
        0x0123_4567_89AB_CDEF,
        i64::MAX as u64,
        1 << 63,
        (1 << 63) + 1,
        u64::MAX,
    ];
    (0..=u16::MAX).flat_map(|pair| {
        let pair = pair.to_be_bytes();
        let extended: Vec<Vec<u8>> = match pair[1] & 0x7F {
            126 => SHORT.iter().map(|len| len.to_be_bytes().to_vec()).collect(),
            127 => LONG.iter().map(|len| len.to_be_bytes().to_vec()).collect(),
            _ => vec![vec![]],
        };
        extended.into_iter().map(move |extended| {
            let mut wire = pair.to_vec();
            wire.extend(extended);
            wire.extend([0xA1, 0xB2, 0xC3, 0xD4]); // the key, or payload
            wire.extend([0xFF; 12]);
            wire
        })
    })
}

fn value(head: Head) -> Header {
    let opcode =
        [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong]
            .into_iter()
            .find(|opcode| opcode.to_bits() == head.first & 0xF)
            .unwrap();
    Header {
        fin: head.first & 0x80 != 0,
        rsv: rsv(head.first),
        opcode,
        key: head.key.map(Key::new),
        payload_len: head.len,
    }
}

#[test]
fn every_first_pair_of_bytes_reads_as_the_rfc_says() {
    let (mut good, mut bad) = (0, 0);
    for wire in headers() {
        let expected = read_head(&wire);
        let parsed = Header::parse(&wire);
        assert_eq!(parsed, expected.map(|head| head.map(value)), "{wire:02x?}");
        match expected {
            Ok(head) => {
                // Parsing and encoding gives the same bytes, and the value has the right length.
                let (head, header) = (head.unwrap(), parsed.unwrap().unwrap());
                assert_eq!(header.wire_len(), head.wire_len, "{wire:02x?}");
                assert_eq!(header.encode()[..], wire[..head.wire_len], "{wire:02x?}");
                assert_eq!(header.encode().as_ref().len(), head.wire_len);
                assert_eq!(Header::parse(&header.encode()), Ok(Some(header)), "{wire:02x?}");
                good += 1;
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good > 10_000 && bad > 40_000, "{good} {bad}: the table is lopsided");
}

/// The result is `None` until it is decided, at the latest with the last byte of the header. Then it stays the same.
#[test]
fn no_further_byte_changes_the_result() {
    for wire in headers() {
        let verdict = Header::parse(&wire);
        let enough = match read_head(&wire) {
            Ok(head) => head.unwrap().wire_len,
            Err(ProtocolError::ReservedOpcode | ProtocolError::FragmentedControl) => 1,
            Err(ProtocolError::ControlTooLong) => 2,
            Err(_) if wire[1] & 0x7F == 126 => 4,
            Err(_) => 10,
        };
        for n in 0..=wire.len() {
            let early = Header::parse(&wire[..n]);
            if n >= enough {
                assert_eq!(early, verdict, "{:02x?}", &wire[..n]);
            } else {
                assert!(early == Ok(None) || early == verdict, "{:02x?}: {early:?}", &wire[..n]);
                assert!(early.is_err() || early == Ok(None), "a header out of {:02x?}", &wire[..n]);
            }
        }
    }
}

/// Encoding and parsing gives the same value.
#[test]
fn every_value_survives_the_wire() {
    for first in 0..=u8::MAX {
        let Some(opcode) = Opcode::from_bits(first & 0xF) else { continue };
        assert_eq!(opcode.to_bits(), first & 0xF);
        assert_eq!(opcode.is_control(), first & 8 != 0);
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            continue;
        }
        for shift in 0..63 {
            for payload_len in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                if opcode.is_control() && payload_len > 125 {
                    continue;
                }
                for key in [None, Some(Key::new([1, 2, 3, 4]))] {
                    let header = Header { fin, rsv: rsv(first), opcode, key, payload_len };
                    let wire = header.encode();
                    assert_eq!(wire[..], head(first, key.map(Key::to_bytes), payload_len));
                    assert_eq!(wire.len(), header.wire_len());
                    assert!(wire.len() <= Header::MAX_LEN);
                    assert_eq!(Header::parse(&wire), Ok(Some(header)));
                }
            }
        }
    }
}

#[test]
fn reserved_opcodes_have_no_value() {
    let known: Vec<u8> = (0..=u8::MAX).filter(|&bits| Opcode::from_bits(bits).is_some()).collect();
    assert_eq!(known, [0, 1, 2, 8, 9, 10]);
}

#[test]
fn reserved_bits() {
    assert!(Rsv::NONE.is_none() && Rsv::default().is_none());
    let all = Rsv::RSV1 | Rsv::RSV2 | Rsv::RSV3;
    for bit in [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3] {
        assert!(!bit.is_none() && all.contains(bit) && !bit.contains(all) && bit.contains(Rsv::NONE));
        assert!(!Rsv::NONE.contains(bit));
    }
    assert!(!(Rsv::RSV1 | Rsv::RSV3).contains(Rsv::RSV2));
    assert_eq!(format!("{:?} {:?}", Rsv::RSV1, Rsv::RSV3), "Rsv(100) Rsv(001)");
}

/// RFC 6455 §7.4 and the registry: which of all codes a close frame may carry.
#[test]
fn every_close_code() {
    for number in 0..=u16::MAX {
        let registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
        let may = registered.contains(&number) || (3000..5000).contains(&number);
        let code = CloseCode::new(number);
        assert_eq!(code.get(), number);
        assert_eq!(code.may_be_sent(), may, "{number}");
        let payload = closing(number, "why");
        let expected =
            if may { Ok(Close { code, reason: "why" }) } else { Err(ProtocolError::InvalidCloseCode) };
        assert_eq!(Close::parse(&payload), expected, "{number}");
        assert_eq!(Close::parse(&payload[..2]).map(|close| close.code), expected.map(|close| close.code));
    }
}

#[test]
fn close_payloads() {
    assert_eq!(Close::parse(b""), Ok(Close { code: CloseCode::NO_STATUS, reason: "" }));
    for byte in 0..=u8::MAX {
        assert_eq!(Close::parse(&[byte]), Err(ProtocolError::CloseTooShort));
    }
    assert_eq!(Close::parse(b"\x03\xe8caf\xc3\xa9").unwrap().reason, "café");
    for reason in [&b"caf\xc3"[..], b"\xff", b"\xed\xa0\x80", b"\xc0\xaf"] {
        assert_eq!(Close::parse(&[b"\x03\xe8", reason].concat()), Err(ProtocolError::InvalidUtf8));
    }
    // The code is checked before the reason.
    assert_eq!(Close::parse(b"\x03\xed\xff"), Err(ProtocolError::InvalidCloseCode));
}
