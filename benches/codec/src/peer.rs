//! What somebody has to do to be measured, and how it is measured.

use crate::{
    batch::{Arrival, Batch, Compression},
    socket::{Sent, Socket},
    work::{Contender, Part, Work, used},
};
use bytes::Bytes;
use framewire::Kind;
use std::{error::Error, rc::Rc};

/// The server's end of a connection, as a crate offers it.
pub trait Peer: Sized + 'static {
    /// What is to be said of it.
    const ABOUT: About;

    /// Whether [`fill`](Self::fill) puts the bytes where they will be decoded. Then decoding can be measured without
    /// the copying that a read is; otherwise the crate reads while it decodes.
    const IN_HAND: bool = false;

    /// A message as the crate sends it: owned where it wants to own it.
    type Outgoing;

    /// A connection after its opening handshake.
    fn new(socket: Socket) -> Self;

    /// The same with permessage-deflate agreed on; `None` where the crate cannot do it, or not so.
    fn with_deflate(socket: Socket, compression: Compression) -> Option<Self> {
        let _ = (socket, compression);
        None
    }

    /// Takes one read of the socket in, or lets it be read; `false` where there is none any more.
    fn fill(&mut self) -> bool;

    /// Decodes all there is, to whole messages.
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome;

    /// A message of this payload, a text if `kind` says so. Not measured.
    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing;

    /// Sends these messages. They may be used up.
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>);

    /// Sends back all there is. What a good server on this crate would do: as few writes as the crate allows.
    fn echo(&mut self) -> Outcome;
}

/// What is to be said of a contender.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// How it is called in tables.
    pub name: &'static str,
    /// The crate's name.
    pub package: &'static str,
    /// What it is to the comparison.
    pub part: Part,
    /// Whether it validates text. `tests/peers.rs` holds this.
    pub validates: Validation,
}

/// Whether text that is not UTF-8 is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// As RFC 6455 §8.1 demands.
    Always,
    /// But not where a frame is cut by the end of a read.
    UnlessCut,
    /// The host has to.
    Never,
}

/// Where messages go.
pub trait Sink {
    /// A whole message.
    fn message(&mut self, kind: Kind, payload: &[u8]);
}

/// What decoding came to: where the peer's bytes are wrong, anything but `Ok`.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Work, where the contender can do it.
type Able = Option<Box<dyn Work>>;

/// What came of it, where the contender can do it.
type Done<T> = Option<Outcome<T>>;

/// A [`Peer`] of which the type is forgotten: what [`PEERS`](crate::peers::PEERS) is a table of.
#[derive(Clone, Copy)]
pub struct Entry {
    /// What is to be said of it.
    pub about: About,
    decode: fn(&Rc<Batch>, Arrival, Option<Compression>) -> Able,
    encode: fn(&Rc<Batch>, Option<Compression>) -> Able,
    echo: fn(&Rc<Batch>, Arrival) -> Able,
    decoded: fn(&Rc<Batch>, Arrival, Option<Compression>) -> Done<Messages>,
    encoded: fn(&Rc<Batch>, Option<Compression>) -> Option<Sent>,
    echoed: fn(&Rc<Batch>, Arrival) -> Done<Sent>,
}

/// Messages with their kinds.
pub type Messages = Vec<(Kind, Vec<u8>)>;

impl Entry {
    /// The entry of `P`.
    pub const fn of<P: Peer>() -> Self {
        Self {
            about: P::ABOUT,
            decode: |batch, arrival, compression| {
                Some(Box::new(Decode::<P>::new(batch, arrival, compression)?))
            },
            encode: |batch, compression| Some(Box::new(Encode::<P>::new(batch, compression)?)),
            echo: |batch, arrival| Some(Box::new(Echo::<P>::new(batch, arrival)?)),
            decoded: |batch, arrival, compression| {
                let mut decode = Decode::<P>::new(batch, arrival, compression)?;
                Some(decode.collect().and_then(|_| decode.collect()))
            },
            encoded: |batch, compression| {
                let mut encode = Encode::<P>::new(batch, compression)?;
                encode.prepare();
                encode.socket.record();
                encode.run();
                Some(encode.socket.sent())
            },
            echoed: |batch, arrival| {
                let mut echo = Echo::<P>::new(batch, arrival)?;
                echo.prepare();
                echo.socket.record();
                let outcome = echo.all();
                Some(outcome.map(|()| echo.socket.sent()))
            },
        }
    }

    /// Decoding the batch, where it can be had in this way.
    pub fn decode(
        &self,
        batch: &Rc<Batch>,
        arrival: Arrival,
        compression: Option<Compression>,
    ) -> Option<Contender> {
        let is_lax = match self.about.validates {
            Validation::Always => false,
            Validation::UnlessCut => arrival == Arrival::Segments,
            Validation::Never => true,
        };
        self.contender((self.decode)(batch, arrival, compression)?, is_lax && batch.kind == Kind::Text)
    }

    /// Sending the messages of the batch.
    pub fn encode(&self, batch: &Rc<Batch>, compression: Option<Compression>) -> Option<Contender> {
        self.contender((self.encode)(batch, compression)?, false)
    }

