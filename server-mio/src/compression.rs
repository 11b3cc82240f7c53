//! permessage-deflate (RFC 7692): the state of a peer that negotiated it, and the pools that all peers of a loop share.

use crate::{
    budget::{Budget, STEP},
    config::{CompressionConfig, Config},
    line::{Line, Ticket},
    replies::Replies,
};
use framewire::{
    Assembler, Connection, Kind, Part, ProtocolError, Rsv, SendError, Server, Unmasked,
    deflate::{
        DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, NoWindow, Place, Ready,
    },
    extension::{self, DeflateParams},
    outbox::Outbox,
};
use std::borrow::Cow;

/// The pools that all peers of a loop share.
#[derive(Debug)]
pub(crate) struct Pools {
    pub(crate) inflate: InflatePool,
    pub(crate) deflate: DeflatePool,
    pub(crate) budget: Budget,
    min_len: usize,
    /// Sessions that have more to do. They take turns.
    pub(crate) working: Line,
    /// Sessions whose message has already cost [much](Budget::is_heavy). They are finished one
    /// after the other: if all of them were in progress, they would need much more memory, and none of it would be in the cache.
    pub(crate) heavy: Line,
    /// Sessions that are not read, because no decompressor is free for their next message.
    pub(crate) line: Line,
}

/// The most bytes that one step inflates. It is the size of the largest window, so that a window seldom has to grow: that would
/// leave holes in the heap.
const INFLATED: usize = 32 << 10;

/// The most compressed bytes that one step takes in.
const TAKEN: usize = 4 << 10;

/// What a step of inflating costs besides the bytes that it makes: so much for itself, and for each byte that it takes in. (If
/// the peer sends code tables, a byte takes as long as four that are compressed with far references.)
const INFLATE_STEP: usize = 128;
const INFLATE_BYTE: usize = 4;

/// What each message costs to compress, besides its bytes: finding a compressor, and reading a window in.
const COMPRESS: usize = 1 << 10;

/// How many bytes of messages a session inflates before those in the line get their turn. A message that has begun is always
/// finished first.
const SHARE: usize = 64 << 10;

const _: () = assert!(INFLATE_STEP + INFLATE_BYTE * TAKEN + INFLATED <= STEP);

impl Pools {
    /// Makes the pools, if compression is configured.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let (inflate, deflate) = budgets(config.compression.as_ref()?, config.limits.message);
        Some(Self {
            budget: Budget::new(),
            min_len: deflate.min_len,
            inflate: InflatePool::new(inflate),
            deflate: DeflatePool::new(deflate),
            working: Line::default(),
            heavy: Line::default(),
            line: Line::default(),
        })
    }

    /// The policy for a new peer: no compression if no decompressor is free, and no context between its messages if no
    /// window is left for it.
    pub(crate) fn agreement(&self, config: &CompressionConfig) -> Option<extension::DeflatePolicy> {
        let mut agreement = config.policy;
        agreement.client_no_context_takeover |= !self.inflate.has_window(agreement.client_max_window_bits);
        self.can_begin().then_some(agreement)
    }

    /// Whether a session that is not in the line can begin a compressed message: a decompressor is free, and nobody waits for it.
    pub(crate) fn can_begin(&self) -> bool {
        self.line.is_empty() && self.inflate.has_decompressor()
    }

    /// Whether a session has a turn that no event will report.
    pub(crate) fn has_turns(&self) -> bool {
        let works = !self.working.is_empty() || !self.heavy.is_empty();
        works || !self.line.is_empty() && self.inflate.has_decompressor()
    }

    /// How many bytes of memory are in use or in reserve.
    pub(crate) fn memory(&self) -> usize {
        self.inflate.decompressors() * InflatePool::DECOMPRESSOR
            + self.deflate.compressors() * DeflatePool::COMPRESSOR
            + self.inflate.windows()
            + self.deflate.windows()
    }

    /// Takes the first session out of the line, if a decompressor is free for it.
    pub(crate) fn call(&mut self) -> Option<usize> {
        if self.inflate.has_decompressor() { self.line.call() } else { None }
    }
}

/// Divides the configured memory into quarters: for decompressors, for compressors, for the windows of received messages, and
/// for those of sent messages.
fn budgets(config: &CompressionConfig, message: u64) -> (InflateConfig, DeflateConfig) {
    let quarter = config.memory / 4;
    // If a message is cut, it also takes a window of up to 32 KiB.
    let inflating = InflatePool::DECOMPRESSOR + (32 << 10);
    let compressors = (quarter / DeflatePool::COMPRESSOR).min(DeflateConfig::default().compressors);
    (
        InflateConfig { messages: quarter / inflating, message, windows: quarter, part: INFLATED },
        DeflateConfig { level: config.level, min_len: config.min_len, compressors, windows: quarter },
    )
}

