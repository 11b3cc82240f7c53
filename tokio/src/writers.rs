//! Two tasks that write on one connection, as after `StreamExt::split`: the one that receives also writes.
//!
//! A stream keeps only the waker of its last poll. So if two tasks wait for it to take bytes, it gets one that wakes both.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    task::{Wake, Waker},
};

/// The tasks that wait for the stream to take bytes.
#[derive(Debug, Default)]
pub(crate) struct Writers(Mutex<[Option<Waker>; 2]>);

/// What a task does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Receives,
    Sends,
}

impl Writers {
    /// Notes that a task waits. Returns a waker of both if another waits, too.
    pub(crate) fn wait(self: &Arc<Self>, side: Side, waker: &Waker) -> Option<Waker> {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = tasks[side as usize].replace(waker.clone());
        let several = tasks.iter().flatten().any(|other| !other.will_wake(waker));
        drop(tasks);
        drop(before); // outside the lock: it may be the last of a task, which drops what it holds
        several.then(|| self.clone().into())
    }

    /// Bytes were written: wakes the other task.
    pub(crate) fn wake_other(&self, side: Side) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let other = tasks[1 - side as usize].take();
        drop(tasks);
        if let Some(other) = other {
            other.wake();
        }
    }
}

impl Wake for Writers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let tasks = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.into_iter().flatten().for_each(Waker::wake);
    }
}
