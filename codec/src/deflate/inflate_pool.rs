//! The decompressors that inflaters share, and the buffer into which these write.

use super::{
    budget::{Clock, Grant, Instant, Tally},
    format::{MAX_BITS, MIN_BITS, TAIL},
    window::Window,
};
use crate::utf8::Validator;
use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;
use zlib_rs::{Inflate, InflateFlush};

/// Limits on the memory and work that peers can make the inflaters of an [`InflatePool`] spend. If pools share an
/// [`InflateBudget`], `windows` is a cap for all of them together, and so is `messages`, apart from the one message that
/// each pool may always have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateConfig {
    /// The most messages that are inflated at the same time; at least 1. Each takes a decompressor of
    /// [`InflatePool::DECOMPRESSOR`] bytes, and a window if it arrives in several parts.
    ///
    /// If pools share a budget, each may always have one message, and all pools together `messages - 1` further ones.
    /// So the most is `messages + pools - 1`, and a peer waits only if at least `messages` are being inflated. Each pool
    /// keeps up to [`InflatePool::IDLE`] further decompressors.
    pub messages: usize,
    /// The most bytes of windows that are kept between messages, for peers with context takeover. Each peer takes 2 to
    /// the power of its window bits, which count as at least 9.
    pub windows: usize,
    /// The most bytes of one message once it is inflated.
    pub message: u64,
    /// The most bytes of one inflated part; at least 1. A pool has one buffer of this size.
    pub part: usize,
}

impl Default for InflateConfig {
    /// 64 messages, 64 MiB of windows, 16 MiB a message, 64 KiB a part.
    fn default() -> Self {
        Self { messages: 64, windows: 64 << 20, message: 16 << 20, part: 64 << 10 }
    }
}

/// A budget that the [`InflatePool`]s of several threads share, so that the caps of its [`InflateConfig`] hold for all
/// of them together. A clone is the same budget.
///
/// ```
/// use framewire::deflate::{InflateBudget, InflateConfig, InflatePool};
///
/// let budget = InflateBudget::new(InflateConfig { messages: 1_000, windows: 256 << 20, ..Default::default() });
/// let workers = [(); 4].map(|()| {
///     let budget = budget.clone();
///     std::thread::spawn(move || {
///         let pool = InflatePool::sharing(&budget);
///         // serve connections, also some that come from other threads
/// #       pool.windows()
///     })
/// });
/// # workers.map(|worker| worker.join().unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct InflateBudget {
    config: InflateConfig,
    /// Messages that are being inflated, without the first of each pool.
    further_messages: Tally,
    /// In bytes.
    windows: Tally,
    decompressors: Tally,
}

impl InflateBudget {
    /// A budget with the caps of this configuration. Its other values hold for each pool.
    pub fn new(config: InflateConfig) -> Self {
        Self {
            config,
            further_messages: Tally::default(),
            windows: Tally::default(),
            decompressors: Tally::default(),
        }
    }

    /// A share of `windows` for a window of this size.
    pub(super) fn window(&self, bits: u8) -> Option<Grant> {
        self.windows.grant(1 << bits, self.config.windows)
    }

    /// The most messages besides the first of each pool.
    const fn most_further_messages(&self) -> usize {
        self.config.messages.saturating_sub(1)
    }
}

/// The decompressors that the [`Inflater`](super::Inflater)s of one thread share, and the buffer into which these
/// write. Each message borrows a decompressor from its first byte to its last. The host owns the pool.
///
/// With context takeover, each connection keeps its own window. A decompressor reads it in before a message, unless
/// this connection was the last to use that decompressor.
#[derive(Debug)]
pub struct InflatePool {
    budget: InflateBudget,
    /// The decompressor that was used last is at the end.
    #[expect(clippy::vec_box, reason = "decompressors are lent and returned as boxes")]
    pub(super) idle: Vec<Box<Decompressor>>,
    /// Whether the one message is being inflated that this pool may always have.
    first_message: Tally,
    /// The right to begin a message, between [`reserve`](Self::reserve) and [`release`](Self::release).
    pub(super) place: Option<Grant>,
    /// Numbers the messages that left their window in a decompressor.
    pub(super) clock: Clock,
    /// The last bytes that were inflated. They are lent to the host.
    pub(super) out: Box<[u8]>,
}

