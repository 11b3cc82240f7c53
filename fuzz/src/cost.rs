//! What the codec's work may cost, whatever the input: a number of calls, of bytes that it asks the allocator for, and of
//! instructions, for each byte in or out and each turn.
//!
//! Each work runs the codec as a host does, without an oracle. [`check`] counts calls and memory, in each run of a
//! target. `benches/cost.rs` counts the instructions, under callgrind. Both count only inside [`Cost::of`].

use crate::input::{Input, Pieces};
use framewire::{
    Client, Connection, Event, Kind, Limits, Part, Role, Rsv, Server,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater},
    extension::{DeflateParams, DeflatePolicy},
    handshake::{
        ClientHandshake, ClientKey, HeadBuffer, HeadLimits, HeaderSlots, PlainResponse, Request, Response,
    },
    mask::Key,
    utf8::Validator,
};
use framewire_testing::{allocations::counted, wire::fixed};

/// What a target makes the codec do, and what this may cost.
pub struct Work {
    /// The name of the target.
    pub name: &'static str,
    /// Does the work on an input of the target.
    pub run: fn(&[u8]) -> Cost,
    /// The most bytes that it may ask the allocator for.
    pub memory: Bound,
    /// The most instructions in an optimised build.
    pub instructions: Bound,
}

/// An upper bound: so much, and more for each turn and each byte.
pub struct Bound {
    start: u64,
    turn: u64,
    byte: u64,
}

/// All works.
pub const WORKS: [Work; 6] = [
    Work {
        name: "decoder",
        run: decoder,
        memory: Bound { start: 0, turn: 160, byte: 0 }, // a control frame's payload, if a read cuts it
        instructions: Bound { start: 1000, turn: 1000, byte: 300 },
    },
    Work {
        name: "connection",
        run: connection,
        memory: Bound { start: 64, turn: 64, byte: 4 },
        instructions: Bound { start: 2000, turn: 2000, byte: 100 },
    },
    Work {
        name: "utf8",
        run: utf8,
        memory: Bound { start: 0, turn: 0, byte: 0 },
        instructions: Bound { start: 1000, turn: 400, byte: 50 },
    },
    Work {
        name: "handshake",
        run: handshake,
        memory: Bound { start: 4 << 10, turn: 0, byte: 8 },
        instructions: Bound { start: 40_000, turn: 1000, byte: 500 },
    },
    Work {
        name: "inflate",
        run: inflate,
        memory: Bound { start: 256 << 10, turn: 0, byte: 8 },
        instructions: Bound { start: 100_000, turn: 100_000, byte: 1000 },
    },
    Work {
        name: "deflate",
        run: deflate,
        memory: Bound { start: 1 << 20, turn: 64, byte: 8 },
        instructions: Bound { start: 1_000_000, turn: 200_000, byte: 5000 },
    },
];

/// Does the work of this target, and checks its calls and its memory.
pub(crate) fn check(name: &str, input: &[u8]) {
    let work = WORKS.iter().find(|work| work.name == name).expect("a work of this name");
    let cost = (work.run)(input);
    assert!(cost.calls <= cost.bytes + 3 * cost.turns, "{cost:?}: too many calls");
    assert!(cost.memory <= work.memory.of(&cost), "{cost:?}: too much memory");
}

impl Bound {
    /// The bound for work of this size.
    pub fn of(&self, cost: &Cost) -> u64 {
        self.start + self.turn * cost.turns + self.byte * cost.bytes
    }
}

/// The size of some work, and what it took.
#[derive(Debug, Default)]
pub struct Cost {
    /// Bytes that went into the codec, and bytes that came out.
    pub bytes: u64,
    /// Reads, messages or heads.
    pub turns: u64,
    /// How often the host called the codec.
    pub calls: u64,
    /// How many bytes the codec asked the allocator for.
    pub memory: u64,
}

impl Cost {
    /// Makes a call, and counts it.
    #[inline(never)] // callgrind counts inside a function of this name
    fn of<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let (result, counts) = counted(call);
        self.calls += 1;
        self.memory += counts.asked as u64;
        result
    }

    /// A turn with this many bytes.
    fn turn(&mut self, bytes: usize) {
        self.turns += 1;
        self.bytes += bytes as u64;
    }
}

/// Both roles receive the bytes in the pieces that the input asks for. Each reply is made.
fn decoder(input: &[u8]) -> Cost {
    let mut input = Input::new(input);
    let (options, pieces, wire) = (input.byte(), input.pieces(), input.rest());
    let mut cost = Cost::default();
    if options & 0x80 == 0 {
        receive::<Server>(wire, pieces, &mut cost);
        receive::<Client>(wire, pieces, &mut cost);
    } else {
        receive::<Server>(&crate::decoder::frames::<Server>(wire), pieces, &mut cost);
        receive::<Client>(&crate::decoder::frames::<Client>(wire), pieces, &mut cost);
    }
    cost
}

fn receive<S: Role>(wire: &[u8], pieces: Pieces<'_>, cost: &mut Cost) {
    let mut conn = Connection::<S>::new().with_limits(Limits::NONE).with_extension_bits(Rsv::RSV1);
    for piece in pieces.of(wire) {
        cost.turn(piece.len());
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Ok(Some(())) = cost.of(|| {
            let event = conn.receive(&mut input)?;
            Ok::<_, framewire::ProtocolError>(event.map(|event| drop(conn.reply(&event, fixed::<S>))))
        }) {}
    }
}

