//! Compressed messages of any bytes, from several peers at once, through pools that they share. A slow reader of RFC 1951 gives
//! the same bytes, as early as they arrive, whatever the parts, and whatever the pauses inside them. miniz_oxide agrees if both
//! accept. Errors are those of the first wrong byte. Output never exceeds the limit, and memory never what is documented.

use crate::cost;
use crate::input::{Input, repeated};
use crate::meter::Meter;
use framewire::{
    Client, Kind, Part, ProtocolError, Role, Rsv, Server,
    deflate::{InflateConfig, InflatePool, Inflater},
    extension::DeflateParams,
};
use framewire_testing::{
    miniz::{Decompressor, Verdict, compress},
    rfc1951::{End, Reader},
    utf8::judge,
};

/// Two bytes of options, then parts: a byte that says whose part it is and of what kind, and a block.
pub fn check(input: &[u8]) {
    cost::check("inflate", input);
    let mut input = Input::new(input);
    let options: [u8; 2] = input.bytes();
    match options[0] & 1 {
        0 => Hall::<Server>::new(options).play(&mut input),
        _ => Hall::<Client>::new(options).play(&mut input),
    }
}

const PEERS: usize = 3;

/// Some peers, and two pools, which may share a budget. A connection may move between the pools inside a message.
struct Hall<S: Role> {
    params: DeflateParams,
    config: InflateConfig,
    pools: [InflatePool; 2],
    is_shared: bool,
    /// A pool for hosts that have their messages whole.
    whole: InflatePool,
    peers: Vec<Peer<S>>,
    meter: Meter,
}

impl<S: Role> Hall<S> {
    fn new(options: [u8; 2]) -> Self {
        let (no_takeover, bits) = (options[0] & 2 != 0, 8 + (options[0] >> 2 & 7));
        let params = DeflateParams {
            server_no_context_takeover: no_takeover,
            client_no_context_takeover: no_takeover,
            server_max_window_bits: bits,
            client_max_window_bits: bits,
        };
        let window = 1 << bits.max(9);
        let config = InflateConfig {
            messages: 1 + usize::from(options[0] >> 5 & 3),
            windows: if options[0] & 0x80 == 0 { PEERS * window } else { (PEERS - 1) * window },
            message: 1 << (options[1] % 18),
            part: 1 << (options[1] >> 4),
        };
        let is_shared = options[1] & 8 != 0;
        let whole = InflatePool::new(InflateConfig { messages: 1, windows: usize::MAX, ..config });
        let mut meter = Meter::default();
        let pools = meter.run(|| {
            let one = InflatePool::new(config);
            let other = if is_shared { InflatePool::sharing(one.budget()) } else { InflatePool::new(config) };
            [one, other]
        });
        let mut hall = Self { params, config, pools, is_shared, whole, peers: Vec::new(), meter };
        for _ in 0..PEERS {
            let fits = no_takeover || hall.pools[0].windows() + window <= config.windows;
            let peer = hall.peer();
            assert_eq!(peer.is_some(), fits, "a window within the budget");
            hall.peers.extend(peer);
        }
        hall
    }

    fn peer(&mut self) -> Option<Peer<S>> {
        let inflater = self.meter.run(|| Inflater::new(&self.params, &self.pools[0])).ok()?;
        let takes_over = !self.params.server_no_context_takeover;
        let other = takes_over.then(Decompressor::default);
        let whole = Inflater::new(&self.params, &self.whole).expect("a window");
        Some(Peer { inflater, whole, window: Vec::new(), message: None, other })
    }

    fn play(mut self, input: &mut Input<'_>) {
        while !input.is_empty() {
            let what = input.byte();
            let bytes = match what >> 4 & 3 {
                0 | 1 => input.block().to_vec(),
                2 => compress(input.block()), // by another implementation
                _ => compress(&repeated(input.block(), input.length())),
            };
            self.feed(usize::from(what % 4) % self.peers.len(), what, bytes);
        }
        drop(self.meter.run(|| self.peers));
        assert!(self.pools.iter().all(|pool| pool.windows() == 0), "windows come back");
        let windows = self.config.windows;
        let each = InflatePool::DECOMPRESSOR + (1 << self.params.server_max_window_bits.max(9));
        let messages = self.config.messages;
        let decompressors = if self.is_shared { messages + 1 + 2 * InflatePool::IDLE } else { 2 * messages };
        let most = 2 * self.config.part + decompressors * each + windows + (1 << 10);
        assert!(self.meter.peak() <= most, "{} bytes, and not {most}", self.meter.peak());
    }

