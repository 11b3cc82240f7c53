//! Messages, and their bytes on the wire.

use bytes::Bytes;
use framewire::deflate::{DeflateConfig, DeflatePool, Deflater};
use framewire::extension::DeflateParams;
use framewire::{Client, Connection, Kind, Rsv, mask};
use std::rc::Rc;

/// The content of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Any bytes.
    Binary,
    /// ASCII text.
    Ascii,
    /// Text in which every tenth letter or so has two bytes and the others are ASCII, as in Western languages.
    Mixed,
    /// Text of letters of one to four bytes, each length equally often.
    MultiByte,
    /// Text like the JSON of applications, for compression.
    Json,
}

impl Content {
    /// Text or binary.
    pub fn kind(self) -> Kind {
        if self == Self::Binary { Kind::Binary } else { Kind::Text }
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ASCII",
            Self::Mixed => "mixed",
            Self::MultiByte => "multi-byte",
            Self::Json => "JSON",
        }
    }

    /// This many bytes of it.
    pub fn make(self, len: usize, random: &mut Random) -> Vec<u8> {
        const ASCII: &str = "abcdefghijklmnopqrstuvwxyz ABCDEFGH0123456789";
        const MULTI: &str = "äöüабвгд日本語漢字😀 abc";
        match self {
            Self::Binary => (0..len).map(|_| random.next() as u8).collect(),
            Self::Ascii => letters(ASCII, len, random),
            Self::Mixed => letters("etaoin shrdlu étaoin shrdlü", len, random),
            Self::MultiByte => letters(MULTI, len, random),
            Self::Json => json(len, random),
        }
    }
}

/// The lengths of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All messages have this length.
    Of(usize),
    /// Each message has its own length, from 1 to this.
    UpTo(usize),
}

impl Size {
    /// Its name in tables.
    pub fn name(self) -> String {
        match self {
            Self::Of(len) => bytes_name(len),
            Self::UpTo(len) => format!("1–{len} B"),
        }
    }

    /// The longest length.
    pub fn max(self) -> usize {
        match self {
            Self::Of(len) | Self::UpTo(len) => len,
        }
    }

    /// The length of the next message.
    pub fn next(self, random: &mut Random) -> usize {
        match self {
            Self::Of(len) => len,
            Self::UpTo(len) => 1 + random.below(len),
        }
    }
}

/// A number of bytes as tables show it.
pub fn bytes_name(len: usize) -> String {
    match len {
        0 => "0 B".into(),
        len if len % (1 << 20) == 0 => format!("{} MiB", len >> 20),
        len if len % (1 << 10) == 0 => format!("{} KiB", len >> 10),
        len => format!("{len} B"),
    }
}

/// How the bytes on the wire are cut into reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// All bytes are already in the buffer in which they are decoded: what decoding alone costs. Only a contender that lends
    /// its receive buffer, or works on the host's, can be measured so.
    InHand,
    /// One read brings all bytes.
    Whole,
    /// A read brings 1,448 bytes: a TCP segment.
    Segments,
    /// A read brings one frame.
    Frames,
    /// All bytes have arrived, but a read brings at most [`Arrival::STREAM`]: a host with a buffer of that size.
    Stream,
}

impl Arrival {
    /// The most that a read of a stream brings.
    pub const STREAM: usize = 64 << 10;

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::InHand => "in the buffer",
            Self::Whole => "one read",
            Self::Segments => "reads of 1448 B",
            Self::Frames => "a read a frame",
            Self::Stream => "reads of 64 KiB",
        }
    }
}

/// Messages of one kind, and the bytes that a client sends for them, each frame with its own key.
pub struct Batch {
    /// The kind of all messages.
    pub kind: Kind,
    /// The payloads.
    pub payloads: Vec<Bytes>,
    /// The frames, one after the other.
    pub wire: Vec<u8>,
    /// The end of each frame in `wire`.
    ends: Vec<usize>,
}

/// How the messages of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Whether a message may refer to those before it.
    pub takeover: bool,
}

impl Compression {
    /// The level of zlib for all contenders: framewire's default.
    pub const LEVEL: u8 = 2;

    /// The parameters that the peers agreed on.
    pub fn params(self) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: !self.takeover,
            client_no_context_takeover: !self.takeover,
            ..DeflateParams::default()
        }
    }

    /// The same parameters as the header of the opening handshake has them.
    pub fn header(self) -> &'static str {
        if self.takeover {
            "permessage-deflate"
        } else {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        }
    }

    /// A pool for framewire's deflaters.
    pub fn pool(self) -> DeflatePool {
        DeflatePool::new(DeflateConfig { level: Self::LEVEL, min_len: 0, ..DeflateConfig::default() })
    }
}

