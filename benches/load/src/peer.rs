//! One connection.

use crate::{
    compression::{Compression, Pools},
    corpus::{Corpus, Flight},
    failure::Failure,
    outgoing::{Outgoing, Owed},
    plan::Plan,
    random::Random,
    tally::Tally,
};
use framewire::{
    Client, CloseCode, Connection, Event, Kind, Limits, Rsv, State,
    extension::{DeflateOffer, DeflateParams},
    handshake::{self, ClientKey, HeadBuffer, HeaderSlots, Response},
};
use mio::net::TcpStream;
use std::io::{self, Read, Write};

/// What the connections of a thread share.
pub(crate) struct Shared {
    pub(crate) rx: Vec<u8>,
    pub(crate) tx: Vec<u8>,
    pub(crate) corpus: Corpus,
    pub(crate) random: Random,
    /// The offer of permessage-deflate, and the pools for it.
    pub(crate) offer: Option<DeflateOffer>,
    pub(crate) pools: Option<Pools>,
}

impl Shared {
    /// The most bytes of a read or a write.
    pub(crate) const BUFFER: usize = 256 << 10;

    pub(crate) fn new(plan: &Plan) -> Self {
        let mut random = Random::new(plan.seed);
        Self {
            rx: vec![0; Self::BUFFER],
            tx: vec![0; Self::BUFFER],
            corpus: Corpus::new(plan, &mut random),
            random,
            offer: plan.compression,
            pools: plan.compression.map(|_| Pools::new(plan.connections)),
        }
    }
}

/// A connection during its opening handshake.
pub(crate) struct Opening {
    index: usize,
    pub(crate) socket: TcpStream,
    key: ClientKey,
    head: HeadBuffer,
    request: Vec<u8>,
    is_sent: bool,
}

/// The result of the opening handshake.
pub(crate) struct Opened {
    /// Present if compression was agreed on.
    deflate: Option<DeflateParams>,
    /// The bytes that the server sent right after its head.
    pub(crate) rest: Vec<u8>,
    /// Whether there may be more to read although no event will tell.
    pub(crate) more: bool,
}

impl Opening {
    /// Begins on a socket that is being connected.
    pub(crate) fn start(
        index: usize,
        socket: TcpStream,
        host: &str,
        target: &str,
        shared: &mut Shared,
    ) -> Result<Self, Failure> {
        let key = ClientKey::new(shared.random.nonce());
        let request = request(host, target, key, &shared.offer);
        let request = request.to_vec().map_err(|error| Failure::Own(io::Error::other(error)))?;
        let head = HeadBuffer::new(handshake::HeadLimits::default());
        Ok(Self { index, socket, key, head, request, is_sent: false })
    }

    /// Continues as far as possible; `None` while the handshake is not done.
    pub(crate) fn ready(
        &mut self,
        host: &str,
        target: &str,
        shared: &mut Shared,
    ) -> Result<Option<Opened>, Failure> {
        let failed = |error| Failure::Connect(host.to_owned(), error);
        if !self.is_sent {
            if let Some(error) = self.socket.take_error().map_err(failed)? {
                return Err(failed(error));
            }
            if self.socket.peer_addr().is_err() {
                return Ok(None); // woken too early
            }
            self.socket.set_nodelay(true).map_err(failed)?;
            // A few hundred bytes, and the socket's buffer is empty.
            self.socket.write_all(&self.request).map_err(failed)?;
            self.is_sent = true;
        }
        loop {
            let n = match self.socket.read(&mut shared.rx) {
                Ok(0) => {
                    let how = "the server ended it in the opening handshake".to_owned();
                    return Err(Failure::Ended { connection: self.index, how });
                }
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            let Some(head) = self.head.push(&shared.rx[..n]).map_err(Failure::Handshake)? else { continue };
            let mut slots = HeaderSlots::<64>::new();
            let response = Response::parse(head.bytes, &mut slots).map_err(Failure::Handshake)?;
            let opening = request(host, target, self.key, &shared.offer);
            let established = opening.check(&response).map_err(Failure::Handshake)?;
            let established = established.ok_or_else(|| Failure::Status(response.status()))?;
            return Ok(Some(Opened {
                deflate: established.deflate,
                rest: shared.rx[head.consumed..n].to_vec(),
                more: n == shared.rx.len(),
            }));
        }
    }

    /// The open connection.
    pub(crate) fn into_peer(self, opened: &Opened, shared: &Shared) -> Result<Peer, Failure> {
        let mut connection = Connection::new().with_limits(Limits::NONE);
        let compression = match (&opened.deflate, &shared.pools) {
            (Some(params), Some(pools)) => {
                connection = connection.with_extension_bits(Rsv::RSV1);
                Some(Box::new(Compression::new(params, pools)?))
            }
            _ => None,
        };
        Ok(Peer {
            index: self.index,
            socket: self.socket,
            connection,
            agreed: opened.deflate,
            compression,
            outgoing: Outgoing::default(),
            owed: Owed::default(),
            is_blocked: false,
            has_ended: false,
            has_left: false,
            received: 0,
            answered: 0,
        })
    }
}

fn request<'a>(
    host: &'a str,
    target: &'a str,
    key: ClientKey,
    offer: &'a Option<DeflateOffer>,
) -> handshake::ClientHandshake<'a> {
    handshake::ClientHandshake::new(host, target, key).deflate(offer.as_slice())
}

