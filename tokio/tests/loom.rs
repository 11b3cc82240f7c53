//! Who wakes whom when a connection is split, in every order of the steps of several threads. The stream is a model: a count of
//! bytes that fit.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p framewire-tokio --test loom --release`, or `.ci/run loom`.

#![cfg(loom)]

#[path = "../src/split/wakers.rs"]
mod wakers;

use loom::{
    future::block_on,
    sync::{Mutex, atomic::AtomicUsize},
    thread,
};
use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering::SeqCst},
    task::{Context, Poll, Waker},
};
use wakers::{Flush, Place, Wakers};

/// A split connection as far as waking goes: the lock, the wakers, and a stream that has room for some messages and keeps one
/// waker.
struct Split {
    core: Mutex<Core>,
    wakers: Arc<Wakers>,
    sent: AtomicUsize,
}

#[derive(Default)]
struct Core {
    /// Messages that are queued: one more is accepted while there are fewer than `HIGH`.
    queued: usize,
    /// What the stream takes, and whom it wakes when it takes more.
    room: usize,
    stream: Option<Waker>,
    arrived: usize,
    closed: bool,
}

const HIGH: usize = 1;

impl Core {
    fn write(&mut self, proxy: &Waker) -> bool {
        while self.queued > 0 && self.room > 0 {
            self.queued -= 1;
            self.room -= 1;
        }
        // A stream owes a wake-up only to a poll that was pending.
        self.stream = (self.queued > 0).then(|| proxy.clone());
        self.queued == 0
    }
}

impl Split {
    fn new(queued: usize) -> Arc<Self> {
        let core = Core { queued, ..Core::default() };
        let wakers = Arc::new(Wakers::default());
        Arc::new(Self { core: Mutex::new(core), wakers, sent: AtomicUsize::new(0) })
    }

    fn proxy(&self) -> Waker {
        self.wakers.clone().into()
    }

    /// As `Shared::poll_send`.
    fn poll_send(&self, cx: &Context<'_>, place: &mut Place) -> Poll<bool> {
        let seen = self.wakers.seen();
        let mut core = self.core.lock().unwrap();
        if core.closed {
            return Poll::Ready(false);
        }
        if place.is_next() {
            let was_full = core.queued >= HIGH;
            if !was_full || core.write(&self.proxy()) || core.queued < HIGH {
                core.queued += 1;
                core.write(&self.proxy());
                drop(core);
                self.sent.fetch_add(1, SeqCst);
                if was_full {
                    self.wakers.moved();
                } else {
                    self.wakers.wrote();
                }
                return Poll::Ready(true);
            }
        }
        drop(core);
        place.waits(cx, seen);
        Poll::Pending
    }

    /// As `Sender::send`, which waits only if it must.
    fn send(&self) -> bool {
        let mut core = self.core.lock().unwrap();
        if !core.closed && core.queued < HIGH && !self.wakers.has_waiting() {
            core.queued += 1;
            core.write(&self.proxy());
            drop(core);
            self.sent.fetch_add(1, SeqCst);
            self.wakers.wrote();
            return true;
        }
        drop(core);
        let mut place = Place::new(&self.wakers);
        block_on(poll_fn(|cx| self.poll_send(cx, &mut place)))
    }

    /// As `Sender::flush`.
    fn flush(&self) {
        let flush = Flush::new(&self.wakers);
        block_on(poll_fn(|cx| {
            let seen = self.wakers.seen();
            let mut core = self.core.lock().unwrap();
            let before = core.queued;
            let written = core.write(&self.proxy());
            let moved = core.queued != before;
            drop(core);
            if moved {
                self.wakers.moved();
            }
            if written {
                return Poll::Ready(());
            }
            flush.waits(cx, seen);
            Poll::Pending
        }));
    }

    /// As `Sender::try_send`, whose message another task may write.
    fn try_send(&self) {
        let mut core = self.core.lock().unwrap();
        core.queued += 1;
        core.write(&self.proxy());
        drop(core);
        self.wakers.wrote();
    }