/// The state of one peer that negotiated compression.
#[derive(Debug)]
pub(crate) struct Compression {
    inflater: Inflater<Server>,
    deflater: Deflater<Server>,
    /// The time, on the loop's clock, at which the session got the decompressor or the place that it holds.
    begun: u32,
    /// Bytes of messages that were inflated since the session last waited for a decompressor, or might have.
    inflated: usize,
    /// The session was inside a message when its turn began.
    resumed: bool,
    /// The place of the message to which a reply is being compressed, or of one that the line has called. So such messages count
    /// among those that are being inflated, and their number is limited.
    place: Option<Place>,
    /// What the open message, or the replies that wait, have cost so far.
    cost: usize,
    /// The place in the queue in which the session waits; or its place in the queue for heavy messages, until the message ends.
    pub(crate) ticket: Ticket,
    pub(crate) has_heavy_ticket: bool,
    work: Option<Box<Work>>,
}

/// What a turn has left to the next one.
#[derive(Debug, Default)]
struct Work {
    paused: Option<Paused>,
    rest: Option<Rest>,
    replies: Replies,
}

/// A part of a message that is not inflated yet: the first bytes of the [`Rest`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paused {
    kind: Kind,
    last: bool,
    len: usize,
}

/// Bytes that were read, and are left to a later turn. There may be none if more of a part must be inflated.
#[derive(Debug)]
pub(crate) struct Rest {
    bytes: Vec<u8>,
    start: usize,
}

/// What came of a part.
pub(crate) enum Outcome {
    /// The part is used up, and more of the message is to come.
    More,
    Whole(Kind, Vec<u8>),
    /// The budget is spent: this many bytes of the part are left.
    Paused(usize),
}

impl Compression {
    pub(crate) fn new(params: &DeflateParams, pools: &Pools) -> Result<Self, NoWindow> {
        let inflater = Inflater::new(params, &pools.inflate)?;
        Ok(Self {
            inflater,
            deflater: Deflater::new(params),
            begun: 0,
            inflated: 0,
            resumed: false,
            place: None,
            cost: 0,
            ticket: Ticket::default(),
            has_heavy_ticket: false,
            work: None,
        })
    }

    /// Whether the session may be read: inside a message, if it has a place for one, or if it [can begin](Pools::can_begin) one.
    pub(crate) fn begin_read(&mut self, pools: &Pools) -> bool {
        self.resumed = self.is_open();
        if !self.resumed {
            self.inflated = 0;
        }
        self.holds() || pools.can_begin()
    }

    /// Whether the session must leave its input to a later turn: the budget is spent, a reply waits, or it gives way.
    pub(crate) fn must_stop(&self, pools: &Pools) -> bool {
        self.gives_way(pools) || pools.budget.is_spent() || self.has_replies()
    }

    /// Whether others wait for the decompressor, and get it before the session begins its next message: it has used its share,
    /// or the message that has ended took several turns. Otherwise a peer could hold its decompressor for ever, with messages
    /// that each begin in the read in which the last one ends.
    fn gives_way(&self, pools: &Pools) -> bool {
        !self.is_open() && !pools.line.is_empty() && (self.resumed || self.inflated >= SHARE)
    }

    /// Whether the session is inside a compressed message.
    pub(crate) const fn is_open(&self) -> bool {
        self.inflater.is_open()
    }

    /// For how many seconds the session has held a decompressor, or a place for one, at least: both times are rounded down.
    pub(crate) fn held_for(&self, now: u32) -> u32 {
        if self.holds() { now.saturating_sub(self.begun).saturating_sub(1) } else { 0 }
    }

    pub(crate) const fn holds(&self) -> bool {
        self.is_open() || self.place.is_some()
    }

    /// Takes a place for a message, because the line has called the session.
    pub(crate) fn called(&mut self, pools: &mut Pools, now: u32) {
        self.begun = now;
        self.place = self.inflater.ready(&mut pools.inflate).and_then(Ready::hold);
    }

    /// Inflates a part of a message, as far as the budget allows.
    pub(crate) fn inflate(
        &mut self,
        part: Part<'_>,
        pools: &mut Pools,
        assembler: &mut Assembler,
        now: u32,
    ) -> Result<Outcome, ProtocolError> {
        if !self.is_open() {
            self.begun = now;
            self.place = None; // this message takes it
            self.end_message();
        }
        // Not `None`: a decompressor was free before the read, and no other session was read since.
        let Some(mut ready) = self.inflater.ready(&mut pools.inflate) else {
            return Err(ProtocolError::CorruptDeflate);
        };
        let (kind, last) = (part.kind, part.last);
        let bytes = part.into_bytes();
        let mut start = 0;
        loop {
            let end = bytes.len().min(start + TAKEN);
            let is_last = last && end == bytes.len();
            let piece = Part::new(kind, Rsv::RSV1, &mut bytes[start..end], is_last);
            let mut parts = ready.feed(piece);
            let (mut given, mut whole) = (0, None);
            if let Some(part) = parts.next_part()? {
                given = part.bytes().len();
                whole = assembler.push(part)?.map(|message| (message.kind, message.into_vec()));
            }
            let rest = parts.pause();
            let taken = end - start - rest.as_ref().map_or(0, |rest| rest.bytes().len());
            pools.budget.spend(INFLATE_STEP + INFLATE_BYTE * taken + given);
            start += taken;
            if let Some((kind, message)) = whole {
                self.place = ready.hold();
                self.inflated += message.len();
                return Ok(Outcome::Whole(kind, message));
            }
            if rest.is_none() && start == bytes.len() {
                return Ok(Outcome::More);
            }
            if pools.budget.is_spent() {
                break;
            }
        }
        drop(ready);
        let len = bytes.len() - start;
        self.work().paused = Some(Paused { kind, last, len });
        Ok(Outcome::Paused(len))
    }