/// The blocks of the input are messages from a client to a server, which sends them back.
fn connection(input: &[u8]) -> Cost {
    let mut input = Input::new(input);
    let (mut client, mut server) = (Connection::<Client>::new(), Connection::<Server>::new());
    let mut cost = Cost::default();
    while !input.is_empty() {
        let payload = input.block();
        cost.turn(2 * payload.len());
        cost.of(|| {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            client.append_binary(&mut there, payload, Key::new([1, 2, 3, 4])).expect("it is open");
            let mut there = &mut there[..];
            if let Ok(Some(Event::Binary(bytes))) = server.receive(&mut there) {
                server.append_binary(&mut back, bytes, framewire::Unmasked).expect("it is open");
            }
            assert!(matches!(client.receive(&mut &mut back[..]), Ok(Some(Event::Binary(bytes))) if bytes == payload));
        });
    }
    cost
}

/// A validator is fed the pieces of a text, masked and not.
fn utf8(input: &[u8]) -> Cost {
    let mut input = Input::new(input);
    let (key, pieces) = (Key::new(input.bytes()), input.pieces());
    let mut text = input.rest().to_vec();
    let mut cost = Cost::default();
    for is_masked in [false, true] {
        let (mut validator, mut from) = (Validator::new(), 0);
        for end in pieces.cuts(text.len()).into_iter().chain([text.len()]) {
            let (key, piece) = (key.advance(from), &mut text[from..end]);
            cost.turn(piece.len());
            let _ =
                cost.of(|| if is_masked { validator.feed_masked(key, piece) } else { validator.feed(piece) });
            from = end;
        }
    }
    cost
}

/// The bytes are a head, of a request or of a response, in pieces. A request is answered.
fn handshake(input: &[u8]) -> Cost {
    let mut input = Input::new(input);
    let (what, _options, pieces) = (input.byte(), input.byte(), input.pieces());
    let bytes = input.rest();
    let mut cost = Cost::default();
    let mut buffer = HeadBuffer::new(HeadLimits::default());
    for piece in pieces.of(bytes) {
        cost.turn(piece.len());
        let is_over = cost.of(|| match buffer.push(piece) {
            Ok(Some(head)) => {
                if what & 1 == 0 {
                    request(head.bytes)
                } else {
                    response(head.bytes)
                }
                true
            }
            Ok(None) => false,
            Err(_) => true,
        });
        if is_over {
            break;
        }
    }
    cost
}

fn request(head: &[u8]) {
    let mut slots = HeaderSlots::new();
    match Request::parse(head, &mut slots).and_then(|request| request.upgrade()) {
        Ok(Some(upgrade)) => {
            let deflate = upgrade.deflate(&DeflatePolicy::default());
            upgrade.accept().deflate(deflate).to_vec().expect("as the client asked");
        }
        Ok(None) => {}
        Err(error) => drop(PlainResponse::from(error).to_vec()),
    }
}

fn response(head: &[u8]) {
    let handshake = ClientHandshake::new("example.com", "/", ClientKey::new(*b"the sample nonce"));
    let mut slots = HeaderSlots::new();
    if let Ok(response) = Response::parse(head, &mut slots) {
        let _ = handshake.check(&response);
    }
}

/// The parts of the input are those of messages from two peers that share a pool, so that windows are read in.
fn inflate(input: &[u8]) -> Cost {
    let mut input = Input::new(input);
    let _options: [u8; 2] = input.bytes();
    let mut cost = Cost::default();
    let config = InflateConfig { messages: 1, message: 1 << 20, ..InflateConfig::default() };
    let mut pool = InflatePool::new(config);
    let mut peers = [(); 2].map(|()| Inflater::<Server>::new(&PARAMS, &pool).expect("a window"));
    while !input.is_empty() {
        let what = input.byte();
        let mut bytes = input.block().to_vec();
        cost.turn(bytes.len());
        let Some(mut ready) = cost.of(|| peers[usize::from(what & 1)].ready(&mut pool)) else { continue };
        let kind = if what & 0x40 == 0 { Kind::Binary } else { Kind::Text };
        let mut parts = ready.feed(Part::new(kind, Rsv::RSV1, &mut bytes, what & 4 != 0));
        while let Ok(Some(len)) =
            cost.of(|| Ok::<_, framewire::ProtocolError>(parts.next_part()?.map(|part| part.bytes().len())))
        {
            cost.bytes += len as u64;
        }
    }
    cost
}

/// The blocks of the input are messages of two connections that share a compressor.
fn deflate(input: &[u8]) -> Cost {
    let mut input = Input::new(input);
    let options: [u8; 3] = input.bytes();
    let mut cost = Cost::default();
    let config =
        DeflateConfig { level: options[0] >> 1 & 15, compressors: 1, min_len: 0, ..DeflateConfig::default() };
    let mut pool = DeflatePool::new(config);
    let mut links = [(); 2].map(|()| {
        (Connection::<Server>::new().with_extension_bits(Rsv::RSV1), Deflater::<Server>::new(&PARAMS))
    });
    while !input.is_empty() {
        let what = input.byte();
        let payload = input.block();
        let (conn, deflater) = &mut links[usize::from(what & 1)];
        cost.turn(payload.len());
        cost.of(|| {
            let sent = deflater
                .message(conn, Kind::Binary, payload, &mut pool, framewire::Unmasked)
                .expect("it is open");
            assert!(sent.payload().len() <= payload.len());
        });
    }
    cost
}

const PARAMS: DeflateParams = DeflateParams {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
};
