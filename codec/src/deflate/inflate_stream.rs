//! The compressed stream of one connection, inflated one message after the other.

use super::{
    budget::{Grant, Instant},
    format::MAX_BITS,
    inflate_pool::{Corrupt, Decompressor, InflatePool, Source},
    window::Window,
};
use crate::{
    error::ProtocolError,
    event::{Kind, Span},
    frame::clamp,
    utf8::{Utf8Error, Validator},
};
use alloc::boxed::Box;
use core::ffi::c_ulong;
use zlib_rs::{InflateFlush, Status};

/// The state of an [`Inflater`](super::Inflater), for either role.
#[derive(Debug)]
pub(super) struct Core {
    /// The decompressor of the open message, from its first byte to its last.
    pub(super) lent: Option<Box<Decompressor>>,
    /// The state between messages, with context takeover.
    pub(super) kept: Option<Box<Kept>>,
    pub(super) bits: u8,
    pub(super) error: Option<ProtocolError>,
}

/// The state that a connection with context takeover keeps between messages.
#[derive(Debug)]
pub(super) struct Kept {
    window: Window,
    /// The last message, if its decompressor can continue after it.
    pub(super) last: Option<Instant>,
    _window: Grant,
}

impl Kept {
    pub(super) const fn new(bits: u8, window: Grant) -> Self {
        Self { window: Window::new(bits), last: None, _window: window }
    }
}