    /// As `Receiver::poll_with`: writes, and receives what has arrived.
    fn receive(&self) {
        block_on(poll_fn(|cx| {
            let woken = self.wakers.woken();
            let mut core = self.core.lock().unwrap();
            let before = core.queued;
            core.write(&self.proxy());
            let moved = core.queued != before;
            let received = core.arrived > 0;
            if received {
                core.arrived -= 1;
            } else {
                core.stream = Some(self.proxy());
            }
            drop(core);
            if moved {
                self.wakers.moved();
            }
            if received {
                return Poll::Ready(());
            }
            self.wakers.receiver_waits(cx, woken);
            Poll::Pending
        }));
    }

    /// The stream takes more, or something arrives.
    fn event(&self, change: impl FnOnce(&mut Core)) {
        let mut core = self.core.lock().unwrap();
        change(&mut core);
        let waker = core.stream.take();
        drop(core);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn spawn(split: &Arc<Split>, work: impl FnOnce(&Split) + 'static) -> thread::JoinHandle<()> {
    let split = split.clone();
    thread::spawn(move || work(&split))
}

fn model(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(work);
}

#[test]
fn two_senders_and_a_stream() {
    model(|| {
        let split = Split::new(HIGH);
        let senders =
            [spawn(&split, |split| assert!(split.send())), spawn(&split, |split| assert!(split.send()))];
        split.event(|core| core.room += 3);
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!(split.sent.load(SeqCst), 2);
        assert!(!split.wakers.has_waiting());
    });
}

#[test]
fn a_sender_and_the_receiver() {
    model(|| {
        let split = Split::new(HIGH);
        let sender = spawn(&split, |split| assert!(split.send()));
        let receiver = spawn(&split, Split::receive);
        split.event(|core| {
            core.room += 2;
            core.arrived += 1;
        });
        sender.join().unwrap();
        receiver.join().unwrap();
    });
}

#[test]
fn the_receiver_is_woken_by_a_sender() {
    model(|| {
        let split = Split::new(0);
        let receiver = spawn(&split, Split::receive);
        // As `queue`: what arrives is not told by the stream.
        split.core.lock().unwrap().arrived += 1;
        split.wakers.wake_receiver();
        receiver.join().unwrap();
    });
}

/// A sender that waits is dropped, as by `select!`, while another comes.
#[test]
fn a_sender_is_dropped() {
    model(|| {
        let split = Split::new(HIGH);
        let dropped = spawn(&split, |split| {
            let mut place = Place::new(&split.wakers);
            let _ = split.poll_send(&Context::from_waker(Waker::noop()), &mut place);
        });
        let sender = spawn(&split, |split| assert!(split.send()));
        split.event(|core| core.room += 3);
        dropped.join().unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn the_receiver_is_dropped() {
    model(|| {
        let split = Split::new(HIGH);
        let senders =
            [spawn(&split, |split| assert!(!split.send())), spawn(&split, |split| assert!(!split.send()))];
        split.core.lock().unwrap().closed = true;
        split.wakers.forget_receiver();
        split.wakers.closed();
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(!split.wakers.has_waiting());
    });
}

/// The stream owes a wake-up only to the task that polled it last, and only if that had to wait.
#[test]
fn tasks_that_flush() {
    model(|| {
        let split = Split::new(HIGH);
        let flushes = [spawn(&split, Split::flush), spawn(&split, Split::flush)];
        split.event(|core| core.room += 2);
        split.try_send();
        for flush in flushes {
            flush.join().unwrap();
        }
    });
}

#[test]
fn a_task_that_flushes_and_the_receiver() {
    model(|| {
        let split = Split::new(HIGH);
        let flush = spawn(&split, Split::flush);
        let receiver = spawn(&split, Split::receive);
        // Whoever writes it, nobody wakes the others but they themselves.
        split.core.lock().unwrap().room += 1;
        split.event(|core| core.arrived += 1);
        split.wakers.wake_receiver();
        receiver.join().unwrap();
        flush.join().unwrap();
    });
}
