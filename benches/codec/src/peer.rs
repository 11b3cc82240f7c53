//! The interface of a contender, and how it is measured.

use crate::{
    batch::{Arrival, Batch, Compression},
    socket::{Sent, Socket},
    work::{Contender, Part, Work, used},
};
use bytes::Bytes;
use framewire::Kind;
use std::{error::Error, rc::Rc};

/// The server's end of a connection, by one crate.
pub trait Peer: Sized + 'static {
    /// Its description.
    const ABOUT: About;

    /// Whether [`fill`](Self::fill) puts the bytes where they are decoded. Decoding can then be measured without the copy of
    /// a read. Otherwise the crate reads while it decodes.
    const IN_HAND: bool = false;

    /// A message as the crate sends it: owned if the crate needs to own it.
    type Outgoing;

    /// A connection after its opening handshake.
    fn new(socket: Socket) -> Self;

    /// The same with permessage-deflate; `None` if the crate cannot do this.
    fn with_deflate(socket: Socket, compression: Compression) -> Option<Self> {
        let _ = (socket, compression);
        None
    }

    /// Takes one read from the socket, or lets the crate read; `false` if no read is left.
    fn fill(&mut self) -> bool;

    /// Decodes all that was read, to whole messages.
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome;

    /// A message with this payload, and of this kind. Not measured.
    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing;

    /// Sends these messages, and may use them up.
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>);

    /// Sends back all that was read, as a good server on this crate would: with as few writes as the crate allows.
    fn echo(&mut self) -> Outcome;
}

/// The description of a contender.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name in tables.
    pub name: &'static str,
    /// The crate's name.
    pub package: &'static str,
    /// Its part in the comparison.
    pub part: Part,
    /// Whether it validates text. `tests/peers.rs` checks this.
    pub validates: Validation,
}

/// Whether text that is not UTF-8 is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// As RFC 6455 §8.1 demands.
    Always,
    /// Only if the frame is not cut by the end of a read.
    UnlessCut,
    /// The host must validate.
    Never,
}

/// The receiver of messages.
pub trait Sink {
    /// A whole message.
    fn message(&mut self, kind: Kind, payload: &[u8]);
}

/// The outcome of decoding: an error if the peer's bytes are wrong.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Work, if the contender can do it.
type Able = Option<Box<dyn Work>>;

/// The result, if the contender can do the work.
type Done<T> = Option<Outcome<T>>;

/// A [`Peer`] without its type: [`PEERS`](crate::peers::PEERS) is a table of these.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its description.
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

    /// Decodes the batch, if the contender can do it in this way.
    pub fn decode(
        &self,
        batch: &Rc<Batch>,
        arrival: Arrival,
        compression: Option<Compression>,
    ) -> Option<Contender> {
        let is_lax = match self.about.validates {
            Validation::Always => false,
            Validation::UnlessCut => matches!(arrival, Arrival::Segments | Arrival::Stream),
            Validation::Never => true,
        };
        self.contender((self.decode)(batch, arrival, compression)?, is_lax && batch.kind == Kind::Text)
    }

    /// Sends the messages of the batch.
    pub fn encode(&self, batch: &Rc<Batch>, compression: Option<Compression>) -> Option<Contender> {
        self.contender((self.encode)(batch, compression)?, false)
    }

    /// Sends the batch back.
    pub fn echo(&self, batch: &Rc<Batch>, arrival: Arrival) -> Option<Contender> {
        // A contender that does not validate must do so here, before it sends a text back.
        let is_cut = matches!(arrival, Arrival::Segments | Arrival::Stream);
        let is_lax = self.about.validates == Validation::UnlessCut && is_cut;
        self.contender((self.echo)(batch, arrival)?, is_lax && batch.kind == Kind::Text)
    }

    /// The messages that it decodes from the batch, the second time; an error if it refuses the batch.
    pub fn decoded(
        &self,
        batch: &Rc<Batch>,
        arrival: Arrival,
        compression: Option<Compression>,
    ) -> Done<Messages> {
        (self.decoded)(batch, arrival, compression)
    }

    /// The bytes that it writes for the messages of the batch.
    pub fn encoded(&self, batch: &Rc<Batch>, compression: Option<Compression>) -> Option<Sent> {
        (self.encoded)(batch, compression)
    }

    /// The bytes that it writes back.
    pub fn echoed(&self, batch: &Rc<Batch>, arrival: Arrival) -> Done<Sent> {
        (self.echoed)(batch, arrival)
    }

    fn contender(&self, work: Box<dyn Work>, is_lax: bool) -> Option<Contender> {
        let part = if is_lax { Part::Lax } else { self.about.part };
        Some(Contender { name: self.about.name.into(), part, work })
    }
}

/// A host that uses messages at no cost.
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
