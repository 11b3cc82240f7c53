//! Compressed messages arrive unchanged: any messages, whole, in steps and in fragments, over several connections that have
//! different parameters and share their pools. They are never longer than uncompressed, and refer no further back than
//! was agreed on. Our inflater reads them however they are cut; miniz_oxide and a slow reader of RFC 1951 read them, too.
//! Memory stays within the documented limits.

use crate::cost;
use crate::input::{Input, Pieces, repeated};
use crate::meter::Meter;
use framewire::{
    Client, Connection, Kind, Role, Rsv, SendError, Server,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool},
    extension::DeflateParams,
    frame,
    mask::Key,
    owned::PreparedMessage,
};
use framewire_testing::{
    deflate::{Host, deflate, deflate_fragment},
    host,
    miniz::{Decompressor, Verdict},
    rfc1951::{End, Reader},
};
use std::ops::ControlFlow;

/// Options, pieces, the parameters of each connection, then calls: a byte that says which call on which connection, and
/// a payload.
pub fn check(input: &[u8]) {
    cost::check("deflate", input);
    let mut input = Input::new(input);
    let options = input.bytes();
    match options[0] & 1 {
        0 => Hall::<Server, Client>::new(options, &mut input, Some(broadcast)).play(&mut input),
        _ => Hall::<Client, Server>::new(options, &mut input, None).play(&mut input),
    }
}

const LINKS: usize = 3;

/// Sends a message that is compressed once for many peers, as only a server can.
type Broadcast<S> = fn(&PreparedMessage, &mut Deflater<S>, &mut Connection<S>) -> Result<Vec<u8>, SendError>;

fn broadcast(
    message: &PreparedMessage,
    deflater: &mut Deflater<Server>,
    conn: &mut Connection<Server>,
) -> Result<Vec<u8>, SendError> {
    message.send(conn, deflater).map(|bytes| bytes.to_vec())
}

struct Hall<'a, S: Role, P: Role> {
    config: DeflateConfig,
    deflate: DeflatePool,
    inflate: InflatePool,
    links: Vec<Link<S, P>>,
    broadcast: Option<Broadcast<S>>,
    pieces: Pieces<'a>,
    meter: Meter,
    longest: usize,
}

impl<'a, S: Role, P: Role> Hall<'a, S, P> {
    fn new(options: [u8; 3], input: &mut Input<'a>, broadcast: Option<Broadcast<S>>) -> Self {
        let config = DeflateConfig {
            level: options[0] >> 1 & 15,
            compressors: usize::from(options[0] >> 5 & 3),
            min_len: usize::from(options[1]),
            windows: usize::from(options[2] & 15) << 12,
        };
        let inflate =
            InflatePool::new(InflateConfig { part: 1 << (options[2] >> 4), ..InflateConfig::default() });
        let pieces = input.pieces();
        let links = (0..LINKS).map(|_| Link::new(input.byte(), &inflate)).collect();
        let (deflate, meter) = (DeflatePool::new(config), Meter::default());
        Self { config, deflate, inflate, links, broadcast, pieces, meter, longest: 0 }
    }

    fn play(mut self, input: &mut Input<'_>) {
        while !input.is_empty() {
            let call = input.byte();
            let kind = if call & 0x80 == 0 { Kind::Binary } else { Kind::Text };
            let payload = match (call & 0x40, kind) {
                (0, Kind::Text) => input.text().into_bytes(),
                (0, Kind::Binary) => input.block().to_vec(),
                (_, Kind::Text) => input.text().repeat(usize::from(input.byte() % 32)).into_bytes(),
                (..) => repeated(input.block(), input.length()),
            };
            self.longest = self.longest.max(payload.len());
            self.call(usize::from(call % 4) % LINKS, call >> 2 & 15, kind, &payload);
        }
        let held = self.config.compressors.max(1) * DeflatePool::COMPRESSOR + self.config.windows;
        // This includes the copies of the test itself.
        let most = held + 6 * self.longest + (16 << 10);
        assert!(self.meter.peak() <= most, "{} bytes, and not {most}", self.meter.peak());
        assert!(self.deflate.windows() <= self.config.windows);
    }

    fn call(&mut self, who: usize, call: u8, kind: Kind, payload: &[u8]) {
        let Self { deflate: pool, inflate, links, broadcast, pieces, meter, .. } = self;
        let link = &mut links[who];
        match call {
            0..=4 => {
                let sent = meter.run(|| deflate(&mut link.deflater, &mut link.conn, pool, kind, payload));
                link.message(sent, kind, payload, inflate, *pieces);
            }
            5 => {
                let most = 1 << (payload.len() % 12);
                let sent =
                    meter.run(|| in_steps(&mut link.deflater, &mut link.conn, pool, kind, payload, most));
                link.message(sent, kind, payload, inflate, *pieces);
            }
            6..=10 => {
                let last = call > 8;
                let sent = meter
                    .run(|| deflate_fragment(&mut link.deflater, &mut link.conn, pool, kind, payload, last));
                link.fragment(sent, kind, payload, last, inflate, *pieces);
            }
            11 => {
                let sent = host::message(&mut link.conn, kind, payload);
                link.message(sent, kind, payload, inflate, *pieces);
            }
            12 => link.deflater.release(),
            13 | 14 => {
                // By the connection itself. It must not go on with a message that is compressed.
                if link.open.as_ref().is_some_and(|open| open.coded) {
                    return;
                }
                let last = call == 14;
                let sent = host::fragment(&mut link.conn, kind, payload, last);
                link.fragment(sent, kind, payload, last, inflate, *pieces);
            }
            _ => {
                let Some(broadcast) = broadcast else { return };
                // For the parameters of all connections, or of all but the first.
                let params: Vec<_> = links.iter().skip(payload.len() % 2).map(Link::params).collect();
                let prepared = meter.run(|| PreparedMessage::new(kind, payload, &params, pool));
                for link in links {
                    let sent = meter.run(|| broadcast(&prepared, &mut link.deflater, &mut link.conn));
                    link.message(sent, kind, payload, inflate, *pieces);
                }
            }
        }
    }
}