    /// Sending the batch back.
    pub fn echo(&self, batch: &Rc<Batch>, arrival: Arrival) -> Option<Contender> {
        // Who never validates has to be asked to, before it sends a text back.
        let is_lax = self.about.validates == Validation::UnlessCut && arrival == Arrival::Segments;
        self.contender((self.echo)(batch, arrival)?, is_lax && batch.kind == Kind::Text)
    }

    /// What it decodes the batch to, the second time; an error where it refuses it.
    pub fn decoded(
        &self,
        batch: &Rc<Batch>,
        arrival: Arrival,
        compression: Option<Compression>,
    ) -> Done<Messages> {
        (self.decoded)(batch, arrival, compression)
    }

    /// What it writes for the messages of the batch.
    pub fn encoded(&self, batch: &Rc<Batch>, compression: Option<Compression>) -> Option<Sent> {
        (self.encoded)(batch, compression)
    }

    /// What it writes back.
    pub fn echoed(&self, batch: &Rc<Batch>, arrival: Arrival) -> Done<Sent> {
        (self.echoed)(batch, arrival)
    }

    fn contender(&self, work: Box<dyn Work>, is_lax: bool) -> Option<Contender> {
        let part = if is_lax { Part::Lax } else { self.about.part };
        Some(Contender { name: self.about.name.into(), part, work })
    }
}

/// What a host does with messages that costs nothing.
struct Used;

impl Sink for Used {
    #[inline(always)]
    fn message(&mut self, _: Kind, payload: &[u8]) {
        used(payload);
    }
}

impl Sink for Messages {
    fn message(&mut self, kind: Kind, payload: &[u8]) {
        self.push((kind, payload.to_vec()));
    }
}

struct Decode<P> {
    peer: P,
    socket: Socket,
    in_hand: bool,
}

impl<P: Peer> Decode<P> {
    fn new(batch: &Rc<Batch>, arrival: Arrival, compression: Option<Compression>) -> Option<Self> {
        let in_hand = arrival == Arrival::InHand;
        if in_hand && !P::IN_HAND {
            return None;
        }
        let socket = Socket::new(batch, arrival);
        let peer = match compression {
            Some(compression) => P::with_deflate(socket.clone(), compression)?,
            None => P::new(socket.clone()),
        };
        Some(Self { peer, socket, in_hand })
    }

    #[inline]
    fn all(&mut self, sink: &mut impl Sink) -> Outcome {
        if self.in_hand {
            return self.peer.decode(sink);
        }
        while self.peer.fill() {
            self.peer.decode(sink)?;
        }
        Ok(())
    }

    fn collect(&mut self) -> Outcome<Messages> {
        self.prepare();
        let mut messages = Vec::new();
        self.all(&mut messages)?;
        Ok(messages)
    }
}

impl<P: Peer> Work for Decode<P> {
    fn prepare(&mut self) {
        self.socket.rewind();
        if self.in_hand {
            assert!(self.peer.fill(), "the only read has arrived");
        }
    }

    fn run(&mut self) {
        self.all(&mut Used).expect("sound messages");
    }
}

struct Encode<P: Peer> {
    peer: P,
    socket: Socket,
    batch: Rc<Batch>,
    messages: Vec<P::Outgoing>,
}

impl<P: Peer> Encode<P> {
    fn new(batch: &Rc<Batch>, compression: Option<Compression>) -> Option<Self> {
        let socket = Socket::new(batch, Arrival::Whole);
        let peer = match compression {
            Some(compression) => P::with_deflate(socket.clone(), compression)?,
            None => P::new(socket.clone()),
        };
        Some(Self { peer, socket, batch: batch.clone(), messages: Vec::new() })
    }
}

impl<P: Peer> Work for Encode<P> {
    fn prepare(&mut self) {
        self.socket.rewind();
        self.messages.clear();
        let kind = self.batch.kind;
        self.messages.extend(self.batch.payloads.iter().map(|payload| P::outgoing(kind, payload)));
    }

    fn run(&mut self) {
        self.peer.encode(&mut self.messages);
    }
}

struct Echo<P> {
    peer: P,
    socket: Socket,
    in_hand: bool,
}

impl<P: Peer> Echo<P> {
    fn new(batch: &Rc<Batch>, arrival: Arrival) -> Option<Self> {
        let in_hand = arrival == Arrival::InHand;
        if in_hand && !P::IN_HAND {
            return None;
        }
        let socket = Socket::new(batch, arrival);
        Some(Self { peer: P::new(socket.clone()), socket, in_hand })
    }

    #[inline]
    fn all(&mut self) -> Outcome {
        if self.in_hand {
            return self.peer.echo();
        }
        while self.peer.fill() {
            self.peer.echo()?;
        }
        Ok(())
    }
}

impl<P: Peer> Work for Echo<P> {
    fn prepare(&mut self) {
        self.socket.rewind();
        if self.in_hand {
            assert!(self.peer.fill(), "the only read has arrived");
        }
    }

    fn run(&mut self) {
        self.all().expect("sound messages");
    }
}
