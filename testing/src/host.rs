//! A host that receives a wire in pieces, and records the outcome.

use crate::wire::{CLOSE, PING, TEXT, cat, closing, fixed, frame, is_client, key, masked, to};
use core::str;
use framewire::{
    Client, CloseCode, Connection, Decoder, Event, Header, Kind, Part, ProtocolError, Role, Rsv, SendError,
    State, mask::Key,
};

/// A whole message as it goes on the wire, by each method that returns a header.
pub fn message<R: Role>(conn: &mut Connection<R>, kind: Kind, payload: &[u8]) -> Result<Vec<u8>, SendError> {
    let key = R::key(|| Key::new(key(payload.len())));
    let mut bytes = payload.to_vec();
    let header = conn.header_in_place(kind, &mut bytes, key);
    assert_eq!(
        header,
        match kind {
            Kind::Text => conn.text_header(str::from_utf8(payload).expect("a test sends text"), key),
            Kind::Binary => conn.binary_header(payload, key),
        }
    );
    let Ok(header) = header else {
        assert_eq!(bytes, payload, "what was refused stays as it was");
        return header.map(|_| Vec::new());
    };
    Ok([&header[..], &bytes].concat())
}

/// A fragment of a message as it goes on the wire.
pub fn fragment<R: Role>(
    conn: &mut Connection<R>,
    kind: Kind,
    payload: &[u8],
    last: bool,
) -> Result<Vec<u8>, SendError> {
    let key = key(payload.len());
    let header =
        conn.fragment_header(kind, Rsv::NONE, payload.len() as u64, last, R::key(|| Key::new(key)))?;
    Ok([&header[..], &masked(if is_client::<R>() { key } else { [0; 4] }, payload)].concat())
}

/// An item that arrived. Parts are joined to messages, so that it does not depend on the cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message with the reserved bits of its first frame.
    Message(Kind, Rsv, Vec<u8>),
    /// A ping and its payload.
    Ping(Vec<u8>),
    /// A pong and its payload.
    Pong(Vec<u8>),
    /// A close and its payload.
    Close(Vec<u8>),
}

/// A text message.
pub fn text(text: &str) -> Item {
    Item::Message(Kind::Text, Rsv::NONE, text.into())
}

/// A binary message.
pub fn binary(bytes: &[u8]) -> Item {
    Item::Message(Kind::Binary, Rsv::NONE, bytes.into())
}

/// Joins the parts of a message, and checks that they keep the promises of `Part`.
#[derive(Debug, Default)]
pub struct Joiner {
    open: Option<(Kind, Rsv, Vec<u8>)>,
}

impl Joiner {
    /// Takes the next event of a connection. Returns an item if it is whole.
    pub fn push(&mut self, event: Event<'_>) -> Option<Item> {
        let (whole, bytes) = match event {
            Event::Text(text) => (Kind::Text, text.as_bytes().to_vec()),
            Event::Binary(bytes) => (Kind::Binary, bytes.to_vec()),
            Event::Part(part) => return self.join(part),
            Event::Ping(payload) => return Some(Item::Ping(payload.to_vec())),
            Event::Pong(payload) => return Some(Item::Pong(payload.to_vec())),
            Event::Close(payload) => return Some(Item::Close(payload.to_vec())),
        };
        assert!(self.open.is_none(), "a whole message inside another");
        Some(Item::Message(whole, Rsv::NONE, bytes))
    }

    fn join(&mut self, part: Part<'_>) -> Option<Item> {
        assert!(part.last || !part.bytes().is_empty(), "an empty part in the middle of a message");
        let (kind, rsv, bytes) = self.open.get_or_insert((part.kind, part.rsv, Vec::new()));
        assert_eq!((*kind, *rsv), (part.kind, part.rsv), "the parts of a message agree");
        bytes.extend_from_slice(part.bytes());
        if !part.last {
            return None;
        }
        self.open.take().map(|(kind, rsv, bytes)| Item::Message(kind, rsv, bytes))
    }
}

/// All that a host receives and sends, from the first byte to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Messages and control frames, in order.
    pub items: Vec<Item>,
    /// The frames that `reply` returned.
    pub replies: Vec<u8>,
    /// The error that ended it.
    pub error: Option<ProtocolError>,
    /// The frame that `fail` returned.
    pub farewell: Option<Vec<u8>>,
}

