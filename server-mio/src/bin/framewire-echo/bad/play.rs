//! Plays a case with a client, and finds out what the client does.
//!
//! After most violations the server sends a ping and a text. A client that answers the ping may still find the mistake when its
//! program takes the message, so its echo of the text is awaited as well; a program that echoes nothing has until the timeout of
//! the socket.

use super::{
    case::{Case, Did, Expected, Needs, Then, Verdict},
    head::Head,
    wire::*,
};
use framewire::{
    Opcode, Rsv, Server,
    deflate::{InflateConfig, InflatePool, Inflater},
    extension::{DeflateParams, DeflateResponse},
    frame,
    handshake::Upgrade,
};
use std::{
    io::{self, Read, Write},
    mem,
    net::TcpStream,
    time::{Duration, Instant},
};

/// A connection on which a case is played: blocking, with timeouts for reads and writes.
pub(crate) trait Peer: Read + Write {
    /// Closes our side: the client then reads the end of the stream.
    fn finish(&mut self) -> io::Result<()>;
}

impl Peer for TcpStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

/// The payload of the ping after a case.
const PROBE_PING: &[u8] = b"framewire: are you there?";
/// The text after a case.
const PROBE_TEXT: &[u8] = b"framewire: what do you echo?";
/// The payload of a ping after a close.
pub(super) const LATE: &[u8] = b"late";
/// The most bytes of a client's message. Only an echo of what no client should accept is larger.
const MAX_ECHO: u64 = 1 << 20;
/// The most messages of a client. No case has as many.
const MAX_ECHOES: usize = 16;
/// How long a case may take, if a client sends all the time.
const PATIENCE: Duration = Duration::from_secs(30);

impl Case {
    /// Answers the client's request, sends what the case has, and returns what the client did. The connection is over then, except
    /// that the caller drops the stream.
    ///
    /// `at`: as [`at`](Self::at) returns it. A client that does nothing takes up to three timeouts of the stream, or ten where it may
    /// be busy.
    pub(crate) fn play(
        &self,
        at: Option<usize>,
        stream: &mut impl Peer,
        upgrade: &Upgrade<'_, '_>,
    ) -> (Did, Verdict) {
        let (agreed, applies) = self.agree(upgrade);
        let mut client = Client::new(stream, agreed.map(|agreed| agreed.params()));
        client.send(&self.response(upgrade));
        let did = if applies {
            self.lead(at, &mut client)
        } else {
            client.leave(b"this case does not apply to this client");
            Did::Untested
        };
        let verdict = self.verdict(did);
        match at {
            None => log::info!("{}: {did}: {verdict}", self.name),
            Some(at) => log::info!("{} at {at}: {did}: {verdict}", self.name),
        }
        (did, verdict)
    }

    /// The response to the client's request, right or wrong.
    pub(crate) fn response(&self, upgrade: &Upgrade<'_, '_>) -> Vec<u8> {
        let (agreed, applies) = self.agree(upgrade);
        let mut head = Head::right(upgrade, agreed);
        if applies {
            (self.head)(&mut head);
        }
        head.into_bytes()
    }

    /// What the server answers to an offer of compression, and whether the case can be played.
    fn agree(&self, upgrade: &Upgrade<'_, '_>) -> (Option<DeflateResponse>, bool) {
        let answer = |policy| upgrade.deflate(policy);
        match self.needs {
            Needs::Nothing => (None, true),
            Needs::NoDeflate => (None, answer(&Needs::POLICY).is_none()),
            Needs::Deflate(policy) => {
                let agreed = answer(&policy);
                (agreed, agreed.is_some())
            }
            Needs::Takeover => {
                let agreed = answer(&Needs::POLICY);
                (agreed, agreed.is_some_and(|agreed| !agreed.params().server_no_context_takeover))
            }
        }
    }

    fn lead(&self, at: Option<usize>, client: &mut Client<'_, impl Peer>) -> Did {
        let expected = (self.echoes)();
        client.timeouts = if self.then == Then::ProbeLong { 5 } else { 1 };
        client.send(&self.frames.to_vec(at));
        match self.then {
            Then::Probe | Then::ProbeLong => {
                client.send(&[frame(PING, PROBE_PING), frame(TEXT, PROBE_TEXT)].concat())
            }
            Then::Wait => {}
            Then::End => client.finish(),
        }
        let mut end = client.watch();
        // A client that refuses a response may still read what it takes for the body, up to the end.
        if end == End::Silence && self.expected == Expected::Refuse && !client.seen.anything() {
            client.finish();
            end = client.watch();
        }
        // What comes after the client's close shows whether it has answered what followed ours.
        if matches!(end, End::Close(_)) {
            client.finish();
            client.watch();
        }
        // Whoever answers a ping has accepted the response, however it ends.
        if self.expected == Expected::Refuse && client.seen.probed {
            end = if end == End::Silence { End::Probed } else { End::Excess };
        }
        let did = client.seen.did(end, &expected);
        if matches!(end, End::Probed | End::Silence) {
            client.leave(b"");
        }
        did
    }
}

/// The client, as the server sees it.
struct Client<'s, P> {
    stream: &'s mut P,
    begun: Instant,
    /// How many timeouts of the stream are silence.
    timeouts: u32,
    /// A write failed, so the client may have a part of a frame.
    cut: bool,
    /// Bytes that are no whole frame yet.
    rx: Vec<u8>,
    /// The message whose fragments are arriving, and whether it is compressed.
    message: Option<(bool, Vec<u8>)>,
    inflate: Option<(Inflater<Server>, InflatePool)>,
    seen: Seen,
}

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client sent a close with this code.
    Close(u16),
    /// It ended the connection.
    Eof,
    /// It echoed the text that followed.
    Probed,
    /// It sent what no echo of ours can be.
    Excess,
    /// It sent nothing for the timeout of the stream.
    Silence,
}

