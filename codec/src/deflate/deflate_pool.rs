//! The compressors that deflaters share, and the buffer into which these write.

use super::{
    budget::{Clock, Grant, Instant, Tally},
    format::TAIL,
    window::{self, Window},
};
use crate::mask::{self, Key};
use alloc::{boxed::Box, vec::Vec};
use core::{ffi::c_ulong, fmt};
use zlib_rs::{Deflate, DeflateConfig as Zlib, DeflateFlush};

/// How the deflaters of a [`DeflatePool`] compress, and how much memory they may hold. If pools share a
/// [`DeflateBudget`], `compressors` and `windows` are caps for all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// How hard zlib tries, 1–9; a value outside counts as the nearest of these. From 7 on, the whole window is read in
    /// for short messages as well, whatever that costs.
    pub level: u8,
    /// Messages of fewer bytes are sent uncompressed.
    pub min_len: usize,
    /// The most compressors. Each pool may always have one, which serves any number of connections. With context
    /// takeover, further ones make it rarer that a window is read in again before a message. Each takes
    /// [`DeflatePool::COMPRESSOR`] bytes.
    pub compressors: usize,
    /// The most bytes of windows that are kept between messages, with context takeover: 2 to the power of the window
    /// bits for each connection that has sent a message. If nothing is left for a connection, it compresses each
    /// message by itself.
    pub windows: usize,
}

impl Default for DeflateConfig {
    /// Level 2, messages of 64 bytes and more, 4 compressors, 64 MiB of windows.
    ///
    /// Level 2 takes as long as level 6 for 125 bytes, and half as long for 16 KiB. Its output is 7 to 33 % larger,
    /// depending on the text.
    fn default() -> Self {
        Self { level: 2, min_len: 64, compressors: 4, windows: 64 << 20 }
    }
}

impl DeflateConfig {
    /// How many of a window's last bytes a compressor should read in before a message of this length. Reading them
    /// costs the same before any message (all 32 KiB: as much as compressing three short messages). They save more for
    /// a longer message, and the last ones save most: docs/deflate.md has the figures.
    const fn worth_reading(&self, message: usize) -> usize {
        if self.level < 7 { message.saturating_mul(16).saturating_add(2 << 10) } else { usize::MAX }
    }
}

/// A budget that the [`DeflatePool`]s of several threads share, so that the caps of its [`DeflateConfig`] hold for all
/// of them together. A clone is the same budget.
///
/// ```
/// use framewire::deflate::{DeflateBudget, DeflateConfig, DeflatePool};
///
/// let budget = DeflateBudget::new(DeflateConfig { windows: 256 << 20, ..Default::default() });
/// let [one, other] = [DeflatePool::sharing(&budget), DeflatePool::sharing(&budget)]; // each for a thread
/// ```
#[derive(Clone, Debug)]
pub struct DeflateBudget {
    config: DeflateConfig,
    compressors: Tally,
    /// In bytes.
    windows: Tally,
}

impl DeflateBudget {
    /// A budget with the caps of this configuration. Its other values hold for each pool.
    pub fn new(config: DeflateConfig) -> Self {
        let config = DeflateConfig { level: config.level.clamp(1, 9), ..config };
        Self { config, compressors: Tally::default(), windows: Tally::default() }
    }
}

/// The compressors that the [`Deflater`](super::Deflater)s of one thread share, and the buffer into which these write.
/// The host owns the pool.
///
/// A connection uses a compressor only during a call, and keeps its own window. With context takeover, it uses its last
/// compressor again if no other connection has used that one since. Otherwise a compressor first reads in the end of
/// the window: the longer the message, the more of it, and all of it for messages from 2 KiB on or from level 7 on.
/// This costs 0.8 µs for each KiB, and saves 290 KB of memory for each connection.
#[derive(Debug)]
pub struct DeflatePool {
    budget: DeflateBudget,
    compressors: Vec<Compressor>,
    /// Numbers windows.
    clock: Clock,
    /// Counts the uses of compressors, to tell which one was used least recently.
    uses: u64,
    /// All of it is initialised. The last payload that was compressed or masked is at its start, and is lent to the
    /// host.
    out: Vec<u8>,
}

