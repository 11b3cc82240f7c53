//! Behaviours on demand: what a WebSocket at `/echo` does, as the query of its URL asks. Each runs on a thread of its own, apart
//! from the servers' loops, as they are off the path that is measured, and simple.
//!
//! ```text
//! plan          what a connection does
//! table         the table of all parameters, which parses queries
//! crew          the threads
//! queue         what is sent later
//! pipe          bytes on their way to the socket, at a pace
//! facts         what the server tells about a connection
//! opening       the opening handshake
//! conversation  the WebSocket
//! ```

mod conversation;
mod crew;
mod facts;
mod opening;
mod pipe;
mod plan;
mod queue;
mod table;

use crate::{
    access::{AccessLog, Behaving},
    bad::{self, Peer},
};
use conversation::Conversation;
use crew::Crew;
use framewire::handshake::{HeaderSlots, Request, Upgrade};
use framewire_mio::{Config, Detached, TakeOver};
use plan::Plan;
use std::{
    io::{self, Read},
    sync::Arc,
    time::{Duration, Instant},
};

/// The behaviours of all servers of the program.
#[derive(Debug)]
pub(crate) struct Behaviours {
    config: Arc<Config>,
    crew: Arc<Crew>,
}

/// What becomes of a request.
pub(crate) enum Decision {
    /// It asks for no behaviour.
    Serve,
    /// The status and the text of a response.
    Respond(u16, String),
    /// A behaviour.
    Play(TakeOver),
}

/// The path of behaviours.
const PATH: &str = "/echo";

/// The path of the page that lists them.
const PAGE: &str = "/behaviours";

/// The path of violations of the protocol, each by its name, and of the page that lists them.
const BAD: &str = "/bad/";

/// How long a case waits for each answer of the client.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest life of a connection with a behaviour.
const LIFE: Duration = Duration::from_secs(3600);

/// What a behaviour must know about the server.
struct Context<'a> {
    config: &'a Config,
    crew: &'a Crew,
    handshake_timeout: Duration,
    close_timeout: Duration,
    /// Present if there is an access log.
    lines: Option<Behaving>,
}

impl Behaviours {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self { config, crew: Arc::default() }
    }

    /// Decides about a request. `access`: the access log of its loop, if there is one.
    pub(crate) fn decide(&self, request: &Request<'_, '_>, access: Option<AccessLog>) -> Decision {
        let is_upgrade = request.upgrade().is_ok_and(|upgrade| upgrade.is_some());
        match request.path() {
            PAGE if !is_upgrade => return Decision::Respond(200, page()),
            BAD if !is_upgrade => return Decision::Respond(200, bad::list()),
            path if path.starts_with(BAD) => {
                return self.violate(&path[BAD.len()..], request.query(), is_upgrade, access);
            }
            PATH => {}
            path if path.strip_prefix(PATH).is_some_and(|rest| rest.starts_with('/')) => {
                return Decision::Respond(404, format!("there is only {PATH}, with a query\n\n{}", page()));
            }
            _ => return Decision::Serve,
        }
        let query = request.query().unwrap_or_default();
        let plan = match table::parse(query) {
            Ok(plan) => plan,
            Err(error) => {
                return Decision::Respond(400, format!("{error}\n(GET {PAGE} lists all behaviours)\n"));
            }
        };
        if !is_upgrade {
            return Decision::Respond(426, "this is a URL for a WebSocket\n".into());
        }
        if plan == Plan::default() {
            return Decision::Serve;
        }
        self.play(access, move |stream, upgrade, context| {
            if let Some(stream) = opening::open(&plan, stream, upgrade, context) {
                Conversation::new(&plan, stream, upgrade, context).run();
            }
        })
    }

    /// Breaks the protocol as the case with this name does, at the place that the query names.
    fn violate(
        &self,
        name: &str,
        query: Option<&str>,
        is_upgrade: bool,
        access: Option<AccessLog>,
    ) -> Decision {
        let Some(case) = bad::find(name) else {
            return Decision::Respond(404, format!("there is no case {name:?}\n\n{}", bad::list()));
        };
        let at = match case.at(query) {
            Ok(at) => at,
            Err(error) => return Decision::Respond(400, error.into()),
        };
        if !is_upgrade {
            return Decision::Respond(426, format!("this is a URL for a WebSocket: {}\n", case.what));
        }
        self.play(access, move |mut stream, upgrade, context| {
            context.responded(upgrade, &case.response(upgrade));
            stream.set_read_timeout(Some(PATIENCE));
            stream.set_write_timeout(Some(PATIENCE));
            case.play(at, &mut stream, upgrade);
            linger(stream, context.close_timeout);
        })
    }

    /// Lets a function play with the connection, from its request on, on a thread of its own.
    fn play(
        &self,
        access: Option<AccessLog>,
        behaviour: impl FnOnce(Detached, &Upgrade<'_, '_>, &Context<'_>) + Send + 'static,
    ) -> Decision {
        let Some(seat) = self.crew.seat() else {
            return Decision::Respond(
                503,
                format!("{} behaviours are running, which is the most\n", crew::MOST),
            );
        };
        let config = Arc::clone(&self.config);
        Decision::Play(Box::new(move |stream| {
            let lines = access.zip(stream.peer()).map(|(log, peer)| Behaving::new(log, peer));
            seat.run(stream, move |stream, crew| {
                let head = stream.head().to_vec();
                let mut slots = HeaderSlots::<{ Config::MAX_HEADERS }>::with_slots();
                let request = Request::parse(&head, &mut slots).and_then(|request| request.upgrade());
                // The server has read it before.
                let Ok(Some(upgrade)) = request else { return };
                behaviour(stream, &upgrade, &Context::new(&config, crew, lines));
            });
        }))
    }

    /// Tells all behaviours to end.
    pub(crate) fn stop(&self) {
        self.crew.stop();
    }

    /// Waits until they have, but no longer than the close timeout after the stop.
    pub(crate) fn wait(&self) {
        self.crew.wait(seconds(self.config.close_timeout));
    }
}

impl<'a> Context<'a> {
    fn new(config: &'a Config, crew: &'a Crew, lines: Option<Behaving>) -> Self {
        Self {
            config,
            crew,
            handshake_timeout: seconds(config.handshake_timeout),
            close_timeout: seconds(config.close_timeout),
            lines,
        }
    }

    /// Notes the response to the request: the bytes that are sent of it.
    fn responded(&self, request: &Request<'_, '_>, response: &[u8]) {
        if let Some(lines) = &self.lines {
            lines.responded(request, response);
        }
    }
}

impl Peer for Detached {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown_write()
    }
}

/// Ends our side, and waits a little for the peer to end its own: closing the socket while bytes are unread would destroy
/// bytes that the peer has not read (RFC 6455 §7.1.1).
fn linger(mut stream: Detached, time: Duration) {
    let until = Instant::now() + time;
    let mut buffer = vec![0; 4096];
    if stream.shutdown_write().is_err() {
        return;
    }
    loop {
        stream.set_read_timeout(Some(until.saturating_duration_since(Instant::now())));
        if Instant::now() >= until || !stream.read(&mut buffer).is_ok_and(|n| n > 0) {
            return;
        }
    }
}

/// The page that lists all behaviours.
fn page() -> String {
    format!(
        "Behaviours on demand: a WebSocket at {PATH} does what the query of its URL asks, such as\n\
         {PATH}?delay=100ms&fragment=10&close=1001&reason=bye&after=3\n\
         A WebSocket at {BAD}NAME gets one violation of the protocol. GET {BAD} lists them.\n\n{}",
        table::list()
    )
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
