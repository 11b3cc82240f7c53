//! One connection at a time and thread: a case, or an answer of Autobahn's protocol, so that any client that has a driver for
//! Autobahn's `fuzzingserver` can be checked as it is.
//!
//! | path | answer |
//! |---|---|
//! | `/getCaseCount` | the number of cases, as a text |
//! | `/getCaseInfo?case=N` | name and description of a case, as JSON |
//! | `/runCase?case=N&agent=NAME` | the case |
//! | `/getCaseStatus?case=N&agent=NAME` | the result, as JSON |
//! | `/updateReports?agent=NAME` | nothing: the client has had all cases |
//! | `/bad/NAME`, `/bad/NAME?at=N` | the case with this name |
//! | any other | the next case |

use super::{
    Event,
    results::{Agent, Results},
};
use crate::bad::{self, Case, Peer, Verdict};
use framewire::{
    CloseCode, Connection, Server, Unmasked,
    handshake::{HandshakeError, HeadBuffer, HeadLimits, HeaderSlots, PlainResponse, Request, Upgrade},
};
use serde_json::json;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Accepts connections, and serves each on a thread of its own.
pub(super) struct Checker<T> {
    results: Arc<Results>,
    /// How long a client may take for each answer.
    timeout: Duration,
    tell: T,
}

/// How many connections are served at once.
const MAX_CONNECTIONS: usize = 256;
/// How long the head of a request may take, and the end of a connection, and of a case that a client believes to be over.
const PATIENCE: Duration = Duration::from_secs(10);

impl<T: Fn(Event) + Clone + Send + Sync + 'static> Checker<T> {
    pub(super) fn new(results: Arc<Results>, timeout: Duration, tell: T) -> Self {
        Self { results, timeout, tell }
    }

    /// Accepts connections for ever.
    pub(super) fn accept(self, listener: &TcpListener) {
        let (checker, busy) = (Arc::new(self), Arc::new(AtomicUsize::new(0)));
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}");
                    thread::sleep(Duration::from_millis(100)); // too few descriptors, for example
                    continue;
                }
            };
            if busy.load(Relaxed) >= MAX_CONNECTIONS {
                log::warn!("more than {MAX_CONNECTIONS} connections at once");
                continue;
            }
            (checker.tell)(Event::Busy);
            busy.fetch_add(1, Relaxed);
            let (checker, over) = (checker.clone(), Over(busy.clone()));
            let thread = thread::Builder::new().name("client".into()).spawn(move || {
                let _over = over;
                if let Err(error) = checker.serve(stream) {
                    log::debug!("a connection failed: {error}");
                }
                (checker.tell)(Event::Busy);
            });
            if let Err(error) = thread {
                log::warn!("cannot serve a connection: {error}");
            }
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        let mut stream = Stream { stream, rest: Vec::new() };
        let response = match stream.head() {
            Ok(head) => {
                let mut slots = HeaderSlots::new();
                let request = Request::parse(&head, &mut slots);
                match request.and_then(|request| Ok((request, request.upgrade()?))) {
                    Ok((request, Some(upgrade))) => match self.answer(&mut stream, &request, &upgrade)? {
                        None => return Ok(()),
                        Some(refusal) => refusal.to_vec(),
                    },
                    Ok((_, None)) => PlainResponse::new(200).body(&bad::list()).to_vec(),
                    Err(error) => PlainResponse::from(error).to_vec(),
                }
            }
            Err(Some(error)) => PlainResponse::from(error).to_vec(),
            Err(None) => return Ok(()),
        };
        stream.write_all(&response.map_err(io::Error::other)?)?;
        stream.end();
        Ok(())
    }

    /// Answers an upgrade, or returns what refuses it.
    fn answer(
        &self,
        stream: &mut Stream,
        request: &Request<'_, '_>,
        upgrade: &Upgrade<'_, '_>,
    ) -> io::Result<Option<PlainResponse<'static>>> {
        const NO_CASE: PlainResponse<'_> = PlainResponse::new(404).body("there is no such case\n");
        let query = Query::parse(request.query().unwrap_or_default());
        let numbered = || bad::all().nth(query.case?);
        match request.path() {
            "/getCaseCount" => stream.say(upgrade, Some(&bad::all().count().to_string()))?,
            "/getCaseInfo" => {
                let Some(case) = numbered() else { return Ok(Some(NO_CASE)) };
                let info = json!({ "id": case.name, "description": case.what, "rule": case.rfc });
                stream.say(upgrade, Some(&info.to_string()))?;
            }
            "/getCaseStatus" => {
                let (Some(place), Some(_)) = (query.case, numbered()) else { return Ok(Some(NO_CASE)) };
                self.results.settle(PATIENCE);
                let result = self.results.of(&query.agent).get(place).copied().flatten();
                let behavior = result.map_or("UNIMPLEMENTED", |(_, verdict)| autobahn(verdict));
                stream.say(upgrade, Some(&json!({ "behavior": behavior }).to_string()))?;
            }
            "/runCase" => {
                let Some(case) = numbered() else { return Ok(Some(NO_CASE)) };
                self.play(stream, upgrade, &query.agent, case, None);
            }
            "/updateReports" => {
                self.results.settle(PATIENCE);
                stream.say(upgrade, None)?;
                (self.tell)(Event::Finished(query.agent));
            }
            path => {
                let named = path.strip_prefix("/bad/");
                let found = named.map_or_else(|| self.results.next(), bad::find);
                let Some(case) = found else { return Ok(Some(NO_CASE)) };
                let at = match named.map_or(Ok(None), |_| case.at(request.query())) {
                    Ok(at) => at,
                    Err(error) => return Ok(Some(PlainResponse::new(400).body(error))),
                };
                if self.play(stream, upgrade, "", case, at) {
                    (self.tell)(Event::Finished(Agent::new()));
                }
            }
        }
        Ok(None)
    }

    /// Plays a case, and returns whether this client has had all.
    fn play(
        &self,
        stream: &mut Stream,
        upgrade: &Upgrade<'_, '_>,
        agent: &str,
        case: &'static Case,
        at: Option<usize>,
    ) -> bool {
        self.results.begin();
        let result = case.play(at, stream, upgrade);
        let all = self.results.end(agent, case, result);
        stream.end();
        all
    }
}

