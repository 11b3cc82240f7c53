//! A stream that does as badly as a stream may: it reads and writes short, pends without a reason, holds back what it has taken
//! until it is flushed, fails at a byte, and remembers only the waker of its last poll in each direction, if that was pending.

use framewire_testing::payload::Random;
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The end of a stream that the WebSocket has.
#[derive(Debug)]
pub(crate) struct Scripted(Wire);

/// The other end, for the test.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    /// Bytes that are on their way to the WebSocket, and those that it may read.
    pub(crate) sent: VecDeque<u8>,
    pub(crate) arrived: VecDeque<u8>,
    /// What follows the last byte.
    pub(crate) end: End,
    /// What the WebSocket has written and is not on its way, and what the other end has.
    pub(crate) written: VecDeque<u8>,
    pub(crate) taken: Vec<u8>,
    /// How many bytes fit on their way from the WebSocket.
    pub(crate) capacity: usize,
    /// The number of bytes after which writing fails.
    pub(crate) fails_at: Option<usize>,
    pub(crate) accepted: usize,
    /// The number of writes.
    pub(crate) writes: usize,
    pub(crate) vectored: bool,
    pub(crate) shut: bool,
    pub(crate) shutdown_fails: bool,
    /// Whether what was written stays here until it is flushed.
    pub(crate) must_flush: bool,
    /// Whether a flush waits while nothing more fits, as that of TLS does.
    pub(crate) flush_waits: bool,
    flushed: usize,
    /// Decides about short reads, short writes and needless waiting, unless the stream is well-behaved.
    moody: Option<Random>,
    read_held: bool,
    write_held: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Lets the test know that the stream was dropped.
    pub(crate) alive: Arc<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The other end stays silent.
    Silence,
    Eof,
    Reset,
}

/// A stream that behaves well, over which `capacity` bytes fit on their way from the WebSocket.
pub(crate) fn stream(capacity: usize) -> (Scripted, Wire) {
    let wire = Wire(Arc::new(Mutex::new(State {
        sent: VecDeque::new(),
        arrived: VecDeque::new(),
        end: End::Silence,
        written: VecDeque::new(),
        taken: Vec::new(),
        capacity,
        fails_at: None,
        accepted: 0,
        writes: 0,
        vectored: true,
        shut: false,
        shutdown_fails: false,
        must_flush: false,
        flush_waits: false,
        flushed: 0,
        moody: None,
        read_held: false,
        write_held: false,
        reader: None,
        writer: None,
        alive: Arc::new(()),
    })));
    (Scripted(wire.clone()), wire)
}

/// A stream that behaves as badly as it may.
pub(crate) fn moody(capacity: usize, random: &mut Random) -> (Scripted, Wire) {
    let (scripted, wire) = stream(capacity);
    let mut state = wire.state();
    state.vectored = random.below(2) == 0;
    state.must_flush = random.below(2) == 0;
    state.moody = Some(Random(random.next()));
    drop(state);
    (scripted, wire)
}

impl Wire {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Sends bytes to the WebSocket, which arrive at once.
    pub(crate) fn arrive(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.arrived.extend(bytes);
        wake(state, Side::Read);
    }

    /// Ends the stream after what has arrived.
    pub(crate) fn end(&self, end: End) {
        let mut state = self.state();
        state.end = end;
        wake(state, Side::Read);
    }

    /// Takes what was written, at most `n` bytes.
    pub(crate) fn take(&self, n: usize) -> Vec<u8> {
        let mut state = self.state();
        let n = n.min(state.ready());
        let taken: Vec<u8> = state.written.drain(..n).collect();
        if state.must_flush {
            state.flushed -= n;
        }
        state.taken.extend(&taken);
        wake(state, Side::Write);
        taken
    }

    /// Makes every write fail from now on.
    pub(crate) fn fail_writes(&self) {
        let mut state = self.state();
        state.fails_at = Some(0);
        wake(state, Side::Write);
    }

    /// Sends bytes to the WebSocket, which arrive bit by bit, see [`step`](Self::step).
    pub(crate) fn send(&self, bytes: &[u8]) {
        self.state().sent.extend(bytes);
    }

    /// Lets something happen, and wakes whoever waits for it. `false` if nothing is left to happen.
    pub(crate) fn step(&self, random: &mut Random) -> bool {
        self.step_to(None, random)
    }

