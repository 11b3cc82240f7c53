//! A host with permessage-deflate in its loop, and messages sent through it.

use crate::wire::{BINARY, RSV1, TEXT, is_client, key};
use framewire::{
    Assembler, Connection, Event, Kind, Limits, Part, ProtocolError, Role, Rsv, SendError,
    deflate::{DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, Outgoing},
    extension::DeflateParams,
    mask::Key,
};

/// The first byte of a compressed text message in one frame.
pub const TEXT1: u8 = TEXT | RSV1;
/// The first byte of a compressed binary message in one frame.
pub const BINARY1: u8 = BINARY | RSV1;

/// Both ends take their context over, with the largest windows.
pub const TAKEOVER: DeflateParams = DeflateParams {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
};
/// Neither end takes its context over.
pub const NO_TAKEOVER: DeflateParams =
    DeflateParams { server_no_context_takeover: true, client_no_context_takeover: true, ..TAKEOVER };

/// A host that collects whole messages, and the error that ended it.
pub struct Host<S: Role> {
    /// The connection.
    pub conn: Connection<S>,
    /// The stage after it.
    pub inflater: Inflater<S>,
    /// The stage after that.
    pub assembler: Assembler,
    /// The messages that have arrived.
    pub messages: Vec<(Kind, Vec<u8>)>,
}

impl<S: Role> Host<S> {
    /// A host with these parameters, and no limits but the pool's.
    pub fn new(params: &DeflateParams, pool: &InflatePool) -> Self {
        Self {
            conn: Connection::new().with_limits(Limits::NONE).with_extension_bits(Rsv::RSV1),
            inflater: Inflater::new(params, pool).unwrap(),
            assembler: Assembler::new(u64::MAX),
            messages: Vec::new(),
        }
    }

    /// Receives the bytes of one read. A decompressor must be free.
    pub fn read(&mut self, pool: &mut InflatePool, wire: &[u8]) -> Result<(), ProtocolError> {
        self.try_read(pool, wire).expect("a decompressor is free")
    }

    /// Receives the bytes of one read, if a decompressor is free.
    pub fn try_read(&mut self, pool: &mut InflatePool, wire: &[u8]) -> Option<Result<(), ProtocolError>> {
        let mut ready = self.inflater.ready(pool)?;
        let mut receive = || {
            let mut rx = wire.to_vec();
            let mut input = &mut rx[..];
            while let Some(event) = self.conn.receive(&mut input)? {
                match event {
                    Event::Text(text) => self.messages.push((Kind::Text, text.into())),
                    Event::Binary(bytes) => self.messages.push((Kind::Binary, bytes.to_vec())),
                    Event::Part(part) => {
                        let mut parts = ready.feed(part);
                        while let Some(part) = parts.next_part()? {
                            assert!(part.rsv.is_none());
                            if let Some(message) = self.assembler.push(part)? {
                                self.messages.push((message.kind, message.bytes().to_vec()));
                                message.into_bytes().fill(b'#'); // it belongs to the host now: nothing may depend on it
                            }
                        }
                    }
                    _ => {}
                }
            }
            Ok(())
        };
        Some(receive())
    }

    /// Receives all of a wire, cut at the places `cuts`, which rise.
    pub fn play(
        mut self,
        pool: &mut InflatePool,
        wire: &[u8],
        cuts: &[usize],
    ) -> (Vec<(Kind, Vec<u8>)>, Option<ProtocolError>) {
        let mut from = 0;
        for &cut in cuts.iter().chain([&wire.len()]) {
            let piece = &wire[from..cut];
            from = cut;
            if let Err(error) = self.read(pool, piece) {
                assert!(!self.inflater.is_open(), "nothing is held behind an error");
                return (self.messages, Some(error));
            }
        }
        (self.messages, None)
    }
}

/// Inflates one message, in parts of this size, fed in pieces that are cut at the places `cuts`, which rise.
pub fn inflate<S: Role>(
    params: &DeflateParams,
    pool: &mut InflatePool,
    kind: Kind,
    payload: &[u8],
    cuts: &[usize],
) -> Result<Vec<u8>, ProtocolError> {
    let mut inflater = Inflater::<S>::new(params, pool).unwrap();
    let mut payload = payload.to_vec();
    let (mut out, mut ends, mut from, len) = (Vec::new(), 0, 0, payload.len());
    for &cut in cuts.iter().chain([&len]) {
        let (bytes, last) = (&mut payload[from..cut], cut == len);
        from = cut;
        let mut ready = inflater.ready(pool).unwrap();
        let mut parts = ready.feed(Part::new(kind, Rsv::RSV1, bytes, last));
        while let Some(part) = parts.next_part()? {
            out.extend_from_slice(part.bytes());
            ends += usize::from(part.last);
            part.into_bytes().fill(b'#');
        }
        if last {
            break;
        }
    }
    assert_eq!(ends, 1, "a message ends once");
    Ok(out)
}

/// A pool whose parts are of this size.
pub fn pool(part: usize) -> InflatePool {
    InflatePool::new(InflateConfig { part, ..InflateConfig::default() })
}

/// A message as it goes on the wire.
pub fn deflate<R: Role>(
    deflater: &mut Deflater<R>,
    conn: &mut Connection<R>,
    pool: &mut DeflatePool,
    kind: Kind,
    payload: &[u8],
) -> Result<Vec<u8>, SendError> {
    let out = deflater.message(conn, kind, payload, pool, R::key(|| Key::new(key(payload.len()))))?;
    assert!(
        is_client::<R>() || out.is_unchanged() == (out.header()[0] & RSV1 == 0),
        "a server does not mask"
    );
    Ok(sent::<R>(out, payload))
}

/// A fragment of a message as it goes on the wire.
pub fn deflate_fragment<R: Role>(
    deflater: &mut Deflater<R>,
    conn: &mut Connection<R>,
    pool: &mut DeflatePool,
    kind: Kind,
    payload: &[u8],
    last: bool,
) -> Result<Vec<u8>, SendError> {
    let out = deflater.fragment(conn, kind, payload, last, pool, R::key(|| Key::new(key(payload.len()))))?;
    Ok(sent::<R>(out, payload))
}

fn sent<R: Role>(out: Outgoing<'_>, given: &[u8]) -> Vec<u8> {
    // The address of no bytes says nothing.
    assert!(given.is_empty() || out.is_unchanged() == core::ptr::eq(out.payload(), given));
    assert!(!is_client::<R>() || !out.is_unchanged(), "a client masks");
    let apart = [out.header(), out.payload()].concat();
    let mut frame = b"before".to_vec();
    out.append_to(&mut frame);
    assert_eq!(frame.split_off(6), apart);
    apart
}
