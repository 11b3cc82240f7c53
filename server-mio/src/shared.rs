//! What the sessions of one loop share, and what is lent to one of them while something of it is unfinished.

use crate::{backlog::Backlog, compression::Pools, options::Config, outbox, stats::Stats};
use framewire::{
    Assembler,
    handshake::{self, HeadBuffer},
};
use std::{mem, sync::Arc};

/// What the sessions of one loop share.
#[derive(Debug)]
pub struct Shared {
    pub config: Arc<Config>,
    pub stats: Arc<Stats>,
    /// Seconds since the loop began.
    pub now: u32,
    pub pool: Pool,
    /// Where compression is offered.
    pub compression: Option<Box<Pools>>,
}

/// What every event of the loop begins with: empty.
#[derive(Debug)]
pub struct Buffers {
    /// Into this, every connection of the loop is read.
    pub rx: Vec<u8>,
    /// Turns of the loop in a row with one event, or none.
    alone: u32,
    pub outbox: outbox::Memory,
}

/// What is unfinished.
#[derive(Debug)]
pub struct Busy {
    pub head: HeadBuffer,
    pub assembler: Assembler,
    pub backlog: Backlog,
    /// What was read and not looked at: a later turn's.
    pub rest: Vec<u8>,
}

/// A message is received straight into its own memory once it has so many bytes and lacks so many.
pub const DIRECT_FROM: usize = 16 << 10;

impl Shared {
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            stats: Arc::default(),
            now: 0,
            pool: Pool::default(),
            compression: config.compression.as_ref().map(|config| Box::new(Pools::new(config))),
            config,
        }
    }

    /// To be called about once a second.
    pub fn rest(&mut self) {
        self.pool.rest();
    }

    /// A session's place for what is unfinished.
    pub fn busy<'s>(&mut self, slot: &'s mut Option<Box<Busy>>) -> &'s mut Busy {
        slot.get_or_insert_with(|| {
            self.pool.used = true;
            self.pool.busy.pop().unwrap_or_else(|| {
                Box::new(Busy {
                    head: HeadBuffer::new(self.config.head_limits),
                    assembler: Assembler::new(0),
                    backlog: Backlog::default(),
                    rest: Vec::new(),
                })
            })
        })
    }

    /// A session's place for a message that is not whole, and of which this frame is some.
    pub fn assembler<'s>(&mut self, slot: &'s mut Option<Box<Busy>>, frame: u64) -> &'s mut Assembler {
        let assembler = &mut self.busy(slot).assembler;
        if assembler.is_empty() {
            let limit = usize::try_from(self.config.limits.message).unwrap_or(usize::MAX);
            // The large pieces of memory are for large messages.
            let large = frame >= DIRECT_FROM as u64;
            let memory = if large { self.pool.buffers.pop() } else { None };
            *assembler = Assembler::with_memory(limit, memory.unwrap_or_default());
        }
        assembler
    }
}

impl Buffers {
    /// Many may come one by one, too: but not for so many turns.
    const ALONE: u32 = 16;

    pub fn new(config: &Config) -> Self {
        Self { rx: vec![0; config.receive_buffer], alone: 0, outbox: outbox::Memory::default() }
    }

    /// To be told of each turn of the loop, before its events: whether there is one at most.
    #[inline]
    pub fn turn(&mut self, alone: bool) {
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
    }

    /// How much one read fills of `rx`. Who has been alone for a while is read by halves: it works on the replies to the
    /// first while we are at the second, where with all at once each would wait for the other. With many, there is
    /// always somebody else, and a full buffer takes the fewest calls.
    #[inline]
    pub fn room(&self) -> usize {
        if self.alone < Self::ALONE { self.rx.len() } else { self.rx.len() / 2 }
    }
}

impl Busy {
    pub fn is_idle(&self) -> bool {
        self.assembler.is_empty() && self.backlog.is_empty() && self.rest.is_empty()
    }
}

/// Memory that was of use and will be again. Little of it, and not for longer than it is of use.
#[derive(Debug, Default)]
pub struct Pool {
    #[expect(clippy::vec_box, reason = "a session holds a box, so that it is small")]
    busy: Vec<Box<Busy>>,
    buffers: Vec<Vec<u8>>,
    /// Something was asked of it lately.
    used: bool,
}

impl Pool {
    const MAX_BUSY: usize = 64;
    const MAX_BUFFERS: usize = 16;
    const MAX_BUFFER: usize = 2 << 20;

    pub fn put_busy(&mut self, mut busy: Box<Busy>, limits: handshake::HeadLimits) {
        if self.busy.len() < Self::MAX_BUSY {
            busy.head = HeadBuffer::new(limits);
            self.busy.push(busy);
        }
    }

    /// Lets go of everything, unless something was asked of it since the last time.
    fn rest(&mut self) {
        if !mem::take(&mut self.used) {
            self.busy = Vec::new();
            self.buffers = Vec::new();
        }
    }

    pub fn put_buffer(&mut self, buffer: Vec<u8>) {
        if (1..=Self::MAX_BUFFER).contains(&buffer.capacity()) && self.buffers.len() < Self::MAX_BUFFERS {
            self.buffers.push(buffer);
        }
    }
}