/// A compressor of one size of window.
struct Compressor {
    deflate: Deflate,
    bits: u8,
    /// Which window it has read in: the number of its connection, and its version.
    warm: Option<Version>,
    /// How many of that window's last bytes it has, at least.
    reach: usize,
    used: u64,
    counted: Grant,
}

/// Bytes to be compressed: a message, or a piece of one.
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    /// The bytes before them, in order, to which they may refer.
    pub(super) before: [&'a [u8]; 3],
    /// Identifies the bytes before them, if a compressor may continue behind those.
    pub(super) from: Option<Version>,
    /// The length of the message.
    pub(super) message: usize,
    pub(super) bits: u8,
    /// It is the last piece.
    pub(super) last: bool,
}

/// Identifies the bytes before a piece: the number of a window and its version; or the number of a message that is
/// compressed in steps, and how many of its bytes were.
pub(super) type Version = (Instant, u64);

/// On some targets, zlib-rs counts the output of a stream in 32 bits. So no message continues a stream with more output
/// than this.
const MOST_OUT: u64 = 1 << 31;

impl DeflatePool {
    /// Bytes that one compressor takes, at 15 window bits; 162 KiB at 9.
    pub const COMPRESSOR: usize = 288 << 10;

    /// A buffer of up to this size is kept.
    const KEEP_OUT: usize = 1 << 20;
    const MIN_OUT: usize = 4 << 10;

    /// A pool with a budget of its own. It holds no memory yet.
    pub fn new(config: DeflateConfig) -> Self {
        Self::sharing(&DeflateBudget::new(config))
    }

    /// A pool that shares the caps of this budget with all its other pools. It holds no memory yet.
    pub fn sharing(budget: &DeflateBudget) -> Self {
        Self {
            budget: budget.clone(),
            compressors: Vec::new(),
            clock: Clock::new(),
            uses: 0,
            out: Vec::new(),
        }
    }

    /// The budget of this pool, to make further pools with it.
    pub const fn budget(&self) -> &DeflateBudget {
        &self.budget
    }

    /// How many compressors exist, in all pools with this budget.
    pub fn compressors(&self) -> usize {
        self.budget.compressors.used()
    }

    /// How many bytes are reserved for windows, in all pools with this budget.
    pub fn windows(&self) -> usize {
        self.budget.windows.used()
    }

    /// Messages of fewer bytes are sent uncompressed.
    pub(super) fn min_len(&self) -> usize {
        self.budget.config.min_len.max(1)
    }

    /// Compresses `bytes` into `out`, with references to the bytes of `context`, and returns the length. The output
    /// ends with a block, at a byte boundary; if this is the `last` piece, without the bytes that the receiver adds
    /// (RFC 7692 §7.2.1). Returns `None` and changes no window if the output would not be shorter than `bytes`, or if
    /// zlib-rs could not count it.
    pub(super) fn compress(
        &mut self,
        bytes: &[u8],
        bits: u8,
        context: Option<&mut Context>,
        last: bool,
    ) -> Option<usize> {
        let from = context.as_deref().map(Context::id);
        let [older, newer] = context.as_deref().map_or([&[][..]; 2], |context| context.window.pieces());
        let piece = Piece { bytes, before: [older, newer, &[]], from, message: bytes.len(), bits, last };
        let (len, index) = self.compress_piece(&piece)?;
        if let Some(context) = context {
            context.window.push(bytes);
            self.leave(index, context.id());
        }
        Some(len)
    }

