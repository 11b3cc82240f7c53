//! A session's phases: the opening handshake, timeouts, the closing handshake, and the end.

use super::{COMPRESSED, NOT_OPEN, Next, Phase, Queue, Session, recorded::responded};
use crate::{
    compression::{Compression, Rest},
    config::Config,
    handler::{Handler, Taken},
    handshake,
    records::End,
    reply::push_behind,
    shared::Shared,
    stats::Fault,
    transport::Transport,
};
use framewire::outbox::{Memory, Outbox};
use framewire::{Assembler, CloseCode, Connection, ProtocolError, Rsv, State, Unmasked};
use std::{io, mem};

impl<T: Transport> Session<T> {
    /// Checks the timeouts. Called about once a second.
    pub(crate) fn sweep(&mut self, shared: &mut Shared<impl Handler>) -> Next {
        if self.phase > Phase::Open {
            match self.retry_backlog(shared) {
                Next::Wait => {}
                next => return next,
            }
        }
        if self.phase == Phase::Open && self.is_paused() {
            // An event comes only when much of the kernel's buffer is free: a slow peer may seem silent before.
            match self.write_backlog(shared) {
                Ok(true) => return self.again_after(Next::Wait),
                Ok(false) => {}
                Err(error) => return self.lost(&error, shared),
            }
        }
        let Config {
            tls_handshake_timeout,
            handshake_timeout,
            idle_timeout,
            pong_timeout,
            close_timeout,
            ..
        } = *shared.config;
        // Both times are rounded down, so the last second may not be over yet.
        let silent = shared.now.saturating_sub(self.seen).saturating_sub(1);
        match self.phase {
            Phase::Closing if self.has_replies() => {
                self.seen = shared.now; // the peer's time begins when they are sent
                Next::Wait
            }
            Phase::Securing if silent >= tls_handshake_timeout => {
                log::debug!("the handshake of TLS takes too long");
                self.fault(Fault::Tls, shared);
                Next::Drop
            }
            Phase::Handshake if silent >= handshake_timeout => {
                self.fault(Fault::HandshakeTimeout, shared);
                self.say(shared, |session, outbox, shared| {
                    let response = handshake::too_slow();
                    outbox.push(&response);
                    if let Some(place) = session.record {
                        responded(place, None, &response, false, shared);
                    }
                    session.drain(shared);
                })
            }
            Phase::Open | Phase::Closing if self.keeps_others_waiting(shared) => {
                log::debug!("a compressed message takes too long while others wait");
                self.fault(Fault::MessageTimeout, shared);
                if self.phase == Phase::Open {
                    self.closes(CloseCode::POLICY, shared);
                }
                let waited = self.queue != Queue::None;
                let next = self.say(shared, |session, outbox, shared| {
                    let close = session.connection.close(
                        CloseCode::POLICY,
                        "a compressed message takes too long",
                        Unmasked,
                    );
                    close.iter().for_each(|frame| outbox.push(frame));
                    session.drain(shared);
                });
                // No event will report what has arrived meanwhile.
                if waited { self.again_after(next) } else { next }
            }
            Phase::Open if matches!(self.queue, Queue::Working | Queue::Heavy | Queue::Line) => {
                self.alive(shared); // it is not read, so it only seems silent
                Next::Wait
            }
            Phase::Closing if self.queue == Queue::Line => Next::Wait, // its close may have arrived
            Phase::Closing | Phase::Draining | Phase::Shut | Phase::Ended if silent >= close_timeout => {
                self.fault(Fault::CloseTimeout, shared);
                Next::Drop
            }
            Phase::Open if self.pinged && silent >= pong_timeout => {
                log::debug!("a peer does not answer a ping");
                self.fault(Fault::PongTimeout, shared);
                Next::Drop
            }
            Phase::Open if !self.pinged && silent >= idle_timeout && idle_timeout != 0 => {
                (self.pinged, self.asked) = (true, true);
                self.seen = shared.now;
                self.say(shared, |session, outbox, _| {
                    session.connection.ping(b"", Unmasked).iter().for_each(|frame| outbox.push(frame));
                })
            }
            _ => Next::Wait,
        }
    }

    pub(super) fn has_replies(&self) -> bool {
        self.compression.as_ref().is_some_and(|compression| compression.has_replies())
    }

    /// Whether the session has held a decompressor for too long while others wait for one.
    fn keeps_others_waiting(&self, shared: &Shared<impl Handler>) -> bool {
        match (&self.compression, &shared.compression, &shared.config.compression) {
            (Some(compression), Some(pools), Some(config)) => {
                !pools.line.is_empty() && compression.held_for(shared.now) >= config.message_timeout
            }
            _ => false,
        }
    }

