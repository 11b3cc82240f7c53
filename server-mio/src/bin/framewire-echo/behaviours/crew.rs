//! The threads of the behaviours: how many there may be, and their end.

use framewire_mio::{Detached, Interrupter};
use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

/// All threads of behaviours.
#[derive(Debug, Default)]
pub(super) struct Crew {
    stopping: AtomicBool,
    running: Mutex<Running>,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Running {
    seats: usize,
    /// The connections of threads, by the numbers of their seats.
    interrupters: HashMap<u64, Interrupter>,
    /// The number of the next seat.
    next: u64,
    stopped: Option<Instant>,
}

/// The permission to run one more thread.
#[derive(Debug)]
pub(super) struct Seat {
    crew: Arc<Crew>,
    number: u64,
}

/// The most threads at once.
pub(super) const MOST: usize = 256;

impl Crew {
    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(SeqCst)
    }

    /// Takes a seat. `None`: all are taken, or the server stops.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let mut running = self.running();
        if running.seats >= MOST || self.is_stopping() {
            return None;
        }
        running.seats += 1;
        running.next += 1;
        Some(Seat { number: running.next, crew: Arc::clone(self) })
    }

    /// Tells all threads to end.
    pub(super) fn stop(&self) {
        let mut running = self.running();
        running.stopped.get_or_insert_with(Instant::now);
        self.stopping.store(true, SeqCst);
        for interrupter in running.interrupters.values() {
            if let Err(error) = interrupter.interrupt() {
                log::error!("cannot interrupt a behaviour: {error}");
            }
        }
    }

    /// Waits until all threads have ended, but no longer than so long after the stop.
    pub(super) fn wait(&self, time: Duration) {
        let running = self.running();
        let left = time.saturating_sub(running.stopped.map_or(Duration::ZERO, |stopped| stopped.elapsed()));
        let _ = self.ended.wait_timeout_while(running, left, |running| running.seats > 0);
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Runs a behaviour on a thread of its own.
    pub(super) fn run(self, connection: Detached, behaviour: impl FnOnce(Detached, &Crew) + Send + 'static) {
        let mut running = self.crew.running();
        running.interrupters.insert(self.number, connection.interrupter());
        if self.crew.is_stopping() {
            return drop(running); // too late: nobody would interrupt it
        }
        drop(running);
        // Only what a thread has used of its stack takes memory: some KiB, as buffers are on the heap.
        let spawned =
            thread::Builder::new().name("behaviour".into()).spawn(move || behaviour(connection, &self.crew));
        if let Err(error) = spawned {
            log::error!("cannot start a thread for a behaviour: {error}");
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut running = self.crew.running();
        running.seats -= 1;
        running.interrupters.remove(&self.number);
        drop(running);
        self.crew.ended.notify_all();
    }
}
