//! The rules that hold after every turn of the loop. docs/architecture.md lists them.

use super::{
    coverage::Met,
    judgement,
    kernel::Kernel,
    script::DECOMPRESSOR,
    sockets::Socket,
    track::{TURNS, Track},
};
use crate::{
    config::Config,
    event_loop::{EventLoop, SWEEP},
    handler::Handler,
    session::{Phase, Queue, View},
    sessions::{SWEEPS_FOR_ALL, Sessions},
};
use std::{mem, time::Duration};

/// What was seen up to the end of the last turn.
pub(super) struct Invariants {
    config: Config,
    tracks: Vec<Track>,
    /// The connections in the line, and in the queues for work, in their order.
    line: Vec<usize>,
    work: [Vec<usize>; 2],
    /// For how many turns the first session of each queue for work has had no turn.
    work_stands: [u32; 2],
    /// Sweeps since the line moved.
    line_stands: u32,
    next_sweep: Duration,
    postponed: usize,
    /// How many sessions there were.
    sessions: usize,
    /// The room in the slab, and in how many sweeps the order of sweeping is that room's.
    capacity: (usize, u32),
}

impl Invariants {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            tracks: Vec::new(),
            line: Vec::new(),
            work: Default::default(),
            work_stands: [0; 2],
            line_stands: 0,
            next_sweep: SWEEP,
            postponed: 0,
            sessions: 0,
            capacity: (0, 0),
        }
    }

    /// Checks everything after a turn at this time. `full`: the turn got as many events as it can.
    pub(super) fn check<H: Handler>(
        &mut self,
        kernel: &mut Kernel,
        event_loop: &EventLoop<H, Socket>,
        full: bool,
    ) -> Result<(), String> {
        let (sessions, stuck, next_sweep) = event_loop.probe();
        self.tracks.resize(kernel.connections.len(), Track::default());
        self.sweep(kernel, sessions, next_sweep, full)?;
        let sweeps = self.count_sweep(kernel, sessions, next_sweep);
        let [line, working, heavy] = self.queues(sessions)?;
        self.places(sessions)?;
        self.judge_ends(kernel, sessions, &line)?;
        self.order(kernel, sessions, &line)?;
        self.line_moves(kernel, sessions, &line, sweeps)?;
        self.line = line;
        self.work_moves(kernel, sessions, [working, heavy])?;
        let (mut count, mut paused) = (0, 0);
        for (key, view, socket) in sessions.views() {
            let again = sessions.keys_again().any(|each| each == key);
            self.session(kernel, socket.number, key, &view, again, sweeps)
                .map_err(|error| format!("#{}: {error}: {view:?}", socket.number))?;
            count += 1;
            paused += u64::from(view.paused);
        }
        if sessions.len() > self.config.max_connections {
            return Err("there are more connections than the limit allows".into());
        }
        let stats = sessions.stats();
        if (stats.connections.get(), stats.paused.get()) != (count, paused) {
            return Err(format!("the counters differ: {stats:?}, not {count} connections, {paused} paused"));
        }
        self.loop_wakes(kernel, event_loop, sessions, stuck)
    }

    /// The rules for one session.
    fn session(
        &mut self,
        kernel: &mut Kernel,
        number: usize,
        key: usize,
        view: &View,
        again: bool,
        sweeps: u32,
    ) -> Result<(), &'static str> {
        let Self { config, .. } = self;
        let (track, connection) = (&mut self.tracks[number], &kernel.connections[number]);
        if connection.key != Some(key) {
            return Err("it is not registered");
        }
        if view.phase == Phase::Taken {
            return Err("it was taken over, and is still here");
        }
        if kernel.listeners.is_none() && view.phase <= Phase::Open {
            return Err("the server stops, and has not told the peer");
        }
        track.progress(connection, view, again)?;
        track.pressure(view, config)?;
        if view.pinged && track.pinged.is_none() && !track.is_silent(kernel.now, config) {
            return Err("it is pinged too early");
        }
        track.follow(connection, view, kernel.now, sweeps, &mut kernel.coverage);
        track.count_overdue(connection, view, kernel.now, sweeps, config)
    }

    /// The loop sweeps when it is time, but not before it has handled all events that are due: as a turn takes only so many,
    /// it postpones the sweep as long as others may have more.
    fn sweep<H: Handler>(
        &mut self,
        kernel: &mut Kernel,
        sessions: &Sessions<H, Socket>,
        next_sweep: Duration,
        full: bool,
    ) -> Result<(), String> {
        let is_due = kernel.now >= self.next_sweep;
        let swept = next_sweep == kernel.now + SWEEP;
        let before = mem::replace(&mut self.sessions, sessions.len());
        // Sessions may come and go before the loop decides, and after that.
        let gone = kernel.connections.iter().filter(|each| each.closed == Some(kernel.now)).count();
        let least = before.saturating_sub(gone) / kernel.batch;
        let most = before.max(sessions.len()) / kernel.batch + 1;
        if !is_due || swept {
            let postponed = mem::take(&mut self.postponed);
            return if swept && full && is_due && postponed < least {
                Err("a sweep is not postponed, although peers may have events".into())
            } else {
                Ok(())
            };
        }
        self.postponed += 1;
        kernel.coverage.add(Met::SweepPostponed);
        if full && self.postponed <= most { Ok(()) } else { Err("a sweep does not come".into()) }
    }

    /// Returns 1 if this turn made a sweep that counts. After the slab has grown, the first round of sweeps does not count: it is
    /// longer.
    fn count_sweep<H: Handler>(
        &mut self,
        kernel: &Kernel,
        sessions: &Sessions<H, Socket>,
        next_sweep: Duration,
    ) -> u32 {
        if self.capacity.0 != sessions.capacity() {
            self.capacity = (sessions.capacity(), SWEEPS_FOR_ALL as u32);
        }
        self.next_sweep = next_sweep;
        if next_sweep != kernel.now + SWEEP {
            return 0;
        }
        let settled = self.capacity.1 == 0;
        self.capacity.1 = self.capacity.1.saturating_sub(1);
        u32::from(settled)
    }

    /// A session is in the queue in which it believes to be, once; and no queue has anything else. Returns the line, and the
    /// queues for work.
    fn queues<H: Handler>(&self, sessions: &Sessions<H, Socket>) -> Result<[Vec<usize>; 3], String> {
        let queues = [Queue::Line, Queue::Working, Queue::Heavy];
        let mut all = queues.map(|queue| (queue, sessions.keys_in(queue), Vec::new()));
        let again: Vec<usize> = sessions.keys_again().collect();
        for (key, view, socket) in sessions.views() {
            for (queue, keys, _) in &all {
                let times = keys.iter().filter(|&&each| each == key).count();
                if times != usize::from(view.queue == *queue) {
                    return Err(format!("#{} is in {queue:?} {times} times: {view:?}", socket.number));
                }
            }
            if view.queue == Queue::Line && view.holds {
                return Err(format!("#{} waits for a decompressor, and has one: {view:?}", socket.number));
            }
            if view.queue == Queue::Again && !again.contains(&key) {
                return Err(format!(
                    "#{} is not in the queue in which it believes to be: {view:?}",
                    socket.number
                ));
            }
        }
        for (queue, keys, numbers) in &mut all {
            for key in keys {
                let found =
                    sessions.views().find(|(each, ..)| each == key).map(|(_, _, socket)| socket.number);
                numbers.push(found.ok_or_else(|| {
                    format!("key {key} is in {queue:?}, but has no session: others wait because of it")
                })?);
            }
        }
        Ok(all.map(|(_, _, numbers)| numbers))
    }

    /// No more messages are in progress than there are decompressors, and no place is lost.
    fn places<H: Handler>(&self, sessions: &Sessions<H, Socket>) -> Result<(), String> {
        let Some(compression) = &self.config.compression else { return Ok(()) };
        let most = (compression.memory / DECOMPRESSOR).max(1);
        let held = sessions.views().filter(|(_, view, _)| view.holds).count();
        if held <= most && sessions.has_decompressor() == (held < most) {
            return Ok(());
        }
        Err(format!("{held} of {most} places are held; one is free: {}", sessions.has_decompressor()))
    }

    /// Each session that has ended had a reason; each that was closed with 1008 kept others waiting.
    fn judge_ends<H: Handler>(
        &mut self,
        kernel: &mut Kernel,
        sessions: &Sessions<H, Socket>,
        line: &[usize],
    ) -> Result<(), String> {
        let has_rest = |number: usize| {
            let before = self.tracks[number].view.is_some_and(|view| view.rest.is_some());
            before || sessions.views().any(|(_, view, socket)| socket.number == number && view.rest.is_some())
        };
        let waits = |&number: &usize| kernel.connections[number].has_input() || has_rest(number);
        let waiting: Vec<usize> = self.line.iter().chain(line).copied().filter(waits).collect();
        let mut policy = Vec::new();
        for (_, view, socket) in sessions.views() {
            let number = socket.number;
            let track = &self.tracks[number];
            let was_open = track.view.is_none_or(|before| before.phase == Phase::Open);
            let others = waiting.iter().any(|other| *other != number);
            if was_open && view.phase > Phase::Closing && others {
                policy.push(number);
            }
        }
        for number in policy {
            let is_slow =
                self.tracks[number].takes_too_long(&kernel.connections[number], kernel.now, &self.config);
            kernel.connections[number].judged.policy |= is_slow;
        }
        for number in 0..self.tracks.len() {
            let connection = &kernel.connections[number];
            let track = &mut self.tracks[number];
            if connection.closed.is_none() || track.ended {
                continue;
            }
            track.ended = true;
            let (reason, met) =
                judgement::of(connection, track, kernel.now, &self.config, kernel.listeners.is_none())
                    .map_err(|error| format!("#{number}: {error}: {:?}", track.view))?;
            met.into_iter().for_each(|met| kernel.coverage.add(met));
            let judged = &mut kernel.connections[number].judged;
            judged.excused |= reason;
            judged.at_once = matches!(met, Some(Met::ClosedAtOnce));
            track.view = None;
        }
        Ok(())
    }

    /// Nobody is read ahead of those in the line.
    fn order<H: Handler>(
        &self,
        kernel: &Kernel,
        sessions: &Sessions<H, Socket>,
        line: &[usize],
    ) -> Result<(), String> {
        let has_read = |number: usize| kernel.connections[number].seen.reads > self.tracks[number].reads;
        // Those that have waited for the whole turn, though their socket can be read.
        let waits = |number: &&usize| line.contains(number) && !has_read(**number);
        let Some(first) = self.line.iter().position(|number| waits(&number)) else { return Ok(()) };
        for (_, view, socket) in sessions.views() {
            let number = socket.number;
            let Some(before) = self.tracks[number].view else { continue };
            let place = self.line.iter().position(|each| *each == number).unwrap_or(usize::MAX);
            let read = kernel.connections[number].read > self.tracks[number].taken_in;
            let open = before.phase == Phase::Open && before.compressed && view.phase <= Phase::Closing;
            if open && !before.holds && read && place > first {
                return Err(format!(
                    "#{number} was read before #{}, which waited: {view:?}",
                    self.line[first]
                ));
            }
        }
        Ok(())
    }

    /// The line moves: whoever holds a decompressor for long has to give it back.
    fn line_moves<H: Handler>(
        &mut self,
        kernel: &mut Kernel,
        sessions: &Sessions<H, Socket>,
        line: &[usize],
        sweeps: u32,
    ) -> Result<(), String> {
        let moved = line.first() != self.line.first();
        if moved && !self.line.is_empty() {
            kernel.coverage.add(Met::Called);
        }
        self.line_stands = if moved || line.is_empty() { 0 } else { self.line_stands + sweeps };
        let timeout = self.config.compression.as_ref().map_or(0, |config| config.message_timeout);
        // Two seconds more than the timeout, as the times are rounded, and a round of sweeps.
        let most = SWEEPS_FOR_ALL as u32 * (timeout + 3);
        let stopping = kernel.listeners.is_none();
        if self.line_stands > most && !stopping {
            let holders: Vec<usize> = sessions
                .views()
                .filter(|(_, view, _)| view.holds)
                .map(|(_, _, socket)| socket.number)
                .collect();
            return Err(format!("the line {line:?} stands for {most} sweeps, because of {holders:?}"));
        }
        Ok(())
    }

    /// Sessions that have more to do take turns: the first of each queue has had one, and nobody has overtaken another. Only in the
    /// queue for heavy messages may a session come back to a place before the first one. Perhaps it also ends in the same turn.
    fn work_moves<H: Handler>(
        &mut self,
        kernel: &Kernel,
        sessions: &Sessions<H, Socket>,
        work: [Vec<usize>; 2],
    ) -> Result<(), String> {
        let unserved = |number: &usize| {
            let of = |(_, view, socket): (usize, View, &Socket)| (socket.number == *number).then_some(view);
            let view = sessions.views().find_map(of);
            view.is_some_and(|view| !self.tracks[*number].is_served(&kernel.connections[*number], &view))
        };
        for (i, (before, after)) in self.work.iter().zip(&work).enumerate() {
            let stands = before.first().is_some_and(|first| after.first() == Some(first) && unserved(first));
            self.work_stands[i] = if stands { self.work_stands[i] + 1 } else { 0 };
            if self.work_stands[i] > [0, TURNS][i] {
                return Err(format!("#{} is the first in its queue, and has no turn", before[0]));
            }
            let unserved: Vec<_> = before.iter().filter(|number| unserved(number)).collect();
            if !after.iter().filter(|number| unserved.contains(number)).eq(unserved.iter().copied()) {
                return Err(format!("sessions with work do not keep their order: {before:?}, {after:?}"));
            }
        }
        self.work = work;
        Ok(())
    }

    /// The loop does not sleep while there is something to do, nor beyond the next sweep.
    fn loop_wakes<H: Handler>(
        &self,
        kernel: &Kernel,
        event_loop: &EventLoop<H, Socket>,
        sessions: &Sessions<H, Socket>,
        stuck: bool,
    ) -> Result<(), String> {
        let timeout = event_loop.timeout(|| kernel.now);
        let calls = !self.line.is_empty() && sessions.has_decompressor()
            || self.work.iter().any(|work| !work.is_empty());
        if (sessions.keys_again().next().is_some() || calls) && timeout != Some(Duration::ZERO) {
            return Err("the loop sleeps while a session waits for a turn".into());
        }
        let sweeps = !sessions.is_empty() || stuck;
        if sweeps && timeout.is_none_or(|timeout| timeout > SWEEP) {
            return Err(format!("the loop sleeps for {timeout:?}, and has to sweep"));
        }
        let waiting = kernel.listeners.iter().flatten().any(|each| !each.waiting.is_empty() && !each.due);
        if waiting && !stuck && timeout != Some(Duration::ZERO) {
            return Err("a connection that waits to be accepted is forgotten".into());
        }
        let ended =
            kernel.connections.iter().any(|each| each.key.is_none() && each.closed == Some(kernel.now));
        if stuck && ended && kernel.tried < kernel.now && sessions.len() < self.config.max_connections {
            return Err("a session has ended, and the server does not try to accept".into());
        }
        Ok(())
    }
}
