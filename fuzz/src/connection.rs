//! Level 3, both roles against each other, with any calls in any order and any cuts: a send method does what a model of
//! it says; neither end refuses what the other sends; messages arrive whole and in order; the closing handshake ends.

use crate::cost;
use crate::input::{Input, repeated};
use framewire::{
    Assembled, Assembler, Client, CloseCode, Connection, ControlFrame, Event, Kind, Limits, ProtocolError,
    Role, Rsv, SendError, Server, State,
};
use framewire_testing::{
    host::{Item, fragment, message},
    wire::fixed,
};
use std::collections::VecDeque;

/// The input is calls: a byte, whose first bit says which end is called, and then the arguments.
pub fn check(input: &[u8]) {
    cost::check("connection", input);
    let mut input = Input::new(input);
    let mut server = End::<Server>::new();
    let mut client = End::<Client>::new();
    while !input.is_empty() {
        let call = input.byte();
        match call & 0x80 {
            0 => server.call(call, &mut input, &mut client),
            _ => client.call(call, &mut input, &mut server),
        }
    }
    close(server, client);
}

/// Both ends close, unless they have, and read everything. Then both are closed, and nothing is missing.
fn close(mut server: End<Server>, mut client: End<Client>) {
    for _ in 0..2 {
        server.close(1000, "");
        client.close(1001, "über");
        client.read(&mut server, usize::MAX, 7);
        server.read(&mut client, usize::MAX, 1000);
    }
    server.assert_closed();
    client.assert_closed();
}

/// One end: its connection, its host, and the model of what it may send.
struct End<S: Role> {
    conn: Connection<S>,
    assembler: Assembler,
    /// Bytes that it has sent and the peer has not read.
    wire: VecDeque<u8>,
    /// The same, as the peer should receive it.
    sent: VecDeque<Item>,
    /// The message that is being sent in fragments: its kind, all of its payload, and how much of it is sent.
    open: Option<(Kind, Vec<u8>, usize)>,
    close_sent: bool,
    close_received: bool,
}

impl<S: Role> End<S> {
    fn new() -> Self {
        Self {
            conn: Connection::new().with_limits(Limits::NONE),
            assembler: Assembler::new(u64::MAX),
            wire: VecDeque::new(),
            sent: VecDeque::new(),
            open: None,
            close_sent: false,
            close_received: false,
        }
    }

    fn call<P: Role>(&mut self, call: u8, input: &mut Input<'_>, peer: &mut End<P>) {
        match call % 16 {
            0 => self.message(Kind::Text, input.text().into_bytes()),
            1 => self.message(Kind::Binary, input.block().to_vec()),
            2 => {
                let len = input.length();
                self.message(Kind::Binary, repeated(&[call], len));
            }
            3 => self.fragment(Kind::Text, input.text().into_bytes(), input.byte()),
            4 => {
                let len = input.length();
                self.fragment(Kind::Binary, repeated(&[call], len), input.byte());
            }
            5 => self.next_fragment(input.byte()),
            6 => self.change_kind(),
            7 => self.ping(input.block()),
            8 => self.pong(input.block()),
            9 => self.close(input.u16(), &input.text()),
            10 => self.close([1000, 1001, 1005, 3000][usize::from(call >> 4) % 4], ""),
            11 => self.read_direct(peer, input.u16().into()),
            _ => self.read(peer, input.u16().into(), usize::from(input.byte()) + 1),
        }
        assert_eq!(self.conn.state(), self.state());
        assert_eq!(self.conn.close_expected(), self.close_sent);
        assert!((1..=300).contains(&self.conn.want(300)), "advice that can be followed");
        if let Some(spare) = self.assembler.spare_for(&self.conn, 300) {
            assert!(((16 << 10)..=self.conn.remaining()).contains(&(spare.len() as u64)));
        }
    }

