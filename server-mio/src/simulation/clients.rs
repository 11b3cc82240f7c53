//! The peers: each follows its script, and checks what it gets.

use super::{
    connection::Taken,
    coverage::Met,
    kernel::Kernel,
    script::{Deed, Opening, Script, Step},
};
use crate::config::Config;
use framewire::{
    Assembler, Client as ClientRole, Connection, Event, Kind, Limits, Rsv,
    deflate::{DeflatePool, Deflater, InflatePool, Inflater},
    extension::{DeflateOffer, DeflateParams},
    handshake::{ClientHandshake, ClientKey, HeaderSlots, Response},
    mask::Key,
};
use framewire_testing::wire::{self, BINARY, CLOSE, CONTINUATION, KEY, MORE, PING, PONG, RSV1, TEXT};
use std::{collections::VecDeque, fmt, mem, time::Duration};

/// A peer.
pub(super) struct Client {
    /// The number of its connection.
    pub(super) number: usize,
    pub(super) script: Script,
    honest: bool,
    state: State,
    /// Bytes that are not sent yet.
    out: VecDeque<u8>,
    /// How many bytes are sent.
    sent: u64,
    next_send: Duration,
    next_take: Duration,
    /// Bytes of the head of the response.
    head: Vec<u8>,
    /// What the server has to send, in order.
    expected: VecDeque<Expected>,
    connection: Connection<ClientRole>,
    assembler: Assembler,
    compression: Option<(Deflater<ClientRole>, Inflater<ClientRole>)>,
    /// It has sent a close or something wrong, or closed its side.
    closed: bool,
    /// It has sent something wrong, or closed its side: it answers no pings.
    rude: bool,
    /// It has sent something after its close.
    noisy: bool,
    /// The server has sent a close.
    told: bool,
    /// That was the answer to its own.
    answered: bool,
    mute: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for the head of the response.
    Opening,
    Open,
    /// The response was not a 101: it waits for the end.
    Answered,
    /// It has got everything that it expects, and the end.
    Done,
    /// It does nothing any more.
    Over,
}

/// Something that the server has to send: not before the peer has sent `after` bytes, and at the latest for `all` of them.
struct Expected {
    after: u64,
    all: u64,
    what: What,
}

enum What {
    Message(Kind, Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, Option<Met>),
}

/// What all clients share.
pub(super) struct Pools {
    pub(super) deflate: DeflatePool,
    pub(super) inflate: InflatePool,
}

/// The key of compressed frames, which are put together by hand: it changes nothing.
const ZERO: [u8; 4] = [0; 4];

const OFFER: [DeflateOffer; 1] = [DeflateOffer {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: Some(15),
}];

impl Client {
    pub(super) fn new(number: usize, script: Script) -> Self {
        let head = match &script.opening {
            Opening::Upgrade { deflate, .. } => handshake(*deflate).to_vec().expect("it is valid"),
            Opening::Other(bytes, _) => bytes.clone(),
        };
        Self {
            number,
            honest: script.is_honest(),
            script,
            state: State::Opening,
            out: head.into(),
            sent: 0,
            next_send: Duration::ZERO,
            next_take: Duration::ZERO,
            head: Vec::new(),
            expected: VecDeque::new(),
            connection: Connection::new().with_limits(Limits::NONE),
            assembler: Assembler::new(u64::MAX),
            compression: None,
            closed: false,
            rude: false,
            noisy: false,
            told: false,
            answered: false,
            mute: false,
        }
    }

