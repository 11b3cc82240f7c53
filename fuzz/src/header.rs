//! Level 1: headers. Parsing agrees with a reader of RFC 6455 that takes a byte at a time, on every prefix. Parsing and
//! encoding are inverse, both ways.

use crate::input::Input;
use framewire::{Header, Opcode, ProtocolError, frame, mask::Key};
use framewire_testing::{
    rfc6455::{read_head, rsv},
    wire::masked,
};

/// The input is bytes on the wire. It is also read as a header: first byte, whether it is masked, key, length.
pub fn check(input: &[u8]) {
    for len in 0..=input.len().min(Header::MAX_LEN + 1) {
        parses_as_the_rfc_says(&input[..len]);
    }
    parses_as_the_rfc_says(input);
    takes_whole_frames(input);
    comes_back(input);
}

fn parses_as_the_rfc_says(wire: &[u8]) {
    let parsed = Header::parse(wire);
    let expected = read_head(wire);
    match (parsed, expected) {
        (Ok(Some(header)), Ok(Some(head))) => {
            assert_eq!(header.fin, head.first & 0x80 != 0);
            assert_eq!(header.rsv, rsv(head.first));
            assert_eq!(header.opcode.to_bits(), head.first & 0x0F);
            assert_eq!(header.key.map(Key::to_bytes), head.key);
            assert_eq!((header.payload_len, header.wire_len()), (head.len, head.wire_len));
            assert_eq!(header.encode()[..], wire[..head.wire_len], "encoded as it was");
        }
        (parsed, expected) => {
            assert_eq!(parsed.map(|header| header.is_some()), expected.map(|head| head.is_some()));
        }
    }
}

/// Level 1 takes whole frames only, unmasks them, and leaves the rest as it is.
fn takes_whole_frames(wire: &[u8]) {
    let mut bytes = wire.to_vec();
    let mut input = &mut bytes[..];
    let mut rest = wire;
    loop {
        let expected =
            read_head(rest).map(|head| head.filter(|head| head.len <= (rest.len() - head.wire_len) as u64));
        match (frame::take(&mut input), expected) {
            (Ok(Some((header, payload))), Ok(Some(head))) => {
                let (bytes, behind) = rest[head.wire_len..].split_at(head.len as usize);
                assert_eq!(payload, masked(head.key.unwrap_or_default(), bytes));
                assert_eq!(header.wire_len(), head.wire_len);
                rest = behind;
            }
            (taken, expected) => {
                assert_eq!(taken.map(|frame| frame.is_some()), expected.map(|head| head.is_some()));
                break;
            }
        }
    }
    assert_eq!(input, rest, "what is not taken stays");
}

/// Any header that a host can make is parsed as it was encoded.
fn comes_back(input: &[u8]) {
    let mut input = Input::new(input);
    let (first, masked) = (input.byte(), input.byte() & 1 != 0);
    let (key, payload_len) = (Key::new(input.bytes()), u64::from_be_bytes(input.bytes()));
    let Some(opcode) = Opcode::from_bits(first & 0x0F) else { return };
    let (fin, key) = (first & 0x80 != 0, masked.then_some(key));
    let header = Header { fin, rsv: rsv(first), opcode, key, payload_len };
    let wire = header.encode();
    assert_eq!(wire.len(), header.wire_len());
    let expected = if opcode.is_control() && !fin {
        Err(ProtocolError::FragmentedControl)
    } else if opcode.is_control() && payload_len > 125 {
        Err(ProtocolError::ControlTooLong)
    } else if payload_len >= 1 << 63 {
        Err(ProtocolError::LengthOutOfRange)
    } else {
        Ok(Some(header))
    };
    assert_eq!(Header::parse(&wire), expected);
    if expected.is_ok() {
        for len in 0..wire.len() {
            assert_eq!(Header::parse(&wire[..len]), Ok(None), "cut");
        }
    }
}