    fn state(&self) -> State {
        match (self.close_sent, self.close_received) {
            (false, false) => State::Open,
            (true, false) => State::CloseSent,
            (false, true) => State::CloseReceived,
            (true, true) => State::Closed,
        }
    }

    // Sending: a method returns what the model says.

    fn message(&mut self, kind: Kind, payload: Vec<u8>) {
        let expected =
            self.may_send().and(if self.open.is_some() { Err(SendError::MessageOpen) } else { Ok(()) });
        let sent = message(&mut self.conn, kind, &payload);
        self.went(sent, expected, Some(Item::Message(kind, Rsv::NONE, payload)));
    }

    /// Starts a message; `len` says how much of it is sent now.
    fn fragment(&mut self, kind: Kind, payload: Vec<u8>, len: u8) {
        if self.open.is_some() {
            return self.next_fragment(len);
        }
        if self.may_send().is_ok() {
            self.open = Some((kind, payload, 0));
            return self.next_fragment(len);
        }
        assert_eq!(fragment(&mut self.conn, kind, &payload, len == 0), Err(SendError::Closed));
    }

    /// With 255 the message ends; it also ends if nothing of it is left.
    fn next_fragment(&mut self, len: u8) {
        let Some((kind, payload, from)) = self.open.take() else { return };
        let len = if len == 255 { usize::MAX } else { usize::from(len) };
        let end = from.saturating_add(len).min(payload.len());
        let last = end == payload.len() && len != 0;
        let expected = self.may_send();
        let sent = fragment(&mut self.conn, kind, &payload[from..end], last);
        let item = last.then(|| Item::Message(kind, Rsv::NONE, payload.clone()));
        self.went(sent, expected, item);
        self.open = (!last).then_some((kind, payload, end));
    }

    fn change_kind(&mut self) {
        let Some((kind, ..)) = self.open else { return };
        let other = if kind == Kind::Text { Kind::Binary } else { Kind::Text };
        let expected = self.may_send().and(Err(SendError::KindChanged));
        assert_eq!(fragment(&mut self.conn, other, b"x", true).map(drop), expected);
    }

    fn ping(&mut self, payload: &[u8]) {
        let sent = self.conn.ping(payload, fixed::<S>());
        self.control(sent, payload, Item::Ping(payload.into()));
    }

    fn pong(&mut self, payload: &[u8]) {
        let sent = self.conn.pong(payload, fixed::<S>());
        self.control(sent, payload, Item::Pong(payload.into()));
    }

    fn control(&mut self, sent: Result<ControlFrame, SendError>, payload: &[u8], item: Item) {
        let fits = if payload.len() > 125 { Err(SendError::ControlTooLong) } else { Ok(()) };
        let expected = self.may_send().and(fits);
        self.went(sent.map(|frame| frame.to_vec()), expected, Some(item));
    }

    fn close(&mut self, code: u16, reason: &str) {
        let sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let expected = self.may_send().and(match code {
            1005 if reason.is_empty() => Ok(()),
            _ if !sendable => Err(SendError::InvalidCloseCode),
            _ if reason.len() > 123 => Err(SendError::ControlTooLong),
            _ => Ok(()),
        });
        let payload = if code == 1005 { vec![] } else { [&code.to_be_bytes(), reason.as_bytes()].concat() };
        let sent = self.conn.close(CloseCode::new(code), reason, fixed::<S>()).map(|frame| frame.to_vec());
        self.close_sent |= sent.is_ok();
        self.went(sent, expected, Some(Item::Close(payload)));
    }

    fn may_send(&self) -> Result<(), SendError> {
        if self.close_sent { Err(SendError::Closed) } else { Ok(()) }
    }

    fn went(
        &mut self,
        sent: Result<Vec<u8>, SendError>,
        expected: Result<(), SendError>,
        item: Option<Item>,
    ) {
        assert_eq!(sent.as_ref().map(drop).map_err(|&error| error), expected);
        if let Ok(bytes) = sent {
            self.wire.extend(bytes);
            self.sent.extend(item);
        }
    }

