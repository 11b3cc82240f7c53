//! A WebSocket with a behaviour: one loop that rings timers, sends what is due, writes, reads and waits, until its end.

use super::{
    Context, LIFE,
    facts::{self, Count},
    linger,
    pipe::{Meter, Pipe},
    plan::{After, Answer, Ending, Plan},
    queue::{Item, Queue},
    seconds,
};
use framewire::{
    Assembler, CloseCode, Connection, Event, Kind, Limits, ProtocolError, Receive, ReceiveHalf, Rsv,
    SendHalf, Server, Unmasked, handshake::Request,
};
use framewire_mio::{Detached, Wait};
use std::{
    io::{self, Read},
    mem,
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// A WebSocket with a behaviour.
pub(super) struct Conversation<'a> {
    plan: &'a Plan,
    context: &'a Context<'a>,
    stream: Detached,
    /// Two halves, as what is received may be answered later.
    receiving: ReceiveHalf<Server>,
    sending: SendHalf<Server>,
    assembler: Assembler,
    buffer: Vec<u8>,
    pipe: Pipe,
    queue: Queue,
    read_meter: Option<Meter>,
    reading: Reading,
    count: Count,
    begun: Instant,
    /// The next push and ping.
    push_at: Option<Instant>,
    ping_at: Option<Instant>,
    /// When the connection ends, if its plan says so.
    end_at: Option<Instant>,
    /// It ends when no more bytes may be written.
    end_is_a_cut: bool,
    /// The end has begun: messages are not answered any more.
    ending: bool,
    /// The end comes as soon as the pipe is empty.
    due_end: Option<Ending>,
    /// When a connection that is closing is dropped.
    drop_at: Option<Instant>,
    /// The peer's last sign of life, and whether it was pinged since.
    seen: Instant,
    pinged: bool,
    told: bool,
}

/// What happens with bytes that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Frames,
    Discarded,
    /// The peer has ended its side.
    Ended,
}

/// How a conversation ends.
enum End {
    Abort,
    /// The socket is closed, after the peer has closed its own, or some time has passed.
    Linger,
    /// The socket is closed at once.
    Now,
}

/// The longest message of a client, unless the plan says otherwise.
const MAX_MESSAGE: u64 = 1 << 20;

/// Pushes wait while so many bytes wait to be written.
const PUSH_AHEAD: usize = 64 << 10;

/// How many bytes one read takes.
const READ: usize = 16 << 10;

/// The longest time of silence.
const SILENCE: Duration = Duration::from_secs(600);

impl<'a> Conversation<'a> {
    /// A conversation after its opening handshake.
    pub(super) fn new(
        plan: &'a Plan,
        mut stream: Detached,
        request: &Request<'_, '_>,
        context: &'a Context<'a>,
    ) -> Self {
        stream.set_read_timeout(Some(Duration::ZERO));
        stream.set_write_timeout(Some(Duration::ZERO));
        let now = Instant::now();
        let ours = context.config.limits;
        let message = plan.wire.max_message.unwrap_or(MAX_MESSAGE).min(ours.message);
        let most = match plan.after {
            Some(After::Bytes(most)) => most,
            _ => u64::MAX,
        };
        let end_at = match plan.after {
            Some(After::Time(time)) => Some(now + time),
            _ => None,
        };
        let limits = Limits { frame: message.min(ours.frame), message };
        let (receiving, sending) = Connection::new().with_limits(limits).split();
        let mut new = Self {
            receiving,
            sending,
            assembler: Assembler::new(message),
            buffer: vec![0; READ],
            pipe: Pipe::new(&plan.wire, most, now),
            queue: Queue::new(&plan.replies, now),
            read_meter: plan.wire.read_rate.map(|rate| Meter::new(rate, now)),
            reading: Reading::Frames,
            count: Count::new(now),
            begun: now,
            push_at: (plan.own.push > 0).then_some(now),
            ping_at: plan.own.ping.map(|every| now + every),
            end_at,
            end_is_a_cut: most < u64::MAX,
            ending: false,
            due_end: None,
            drop_at: None,
            seen: now,
            pinged: false,
            told: false,
            plan,
            context,
            stream,
        };
        if let Some(greeting) = &plan.own.greeting {
            new.send(Kind::Text, greeting.as_bytes());
        }
        if plan.own.headers {
            let facts = facts::of_request(request, new.stream.peer_addr());
            new.send(Kind::Text, facts.as_bytes());
        }
        let at_once =
            matches!(plan.after, Some(After::Messages(0))) || plan.after.is_none() && plan.own.push == 0;
        if at_once {
            new.end_behind_replies(now);
        }
        new
    }