    /// As [`compress`](Self::compress), but leaves it to the caller to push the bytes to their window, and to let the
    /// compressor [continue](Self::leave) behind them. Also returns the index of the compressor.
    pub(super) fn compress_piece(&mut self, piece: &Piece<'_>) -> Option<(usize, usize)> {
        let Piece { bytes, before, from: warm, message, bits, last } = *piece;
        if size_of::<c_ulong>() < size_of::<u64>() && bytes.len() as u64 >= MOST_OUT / 2 {
            return None;
        }
        self.forget_large();
        let index = self.choose(bits, warm);
        let Compressor { deflate, warm: has, reach, .. } = &mut self.compressors[index];
        let had = has.take(); // none, until this piece is compressed
        let worth = self.budget.config.worth_reading(message).min(1 << bits);
        let pieces = window::last(before, worth);
        let wanted = pieces.iter().map(|piece| piece.len()).sum();
        if warm.is_none() || had != warm || *reach < wanted {
            deflate.reset();
            for piece in pieces {
                if !piece.is_empty() {
                    deflate.set_dictionary(piece).ok()?;
                }
            }
            *reach = wanted;
        }

        if self.out.len() < Self::MIN_OUT {
            self.out.resize(Self::MIN_OUT, 0); // with room for only a few bytes, flushing never ends
        }
        // Output of `enough` bytes is not shorter than the input. There is room for all of them: if zlib leaves one
        // free, the output is complete.
        let dropped = if last { TAIL.len() } else { 0 };
        let enough = bytes.len() + dropped;
        let (mut taken, mut given) = (0, 0);
        loop {
            if given == self.out.len() {
                self.out.resize((2 * given).min(enough), 0);
            }
            let room = self.out.len().min(enough);
            let out = &mut self.out[given..room];
            let Step { taken: more, given: fresh } =
                step(deflate, &bytes[taken..], out, DeflateFlush::SyncFlush)?;
            taken += more;
            given += fresh;
            if given == enough {
                // All output must be taken out before a reset. A reset of zlib-rs (0.6.8) keeps an open block, so that
                // a later message would lack its first bytes; and it keeps the position of output that was not taken,
                // so that a later message would find no room in the buffer, and panic.
                while step(deflate, &[], &mut self.out, DeflateFlush::SyncFlush)?.given == self.out.len() {}
                return None;
            }
            if given < room {
                break;
            }
        }
        if taken < bytes.len() || !self.out[..given].ends_with(TAIL) {
            return None; // not reached: a flush takes all input and ends with these bytes
        }
        *reach = reach.saturating_add(bytes.len());
        Some((given - dropped, index))
    }

    /// Lets the compressor with this index continue behind these bytes.
    pub(super) fn leave(&mut self, index: usize, version: Version) {
        let compressor = &mut self.compressors[index];
        compressor.warm = Some(version).filter(|_| compressor.deflate.total_out() < MOST_OUT);
    }

    /// A number that no window has, and no other message that is compressed in steps.
    pub(super) const fn number(&mut self) -> Instant {
        self.clock.tick()
    }

    /// The output of the last [`compress`](Self::compress) or [`store`](Self::store), which returned this `len`.
    pub(super) fn compressed(&mut self, len: usize) -> &mut [u8] {
        &mut self.out[..len]
    }

    /// A masked copy of these bytes.
    pub(super) fn masked(&mut self, key: Key, bytes: &[u8]) -> &[u8] {
        self.forget_large();
        if self.out.len() < bytes.len() {
            self.out.resize(bytes.len(), 0);
        }
        let len = mask::apply_to(key, bytes, &mut self.out);
        &self.out[..len]
    }

    fn forget_large(&mut self) {
        if self.out.len() > Self::KEEP_OUT {
            self.out = Vec::new();
        }
    }

    /// Compresses a message without references to earlier ones.
    #[cfg(feature = "bytes")]
    pub(crate) fn compress_alone(&mut self, bytes: &[u8], bits: u8) -> Option<&[u8]> {
        self.compress(bytes, bits, None, true).map(|len| &self.out[..len])
    }

