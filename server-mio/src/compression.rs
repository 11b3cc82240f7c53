//! permessage-deflate (RFC 7692): the state of a peer that negotiated it, and the pools that all peers of a loop share.

use crate::{
    config::{CompressionConfig, Config},
    line::{Line, Ticket},
};
use framewire::{
    Assembler, Kind, Part, ProtocolError, Server,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, NoWindow},
    extension::{self, DeflateParams},
};

/// How much of one session's messages is inflated before waiting sessions get their turn. A message that has begun is always
/// finished first.
const SHARE: usize = 64 << 10;

/// The pools that all peers of a loop share.
#[derive(Debug)]
pub(crate) struct Pools {
    pub(crate) inflate: InflatePool,
    pub(crate) deflate: DeflatePool,
    /// Sessions that are not read, because no decompressor is free for their next message.
    pub(crate) line: Line,
}

impl Pools {
    /// Makes the pools, if compression is configured.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let (inflate, deflate) = budgets(config.compression.as_ref()?, config.limits.message);
        Some(Self {
            inflate: InflatePool::new(inflate),
            deflate: DeflatePool::new(deflate),
            line: Line::default(),
        })
    }

    /// The policy for a new peer: no compression if no decompressor is free, and no context between its messages if no
    /// window is left for it.
    pub(crate) fn agreement(&self, config: &CompressionConfig) -> Option<extension::DeflatePolicy> {
        let mut agreement = config.policy;
        agreement.client_no_context_takeover |= !self.inflate.has_window(agreement.client_max_window_bits);
        self.can_begin(false).then_some(agreement)
    }

    /// How many bytes of messages a session may assemble before others get their turn: fewer if sessions wait for a
    /// decompressor.
    pub(crate) fn share(&self, high_water: usize) -> usize {
        if self.line.is_empty() { high_water } else { high_water.min(SHARE) }
    }

    /// Whether a session can begin a compressed message: a decompressor is free, and the line has called this session or is
    /// empty.
    #[inline]
    pub(crate) fn can_begin(&self, called: bool) -> bool {
        (called || self.line.is_empty()) && self.inflate.has_decompressor()
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
        InflateConfig { messages: quarter / inflating, message, windows: quarter, ..Default::default() },
        DeflateConfig { level: config.level, min_len: config.min_len, compressors, windows: quarter },
    )
}

/// The state of one peer that negotiated compression.
#[derive(Debug)]
pub(crate) struct Compression {
    inflater: Inflater<Server>,
    pub(crate) deflater: Deflater<Server>,
    /// The time, on the loop's clock, at which the message that is being inflated began.
    begun: u32,
    /// Bytes of messages that were assembled since others had their turn.
    pub(crate) collected: usize,
    /// The session was inside a message when it was read.
    resumed: bool,
    /// The place in the line, if the session waits there.
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
            resumed: false,
            ticket: Ticket::default(),
        })
    }

    /// Whether the session may be read: inside a message always, otherwise if it [can begin](Pools::can_begin) one.
    pub(crate) fn begin_read(&mut self, called: bool, pools: &Pools) -> bool {
        self.resumed = self.is_open();
        if self.resumed {
            return true;
        }
        self.collected = 0;
        pools.can_begin(called)
    }

    /// Whether others get their turn before the next message of the same read. If they wait, they do so at the end of a message
    /// that has taken several reads: otherwise a peer could hold its decompressor for ever, with messages that each begin in
    /// the read in which the last one ends.
    pub(crate) fn gives_way(&self, pools: &Pools, high_water: usize) -> bool {
        self.collected >= pools.share(high_water) || self.resumed && !pools.line.is_empty()
    }

    /// Whether the session is inside a compressed message.
    pub(crate) const fn is_open(&self) -> bool {
        self.inflater.is_open()
    }

    /// For how many seconds the session has been inside a compressed message, at least: both times are rounded down.
    pub(crate) fn open_for(&self, now: u32) -> u32 {
        if self.is_open() { now.saturating_sub(self.begun).saturating_sub(1) } else { 0 }
    }

    /// Inflates a part of a message, and returns the message with its last part.
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
        // Not `None`: `begin_read` found a free decompressor before the read, and no other session was read since.
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
