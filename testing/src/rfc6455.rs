//! A slow, literal reader of RFC 6455, which gets the whole wire at once and computes the outcome.

use crate::{
    host::{Frames, Item, Outcome},
    wire::{CLOSE, PONG, closing, from, is_client, masked},
};
use core::str;
use framewire::{Header, Kind, Limits, ProtocolError, Role, Rsv};

/// A header as the oracle reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its first byte.
    pub first: u8,
    /// The masking key, if it has one.
    pub key: Option<[u8; 4]>,
    /// The length of the payload.
    pub len: u64,
    /// The length of the header.
    pub wire_len: usize,
}

/// Applies RFC 6455 §5.2 and §5.5 to a whole header, or to the start of one that is already wrong.
pub fn read_head(wire: &[u8]) -> Result<Option<Head>, ProtocolError> {
    let at = |i: usize| wire.get(i).copied();
    let Some(first) = at(0) else { return Ok(None) };
    let opcode = first % 16;
    if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
        return Err(ProtocolError::ReservedOpcode);
    }
    if opcode >= 8 && first < 128 {
        return Err(ProtocolError::FragmentedControl);
    }
    let Some(second) = at(1) else { return Ok(None) };
    let short = u64::from(second % 128);
    if opcode >= 8 && short > 125 {
        return Err(ProtocolError::ControlTooLong);
    }
    let extra = [0, 2, 8][short.saturating_sub(125) as usize];
    let mut len = 0;
    for i in 0..extra {
        let Some(byte) = at(2 + i) else { return Ok(None) };
        len = len * 256 + u128::from(byte);
    }
    let (len, least) = match extra {
        0 => (u128::from(short), 0),
        2 => (len, 126),
        _ => (len, 65536),
    };
    if len >= 1 << 63 {
        return Err(ProtocolError::LengthOutOfRange);
    }
    if len < least {
        return Err(ProtocolError::LengthNotMinimal);
    }
    let (mut key, mut wire_len) = (None, 2 + extra);
    if second >= 128 {
        let Some(bytes) = wire.get(wire_len..wire_len + 4) else { return Ok(None) };
        key = Some([bytes[0], bytes[1], bytes[2], bytes[3]]);
        wire_len += 4;
    }
    Ok(Some(Head { first, key, len: len as u64, wire_len }))
}

/// The outcome that a role should have for `wire`.
pub fn oracle<S: Role>(wire: &[u8], limits: Limits, extension_bits: Rsv) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(error) = oracle_frames::<S>(wire, limits, extension_bits, &mut outcome) {
        let owed = !matches!(outcome.items.last(), Some(Item::Close(_)));
        let payload = closing(error.close_code().get(), &error.to_string());
        outcome.farewell = owed.then(|| from::<S>(CLOSE, &payload));
        outcome.error = Some(error);
    }
    outcome
}

fn oracle_frames<S: Role>(
    mut wire: &[u8],
    limits: Limits,
    extension_bits: Rsv,
    outcome: &mut Outcome,
) -> Result<(), ProtocolError> {
    let mut open: Option<(Kind, Rsv, Vec<u8>, u128)> = None;
    while let Some(head) = read_head(wire)? {
        match (is_client::<S>(), head.key) {
            (false, None) => return Err(ProtocolError::MaskMissing),
            (true, Some(_)) => return Err(ProtocolError::MaskUnexpected),
            _ => {}
        }
        let opcode = head.first % 16;
        let bits = rsv(head.first);
        let allowed = matches!(opcode, 1 | 2) && extension_bits.contains(bits);
        if !bits.is_none() && !allowed {
            return Err(ProtocolError::ReservedBit);
        }
        let behind = &wire[head.wire_len..];
        let have = head.len.min(behind.len() as u64) as usize;
        let payload = masked(head.key.unwrap_or_default(), &behind[..have]);
        let whole = have as u64 == head.len;
        if opcode >= 8 {
            if !whole {
                return Ok(());
            }
            match opcode {
                9 => {
                    outcome.replies.extend(from::<S>(PONG, &payload));
                    outcome.items.push(Item::Ping(payload));
                }
                10 => outcome.items.push(Item::Pong(payload)),
                _ => {
                    let code = match payload[..] {
                        [] => 1000,
                        [_] => return Err(ProtocolError::CloseTooShort),
                        [high, low, ..] => u16::from_be_bytes([high, low]),
                    };
                    let sendable = [1000..=1003, 1007..=1014, 3000..=4999].iter().any(|r| r.contains(&code));
                    if !sendable {
                        return Err(ProtocolError::InvalidCloseCode);
                    }
                    if str::from_utf8(payload.get(2..).unwrap_or_default()).is_err() {
                        return Err(ProtocolError::InvalidUtf8);
                    }
                    outcome.replies.extend(from::<S>(CLOSE, &payload[..payload.len().min(2)]));
                    outcome.items.push(Item::Close(payload));
                    return Ok(());
                }
            }
        } else {
            match (opcode, &open) {
                (0, None) => return Err(ProtocolError::UnexpectedContinuation),
                (1 | 2, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
                _ => {}
            }
            let kind = if opcode == 1 { Kind::Text } else { Kind::Binary };
            let (kind, rsv, bytes, declared) = open.get_or_insert((kind, bits, Vec::new(), 0));
            *declared += u128::from(head.len);
            let limits = if rsv.is_none() { limits } else { limits.encoded() };
            if head.len > limits.frame {
                return Err(ProtocolError::FrameTooBig);
            }
            if *declared > u128::from(limits.message) {
                return Err(ProtocolError::MessageTooBig);
            }
            bytes.extend(payload);
            let ends = whole && head.first >= 128;
            if *kind == Kind::Text && rsv.is_none() {
                match str::from_utf8(bytes) {
                    Err(error) if ends || error.error_len().is_some() => {
                        return Err(ProtocolError::InvalidUtf8);
                    }
                    _ => {}
                }
            }
            if !whole {
                return Ok(());
            }
            if ends {
                let (kind, rsv, bytes, _) = open.take().unwrap();
                outcome.items.push(Item::Message(kind, rsv, bytes));
            }
        }
        wire = &wire[head.wire_len + have..];
    }
    Ok(())
}

/// The frames and the error that a decoder should return for a wire.
pub fn decoded(mut wire: &[u8], unmask: bool) -> Frames {
    let mut frames = vec![];
    loop {
        let head = match read_head(wire) {
            Ok(Some(head)) => head,
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        };
        let header = Header::parse(wire).unwrap().unwrap(); // the tests of headers compare it with `read_head`
        let behind = &wire[head.wire_len..];
        let have = head.len.min(behind.len() as u64) as usize;
        let whole = have as u64 == head.len;
        if whole || have > 0 {
            let key = if unmask { head.key.unwrap_or_default() } else { [0; 4] };
            frames.push((header, masked(key, &behind[..have]), whole));
        }
        if !whole {
            return (frames, None);
        }
        wire = &behind[have..];
    }
}

/// The reserved bits with these three bits of the wire.
pub fn rsv(first: u8) -> Rsv {
    [(0x40, Rsv::RSV1), (0x20, Rsv::RSV2), (0x10, Rsv::RSV3)]
        .into_iter()
        .filter(|(bit, _)| first & bit != 0)
        .fold(Rsv::NONE, |all, (_, one)| all | one)
}
