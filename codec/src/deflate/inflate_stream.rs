//! The stream of one connection: from compressed bytes to those of messages, one message after the other.

use super::{
    MAX_BITS,
    budget::{Grant, Instant},
    inflate_pool::{Corrupt, Decompressor, InflatePool},
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

/// What an [`Inflater`](super::Inflater) is, whatever its role.
#[derive(Debug)]
pub(super) struct Core {
    /// From a message's first byte to its last.
    pub(super) lent: Option<Box<Decompressor>>,
    /// What is kept between messages, with context takeover.
    pub(super) kept: Option<Box<Kept>>,
    pub(super) bits: u8,
    pub(super) error: Option<ProtocolError>,
}

/// What a connection with context takeover keeps between messages.
#[derive(Debug)]
pub(super) struct Kept {
    window: Window,
    /// The last message, if its decompressor can go on from there.
    pub(super) last: Option<Instant>,
    _window: Grant,
}

impl Kept {
    pub(super) const fn new(bits: u8, window: Grant) -> Self {
        Self { window: Window::new(bits), last: None, _window: window }
    }
}

impl Core {
    /// Borrows a decompressor if this is a message's first byte.
    pub(super) fn begin(&mut self, wire: &[u8], pool: &mut InflatePool) -> Result<(), ProtocolError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if wire.is_empty() || self.lent.is_some() {
            return Ok(());
        }
        // There is one: whoever feeds is ready.
        let last = self.kept.as_ref().and_then(|kept| kept.last);
        let Some(mut lent) = pool.lend(last) else { return Err(CORRUPT) };
        lent.text = Validator::new();
        lent.is_fresh = true;
        (lent.wire_len, lent.len, lent.final_blocks) = (0, 0, 0);
        lent.history.restart(self.bits);
        let window = self.kept.as_ref().map_or(&lent.history, |kept| &kept.window);
        let goes_on = lent.left_by.take() == last && last.is_some(); // it is left by nobody until this one ends
        let begun = if goes_on { Ok(()) } else { Decompressor::restart(&mut lent.inflate, window) };
        self.lent = Some(lent);
        begun.map_err(|Corrupt| CORRUPT)
    }

    /// Inflates a whole message, and hands out its bytes in order. Before an error, it hands out those that come before it.
    pub(super) fn whole(
        &mut self,
        mut input: Input<'_>,
        pool: &mut InflatePool,
        mut take: impl FnMut(&[u8]) -> Result<(), Utf8Error>,
    ) -> Result<(), ProtocolError> {
        self.begin(input.bytes, pool)?;
        if self.lent.is_none() {
            return Ok(()); // without a byte
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

    /// Fills the pool's buffer: with how many bytes, and whether they are the last of the message.
    pub(super) fn pull(
        &mut self,
        input: &mut Input<'_>,
        pool: &mut InflatePool,
    ) -> Result<(usize, Span, bool), ProtocolError> {
        let Round { len, end } = self.round(input, pool);
        let Some(lent) = &mut self.lent else { return Ok((0, Span::NONE, false)) };
        // In the order of the bytes: the same error comes first, however they were cut.
        let mut span = Span::NONE;
        if input.kind == Kind::Text {
            let before = lent.text;
            lent.text.feed(&pool.out[..len]).map_err(|_| ProtocolError::InvalidUtf8)?;
            span = Span { before, after: lent.text };
        }
        let End::Message { on } = end? else { return Ok((len, span, false)) };
        if input.kind == Kind::Text {
            lent.text.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
        }
        self.end(on, pool);
        Ok((len, span, true))
    }

    /// Fills the pool's buffer, as far as the input goes and the limit allows.
    fn round(&mut self, input: &mut Input<'_>, pool: &mut InflatePool) -> Round {
        let Some(lent) = &mut self.lent else { return Round { len: 0, end: Ok(End::Part) } };
        let (window, is_kept) = match &mut self.kept {
            Some(kept) => (&mut kept.window, true),
            None => (&mut lent.history, false),
        };
        // One byte more than may come shows what is too much, however the input was cut.
        let allowed = pool.most_bytes().saturating_sub(lent.len);
        let room =
            usize::try_from(allowed.saturating_add(1)).map_or(pool.out.len(), |n| n.min(pool.out.len()));
        let out = &mut pool.out[..room];

        let (mut filled, mut recorded) = (0, 0);
        let end = loop {
            let (taken, given) = (lent.inflate.total_in(), lent.inflate.total_out());
            let end = match input.source {
                Source::Payload => clamp(MOST_WIRE - lent.wire_len, input.bytes.len()),
                _ => input.bytes.len(),
            };
            let bytes = &input.bytes[..end];
            let status = lent.inflate.decompress(bytes, &mut out[filled..], InflateFlush::SyncFlush);
            let taken = (lent.inflate.total_in() - taken) as usize;
            let given = (lent.inflate.total_out() - given) as usize;
            input.bytes = &input.bytes[taken..];
            filled += given;
            if input.source == Source::Payload {
                lent.wire_len += taken as u64;
                lent.is_fresh &= taken == 0;
            } else if input.source == Source::Probe && given > 0 {
                filled -= given; // not of the message: neither text nor too much
                break Err(CORRUPT);
            } else if input.source == Source::BlockEnd && given > 0 {
                input.source = Source::Tail;
            }
            match (status, input.source) {
                (Err(_), _) => break Err(CORRUPT),
                (Ok(Status::StreamEnd), Source::Payload) => {
                    // A final block. What follows is another stream, which may reach back over the end of this one
                    // (RFC 7692 §7.2.1). That costs a window's copying, so there is a bound to it.
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
                (Ok(Status::StreamEnd), _) if input.bytes.is_empty() => break Ok(End::Message { on: false }),
                (Ok(Status::StreamEnd), _) => break Err(CORRUPT),
                _ if filled == room => break Ok(End::Full),
                _ if !input.bytes.is_empty() => {
                    if taken == 0 && given == 0 {
                        break Err(ProtocolError::MessageTooBig); // there is input, and room: more than `MOST_WIRE`
                    }
                }
                (_, Source::Payload) if !input.last => break Ok(End::Part),
                // The last block was marked as final, and nothing is behind it.
                (_, Source::Payload) if lent.is_fresh => break Ok(End::Message { on: true }),
                (_, Source::Payload) => match Decompressor::begin_tail(&mut lent.inflate) {
                    Ok(rest) if rest.is_empty() => (input.source, input.bytes) = (Source::BlockEnd, rest),
                    Ok(rest) => (input.source, input.bytes) = (Source::Tail, rest),
                    Err(Corrupt) => break Err(CORRUPT),
                },
                (_, Source::BlockEnd) => (input.source, input.bytes) = (Source::Empty, EMPTY),
                (_, Source::Empty) => break Ok(End::Message { on: true }),
                (_, Source::Tail) => (input.source, input.bytes) = (Source::Probe, PROBE),
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

    /// The message has ended.
    fn end(&mut self, on: bool, pool: &mut InflatePool) {
        if let (Some(kept), Some(lent)) = (&mut self.kept, &mut self.lent) {
            // With less than 15 bits, the decompressor would know of more than is kept.
            let on = on && self.bits == MAX_BITS && lent.inflate.total_in() < MOST_IN;
            kept.last = on.then(|| pool.clock.tick());
            lent.left_by = kept.last;
        }
        self.give_back(pool);
    }

    /// The first error stays; it is given back.
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

#[derive(Debug)]
pub(super) struct Input<'a> {
    /// What is still to be taken in, of `source`.
    pub(super) bytes: &'a [u8],
    pub(super) kind: Kind,
    pub(super) last: bool,
    pub(super) source: Source,
}

impl<'a> Input<'a> {
    pub(super) const fn whole(kind: Kind, bytes: &'a [u8]) -> Self {
        Self { bytes, kind, last: true, source: Source::Payload }
    }
}

/// What the bytes of a message are, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What the peer sent.
    Payload,
    /// What the peer left out at the end (RFC 7692 §7.2.2): it ends with a block, if nothing comes out any more.
    BlockEnd,
    /// The same, if it does something else.
    Tail,
    /// An empty block, for a stream between two blocks: it goes on behind that if it was at a byte's start.
    /// Otherwise, bits of [`TAIL`](super::TAIL) are left, all ones: they begin a final block or none, and the message was
    /// truncated.
    Empty,
    /// An empty block marked as final: only a stream between two blocks, at a byte's start, ends with it.
    /// Otherwise, the message was truncated.
    Probe,
}

/// What one round of inflating brought: so many bytes of the message, in the pool's buffer; and what comes behind them.
struct Round {
    len: usize,
    end: Result<End, ProtocolError>,
}

/// How far one round of inflating came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The buffer is full.
    Full,
    /// The part is taken in.
    Part,
    /// The message has ended. `on`: and the next one can begin where the decompressor has stopped.
    Message { on: bool },
}

pub(super) const CORRUPT: ProtocolError = ProtocolError::CorruptDeflate;

/// On some targets, zlib-rs counts a stream's input in 32 bits: a message does not go on with a stream that has taken in
/// more than this.
const MOST_IN: u64 = 1 << 31;

/// The most compressed bytes of one message: there, what the count has left beside [`MOST_IN`] and [`TAIL`](super::TAIL),
/// for inside a message, no stream begins anew.
pub(super) const MOST_WIRE: u64 =
    if size_of::<c_ulong>() < size_of::<u64>() { MOST_IN - 64 } else { u64::MAX };

/// Deflate streams that a message may be made of, and for how many of its bytes there may be one more.
const FINAL_BLOCKS: u64 = 64;
const WIRE_PER_FINAL_BLOCK: u64 = 64;

/// An empty stored block.
const EMPTY: &[u8] = &[0x00, 0x00, 0x00, 0xff, 0xff];

/// The same, marked as final.
const PROBE: &[u8] = &[0x01, 0x00, 0x00, 0xff, 0xff];