    /// Tells the peer that the server stops.
    pub(crate) fn go_away(&mut self, shared: &mut Shared<impl Handler>) -> Next {
        match self.phase {
            Phase::Securing | Phase::Handshake => Next::Drop,
            Phase::Open => self.say(shared, |session, outbox, shared| {
                let close =
                    session.connection.close(CloseCode::GOING_AWAY, "the server is stopping", Unmasked);
                close.iter().for_each(|frame| push_behind(&mut session.compression, outbox, frame));
                session.closes(CloseCode::GOING_AWAY, shared);
                session.close(shared);
            }),
            _ => Next::Wait,
        }
    }

    /// Handles received bytes of the request. If the peer did not wait for the response, its frames follow in the same read.
    #[cold]
    pub(super) fn handshake<'b>(
        &mut self,
        input: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) {
        self.check_secured(shared);
        let config = shared.config.clone();
        let agreement = match (&config.compression, &shared.compression) {
            (Some(config), Some(pools)) => pools.agreement(config),
            _ => None,
        };
        let head = &mut shared.busy(&mut self.busy).head;
        let (answer, consumed) = match head.push(input) {
            Ok(None) => return,
            Ok(Some(head)) => {
                let answer = handshake::answer(&config, &mut shared.handler, head.bytes, agreement.as_ref());
                if let Some(place) = self.record {
                    responded(place, Some(head.bytes), &answer.bytes, answer.open, shared);
                }
                (answer, head.consumed)
            }
            Err(error) => {
                let answer = handshake::Answer::refuse(error);
                if let Some(place) = self.record {
                    responded(place, None, &answer.bytes, false, shared);
                }
                (answer, 0)
            }
        };
        if let Some(taken) = answer.taken {
            shared.taken = Some(Taken { peer: self.peer(shared), rest: input[consumed..].to_vec(), ..taken });
            self.phase = Phase::Taken;
            self.ends(End::TakenOver, shared);
            return;
        }
        outbox.push(&answer.bytes);
        if answer.open {
            shared.stats.opened.add(1);
            self.connection = Connection::new().with_limits(config.limits);
            self.phase = Phase::Open;
            self.aside &= !NOT_OPEN;
            if let (Some(params), Some(pools)) = (answer.deflate, &shared.compression) {
                // Not refused: a context between messages was negotiated only if a window is left for it.
                self.compression = Compression::new(&params, pools).ok().map(Box::new);
                self.aside |= COMPRESSED;
                self.connection = mem::take(&mut self.connection).with_extension_bits(Rsv::RSV1);
            }
            let frames = &mut input[consumed..];
            shared.stats.bytes.add(frames.len() as u64);
            match &mut self.compression {
                Some(compression) if !frames.is_empty() => {
                    compression.keep_rest(Rest::new(frames), frames.len())
                }
                _ => self.more_frames(frames, outbox, shared),
            }
        } else {
            if answer.error {
                self.fault(Fault::Refused, shared);
            } else {
                shared.stats.requests.add(1);
                self.ends(End::Responded, shared);
            }
            self.drain(shared);
        }
    }

    /// Goes on to the request once the handshake of TLS is over.
    #[cold]
    fn check_secured(&mut self, shared: &Shared<impl Handler>) {
        if self.phase == Phase::Securing && !self.socket.is_securing() {
            self.phase = Phase::Handshake;
            self.seen = shared.now;
            shared.stats.tls_handshakes.add(1);
        }
    }

    /// Ends a connection because its peer broke the protocol.
    #[cold]
    pub(super) fn fail(
        &mut self,
        error: ProtocolError,
        outbox: &mut Outbox<'_>,
        shared: &mut Shared<impl Handler>,
    ) {
        log::debug!("a peer broke the protocol: {error}");
        self.fault(Fault::Protocol, shared);
        self.closes(error.close_code(), shared);
        if let Some(frame) = self.connection.fail(error, Unmasked) {
            outbox.push(&frame);
        }
    }

    /// Called after a close was sent, ours or the reply to the peer's. Waits for the peer's if it has not come.
    #[cold]
    pub(super) fn close(&mut self, shared: &mut Shared<impl Handler>) {
        if self.connection.state() == State::Closed {
            self.ends(End::Closed, shared);
            self.drain(shared);
        } else if self.phase == Phase::Open {
            self.phase = Phase::Closing;
            self.seen = shared.now;
        }
    }

    /// Stops reading frames: only the backlog is still written. The server then waits for the peer to close the socket, within
    /// the close timeout: if it closed first, the kernel could discard bytes that the peer has not read (RFC 6455 §7.1.1). It
    /// closes first only if the peer can send nothing more.
    #[cold]
    pub(super) fn drain(&mut self, shared: &mut Shared<impl Handler>) {
        if self.phase < Phase::Draining {
            self.phase = Phase::Draining;
            self.aside |= NOT_OPEN;
            self.seen = shared.now;
            self.leave_queue(shared);
            self.compression = None;
            // Its message will never be whole. A session with such memory writes in the way that tells the kernel of the end.
            shared.busy(&mut self.busy).assembler = Assembler::new(0);
        }
    }

    /// Called when the peer has closed its side. The backlog is still written, because the peer may still read.
    #[cold]
    pub(super) fn end(&mut self, shared: &mut Shared<impl Handler>) {
        self.check_secured(shared);
        if self.is_open() && self.connection.receive_eof().is_err() {
            log::debug!("a peer closed its socket without a close frame");
            shared.stats.closes.add(CloseCode::ABNORMAL);
        }
        self.ends(End::Left, shared);
        self.drain(shared);
        self.phase = Phase::Ended;
        self.aside |= NOT_OPEN;
    }

    #[cold]
    pub(super) fn lost(&mut self, error: &io::Error, shared: &mut Shared<impl Handler>) -> Next {
        if self.is_open() {
            shared.stats.closes.add(CloseCode::ABNORMAL);
        }
        self.fault(if self.phase == Phase::Securing { Fault::Tls } else { Fault::Lost }, shared);
        if error.kind() != io::ErrorKind::InvalidData {
            log::debug!("a connection was lost: {error}");
            return Next::Drop;
        }
        log::debug!("a peer broke the protocol of TLS: {error}");
        self.set_paused(false, shared);
        self.drain(shared);
        self.busy = None; // nothing can be written but the alert
        let next = self.settle(Next::Wait, shared);
        self.again_after(next) // no event will report what has arrived
    }

    /// Sends frames outside a read. `what` queues them.
    #[cold]
    fn say<H: Handler>(
        &mut self,
        shared: &mut Shared<H>,
        what: impl FnOnce(&mut Self, &mut Outbox<'_>, &mut Shared<H>),
    ) -> Next {
        let mut memory = Memory::default();
        let mut outbox = Outbox::new(&mut memory);
        let written = self.recorded(shared, |session, shared| {
            what(session, &mut outbox, shared);
            session.write(outbox, shared)
        });
        match written {
            Ok(()) => self.settle(Next::Wait, shared),
            Err(error) => self.lost(&error, shared),
        }
    }

    #[inline]
    pub(super) fn alive(&mut self, shared: &Shared<impl Handler>) {
        self.seen = shared.now;
        self.pinged = false;
    }

    /// Ends a turn: gives back memory that is not needed any more, and closes our side when the backlog is written. `more` is what
    /// the session asks for otherwise.
    #[inline]
    pub(super) fn settle(&mut self, more: Next, shared: &mut Shared<impl Handler>) -> Next {
        if self.busy.is_none() && self.phase == Phase::Open {
            return Next::Wait;
        }
        self.settle_slowly(more, shared)
    }

    fn settle_slowly(&mut self, more: Next, shared: &mut Shared<impl Handler>) -> Next {
        if self.phase == Phase::Taken {
            return Next::HandOver;
        }
        if let Some(busy) = self.busy.take_if(|busy| self.phase > Phase::Handshake && busy.is_idle()) {
            shared.pool.put_busy(busy, shared.config.head_limits);
        }
        let queued = self.busy.as_ref().is_some_and(|busy| !busy.backlog.is_empty());
        let clean = mem::take(&mut self.clean) && more == Next::Wait && self.socket.may_close_at_once();
        match self.phase {
            Phase::Draining if !queued => {
                self.phase = Phase::Shut;
                // Also before a drop: a socket that is closed with unread bytes is reset, and what `write_last` holds back is lost.
                let shut = self.socket.shutdown_write();
                if shut.is_ok() && !clean { Next::Wait } else { Next::Drop }
            }
            Phase::Ended if !queued => {
                self.socket.end();
                Next::Drop
            }
            Phase::Securing => {
                self.check_secured(shared);
                Next::Wait
            }
            _ => Next::Wait,
        }
    }
}
