//! The timeouts of an open connection: one timer, which is set when the connection first waits.
//!
//! No message costs a look at the clock. The timer looks at counters when it rings, and finds out whether they have moved since.
//! So a timeout never comes early, and at most as late as its own length.

use crate::{
    error::{Error, SendError},
    finish::Phase,
    memory,
    websocket::WebSocket,
    writers::Side,
};
use bytes::Buf;
use framewire::Role;
use std::{
    fmt,
    future::Future,
    mem,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};
use tokio::{
    io::AsyncWrite,
    runtime::Handle,
    task::coop,
    time::{Instant, Sleep, sleep_until},
};

/// The timers of a connection. Times are in milliseconds on the connection's own clock, which wraps after 49 days; only times
/// that are less than half of that apart are compared.
pub(crate) struct Timers {
    sleep: Pin<Box<Sleep>>,
    /// The task that receives, which the timer wakes.
    receiver: Option<Waker>,
    /// What is watched besides silence: an idle connection needs no memory for that.
    rare: Option<Box<Rare>>,
    /// For which task the timer was set last.
    set_by: Side,
    /// Whether a ping was sent because the peer was silent.
    pinged: Pinged,
    /// The timer rang for the task that receives, and was set anew by a look that was not at what arrives.
    rang: bool,
    /// How many reads there were when the watches were last looked at.
    reads: u32,
    /// When the timer rings, on the connection's clock. This is what relates that to the runtime's.
    rings: u32,
    idle: Watch,
    /// When the ping whose answer is awaited was sent, in microseconds.
    ping: Option<Time>,
    /// Microseconds.
    rtt: Option<Time>,
}

/// How far the ping to a silent peer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pinged {
    No,
    /// When this was last looked at, it waited in the queue.
    Queued,
    Written,
}

/// What is watched while something is unfinished.
#[derive(Default)]
struct Rare {
    write: Watch,
    message: Watch,
    close: Watch,
    /// The task that sends, if it waits, too.
    sender: Option<Waker>,
}

/// Something that must move, or end, before a time.
#[derive(Clone, Copy, Default)]
struct Watch {
    /// When it is looked at, if it is watched.
    at: Option<Time>,
    /// What it was when it was last looked at.
    seen: u32,
}

/// A time, which is not 0, so that an optional one takes no more room.
type Time = NonZeroU32;

/// The longest timeout: longer ones are as good as none, and would wrap.
const LONGEST: Duration = Duration::from_secs(20 * 24 * 3600);

impl Timers {
    fn new() -> Self {
        Self {
            sleep: Box::pin(sleep_until(Instant::now())),
            receiver: None,
            rare: None,
            set_by: Side::Receives,
            pinged: Pinged::No,
            rang: false,
            reads: 0,
            rings: 1, // so that no time is 0 before the clock wraps
            idle: Watch::default(),
            ping: None,
            rtt: None,
        }
    }

    /// Microseconds on the connection's clock.
    fn micros(&self) -> i64 {
        self.micros_at(Instant::now())
    }

    fn micros_at(&self, now: Instant) -> i64 {
        let rings = self.sleep.deadline();
        let early = i64::try_from(rings.saturating_duration_since(now).as_micros()).unwrap_or(i64::MAX >> 1);
        let late = i64::try_from(now.saturating_duration_since(rings).as_micros()).unwrap_or(i64::MAX >> 1);
        i64::from(self.rings) * 1000 + late - early
    }

    /// Milliseconds on the connection's clock.
    fn now(&self) -> u32 {
        (self.micros().div_euclid(1000)) as u32
    }

    /// The payload of a ping that is sent now.
    pub(crate) fn ping(&mut self) -> [u8; 4] {
        let now = time(self.micros() as u32);
        self.ping = Some(now);
        now.get().to_be_bytes()
    }

