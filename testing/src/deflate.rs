//! What the tests of permessage-deflate share: streams made and read by another implementation (flate2 on
//! miniz_oxide), and a host that has the stage in its loop.
#![allow(dead_code, reason = "each test binary uses its part")]

#[path = "rfc1951.rs"]
pub(crate) mod rfc1951;

use super::common::{Role, key, to};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use framewire::{
    Assembler, Client, Connection, Event, Kind, Limits, Part, ProtocolError, Rsv, SendError, Server,
    deflate::{DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, Outgoing},
    extension::DeflateParams,
    mask::Key,
};

/// The first byte of a compressed message's first frame, where that is all of it.
pub(crate) const TEXT1: u8 = 0xC1;
pub(crate) const BINARY1: u8 = 0xC2;

pub(crate) const TAKEOVER: DeflateParams = DeflateParams {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
};
pub(crate) const NO_TAKEOVER: DeflateParams =
    DeflateParams { server_no_context_takeover: true, client_no_context_takeover: true, ..TAKEOVER };

/// Another compressor, which takes its context over.
pub(crate) struct Coder(Compress);

impl Coder {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::new(6), false))
    }

    /// The payload of a message (RFC 7692 §7.2.1).
    pub(crate) fn code(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 100);
        let end = self.0.total_in() + bytes.len() as u64;
        while self.0.total_in() < end {
            let rest = &bytes[bytes.len() - (end - self.0.total_in()) as usize..];
            out.reserve(100);
            self.0.compress_vec(rest, &mut out, FlushCompress::None).unwrap();
        }
        out.reserve(bytes.len() + 100);
        self.0.compress_vec(&[], &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]) && out.capacity() > out.len());
        out.truncate(out.len() - 4);
        out
    }
}

/// One message by itself.
pub(crate) fn code(bytes: &[u8]) -> Vec<u8> {
    Coder::new().code(bytes)
}

/// What another implementation makes of a message's payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Oracle {
    Whole(Vec<u8>),
    /// A final block ended here, and something stands behind it: what, the oracle cannot read.
    Final(Vec<u8>),
    Corrupt,
}

pub(crate) struct Decoder(Decompress);

impl Decoder {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(false))
    }

    /// The message (RFC 7692 §7.2.2), and whether its last block was marked as final: then nothing can follow.
    pub(crate) fn read(&mut self, payload: &[u8]) -> Oracle {
        let mut out = Vec::new();
        if payload.is_empty() {
            return Oracle::Whole(out);
        }
        match self.feed(payload, &mut out) {
            Ok((Status::StreamEnd, taken)) if taken == payload.len() => return Oracle::Whole(out),
            Ok((Status::StreamEnd, _)) => return Oracle::Final(out),
            Ok(_) => {}
            Err(()) => return Oracle::Corrupt,
        }
        match self.feed(&[0, 0, 0xff, 0xff], &mut out) {
            Ok((Status::StreamEnd, 4)) => Oracle::Whole(out),
            Ok((Status::Ok | Status::BufError, _)) => Oracle::Whole(out),
            _ => Oracle::Corrupt,
        }
    }

    fn feed(&mut self, mut wire: &[u8], out: &mut Vec<u8>) -> Result<(Status, usize), ()> {
        let all = wire.len();
        loop {
            let (taken, given) = (self.0.total_in(), out.len());
            out.reserve(4096);
            let status = self.0.decompress_vec(wire, out, FlushDecompress::None).map_err(|_| ())?;
            wire = &wire[(self.0.total_in() - taken) as usize..];
            let stuck = self.0.total_in() == taken && out.len() == given;
            if status == Status::StreamEnd || (out.len() < out.capacity() && (wire.is_empty() || stuck)) {
                return Ok((status, all - wire.len()));
            }
        }
    }
}

/// A host: messages, whole; and the error that ended it.
pub(crate) struct Host<S: Role> {
    pub(crate) conn: Connection<S>,
    pub(crate) inflater: Inflater<S>,
    pub(crate) assembler: Assembler,
    pub(crate) messages: Vec<(Kind, Vec<u8>)>,
}

impl<S: Role> Host<S> {
    pub(crate) fn new(params: &DeflateParams, pool: &InflatePool) -> Self {
        Self {
            conn: Connection::new().with_limits(Limits::NONE).with_extension_bits(Rsv::RSV1),
            inflater: Inflater::new(params, pool).unwrap(),
            assembler: Assembler::new(usize::MAX),
            messages: Vec::new(),
        }
    }

