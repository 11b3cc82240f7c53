//! Graceful shutdown of many connections.

use crate::websocket::WebSocket;
use framewire::{CloseCode, Role};
use slab::Slab;
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Waker},
    time::Duration,
};
use tokio::sync::Notify;

/// Knows the open connections of a program, and closes them all when the program ends. A clone is the same tracker.
///
/// ```
/// use framewire_tokio::{Acceptor, Config, Tracker};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tracker = Tracker::new();
/// let acceptor = Acceptor::new(Config::server()).tracked_by(&tracker);
/// // … accept connections, each in a task that receives until the end …
/// let open = tracker.shutdown(Duration::from_secs(10)).await; // each peer gets a close with 1001
/// assert_eq!(open, 0);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Tracker(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The program ends.
    ends: AtomicBool,
    /// The task of each connection that waits.
    tasks: Mutex<Slab<Option<Waker>>>,
    /// No connection is left.
    empty: Notify,
}

impl Tracker {
    /// A tracker of no connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tracks a connection until it ends or is dropped.
    pub fn track<S, R: Role>(&self, socket: &mut WebSocket<S, R>) {
        let task = self.0.tasks().insert(None);
        socket.tracked = Some(Box::new(Tracked { shared: self.0.clone(), task, waker: None }));
    }

    /// The number of open connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.tasks().len()
    }

    /// Whether no connection is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends a close with the code 1001 ("the server is stopping") to all peers, also to those that connect from now on, and waits
    /// until all connections have ended, for at most `patience`. Returns the number of connections that are still open.
    ///
    /// A connection sends its close when its task next receives. Messages that still arrive after that are discarded, as by
    /// [`WebSocket::close`]: so a loop that answers what it receives ends in order. A connection counts from the end of its
    /// handshake on: one that is not open yet is not waited for.
    ///
    /// # Cancel safety
    /// Cancel safe. The closes are sent as soon as it is first polled.
    pub async fn shutdown(&self, patience: Duration) -> usize {
        self.0.ends.store(true, SeqCst);
        #[cfg(feature = "tracing")]
        tracing::info!(open = self.len(), "closing all connections");
        self.0.wake_all();
        let ended = async {
            loop {
                let empty = self.0.empty.notified();
                if self.is_empty() {
                    return;
                }
                empty.await;
            }
        };
        let _ = tokio::time::timeout(patience, ended).await;
        self.len()
    }
}

impl Shared {
    fn tasks(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        // Nothing can panic while it is locked.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_all(&self) {
        let tasks: Vec<Waker> = self.tasks().iter_mut().filter_map(|(_, waker)| waker.take()).collect();
        tasks.into_iter().for_each(Waker::wake);
    }
}

/// A connection's place in a tracker.
pub(crate) struct Tracked {
    shared: Arc<Shared>,
    task: usize,
    /// The waker that the tracker has. While it is right, all connections' common lock need not be taken.
    waker: Option<Waker>,
}

impl Tracked {
    /// Whether the program ends. If not, the task is woken when it does.
    #[inline]
    fn told(&mut self, cx: &Context<'_>) -> bool {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.register(cx.waker());
        }
        self.shared.ends.load(SeqCst) // it may have been set in between
    }

    #[cold]
    fn register(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
        let before = self.shared.tasks().get_mut(self.task).and_then(|task| task.replace(waker.clone()));
        drop(before); // outside the lock: it may be the last of a task, which drops what it holds
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let mut tasks = self.shared.tasks();
        let own = tasks.try_remove(self.task);
        let is_empty = tasks.is_empty();
        drop(tasks);
        drop(own); // outside the lock, as above
        if is_empty {
            self.shared.empty.notify_waiters();
        }
    }
}

impl<S, R: Role> WebSocket<S, R> {
    /// Sends a close if the tracker says that the program ends.
    #[inline]
    pub(crate) fn go_away_if_told(&mut self, cx: &Context<'_>) {
        if self.tracked.as_mut().is_some_and(|tracked| tracked.told(cx)) {
            self.go_away();
        }
    }

    #[cold]
    fn go_away(&mut self) {
        // If it is closed already, the program has done that, and gets what still arrives.
        self.leaves |= self.queue_close(CloseCode::GOING_AWAY, "the server is stopping").is_ok();
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("open", &self.len()).finish_non_exhaustive()
    }
}