    /// As [`compress`](Self::compress), but does not fail: writes the bytes unchanged, in stored blocks.
    pub(super) fn store(&mut self, bytes: &[u8], context: Option<&mut Context>, last: bool) -> usize {
        self.out.clear();
        for block in bytes.chunks(usize::from(u16::MAX)) {
            let len = block.len() as u16;
            self.out.push(0);
            self.out.extend_from_slice(&len.to_le_bytes());
            self.out.extend_from_slice(&(!len).to_le_bytes());
            self.out.extend_from_slice(block);
        }
        if last {
            self.out.push(0); // the header of an empty block, whose rest the receiver adds
        }
        if let Some(context) = context {
            context.window.push(bytes);
        }
        self.out.len()
    }

    /// The compressor that has read in this version of this window; else one that has read in none; else a new one, if
    /// one more is allowed; else the one that was used least recently.
    fn choose(&mut self, bits: u8, warm: Option<Version>) -> usize {
        let find = |warm| self.compressors.iter().position(|c| c.bits == bits && c.warm == warm);
        let found = find(warm).or_else(|| find(None));
        let level = self.budget.config.level;
        let mut index = match found.ok_or_else(|| self.one_more()) {
            Ok(index) => index,
            Err(Some(counted)) => {
                self.compressors.push(Compressor::new(level, bits, counted));
                self.compressors.len() - 1
            }
            Err(None) => {
                let oldest = |(_, c): &(usize, &Compressor)| (c.bits != bits, c.used);
                self.compressors.iter().enumerate().min_by_key(oldest).map_or(0, |(index, _)| index)
            }
        };
        if self.compressors[index].bits != bits {
            // The old one is dropped before the new one is made, so the cap always holds.
            let Compressor { counted, .. } = self.compressors.swap_remove(index);
            self.compressors.push(Compressor::new(level, bits, counted));
            index = self.compressors.len() - 1;
        }
        self.uses += 1;
        self.compressors[index].used = self.uses;
        index
    }

    /// The right to one more compressor. A pool always gets its first.
    fn one_more(&self) -> Option<Grant> {
        let DeflateBudget { config, compressors, .. } = &self.budget;
        if self.compressors.is_empty() {
            return Some(compressors.count());
        }
        compressors.grant(1, config.compressors)
    }

    /// A window for a connection, if one more is allowed.
    pub(super) fn context(&mut self, bits: u8) -> Option<Box<Context>> {
        let grant = self.budget.windows.grant(1 << bits, self.budget.config.windows)?;
        Some(Box::new(Context { window: Window::new(bits), serial: self.clock.tick(), _window: grant }))
    }
}

impl Default for DeflatePool {
    fn default() -> Self {
        Self::new(DeflateConfig::default())
    }
}

impl Compressor {
    fn new(level: u8, bits: u8, counted: Grant) -> Self {
        // Room for 4,096 symbols a block, not 16,384: zlib-rs (0.6.8) clears all of it for each block, and so for each message.
        let window_bits = -i32::from(bits);
        let config = Zlib { level: level.into(), window_bits, mem_level: 6, ..Zlib::default() };
        Self { deflate: Deflate::new_with_config(config), bits, warm: None, reach: 0, used: 0, counted }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("bits", &self.bits)
            .field("warm", &self.warm)
            .finish_non_exhaustive()
    }
}

/// How many bytes a compressor took in and put out.
struct Step {
    taken: usize,
    given: usize,
}

/// Lets a compressor take in and put out as much as it can. `None` if it fails, which does not happen.
fn step(deflate: &mut Deflate, input: &[u8], out: &mut [u8], flush: DeflateFlush) -> Option<Step> {
    let (total_in, total_out) = (deflate.total_in(), deflate.total_out());
    deflate.compress(input, out, flush).ok()?;
    Some(Step {
        taken: (deflate.total_in() - total_in) as usize,
        given: (deflate.total_out() - total_out) as usize,
    })
}

/// The end of the bytes that we sent compressed, which the peer's window holds as well.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) window: Window,
    serial: Instant,
    _window: Grant,
}

impl Context {
    /// Identifies this window and its version.
    pub(super) fn id(&self) -> Version {
        (self.serial, self.window.version())
    }
}
