//! A loop written by hand, which trusts that every frame is a valid, whole message of a client: framewire's kernel to unmask,
//! simdutf8 to validate, and no check that finding the next frame does not need. Only unmasking and validating in one pass
//! can be faster.

use super::gather::Gather;
use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::Socket,
    work::Part,
};
use arrayvec::ArrayVec;
use bytes::Bytes;
use framewire::{Kind, mask};

pub(super) struct ByHand {
    socket: Socket,
    rx: Vec<u8>,
    /// The bytes of `rx` that are not decoded yet.
    start: usize,
    end: usize,
}

impl Peer for ByHand {
    const ABOUT: About =
        About { name: "by hand", package: "simdutf8", part: Part::Limit, validates: Validation::Always };
    const IN_HAND: bool = true;

    type Outgoing = (Kind, Bytes);

    fn new(socket: Socket) -> Self {
        Self { rx: vec![0; socket.wire_len()], socket, start: 0, end: 0 }
    }

    #[inline]
    fn fill(&mut self) -> bool {
        if !self.socket.arrive() {
            return false;
        }
        self.rx.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.end += self.socket.read(&mut self.rx[self.end..]);
        true
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        let rx = &mut self.rx[self.start..self.end];
        self.start += each_frame(rx, |kind, payload| sink.message(kind, payload))?;
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        (kind, payload.clone())
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        let mut out = Gather::new(&self.socket);
        for (kind, payload) in &*messages {
            out.push(header(*kind, payload.len()), payload);
        }
        out.flush();
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        let rx = &mut self.rx[self.start..self.end];
        let mut out = Gather::new(&self.socket);
        self.start += each_frame(rx, |kind, payload| out.push(header(kind, payload.len()), payload))?;
        out.flush();
        Ok(())
    }
}

/// Gives the whole frames at the start of `rx`, and returns their length.
#[inline]
fn each_frame<'b>(
    mut rx: &'b mut [u8],
    mut each: impl FnMut(Kind, &'b [u8]),
) -> Result<usize, simdutf8::basic::Utf8Error> {
    let before = rx.len();
    while rx.len() >= 6 {
        assert!(rx[0] & 0x70 == 0 && rx[1] & 0x80 != 0);
        let kind = if rx[0] & 0xF == 1 { Kind::Text } else { Kind::Binary };
        let (len, head) = match rx[1] & 0x7F {
            126 => (usize::from(u16::from_be_bytes([rx[2], rx[3]])), 8),
            127 if rx.len() < 14 => break,
            127 => (u64::from_be_bytes(rx[2..10].try_into().expect("eight bytes")) as usize, 14),
            len => (usize::from(len), 6),
        };
        if rx.len() < head + len {
            break;
        }
        let (frame, rest) = std::mem::take(&mut rx).split_at_mut(head + len);
        rx = rest;
        let (head, payload) = frame.split_at_mut(head);
        let key: [u8; 4] = *head.last_chunk().expect("four bytes");
        mask::apply(key.into(), payload);
        if kind == Kind::Text {
            simdutf8::basic::from_utf8(payload)?;
        }
        each(kind, payload);
    }
    Ok(before - rx.len())
}

#[inline]
fn header(kind: Kind, len: usize) -> ArrayVec<u8, 10> {
    let mut header = ArrayVec::new();
    header.push(if kind == Kind::Text { 0x81 } else { 0x82 });
    match len {
        0..126 => header.push(len as u8),
        126..0x1_0000 => {
            header.push(126);
            header.extend((len as u16).to_be_bytes());
        }
        _ => {
            header.push(127);
            header.extend((len as u64).to_be_bytes());
        }
    }
    header
}
