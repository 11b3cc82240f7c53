//! What the sessions of one loop share, and what is lent to one of them while something of it is unfinished.

use crate::{compression::Pools, config::Config, stats::Stats};
use framewire::{
    Assembler,
    handshake::{self, HeadBuffer},
    outbox::{self, Backlog},
};
use std::{mem, sync::Arc};

/// What the sessions of one loop share.
#[derive(Debug)]
pub(crate) struct Shared<H> {
    pub(crate) handler: H,
    pub(crate) config: Arc<Config>,
    pub(crate) stats: Arc<Stats>,
    /// Seconds since the loop began.
    pub(crate) now: u32,
    pub(crate) pool: Pool,
    /// Where compression is offered.
    pub(crate) compression: Option<Box<Pools>>,
}

/// What every event of the loop begins with: empty.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// Into this, every connection of the loop is read.
    pub(crate) rx: Vec<u8>,
    /// Turns of the loop in a row with one event, or none.
    alone: u32,
    pub(crate) outbox: outbox::Memory,
}

/// What is unfinished.
#[derive(Debug)]
pub(crate) struct Busy {
    pub(crate) head: HeadBuffer,
    pub(crate) assembler: Assembler,
    pub(crate) backlog: Backlog,
    /// What was read and not looked at: a later turn's.
    pub(crate) rest: Vec<u8>,
}

/// A message is received straight into its own memory once it has so many bytes and lacks so many.
pub(crate) const DIRECT_FROM: usize = 16 << 10;

impl<H> Shared<H> {
    pub(crate) fn new(config: Arc<Config>, handler: H) -> Self {
        Self {
            handler,
            stats: Arc::default(),
            now: 0,
            pool: Pool::default(),
            compression: Pools::new(&config).map(Box::new),
            config,
        }
    }

    /// To be called about once a second.
    pub(crate) fn rest(&mut self) {
        self.pool.rest();
    }

    /// A session's place for what is unfinished.
    pub(crate) fn busy<'s>(&mut self, slot: &'s mut Option<Box<Busy>>) -> &'s mut Busy {
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
    pub(crate) fn assembler<'s>(&mut self, slot: &'s mut Option<Box<Busy>>, frame: u64) -> &'s mut Assembler {
        let assembler = &mut self.busy(slot).assembler;
        if assembler.is_empty() {
            // The large pieces of memory are for large messages.
            let large = frame >= DIRECT_FROM as u64;
            let memory = if large { self.pool.buffers.pop() } else { None };
            *assembler = Assembler::with_memory(self.config.limits.message, memory.unwrap_or_default());
        }
        assembler
    }
}

impl Buffers {
    /// Many may come one by one, too: but not for so many turns.
    const ALONE: u32 = 16;

    pub(crate) fn new(config: &Config) -> Self {
        Self { rx: vec![0; config.receive_buffer], alone: 0, outbox: outbox::Memory::default() }
    }

    /// To be told of each turn of the loop, before its events: whether there is one at most.
    #[inline]
    pub(crate) fn turn(&mut self, alone: bool) {
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
    }

    /// How much one read fills of `rx`. Who has been alone for a while is read by halves: it works on the replies to the
    /// first while we are at the second, where with all at once each would wait for the other. With many, there is
    /// always somebody else, and a full buffer takes the fewest calls.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        if self.alone < Self::ALONE { self.rx.len() } else { self.rx.len() / 2 }
    }
}

impl Busy {
    pub(crate) fn is_idle(&self) -> bool {
        self.assembler.is_empty() && self.backlog.is_empty() && self.rest.is_empty()
    }
}

/// Memory that was of use and will be again. Little of it, and not for longer than it is of use.
#[derive(Debug, Default)]
pub(crate) struct Pool {
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

    pub(crate) fn put_busy(&mut self, mut busy: Box<Busy>, limits: handshake::HeadLimits) {
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

    pub(crate) fn put_buffer(&mut self, buffer: Vec<u8>) {
        if (1..=Self::MAX_BUFFER).contains(&buffer.capacity()) && self.buffers.len() < Self::MAX_BUFFERS {
            self.buffers.push(buffer);
        }
    }
}
