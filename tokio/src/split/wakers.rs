//! Who waits for a connection.

#[cfg(all(test, loom))] // tests/loom.rs
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, AtomicUsize},
};
#[cfg(not(all(test, loom)))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, AtomicUsize},
};
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, PoisonError, atomic::Ordering::SeqCst},
    task::{Context, Wake, Waker},
};

/// The tasks that wait for a connection. As a waker, it is woken by the stream and the timer, and wakes the receiver and the
/// sender that is next.
///
/// A task polls the stream first, and is noted here only if it must wait. An event between the two is found by a count of events,
/// so a connection that is never full does not cost its senders anything here.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    /// How often this was woken.
    woken: AtomicUsize,
    /// How often bytes were written, or the stream took more, so that a sender may have room.
    moved: AtomicUsize,
    /// How many senders wait, and whether the receiver does, so that the lock is taken only for those that do.
    senders: AtomicU32,
    receiver: AtomicBool,
    /// How many tasks wait, or may, until what was queued is written.
    flushes: AtomicU32,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    receiver: Option<Waker>,
    /// In the order in which they came.
    senders: VecDeque<Waiting>,
    /// The number of the next of these.
    next: usize,
}

/// A task of a sender.
#[derive(Debug)]
struct Waiting {
    number: usize,
    reason: Reason,
    /// `None` from when it was woken until it waits again.
    waker: Option<Waker>,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Room for a message. These are served one at a time, in their order.
    Room,
    /// That what was queued is written. These take no other's place, and all are woken.
    Flush,
}

impl Wakers {
    /// A count that changes when the stream or the timer wakes. It is asked for before the stream is polled.
    #[inline]
    pub(super) fn woken(&self) -> usize {
        self.woken.load(SeqCst)
    }

    /// The same for a sender, who also waits for other tasks to write.
    #[inline]
    pub(super) fn seen(&self) -> usize {
        self.woken().wrapping_add(self.moved.load(SeqCst))
    }

    /// Whether senders wait, so that another must wait behind them.
    #[inline]
    pub(super) fn has_waiting(&self) -> bool {
        self.senders.load(SeqCst) > 0
    }