/// A connection that is open.
pub(crate) struct Peer {
    index: usize,
    socket: TcpStream,
    connection: Connection<Client>,
    /// Present if compression was agreed on.
    agreed: Option<DeflateParams>,
    compression: Option<Box<Compression>>,
    outgoing: Outgoing,
    owed: Owed,
    /// The socket takes no more for now.
    is_blocked: bool,
    /// An event has told that the server ended the connection.
    has_ended: bool,
    /// The end of the stream was read.
    has_left: bool,
    /// Bytes of the reply that is arriving.
    received: usize,
    /// The number of complete replies.
    answered: u64,
}

impl Peer {
    /// Queues a message.
    pub(crate) fn push(&mut self, flight: Flight) {
        self.outgoing.flights.push_back(flight);
    }

    /// Reads once, and checks what has arrived. Returns the number of answered messages, and whether there may be more to read
    /// although no event will tell. If the server is known to have `ended` the connection, no event will tell of anything.
    ///
    /// It does not read on by itself: a server that never stops sending would keep the generator from its clock.
    pub(crate) fn read(
        &mut self,
        ended: bool,
        shared: &mut Shared,
        tally: &mut Tally,
        now: u64,
    ) -> Result<(usize, bool), Failure> {
        self.has_ended |= ended;
        let before = self.answered;
        let mut rx = std::mem::take(&mut shared.rx);
        let outcome = match self.socket.read(&mut rx) {
            Ok(0) => {
                self.has_left = true;
                let eof = self.connection.receive_eof();
                eof.map(|()| false).map_err(|_| self.ended("it ended without a close"))
            }
            Ok(n) => {
                tally.receive(n);
                let is_full = n == rx.len();
                self.take(&mut rx[..n], shared, tally, now).map(|()| is_full || self.has_ended)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(self.socket_failed(error)),
        };
        shared.rx = rx;
        outcome.map(|more| ((self.answered - before) as usize, more))
    }

    /// Checks received bytes.
    pub(crate) fn take(
        &mut self,
        mut input: &mut [u8],
        shared: &mut Shared,
        tally: &mut Tally,
        now: u64,
    ) -> Result<(), Failure> {
        let Self { index, connection, compression, outgoing, owed, received, answered, .. } = self;
        let mut check = |kind, rsv, bytes: &[u8], last| {
            let checked = outgoing.check(kind, bytes, *received, last, &shared.corpus);
            let answer =
                checked.map_err(|wrong| Failure::Reply { connection: *index, message: *answered, wrong })?;
            *received += bytes.len();
            // An empty fragment brings the reply no nearer to its end.
            if last || !bytes.is_empty() {
                tally.hear(now);
            }
            if let Some(flight) = answer {
                *received = 0;
                *answered += 1;
                tally.reply(&flight, rsv != Rsv::NONE, now);
            }
            Ok(())
        };
        loop {
            let event = match connection.receive(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(error) => return Err(Failure::Protocol { connection: *index, error }),
            };
            let closing = connection.state() == State::Closed;
            match (connection.reply(&event, || shared.random.key()), &event) {
                (Some(pong), Event::Ping(_)) => owed.pong(pong),
                (Some(close), _) => owed.close(&close),
                (None, _) => {}
            }
            match event {
                Event::Text(text) => check(Kind::Text, Rsv::NONE, text.as_bytes(), true)?,
                Event::Binary(bytes) => check(Kind::Binary, Rsv::NONE, bytes, true)?,
                Event::Part(part) => match (compression.as_mut(), shared.pools.as_mut()) {
                    (Some(compression), Some(pools)) => {
                        let rsv = part.rsv;
                        compression
                            .inflate(part, pools, |part| check(part.kind, rsv, part.bytes(), part.last))
                            .map_err(|error| Failure::Protocol { connection: *index, error })??;
                    }
                    _ => check(part.kind, Rsv::NONE, part.bytes(), part.last)?,
                },
                Event::Close(_) if closing => return Ok(()),
                Event::Close(payload) => {
                    let close = payload.as_close();
                    let how = format!("the server closes it: {} {}", close.code.get(), close.reason);
                    return Err(Failure::Ended { connection: *index, how: how.trim_end().to_owned() });
                }
                Event::Ping(_) | Event::Pong(_) => {}
            }
        }
    }

    /// The socket takes bytes again.
    pub(crate) fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Writes queued bytes, as far as the socket takes them.
    pub(crate) fn flush(&mut self, shared: &mut Shared) -> Result<(), Failure> {
        while !self.is_blocked {
            // Control frames go between messages.
            if !self.owed.is_empty() && self.outgoing.written == 0 && !self.has_coded() {
                self.write_owed()?;
                continue;
            }
            if self.compression.is_some() {
                if !self.flush_coded(shared)? {
                    return Ok(());
                }
                continue;
            }
            let len = self.outgoing.gather(
                &mut self.connection,
                &shared.corpus,
                &mut shared.tx,
                self.owed.is_empty(),
            );
            if len == 0 {
                return Ok(());
            }
            let n = self.write(&shared.tx[..len])?;
            self.outgoing.advance(n);
        }
        Ok(())
    }

    /// Drops the messages of which no byte is written; returns their number.
    pub(crate) fn cancel(&mut self) -> usize {
        let Outgoing { flights, unsent, written } = &mut self.outgoing;
        let begun = *unsent + usize::from(*written > 0);
        let dropped = flights.len() - begun;
        flights.truncate(begun);
        dropped
    }

    /// Sends a close.
    pub(crate) fn close(&mut self, shared: &mut Shared) -> Result<(), Failure> {
        if let Ok(frame) = self.connection.close(CloseCode::NORMAL, "", shared.random.key()) {
            self.owed.close(&frame);
        }
        self.flush(shared)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.connection.state(), State::Closed)
    }