    /// A pong has arrived.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        if let Some(sent) = self.ping.take_if(|sent| sent.get().to_be_bytes() == payload) {
            self.rtt = Some(time((self.micros() as u32).wrapping_sub(sent.get())));
        }
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt.map(|micros| Duration::from_micros(micros.get().into()))
    }

    /// Sets the timer to the next time at which something is looked at.
    fn arm(&mut self, receives: bool) {
        let instant = Instant::now();
        let micros = self.micros_at(instant);
        let now = micros.div_euclid(1000) as u32;
        let [write, message, close] = self.watches();
        // The time of one that only the task that receives looks at may have passed: once the timer has rung, it waits for that task.
        let [idle, message] = [self.idle, message].map(|watch| {
            let passed = watch.at.is_some_and(|at| left(now, at) == 0);
            self.rang |= passed && !receives && self.sleep.is_elapsed();
            if passed && !receives && self.rang { Watch::default() } else { watch }
        });
        let watches = [idle, write, message, close];
        let next = watches.iter().filter_map(|watch| watch.at).map(|at| left(now, at)).min();
        // Nothing to look at: the timer stays where it is, and is looked at when it rings.
        let next = next.unwrap_or(LONGEST.as_millis() as u32);
        // The clock goes on, to the microsecond: it must not go back while a round trip is measured.
        let ahead = (u64::from(next) * 1000).saturating_sub(micros.rem_euclid(1000) as u64);
        self.sleep.as_mut().reset(instant + Duration::from_micros(ahead));
        self.rings = now.wrapping_add(next);
    }

    /// Waits for the timer, which wakes this task, and the other if there is one.
    fn poll_sleep(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<()> {
        *self.waker(side) = Some(cx.waker().clone());
        self.set_by = side;
        let sender = self.rare.as_ref().and_then(|rare| rare.sender.as_ref());
        let both = match (&self.receiver, sender) {
            (Some(one), Some(other)) if !one.will_wake(other) => {
                Some(Waker::from(Arc::new(Both([one.clone(), other.clone()]))))
            }
            _ => None,
        };
        match both {
            Some(both) => self.sleep.as_mut().poll(&mut Context::from_waker(&both)),
            None => self.sleep.as_mut().poll(cx),
        }
    }

    /// The connection has failed, or was closed, in a task that sends: the task that receives has something to do.
    pub(crate) fn wake_receiver(&mut self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }

    /// Whether the time is watched in which the peer must take bytes.
    pub(crate) fn watches_writes(&self) -> bool {
        self.watches()[0].at.is_some()
    }

    /// Those of writing, of a message, and of closing.
    #[inline]
    fn watches(&self) -> [Watch; 3] {
        self.rare.as_ref().map_or_else(Default::default, |rare| [rare.write, rare.message, rare.close])
    }

    fn waker(&mut self, side: Side) -> &mut Option<Waker> {
        match side {
            Side::Receives => &mut self.receiver,
            Side::Sends => &mut self.rare.get_or_insert_default().sender,
        }
    }

    /// Frees what nothing needs.
    fn settle(&mut self) {
        let [write, message, close] = self.watches().map(|watch| watch.at.is_some());
        if !write && !message && !close {
            self.rare = None;
        } else if let (Some(rare), false) = (&mut self.rare, write) {
            rare.sender = None; // it does not wait
        }
    }
}

fn time(time: u32) -> Time {
    Time::new(time).unwrap_or(Time::MIN)
}

/// The milliseconds from `now` to `at`; 0 if that has passed.
fn left(now: u32, at: Time) -> u32 {
    let left = at.get().wrapping_sub(now);
    if left > u32::MAX / 2 { 0 } else { left }
}

/// Rounds up, and adds one for the part of a millisecond that has passed at the beginning, so that no timeout comes early.
fn millis(timeout: Duration) -> u32 {
    (timeout.min(LONGEST).as_micros().div_ceil(1000)) as u32 + 1
}

impl<S, R: Role> WebSocket<S, R> {
    /// Queues a ping that measures the round trip, by a timer of this task's runtime.
    pub(crate) fn queue_first_ping(&mut self) -> Result<(), SendError> {
        let can_measure = || self.config.has_timers() && Handle::try_current().is_ok();
        if self.timers.is_none() && self.phase == Phase::Open && can_measure() {
            self.timers = Some(Box::new(Timers::new()));
        }
        self.queue_ping()
    }

    /// Queues a ping that measures the round trip if there is a timer. A sender may ping from another runtime than the receiver's,
    /// or from none: the timer must not be bound to that.
    pub(crate) fn queue_ping(&mut self) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        let payload = self.timers.as_mut().map_or([0; 4], |timers| timers.ping());
        self.queue_ping_with(&payload)
    }

    /// Whether it is too long ago that the close of this end was first waited for.
    pub(crate) fn is_close_late(&mut self) -> bool {
        let Some(time) = self.config.close_timeout else { return false };
        let timers = self.timers.get_or_insert_with(|| Box::new(Timers::new()));
        let now = timers.now();
        let rare = timers.rare.get_or_insert_default();
        if rare.close.at.is_none() {
            rare.close.at = Some(self::time(now.wrapping_add(millis(time))));
            (timers.receiver, rare.sender) = (None, None); // the timer is not set for this
        }
        rare.close.at.is_some_and(|at| left(now, at) == 0)
    }

    /// What is watched now, with its counter and its timeout: bytes that wait, a message that is not whole, the peer's close.
    fn watched(&self) -> [Option<(u32, Duration)>; 3] {
        let config = &self.config;
        let closing = self.connection.close_expected() || self.phase > Phase::Open;
        let unfinished = self.busy.as_ref().is_some_and(|busy| !busy.assembler.is_empty());
        [
            config
                .write_timeout
                .filter(|_| self.waiting() > 0 || self.unflushed)
                .map(|time| (self.writes, time)),
            config.message_timeout.filter(|_| unfinished).map(|time| (self.assembled, time)),
            config.close_timeout.filter(|_| closing).map(|time| (0, time)),
        ]
    }
}