/// What a client has sent.
#[derive(Debug, Default)]
struct Seen {
    /// It has answered the ping behind the case.
    probed: bool,
    /// Its messages, without the echo of the text behind the case.
    echoes: Vec<Vec<u8>>,
    closes: u32,
    /// It has answered something after its own close.
    answered_late: bool,
}

impl Seen {
    fn anything(&self) -> bool {
        self.probed || self.closes > 0 || !self.echoes.is_empty()
    }

    /// What the client did, if these are the messages that it may echo.
    fn did(&self, end: End, expected: &[Vec<u8>]) -> Did {
        if self.echoes.len() > expected.len() || self.answered_late {
            return Did::GoOn;
        }
        if self.echoes.iter().zip(expected).any(|(echo, expected)| echo != expected) {
            return Did::Garble;
        }
        match end {
            End::Close(code) => Did::Close(code),
            End::Eof => Did::Drop,
            End::Probed if self.echoes.len() < expected.len() => Did::Garble,
            End::Probed | End::Excess => Did::GoOn,
            End::Silence if self.probed => Did::GoOn,
            End::Silence => Did::Nothing,
        }
    }
}

impl<'s, P: Peer> Client<'s, P> {
    fn new(stream: &'s mut P, agreed: Option<DeflateParams>) -> Self {
        let inflate = agreed.and_then(|params| {
            let pool = InflatePool::new(InflateConfig { message: MAX_ECHO, ..InflateConfig::default() });
            Some((Inflater::new(&params, &pool).ok()?, pool))
        });
        Self {
            stream,
            begun: Instant::now(),
            timeouts: 1,
            cut: false,
            rx: Vec::new(),
            message: None,
            inflate,
            seen: Seen::default(),
        }
    }

    /// Writes as much as the client takes. If it takes no more, what it has sent says why; nothing else may follow a frame that is
    /// not whole.
    fn send(&mut self, bytes: &[u8]) {
        self.cut = self.cut || self.stream.write_all(bytes).is_err();
    }

    fn finish(&mut self) {
        let _ = self.stream.finish();
    }

    /// Closes in the ordinary way, and waits for the client to do the same.
    fn leave(&mut self, reason: &[u8]) {
        self.send(&close(1000, reason));
        if matches!(self.watch_for(|end| end == End::Probed), End::Close(_)) {
            self.finish();
            self.watch();
        }
    }

    fn watch(&mut self) -> End {
        self.watch_for(|_| false)
    }

    /// Reads until something shows what the client does. Ends that `ignored` names show nothing.
    fn watch_for(&mut self, ignored: impl Fn(End) -> bool) -> End {
        let (mut buffer, mut timeouts) = ([0; 16 << 10], 0);
        loop {
            if let Some(end) = self.frames(&ignored) {
                return end;
            }
            if self.begun.elapsed() > PATIENCE {
                return End::Excess;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return End::Eof,
                Ok(n) => self.rx.extend(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    timeouts += 1;
                    if timeouts >= self.timeouts {
                        return End::Silence;
                    }
                }
                Err(_) => return End::Eof,
            }
        }
    }

    /// Takes the frames that have arrived, up to one that shows something.
    fn frames(&mut self, ignored: &impl Fn(End) -> bool) -> Option<End> {
        let mut rx = mem::take(&mut self.rx);
        let (mut input, mut end) = (&mut rx[..], None);
        while end.is_none() {
            end = match frame::take(&mut input) {
                Ok(Some((header, payload))) => {
                    self.frame(header.opcode, header.fin, header.rsv, payload).filter(|&end| !ignored(end))
                }
                Ok(None) if input.len() as u64 <= MAX_ECHO => break,
                Ok(None) | Err(_) => Some(End::Excess),
            };
        }
        let left = input.len();
        rx.drain(..rx.len() - left);
        self.rx = rx;
        end
    }

    fn frame(&mut self, opcode: Opcode, fin: bool, rsv: Rsv, payload: &[u8]) -> Option<End> {
        let late = self.seen.closes > 0;
        match opcode {
            Opcode::Close => {
                self.seen.closes += 1;
                self.seen.answered_late |= late;
                let code = payload.first_chunk().map_or(1005, |&code| u16::from_be_bytes(code));
                return Some(End::Close(code));
            }
            Opcode::Ping if !late => {
                let pong = frame(PONG, payload);
                self.send(&pong);
            }
            Opcode::Ping => {}
            Opcode::Pong => {
                self.seen.probed |= payload == PROBE_PING;
                self.seen.answered_late |= late || payload == LATE;
            }
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                let (_, message) = self.message.get_or_insert_with(|| (rsv.contains(Rsv::RSV1), Vec::new()));
                message.extend_from_slice(payload);
                if message.len() as u64 > MAX_ECHO {
                    return Some(End::Excess);
                }
                if fin {
                    return self
                        .message
                        .take()
                        .and_then(|(compressed, message)| self.echo(compressed, message));
                }
            }
        }
        None
    }

    fn echo(&mut self, compressed: bool, message: Vec<u8>) -> Option<End> {
        let message = match (&mut self.inflate, compressed) {
            (Some((inflater, pool)), true) => {
                match inflater.ready(pool).map(|mut ready| ready.inflate_binary(&message)) {
                    Some(Ok(message)) => message,
                    _ => return Some(End::Excess),
                }
            }
            _ => message,
        };
        if message == PROBE_TEXT {
            return Some(End::Probed);
        }
        self.seen.echoes.push(message);
        (self.seen.echoes.len() > MAX_ECHOES).then_some(End::Excess)
    }
}
