//! A kernel in memory: sockets, listeners, a poll and a clock. What a kernel may choose, it draws from the seed.
//!
//! It keeps the promises of epoll and of stream sockets, and no others:
//!
//! * Each change of a socket (bytes arrive, the peer closes or resets, a full buffer has much room again) makes an event due.
//!   Due events of one socket are merged. One may come some turns late, in any order, and after what it reports is gone.
//! * A read that does not fill its buffer has taken all that had arrived; what comes later makes an event due. But a read ends
//!   behind bytes that came with a file descriptor, and before urgent data; nothing tells that more is there.
//! * A write that took less than it was given makes an event due once the buffer has much room again: a third on TCP, three
//!   quarters on a Unix socket.

use super::{
    connection::{Connection, Due, Failure, Taken},
    coverage::{Coverage, Met},
};
use crate::{event_loop::Event, session::Turn};
use framewire_testing::payload::Random;
use std::{collections::VecDeque, mem, time::Duration};

/// All sockets. A connection's number is its place in `connections`; it is not used again.
pub(super) struct Kernel {
    pub(super) random: Random,
    pub(super) coverage: Coverage,
    /// The time since the simulation began.
    pub(super) now: Duration,
    pub(super) connections: Vec<Connection>,
    /// `None` after the server has closed them.
    pub(super) listeners: Option<[Listener; LISTENERS]>,
    /// Whether faults are drawn.
    pub(super) faults: bool,
    /// How many sockets the server may have open.
    pub(super) descriptors: usize,
    /// The most events of one poll.
    pub(super) batch: usize,
    /// When the server last tried to accept or to register a connection.
    pub(super) tried: Duration,
    /// An event to stop is due.
    pub(super) stop: bool,
    /// The trace, if one is wanted.
    pub(super) trace: Option<Vec<String>>,
    /// The number of the turn, until a line of the trace follows.
    pub(super) turn: Option<usize>,
}

/// Listener 0 is a TCP socket, listener 1 a Unix socket.
pub(super) const LISTENERS: usize = 2;

/// For how many polls an event may be late.
const LATE: u32 = 3;

#[derive(Default)]
pub(super) struct Listener {
    /// Connections that are not accepted yet.
    pub(super) waiting: VecDeque<usize>,
    /// An event is due.
    pub(super) due: bool,
}