impl Core {
    /// Borrows a decompressor if these are a message's first bytes. If that fails, so does the stream.
    pub(super) fn begin(&mut self, wire: &[u8], pool: &mut InflatePool) -> Result<(), ProtocolError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match &self.lent {
            // The host has not fed the rest of a paused part, but another one.
            Some(lent) if lent.source != Source::Payload && !wire.is_empty() => {
                return Err(self.fail(CORRUPT, pool));
            }
            None if !wire.is_empty() => {}
            _ => return Ok(()),
        }
        // There is one: only a `Ready` can feed, and it has reserved a place.
        let last = self.kept.as_ref().and_then(|kept| kept.last);
        let Some(mut lent) = pool.lend(last) else { return Err(self.fail(CORRUPT, pool)) };
        lent.text = Validator::new();
        lent.is_fresh = true;
        (lent.source, lent.tail) = (Source::Payload, &[]);
        (lent.wire_len, lent.len, lent.final_blocks) = (0, 0, 0);
        lent.history.restart(self.bits);
        let window = self.kept.as_ref().map_or(&lent.history, |kept| &kept.window);
        let goes_on = lent.left_by.take() == last && last.is_some(); // `left_by` stays `None` until this message ends
        let begun = if goes_on { Ok(()) } else { Decompressor::restart(&mut lent.inflate, window) };
        self.lent = Some(lent);
        begun.map_err(|Corrupt| self.fail(CORRUPT, pool))
    }

    /// Inflates a whole message, and gives its bytes to `take` in order. If there is an error, `take` gets the bytes
    /// before it. It is an error if a message is open: a text may have been cut inside a character.
    pub(super) fn whole(
        &mut self,
        mut input: Input<'_>,
        pool: &mut InflatePool,
        mut take: impl FnMut(&[u8]) -> Result<(), Utf8Error>,
    ) -> Result<(), ProtocolError> {
        if self.lent.is_some() {
            return Err(self.fail(ProtocolError::ExpectedContinuation, pool));
        }
        self.begin(input.bytes, pool)?;
        if self.lent.is_none() {
            return Ok(()); // an empty message
        }
        loop {
            let Round { len, end } = self.round(&mut input, pool);
            let taken = take(&pool.out[..len]).map_err(|_| ProtocolError::InvalidUtf8);
            match taken.and(end) {
                Ok(End::Message { on }) => {
                    self.end(on, pool);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => return Err(self.fail(error, pool)),
            }
        }
    }

    /// Fills the pool's buffer. Returns the number of bytes, the states of their validation, and whether they are the
    /// last of the message.
    pub(super) fn pull(
        &mut self,
        input: &mut Input<'_>,
        pool: &mut InflatePool,
    ) -> Result<(usize, Span, bool), ProtocolError> {
        let Round { len, end } = self.round(input, pool);
        let Some(lent) = &mut self.lent else { return Ok((0, Span::NONE, false)) };
        // In the order of the bytes, so that the same error comes first however they were cut.
        let mut span = Span::NONE;
        if input.kind == Kind::Text {
            let before = lent.text;
            lent.text.feed(&pool.out[..len]).map_err(|_| ProtocolError::InvalidUtf8)?;
            span = Span::new(before, lent.text);
        }
        let End::Message { on } = end? else { return Ok((len, span, false)) };
        if input.kind == Kind::Text {
            lent.text.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
        }
        self.end(on, pool);
        Ok((len, span, true))
    }

    /// Fills the pool's buffer as far as the input and the limit allow.
    fn round(&mut self, input: &mut Input<'_>, pool: &mut InflatePool) -> Round {
        let Some(lent) = &mut self.lent else { return Round { len: 0, end: Ok(End::Part) } };
        let (window, is_kept) = match &mut self.kept {
            Some(kept) => (&mut kept.window, true),
            None => (&mut lent.history, false),
        };
        // With room for one byte more than the limit allows, a message that is too big shows, however its input was
        // cut.
        let allowed = pool.most_bytes().saturating_sub(lent.len);
        let room =
            usize::try_from(allowed.saturating_add(1)).map_or(pool.out.len(), |n| n.min(pool.out.len()));
        let out = &mut pool.out[..room];

        let (mut filled, mut recorded) = (0, 0);
        let end = loop {
            let (taken, given) = (lent.inflate.total_in(), lent.inflate.total_out());
            let bytes = match lent.source {
                Source::Payload => &input.bytes[..clamp(MOST_WIRE - lent.wire_len, input.bytes.len())],
                _ => lent.tail,
            };
            let status = lent.inflate.decompress(bytes, &mut out[filled..], InflateFlush::SyncFlush);
            let taken = (lent.inflate.total_in() - taken) as usize;
            let given = (lent.inflate.total_out() - given) as usize;
            filled += given;
            let is_used_up = match lent.source {
                Source::Payload => {
                    input.bytes = &input.bytes[taken..];
                    lent.wire_len += taken as u64;
                    lent.is_fresh &= taken == 0;
                    input.bytes.is_empty()
                }
                _ => {
                    lent.tail = &lent.tail[taken..];
                    lent.tail.is_empty()
                }
            };
            if lent.source == Source::Probe && given > 0 {
                filled -= given; // these bytes are not of the message, so they are not validated or counted
                break Err(CORRUPT);
            } else if lent.source == Source::BlockEnd && given > 0 {
                lent.source = Source::Tail;
            }
            match (status, lent.source) {
                (Err(_), _) => break Err(CORRUPT),
                (Ok(Status::StreamEnd), Source::Payload) => {
                    // A final block ends a deflate stream. Another stream follows, which may refer to bytes of this one
                    // (RFC 7692 §7.2.1). Each new stream copies a window, so their number is bounded.
                    lent.final_blocks += 1;
                    if lent.final_blocks > FINAL_BLOCKS + lent.wire_len / WIRE_PER_FINAL_BLOCK {
                        break Err(CORRUPT);
                    }
                    window.push(&out[recorded..filled]);
                    recorded = filled;
                    if Decompressor::restart(&mut lent.inflate, window).is_err() {
                        break Err(CORRUPT);
                    }
                    lent.is_fresh = true;
                }
                (Ok(Status::StreamEnd), Source::Empty) => break Err(CORRUPT),
                (Ok(Status::StreamEnd), _) if is_used_up => break Ok(End::Message { on: false }),
                (Ok(Status::StreamEnd), _) => break Err(CORRUPT),
                _ if filled == room => break Ok(End::Full),
                _ if !is_used_up => {
                    if taken == 0 && given == 0 {
                        break Err(ProtocolError::MessageTooBig); // there is input and room, so `MOST_WIRE` is reached
                    }
                }
                (_, Source::Payload) if !input.last => break Ok(End::Part),
                // The last block was a final one, and nothing follows it.
                (_, Source::Payload) if lent.is_fresh => break Ok(End::Message { on: true }),
                (_, Source::Payload) => match Decompressor::begin_tail(&mut lent.inflate) {
                    Ok(rest) if rest.is_empty() => (lent.source, lent.tail) = (Source::BlockEnd, rest),
                    Ok(rest) => (lent.source, lent.tail) = (Source::Tail, rest),
                    Err(Corrupt) => break Err(CORRUPT),
                },
                (_, Source::BlockEnd) => (lent.source, lent.tail) = (Source::Empty, EMPTY),
                (_, Source::Empty) => break Ok(End::Message { on: true }),
                (_, Source::Tail) => (lent.source, lent.tail) = (Source::Probe, PROBE),
                (_, Source::Probe) => break Err(CORRUPT),
            }
        };

        let len = clamp(allowed, filled);
        lent.len += len as u64;
        if is_kept || !matches!(end, Ok(End::Message { .. })) {
            window.push(&out[recorded..filled]);
        }
        Round { len, end: if filled > len { Err(ProtocolError::MessageTooBig) } else { end } }
    }

    /// Ends the message. `on`: the next one can continue where the decompressor has stopped.
    fn end(&mut self, on: bool, pool: &mut InflatePool) {
        if let (Some(kept), Some(lent)) = (&mut self.kept, &mut self.lent) {
            // With less than 15 bits, the decompressor would have more bytes than the window that was agreed on.
            let on = on && self.bits == MAX_BITS && lent.inflate.total_in() < MOST_IN;
            kept.last = on.then(|| pool.clock.tick());
            lent.left_by = kept.last;
        }
        self.give_back(pool);
    }

    /// Fails the stream, and returns the first error with which it failed.
    pub(super) fn fail(&mut self, error: ProtocolError, pool: &mut InflatePool) -> ProtocolError {
        self.give_back(pool);
        *self.error.get_or_insert(error)
    }

    fn give_back(&mut self, pool: &mut InflatePool) {
        if let Some(lent) = self.lent.take() {
            pool.take_back(lent);
        }
    }
}

