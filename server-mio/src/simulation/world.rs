//! One simulation: a server, its kernel and its peers, all drawn from a seed.

use super::{
    clients::{Client, Pools},
    coverage::{Coverage, Met},
    invariants::Invariants,
    kernel::{Kernel, LISTENERS, Listener},
    script::{DECOMPRESSOR, Script},
    sockets::{Socket, Sockets},
};
use crate::{
    config::{CompressionConfig, Config},
    event_loop::{Event, EventLoop},
    handler::{Admission, Handler},
    records::{Ending, Peer},
    reply::Reply,
};
use framewire::{
    Kind, Limits,
    deflate::{DeflateConfig, DeflatePool, InflateConfig, InflatePool},
    extension::DeflatePolicy,
    handshake::Request,
};
use framewire_testing::payload::Random;
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// A server with its surroundings.
pub(super) struct World {
    random: Random,
    config: Config,
    event_loop: EventLoop<Echo, Socket>,
    ended: Rc<Cell<Ended>>,
    network: Sockets,
    kernel: Rc<RefCell<Kernel>>,
    pools: Pools,
    clients: Vec<Client>,
    /// How many clients are still to come.
    to_come: usize,
    invariants: Invariants,
    /// In which turn of the storm the server is told to stop, if it is, and when it was.
    stop_in: Option<usize>,
    stopped: Option<Duration>,
    /// The turns so far.
    pub(super) turns: usize,
}

/// Echoes each message, takes over the connections of requests for `/taken`, and adds up the records of connections that have ended.
struct Echo(Rc<Cell<Ended>>);

/// Sums of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ended {
    connections: u64,
    messages: u64,
    bytes: u64,
    sent: u64,
}

impl Handler for Echo {
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        let _ = reply.send(kind, payload);
    }

    fn admit(&mut self, request: &Request<'_, '_>) -> Admission<'_> {
        if request.path() == "/taken" { Admission::TakeOver(Box::new(drop)) } else { Admission::Serve }
    }

    fn ended(&mut self, _: Peer, ending: &Ending) {
        let mut ended = self.0.get();
        ended.connections += 1;
        ended.messages += ending.messages;
        ended.bytes += ending.bytes;
        ended.sent += ending.sent;
        self.0.set(ended);
    }
}

/// The turns of a storm, in which clients come and faults are drawn.
const STORM: usize = 1500;

/// The most turns of the calm after it, in which every client that wants to be served is served.
const CALM: usize = 6000;

/// What compression may do in one turn of a session. The first one is the server's.
const BUDGETS: [usize; 4] = [128 << 10, 20_000, 4000, 700];

