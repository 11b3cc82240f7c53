//! The history of one connection, and the rules for its session alone.

use super::{
    connection::Connection,
    coverage::{Coverage, Met},
};
use crate::{
    config::Config,
    session::{Phase, Queue, View},
    sessions::SWEEPS_FOR_ALL,
};
use std::time::Duration;

/// What was seen of one connection.
#[derive(Clone, Default)]
pub(super) struct Track {
    /// Its session, at the end of the last turn.
    pub(super) view: Option<View>,
    /// When its session began to close, and to drain.
    pub(super) closing: Option<Duration>,
    pub(super) draining: Option<Duration>,
    pub(super) pinged: Option<Duration>,
    /// When it was last read or written, had bytes of earlier reads handled, or waited for a turn that no event reports, at the
    /// end of the last turn.
    pub(super) life: Duration,
    /// When it last waited for a turn that no event reports, and when it handled bytes, also those of earlier reads.
    waited: Option<Duration>,
    handled: Option<Duration>,
    /// When the socket took bytes of its backlog.
    pub(super) flushed: Option<Duration>,
    /// Since when a closing session has a backlog, how many sweeps there were since, and when each session had been swept.
    pub(super) backlog: Option<Duration>,
    sweeps: u32,
    swept: Option<Duration>,
    /// When a reply was last being compressed.
    pub(super) replied: Option<Duration>,
    /// The compressed message for which it holds a decompressor or a place: how many had begun then, and since when.
    held: Option<(usize, Duration)>,
    /// Sweeps since a timeout was over.
    overdue: u32,
    pub(super) reads: u64,
    pub(super) taken_in: u64,
    /// Whether the server had read everything that had arrived by the end of the last turn.
    up_to_date: bool,
    /// Turns in which it got no turn, although it could have.
    neglected: u32,
    /// Turns since an event reported a reset.
    reset: u32,
    pub(super) ended: bool,
}

/// The most turns until something that can be done is done.
pub(super) const TURNS: u32 = 2;

/// Bytes beside the formula for memory: the largest control frames and headers.
const SMALL: usize = 1024;

/// How many close timeouts a closing peer has, as [`Config`] says.
pub(super) const CLOSE_TIMEOUTS: u32 = 60;

impl Track {
    /// Whether this turn has changed anything of the session.
    pub(super) fn is_served(&self, connection: &Connection, view: &View) -> bool {
        connection.seen.reads > self.reads || self.view.is_none_or(|before| before != *view)
    }

