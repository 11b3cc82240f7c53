//! What the connections of a thread share: the buffer for reads, and what is lent to a connection while something of it is
//! unfinished.
//!
//! A connection may be polled or dropped while its thread ends, when these are gone: then it uses memory of its own.

use crate::writers::Writers;
use bytes::{Buf, Bytes};
use framewire::{Assembler, ControlFrame, outbox, owned::SendQueue};
use std::{
    cell::{Cell, RefCell},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// Bytes of a thread's buffer for reads.
pub(crate) const READ: usize = 256 << 10;

/// If at least this much of a message is there, and at least this much of its frame is missing, the rest is read to where the
/// message is put together, without a copy.
pub(crate) const DIRECT_FROM: usize = 16 << 10;

/// The most boxes of unfinished work that a thread keeps.
const KEPT: usize = 64;

/// The most allocations for large messages that a thread keeps, and the most bytes of each.
const BUFFERS: usize = 8;
const BUFFER: usize = 2 << 20;

/// What is unfinished in a connection.
#[derive(Debug)]
pub(crate) struct Busy {
    /// A read of which the first `at` bytes are decoded.
    pub(crate) rest: Vec<u8>,
    pub(crate) at: usize,
    pub(crate) assembler: Assembler,
    pub(crate) queue: SendQueue,
    /// How many bytes of the queue were written, plus a number that differs between boxes. So it also tells whether the connection
    /// has got another box.
    pub(crate) written: u64,
    /// The answer to the last ping, while much waits.
    pub(crate) pong: Option<Box<Pong>>,
    /// How many bytes of the queue there are up to the end of the ping to a silent peer, now and when that was last looked at.
    pub(crate) ping: [usize; 2],
    /// The tasks that wait for the stream to take bytes.
    pub(crate) writers: Option<Arc<Writers>>,
}

/// A pong that is not queued yet.
#[derive(Debug)]
pub(crate) struct Pong {
    frame: ControlFrame,
    /// How many bytes were written while it, or one that it replaced, waited.
    freed: usize,
}

/// Numbers the boxes.
static BOXES: AtomicU32 = AtomicU32::new(1);

thread_local! {
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static OUTBOX: Cell<Option<Box<outbox::Memory>>> = const { Cell::new(None) };
    #[expect(clippy::vec_box, reason = "connections hold the boxes")]
    static IDLE: RefCell<Vec<Box<Busy>>> = const { RefCell::new(Vec::new()) };
    static LARGE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The thread's buffer for reads, for the length of one poll. A poll inside another gets a buffer of its own.
pub(crate) struct ReadBuffer(Box<[u8]>);

impl ReadBuffer {
    #[inline]
    pub(crate) fn take() -> Self {
        let kept = READ_BUFFER.try_with(Cell::take).ok().flatten();
        Self(kept.unwrap_or_else(|| vec![0; READ].into()))
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for ReadBuffer {
    #[inline]
    fn drop(&mut self) {
        let _ = READ_BUFFER.try_with(|kept| kept.set(Some(mem::take(&mut self.0))));
    }
}

/// The thread's memory for an outbox, for the length of one poll.
pub(crate) struct OutboxMemory(Option<Box<outbox::Memory>>);

impl OutboxMemory {
    #[inline]
    pub(crate) fn take() -> Self {
        Self(OUTBOX.try_with(Cell::take).ok().flatten())
    }

    #[inline]
    pub(crate) fn get(&mut self) -> &mut outbox::Memory {
        self.0.get_or_insert_default()
    }
}

impl Drop for OutboxMemory {
    #[inline]
    fn drop(&mut self) {
        let _ = OUTBOX.try_with(|kept| {
            if let Some(memory) = &mut self.0 {
                memory.shrink();
            }
            kept.set(self.0.take());
        });
    }
}

impl Busy {
    fn new() -> Self {
        Self {
            rest: Vec::new(),
            at: 0,
            assembler: Assembler::new(0),
            queue: SendQueue::new(),
            written: u64::from(BOXES.fetch_add(1, Relaxed)) << 40,
            pong: None,
            ping: [0; 2],
            writers: None,
        }
    }

    /// Whether nothing is unfinished.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.rest.is_empty() && self.assembler.is_empty() && self.queue.is_empty() && self.pong.is_none()
    }

    /// Keeps a pong, in place of one that waits, until [`queue_pong`](Self::queue_pong).
    pub(crate) fn defer_pong(&mut self, frame: ControlFrame) {
        match &mut self.pong {
            Some(pong) => pong.frame = frame,
            None => self.pong = Some(Box::new(Pong { frame, freed: 0 })),
        }
    }

    /// Queues the pong that waits, after `n` bytes were written: if at most `most` bytes are queued, or it takes no more room than
    /// what was written while it waited. So pongs add nothing to what waits, and senders that fill the queue do not hold them up.
    pub(crate) fn queue_pong(&mut self, n: usize, most: usize) {
        let few = self.queue.remaining() <= most;
        let pong = self.pong.take_if(|pong| {
            pong.freed = pong.freed.saturating_add(n);
            few || pong.freed >= pong.frame.as_ref().len()
        });
        if let Some(pong) = pong {
            self.queue.push_control(pong.frame);
        }
    }

    /// The assembler for messages of at most `limit` bytes; `frame` is the length of the frame that a part is of.
    pub(crate) fn assembler(&mut self, frame: u64, limit: u64) -> &mut Assembler {
        if self.assembler.is_empty() {
            let large = (frame >= DIRECT_FROM as u64)
                .then(|| LARGE.try_with(|kept| kept.borrow_mut().pop()).ok().flatten());
            self.assembler = Assembler::with_memory(limit, large.flatten().unwrap_or_default());
        }
        &mut self.assembler
    }
}

/// What is unfinished: an empty box of the thread's if there is none.
#[inline]
pub(crate) fn busy(slot: &mut Option<Box<Busy>>) -> &mut Busy {
    slot.get_or_insert_with(take_idle)
}

#[inline(never)]
fn take_idle() -> Box<Busy> {
    let kept = IDLE.try_with(|kept| kept.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| Box::new(Busy::new()))
}

/// Whether bytes up to the end of the ping to a silent peer were written since this was last asked; `None` if all were.
pub(crate) fn ping_moves(slot: &mut Option<Box<Busy>>) -> Option<bool> {
    let [left, seen] = &mut slot.as_mut()?.ping;
    let moves = left < seen;
    *seen = *left;
    (*left > 0).then_some(moves)
}

/// Gives the box back if nothing is unfinished.
#[inline]
pub(crate) fn settle(slot: &mut Option<Box<Busy>>) {
    let Some(mut busy) = slot.take_if(|busy| busy.is_idle()) else { return };
    if busy.rest.capacity() > DIRECT_FROM {
        busy.rest = Vec::new();
    }
    if busy.assembler.capacity() > 0 {
        busy.assembler = Assembler::new(0);
    }
    busy.writers = None;
    let _ = IDLE.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < KEPT {
            kept.push(busy);
        }
    });
}

/// Keeps an allocation for the next large message.
pub(crate) fn keep_large(bytes: Vec<u8>) {
    if (DIRECT_FROM..=BUFFER).contains(&bytes.capacity()) {
        let _ = LARGE.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < BUFFERS {
                kept.push(bytes);
            }
        });
    }
}

/// The bytes of a message that was put together. A large allocation comes back when the last handle is dropped.
pub(crate) fn into_bytes(mut bytes: Vec<u8>) -> Bytes {
    if bytes.capacity() < DIRECT_FROM {
        bytes.shrink_to_fit();
        return bytes.into();
    }
    if bytes.len() < bytes.capacity() / 2 {
        // A kept message must not hold much more than its bytes.
        let exact = Bytes::copy_from_slice(&bytes);
        keep_large(bytes);
        return exact;
    }
    Bytes::from_owner(Kept(bytes))
}

struct Kept(Vec<u8>);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        keep_large(mem::take(&mut self.0));
    }
}
