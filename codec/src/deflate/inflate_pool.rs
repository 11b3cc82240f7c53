//! What inflaters share: decompressors, and the buffer into which they inflate.

use super::{
    MAX_BITS, MIN_BITS, TAIL,
    budget::{Clock, Grant, Instant, Tally},
    window::Window,
};
use crate::utf8::Validator;
use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;
use zlib_rs::{Inflate, InflateFlush};

/// What peers may make the inflaters of an [`InflatePool`] hold and do. If pools share an [`InflateBudget`], `messages`
/// and `windows` are caps for all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateConfig {
    /// The most messages that are inflated at the same time; at least one for each pool. Each takes a decompressor, of
    /// [`InflatePool::DECOMPRESSOR`] bytes, and a window if it is cut. Beside these, each of several pools that share a
    /// budget keeps up to [`InflatePool::IDLE`] decompressors.
    pub messages: usize,
    /// The most bytes of windows that are kept between messages, for peers with context takeover: 2 to the power of
    /// a peer's window bits (9 at least) are set aside for each.
    pub windows: usize,
    /// The most bytes of one message, inflated.
    pub message: u64,
    /// The most bytes that come out as one part; at least 1. A pool has one buffer of this size.
    pub part: usize,
}

impl Default for InflateConfig {
    /// 64 messages, 64 MiB of windows, 16 MiB a message, 64 KiB a part.
    fn default() -> Self {
        Self { messages: 64, windows: 64 << 20, message: 16 << 20, part: 64 << 10 }
    }
}

/// What the [`InflatePool`]s of a program share, one for each thread: the caps of an [`InflateConfig`] then hold for all of
/// them together. A clone is the same budget.
///
/// ```
/// use framewire::deflate::{InflateBudget, InflateConfig, InflatePool};
///
/// let budget = InflateBudget::new(InflateConfig { messages: 1_000, windows: 256 << 20, ..Default::default() });
/// let workers = [(); 4].map(|()| {
///     let budget = budget.clone();
///     std::thread::spawn(move || {
///         let pool = InflatePool::sharing(&budget);
///         // serve connections, whichever thread they came from
/// #       pool.windows()
///     })
/// });
/// # workers.map(|worker| worker.join().unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct InflateBudget {
    config: InflateConfig,
    /// Messages in inflation, and one more for each pool that has set a place aside for its next.
    messages: Tally,
    /// In bytes.
    windows: Tally,
    decompressors: Tally,
    pools: Tally,
}

impl InflateBudget {
    /// A budget with the caps of this configuration, the rest of which holds for each of its pools.
    pub fn new(config: InflateConfig) -> Self {
        Self {
            config,
            messages: Tally::default(),
            windows: Tally::default(),
            decompressors: Tally::default(),
            pools: Tally::default(),
        }
    }

    /// A share for a window of this size.
    pub(super) fn window(&self, bits: u8) -> Option<Grant> {
        self.windows.grant(1 << bits, self.config.windows)
    }

    /// The most messages: each pool keeps a place for one, so that none waits for another that has nothing to do.
    fn most_messages(&self) -> usize {
        self.config.messages.max(self.pools.used())
    }
}

/// What the [`Inflater`](super::Inflater)s of one thread share: decompressors, of which each message borrows one from its first byte
/// to its last, and the buffer into which they inflate. The host owns it.
///
/// What a decompressor remembers between messages is never the only copy: with context takeover, a connection keeps its
/// window, and reads it in again if another connection has used its last decompressor since.
#[derive(Debug)]
pub struct InflatePool {
    budget: InflateBudget,
    /// The one that was used last is at the end.
    #[expect(clippy::vec_box, reason = "one is lent by its pointer, and comes back so")]
    pub(super) idle: Vec<Box<Decompressor>>,
    /// The right to begin one more message, which [`reserve`](Self::reserve) has promised.
    place: Option<Grant>,
    /// Counts the messages that left a decompressor with their window.
    pub(super) clock: Clock,
    /// What came out last; lent to the host until the next comes out.
    pub(super) out: Box<[u8]>,
    _pool: Grant,
}

impl InflatePool {
    /// Bytes that one decompressor takes: its tables and, whatever the parameters, a window of 15 bits.
    pub const DECOMPRESSOR: usize = 48 << 10;

    /// The most decompressors that a pool keeps while they have no message: enough for a few busy connections to come
    /// back to their own, and few enough to stay in the cache.
    pub const IDLE: usize = 4;

    /// A pool with a budget of its own. It holds its buffer and nothing else yet.
    pub fn new(config: InflateConfig) -> Self {
        Self::sharing(&InflateBudget::new(config))
    }

    /// A pool whose caps are those of all pools with this budget.
    pub fn sharing(budget: &InflateBudget) -> Self {
        Self {
            idle: Vec::new(),
            place: None,
            clock: Clock::new(),
            out: vec![0; budget.config.part.max(1)].into(),
            _pool: budget.pools.count(),
            budget: budget.clone(),
        }
    }

    /// The budget, for further pools.
    pub const fn budget(&self) -> &InflateBudget {
        &self.budget
    }

    /// Whether a window of this many bits can still be set aside for a peer with context takeover. A server that has
    /// none left asks for `client_no_context_takeover`, which every client must heed (RFC 7692 §7.1.1.2).
    ///
    /// ```
    /// use framewire::{deflate::InflatePool, extension::{self, DeflatePolicy}};
    ///
    /// let pool = InflatePool::new(Default::default());
    /// let mut config = DeflatePolicy { client_max_window_bits: 12, ..DeflatePolicy::default() };
    /// config.client_no_context_takeover |= !pool.has_window(config.client_max_window_bits);
    /// let answer = extension::negotiate(["permessage-deflate; client_max_window_bits"], &config);
    /// ```
    pub fn has_window(&self, bits: u8) -> bool {
        self.windows().saturating_add(1 << window_bits(bits)) <= self.budget.config.windows
    }