    /// Bytes that can be read are read, and bytes that can be written are written.
    pub(super) fn progress(
        &mut self,
        connection: &Connection,
        view: &View,
        again: bool,
    ) -> Result<(), &'static str> {
        let served = self.is_served(connection, view);
        let unread = connection.has_input() && !connection.seen.end || view.rest.is_some();
        let queued = matches!(view.queue, Queue::Working | Queue::Heavy | Queue::Line);
        let held_back = view.paused || view.phase == Phase::Ended || queued;
        let due = connection.due.is_readable();
        if unread && !held_back && !again && !due {
            return Err("it is not read: it is in no queue, and no event is due");
        }
        if view.replies.is_some() && !matches!(view.queue, Queue::Working | Queue::Heavy) && !again {
            return Err("its reply is not compressed: it is in no queue");
        }
        self.neglected = if unread && !held_back && !served && !due { self.neglected + 1 } else { 0 };
        if self.neglected > TURNS {
            return Err("it waits for its turn for too long");
        }
        if view.queue == Queue::Line && !unread {
            return Err(
                "it waits for a decompressor, but has nothing to read: others are closed because of it",
            );
        }
        if view.backlog > 0 && !connection.wakes_writer() {
            return Err("its backlog is forgotten: no event is due");
        }
        let unseen = connection.seen.reset && (connection.incoming.is_empty() || held_back);
        self.reset = if unseen { self.reset + 1 } else { 0 };
        if self.reset > TURNS {
            return Err("a reset is not noticed");
        }
        Ok(())
    }

    /// It is paused as the high-water mark says, and takes no more memory than the formula says.
    pub(super) fn pressure(&self, view: &View, config: &Config) -> Result<(), &'static str> {
        let high = view.backlog > 0 && view.backlog >= config.high_water;
        if high && !view.paused && matches!(view.phase, Phase::Open | Phase::Closing) {
            return Err("it is not paused");
        }
        if view.paused && view.backlog <= config.high_water / 2 {
            return Err("its pause does not end");
        }
        let most =
            config.high_water + 2 * config.limits.message as usize + 2 * config.receive_buffer.max(1 << 10);
        // A reply takes its length, and what is compressed of it.
        let replies = if view.replies.is_some() { 2 * config.limits.message as usize } else { 0 };
        if view.backlog + view.rest.unwrap_or(0) + view.assembled + view.head + replies > most + SMALL {
            return Err("it takes more memory than the formula says");
        }
        if view.phase > Phase::Closing
            && (view.assembled > 0 || view.rest.is_some() || view.replies.is_some())
        {
            return Err("it keeps bytes that it will not handle any more");
        }
        Ok(())
    }

    /// Takes over what this turn has changed.
    pub(super) fn follow(
        &mut self,
        connection: &Connection,
        view: &View,
        now: Duration,
        sweeps: u32,
        coverage: &mut Coverage,
    ) {
        let mut add = |met: Met, now: bool, before: fn(&View) -> bool| {
            if now && !self.view.as_ref().is_some_and(before) {
                coverage.add(met);
            }
        };
        add(Met::Paused, view.paused, |view| view.paused);
        add(Met::Resumed, !view.paused, |view| !view.paused);
        add(Met::Again, view.queue == Queue::Again, |view| view.queue == Queue::Again);
        add(Met::Working, view.queue == Queue::Working, |view| view.queue == Queue::Working);
        add(Met::Heavy, view.queue == Queue::Heavy, |view| view.queue == Queue::Heavy);
        add(Met::PausedPart, view.part.is_some(), |view| view.part.is_some());
        add(Met::ReplyInSteps, view.replies.is_some(), |view| view.replies.is_some());
        add(Met::Line, view.queue == Queue::Line, |view| view.queue == Queue::Line);
        add(Met::Rest, view.rest.is_some(), |view| view.rest.is_some());
        add(Met::SentPing, view.pinged, |view| view.pinged);

        if view.phase == Phase::Closing {
            self.closing.get_or_insert(now);
        }
        if view.phase > Phase::Closing {
            self.draining.get_or_insert(now);
        }
        self.pinged = if view.pinged { self.pinged.or(Some(now)) } else { None };
        let flushed = connection.seen.written == now && self.view.is_some_and(|before| before.backlog > 0);
        self.flushed = if flushed { Some(now) } else { self.flushed };
        let bytes = |view: &View| (view.rest, view.part, view.assembled, view.replies);
        let handled = self.view.is_some_and(|before| bytes(&before) != bytes(view));
        self.handled = if handled { Some(now) } else { self.handled };
        let queued = |view: &View| matches!(view.queue, Queue::Working | Queue::Heavy | Queue::Line);
        let waited = queued(view) || self.view.as_ref().is_some_and(queued); // up to now
        self.waited = if waited { Some(now) } else { self.waited };
        self.replied = if view.replies.is_some() { Some(now) } else { self.replied };
        let waits = view.phase > Phase::Open && view.backlog > 0;
        self.backlog = if waits { self.backlog.or(Some(now)) } else { None };
        self.sweeps = if waits { self.sweeps + sweeps } else { 0 };
        let swept = self.sweeps > SWEEPS_FOR_ALL as u32;
        self.swept = if swept { self.swept.or(Some(now)) } else { None };
        let place = connection.read - view.rest.unwrap_or(0) as u64;
        let begun = connection.compressed.iter().filter(|&&(begin, _)| begin < place).count();
        let before = self.held.filter(|&(before, _)| before == begun);
        self.held = view.holds.then(|| before.unwrap_or((begun, now)));
        let life = self.waited.max(self.handled).unwrap_or_default();
        self.life = life.max(connection.seen.read).max(connection.seen.written);
        self.reads = connection.seen.reads;
        self.taken_in = connection.read;
        self.up_to_date = connection.incoming.is_empty() && view.rest.is_none();
        self.view = Some(*view);
    }

    /// Whether a peer may be pinged.
    pub(super) fn is_silent(&self, now: Duration, config: &Config) -> bool {
        config.idle_timeout > 0 && now - self.life >= Duration::from_secs(config.idle_timeout.into())
    }

    /// Counts the sweeps since a timeout is over, of which one has to end the session or to ping it.
    pub(super) fn count_overdue(
        &mut self,
        connection: &Connection,
        view: &View,
        now: Duration,
        sweeps: u32,
        config: &Config,
    ) -> Result<(), &'static str> {
        let is_overdue = self.is_overdue(connection, view, now, config);
        self.overdue = if is_overdue { self.overdue + sweeps } else { 0 };
        if self.overdue > SWEEPS_FOR_ALL as u32 { Err("a timeout does not fire") } else { Ok(()) }
    }

    /// Whether a timeout is over, so that the next sweep has to end the session, or to ping it.
    fn is_overdue(&self, connection: &Connection, view: &View, now: Duration, config: &Config) -> bool {
        // The server rounds both times down, so it waits up to a second longer.
        let silent = |since: Duration| (now.as_secs() - since.as_secs()).saturating_sub(1) as u32;
        let registered = connection.registered;
        let life = self.waited.max(self.handled).max(self.pinged).unwrap_or(registered);
        let life = life.max(connection.seen.read).max(connection.seen.written);
        match view.phase {
            Phase::Handshake => silent(registered) >= config.handshake_timeout,
            Phase::Open if view.pinged => silent(life) >= config.pong_timeout,
            Phase::Open => config.idle_timeout > 0 && silent(life) >= config.idle_timeout,
            _ => {
                let since =
                    self.closing.max(self.draining).max(self.flushed).max(self.replied).unwrap_or(now);
                let longest = config.close_timeout * CLOSE_TIMEOUTS;
                silent(since) >= config.close_timeout
                    || self.swept.is_some_and(|since| silent(since) > longest)
            }
        }
    }

    /// Whether a compressed message has counted for too long: the peer has not sent all of it, or has not read what was sent
    /// before; or the server has not gone on with it.
    pub(super) fn takes_too_long(&self, connection: &Connection, now: Duration, config: &Config) -> bool {
        let timeout = config.compression.as_ref().map_or(0, |config| config.message_timeout);
        self.held.is_some_and(|(_, since)| now - since >= Duration::from_secs(timeout.into()))
            && (self.up_to_date
                || connection.incoming.is_empty()
                || connection.due.is_readable()
                || self
                    .view
                    .is_some_and(|view| view.paused || matches!(view.queue, Queue::Working | Queue::Heavy)))
    }
}