impl Kernel {
    /// True once in `n` cases, while there are faults.
    pub(super) fn fault(&mut self, n: usize, met: Met) -> bool {
        let drawn = self.faults && self.random.below(n) == 0;
        if drawn {
            self.coverage.add(met);
        }
        drawn
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            let turn = self.turn.take().map(|turn| format!("turn {turn}, {:.3} s", now.as_secs_f64()));
            trace.extend(turn.into_iter().chain([line()]));
        }
    }

    // ---------------------------------------------------------------------------------------------- the peer's side

    /// Connects to a listener, and returns the number of the connection.
    pub(super) fn connect(
        &mut self,
        listener: usize,
        incoming_room: usize,
        outgoing_room: usize,
    ) -> Option<usize> {
        let (unix, listener) = (listener == 1, &mut self.listeners.as_mut()?[listener]);
        let number = self.connections.len();
        listener.waiting.push_back(number);
        listener.due = true;
        self.connections.push(Connection::new(unix, incoming_room, outgoing_room, self.now));
        Some(number)
    }

    /// Sends as many of these bytes as there is room for. On a Unix socket a file descriptor may come with them; on TCP, urgent
    /// data may lie at their end.
    pub(super) fn send(&mut self, number: usize, bytes: &[u8]) -> usize {
        let cut = self.faults && self.random.below(6) == 0;
        let connection = &mut self.connections[number];
        if connection.closed.is_some() && !connection.finished && !bytes.is_empty() {
            // The server's kernel answers with a reset, which overtakes what is on the way.
            (connection.refused, connection.overtaken) = (true, true);
            connection.outgoing.clear();
        }
        if connection.closed.is_some() || connection.finished || connection.reset {
            return 0;
        }
        let n = bytes.len().min(connection.incoming_room.saturating_sub(connection.incoming.len()));
        if n > 0 {
            connection.incoming.extend(&bytes[..n]);
            connection.due.readable = true;
            if cut {
                connection.cuts.push_back(connection.read + connection.incoming.len() as u64);
                connection.due.priority |= !connection.unix;
            }
            let note = if !cut {
                ""
            } else if connection.unix {
                " with a descriptor"
            } else {
                " and urgent data"
            };
            self.note(|| format!("    #{number} sends {n} bytes{note}"));
        }
        n
    }

    /// Takes up to `most` bytes that the server has sent.
    pub(super) fn take(&mut self, number: usize, most: usize) -> Taken {
        let now = self.now;
        let connection = &mut self.connections[number];
        let n = (connection.outgoing.len() - connection.held).min(most);
        if n == 0 {
            if connection.refused {
                return Taken::Reset;
            }
            let ended = connection.outgoing.is_empty() && (connection.shut || connection.closed.is_some());
            return if ended { Taken::End } else { Taken::Nothing };
        }
        let bytes = connection.outgoing.drain(..n).collect();
        connection.seen.taken = now;
        let free = connection.outgoing_room - connection.outgoing.len();
        let much =
            if connection.unix { connection.outgoing_room * 3 / 4 } else { connection.outgoing_room / 3 };
        if free >= much && mem::take(&mut connection.full) {
            connection.due.writable = true;
        }
        self.note(|| format!("    #{number} takes {n} bytes"));
        Taken::Bytes(bytes)
    }

    /// Closes the peer's sending direction.
    pub(super) fn finish(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if !mem::replace(&mut connection.finished, true) {
            connection.due.readable = true;
            self.note(|| format!("    #{number} closes its side"));
        }
    }

    /// Closes the peer's socket.
    pub(super) fn leave(&mut self, number: usize) {
        self.finish(number);
        let connection = &mut self.connections[number];
        connection.gone = true;
        if !mem::take(&mut connection.outgoing).is_empty() {
            self.reset(number);
        }
    }

    /// Resets the connection. A kernel may throw away what has arrived.
    pub(super) fn reset(&mut self, number: usize) {
        let purge = self.random.below(2) == 0;
        let connection = &mut self.connections[number];
        if mem::replace(&mut connection.reset, true) {
            return;
        }
        if purge {
            connection.incoming.clear();
        }
        connection.unreported = true;
        (connection.held, connection.outgoing) = (0, VecDeque::new());
        (connection.gone, connection.finished) = (true, true);
        (connection.due.readable, connection.due.writable) = (true, true);
        self.note(|| format!("    #{number} resets the connection"));
    }

    // ---------------------------------------------------------------------------------------------- the server's side

    /// Reads into buffers that take `room` bytes together; `fill` gets the bytes, and is not called if there are none.
    pub(super) fn read(
        &mut self,
        number: usize,
        room: usize,
        fill: impl FnOnce(&[u8]),
    ) -> Result<usize, Failure> {
        let early = self.faults && self.random.below(12) == 0;
        let some = self.random.next() as usize;
        let now = self.now;
        let connection = &mut self.connections[number];
        connection.seen.reads += 1;
        if connection.incoming.is_empty() {
            let result = if mem::take(&mut connection.unreported) {
                connection.seen.error = true;
                Err(Failure::Reset)
            } else if connection.finished {
                connection.seen.end = true;
                Ok(0)
            } else {
                Err(Failure::WouldBlock)
            };
            self.note(|| format!("    #{number} read: {result:?}"));
            return result;
        }
        let mut n = connection.incoming.len().min(room);
        while connection.cuts.front().is_some_and(|&cut| cut <= connection.read) {
            connection.cuts.pop_front();
        }
        let cut = connection.cuts.front().map_or(usize::MAX, |cut| (cut - connection.read) as usize);
        let mut met = None;
        if cut < n {
            n = cut;
            met = Some(if connection.unix { Met::CutByDescriptor } else { Met::CutByUrgentData });
        } else if early && n > 1 {
            // As if the rest had arrived just after the read; in half of the cases, what follows the peer's close.
            let close =
                connection.close.and_then(|end| end.checked_sub(connection.read)).map(|end| end as usize);
            let close = close.filter(|end| some % 2 == 0 && (1..n).contains(end));
            n = close.unwrap_or(1 + some / 2 % (n - 1));
            connection.due.readable = true;
            met = Some(Met::ReadEndsEarly);
        }
        connection.incoming.make_contiguous();
        fill(&connection.incoming.as_slices().0[..n]);
        connection.incoming.drain(..n);
        connection.read += n as u64;
        connection.seen.read = now;
        met.into_iter().for_each(|met| self.coverage.add(met));
        self.note(|| {
            format!("    #{number} read {n} of {room}{}", if met.is_some() { ", ended early" } else { "" })
        });
        Ok(n)
    }

    /// Writes `len` bytes, of which `bytes` returns the first so many. `last`: the kernel holds them back until the end of the
    /// stream, unless there is no room for all.
    pub(super) fn write(
        &mut self,
        number: usize,
        len: usize,
        last: bool,
        put: impl FnOnce(&mut VecDeque<u8>, usize),
    ) -> Result<usize, Failure> {
        let result = self.try_write(number, len, put);
        let connection = &mut self.connections[number];
        connection.held = match result {
            Ok(n) if last && n == len && !connection.reset => {
                self.coverage.add(Met::HeldBack);
                connection.held + n
            }
            _ => 0,
        };
        self.note(|| format!("    #{number} write {len}: {result:?}"));
        result
    }

    fn try_write(
        &mut self,
        number: usize,
        len: usize,
        put: impl FnOnce(&mut VecDeque<u8>, usize),
    ) -> Result<usize, Failure> {
        if self.connections[number].reset {
            self.connections[number].seen.error = true;
            return Err(Failure::Reset);
        }
        if self.fault(60, Met::InterruptedWrite) {
            return Err(Failure::Interrupted);
        }
        if self.fault(3000, Met::NoBuffersToWrite) {
            self.connections[number].seen.error = true;
            return Err(Failure::NoBuffers);
        }
        if self.connections[number].gone {
            self.reset(number); // the peer's kernel answers so
            return Ok(len);
        }
        let short = len > 1 && self.fault(30, Met::ShortWrite);
        let some = self.random.next() as usize;
        let now = self.now;
        let connection = &mut self.connections[number];
        let free = connection.outgoing_room - connection.outgoing.len();
        if free == 0 {
            connection.full = true;
            self.coverage.add(Met::FullBuffer);
            return Err(Failure::WouldBlock);
        }
        let mut n = free.min(len);
        if short {
            n = 1 + some % n;
            // The memory that was missing is there soon.
            connection.due.writable |= n < len;
        }
        connection.full |= n < len;
        put(&mut connection.outgoing, n);
        connection.seen.written = now;
        Ok(n)
    }

    /// The error of a socket, which the server asks for.
    pub(super) fn check(&mut self, number: usize) -> Result<(), Failure> {
        let connection = &mut self.connections[number];
        let error = mem::take(&mut connection.unreported);
        connection.seen.error |= error;
        if error { Err(Failure::Reset) } else { Ok(()) }
    }

    /// Whether a read would not block. It takes nothing but an error.
    pub(super) fn peek(&mut self, number: usize) -> bool {
        let connection = &mut self.connections[number];
        if connection.incoming.is_empty() {
            connection.unreported = false;
        }
        connection.has_input()
    }

    /// Closes the server's sending direction.
    pub(super) fn shut(&mut self, number: usize) -> Result<(), Failure> {
        let connection = &mut self.connections[number];
        (connection.shut, connection.held) = (true, 0);
        connection.seen.error |= connection.reset;
        let result = if connection.reset { Err(Failure::Reset) } else { Ok(()) };
        self.note(|| format!("    #{number} the server closes its side"));
        result
    }

    /// Ends the registration of a socket that the handler has taken over, which answers at once.
    pub(super) fn release(&mut self, number: usize, answer: &[u8]) {
        let connection = &mut self.connections[number];
        connection.taken = true;
        if !connection.gone && !connection.reset {
            connection.outgoing.extend(answer);
        }
        self.note(|| format!("    #{number} the handler takes the connection over"));
    }

    /// Closes the server's socket.
    pub(super) fn close(&mut self, number: usize) {
        let now = self.now;
        let (is_there, some) = (self.random.below(2) == 0, self.random.next() as usize);
        let connection = &mut self.connections[number];
        connection.closed = Some(now);
        connection.refused = !connection.incoming.is_empty() || connection.reset;
        if connection.refused {
            // A reset is sent, and not what was held back. The peer's kernel has got all other bytes, or the first of them.
            let sent = connection.outgoing.len() - connection.held;
            connection.outgoing.truncate(if is_there { sent } else { some % (sent + 1) });
            connection.overtaken = !is_there;
        }
        (connection.key, connection.held) = (None, 0);
        connection.due = Due::default();
        self.note(|| format!("    #{number} the server closes the socket"));
    }

    /// Accepts a connection.
    pub(super) fn accept(&mut self, listener: usize) -> Result<usize, Failure> {
        self.tried = self.now;
        if self.fault(100, Met::InterruptedAccept) {
            return Err(Failure::Interrupted);
        }
        let open = self.connections.iter().filter(|each| each.accepted && each.closed.is_none());
        let full = self.faults && open.count() >= self.descriptors;
        let Some(Listener { waiting, .. }) = self.listeners.as_mut().map(|each| &mut each[listener]) else {
            return Err(Failure::WouldBlock);
        };
        let Some(&number) = waiting.front() else { return Err(Failure::WouldBlock) };
        if full {
            self.coverage.add(Met::NoDescriptors);
            return Err(Failure::NoDescriptors);
        }
        if self.fault(30, Met::NoBuffersToAccept) {
            return Err(Failure::NoBuffers);
        }
        if let Some(listeners) = &mut self.listeners {
            listeners[listener].waiting.pop_front();
        }
        let connection = &mut self.connections[number];
        connection.accepted = true;
        if connection.reset && self.random.below(2) == 0 {
            connection.closed = Some(self.now);
            self.coverage.add(Met::AbortedAccept);
            return Err(Failure::Aborted);
        }
        self.note(|| format!("    #{number} is accepted"));
        Ok(number)
    }

    /// Registers a socket. Both directions are reported if they are ready already.
    pub(super) fn register(&mut self, number: usize, key: usize) -> Result<(), Failure> {
        self.tried = self.now;
        if self.fault(50, Met::FailedRegistration) {
            return Err(Failure::NoBuffers);
        }
        let connection = &mut self.connections[number];
        (connection.key, connection.registered) = (Some(key), self.now);
        connection.due.writable = true;
        connection.due.readable = !connection.incoming.is_empty() || connection.finished;
        Ok(())
    }

    // ---------------------------------------------------------------------------------------------- the poll

    /// Whether an event is due for any socket.
    pub(super) fn has_events(&self) -> bool {
        let listening = || self.listeners.iter().flatten().any(|listener| listener.due);
        self.stop
            || listening()
            || self.connections.iter().any(|each| each.key.is_some() && each.due.is_due())
    }

    /// The next events: some of those that are due, in any order.
    pub(super) fn poll(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        if mem::take(&mut self.stop) {
            events.push(Event::Stop);
        }
        for number in 0..LISTENERS {
            let due = self.listeners.as_mut().is_some_and(|each| mem::take(&mut each[number].due));
            if due {
                events.push(Event::Listener(number));
            }
        }
        let mut due: Vec<usize> = (0..self.connections.len())
            .filter(|&number| self.connections[number].key.is_some() && self.connections[number].due.is_due())
            .collect();
        self.shuffle(&mut due);
        for number in due {
            let may_wait = self.connections[number].due.late < LATE;
            if events.len() >= self.batch {
                break; // the next poll reports it
            }
            if may_wait && self.fault(8, Met::LateEvent) {
                self.connections[number].due.late += 1;
            } else if let Some(event) = self.report(number) {
                events.push(event);
            }
        }
        if events.len() >= self.batch {
            self.coverage.add(Met::FullBatch);
        }
        self.shuffle(&mut events);
        events
    }

    fn report(&mut self, number: usize) -> Option<Event> {
        let all = self.random.below(2) == 0;
        let connection = &mut self.connections[number];
        let key = connection.key?;
        let due = mem::take(&mut connection.due);
        let (input, output) = (connection.has_input(), connection.outgoing_room > connection.outgoing.len());
        // Like epoll, report everything that is so now; or like kqueue, what was due, though it may be over.
        let readable = if all { input } else { due.readable || due.priority };
        let writable = if all { output } else { due.writable };
        let short = due.priority || connection.finished || connection.reset;
        connection.seen.reset |= connection.reset;
        let stale = readable && !input;
        if stale {
            self.coverage.add(Met::StaleEvent);
        }
        if !(readable || writable || short) {
            return None;
        }
        if readable && writable {
            self.coverage.add(Met::MergedEvent);
        }
        let flag = |set: bool, name: &str| if set { format!(" {name}") } else { String::new() };
        self.note(|| {
            let (r, w, s) = (flag(readable, "readable"), flag(writable, "writable"), flag(short, "short"));
            format!("  event #{number}{r}{w}{s}")
        });
        Some(Event::Session(key, Turn { readable: readable || short, writable, short }))
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.random.below(i + 1));
        }
    }
}