    /// Whether a message can be begun: what [`Inflater::ready`](super::Inflater::ready) asks for a connection that is
    /// not inside one. Other threads with the same budget may take the last place at any time.
    pub fn has_decompressor(&self) -> bool {
        self.place.is_some() || self.budget.messages.used() < self.budget.most_messages()
    }

    /// Decompressors that exist, lent or idle, in all pools with this budget.
    pub fn decompressors(&self) -> usize {
        self.budget.decompressors.used()
    }

    /// Bytes that are set aside for windows, by all pools with this budget.
    pub fn windows(&self) -> usize {
        self.budget.windows.used()
    }

    /// The most bytes of one message.
    pub(super) const fn most_bytes(&self) -> u64 {
        self.budget.config.message
    }

    /// Sees to it that a message can be begun, whatever other threads do.
    pub(super) fn reserve(&mut self) -> bool {
        if self.place.is_none() {
            self.place = self.budget.messages.grant(1, self.budget.most_messages());
        }
        self.place.is_some()
    }

    /// A decompressor: the one that this message left behind, if nobody had it since. Otherwise a new one as long as few
    /// take turns, so that next time it is there; or the one of them that was used least recently.
    pub(super) fn lend(&mut self, left_by: Option<Instant>) -> Option<Box<Decompressor>> {
        if !self.reserve() {
            return None;
        }
        let found = self.idle.iter().position(|idle| left_by.is_some() && idle.left_by == left_by);
        let grow = left_by.is_some() && found.is_none() && self.may_grow();
        let mut lent = if self.idle.is_empty() || grow {
            Box::new(Decompressor::new(self.budget.decompressors.count()))
        } else {
            self.idle.remove(found.unwrap_or(0))
        };
        lent.place = self.place.take();
        Some(lent)
    }

    /// Whether there may be one more decompressor, only to save that a window is read in.
    fn may_grow(&self) -> bool {
        self.idle.len() < Self::IDLE && self.decompressors() < self.budget.config.messages
    }

    /// Takes back what was lent, also by a pool of another budget. What belongs there is kept only as long as there is
    /// nothing of this budget: the connection may begin its next message in the same read.
    pub(super) fn take_back(&mut self, mut lent: Box<Decompressor>) {
        let place = lent.place.take();
        let place = place.filter(|place| self.budget.messages.granted(place) || !self.reserve());
        let is_ours = |lent: &Decompressor| self.budget.decompressors.granted(&lent.counted);
        if is_ours(&lent) {
            self.idle.retain(|idle| is_ours(idle));
        } else if place.is_none() {
            return;
        }
        if self.idle.len() == Self::IDLE {
            self.idle.remove(0);
        }
        self.idle.push(lent);
        self.place = place.or_else(|| self.place.take());
    }
}

impl Default for InflatePool {
    fn default() -> Self {
        Self::new(InflateConfig::default())
    }
}

/// The state of one message in inflation.
pub(super) struct Decompressor {
    pub(super) inflate: Inflate,
    /// What came out so far, where no window is kept for longer than a message and this one does not end at once:
    /// needed only where blocks follow one that was marked as final.
    pub(super) history: Window,
    pub(super) text: Validator,
    /// Nothing has been taken in since the message began, or a final block ended.
    pub(super) is_fresh: bool,
    /// Between messages: the one that left it as it is, to go on from there.
    pub(super) left_by: Option<Instant>,
    /// Bytes in and out, so far.
    pub(super) wire_len: u64,
    pub(super) len: u64,
    pub(super) final_blocks: u64,
    /// Inside a message: the right to have one.
    place: Option<Grant>,
    counted: Grant,
}

impl Decompressor {
    fn new(counted: Grant) -> Self {
        Self {
            inflate: Inflate::new(false, MAX_BITS),
            history: Window::new(MIN_BITS),
            text: Validator::new(),
            is_fresh: true,
            left_by: None,
            wire_len: 0,
            len: 0,
            final_blocks: 0,
            place: None,
            counted,
        }
    }

    /// Begins a deflate stream whose back-references may reach into these bytes.
    pub(super) fn restart(inflate: &mut Inflate, window: &Window) -> Result<(), Corrupt> {
        inflate.reset(false);
        for piece in window.pieces() {
            if !piece.is_empty() {
                inflate.set_dictionary(piece).map_err(|_| Corrupt)?;
            }
        }
        Ok(())
    }

    /// Takes [`TAIL`] in up to where something comes out of it, or a block ends: gives the rest. If that is empty, a block
    /// has ended right there, or what comes out then comes out without more input.
    pub(super) fn begin_tail(inflate: &mut Inflate) -> Result<&'static [u8], Corrupt> {
        // With one byte more, which must not be touched: whoever takes it in is inside a block, or a code.
        const MORE: &[u8] = &[TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0];
        let before = inflate.total_in();
        inflate.decompress(MORE, &mut [], InflateFlush::Block).map_err(|_| Corrupt)?;
        TAIL.get((inflate.total_in() - before) as usize..).ok_or(Corrupt)
    }
}

// What zlib-rs allocates beside the struct, as testing/tests/deflate/memory.rs weighs it.
const _: () = assert!(47_552 + size_of::<Decompressor>() <= InflatePool::DECOMPRESSOR);

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("wire_len", &self.wire_len)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// The bytes are not a deflate stream, or not the whole of one.
pub(super) struct Corrupt;
/// What is kept for a peer with a window of these bits: of 9 at least, for with 8 zlib compresses as with 9.
pub(super) fn window_bits(bits: u8) -> u8 {
    bits.clamp(MIN_BITS, MAX_BITS)
}