    /// The part that is not inflated yet, if there is one, and the input behind it.
    pub(crate) fn resume<'b>(&mut self, input: &'b mut [u8]) -> (Option<Part<'b>>, &'b mut [u8]) {
        let Some(Paused { kind, last, len }) = self.work.as_mut().and_then(|work| work.paused.take()) else {
            return (None, input);
        };
        let (part, input) = input.split_at_mut(len);
        (Some(Part::new(kind, Rsv::RSV1, part, last)), input)
    }

    /// Sends a reply: at once if that is within the budget and no other waits, otherwise in steps.
    #[inline(never)]
    pub(crate) fn send<'b>(
        &mut self,
        connection: &mut Connection<Server>,
        outbox: &mut Outbox<'b>,
        pools: &mut Pools,
        kind: Kind,
        payload: Cow<'b, [u8]>,
    ) -> Result<(), SendError> {
        let Pools { deflate, budget, min_len, .. } = pools;
        let cost = if payload.len() < *min_len { payload.len() } else { COMPRESS + payload.len() };
        if !self.has_replies() && budget.allows(cost) {
            budget.spend(cost);
            return outbox.deflated_message(connection, &mut self.deflater, deflate, kind, payload, Unmasked);
        }
        let message = self.deflater.begin(connection, kind, payload.into_owned(), Unmasked)?;
        self.work().replies.push(message);
        Ok(())
    }

    /// Goes on with the replies that wait, as far as the budget allows.
    pub(crate) fn send_replies(&mut self, outbox: &mut Outbox<'_>, pools: &mut Pools) {
        if let Some(work) = &mut self.work {
            work.replies.send(&mut self.deflater, outbox, &mut pools.deflate, &mut pools.budget);
        }
    }

    /// Whether replies wait, because one of them is being compressed.
    pub(crate) fn has_replies(&self) -> bool {
        self.work.as_ref().is_some_and(|work| !work.replies.is_empty())
    }

    /// Queues a frame behind the replies that wait.
    pub(crate) fn push_frame(&mut self, frame: &[u8]) {
        self.work().replies.push_frame(frame);
    }

    /// Whether received bytes are left to a later turn.
    pub(crate) fn has_rest(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.rest.is_some())
    }

    /// How many received bytes are left to a later turn, if there is anything left; how many of them are of a part that is being
    /// inflated, if there is one; and how many bytes of replies are not compressed yet, if there are replies.
    #[cfg(test)]
    pub(crate) fn left(&self) -> (Option<usize>, Option<usize>, Option<usize>) {
        let Some(work) = &self.work else { return (None, None, None) };
        (
            work.rest.as_ref().map(|rest| rest.bytes.len() - rest.start),
            work.paused.map(|paused| paused.len),
            (!work.replies.is_empty()).then(|| work.replies.remaining()),
        )
    }

    pub(crate) fn take_rest(&mut self) -> Option<Rest> {
        self.work.as_mut()?.rest.take()
    }

    /// Leaves the last `left` bytes of this to a later turn.
    pub(crate) fn keep_rest(&mut self, mut rest: Rest, left: usize) {
        rest.start = rest.bytes.len() - left;
        self.work().rest = Some(rest);
    }

    /// Ends a turn: gives back what is not needed until the next one.
    pub(crate) fn end_turn(&mut self, pools: &Pools) {
        self.cost += pools.budget.used();
        if self.has_replies() {
            return;
        }
        self.place = None;
        self.work.take_if(|work| work.rest.is_none());
        if !self.is_open() {
            self.end_message();
        }
    }

    fn end_message(&mut self) {
        self.cost = 0;
        self.has_heavy_ticket = false;
    }

    /// Whether the session has the queue for heavy messages to wait in.
    pub(crate) const fn is_heavy(&self, pools: &Pools) -> bool {
        pools.budget.is_heavy(self.cost)
    }

    fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }
}

impl Rest {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), start: 0 }
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}