    /// The receiver waits.
    pub(super) fn receiver_waits(&self, cx: &Context<'_>, woken: usize) {
        let mut tasks = self.tasks();
        let mut before = None; // dropped outside the lock: it may be the last of a task, which drops what it holds
        if !tasks.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            before = tasks.receiver.replace(cx.waker().clone());
        }
        self.receiver.store(true, SeqCst);
        drop(tasks);
        drop(before);
        // An event since the stream was polled may have found no receiver. Of two additions, one comes after the other: either this
        // one finds the event, or the event finds that the receiver waits.
        if self.woken.fetch_add(0, SeqCst) != woken {
            cx.waker().wake_by_ref();
        }
    }

    /// The receiver is gone: its task need not be kept.
    pub(super) fn forget_receiver(&self) {
        let receiver = self.tasks().receiver.take();
        drop(receiver);
    }

    pub(super) fn wake_receiver(&self) {
        // A receiver that is not noted yet finds out by this.
        self.woken.fetch_add(1, SeqCst);
        // As a rule it is not waiting; reading that is cheaper than a swap.
        if self.receiver.load(SeqCst) && self.receiver.swap(false, SeqCst) {
            let receiver = self.tasks().receiver.take();
            if let Some(receiver) = receiver {
                receiver.wake();
            }
        }
    }

    /// Bytes were written, or the stream takes more: wakes the sender that is next.
    #[inline]
    pub(super) fn moved(&self) {
        self.moved.fetch_add(1, SeqCst);
        if self.has_waiting() {
            let sender = self.tasks().next_sender();
            if let Some(sender) = sender {
                sender.wake(); // outside the lock: a waker may run the task at once
            }
        }
        self.wrote();
    }

    /// Bytes were written, or the stream takes more: wakes those that flush.
    #[inline]
    pub(super) fn wrote(&self) {
        // A task that flushes is counted before it polls the stream, and the stream is behind a lock.
        if self.flushes.load(SeqCst) > 0 {
            self.wake_flushes();
        }
    }

    #[cold]
    fn wake_flushes(&self) {
        self.moved.fetch_add(1, SeqCst);
        let flushes = self.tasks().take_wakers(|task| task.reason == Reason::Flush);
        flushes.into_iter().for_each(Waker::wake);
    }

    /// Nothing can be sent any more: wakes all that send.
    pub(super) fn closed(&self) {
        self.moved.fetch_add(1, SeqCst);
        let senders = self.tasks().take_wakers(|_| true);
        senders.into_iter().for_each(Waker::wake);
    }

    /// An event since the stream was polled may have found another task that sends, or none.
    fn look_again(&self, cx: &Context<'_>, seen: usize) {
        // The addition orders this with `moved`: one of the two finds the other.
        let moved = self.moved.fetch_add(0, SeqCst);
        if self.woken().wrapping_add(moved) != seen {
            cx.waker().wake_by_ref();
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        // Nothing can panic while it is locked, except that a waker's clone may.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    /// The sender that is served next.
    fn front(&mut self) -> Option<&mut Waiting> {
        self.senders.iter_mut().find(|task| task.reason == Reason::Room)
    }

    fn next_sender(&mut self) -> Option<Waker> {
        self.front()?.waker.take()
    }

    fn take_wakers(&mut self, which: impl Fn(&Waiting) -> bool) -> Vec<Waker> {
        self.senders.iter_mut().filter(|task| which(task)).filter_map(|task| task.waker.take()).collect()
    }

    /// Adds a task, and returns its number.
    fn add(&mut self, reason: Reason) -> usize {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.senders.push_back(Waiting { number, reason, waker: None });
        number
    }

    /// Notes the waker of a task, and returns the one before.
    fn note(&mut self, number: usize, waker: &Waker) -> Option<Waker> {
        self.senders.iter_mut().find(|task| task.number == number)?.waker.replace(waker.clone())
    }

    fn remove(&mut self, number: usize) -> Option<Waiting> {
        let at = self.senders.iter().position(|task| task.number == number)?;
        let task = self.senders.remove(at);
        if self.senders.is_empty() {
            drop(mem::take(&mut self.senders));
        }
        task
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_receiver();
        self.moved();
    }
}

/// A sender's place among those that wait. It has none until it must wait. When it is dropped, the sender behind it is woken.
#[derive(Debug)]
pub(super) struct Place {
    wakers: Arc<Wakers>,
    number: Option<usize>,
}

impl Place {
    pub(super) fn new(wakers: &Arc<Wakers>) -> Self {
        Self { wakers: wakers.clone(), number: None }
    }

    /// Whether no other sender is before this one.
    pub(super) fn is_next(&self) -> bool {
        if !self.wakers.has_waiting() {
            return true;
        }
        let front = self.wakers.tasks().front().map(|task| task.number);
        front.is_none() || front == self.number
    }

    /// The sender waits, behind all that wait already unless it has its place.
    pub(super) fn waits(&mut self, cx: &Context<'_>, seen: usize) {
        let mut tasks = self.wakers.tasks();
        let number = *self.number.get_or_insert_with(|| {
            self.wakers.senders.fetch_add(1, SeqCst);
            tasks.add(Reason::Room)
        });
        let before = tasks.note(number, cx.waker());
        drop(tasks);
        drop(before);
        self.wakers.look_again(cx, seen);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut tasks = self.wakers.tasks();
        let own = tasks.remove(number); // dropped outside the lock
        self.wakers.senders.fetch_sub(1, SeqCst);
        // A sender that polls at this moment, and is not noted here yet, finds out by this that it is next.
        self.wakers.moved.fetch_add(1, SeqCst);
        // It may have been woken in this one's stead, or room may be left for it.
        let next = tasks.next_sender();
        drop(tasks);
        drop(own);
        if let Some(next) = next {
            next.wake();
        }
    }
}

/// A task that waits until what was queued is written.
#[derive(Debug)]
pub(super) struct Flush {
    wakers: Arc<Wakers>,
    number: usize,
}

impl Flush {
    pub(super) fn new(wakers: &Arc<Wakers>) -> Self {
        wakers.flushes.fetch_add(1, SeqCst);
        let number = wakers.tasks().add(Reason::Flush);
        Self { wakers: wakers.clone(), number }
    }

    /// The task waits.
    pub(super) fn waits(&self, cx: &Context<'_>, seen: usize) {
        let before = self.wakers.tasks().note(self.number, cx.waker());
        drop(before);
        self.wakers.look_again(cx, seen);
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let own = self.wakers.tasks().remove(self.number);
        drop(own); // outside the lock
        self.wakers.flushes.fetch_sub(1, SeqCst);
    }
}