impl InflatePool {
    /// Bytes that one decompressor takes: its tables and a window of 15 bits, whatever the parameters.
    pub const DECOMPRESSOR: usize = 48 << 10;

    /// The most decompressors that a pool keeps while they have no message. These are enough for a few busy connections
    /// to get their last decompressor again, and few enough to stay in the cache.
    pub const IDLE: usize = 4;

    /// A pool with a budget of its own. It has only its buffer yet.
    pub fn new(config: InflateConfig) -> Self {
        Self::sharing(&InflateBudget::new(config))
    }

    /// A pool that shares the caps of this budget with all its other pools. It has only its buffer yet.
    pub fn sharing(budget: &InflateBudget) -> Self {
        Self {
            budget: budget.clone(),
            idle: Vec::new(),
            first_message: Tally::default(),
            place: None,
            clock: Clock::new(),
            out: vec![0; budget.config.part.max(1)].into(),
        }
    }

    /// The budget of this pool, to make further pools with it.
    pub const fn budget(&self) -> &InflateBudget {
        &self.budget
    }

    /// Whether a window of this many bits can still be reserved for a peer with context takeover. If not, a server
    /// demands `client_no_context_takeover`, which every client must obey (RFC 7692 §7.1.1.2).
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

    /// Whether a connection that is between two messages can begin one, so that
    /// [`Inflater::ready`](super::Inflater::ready) would return `Some`. If threads share the budget, another one may
    /// take the last decompressor at any time, unless this pool has no open message.
    pub fn has_decompressor(&self) -> bool {
        self.first_message.used() == 0
            || self.budget.further_messages.used() < self.budget.most_further_messages()
    }

    /// How many decompressors exist, lent or idle, in all pools with this budget.
    pub fn decompressors(&self) -> usize {
        self.budget.decompressors.used()
    }

    /// How many bytes are reserved for windows, in all pools with this budget.
    pub fn windows(&self) -> usize {
        self.budget.windows.used()
    }

    /// The most bytes of one message.
    pub(super) const fn most_bytes(&self) -> u64 {
        self.budget.config.message
    }

    /// Reserves a place for one message, so that other threads cannot take it. Returns whether there is one.
    pub(super) fn reserve(&mut self) -> bool {
        let Self { budget, first_message, place, .. } = self;
        if place.is_none() {
            let further = || budget.further_messages.grant(1, budget.most_further_messages());
            *place = first_message.grant(1, 1).or_else(further);
        }
        place.is_some()
    }

    /// Gives back a place that no message has taken, and what belongs to another budget.
    pub(super) fn release(&mut self) {
        self.place = None;
        self.idle.retain(|idle| self.budget.decompressors.granted(&idle.counted));
    }

    /// Lends a decompressor: the one that the message `left_by` left, if no other message has used it since. Otherwise
    /// a new one if there are only few, so that the connection finds it the next time; else the one that was used least
    /// recently.
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

    /// Whether one more decompressor is allowed that only avoids reading in windows.
    fn may_grow(&self) -> bool {
        self.idle.len() < Self::IDLE && self.decompressors() < self.budget.config.messages
    }

    /// Takes a decompressor back with its place, until [`release`](Self::release): the connection may begin its next
    /// message in the same read. The place of another pool, and the decompressor of another budget, are kept only if
    /// this pool has no place.
    pub(super) fn take_back(&mut self, mut lent: Box<Decompressor>) {
        let place = lent.place.take().filter(|place| {
            let is_ours = self.first_message.granted(place) || self.budget.further_messages.granted(place);
            is_ours || !self.reserve()
        });
        if place.is_none() && !self.budget.decompressors.granted(&lent.counted) {
            return;
        }
        if self.idle.len() == Self::IDLE {
            self.idle.remove(0);
        }
        self.idle.push(lent);
        self.place = place.or_else(|| self.place.take());
    }
}

