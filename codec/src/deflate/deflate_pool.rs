//! What deflaters share: compressors, and the buffer into which they write.

use super::{
    TAIL,
    budget::{Clock, Grant, Instant, Tally},
    window::Window,
};
use crate::mask::{self, Key};
use alloc::{boxed::Box, vec::Vec};
use core::{ffi::c_ulong, fmt};
use zlib_rs::{Deflate, DeflateConfig as Zlib, DeflateFlush};

/// How the deflaters of a [`DeflatePool`] compress, and what they may hold. If pools share a [`DeflateBudget`],
/// `compressors` and `windows` are caps for all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// How hard zlib tries, 1–9; values outside are taken as the nearest of them. From 7 on, short messages refer to as
    /// much of what went before as long ones do, whatever it costs to read it in.
    pub level: u8,
    /// Messages of fewer bytes go uncompressed.
    pub min_len: usize,
    /// The most compressors. Each pool may have one in any case, which serves any number of connections. With context
    /// takeover, each further one saves that a connection's window is read in again before each message. Each takes
    /// [`DeflatePool::COMPRESSOR`] bytes.
    pub compressors: usize,
    /// The most bytes of windows that are kept between messages, if our context is taken over: 2 to the power of the
    /// window bits for each connection that has sent something. A connection for which nothing is left compresses
    /// each message by itself.
    pub windows: usize,
}

impl Default for DeflateConfig {
    /// Level 2, messages of 64 bytes and more, 4 compressors, 64 MiB of windows.
    ///
    /// Level 2 takes as long as level 6 for 125 bytes and half as long for 16 KiB, and what it makes is larger by 7 to 33 %, as
    /// the text is.
    fn default() -> Self {
        Self { level: 2, min_len: 64, compressors: 4, windows: 64 << 20 }
    }
}

impl DeflateConfig {
    /// How many of a window's last bytes are worth reading in before a message of this length, by a compressor that does
    /// not have them. They cost the same for all messages (all of 15 bits: what compressing three short ones costs), and save the
    /// more the longer the message is and the nearer they are: docs/deflate.md has the figures.
    const fn worth_reading(&self, message: usize) -> usize {
        if self.level < 7 { message.saturating_mul(16).saturating_add(2 << 10) } else { usize::MAX }
    }
}

/// What the [`DeflatePool`]s of a program share, one for each thread: the caps of a [`DeflateConfig`] then hold for all of
/// them together. A clone is the same budget.
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
    /// A budget with the caps of this configuration, the rest of which holds for each of its pools.
    pub fn new(config: DeflateConfig) -> Self {
        let config = DeflateConfig { level: config.level.clamp(1, 9), ..config };
        Self { config, compressors: Tally::default(), windows: Tally::default() }
    }
}

/// What the [`Deflater`](super::Deflater)s of one thread share: compressors, and the buffer into which they write. The
/// host owns it.
///
/// A compressor is needed for the length of a call, and remembers nothing that matters: the next message may refer to the
/// connection's window. With context takeover, a connection uses its last compressor again if no other has used it since.
/// If one has, a compressor first reads in the end of the window: more of it the longer the message is, and all of it from
/// 2 KiB and from level 7 on. That costs 0.8 µs for each KiB, and saves 380 KB for each connection.
#[derive(Debug)]
pub struct DeflatePool {
    budget: DeflateBudget,
    compressors: Vec<Compressor>,
    /// Numbers windows.
    clock: Clock,
    /// Counts what compressors are used for: to tell which was used least recently.
    uses: u64,
    /// All of it initialised. What was compressed or masked last is at its start, lent to the host until the next is.
    out: Vec<u8>,
}

/// A compressor of one size of window.
struct Compressor {
    deflate: Deflate,
    bits: u8,
    /// Which window it knows: whose, and in which version.
    warm: Option<(Instant, u64)>,
    /// How many of that window's last bytes, at least.
    reach: usize,
    used: u64,
    counted: Grant,
}

/// On some targets, zlib-rs counts a stream's output in 32 bits: a message does not go on with a stream that has given out
/// more than this.
const MOST_OUT: u64 = 1 << 31;

impl DeflatePool {
    /// Bytes that one compressor takes, at 15 window bits; 246 KiB at 9.
    pub const COMPRESSOR: usize = 372 << 10;

    /// The buffer is kept up to this size.
    const KEEP_OUT: usize = 1 << 20;
    const MIN_OUT: usize = 4 << 10;

    /// A pool with a budget of its own. It holds nothing yet.
    pub fn new(config: DeflateConfig) -> Self {
        Self::sharing(&DeflateBudget::new(config))
    }

    /// A pool whose caps are those of all pools with this budget. It holds nothing yet.
    pub fn sharing(budget: &DeflateBudget) -> Self {
        Self {
            budget: budget.clone(),
            compressors: Vec::new(),
            clock: Clock::new(),
            uses: 0,
            out: Vec::new(),
        }
    }

    /// The budget, for further pools.
    pub const fn budget(&self) -> &DeflateBudget {
        &self.budget
    }