    /// Whether the server has closed its side, and everything before that was read.
    pub(crate) const fn has_left(&self) -> bool {
        self.has_left
    }

    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    pub(crate) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) const fn agreed(&self) -> Option<DeflateParams> {
        self.agreed
    }

    fn has_coded(&mut self) -> bool {
        self.compression.as_mut().is_some_and(|compression| !compression.coded().is_empty())
    }

    /// Whether there may be more to write.
    fn flush_coded(&mut self, shared: &mut Shared) -> Result<bool, Failure> {
        let (Some(mut compression), Some(pools)) = (self.compression.take(), shared.pools.as_mut()) else {
            return Ok(false);
        };
        if self.owed.is_empty() {
            let Self { connection, outgoing, .. } = self;
            compression.gather(connection, outgoing, &shared.corpus, pools, Shared::BUFFER);
        }
        let coded = compression.coded();
        let written = if coded.is_empty() { Ok(None) } else { self.write(coded).map(Some) };
        if let Ok(Some(n)) = written {
            coded.drain(..n);
        }
        self.compression = Some(compression);
        written.map(|n| n.is_some())
    }

    fn write_owed(&mut self) -> Result<(), Failure> {
        let mut owed = std::mem::take(&mut self.owed);
        let written = self.write(owed.bytes());
        self.owed = owed;
        self.owed.advance(written?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let written = loop {
            match self.socket.write(bytes) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.socket_failed(error)),
            }
        };
        self.is_blocked = written < bytes.len();
        Ok(written)
    }

    fn socket_failed(&self, error: io::Error) -> Failure {
        Failure::Socket { connection: self.index, error }
    }

    pub(crate) fn ended(&self, how: &str) -> Failure {
        Failure::Ended { connection: self.index, how: how.to_owned() }
    }
}

impl mio::event::Source for Peer {
    fn register(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        self.socket.register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        self.socket.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
        self.socket.deregister(registry)
    }
}