    /// One read.
    pub(crate) fn read(&mut self, pool: &mut InflatePool, wire: &[u8]) -> Result<(), ProtocolError> {
        let mut ready = self.inflater.ready(pool).expect("a decompressor is free");
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
                            message.into_bytes().fill(b'#'); // the host's own now: nothing may depend on it
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All of a wire, cut at the rising places `cuts`.
    pub(crate) fn play(
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

/// What one message inflates to, in parts of this size, fed in pieces cut at the rising places `cuts`.
pub(crate) fn inflate<S: Role>(
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
        let mut parts = ready.feed(Part { kind, rsv: Rsv::RSV1, bytes, last });
        while let Some(part) = parts.next_part()? {
            out.extend_from_slice(part.bytes);
            part.bytes.fill(b'#');
            ends += usize::from(part.last);
        }
        if last {
            break;
        }
    }
    assert_eq!(ends, 1, "a message ends once");
    Ok(out)
}

/// A pool whose parts are of this size.
pub(crate) fn pool(part: usize) -> InflatePool {
    InflatePool::new(InflateConfig { part, ..InflateConfig::default() })
}

/// Words, numbers and repetitions, as in JSON: what compresses about four times.
pub(crate) fn prose(len: usize, seed: u64) -> Vec<u8> {
    let mut random = random(seed);
    let mut text = String::new();
    while text.len() < len {
        let n = random();
        text += &format!("{{\"id\":{},\"größe\":{},\"tags\":[\"neu\",\"schön\"]}},", n % 100_000, n >> 60);
    }
    let mut end = len;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.into_bytes()
}

/// What does not compress.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = random(seed);
    (0..len).map(|_| random() as u8).collect()
}

/// Numbers that differ (SplitMix64).
pub(crate) fn random(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

pub(crate) fn frame_to<S: Role>(first: u8, payload: &[u8]) -> Vec<u8> {
    to::<S>(first, payload)
}

/// The verbs of the two roles as one: what goes on the wire.
pub(crate) trait Sender: Role {
    fn deflate(
        deflater: &mut Deflater<Self>,
        conn: &mut Connection<Self>,
        pool: &mut DeflatePool,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Vec<u8>, SendError>;
    fn deflate_fragment(
        deflater: &mut Deflater<Self>,
        conn: &mut Connection<Self>,
        pool: &mut DeflatePool,
        kind: Kind,
        payload: &[u8],
        last: bool,
    ) -> Result<Vec<u8>, SendError>;
}

fn sent(out: &Outgoing<'_>) -> Vec<u8> {
    [&out.header[..], out.payload].concat()
}

impl Sender for Server {
    fn deflate(
        deflater: &mut Deflater<Self>,
        conn: &mut Connection<Self>,
        pool: &mut DeflatePool,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Vec<u8>, SendError> {
        let out = deflater.message(conn, kind, payload, pool)?;
        assert_eq!(out.is_unchanged(), core::ptr::eq(out.payload, payload));
        assert_eq!(out.is_unchanged(), out.header[0] & 0x40 == 0);
        Ok(sent(&out))
    }
    fn deflate_fragment(
        deflater: &mut Deflater<Self>,
        conn: &mut Connection<Self>,
        pool: &mut DeflatePool,
        kind: Kind,
        payload: &[u8],
        last: bool,
    ) -> Result<Vec<u8>, SendError> {
        let out = deflater.fragment(conn, kind, payload, last, pool)?;
        assert_eq!(out.is_unchanged(), core::ptr::eq(out.payload, payload));
        Ok(sent(&out))
    }
}

impl Sender for Client {
    fn deflate(
        deflater: &mut Deflater<Self>,
        conn: &mut Connection<Self>,
        pool: &mut DeflatePool,
        kind: Kind,
        payload: &[u8],
    ) -> Result<Vec<u8>, SendError> {
        let out = deflater.message(conn, kind, payload, pool, Key::new(key(payload.len())))?;
        assert!(!out.is_unchanged(), "it is masked");
        Ok(sent(&out))
    }
    fn deflate_fragment(
        deflater: &mut Deflater<Self>,
        conn: &mut Connection<Self>,
        pool: &mut DeflatePool,
        kind: Kind,
        payload: &[u8],
        last: bool,
    ) -> Result<Vec<u8>, SendError> {
        let out = deflater.fragment(conn, kind, payload, last, pool, Key::new(key(payload.len())))?;
        Ok(sent(&out))
    }
}