/// A message that is compressed in steps, as it goes on the wire.
fn in_steps<S: Role>(
    deflater: &mut Deflater<S>,
    conn: &mut Connection<S>,
    pool: &mut DeflatePool,
    kind: Kind,
    payload: &[u8],
    most: usize,
) -> Result<Vec<u8>, SendError> {
    let mut message = deflater.begin(conn, kind, payload.to_vec(), S::key(|| Key::new([1, 2, 3, 4])))?;
    loop {
        match message.step(deflater, pool, most) {
            ControlFlow::Continue(more) => message = more,
            ControlFlow::Break(frame) => {
                let mut wire = Vec::new();
                frame.append_to(&mut wire);
                return Ok(wire);
            }
        }
    }
}

/// An end that sends, an end that receives, and two oracles that read the same bytes.
struct Link<S: Role, P: Role> {
    conn: Connection<S>,
    deflater: Deflater<S>,
    host: Host<P>,
    takes_over: bool,
    bits: u8,
    /// The message that is being sent in fragments: kind, payload, its bytes on the wire, and whether it is compressed.
    open: Option<Sent>,
    window: Vec<u8>,
    other: Decompressor,
}

fn params(takes_over: bool, bits: u8) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: !takes_over,
        client_no_context_takeover: !takes_over,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
    }
}

struct Sent {
    kind: Kind,
    payload: Vec<u8>,
    wire: Vec<u8>,
    coded: bool,
}

impl<S: Role, P: Role> Link<S, P> {
    fn new(options: u8, inflate: &InflatePool) -> Self {
        let (takes_over, bits) = (options & 8 == 0, 8 + options % 8);
        let params = params(takes_over, bits);
        Self {
            conn: Connection::new().with_extension_bits(Rsv::RSV1),
            deflater: Deflater::new(&params),
            host: Host::new(&params, inflate),
            takes_over,
            bits,
            open: None,
            window: Vec::new(),
            other: Decompressor::default(),
        }
    }

    fn params(&self) -> DeflateParams {
        params(self.takes_over, self.bits)
    }

    fn message(
        &mut self,
        sent: Result<Vec<u8>, SendError>,
        kind: Kind,
        payload: &[u8],
        pool: &mut InflatePool,
        pieces: Pieces<'_>,
    ) {
        if self.open.is_some() {
            assert_eq!(sent, Err(SendError::MessageOpen));
            return;
        }
        let wire = sent.expect("it may be sent");
        assert!(wire.len() <= payload.len() + 14, "never longer than uncompressed");
        self.open = Some(Sent { kind, payload: vec![], wire: vec![], coded: wire[0] & 0x40 != 0 });
        self.arrive(&wire, payload, true, pool, pieces);
    }

    fn fragment(
        &mut self,
        sent: Result<Vec<u8>, SendError>,
        kind: Kind,
        payload: &[u8],
        last: bool,
        pool: &mut InflatePool,
        pieces: Pieces<'_>,
    ) {
        if self.open.as_ref().is_some_and(|open| open.kind != kind) {
            assert_eq!(sent, Err(SendError::KindChanged));
            return;
        }
        let wire = sent.expect("it may be sent");
        self.open.get_or_insert_with(|| Sent {
            kind,
            payload: vec![],
            wire: vec![],
            coded: wire[0] & 0x40 != 0,
        });
        self.arrive(&wire, payload, last, pool, pieces);
    }

    /// A frame arrives.
    fn arrive(
        &mut self,
        wire: &[u8],
        payload: &[u8],
        last: bool,
        pool: &mut InflatePool,
        pieces: Pieces<'_>,
    ) {
        for piece in pieces.of(wire) {
            self.host.read(pool, piece).expect("what we send is right");
        }
        let open = self.open.as_mut().expect("a message has begun");
        open.payload.extend_from_slice(payload);
        let mut wire = wire.to_vec();
        let (_, coded) = frame::take(&mut &mut wire[..]).expect("right").expect("whole");
        open.wire.extend_from_slice(coded);
        if !last {
            assert!(self.host.messages.is_empty());
            return;
        }
        let sent = self.open.take().expect("a message has begun");
        assert_eq!(self.host.messages.pop(), Some((sent.kind, sent.payload.clone())));
        assert!(self.host.messages.is_empty() && !self.host.inflater.is_open());
        if sent.coded {
            assert!(self.bits > 8, "zlib cannot compress with 8 bits");
            self.others_read(&sent);
        }
    }

    fn others_read(&mut self, sent: &Sent) {
        if !self.takes_over {
            self.other = Decompressor::default();
        }
        assert_eq!(self.other.read(&sent.wire), Verdict::Whole(sent.payload.clone()), "miniz_oxide");
        let reach = 1 << self.bits;
        if sent.payload.len() < 4000 {
            let reader = Reader { window: &self.window, reach, ..Reader::ALONE };
            assert_eq!(reader.whole(&sent.wire), (sent.payload.clone(), End::Whole), "slowly");
        }
        if self.takes_over {
            self.window.extend_from_slice(&sent.payload);
            self.window.drain(..self.window.len().saturating_sub(reach));
        }
    }
}