/// The part that is being taken in.
#[derive(Debug)]
pub(super) struct Input<'a> {
    /// The bytes that are still to be taken in.
    pub(super) bytes: &'a [u8],
    pub(super) kind: Kind,
    pub(super) last: bool,
}

impl<'a> Input<'a> {
    pub(super) const fn whole(kind: Kind, bytes: &'a [u8]) -> Self {
        Self { bytes, kind, last: true }
    }
}

/// The result of one round of inflating: the number of bytes in the pool's buffer, and how the round ended.
struct Round {
    len: usize,
    end: Result<End, ProtocolError>,
}

/// Why a round of inflating ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The buffer is full.
    Full,
    /// All of the part is taken in.
    Part,
    /// The message has ended. `on`: the next one can continue where the decompressor has stopped.
    Message { on: bool },
}

pub(super) const CORRUPT: ProtocolError = ProtocolError::CorruptDeflate;

/// On some targets, zlib-rs counts the input of a stream in 32 bits. So no message continues a stream that has taken in
/// more than this.
const MOST_IN: u64 = 1 << 31;

/// The most compressed bytes of one message. On those targets, it is the rest of the 32-bit count after [`MOST_IN`] and
/// `TAIL`: inside a message, the stream cannot be started anew.
pub(super) const MOST_WIRE: u64 =
    if size_of::<c_ulong>() < size_of::<u64>() { MOST_IN - 64 } else { u64::MAX };

/// A message may have this many final blocks, and one more for each of these bytes of its input.
const FINAL_BLOCKS: u64 = 64;
const WIRE_PER_FINAL_BLOCK: u64 = 64;

/// An empty stored block.
const EMPTY: &[u8] = &[0x00, 0x00, 0x00, 0xff, 0xff];

/// The same, marked as final.
const PROBE: &[u8] = &[0x01, 0x00, 0x00, 0xff, 0xff];
