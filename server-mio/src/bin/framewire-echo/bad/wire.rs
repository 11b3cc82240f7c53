//! Frames as RFC 6455 §5.2 describes them, right or wrong. The codec would refuse to write most of these.

pub(super) const CONTINUATION: u8 = 0x80;
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8A;
/// Sets a reserved bit in the first byte. RSV1 marks a compressed message.
pub(super) const RSV1: u8 = 0x40;
pub(super) const RSV2: u8 = 0x20;
pub(super) const RSV3: u8 = 0x10;
/// Clears FIN in the first byte.
pub(super) const MORE: u8 = 0x7F;

/// A frame with this first byte.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut wire = match payload.len() {
        len @ 0..=125 => vec![first, len as u8],
        len @ 126..=0xFFFF => header_16(first, len as u16),
        len => header_64(first, len as u64),
    };
    wire.extend(payload);
    wire
}

/// A header with a length of 16 bits, whatever the length.
pub(super) fn header_16(first: u8, len: u16) -> Vec<u8> {
    [&[first, 126], &len.to_be_bytes()[..]].concat()
}

/// A header with a length of 64 bits, whatever the length.
pub(super) fn header_64(first: u8, len: u64) -> Vec<u8> {
    [&[first, 127], &len.to_be_bytes()[..]].concat()
}

/// A frame as only a client may send it: masked with this key. The payload has at most 125 bytes.
pub(super) fn masked(first: u8, key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut wire = vec![first, 0x80 | payload.len() as u8];
    wire.extend(key);
    wire.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    wire
}

/// A close with this code and reason.
pub(super) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// A message in several frames.
pub(super) fn fragments(first: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (at, payload) in payloads.iter().enumerate() {
        let opcode = if at == 0 { first } else { CONTINUATION };
        let end = if at + 1 == payloads.len() { 0xFF } else { MORE };
        wire.extend(frame(opcode & end, payload));
    }
    wire
}