impl<S: AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// The connection waits. Looks at what it waits for, and returns an error if that takes too long. `reads`: it waits for the
    /// peer to send; otherwise silence of the peer means nothing.
    #[inline]
    pub(crate) fn poll_timers(&mut self, cx: &mut Context<'_>, side: Side, reads: bool) -> Poll<Error> {
        if self.timers.is_none() && !self.config.has_timers() {
            return Poll::Pending;
        }
        let watched = self.watched();
        if let Some(timers) = &self.timers {
            let waker = match side {
                Side::Receives => &timers.receiver,
                Side::Sends => timers.rare.as_ref().map_or(&None, |rare| &rare.sender),
            };
            let same = waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
                && timers.set_by as usize == side as usize;
            let now = timers.watches().map(|watch| watch.at.is_some());
            // Only a look at what arrives can do this, and there was none since it became due.
            let due = reads && (timers.rang || timers.idle.at.is_none() && self.config.keepalive.is_some());
            let waits = !due && !timers.sleep.is_elapsed();
            if same && now == watched.map(|watch| watch.is_some()) && waits {
                return Poll::Pending;
            }
        }
        self.poll_timers_anew(cx, side, reads)
    }

    #[inline(never)]
    fn poll_timers_anew(&mut self, cx: &mut Context<'_>, side: Side, receives: bool) -> Poll<Error> {
        loop {
            if self.phase == Phase::Failed && self.config.close_timeout.is_none() && receives {
                // All that had arrived before the failed write was received.
                return Poll::Ready(Error::CloseTimeout);
            }
            let watched = self.watched();
            let reads = self.reads;
            // After this end's close, no ping can be sent, so silence means nothing.
            let keepalive = self.config.keepalive.filter(|_| !self.cannot_send());
            let timers = self.timers.get_or_insert_with(|| Box::new(Timers::new()));
            let now = timers.now();
            // Only if the runtime has looked at the stream since, and this task might use it, has nothing happened: a program
            // that was busy for long finds what has arrived first.
            let starved = !coop::has_budget_remaining() && reads == timers.reads;
            let rang = receives && mem::take(&mut timers.rang);
            let rung = (timers.sleep.is_elapsed() || rang) && !starved;
            timers.reads = reads;
            let mut late = None;
            if timers.rare.is_some() || watched.iter().any(Option::is_some) {
                let Rare { write, message, close, .. } = &mut **timers.rare.get_or_insert_default();
                let watches = [
                    (write, Error::WriteTimeout, true),
                    // While the program only sends, the rest of the message may be there.
                    (message, Error::MessageTimeout, receives),
                    (close, Error::CloseTimeout, true),
                ];
                for ((watch, error, looks), watched) in watches.into_iter().zip(watched) {
                    let Some((count, time)) = watched else {
                        watch.at = None;
                        continue;
                    };
                    match watch.at {
                        Some(at) if left(now, at) > 0 => {}
                        Some(_) if watch.seen == count && !(rung && looks) => {}
                        Some(_) if watch.seen == count => late = late.or(Some(error)),
                        // It is new, or has moved.
                        _ => {
                            *watch =
                                Watch { at: Some(self::time(now.wrapping_add(millis(time)))), seen: count }
                        }
                    }
                }
            }
            if let Some(error) = late {
                return Poll::Ready(error);
            }
            let mut ping = false;
            match keepalive {
                None => timers.idle.at = None,
                Some(_) if !receives => {}
                Some(keepalive) => match timers.idle.at {
                    Some(at) if left(now, at) > 0 => {}
                    Some(_) if timers.idle.seen == reads && !rung => {}
                    Some(_) if timers.idle.seen == reads && timers.pinged == Pinged::Written => {
                        return Poll::Ready(Error::IdleTimeout);
                    }
                    at => {
                        let silent = at.is_some() && timers.idle.seen == reads;
                        ping = silent && timers.pinged == Pinged::No;
                        if !silent {
                            timers.pinged = Pinged::No;
                        } else if timers.pinged == Pinged::Queued {
                            // A peer that reads slowly gets the ping late, and has its time from then on.
                            match memory::ping_moves(&mut self.busy) {
                                Some(true) => {}
                                Some(false) => return Poll::Ready(Error::IdleTimeout),
                                None => timers.pinged = Pinged::Written,
                            }
                        }
                        let time = if silent { keepalive.answer } else { keepalive.idle };
                        timers.idle =
                            Watch { at: Some(self::time(now.wrapping_add(millis(time)))), seen: reads };
                    }
                },
            }
            timers.settle();
            timers.arm(receives);
            if ping && self.queue_ping().is_ok() {
                let busy = self.busy();
                busy.ping = [busy.queue.remaining(); 2];
                let _ = self.poll_write(cx, Side::Receives);
                if let Some(timers) = &mut self.timers {
                    let queued = memory::ping_moves(&mut self.busy).is_some();
                    timers.pinged = if queued { Pinged::Queued } else { Pinged::Written };
                }
                continue; // bytes wait now, or the write has failed
            }
            let Some(timers) = &mut self.timers else { return Poll::Pending };
            ready!(timers.poll_sleep(cx, side));
        }
    }
}

/// Wakes two tasks.
struct Both([Waker; 2]);

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.0.iter().for_each(Waker::wake_by_ref);
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("rtt", &self.rtt()).finish_non_exhaustive()
    }
}