    // Receiving.

    /// Reads this many bytes of what the peer has sent, in pieces of this size.
    fn read<P: Role>(&mut self, peer: &mut End<P>, len: usize, piece: usize) {
        let mut left = len.min(peer.wire.len());
        while left > 0 {
            let mut bytes: Vec<u8> = peer.wire.drain(..left.min(piece)).collect();
            left -= bytes.len();
            let mut input = &mut bytes[..];
            while let Some(event) = self.accepted(|conn| conn.receive(&mut input)) {
                self.event(event, peer);
            }
            assert!(input.is_empty(), "all of it is taken");
        }
    }

    /// Reads the rest of a large frame directly into the assembler.
    fn read_direct<P: Role>(&mut self, peer: &mut End<P>, len: usize) {
        let room = self.assembler.spare(self.conn.remaining());
        let len = len.min(room.len()).min(peer.wire.len());
        room.iter_mut().zip(peer.wire.drain(..len)).for_each(|(to, from)| *to = from);
        let message = self.assembler.receive(&mut self.conn, len).unwrap_or_else(|error| refused(error));
        if let Some(message) = message {
            peer.arrived(item(message));
        }
    }

    fn event<P: Role>(&mut self, event: Event<'_>, peer: &mut End<P>) {
        assert!(!self.close_received, "an event behind the close");
        if let Some(reply) = self.conn.reply(&event, fixed::<S>) {
            self.wire.extend(&*reply);
            self.sent.push_back(match &event {
                Event::Ping(payload) => Item::Pong(payload.to_vec()),
                Event::Close(payload) => {
                    assert!(!self.close_sent, "one close is enough");
                    self.close_sent = true;
                    Item::Close(payload[..payload.len().min(2)].to_vec())
                }
                event => panic!("a reply to {event:?}"),
            });
        } else {
            assert!(!matches!(event, Event::Ping(_)), "every ping that arrives is answered");
        }
        peer.arrived(match event {
            Event::Text(text) => Item::Message(Kind::Text, Rsv::NONE, text.into()),
            Event::Binary(bytes) => Item::Message(Kind::Binary, Rsv::NONE, bytes.to_vec()),
            Event::Part(part) => match self.assembler.push(part).unwrap_or_else(|error| refused(error)) {
                Some(message) => item(message),
                None => return,
            },
            Event::Ping(payload) => Item::Ping(payload.to_vec()),
            Event::Pong(payload) => Item::Pong(payload.to_vec()),
            Event::Close(payload) => {
                self.close_received = true;
                assert!(self.close_sent, "answered, if not ours first");
                Item::Close(payload.to_vec())
            }
        });
    }

    /// The peer has received this item of what we sent.
    fn arrived(&mut self, item: Item) {
        assert_eq!(Some(item), self.sent.pop_front(), "in order, and whole");
    }

    fn accepted<T>(&mut self, receive: impl FnOnce(&mut Connection<S>) -> Result<T, ProtocolError>) -> T {
        receive(&mut self.conn).unwrap_or_else(|error| refused(error))
    }

    fn assert_closed(&mut self) {
        assert_eq!((self.conn.state(), self.conn.receive_eof()), (State::Closed, Ok(())));
        // After a close, only pongs can be left, which the peer does not read any more.
        assert!(self.sent.iter().all(|item| matches!(item, Item::Pong(_))), "{:?}", self.sent);
        assert!(self.wire.is_empty());
    }
}

fn item(message: Assembled<'_>) -> Item {
    if message.kind == Kind::Text {
        assert!(message.as_str().is_ok());
    }
    Item::Message(message.kind, message.rsv, message.bytes().to_vec())
}

fn refused(error: ProtocolError) -> ! {
    panic!("refused, though one of us sent it: {error}")
}
