//! The messages and control frames of one connection that are on their way.

use crate::{
    corpus::{Corpus, Flight},
    failure::Wrong,
};
use framewire::{Client, Connection, ControlFrame, Kind, Rsv, mask};
use std::collections::VecDeque;

/// The messages that are not answered yet. Their bytes are not kept: if the socket did not take them, they are made again.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) flights: VecDeque<Flight>,
    /// The first of these that is not fully written, and how many bytes of its frame are written.
    pub(crate) unsent: usize,
    pub(crate) written: usize,
}

impl Outgoing {
    /// Compares the bytes that arrived after `received` bytes of the same reply with the next message to be answered. Returns
    /// that message once its reply is complete.
    #[inline]
    pub(crate) fn check(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        received: usize,
        last: bool,
        corpus: &Corpus,
    ) -> Result<Option<Flight>, Wrong> {
        let Some(&flight) = self.flights.front() else { return Err(Wrong::Unasked) };
        // A server may stream back the bytes that have arrived, but not end a message that has not ended.
        if self.unsent == 0 && (last || self.written == 0) {
            return Err(Wrong::Unasked);
        }
        corpus.with_reply(&flight, |expected_kind, expected| {
            if kind != expected_kind {
                return Err(Wrong::Kind { is: kind, expected: expected_kind });
            }
            let rest = &expected[received..];
            if rest.get(..bytes.len()) != Some(bytes) {
                let differ = rest.iter().zip(bytes).position(|(expected, is)| expected != is);
                return Err(match differ {
                    Some(i) => Wrong::Byte { at: received + i, is: bytes[i], expected: rest[i] },
                    None => Wrong::Longer { expected: expected.len() },
                });
            }
            if last && bytes.len() < rest.len() {
                return Err(Wrong::Shorter { is: received + bytes.len(), expected: expected.len() });
            }
            Ok(())
        })?;
        if !last {
            return Ok(None);
        }
        self.unsent -= 1;
        Ok(self.flights.pop_front())
    }

    /// Writes the next bytes for the socket to `tx`, masked; returns their number. If `go_on` is false, it stops at the end of
    /// the frame that is begun.
    pub(crate) fn gather(
        &self,
        connection: &mut Connection<Client>,
        corpus: &Corpus,
        tx: &mut [u8],
        go_on: bool,
    ) -> usize {
        let mut len = 0;
        let mut skip = self.written;
        for flight in self.flights.range(self.unsent..) {
            let header = connection.message_header(corpus.kind(), Rsv::NONE, flight.len.into(), flight.key);
            let Ok(header) = header else { break }; // the server closes, which is reported elsewhere
            let head = &header[skip.min(header.len())..];
            if head.len() > tx.len() - len {
                break;
            }
            tx[len..len + head.len()].copy_from_slice(head);
            len += head.len();
            let done = skip.saturating_sub(header.len());
            let payload = &corpus.payload(flight)[done..];
            let n = payload.len().min(tx.len() - len);
            mask::apply_to(flight.key.advance(done), &payload[..n], &mut tx[len..]);
            len += n;
            if n < payload.len() || (skip > 0 && !go_on) {
                break;
            }
            skip = 0;
        }
        len
    }

    /// The socket has taken this many bytes.
    pub(crate) fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let rest = frame_len(self.flights[self.unsent].len) - self.written;
            if n < rest {
                self.written += n;
                return;
            }
            n -= rest;
            self.unsent += 1;
            self.written = 0;
        }
    }

    /// The next message, which other code writes completely.
    pub(crate) fn next_whole(&mut self) -> Option<Flight> {
        let flight = self.flights.get(self.unsent).copied()?;
        self.unsent += 1;
        Some(flight)
    }
}

/// Control frames that go out before the next message. Of the pongs that the socket has not begun to take, only the last is
/// kept (RFC 6455 §5.5.3): a server that floods with pings and does not read costs no memory.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    bytes: Vec<u8>,
    /// It follows `bytes`.
    pong: Option<ControlFrame>,
}

impl Owed {
    pub(crate) fn pong(&mut self, frame: ControlFrame) {
        self.pong = Some(frame);
    }

    pub(crate) fn close(&mut self, frame: &ControlFrame) {
        self.take_pong();
        self.bytes.extend_from_slice(frame);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.pong.is_none()
    }

    /// The bytes to write next; empty if none are owed.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        if self.bytes.is_empty() {
            self.take_pong();
        }
        &self.bytes
    }

    /// The socket has taken this many bytes.
    pub(crate) fn advance(&mut self, n: usize) {
        self.bytes.drain(..n);
    }

    fn take_pong(&mut self) {
        self.bytes.extend(self.pong.take().iter().flat_map(|pong| pong.iter()));
    }
}

/// Header, key and payload.
const fn frame_len(payload: u32) -> usize {
    let header = match payload {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    header + 4 + payload as usize
}