    /// As [`step`](Self::step); what was written goes to another stream.
    pub(crate) fn step_to(&self, other: Option<&Self>, random: &mut Random) -> bool {
        let mut state = self.state();
        let mut can = Vec::new();
        if !state.sent.is_empty() {
            can.push(0);
        }
        if state.read_held {
            can.push(1);
        }
        if state.write_held {
            can.push(2);
        }
        if state.ready() > 0 {
            can.push(3);
        }
        if can.is_empty() {
            return false;
        }
        match can[random.below(can.len())] {
            0 => {
                let n = 1 + random.below(state.sent.len());
                let bytes: Vec<u8> = state.sent.drain(..n).collect();
                state.arrived.extend(bytes);
                wake(state, Side::Read);
            }
            1 => {
                state.read_held = false;
                wake(state, Side::Read);
            }
            2 => {
                state.write_held = false;
                wake(state, Side::Write);
            }
            _ => {
                let n = 1 + random.below(state.ready());
                drop(state);
                let taken = self.take(n);
                if let Some(other) = other {
                    other.arrive(&taken);
                }
            }
        }
        true
    }
}

#[derive(Clone, Copy)]
enum Side {
    Read,
    Write,
}

fn wake(mut state: MutexGuard<'_, State>, side: Side) {
    let waker = match side {
        Side::Read => state.reader.take(),
        Side::Write => state.writer.take(),
    };
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    /// Lets writes and flushes wait.
    pub(crate) fn hold_writes(&mut self, hold: bool) {
        self.write_held = hold;
    }

    /// How many bytes the other end can take.
    fn ready(&self) -> usize {
        if self.must_flush { self.flushed } else { self.written.len() }
    }

    fn below(&mut self, bound: usize) -> Option<usize> {
        self.moody.as_mut().map(|random| random.below(bound))
    }

    /// Whether to pend without a reason.
    fn holds(&mut self) -> bool {
        self.below(4) == Some(0)
    }

    /// How much of `n` bytes is done.
    fn some_of(&mut self, n: usize) -> usize {
        match self.below(3) {
            None | Some(0) => n,
            Some(1) => n.min(1),
            _ => self.below(n + 1).unwrap_or(n).max(n.min(1)),
        }
    }

    fn read(&mut self, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read_held || self.holds() {
            self.read_held = true;
            return Poll::Pending;
        }
        if self.arrived.is_empty() {
            return match self.end {
                _ if !self.sent.is_empty() => Poll::Pending,
                End::Silence => Poll::Pending,
                End::Eof => Poll::Ready(Ok(())),
                End::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            };
        }
        let n = self.some_of(self.arrived.len().min(buffer.remaining()));
        let bytes: Vec<u8> = self.arrived.drain(..n).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.write_held || self.holds() {
            self.write_held = true;
            return Poll::Pending;
        }
        let left = self.fails_at.map_or(usize::MAX, |at| at.saturating_sub(self.accepted));
        if left == 0 || self.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // A stream with a buffer of its own, such as TLS, takes more than it can pass on.
        let room = self.capacity.saturating_sub(self.written.len()).min(left);
        if room == 0 {
            self.flushed = self.written.len(); // a full buffer is passed on
            return Poll::Pending;
        }
        let n = self.some_of(room.min(bytes.len()));
        self.written.extend(&bytes[..n]);
        self.accepted += n;
        self.writes += 1;
        Poll::Ready(Ok(n))
    }

    fn flush(&mut self) -> Poll<io::Result<()>> {
        if self.write_held || self.holds() {
            self.write_held = true;
            return Poll::Pending;
        }
        if self.fails_at.is_some_and(|at| at <= self.accepted) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.flush_waits && self.written.len() >= self.capacity {
            return Poll::Pending;
        }
        self.flushed = self.written.len();
        Poll::Ready(Ok(()))
    }
}

impl Scripted {
    /// Keeps the waker of a pending poll, and forgets that of an earlier one.
    fn polled<T>(&self, side: Side, cx: &Context<'_>, poll: impl FnOnce(&mut State) -> Poll<T>) -> Poll<T> {
        let mut state = self.0.state();
        let polled = poll(&mut state);
        let waker = polled.is_pending().then(|| cx.waker().clone());
        let slot = match side {
            Side::Read => &mut state.reader,
            Side::Write => &mut state.writer,
        };
        let before = std::mem::replace(slot, waker);
        drop(state);
        drop(before);
        polled
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.polled(Side::Read, cx, |state| state.read(buffer))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.polled(Side::Write, cx, |state| state.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.polled(Side::Write, cx, |state| {
            assert!(state.vectored, "it said that it has no vectored writes");
            let bytes: Vec<u8> =
                slices.iter().flat_map(|slice| slice.iter().copied()).take(state.capacity).collect();
            state.write(&bytes)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.0.state().vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.polled(Side::Write, cx, State::flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.polled(Side::Write, cx, |state| {
            if state.shutdown_fails {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
            let flushed = state.flush();
            state.shut |= matches!(flushed, Poll::Ready(Ok(())));
            flushed
        })
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.alive = Arc::new(());
        state.reader = None;
        state.writer = None;
    }
}
