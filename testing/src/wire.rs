//! Frames as RFC 6455 §5.2 describes them, written without the codec. Otherwise a mistake that it makes in both
//! directions would not be found.

use framewire::{Role, mask::Key};

/// The first byte of a text message in one frame.
pub const TEXT: u8 = 0x81;
/// The first byte of a binary message in one frame.
pub const BINARY: u8 = 0x82;
/// The first byte of the last frame of a message in several.
pub const CONTINUATION: u8 = 0x80;
/// The first byte of a close.
pub const CLOSE: u8 = 0x88;
/// The first byte of a ping.
pub const PING: u8 = 0x89;
/// The first byte of a pong.
pub const PONG: u8 = 0x8A;
/// Sets RSV1 in the first byte of a frame: its message is compressed.
pub const RSV1: u8 = 0x40;
/// Clears the FIN bit in the first byte of a frame.
pub const MORE: u8 = 0x7F;

/// The key of the RFC's examples; clients under test mask control frames with it.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A key that differs for each payload length, so that a key that is used too long is found.
pub fn key(len: usize) -> [u8; 4] {
    (len as u32).wrapping_mul(0x9E37_79B9).wrapping_add(0x1234_5678).to_be_bytes()
}

/// XOR as RFC 6455 §5.3 writes it.
pub fn masked(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
}

/// A header, from RFC 6455 §5.2.
pub fn head(first: u8, key: Option<[u8; 4]>, len: u64) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut wire = vec![first];
    if len < 126 {
        wire.push(bit + len as u8);
    } else if len < 65536 {
        wire.push(bit + 126);
        wire.extend((len as u16).to_be_bytes());
    } else {
        wire.push(bit + 127);
        wire.extend(len.to_be_bytes());
    }
    wire.extend(key.iter().flatten());
    wire
}

/// A frame, from RFC 6455 §5.2.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut wire = head(first, key, payload.len() as u64);
    wire.extend(masked(key.unwrap_or_default(), payload));
    wire
}

/// A frame as its peer sends it to a role.
pub fn to<S: Role>(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, (!is_client::<S>()).then(|| key(payload.len())), payload)
}

/// A header alone as its peer sends it to a role.
pub fn head_to<S: Role>(first: u8, len: u64) -> Vec<u8> {
    head(first, (!is_client::<S>()).then_some(KEY), len)
}

/// A control frame as a role under test sends it.
pub fn from<S: Role>(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, is_client::<S>().then_some(KEY), payload)
}

/// The payload of a close frame.
pub fn closing(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// Joins frames.
pub fn cat(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

/// Whether a role masks what it sends.
pub fn is_client<R: Role>() -> bool {
    R::key(Key::default).into().is_some()
}

/// The key of control frames under test.
pub fn fixed<R: Role>() -> R::Key {
    R::key(|| Key::new(KEY))
}
