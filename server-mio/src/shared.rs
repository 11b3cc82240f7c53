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
    /// Present if compression is offered.
    pub(crate) compression: Option<Box<Pools>>,
}

/// What each turn of a session finds empty.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// Every connection of the loop is read into this.
    pub(crate) rx: Vec<u8>,
    /// Turns of the loop in a row with one event, or none.
    alone: u32,
    pub(crate) outbox: outbox::Memory,
}

/// What a session needs while something is unfinished.
#[derive(Debug)]
pub(crate) struct Busy {
    pub(crate) head: HeadBuffer,
    pub(crate) assembler: Assembler,
    pub(crate) backlog: Backlog,
    /// What was read and not looked at yet: that is left to a later turn.
    pub(crate) rest: Vec<u8>,
}

/// Once a message has so many bytes and lacks as many, it is received straight into its own memory.
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
    /// After so many turns in a row, one event a turn means that one peer is active. (Many peers may send one by one, too,
    /// but not for so long.)
    const ALONE: u32 = 16;

    /// A read of half of it must bring something.
    const MIN: usize = 1 << 10;

    pub(crate) fn new(config: &Config) -> Self {
        Self {
            rx: vec![0; config.receive_buffer.max(Self::MIN)],
            alone: 0,
            outbox: outbox::Memory::default(),
        }
    }

    /// A turn of the loop begins. `alone`: it has one event at most.
    #[inline]
    pub(crate) fn turn(&mut self, alone: bool) {
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
    }

    /// How much of `rx` one read fills. A peer that has been alone for a while is read by halves: it works on the replies to
    /// the first while the server is at the second; with all at once, each would wait for the other. If many peers are
    /// active, a full buffer takes the fewest calls.
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

/// Memory that was used and will be used again: little of it, and not for long after its last use.
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