    /// Talks until the end.
    pub(super) fn run(mut self) {
        let end = loop {
            match self.turn() {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(end)) => break end,
                Err(error) => {
                    log::debug!("a connection was lost: {error}");
                    break End::Now;
                }
            }
        };
        match end {
            End::Abort => {
                let _ = self.stream.abort();
            }
            End::Linger => {
                let time = self.drop_at.map(|at| at.saturating_duration_since(Instant::now()));
                linger(self.stream, time.unwrap_or(self.context.close_timeout));
            }
            End::Now => {}
        }
    }

    fn turn(&mut self) -> io::Result<ControlFlow<End>> {
        let now = Instant::now();
        if self.context.crew.is_stopping() {
            self.go_away("the server is stopping", now);
        } else if now >= self.begun + LIFE {
            self.go_away("a connection with a behaviour ends after an hour", now);
        }
        self.ring(now);
        self.send_due(now);
        if self.pipe.write(&mut self.stream, now)? {
            self.seen = now;
        }
        if let Some(ending) = self.reached_end() {
            if let ControlFlow::Break(end) = self.end(ending, now) {
                return Ok(ControlFlow::Break(end));
            }
            return Ok(ControlFlow::Continue(())); // its frame is written next
        }
        if self.is_idle_for_too_long(now) || self.drop_at.is_some_and(|at| now >= at) {
            return Ok(ControlFlow::Break(End::Now));
        }
        let all_sent = self.pipe.is_empty() && self.queue.is_empty();
        let is_closed = self.sending.close_expected() && self.reading != Reading::Frames;
        let nobody_talks = self.reading == Reading::Ended && self.push_at.is_none();
        if all_sent && (is_closed || nobody_talks) {
            return Ok(ControlFlow::Break(End::Linger));
        }
        if !self.read(now)? {
            self.wait(now)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    // ------------------------------------------------------------------------------------------------------ time

    /// Does what the time demands.
    fn ring(&mut self, now: Instant) {
        if self.end_at.is_some_and(|at| now >= at) {
            // What is not due yet is lost.
            self.end_at = None;
            self.queue.clear();
            self.ending = true;
            match self.plan.ending {
                Some(Ending::Close(_)) => self.due_end = self.plan.ending,
                Some(_) => {
                    self.pipe.most = self.pipe.written;
                    self.due_end = self.plan.ending;
                }
                None => {}
            }
        }
        while self.push_at.is_some_and(|at| now >= at) && self.pipe.len() < PUSH_AHEAD && !self.ending {
            self.push(now);
        }
        if let (Some(at), Some(every), false) = (self.ping_at, self.plan.own.ping, self.ending) {
            if now >= at && self.pipe.len() < PUSH_AHEAD {
                let number = (self.count.sent_pings + 1).to_string();
                self.ping(number.as_bytes());
                self.ping_at = Some((at + every).max(now));
            }
        }
        if self.pipe.is_empty() && !self.queue.is_empty() {
            self.seen = now; // it waits for us
        }
        let idle = seconds(self.context.config.idle_timeout);
        if !idle.is_zero() && !self.pinged && now >= self.seen + idle {
            self.ping(b"");
            (self.pinged, self.seen) = (true, now);
        }
    }

    fn is_idle_for_too_long(&self, now: Instant) -> bool {
        self.pinged && now >= self.seen + seconds(self.context.config.pong_timeout)
    }

    /// Sends the next of the messages that the plan says.
    fn push(&mut self, now: Instant) {
        self.count.pushed += 1;
        let own = &self.plan.own;
        let mut text = self.count.pushed.to_string().into_bytes();
        text.resize(own.push_size.max(text.len()), b' ');
        self.send(own.push_kind, &text);
        let is_last = self.count.pushed == own.push;
        self.push_at = self.push_at.filter(|_| !is_last).map(|at| (at + own.push_every).max(now));
        if is_last && self.plan.after.is_none() {
            self.end_behind_replies(now);
        }
    }

    fn ping(&mut self, payload: &[u8]) {
        if let Ok(frame) = self.sending.ping(payload, Unmasked) {
            self.pipe.buffer().extend_from_slice(&frame);
            self.count.sent_pings += 1;
        }
    }

    /// Waits until there is something to do.
    fn wait(&mut self, now: Instant) -> io::Result<()> {
        let mut until = self.drop_at.unwrap_or(self.begun + LIFE);
        let pipe = self.pipe.ready(now);
        let write = pipe.is_some_and(|at| at <= now);
        let full = self.pipe.len() >= PUSH_AHEAD;
        let read = self.may_read();
        let (meter, read) = match &self.read_meter {
            Some(meter) if read && meter.allowed(now) == 0 => (Some(meter.ready(READ)), false),
            _ => (None, read),
        };
        let idle = seconds(self.context.config.idle_timeout);
        let silence = if self.pinged { seconds(self.context.config.pong_timeout) } else { idle };
        let timers = [
            self.end_at,
            self.push_at.filter(|_| !full && !self.ending),
            self.ping_at.filter(|_| !full && !self.ending),
            self.queue.next().filter(|_| !full && self.due_end.is_none()),
            pipe.filter(|_| !write),
            meter,
            (!idle.is_zero()).then(|| self.seen + silence),
        ];
        for at in timers.into_iter().flatten() {
            until = until.min(at);
        }
        self.stream.wait(Wait { read, write }, Some(until.saturating_duration_since(now)))
    }

    // --------------------------------------------------------------------------------------------------- sending

    /// Encodes what is due.
    fn send_due(&mut self, now: Instant) {
        while self.pipe.len() < PUSH_AHEAD && self.due_end.is_none() {
            let Some(item) = self.queue.pop(now) else { return };
            match item {
                Item::Message(kind, payload) => self.send(kind, &payload),
                Item::Pong(payload) => self.pong(&payload),
                Item::CloseReply(code) => self.close(code, ""),
                Item::Fail(error) => {
                    if let Some(frame) = self.sending.fail(error, Unmasked) {
                        self.pipe.buffer().extend_from_slice(&frame);
                    }
                    self.begin_closing(now);
                }
                Item::End => self.due_end = self.plan.ending,
            }
        }
    }

    /// Encodes a message, in the fragments that the plan says.
    fn send(&mut self, kind: Kind, payload: &[u8]) {
        let size = self.plan.wire.fragment.unwrap_or(usize::MAX);
        let (mut rest, mut is_last) = (payload, false);
        while !is_last {
            let fragment;
            (fragment, rest) = rest.split_at(rest.len().min(size));
            is_last = rest.is_empty();
            let header =
                self.sending.fragment_header(kind, Rsv::NONE, fragment.len() as u64, is_last, Unmasked);
            let Ok(header) = header else { return }; // after the close
            let buffer = self.pipe.buffer();
            buffer.extend_from_slice(&header);
            buffer.extend_from_slice(fragment);
        }
        self.count.sent_messages += 1;
    }

    fn pong(&mut self, payload: &[u8]) {
        if let Ok(frame) = self.sending.pong(payload, Unmasked) {
            self.pipe.buffer().extend_from_slice(&frame);
            self.count.sent_pongs += 1;
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        if let Ok(frame) = self.sending.close(code, reason, Unmasked) {
            self.pipe.buffer().extend_from_slice(&frame);
            self.begin_closing(Instant::now());
        }
    }

    /// From now on, the close timeout runs.
    fn begin_closing(&mut self, now: Instant) {
        self.ending = true;
        self.drop_at.get_or_insert(now + self.context.close_timeout);
    }

    /// Ends the connection as the server's loop would, in place of what the plan says.
    fn go_away(&mut self, reason: &str, now: Instant) {
        if mem::replace(&mut self.told, true) {
            return;
        }
        self.queue.clear();
        (self.due_end, self.end_at) = (None, None);
        self.close(CloseCode::GOING_AWAY, reason);
        self.begin_closing(now);
    }

    // --------------------------------------------------------------------------------------------------- the end

    /// Lets the end that the plan says come after the replies that wait.
    fn end_behind_replies(&mut self, now: Instant) {
        if self.plan.ending.is_some() && !mem::replace(&mut self.ending, true) {
            self.queue.push_behind(Item::End, now);
        }
    }

    /// The end, if all that comes before it is written.
    fn reached_end(&mut self) -> Option<Ending> {
        if self.told {
            return None;
        }
        if self.pipe.is_cut() && mem::take(&mut self.end_is_a_cut) {
            self.due_end = self.plan.ending;
        }
        self.due_end.take_if(|ending| {
            matches!(ending, Ending::Close(_)) || self.pipe.is_empty() || self.pipe.is_cut()
        })
    }

    fn end(&mut self, ending: Ending, now: Instant) -> ControlFlow<End> {
        self.ending = true;
        (self.push_at, self.ping_at) = (None, None);
        match ending {
            Ending::Close(code) => {
                if self.plan.own.stats {
                    let stats = self.count.json(self.pipe.written);
                    self.send(Kind::Text, stats.as_bytes());
                }
                let plan = self.plan;
                self.close(code, &plan.reason);
                ControlFlow::Continue(())
            }
            Ending::Abort => ControlFlow::Break(End::Abort),
            Ending::Drop => ControlFlow::Break(End::Linger),
            Ending::HalfClose => {
                let _ = self.stream.shutdown_write();
                self.outlast(true, now);
                ControlFlow::Break(End::Now)
            }
            Ending::Silence => {
                self.outlast(false, now);
                ControlFlow::Break(End::Now)
            }
        }
    }

    /// Keeps the connection, and perhaps reads it, until the peer closes its side, the server stops, or its time is over. If it
    /// is not read, it is not told that the peer has closed, if bytes lie before that.
    fn outlast(&mut self, read: bool, now: Instant) {
        let until = if read { self.begun + LIFE } else { now + SILENCE };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.context.crew.is_stopping() {
                return;
            }
            if read {
                match self.stream.read(&mut self.buffer) {
                    Ok(1..) => continue,
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    _ => return,
                }
            } else if self.stream.peer_has_closed() {
                return;
            }
            if self.stream.wait(Wait { read, write: false }, Some(left)).is_err() {
                return;
            }
        }
    }

    // --------------------------------------------------------------------------------------------------- reading

    /// Whether there is room for the answers to more messages.
    fn may_read(&self) -> bool {
        self.reading != Reading::Ended
            && (self.reading == Reading::Discarded
                || self.queue.bytes() + self.pipe.len() < self.context.config.high_water.max(1))
    }

    /// Reads once, and returns whether anything came: bytes, or the end.
    fn read(&mut self, now: Instant) -> io::Result<bool> {
        let allowed = self.read_meter.as_ref().map_or(READ, |meter| meter.allowed(now).min(READ));
        if allowed == 0 || !self.may_read() {
            return Ok(false);
        }
        let mut buffer = mem::take(&mut self.buffer);
        let read = self.stream.read(&mut buffer[..allowed]);
        if let Ok(n) = read {
            self.received(&mut buffer[..n], now);
        }
        self.buffer = buffer;
        match read {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn received(&mut self, mut input: &mut [u8], now: Instant) {
        if let Some(meter) = &mut self.read_meter {
            meter.take(input.len(), now);
        }
        if input.is_empty() {
            if self.reading == Reading::Frames && self.receiving.receive_eof().is_err() {
                log::debug!("a peer closed its socket without a close frame");
            }
            self.reading = Reading::Ended;
            return;
        }
        (self.seen, self.pinged) = (now, false);
        if self.reading == Reading::Discarded {
            return;
        }
        self.count.bytes += input.len() as u64;
        loop {
            match self.receiving.receive(&mut input) {
                Ok(Some(event)) => {
                    if let Err(error) = self.event(event, now) {
                        return self.fail(error, now);
                    }
                }
                Ok(None) => return,
                Err(error) => return self.fail(error, now),
            }
        }
    }

    fn event(&mut self, event: Event<'_>, now: Instant) -> Result<(), ProtocolError> {
        match event {
            Event::Text(text) => self.message(Kind::Text, text.as_bytes().to_vec(), now),
            Event::Binary(bytes) => self.message(Kind::Binary, bytes.to_vec(), now),
            Event::Part(part) => {
                if let Some(message) = self.assembler.push(part)? {
                    let (kind, payload) = (message.kind, message.into_vec());
                    self.message(kind, payload, now);
                }
            }
            Event::Ping(payload) => {
                self.count.pings += 1;
                match self.plan.pong {
                    Answer::AtOnce => self.pong(&payload),
                    Answer::Late(time) => self.queue.push_apart(payload.to_vec(), now + time),
                    Answer::Never => {}
                }
            }
            Event::Pong(_) => self.count.pongs += 1,
            Event::Close(payload) => {
                self.reading = Reading::Discarded;
                self.push_at = None;
                if self.sending.close_expected() {
                    return Ok(()); // it answers ours
                }
                let code = payload.as_close().code;
                match self.plan.close_reply {
                    Answer::AtOnce => self.queue.push_behind(Item::CloseReply(code), now),
                    Answer::Late(time) => self.queue.push_behind(Item::CloseReply(code), now + time),
                    Answer::Never => {}
                }
            }
        }
        Ok(())
    }

    fn message(&mut self, kind: Kind, payload: Vec<u8>, now: Instant) {
        self.count.messages += 1;
        if self.ending {
            return;
        }
        if self.plan.own.stats && kind == Kind::Text && payload == b"stats" {
            let stats = self.count.json(self.pipe.written).into_bytes();
            self.queue.reply(Kind::Text, stats, now);
        } else if !self.plan.replies.none {
            self.queue.reply(kind, payload, now);
        }
        if matches!(self.plan.after, Some(After::Messages(most)) if self.count.messages >= most) {
            self.end_behind_replies(now);
        }
    }

    /// The peer has broken the protocol: what it sent before is still answered.
    fn fail(&mut self, error: ProtocolError, now: Instant) {
        log::debug!("a peer broke the protocol: {error}");
        self.reading = Reading::Discarded;
        self.ending = true;
        self.queue.push_behind(Item::Fail(error), now);
    }
}