/// Lets `conn` receive `wire`, cut at the places `cuts`, which rise, as a host would. Checks the promises that hold for
/// any wire: after `Ok(None)` the input is empty, errors stay, and a connection that failed sends nothing.
pub fn play<S: Role>(conn: &mut Connection<S>, wire: &[u8], cuts: &[usize]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut joiner = Joiner::default();
    let mut from = 0;
    for &cut in cuts.iter().chain([&wire.len()]) {
        let cut = cut.min(wire.len());
        let mut piece = wire[from..cut].to_vec(); // its own memory, so that a read past its end is found
        from = cut;
        let mut input = &mut piece[..];
        let result = loop {
            match conn.receive(&mut input) {
                Ok(Some(event)) => {
                    outcome
                        .replies
                        .extend(conn.reply(&event, fixed::<S>).iter().flat_map(|frame| frame.iter()));
                    outcome.items.extend(joiner.push(event));
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(input.is_empty(), "the input is taken");
        assert_eq!(conn.receive(&mut input), result.map(|()| None), "said again without input");
        match (result, outcome.error) {
            (Ok(()), None) => {}
            (Err(error), None) => {
                outcome.error = Some(error);
                outcome.farewell = conn.fail(error, fixed::<S>).map(|frame| frame.to_vec());
                assert_failed(conn, error);
            }
            (now, before) => assert_eq!(now.err(), before, "the error stays"),
        }
    }
    outcome
}

/// Checks that a connection that failed returns no event and no frame.
pub fn assert_failed<S: Role>(conn: &mut Connection<S>, error: ProtocolError) {
    assert_eq!((conn.state(), conn.close_expected(), conn.remaining()), (State::Closed, true, 0));
    assert_eq!(conn.receive_eof(), Err(error));
    assert_eq!(conn.fail(error, fixed::<S>), None, "a second close");
    assert_sends_closed(conn);
    let mut more = to::<S>(TEXT, b"more");
    let mut input = &mut more[..];
    assert_eq!(conn.receive(&mut input), Err(error));
    assert!(input.is_empty());
    for event in events() {
        assert_eq!(conn.reply(&event, fixed::<S>), None, "{event:?}");
    }
}

/// Checks that every send method returns `Closed`, also if its arguments are wrong.
pub fn assert_sends_closed<S: Role>(conn: &mut Connection<S>) {
    let closed = Err(SendError::Closed);
    for kind in [Kind::Text, Kind::Binary] {
        assert_eq!(message(conn, kind, b"x"), Err(SendError::Closed));
        assert_eq!(fragment(conn, kind, b"x", false), Err(SendError::Closed));
        assert_eq!(fragment(conn, kind, b"x", true), Err(SendError::Closed));
    }
    assert_eq!(conn.ping(&[0; 126], fixed::<S>()), closed);
    assert_eq!(conn.pong(b"", fixed::<S>()), closed);
    assert_eq!(conn.close(CloseCode::new(1000), "", fixed::<S>()), closed);
    assert_eq!(conn.close(CloseCode::new(1005), "reason", fixed::<S>()), closed);
}

/// A ping and a close, as events: the payload of a control frame can only be received.
pub fn events() -> Vec<Event<'static>> {
    let mut conn = Connection::<Client>::new();
    let mut wire = cat(&[frame(PING, None, b"p"), frame(CLOSE, None, &closing(1000, ""))]);
    let mut input = &mut wire[..];
    let mut events = Vec::new();
    while let Some(event) = conn.receive(&mut input).unwrap() {
        events.push(match event {
            Event::Ping(payload) => Event::Ping(payload.into_owned()),
            Event::Close(payload) => Event::Close(payload.into_owned()),
            other => panic!("{other:?}"),
        });
    }
    events
}

/// Frames, each with its payload so far and whether it is whole; and the error.
pub type Frames = (Vec<(Header, Vec<u8>, bool)>, Option<ProtocolError>);

/// Reads a wire with a decoder.
pub fn decode(mut decoder: Decoder, wire: &[u8], cuts: &[usize]) -> Frames {
    let mut frames: Vec<(Header, Vec<u8>, bool)> = vec![];
    let mut from = 0;
    for cut in cuts.iter().copied().chain([wire.len()]) {
        let mut piece = wire[from..cut].to_vec();
        from = cut;
        let mut input = &mut piece[..];
        loop {
            let chunk = match decoder.decode(&mut input) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            };
            if chunk.offset == 0 {
                assert!(chunk.is_first());
                frames.push((chunk.header, vec![], false));
            }
            let (header, payload, whole) = frames.last_mut().expect("a first chunk");
            assert!(!*whole, "a chunk behind the last");
            assert_eq!((*header, payload.len() as u64), (chunk.header, chunk.offset));
            assert!(chunk.is_last() || !chunk.bytes.is_empty(), "an empty chunk");
            payload.extend_from_slice(chunk.bytes);
            *whole = chunk.is_last();
            let missing = header.payload_len - payload.len() as u64;
            assert_eq!((decoder.remaining(), decoder.is_between_frames()), (missing, *whole));
        }
        assert!(input.is_empty(), "the input is taken");
    }
    (frames, None)
}

/// Both decoders, and whether each unmasks.
pub fn decoders() -> [(Decoder, bool); 2] {
    [(Decoder::new(), true), (Decoder::pass_through(), false)]
}