    fn feed(&mut self, who: usize, what: u8, mut bytes: Vec<u8>) {
        let (last, moved) = (what & 4 != 0, what & 8 != 0);
        let (part_size, limit) = (self.config.part, self.config.message as usize);
        let pool = &mut self.pools[usize::from(moved)];
        let peer = &mut self.peers[who];
        let free = pool.has_decompressor();
        let Some(mut ready) = self.meter.run(|| peer.inflater.ready(pool)) else {
            assert!(!free && !peer.inflater.is_open(), "no cause to wait");
            return;
        };
        let kind = if what & 0x40 == 0 { Kind::Binary } else { Kind::Text };
        let coded = what & 0x80 == 0;
        let mut message =
            peer.message.take().unwrap_or(Message { kind, coded, wire: vec![], out: vec![], ended: false });
        message.wire.extend_from_slice(&bytes);
        let rsv = if message.coded { Rsv::RSV1 } else { Rsv::NONE };
        // Some parts are paused after all that comes out of them, and their rest is fed from another buffer.
        let pauses = bytes.first().is_some_and(|byte| byte % 2 != 0);
        let outcome = loop {
            let mut parts = ready.feed(Part::new(message.kind, rsv, &mut bytes, last));
            let pulled = loop {
                let pulled = &mut parts;
                match self.meter.run(move || pulled.next_part()) {
                    Ok(Some(part)) => {
                        assert!(part.rsv.is_none() && part.kind == message.kind && !message.ended);
                        assert!(!message.coded || part.bytes().len() <= part_size, "a part too long");
                        assert!(!part.bytes().is_empty() || part.last || !message.coded, "an empty part");
                        message.out.extend_from_slice(part.bytes());
                        message.ended = part.last;
                        part.into_bytes().fill(b'#'); // the host's now: nothing may depend on it
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
                if pauses {
                    break Ok(());
                }
            };
            match parts.pause() {
                Some(rest) if pulled.is_ok() => {
                    assert_eq!((rest.kind, rest.rsv, rest.last), (message.kind, rsv, last));
                    bytes = rest.bytes().to_vec();
                }
                _ => break pulled,
            }
        };
        drop(ready);

        if !message.coded {
            assert_eq!((outcome, message.ended), (Ok(()), last));
            assert_eq!(message.out, message.wire, "as it came");
            peer.message = (!last).then_some(message);
            return;
        }
        assert!(message.out.len() <= limit, "more than the limit");
        let reader = Reader { window: &peer.window, limit, ..Reader::ALONE };
        if last || outcome.is_err() {
            let expected = message.verdict(reader.whole(&message.wire), true);
            if last {
                let mut ready = peer.whole.ready(&mut self.whole).expect("it is free between two calls");
                let got = match message.kind {
                    Kind::Text => ready.inflate_text(&message.wire).map(String::into_bytes),
                    Kind::Binary => ready.inflate_binary(&message.wire),
                };
                assert_eq!(got, expected, "at once: {:x?}", message.wire);
            }
            match expected {
                Ok(bytes) => {
                    assert_eq!((outcome, message.ended), (Ok(()), true), "{:x?}", message.wire);
                    assert_eq!(message.out, bytes);
                    peer.message_ended(&message, &self.params);
                }
                Err(error) => {
                    assert_eq!(outcome, Err(error), "{:x?}", message.wire);
                    self.replace(who, moved);
                }
            }
        } else {
            assert!(!message.ended);
            if message.wire.len() < 256 {
                // The bytes so far have come out, and an error in them has been reported; but zlib reads all code lengths
                // before it reports that they are no code.
                let verdict = message.verdict(reader.start(&message.wire), false);
                assert!(verdict == Err(ProtocolError::CorruptDeflate) || verdict == Ok(message.out.clone()));
            }
            peer.message = Some(message);
        }
    }

    /// The host fails a connection that had an error. The error stays, the connection holds nothing, and a new peer follows.
    fn replace(&mut self, who: usize, moved: bool) {
        let peer = &mut self.peers[who];
        assert!(!peer.inflater.is_open(), "nothing is held behind an error");
        if let Some(mut ready) = peer.inflater.ready(&mut self.pools[usize::from(moved)]) {
            let mut more = [0xf2, 0x48];
            let part = Part::new(Kind::Binary, Rsv::RSV1, &mut more, true);
            assert!(ready.feed(part).next_part().is_err(), "the error stays");
        }
        let gone = self.peers.swap_remove(who);
        self.meter.run(|| drop(gone));
        let new = self.peer().expect("its window came back");
        self.peers.push(new);
    }
}

struct Peer<S: Role> {
    inflater: Inflater<S>,
    /// The same for a host that has its messages whole.
    whole: Inflater<S>,
    /// The bytes to which its next message may refer.
    window: Vec<u8>,
    /// The open message.
    message: Option<Message>,
    /// Another implementation, until a final block, which it cannot follow.
    other: Option<Decompressor>,
}

impl<S: Role> Peer<S> {
    fn message_ended(&mut self, message: &Message, params: &DeflateParams) {
        let takes_over = !params.server_no_context_takeover;
        if takes_over {
            self.window.extend_from_slice(&message.out);
            let size = 1 << params.server_max_window_bits.max(9);
            self.window.drain(..self.window.len().saturating_sub(size));
        } else {
            self.other = Some(Decompressor::default());
        }
        let Some(other) = &mut self.other else { return };
        match other.read(&message.wire) {
            Verdict::Whole(bytes) => assert_eq!(message.out, bytes),
            Verdict::Final(bytes) => {
                assert!(message.out.starts_with(&bytes));
                self.other = None;
            }
            Verdict::Corrupt => panic!("corrupt, says another: {:x?}", message.wire),
        }
    }
}

struct Message {
    kind: Kind,
    coded: bool,
    /// What has arrived, and what has come out.
    wire: Vec<u8>,
    out: Vec<u8>,
    ended: bool,
}

impl Message {
    /// The right outcome, from that of the slow reader. The first error in the bytes counts.
    fn verdict(&self, (bytes, end): (Vec<u8>, End), whole: bool) -> Result<Vec<u8>, ProtocolError> {
        let fits = if end == End::TooBig { &bytes[..bytes.len() - 1] } else { &bytes[..] };
        let (impossible, complete) = judge(fits);
        let is_text = self.kind == Kind::Text;
        match end {
            _ if is_text && impossible.is_some() => Err(ProtocolError::InvalidUtf8),
            End::TooBig => Err(ProtocolError::MessageTooBig),
            End::Corrupt => Err(ProtocolError::CorruptDeflate),
            End::Whole if is_text && whole && !complete => Err(ProtocolError::InvalidUtf8),
            End::Whole | End::Truncated => Ok(bytes),
        }
    }
}
