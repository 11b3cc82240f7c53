//! What a case is, and what its client may do.

use super::head::Head;
use framewire::extension::DeflatePolicy;

/// One violation of the protocol, or one thing that a client must accept.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its name, in `/bad/<name>`.
    pub(crate) name: &'static str,
    /// What the server does, in one sentence.
    pub(crate) what: &'static str,
    /// The section that forbids it, or allows it.
    pub(crate) rfc: &'static str,
    /// What a strict client does.
    pub(crate) expected: Expected,
    /// What the client must have offered for this to be a violation.
    pub(crate) needs: Needs,
    /// Changes the response that would be right.
    pub(super) head: fn(&mut Head),
    pub(super) frames: Frames,
    /// The messages among them that a client may echo.
    pub(super) echoes: fn() -> Vec<Vec<u8>>,
    pub(super) then: Then,
}

/// The frames that follow the response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frames {
    Fixed(fn() -> Vec<u8>),
    /// A text that is wrong behind its start. The start may be any other one.
    Text {
        start: &'static [u8],
        frames: fn(&[u8]) -> Vec<u8>,
    },
}

/// What a strict client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It refuses the response to its handshake, and ends the connection.
    Refuse,
    /// It fails the connection: it sends a close with one of these codes, or ends the connection without one (RFC 6455 §7.1.7).
    Fail(&'static [u16]),
    /// It answers the close, and nothing that follows it.
    Discard,
    /// It does not take what has arrived for a whole message. There is nobody left to be told.
    End,
    /// It accepts this, and goes on.
    Accept,
    /// It answers the close with one of these codes. 1005 stands for none.
    Answer(&'static [u16]),
}

/// What the client must have offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// permessage-deflate, which the server accepts with this policy.
    Deflate(DeflatePolicy),
    /// permessage-deflate, without asking that the server compresses every message by itself.
    Takeover,
    /// The client must not have offered permessage-deflate.
    NoDeflate,
}

/// What the server does after the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It sends a ping and a text, to see whether the client goes on.
    Probe,
    /// The same, and the client has five timeouts: it may be busy with what it got.
    ProbeLong,
    /// It waits for the client.
    Wait,
    /// It closes its side of the socket.
    End,
}

/// What a client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// It sent a close with this code. 1005 stands for none.
    Close(u16),
    /// It ended the connection without a close.
    Drop,
    /// It went on: it answered what followed, or echoed what it should not have accepted.
    GoOn,
    /// It echoed something else than it was sent.
    Garble,
    /// It neither went on nor ended the connection in time.
    Nothing,
    /// It was not tested: it did not offer what the case needs, or offered what the case must not have.
    Untested,
}

/// What a case says about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did what a strict client does.
    Strict,
    /// It refused the violation, with a close code that says something else.
    OtherCode,
    /// It accepted the violation.
    Lenient,
    /// It refused what it must accept, or garbled it.
    Broken,
    /// It did nothing in time.
    NoReaction,
    /// The case does not apply to this client.
    Untested,
}

/// The longest start of a text.
const MAX_AT: usize = 1 << 20;