impl World {
    /// Draws everything from the seed.
    pub(super) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random(seed);
        let config = draw_config(&mut random);
        let batch = [3, 8, 1024][random.below(3)];
        let kernel = Kernel {
            random: Random(random.next()),
            coverage: Coverage::new(),
            now: Duration::ZERO,
            connections: Vec::new(),
            listeners: Some([(); LISTENERS].map(|()| Listener::default())),
            faults: true,
            descriptors: if random.below(3) == 0 { 2 + random.below(8) } else { usize::MAX },
            batch,
            tried: Duration::ZERO,
            stop: false,
            trace: trace.then(Vec::new),
            turn: None,
        };
        let kernel = Rc::new(RefCell::new(kernel));
        let ended = Rc::default();
        let mut event_loop = EventLoop::new(Arc::new(config.clone()), Echo(Rc::clone(&ended)), batch);
        event_loop.limit_budget(BUDGETS[random.below(BUDGETS.len())]);
        let inflate = InflateConfig { messages: 1000, message: u64::MAX, ..Default::default() };
        Self {
            event_loop,
            ended,
            network: Sockets(Rc::clone(&kernel)),
            kernel,
            pools: Pools {
                deflate: DeflatePool::new(DeflateConfig { level: 1, min_len: 0, ..Default::default() }),
                inflate: InflatePool::new(inflate),
            },
            clients: Vec::new(),
            to_come: 5 + random.below(35),
            invariants: Invariants::new(config.clone()),
            stopped: None,
            stop_in: (random.below(4) == 0).then(|| random.below(STORM)),
            config,
            random,
            turns: 0,
        }
    }

    pub(super) fn coverage(&self) -> Coverage {
        self.kernel.borrow().coverage.clone()
    }

    /// Takes the trace.
    pub(super) fn trace(&self) -> Vec<String> {
        self.kernel.borrow_mut().trace.take().unwrap_or_default()
    }

    /// Runs to the end, or to the first rule that is broken.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for turn in 0..STORM {
            if self.stop_in == Some(turn) {
                self.kernel.borrow_mut().stop = true;
            }
            if self.to_come > 0 && self.random.below(20) == 0 {
                self.connect();
            }
            if !self.turn()? {
                return Ok(());
            }
        }
        self.kernel.borrow_mut().faults = false;
        self.note("the calm begins");
        self.clients.iter_mut().for_each(Client::hurry);
        for _ in 0..CALM {
            if self.config.idle_timeout == 0 {
                // The server waits for them for ever.
                self.clients
                    .iter_mut()
                    .for_each(|client| client.leave_if_quiet(&mut self.kernel.borrow_mut()));
            }
            if self.clients.iter().all(Client::is_over) && self.event_loop.probe().0.is_empty()
                || !self.turn()?
            {
                return Ok(());
            }
        }
        let left: Vec<String> =
            self.clients.iter().filter(|client| !client.is_over()).map(Client::to_string).collect();
        let sessions: Vec<_> =
            self.event_loop.probe().0.views().map(|(_, view, socket)| (socket.number, view)).collect();
        Err(format!("after {CALM} calm turns, these are still open: {left:?}, {sessions:?}"))
    }

    /// One turn of the loop, after the clients had theirs. Returns whether the loop goes on.
    fn turn(&mut self) -> Result<bool, String> {
        self.turns += 1;
        self.advance();
        let mut kernel = self.kernel.borrow_mut();
        let now = kernel.now;
        kernel.turn = Some(self.turns);
        for client in &mut self.clients {
            client
                .act(&mut kernel, &mut self.pools, &self.config)
                .map_err(|error| format!("{client}: {error}"))?;
        }
        let events: Vec<Event> = kernel.poll();
        let full = events.len() >= kernel.batch;
        drop(kernel);
        let goes_on = self.event_loop.turn(now, events.iter().copied(), &mut self.network);
        let kernel = Rc::clone(&self.kernel);
        let kernel = &mut kernel.borrow_mut();
        self.invariants.check(kernel, &self.event_loop, full)?;
        self.check_stop(kernel, goes_on)?;
        self.check_records(goes_on)?;
        Ok(goes_on)
    }

    /// Each connection that has ended has a record, and all records together say what the counters say.
    fn check_records(&self, goes_on: bool) -> Result<(), String> {
        let (sessions, ..) = self.event_loop.probe();
        let (stats, ended) = (sessions.stats(), self.ended.get());
        let open = if goes_on { sessions.len() as u64 } else { 0 };
        if sessions.is_empty() && stats.queued.get() > 0 {
            return Err("bytes are said to be queued for nobody".into());
        }
        if !self.config.records {
            return Ok(());
        }
        let counted = Ended {
            connections: stats.accepted.get() - open,
            messages: stats.messages.get(),
            bytes: stats.bytes.get(),
            sent: stats.sent.get(),
        };
        if ended.connections != counted.connections || open == 0 && ended != counted {
            return Err(format!("the records say {ended:?}, the counters {counted:?}"));
        }
        Ok(())
    }

    /// Lets time pass: none, until a client acts, or until the loop has to wake.
    fn advance(&mut self) {
        let mut kernel = self.kernel.borrow_mut();
        let now = kernel.now;
        let timeout = self.event_loop.timeout(|| now);
        let mut step = Duration::from_micros(self.random.below(2000) as u64);
        if timeout != Some(Duration::ZERO) && !kernel.has_events() {
            let wakes = self.clients.iter().filter_map(Client::wakes);
            let wake = wakes.filter(|&wake| wake > now).min().map(|wake| wake - now);
            let most = Duration::from_millis(self.random.below(400) as u64);
            step += timeout.unwrap_or(most).min(wake.unwrap_or(most)).min(most);
        }
        if kernel.fault(1500, Met::ClockJump) {
            step += Duration::from_secs(1 + self.random.below(100) as u64);
        }
        kernel.now += step;
    }

    fn connect(&mut self) {
        let script = Script::draw(&mut self.random, &self.config);
        let room = |random: &mut Random| [200, 1500, 9000, 70_000][random.below(4)];
        let (listener, incoming, outgoing) =
            (self.random.below(LISTENERS), room(&mut self.random), room(&mut self.random));
        let mut kernel = self.kernel.borrow_mut();
        let Some(number) = kernel.connect(listener, incoming, outgoing) else { return };
        kernel.note(|| {
            let kind = if listener == 1 { "Unix" } else { "TCP" };
            format!(
                "#{number} connects ({kind}, buffers of {incoming} and {outgoing} bytes): {}",
                script.name
            )
        });
        self.clients.push(Client::new(number, script));
        self.to_come -= 1;
    }

    /// A stopped loop ends when all its sessions have ended, or at its deadline, and then at once.
    fn check_stop(&mut self, kernel: &mut Kernel, goes_on: bool) -> Result<(), String> {
        if kernel.listeners.is_none() && self.stopped.is_none() {
            self.stopped = Some(kernel.now);
        }
        let timeout = Duration::from_secs(self.config.close_timeout.into());
        let over = self.stopped.is_some_and(|stopped| kernel.now >= stopped + timeout);
        let is_empty = self.stopped.is_some() && self.event_loop.probe().0.is_empty();
        if over && !is_empty {
            kernel.coverage.add(Met::StoppedByDeadline);
        }
        if goes_on == (over || is_empty) { Err("a stop ends too early, or too late".into()) } else { Ok(()) }
    }

    fn note(&self, line: &str) {
        self.kernel.borrow_mut().note(|| line.into());
    }
}

fn draw_config(random: &mut Random) -> Config {
    let mut one_of = |values: &[usize]| values[random.below(values.len())];
    let limit = one_of(&[3000, 40_000, 120_000]) as u64;
    let memory = one_of(&[1, 1, 2 * DECOMPRESSOR, 4 * DECOMPRESSOR]);
    let message_timeout = one_of(&[1, 2, 4]) as u32;
    // Then an echo may be much longer than its message.
    let policy = DeflatePolicy { server_no_context_takeover: one_of(&[0, 1]) == 1, ..Default::default() };
    let compression = CompressionConfig { level: 1, memory, message_timeout, policy, ..Default::default() };
    Config {
        limits: Limits { frame: limit, message: limit },
        max_connections: one_of(&[3, 8, 30]),
        high_water: one_of(&[0, 600, 5000, 50_000]),
        handshake_timeout: one_of(&[1, 2, 4]) as u32,
        idle_timeout: one_of(&[0, 1, 2, 5]) as u32,
        pong_timeout: one_of(&[1, 2, 3]) as u32,
        close_timeout: one_of(&[1, 2, 3]) as u32,
        compression: (one_of(&[0, 1, 1]) == 1).then_some(compression),
        receive_buffer: one_of(&[1 << 10, 3000, 20_000, 70_000]),
        records: one_of(&[0, 1]) == 1,
        ..Config::default()
    }
}
