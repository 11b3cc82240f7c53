//! permessage-deflate (RFC 7692): what a peer has that agreed on it, and what the peers of a loop share.

use framewire::{
    Assembler, Kind, Part, ProtocolError, Server,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, NoWindow},
    extension::{self, DeflateParams},
};

/// What is offered, and within what bounds it is kept.
#[derive(Clone, Debug)]
pub struct Config {
    pub agreement: extension::DeflatePolicy,
    pub inflate: InflateConfig,
    pub deflate: DeflateConfig,
    /// How many seconds a peer may take over a compressed message while others wait to begin one.
    pub message_timeout: u32,
}

impl Config {
    /// Bounds that keep a loop within so many bytes, beside messages themselves: a quarter each for messages that are
    /// being inflated, for compressors, and for the windows of both directions.
    pub fn within(memory: usize) -> (InflateConfig, DeflateConfig) {
        let quarter = memory / 4;
        let inflate = InflateConfig::default();
        let message = InflatePool::DECOMPRESSOR + (32 << 10); // and what it has inflated to, up to a window
        let deflate = DeflateConfig::default();
        let compressors = (quarter / DeflatePool::COMPRESSOR).min(deflate.compressors);
        (
            InflateConfig { messages: quarter / message, windows: quarter, ..inflate },
            DeflateConfig { compressors, windows: quarter, ..deflate },
        )
    }
}

/// What the peers of a loop share.
#[derive(Debug)]
pub struct Pools {
    pub inflate: InflatePool,
    pub deflate: DeflatePool,
    /// Peers that are not read, because a message of theirs could not be inflated.
    pub starved: usize,
}

impl Pools {
    pub fn new(config: &Config) -> Self {
        Self {
            inflate: InflatePool::new(config.inflate),
            deflate: DeflatePool::new(config.deflate),
            starved: 0,
        }
    }

    /// What a new peer may agree on: nothing where none could begin a message, and no context of its own where no
    /// window is left for it.
    pub fn agreement(&self, config: &Config) -> Option<extension::DeflatePolicy> {
        let mut agreement = config.agreement;
        agreement.client_no_context_takeover |= !self.inflate.has_window(agreement.client_max_window_bits);
        self.inflate.has_decompressor().then_some(agreement)
    }
}

/// What one peer has.
#[derive(Debug)]
pub struct Compression {
    inflater: Inflater<Server>,
    pub deflater: Deflater<Server>,
    /// When the message that is being inflated began, on the loop's clock.
    begun: u32,
}

impl Compression {
    pub fn new(params: &DeflateParams, pools: &Pools) -> Result<Self, NoWindow> {
        let inflater = Inflater::new(params, &pools.inflate)?;
        Ok(Self { inflater, deflater: Deflater::new(params), begun: 0 })
    }

    /// Whether what the next read brings can be inflated; otherwise, messages of other peers hold all that there is for
    /// it.
    pub fn is_ready(&mut self, pools: &mut Pools) -> bool {
        self.inflater.ready(&mut pools.inflate).is_some()
    }

    /// Whether a compressed message has begun and not ended.
    pub const fn is_open(&self) -> bool {
        self.inflater.is_open()
    }

    /// For how many seconds that has been so.
    pub fn open_for(&self, now: u32) -> u32 {
        if self.is_open() { now.saturating_sub(self.begun) } else { 0 }
    }

    /// Inflates a part of a message; gives the message once it is whole.
    pub fn inflate(
        &mut self,
        part: Part<'_>,
        pools: &mut Pools,
        assembler: &mut Assembler,
        now: u32,
    ) -> Result<Option<(Kind, Vec<u8>)>, ProtocolError> {
        if !self.inflater.is_open() {
            self.begun = now;
        }
        // It was asked before the read, and what is free then is not taken in between.
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