/// A place among the messages that are being inflated, for one that has ended: see [`Ready::hold`](super::Ready::hold).
#[derive(Debug)]
#[must_use = "it counts only until it is dropped"]
pub struct Place {
    _grant: Grant,
}

impl Place {
    pub(super) const fn new(grant: Grant) -> Self {
        Self { _grant: grant }
    }
}

impl Default for InflatePool {
    fn default() -> Self {
        Self::new(InflateConfig::default())
    }
}

/// The state of one message that is being inflated.
pub(super) struct Decompressor {
    pub(super) inflate: Inflate,
    /// The bytes inflated so far, if the connection keeps no window and the message does not end at once. They are
    /// needed only if blocks follow a final block.
    pub(super) history: Window,
    pub(super) text: Validator,
    /// The source that is being taken in, and the bytes that are left of it, unless they are the peer's.
    pub(super) source: Source,
    pub(super) tail: &'static [u8],
    /// Whether nothing was taken in since the message began or since its last final block.
    pub(super) is_fresh: bool,
    /// Between messages: the message after which it can continue.
    pub(super) left_by: Option<Instant>,
    /// Bytes in and out so far.
    pub(super) wire_len: u64,
    pub(super) len: u64,
    pub(super) final_blocks: u64,
    /// Inside a message: the right to inflate one.
    place: Option<Grant>,
    counted: Grant,
}

impl Decompressor {
    fn new(counted: Grant) -> Self {
        Self {
            inflate: Inflate::new(false, MAX_BITS),
            history: Window::new(MIN_BITS),
            text: Validator::new(),
            source: Source::Payload,
            tail: &[],
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

    /// Takes in [`TAIL`] up to the point at which it would make output, or at which a block ends, and returns the rest.
    /// If the rest is empty, either a block has ended exactly there, or the output needs no more input.
    pub(super) fn begin_tail(inflate: &mut Inflate) -> Result<&'static [u8], Corrupt> {
        // With one more byte, which must stay: a decompressor that takes it in is inside a block or a code.
        const MORE: &[u8] = &[TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0];
        let before = inflate.total_in();
        inflate.decompress(MORE, &mut [], InflateFlush::Block).map_err(|_| Corrupt)?;
        TAIL.get((inflate.total_in() - before) as usize..).ok_or(Corrupt)
    }
}

/// The sources of a message's input, in the order in which they are taken in. Those after the payload find out whether
/// the message is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The bytes that the peer sent.
    Payload,
    /// `TAIL`, which the peer removed from the end (RFC 7692 §7.2.2), if a block seems to have ended with it. If it
    /// makes output, it is a [`Tail`](Self::Tail).
    BlockEnd,
    /// `TAIL`, if it does something else than end a block.
    Tail,
    /// An empty block after [`BlockEnd`](Self::BlockEnd). A stream that is between two blocks, at a byte boundary,
    /// takes it. Otherwise bits of `TAIL` are left, all ones: they begin a final block or an invalid one, so the message
    /// was truncated.
    Empty,
    /// An empty final block after [`Tail`](Self::Tail). Only a stream that is between two blocks, at a byte boundary,
    /// ends with it. Otherwise the message was truncated.
    Probe,
}

// zlib-rs allocates 47,552 bytes beside the struct: testing/tests/deflate/memory.rs measures it.
const _: () = assert!(47_552 + size_of::<Decompressor>() <= InflatePool::DECOMPRESSOR);

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("wire_len", &self.wire_len)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// The bytes are not a deflate stream, or the stream is cut short.
pub(super) struct Corrupt;

/// The bits of the window that is kept for a peer: at least 9, because zlib, asked for 8, compresses with 9.
pub(super) fn window_bits(bits: u8) -> u8 {
    bits.clamp(MIN_BITS, MAX_BITS)
}
