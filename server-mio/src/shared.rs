//! The state that all sessions of one loop share, and the memory that it lends to a session with unfinished work.

use crate::{compression::Pools, config::Config, handler::Taken, records::Records, stats::Stats};
use framewire::{
    Assembler,
    handshake::{self, HeadBuffer},
    outbox::{self, Backlog},
};
use std::{mem, sync::Arc, time::Duration};

/// The state that all sessions of one loop share.
#[derive(Debug)]
pub(crate) struct Shared<H> {
    pub(crate) handler: H,
    pub(crate) config: Arc<Config>,
    pub(crate) stats: Arc<Stats>,
    /// Seconds since the loop began.
    pub(crate) now: u32,
    /// The same time, exactly.
    pub(crate) time: Duration,
    /// The address at which the bytes end whose frames are being handled.
    pub(crate) end: usize,
    /// [`Stats::sent`], which is published now and then: this takes fewer instructions for each write.
    pub(crate) sent: u64,
    pub(crate) pool: Pool,
    /// Present if compression is offered.
    pub(crate) compression: Option<Box<Pools>>,
    /// Present if the handler keeps an access log.
    pub(crate) records: Option<Box<Records>>,
    /// The handler takes over the connection whose session has its turn.
    pub(crate) taken: Option<Taken>,
}

/// Buffers that are empty between two turns of a session.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// The receive buffer of all connections of the loop.
    pub(crate) rx: Vec<u8>,
    /// How many turns of the loop in a row had at most one event.
    alone: u32,
    pub(crate) outbox: outbox::Memory,
}

/// The memory of a session with unfinished work.
#[derive(Debug)]
pub(crate) struct Busy {
    pub(crate) head: HeadBuffer,
    pub(crate) assembler: Assembler,
    pub(crate) backlog: Backlog,
    /// The time, on the loop's clock, since which a closing session has a backlog.
    pub(crate) closing_since: Option<u32>,
}

/// A message of which this many bytes have arrived and at least as many are missing is received into its own memory.
pub(crate) const DIRECT_FROM: usize = 16 << 10;

impl<H> Shared<H> {
    pub(crate) fn new(config: Arc<Config>, handler: H) -> Self {
        Self {
            handler,
            stats: Arc::default(),
            now: 0,
            time: Duration::ZERO,
            end: 0,
            sent: 0,
            pool: Pool::default(),
            compression: Pools::new(&config).map(Box::new),
            records: config.records.then(Box::default),
            taken: None,
            config,
        }
    }

    /// Frees pooled memory that is not used. Called about once a second.
    pub(crate) fn rest(&mut self) {
        self.pool.rest();
    }

    /// The memory of a session with unfinished work, which is lent to it if it has none.
    pub(crate) fn busy<'s>(&mut self, slot: &'s mut Option<Box<Busy>>) -> &'s mut Busy {
        slot.get_or_insert_with(|| {
            self.pool.used = true;
            self.pool.busy.pop().unwrap_or_else(|| {
                Box::new(Busy {
                    head: HeadBuffer::new(self.config.head_limits),
                    assembler: Assembler::new(0),
                    backlog: Backlog::default(),
                    closing_since: None,
                })
            })
        })
    }

    /// The assembler of a session. `frame` is the payload length of the current frame.
    pub(crate) fn assembler<'s>(&mut self, slot: &'s mut Option<Box<Busy>>, frame: u64) -> &'s mut Assembler {
        let assembler = &mut self.busy(slot).assembler;
        if assembler.is_empty() {
            // Pooled buffers are large, so only large messages get one.
            let large = frame >= DIRECT_FROM as u64;
            let memory = if large { self.pool.buffers.pop() } else { None };
            *assembler = Assembler::with_memory(self.config.limits.message, memory.unwrap_or_default());
        }
        assembler
    }
}

impl Buffers {
    /// After this many turns in a row with one event each, only one peer is taken to be active. (Many peers may also send one
    /// by one, but hardly for so long.)
    const ALONE: u32 = 16;

    /// The size of the smallest receive buffer, of which one read may fill only half.
    const MIN: usize = 1 << 10;

    pub(crate) fn new(config: &Config) -> Self {
        Self {
            rx: vec![0; config.receive_buffer.max(Self::MIN)],
            alone: 0,
            outbox: outbox::Memory::default(),
        }
    }

    /// Begins a turn of the loop. `alone`: it has at most one event.
    #[inline]
    pub(crate) fn turn(&mut self, alone: bool) {
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
    }

    /// The size of one read into `rx`. If one peer has been active alone for a while, a read fills half: the peer handles the
    /// replies to one half while the server handles the other. If many peers are active, a full buffer takes the fewest
    /// system calls.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        if self.alone < Self::ALONE { self.rx.len() } else { self.rx.len() / 2 }
    }
}

impl Busy {
    pub(crate) fn is_idle(&self) -> bool {
        self.assembler.is_empty() && self.backlog.is_empty()
    }
}

/// Memory for reuse: a bounded amount, which is freed soon after its last use.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "a session holds a box to stay small")]
    busy: Vec<Box<Busy>>,
    buffers: Vec<Vec<u8>>,
    /// Memory was taken since the last [`rest`](Self::rest).
    used: bool,
}

impl Pool {
    const MAX_BUSY: usize = 64;
    const MAX_BUFFERS: usize = 16;
    const MAX_BUFFER: usize = 2 << 20;

    pub(crate) fn put_busy(&mut self, mut busy: Box<Busy>, limits: handshake::HeadLimits) {
        if self.busy.len() < Self::MAX_BUSY {
            busy.head = HeadBuffer::new(limits);
            busy.closing_since = None;
            self.busy.push(busy);
        }
    }

    /// Frees everything, unless memory was taken since the last call.
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
