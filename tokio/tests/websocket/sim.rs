//! An executor that polls a task only if it was woken, in a random order that a seed repeats. A lost wake-up is a task that
//! never ends.

use framewire_testing::payload::Random;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    woken: AtomicBool,
    times: AtomicUsize,
}

impl Woken {
    pub(crate) fn times(&self) -> usize {
        self.times.load(SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, SeqCst);
        self.times.fetch_add(1, SeqCst);
    }
}

/// A waker, and its count.
pub(crate) fn waker() -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken::default());
    (woken.clone(), woken.into())
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The value of a future that must not wait.
#[track_caller]
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match poll_once(std::pin::pin!(future)) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// Tasks, and the seed of their order.
pub(crate) struct Sim<'a> {
    seed: u64,
    random: Random,
    tasks: Vec<Task<'a>>,
}

struct Task<'a> {
    name: &'static str,
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    woken: Arc<Woken>,
}

impl<'a> Sim<'a> {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, random: Random(seed), tasks: Vec::new() }
    }

    pub(crate) fn spawn(&mut self, name: &'static str, future: impl Future<Output = ()> + 'a) {
        let woken = Arc::new(Woken { woken: true.into(), times: AtomicUsize::new(0) });
        self.tasks.push(Task { name, future: Box::pin(future), woken });
    }

    /// Runs all tasks to their end. `step` lets something happen outside, if it can; it learns whether all tasks wait.
    #[track_caller]
    pub(crate) fn run(mut self, mut step: impl FnMut(&mut Random, bool) -> bool) {
        let mut left = 10_000_000;
        while !self.tasks.is_empty() {
            left -= 1;
            assert!(left > 0, "seed {}: no end", self.seed);
            let ready: Vec<usize> =
                (0..self.tasks.len()).filter(|&i| self.tasks[i].woken.woken.load(SeqCst)).collect();
            if ready.is_empty() || self.random.below(3) == 0 {
                if step(&mut self.random, ready.is_empty()) {
                    continue;
                }
                let names: Vec<_> = self.tasks.iter().map(|task| task.name).collect();
                assert!(!ready.is_empty(), "seed {}: nothing wakes {names:?}", self.seed);
            }
            let task = ready[self.random.below(ready.len())];
            self.poll(task);
        }
    }

    fn poll(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        task.woken.woken.store(false, SeqCst);
        // A new waker now and then: tasks move between executors, and futures between tasks.
        if self.random.below(8) == 0 {
            task.woken = Arc::new(Woken::default());
        }
        let waker = Waker::from(task.woken.clone());
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            drop(self.tasks.swap_remove(at));
        }
    }
}
