//! permessage-deflate (RFC 7692): what a peer has that agreed on it, and what the peers of a loop share.

use crate::{
    config::{CompressionConfig, Config},
    line::{Line, Ticket},
};
use framewire::{
    Assembler, Kind, Part, ProtocolError, Server,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, NoWindow},
    extension::{self, DeflateParams},
};

/// How much of one session's messages is inflated before others that wait have their turn. A message that has begun is
/// always finished first.
const SHARE: usize = 64 << 10;

/// What the peers of a loop share.
#[derive(Debug)]
pub(crate) struct Pools {
    pub(crate) inflate: InflatePool,
    pub(crate) deflate: DeflatePool,
    /// Sessions that are not read, because a message of theirs could not be inflated.
    pub(crate) line: Line,
}

impl Pools {
    /// Pools for what is configured, if anything is.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let (inflate, deflate) = budgets(config.compression.as_ref()?, config.limits.message);
        Some(Self {
            inflate: InflatePool::new(inflate),
            deflate: DeflatePool::new(deflate),
            line: Line::default(),
        })
    }

    /// What a new peer may agree on: nothing if none could begin a message, and no context of its own if no window is
    /// left for it.
    pub(crate) fn agreement(&self, config: &CompressionConfig) -> Option<extension::DeflatePolicy> {
        let mut agreement = config.policy;
        agreement.client_no_context_takeover |= !self.inflate.has_window(agreement.client_max_window_bits);
        self.can_begin(false).then_some(agreement)
    }

    /// How many bytes of messages a session may put together before others have their turn: fewer if some of them wait for a
    /// decompressor.
    pub(crate) fn share(&self, high_water: usize) -> usize {
        if self.line.is_empty() { high_water } else { high_water.min(SHARE) }
    }

    /// Whether a session can begin a compressed message: the one that the line has called, or any if none waits.
    #[inline]
    pub(crate) fn can_begin(&self, called: bool) -> bool {
        (called || self.line.is_empty()) && self.inflate.has_decompressor()
    }
}

/// Bounds that keep a loop within the memory that is configured, in addition to messages themselves: a quarter each for
/// messages that are being inflated, for compressors, and for the windows of both directions.
fn budgets(config: &CompressionConfig, message: u64) -> (InflateConfig, DeflateConfig) {
    let quarter = config.memory / 4;
    // With what the message has inflated to, up to a window.
    let inflating = InflatePool::DECOMPRESSOR + (32 << 10);
    let compressors = (quarter / DeflatePool::COMPRESSOR).min(DeflateConfig::default().compressors);
    (
        InflateConfig { messages: quarter / inflating, message, windows: quarter, ..Default::default() },
        DeflateConfig { level: config.level, min_len: config.min_len, compressors, windows: quarter },
    )
}

/// What one peer has.
#[derive(Debug)]
pub(crate) struct Compression {
    inflater: Inflater<Server>,
    pub(crate) deflater: Deflater<Server>,
    /// When the message that is being inflated began, on the loop's clock.
    begun: u32,
    /// Bytes of its messages that were put together since others had their turn.
    pub(crate) collected: usize,
    /// Its place in the line, while it is in it.
    pub(crate) ticket: Ticket,
}

impl Compression {
    pub(crate) fn new(params: &DeflateParams, pools: &Pools) -> Result<Self, NoWindow> {
        let inflater = Inflater::new(params, &pools.inflate)?;
        Ok(Self {
            inflater,
            deflater: Deflater::new(params),
            begun: 0,
            collected: 0,
            ticket: Ticket::default(),
        })
    }

    /// Begins a read, unless it would begin a message and cannot; see [`Pools::can_begin`].
    pub(crate) fn begin_read(&mut self, called: bool, pools: &Pools) -> bool {
        if self.is_open() {
            return true;
        }
        self.collected = 0;
        pools.can_begin(called)
    }

    /// Whether a compressed message has begun and not ended.
    pub(crate) const fn is_open(&self) -> bool {
        self.inflater.is_open()
    }

    /// For how many seconds that has been so.
    pub(crate) fn open_for(&self, now: u32) -> u32 {
        if self.is_open() { now.saturating_sub(self.begun) } else { 0 }
    }

    /// Inflates a part of a message; gives the message once it is whole.
    pub(crate) fn inflate(
        &mut self,
        part: Part<'_>,
        pools: &mut Pools,
        assembler: &mut Assembler,
        now: u32,
    ) -> Result<Option<(Kind, Vec<u8>)>, ProtocolError> {
        if !self.inflater.is_open() {
            self.begun = now;
        }
        // There is one: `begin_read` found it before the read, and no other session has been read in between.
        let Some(mut ready) = self.inflater.ready(&mut pools.inflate) else {
            return Err(ProtocolError::CorruptDeflate);
        };
        let mut parts = ready.feed(part);
        let mut whole = None;
        while let Some(part) = parts.next_part()? {
            whole = assembler.push(part)?.map(|message| (message.kind, message.into_vec()));
        }
        Ok(whole)
    }
}
