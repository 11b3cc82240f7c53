//! A queue between the loops and standard error, if there is an access log: a slow reader of the log delays no loop.
//!
//! A thread writes what is queued. If more than [`LIMIT`] waits, further lines are dropped and counted, and the log says so once
//! it goes on. Without an access log there is no such thread, and a loop writes its few lines itself.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The most bytes that wait.
const LIMIT: usize = 4 << 20;

/// How long the end of the program waits for the queue.
const AT_THE_END: Duration = Duration::from_secs(2);

/// The queue. Each call of `write` is one line.
#[derive(Clone, Debug)]
pub(crate) struct LogQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something was queued, or written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// A write is under way.
    writing: bool,
    /// Lines dropped, and how many of these the log has mentioned.
    dropped: u64,
    mentioned: u64,
}

impl LogQueue {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// That of starting a thread.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Self(Arc::default());
        let shared = queue.0.clone();
        thread::Builder::new().name("log".into()).spawn(move || shared.write_to(out))?;
        Ok(queue)
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }

    /// Waits until everything is written, but not for long.
    pub(crate) fn finish(&self) {
        let state = self.0.lock();
        let unfinished = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.0.changed.wait_timeout_while(state, AT_THE_END, unfinished));
    }
}

impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > LIMIT {
            state.dropped += 1;
        } else {
            let wakes = state.waiting.is_empty();
            state.waiting.extend_from_slice(line);
            if wakes {
                self.0.changed.notify_all();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let state = self.lock();
            let mut state = self
                .changed
                .wait_while(state, |state| state.waiting.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut lines, &mut state.waiting);
            state.writing = true;
            drop(state);
            // If nobody reads the log any more, it is lost, and the server goes on.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines = Vec::new();

            let mut state = self.lock();
            state.writing = false;
            let lost = state.dropped - state.mentioned;
            state.mentioned = state.dropped;
            self.changed.notify_all();
            drop(state);
            if lost > 0 {
                log::warn!("{lost} lines of the log were dropped: standard error is too slow");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// Hands each write over, so that it waits until the test takes it.
    struct Slow(SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (LogQueue, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        (LogQueue::start(Slow(sender)).unwrap(), receiver)
    }

    #[test]
    fn lines_keep_their_order() {
        let (mut queue, written) = slow();
        let expected: String = (0..1000).map(|i| format!("line {i}\n")).collect();
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            while !all.ends_with(b"line 999\n") {
                all.extend(written.recv().unwrap());
            }
            (all, written)
        });
        (0..1000).for_each(|i| queue.write_all(format!("line {i}\n").as_bytes()).unwrap());
        let (all, _written) = reader.join().unwrap();
        assert_eq!(String::from_utf8(all).unwrap(), expected);
        queue.finish();
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (mut queue, written) = slow();
        let line = [b'x'; 1 << 10];
        // Nobody reads: one write is under way, and the queue fills. No call waits.
        let most = 2 * LIMIT / line.len();
        (0..most + 10).for_each(|_| queue.write_all(&line).unwrap());
        assert!(queue.dropped() >= 10);
        let kept = most + 10 - queue.dropped() as usize;
        let mut read = 0;
        while read < kept * line.len() {
            read += written.recv().unwrap().len();
        }
        assert_eq!(read, kept * line.len());
        queue.finish();
    }
}