    /// Compressors that exist, in all pools with this budget.
    pub fn compressors(&self) -> usize {
        self.budget.compressors.used()
    }

    /// Bytes that are set aside for windows, by all pools with this budget.
    pub fn windows(&self) -> usize {
        self.budget.windows.used()
    }

    /// Messages of fewer bytes go uncompressed.
    pub(super) fn min_len(&self) -> usize {
        self.budget.config.min_len.max(1)
    }

    /// Compresses `bytes`, with references into what the peer's window holds by `context`; gives how many bytes of `out`
    /// that takes. They end a block, at a byte's start; with `last`, without what the receiver adds (RFC 7692 §7.2.1).
    /// `None`, and nothing has changed, if they would not be fewer than `bytes`, or if zlib-rs could not count them.
    pub(super) fn compress(
        &mut self,
        bytes: &[u8],
        bits: u8,
        mut context: Option<&mut Context>,
        last: bool,
    ) -> Option<usize> {
        if size_of::<c_ulong>() < size_of::<u64>() && bytes.len() as u64 >= MOST_OUT / 2 {
            return None;
        }
        self.forget_large();
        let warm = context.as_deref().map(Context::id);
        let index = self.choose(bits, warm);
        let Compressor { deflate, warm: has, reach, .. } = &mut self.compressors[index];
        let had = has.take(); // it knows none until this message has been compressed
        let worth = self.budget.config.worth_reading(bytes.len());
        let pieces = context.as_deref().map_or([&[][..]; 2], |context| context.window.last(worth));
        let wanted = pieces[0].len() + pieces[1].len();
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
            self.out.resize(Self::MIN_OUT, 0); // for less than a few bytes, flushing finds no end
        }
        // Room for one byte less than is too much, and for the byte that tells zlib from a buffer that was too small.
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
                // What was taken in has to come out: a reset of zlib-rs (0.6.8) forgets neither that a block is open (a
                // later message would go without its first bytes) nor where in its buffer output stood that nobody took
                // (a later message would find no room there, and panic).
                while step(deflate, &[], &mut self.out, DeflateFlush::SyncFlush)?.given == self.out.len() {}
                return None;
            }
            if given < room {
                break;
            }
        }
        if taken < bytes.len() || !self.out[..given].ends_with(TAIL) {
            return None; // not reached: that is what flushing is
        }
        if let Some(context) = &mut context {
            context.window.push(bytes);
            *has = warm.filter(|_| deflate.total_out() < MOST_OUT).map(|_| context.id());
            *reach = reach.saturating_add(bytes.len());
        }
        Some(given - dropped)
    }

    /// What [`compress`](Self::compress) or [`store`](Self::store) made last: so many bytes.
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

    /// A message that refers to none before it.
    #[cfg(feature = "bytes")]
    pub(crate) fn compress_alone(&mut self, bytes: &[u8], bits: u8) -> Option<&[u8]> {
        self.compress(bytes, bits, None, true).map(|len| &self.out[..len])
    }

    /// What [`compress`](Self::compress) does, if it must not fail: the bytes as they are, in stored blocks.
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
            self.out.push(0); // of an empty block, whose rest the receiver adds
        }
        if let Some(context) = context {
            context.window.push(bytes);
        }
        self.out.len()
    }

    /// The compressor that knows this very window; else one that knows none; else a new one, if there may be one more;
    /// else the one that was used least recently.
    fn choose(&mut self, bits: u8, warm: Option<(Instant, u64)>) -> usize {
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
            // Gone before there is another: the cap holds all the time.
            let Compressor { counted, .. } = self.compressors.swap_remove(index);
            self.compressors.push(Compressor::new(level, bits, counted));
            index = self.compressors.len() - 1;
        }
        self.uses += 1;
        self.compressors[index].used = self.uses;
        index
    }

    /// The right to one more compressor, which the first is never refused.
    fn one_more(&self) -> Option<Grant> {
        let DeflateBudget { config, compressors, .. } = &self.budget;
        if self.compressors.is_empty() {
            return Some(compressors.count());
        }
        compressors.grant(1, config.compressors)
    }

    /// A window for a connection, if there may be one more.
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
        let config = Zlib { level: level.into(), window_bits: -i32::from(bits), ..Zlib::default() };
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

/// How many bytes a compressor took in and gave out.
struct Step {
    taken: usize,
    given: usize,
}

/// Has a compressor take in and give out what it can; `None` where it fails, which it does not.
fn step(deflate: &mut Deflate, input: &[u8], out: &mut [u8], flush: DeflateFlush) -> Option<Step> {
    let (total_in, total_out) = (deflate.total_in(), deflate.total_out());
    deflate.compress(input, out, flush).ok()?;
    Some(Step {
        taken: (deflate.total_in() - total_in) as usize,
        given: (deflate.total_out() - total_out) as usize,
    })
}

/// What the peer's window holds of what we sent: all of it, or all since some message.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) window: Window,
    serial: Instant,
    _window: Grant,
}

impl Context {
    /// Tells it from every other window, and from what it was before.
    fn id(&self) -> (Instant, u64) {
        (self.serial, self.window.version())
    }
}