/// Counts a connection that is over.
struct Over(Arc<AtomicUsize>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What Autobahn's clients ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    /// The place of the case, from 0.
    case: Option<usize>,
    agent: Agent,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "case" => parsed.case = value.parse::<usize>().ok().and_then(|number| number.checked_sub(1)),
                "agent" => parsed.agent = value.into_owned(),
                _ => {}
            }
        }
        parsed
    }
}

/// A verdict in Autobahn's words.
const fn autobahn(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Strict => "OK",
        Verdict::OtherCode => "NON-STRICT",
        Verdict::Lenient | Verdict::Broken | Verdict::NoReaction => "FAILED",
        Verdict::Untested => "UNIMPLEMENTED",
    }
}

/// A socket, and the bytes that came behind the head of the request.
struct Stream {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Stream {
    /// Reads the head of a request. `Err(None)`: there will be none.
    fn head(&mut self) -> Result<Vec<u8>, Option<HandshakeError>> {
        let (begun, mut buffer) = (Instant::now(), HeadBuffer::new(HeadLimits::default()));
        let mut rx = [0; 4 << 10];
        while begun.elapsed() < PATIENCE {
            let n = self.stream.read(&mut rx).map_err(|_| None)?;
            if n == 0 {
                break;
            }
            if let Some(head) = buffer.push(&rx[..n]).map_err(Some)? {
                self.rest = rx[head.consumed..n].to_vec();
                return Ok(head.bytes.to_vec());
            }
        }
        Err(None)
    }

    /// Accepts the upgrade, sends a text if there is one, and closes.
    fn say(&mut self, upgrade: &Upgrade<'_, '_>, text: Option<&str>) -> io::Result<()> {
        let accepted = upgrade.accept().subprotocol(upgrade.subprotocols().next()).to_vec();
        let (mut bytes, mut connection) = (accepted.map_err(io::Error::other)?, Connection::<Server>::new());
        if let Some(text) = text {
            connection.append_text(&mut bytes, text, Unmasked).map_err(io::Error::other)?;
        }
        let close = connection.close(CloseCode::NORMAL, "", Unmasked).map_err(io::Error::other)?;
        bytes.extend_from_slice(&close);
        self.write_all(&bytes)?;
        self.end();
        Ok(())
    }

    /// Closes our side, and waits for the client's end, so that no reset destroys what it has not read yet.
    fn end(&mut self) {
        let begun = Instant::now();
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut rx = [0; 4 << 10];
        while begun.elapsed() < PATIENCE && self.stream.read(&mut rx).is_ok_and(|n| n > 0) {}
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            return self.stream.read(buffer);
        }
        let n = self.rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.rest[..n]);
        self.rest.drain(..n);
        Ok(n)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Peer for Stream {
    fn finish(&mut self) -> io::Result<()> {
        self.stream.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let parsed = |case, agent: &str| Query { case, agent: agent.into() };
        assert_eq!(Query::parse("case=3&agent=my+client%2F1"), parsed(Some(2), "my client/1"));
        for wrong in ["", "case=0", "case=-1", "case=x", "case"] {
            assert_eq!(Query::parse(wrong), parsed(None, ""), "{wrong}");
        }
    }
}