impl Case {
    /// How many bytes of its text are right, as the query of its URL says: `at=N`. `None`: it does not say it.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub(crate) fn at(&self, query: Option<&str>) -> Result<Option<usize>, &'static str> {
        let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let Some((name, value)) = parameters.next() else { return Ok(None) };
        if name != "at" || parameters.next().is_some() {
            return Err("a case has one parameter at most: at\n");
        }
        if matches!(self.frames, Frames::Fixed(_)) {
            return Err("only a text that is not UTF-8 can be wrong at a given byte: the cases utf8-...\n");
        }
        let at = value.parse().ok().filter(|&at| at <= MAX_AT);
        at.map(Some).ok_or("at is a number of bytes from 0 to 1048576\n")
    }

    /// What it says about a client that has done this.
    pub(crate) fn verdict(&self, did: Did) -> Verdict {
        match (self.expected, did) {
            (_, Did::Untested) => Verdict::Untested,
            (Expected::Accept, Did::GoOn) => Verdict::Strict,
            (_, Did::Nothing) => Verdict::NoReaction,
            (Expected::Accept, _) | (_, Did::Garble) => Verdict::Broken,

            (Expected::Answer(codes), Did::Close(code)) if codes.contains(&code) => Verdict::Strict,
            (Expected::Answer(_), _) => Verdict::Broken,

            (_, Did::GoOn) => Verdict::Lenient,
            (_, Did::Drop) => Verdict::Strict,
            (Expected::Refuse | Expected::Discard | Expected::End, Did::Close(_)) => Verdict::Strict,
            (Expected::Fail(codes), Did::Close(code)) if codes.contains(&code) => Verdict::Strict,
            // These say that something is wrong.
            (Expected::Fail(_), Did::Close(1002 | 1003 | 1007..=1011)) => Verdict::OtherCode,
            (Expected::Fail(_), Did::Close(_)) => Verdict::Lenient,
        }
    }

    /// A violation in the response to the handshake.
    pub(super) const fn opening(
        name: &'static str,
        rfc: &'static str,
        what: &'static str,
        head: fn(&mut Head),
    ) -> Self {
        Self {
            name,
            what,
            rfc,
            expected: Expected::Refuse,
            needs: Needs::Nothing,
            head,
            frames: Frames::Fixed(Vec::new),
            echoes: Vec::new,
            then: Then::Probe,
        }
    }

    /// A violation in frames.
    pub(super) const fn frames(
        name: &'static str,
        rfc: &'static str,
        what: &'static str,
        codes: &'static [u16],
        frames: fn() -> Vec<u8>,
    ) -> Self {
        let frames = Frames::Fixed(frames);
        Self { expected: Expected::Fail(codes), frames, ..Self::opening(name, rfc, what, |_| {}) }
    }

    /// A text that is not UTF-8 (RFC 6455 §8.1).
    pub(super) const fn text(
        name: &'static str,
        what: &'static str,
        start: &'static [u8],
        frames: fn(&[u8]) -> Vec<u8>,
    ) -> Self {
        let frames = Frames::Text { start, frames };
        Self { frames, ..Self::frames(name, "RFC 6455 §8.1", what, &[1007], Vec::new) }
    }

    /// Frames that a client must accept, and the messages that they make.
    pub(super) const fn good(
        name: &'static str,
        rfc: &'static str,
        what: &'static str,
        frames: fn() -> Vec<u8>,
        echoes: fn() -> Vec<Vec<u8>>,
    ) -> Self {
        Self { expected: Expected::Accept, echoes, ..Self::frames(name, rfc, what, &[], frames) }
    }

    pub(super) const fn expected(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    pub(super) const fn head(self, head: fn(&mut Head)) -> Self {
        Self { head, ..self }
    }

    pub(super) const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    pub(super) const fn echoes(self, echoes: fn() -> Vec<Vec<u8>>) -> Self {
        Self { echoes, ..self }
    }

    pub(super) const fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }
}

impl Frames {
    /// The bytes on the wire. `at`: so many bytes of the text are right.
    pub(super) fn to_vec(self, at: Option<usize>) -> Vec<u8> {
        match (self, at) {
            (Self::Fixed(frames), _) => frames(),
            (Self::Text { start, frames }, None) => frames(start),
            (Self::Text { frames, .. }, Some(at)) => frames(&vec![b'x'; at]),
        }
    }
}

impl Needs {
    /// permessage-deflate, with nothing demanded.
    pub(super) const DEFLATE: Self = Self::Deflate(Self::POLICY);

    pub(super) const POLICY: DeflatePolicy = DeflatePolicy {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: 15,
        client_max_window_bits: 15,
    };
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let codes = |codes: &[u16]| codes.iter().map(|&code| name(code)).collect::<Vec<_>>().join(" or ");
        match self {
            Self::Refuse => f.write_str("refuses"),
            Self::Fail(allowed) => write!(f, "fails, {}", codes(allowed)),
            Self::Discard => f.write_str("answers only the close"),
            Self::End => f.write_str("ends"),
            Self::Accept => f.write_str("accepts"),
            Self::Answer(allowed) => write!(f, "closes, {}", codes(allowed)),
        }
    }
}

impl std::fmt::Display for Did {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Close(code) => write!(f, "closed, {}", name(*code)),
            Self::Drop => f.write_str("dropped"),
            Self::GoOn => f.write_str("went on"),
            Self::Garble => f.write_str("garbled"),
            Self::Nothing => f.write_str("nothing"),
            Self::Untested => f.write_str("-"),
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Strict => "ok",
            Self::OtherCode => "ok, but another code",
            Self::Lenient => "LENIENT",
            Self::Broken => "BROKEN",
            Self::NoReaction => "NO REACTION",
            Self::Untested => "not tested",
        })
    }
}

/// A close code; 1005 stands for none (RFC 6455 §7.4.1).
fn name(code: u16) -> String {
    if code == 1005 { "no code".into() } else { code.to_string() }
}