impl Batch {
    /// As many messages as fit into a CPU's second-level cache together; at least one.
    pub fn new(content: Content, size: Size, compression: Option<Compression>) -> Rc<Self> {
        Self::of(content, size, (200_000 / (size.max() + 20)).clamp(1, 2000), compression)
    }

    /// Messages for sending only: many, also of long ones, which are the same few repeated. They have no wire.
    pub fn to_send(content: Content, size: Size) -> Rc<Self> {
        let few = Self::of(content, size, (200_000 / (size.max() + 20)).clamp(1, 2000), None);
        let payloads = few.payloads.iter().cycle().take(few.payloads.len().max(256)).cloned().collect();
        Rc::new(Self { kind: few.kind, payloads, wire: Vec::new(), ends: Vec::new() })
    }

    /// This many messages.
    pub fn of(content: Content, size: Size, count: usize, compression: Option<Compression>) -> Rc<Self> {
        let mut random = Random::new();
        let payloads = (0..count).map(|_| content.make(size.next(&mut random), &mut random).into()).collect();
        Rc::new(Self::from_payloads(content.kind(), payloads, compression, &mut random))
    }

    /// These messages, whatever their content.
    pub fn from_payloads(
        kind: Kind,
        payloads: Vec<Bytes>,
        compression: Option<Compression>,
        random: &mut Random,
    ) -> Self {
        let mut connection = Connection::<Client>::new().with_extension_bits(Rsv::RSV1);
        let mut deflate = compression.map(|it| (Deflater::<Client>::new(&it.params()), it.pool()));
        let (mut wire, mut ends) = (Vec::new(), Vec::new());
        for payload in &payloads {
            let key = mask::Key::new((random.next() as u32).to_ne_bytes());
            match &mut deflate {
                Some((deflater, pool)) => {
                    let sent = deflater.message(&mut connection, kind, payload, pool, key);
                    sent.expect("an open connection").append_to(&mut wire);
                }
                None => {
                    connection.append_message(&mut wire, kind, payload, key).expect("an open connection");
                }
            }
            ends.push(wire.len());
        }
        Self { kind, payloads, wire, ends }
    }

    /// The end of each read in the wire.
    pub fn reads(&self, arrival: Arrival) -> Vec<usize> {
        match arrival {
            Arrival::InHand | Arrival::Whole | Arrival::Stream => vec![self.wire.len()],
            Arrival::Segments => {
                let mut ends: Vec<_> = (1448..self.wire.len()).step_by(1448).collect();
                ends.push(self.wire.len());
                ends
            }
            Arrival::Frames => self.ends.clone(),
        }
    }

    /// The number of payload bytes.
    pub fn bytes(&self) -> usize {
        self.payloads.iter().map(Bytes::len).sum()
    }
}

/// Random numbers that are the same in every run (xorshift64).
pub struct Random(u64);

impl Random {
    /// A generator at its start.
    #[expect(clippy::new_without_default, reason = "there is nothing default about a seed")]
    pub fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// This many bytes of random letters from these.
fn letters(letters: &str, len: usize, random: &mut Random) -> Vec<u8> {
    let letters: Vec<char> = letters.chars().collect();
    let mut text = String::with_capacity(len);
    while text.len() < len {
        let letter = letters[random.below(letters.len())];
        text.push(if text.len() + letter.len_utf8() > len { 'x' } else { letter });
    }
    text.into_bytes()
}

/// This many bytes of text like JSON, cut at that length.
fn json(len: usize, random: &mut Random) -> Vec<u8> {
    const WORDS: [&str; 8] = ["order", "trade", "quote", "cancel", "filled", "pending", "limit", "market"];
    let mut text = String::with_capacity(len + 128);
    while text.len() < len {
        let (kind, state) = (WORDS[random.below(8)], WORDS[random.below(8)]);
        let (id, price, size) = (random.below(1_000_000), random.below(100_000), random.below(500));
        text += &format!(
            r#"{{"type":"{kind}","state":"{state}","id":{id},"price":{}.{:02},"size":{size}}},"#,
            price / 100,
            price % 100
        );
    }
    text.truncate(len);
    text.into_bytes()
}