    /// Whether the server owes it nothing any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Over)
    }

    /// When it wants to act next, if its script says so.
    pub(super) fn wakes(&self) -> Option<Duration> {
        (!self.is_over()).then(|| self.next_send.min(self.next_take))
    }

    /// From now on, it does everything as soon as it can.
    pub(super) fn hurry(&mut self) {
        let script = &mut self.script;
        script.deaf = false;
        for pace in [&mut script.sending, &mut script.taking] {
            (pace.most, pace.gap) = (usize::MAX, Duration::ZERO);
        }
        (self.next_send, self.next_take) = (Duration::ZERO, Duration::ZERO);
        // A client that would stay closes.
        let ends = |step: &Step| matches!(step, Step::Close(_) | Step::Finish | Step::Wrong { .. });
        if !script.steps.iter().any(ends) && !self.closed {
            script.steps.push_back(Step::Close(1000));
        }
    }

    /// Closes its socket if it does not send any more.
    pub(super) fn leave_if_quiet(&mut self, kernel: &mut Kernel) {
        if self.mute || self.state == State::Over {
            kernel.leave(self.number);
            self.state = State::Over;
        }
    }

    /// Takes and sends what it can and wants to.
    pub(super) fn act(
        &mut self,
        kernel: &mut Kernel,
        pools: &mut Pools,
        config: &Config,
    ) -> Result<(), String> {
        if self.is_over() {
            return Ok(());
        }
        let deaf = self.script.deaf && self.state == State::Open;
        if !deaf && kernel.now >= self.next_take {
            self.next_take = kernel.now + self.script.taking.gap;
            self.take(kernel, pools, config)?;
        }
        if !self.is_over() && !self.mute && kernel.now >= self.next_send {
            self.next_send = kernel.now + self.script.sending.gap;
            self.send(kernel, pools);
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------------- sending

    fn send(&mut self, kernel: &mut Kernel, pools: &mut Pools) {
        let most = self.script.sending.most;
        let early = matches!(self.script.opening, Opening::Upgrade { early: true, .. });
        while (self.state == State::Open || early && self.state == State::Opening)
            && self.out.len() < most.min(20_000)
        {
            let Some(step) = self.script.steps.pop_front() else { break };
            let waits = matches!(step, Step::Finish | Step::Noise { apart: true, .. });
            if waits && !self.out.is_empty() {
                self.script.steps.push_front(step);
                break;
            }
            self.begin(step, kernel, pools);
        }
        let deed =
            self.script.deeds.front().map_or(usize::MAX, |(at, _)| at.saturating_sub(self.sent) as usize);
        let n = self.out.len().min(most).min(deed);
        let n = kernel.send(self.number, &self.out.make_contiguous()[..n]);
        self.out.drain(..n);
        self.sent += n as u64;
        // It also comes to its deed if it has nothing more to send.
        let idle = self.out.is_empty() && self.script.steps.is_empty() && self.state != State::Opening;
        if n == deed || idle && deed < usize::MAX {
            self.do_deed(kernel);
        }
    }

    fn do_deed(&mut self, kernel: &mut Kernel) {
        let Some((_, deed)) = self.script.deeds.pop_front() else { return };
        kernel.note(|| format!("    #{} {deed:?}", self.number));
        match deed {
            Deed::Stall(time) => self.next_send = kernel.now + time,
            Deed::Finish => {
                kernel.finish(self.number);
                self.mute = true;
            }
            Deed::Leave => {
                kernel.leave(self.number);
                self.state = State::Over;
            }
            Deed::Reset => {
                kernel.reset(self.number);
                self.state = State::Over;
            }
            Deed::Silence => self.state = State::Over,
            Deed::Mute => self.mute = true,
        }
    }

    /// Puts a step's bytes behind those that are not sent yet, and notes what the server has to send for them.
    fn begin(&mut self, step: Step, kernel: &mut Kernel, pools: &mut Pools) {
        match step {
            Step::Message { kind, payload, frames, ping } => {
                self.message(kind, &payload, frames, ping, kernel, pools);
                self.expect(What::Message(kind, payload));
            }
            Step::Ping(payload) => {
                self.frame(PING, &payload);
                self.expect(What::Pong(payload));
            }
            Step::Pong => self.frame(PONG, b"unasked"),
            Step::Wrong { bytes, mut code, mut met } => {
                if matches!(met, Met::BadDeflate) && self.compression.is_none() {
                    (code, met) = (1002, Met::ProtocolError); // compression was not negotiated
                }
                // The first of these bytes may be wrong.
                let after = self.queued() + 1;
                self.out.extend(bytes);
                let what = What::Close(code, Some(met));
                self.expected.push_back(Expected { after, all: self.queued(), what });
                (self.closed, self.rude) = (true, true);
            }
            Step::Close(code) => {
                self.frame(CLOSE, &wire::closing(code, "bye"));
                self.expect(What::Close(code, None));
                self.closed = true;
                kernel.connections[self.number].close = Some(self.queued());
            }
            Step::Noise { bytes, .. } => {
                self.noisy |= !bytes.is_empty();
                self.rude |= self.noisy; // a pong could be a part of it
                self.out.extend(bytes);
            }
            Step::Finish => {
                kernel.finish(self.number);
                (self.closed, self.rude) = (true, true);
            }
        }
    }

    fn message(
        &mut self,
        kind: Kind,
        payload: &[u8],
        frames: usize,
        ping: bool,
        kernel: &mut Kernel,
        pools: &mut Pools,
    ) {
        let begin = self.queued();
        let mut first = if kind == Kind::Text { TEXT } else { BINARY };
        let mut squeezed = None;
        if let Some((deflater, _)) = &mut self.compression {
            if let Ok(out) =
                deflater.message(&mut self.connection, kind, payload, &mut pools.deflate, Key::new(ZERO))
            {
                first = out.header()[0];
                squeezed = Some(out.payload().to_vec());
            }
        }
        let payload = squeezed.as_deref().unwrap_or(payload);
        let size = payload.len().div_ceil(frames).max(1);
        let mut pieces: Vec<&[u8]> = payload.chunks(size).collect();
        if pieces.is_empty() {
            pieces.push(&[]);
        }
        let last = pieces.len() - 1;
        for (i, piece) in pieces.into_iter().enumerate() {
            let opcode = if i == 0 { first } else { CONTINUATION };
            self.frame(if i == last { opcode } else { opcode & MORE }, piece);
            if ping && i < last {
                self.frame(PING, &[i as u8]);
                self.expect(What::Pong(vec![i as u8]));
            }
        }
        if first & RSV1 != 0 {
            let end = self.queued();
            kernel.connections[self.number].compressed.push_back((begin, end));
        }
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        self.out.extend(wire::frame(first, Some(KEY), payload));
    }

    fn expect(&mut self, what: What) {
        let all = self.queued();
        self.expected.push_back(Expected { after: all, all, what });
    }

    /// The bytes that are sent, and those that are not sent yet.
    fn queued(&self) -> u64 {
        self.sent + self.out.len() as u64
    }

    // -------------------------------------------------------------------------------------------------------- taking

    fn take(&mut self, kernel: &mut Kernel, pools: &mut Pools, config: &Config) -> Result<(), String> {
        match kernel.take(self.number, self.script.taking.most) {
            Taken::Nothing => Ok(()),
            Taken::Bytes(bytes) if self.answered => {
                Err(format!("the server sent {} bytes after its answer to a close", bytes.len()))
            }
            // After its own close, the server still answers pings, until it gets the peer's close (RFC 6455 §5.5.2).
            Taken::Bytes(_) if self.told => Ok(()),
            Taken::Bytes(bytes) => self.receive(bytes, kernel, pools, config),
            Taken::End => self.end(kernel, false),
            Taken::Reset => self.end(kernel, true),
        }
    }

    fn end(&mut self, kernel: &mut Kernel, reset: bool) -> Result<(), String> {
        let connection = &kernel.connections[self.number];
        // Not bytes that the server may not have got.
        let missing = self.expected.iter().filter(|expected| expected.all <= self.sent).count();
        // The kernel's answer to noise is a reset, if the server could not know that noise would come. The peer still gets what its
        // own kernel has got.
        let noise =
            reset && self.noisy && connection.judged.at_once && (missing == 0 || connection.overtaken);
        let excused = connection.judged.excused || connection.seen.error || connection.judged.policy || noise;
        let answered = self.state != State::Opening || connection.finished;
        if !excused && (missing > 0 || !answered || reset) {
            let how = if reset { "a reset" } else { "the end" };
            return Err(format!("the peer got {how} before {missing} items, without a reason"));
        }
        if self.state == State::Open && connection.finished && !reset && !self.told && self.honest {
            kernel.coverage.add(Met::HalfClosedServed);
        }
        if noise {
            kernel.coverage.add(if connection.overtaken {
                Met::ClosedAtOnceBeforeNoise
            } else {
                Met::ClosedOnNoise
            });
        }
        kernel.leave(self.number);
        self.state = State::Done;
        Ok(())
    }

    fn receive(
        &mut self,
        mut bytes: Vec<u8>,
        kernel: &mut Kernel,
        pools: &mut Pools,
        config: &Config,
    ) -> Result<(), String> {
        if self.state == State::Opening {
            self.head.append(&mut bytes);
            let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(()) };
            bytes = self.head.split_off(end + 4);
            self.open(kernel, pools, config)?;
            self.head.clear();
        }
        if self.state == State::Answered {
            return Ok(());
        }
        let mut input = &mut bytes[..];
        while let Some(event) =
            self.connection.receive(&mut input).map_err(|error| format!("the server's frames: {error}"))?
        {
            match event {
                Event::Text(text) => {
                    message(&mut self.expected, self.sent, Kind::Text, text.as_bytes(), kernel)?;
                }
                Event::Binary(bytes) => {
                    message(&mut self.expected, self.sent, Kind::Binary, bytes, kernel)?;
                }
                Event::Part(part) if part.rsv == Rsv::RSV1 => {
                    let Some((_, inflater)) = &mut self.compression else { return Err("compressed".into()) };
                    let mut ready =
                        inflater.ready(&mut pools.inflate).ok_or("the simulation has no decompressor")?;
                    let mut parts = ready.feed(part);
                    while let Some(part) =
                        parts.next_part().map_err(|error| format!("the server's deflate stream: {error}"))?
                    {
                        if let Some(whole) = self.assembler.push(part).map_err(|error| error.to_string())? {
                            kernel.coverage.add(Met::CompressedEcho);
                            message(&mut self.expected, self.sent, whole.kind, whole.bytes(), kernel)?;
                        }
                    }
                }
                Event::Part(part) => {
                    if let Some(whole) = self.assembler.push(part).map_err(|error| error.to_string())? {
                        message(&mut self.expected, self.sent, whole.kind, whole.bytes(), kernel)?;
                    }
                }
                // Also after its own close, until it gets the server's (RFC 6455 §5.5.2).
                Event::Ping(payload) if !self.rude && !self.told => {
                    if self.closed {
                        kernel.coverage.add(Met::PongAfterClose);
                    }
                    self.out.extend(wire::frame(PONG, Some(KEY), &payload));
                }
                Event::Ping(_) => {}
                Event::Pong(payload) => match self.expected.pop_front() {
                    Some(Expected { after, what: What::Pong(asked), .. })
                        if asked == *payload && after <= self.sent =>
                    {
                        kernel.coverage.add(Met::Pong);
                    }
                    other => return Err(unexpected("a pong", other.as_ref())),
                },
                Event::Close(payload) => {
                    let code = payload.as_close().code.get();
                    self.told(code, kernel)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the head of the response.
    fn open(&mut self, kernel: &mut Kernel, pools: &Pools, config: &Config) -> Result<(), String> {
        let status =
            self.head.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok()).unwrap_or(0);
        let expected = match &self.script.opening {
            Opening::Upgrade { .. } => 101,
            Opening::Other(_, status) => *status,
        };
        if status == 408 {
            let registered = kernel.connections[self.number].registered;
            if kernel.now - registered < Duration::from_secs(config.handshake_timeout.into()) {
                return Err("the peer was told that its request takes too long".into());
            }
            kernel.coverage.add(Met::TimeoutOfHandshake);
        } else if status != expected {
            return Err(format!("the status is {status}, not {expected}"));
        }
        if status != 101 {
            kernel.coverage.add(Met::Response);
            self.state = State::Answered;
            self.expected.clear();
            return Ok(());
        }
        self.state = State::Open;
        let offers = handshake(matches!(self.script.opening, Opening::Upgrade { deflate: true, .. }));
        let mut slots = HeaderSlots::new();
        let response = Response::parse(&self.head, &mut slots).map_err(|error| error.to_string())?;
        let negotiated = offers.check(&response).map_err(|error| error.to_string())?;
        let params: Option<DeflateParams> = negotiated.ok_or("no 101")?.deflate;
        if let Some(params) = params {
            let inflater =
                Inflater::new(&params, &pools.inflate).map_err(|_| "the simulation has no window")?;
            self.compression = Some((Deflater::new(&params), inflater));
            self.connection = mem::take(&mut self.connection).with_extension_bits(Rsv::RSV1);
        }
        Ok(())
    }

    /// The server has sent a close.
    fn told(&mut self, code: u16, kernel: &mut Kernel) -> Result<(), String> {
        self.told = true;
        let judged = kernel.connections[self.number].judged;
        match self.expected.front() {
            Some(Expected { after, what: What::Close(expected, met), .. })
                if *expected == code && *after <= self.sent =>
            {
                kernel.coverage.add(met.unwrap_or(Met::CloseAnswered));
                self.answered = true;
            }
            _ if code == 1008 && judged.policy => kernel.coverage.add(Met::TimeoutOfMessage),
            _ if code == 1001 && kernel.listeners.is_none() => kernel.coverage.add(Met::Stopped),
            other => return Err(unexpected(&format!("close {code}"), other)),
        }
        self.expected.clear();
        if !self.closed && !self.mute {
            // The frame that is being sent must end first.
            self.frame(CLOSE, &wire::closing(code, ""));
            self.script.steps.clear();
            self.closed = true;
            kernel.connections[self.number].close = Some(self.queued());
        }
        Ok(())
    }
}

/// Its number, its script and its state.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, script, state, sent, out, expected, .. } = self;
        let (unsent, missing) = (out.len(), expected.len());
        write!(
            f,
            "#{number} ({}): {state:?}, {sent} bytes sent, {unsent} unsent, {missing} items missing",
            script.name
        )
    }
}

fn handshake(deflate: bool) -> ClientHandshake<'static> {
    let offers: &[DeflateOffer] = if deflate { &OFFER } else { &[] };
    ClientHandshake::new("test.example", "/", ClientKey::new([7; 16])).deflate(offers)
}

/// The server has sent a message.
fn message(
    expected: &mut VecDeque<Expected>,
    sent: u64,
    kind: Kind,
    payload: &[u8],
    kernel: &mut Kernel,
) -> Result<(), String> {
    match expected.pop_front() {
        Some(Expected { after, what: What::Message(k, sent_payload), .. })
            if (k, &sent_payload[..]) == (kind, payload) && after <= sent =>
        {
            kernel.coverage.add(if payload.len() > 40_000 { Met::LargeEcho } else { Met::Echo });
            Ok(())
        }
        other => Err(unexpected(&format!("a message of {} bytes", payload.len()), other.as_ref())),
    }
}

fn unexpected(got: &str, expected: Option<&Expected>) -> String {
    let expected = match expected {
        Some(Expected { after, what, .. }) => {
            let what = match what {
                What::Message(kind, payload) => format!("a {kind:?} message of {} bytes", payload.len()),
                What::Pong(payload) => format!("a pong of {} bytes", payload.len()),
                What::Close(code, _) => format!("close {code}"),
            };
            format!("{what} (after {after} bytes)")
        }
        None => "nothing".into(),
    };
    format!("the peer got {got} instead of {expected}")
}
