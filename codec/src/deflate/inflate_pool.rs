//! What inflaters share: decompressors, and the buffer into which they inflate.

use super::{
    MAX_BITS, MIN_BITS, TAIL,
    budget::{Budget, Grant},
    window::Window,
};
use crate::utf8::Validator;
use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;
use zlib_rs::{Inflate, InflateFlush};

/// What a peer may make the inflaters of one [`InflatePool`] hold and do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateConfig {
    /// The most messages in inflation at once, and so the most decompressors; at least 1. Each takes
    /// [`InflatePool::DECOMPRESSOR`] bytes, and a window where its message is cut.
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

/// What the [`Inflater`]s of one thread share: decompressors, of which each message borrows one from its first byte
/// to its last, and the buffer into which they inflate. The host owns it.
///
/// What a decompressor remembers between messages is never the only copy: with context takeover, a connection keeps its
/// window, and reads it in again where the decompressor that it had last has served somebody else since.
#[derive(Debug)]
pub struct InflatePool {
    pub(super) config: InflateConfig,
    /// The one that was used last is at the end.
    #[expect(clippy::vec_box, reason = "one is lent by its pointer, and comes back so")]
    pub(super) idle: Vec<Box<Decompressor>>,
    /// Another pool's, kept while all of our own are lent: a connection came with it, inside a message.
    #[expect(clippy::vec_box, reason = "the same")]
    guests: Vec<Box<Decompressor>>,
    decompressors: Budget,
    pub(super) windows: Budget,
    /// Counts the messages that left a decompressor with their window.
    clock: u64,
    /// What came out last; lent to the host until the next comes out.
    pub(super) out: Box<[u8]>,
}

impl InflatePool {
    /// Bytes that one decompressor takes: its tables and, whatever the parameters, a window of 15 bits.
    pub const DECOMPRESSOR: usize = 48 << 10;

    /// So many idle decompressors take turns: enough for a few busy connections to come back to their own, and few enough
    /// to stay in the cache.
    const TURNS: usize = 4;

    /// A pool that holds its buffer and nothing else yet.
    pub fn new(config: InflateConfig) -> Self {
        Self {
            config,
            idle: Vec::new(),
            guests: Vec::new(),
            decompressors: Budget::new(config.messages.max(1)),
            windows: Budget::new(config.windows),
            clock: 0,
            out: vec![0; config.part.max(1)].into(),
        }
    }

    /// Whether a window of this many bits can still be set aside for a peer with context takeover. A server that has
    /// none left asks for `client_no_context_takeover`, which every client must heed (RFC 7692 §7.1.1.2).
    ///
    /// ```
    /// use framewire::{deflate::InflatePool, extension::{self, Config}};
    ///
    /// let pool = InflatePool::new(Default::default());
    /// let mut config = Config { client_max_window_bits: 12, ..Config::default() };
    /// config.client_no_context_takeover |= !pool.has_window(config.client_max_window_bits);
    /// let answer = extension::negotiate(["permessage-deflate; client_max_window_bits"], &config);
    /// ```
    pub fn has_window(&self, bits: u8) -> bool {
        self.windows.left() >= 1 << window_bits(bits)
    }

    /// Whether a message can be begun: what [`Inflater::ready`] asks for a connection that is not inside one.
    pub fn has_decompressor(&self) -> bool {
        !self.idle.is_empty() || !self.guests.is_empty() || self.decompressors.left() > 0
    }

    /// Decompressors that exist, lent or idle.
    pub fn decompressors(&self) -> usize {
        self.decompressors.used()
    }

    /// Bytes that are set aside for windows.
    pub fn windows(&self) -> usize {
        self.windows.used()
    }

    /// The decompressor that this message left behind, if nobody had it since. Else a new one as long as few take turns,
    /// so that next time it is there; or the one of them that was used least recently.
    pub(super) fn lend(&mut self, left_by: Option<u64>) -> Option<Box<Decompressor>> {
        let first = self.idle.len().saturating_sub(Self::TURNS);
        let turns = &self.idle[first..];
        if turns.is_empty() {
            return self.guests.pop().or_else(|| self.new_one());
        }
        let found = turns.iter().position(|idle| left_by.is_some() && idle.left_by == left_by);
        if left_by.is_some() && found.is_none() && turns.len() < Self::TURNS {
            if let Some(new) = self.new_one() {
                return Some(new);
            }
        }
        Some(self.idle.remove(first + found.unwrap_or(0)))
    }

    fn new_one(&self) -> Option<Box<Decompressor>> {
        let grant = self.decompressors.grant(1)?;
        Some(Box::new(Decompressor::new(grant)))
    }

    /// A number for a message of a connection whose window is of this pool.
    pub(super) fn number(&mut self, window: &Grant) -> Option<u64> {
        self.windows.granted(window).then(|| {
            self.clock += 1;
            self.clock
        })
    }

    /// Takes back what was lent; also by another pool, which gets it back as soon as nobody here depends on it.
    pub(super) fn take_back(&mut self, decompressor: Box<Decompressor>) {
        if self.decompressors.granted(&decompressor.grant) {
            self.idle.push(decompressor);
            self.guests.clear();
        } else if !self.has_decompressor() {
            self.guests.push(decompressor);
        }
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
    pub(super) left_by: Option<u64>,
    /// Bytes in and out, so far.
    pub(super) wire_len: u64,
    pub(super) len: u64,
    pub(super) final_blocks: u64,
    grant: Grant,
}

impl Decompressor {
    fn new(grant: Grant) -> Self {
        Self {
            inflate: Inflate::new(false, MAX_BITS),
            history: Window::new(MIN_BITS),
            text: Validator::new(),
            is_fresh: true,
            left_by: None,
            wire_len: 0,
            len: 0,
            final_blocks: 0,
            grant,
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

// What zlib-rs allocates beside the struct, as tests/deflate_both.rs weighs it.
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
