//! Whole messages: decoding, encoding, sending back.

use crate::{
    batch::{Arrival, Batch, Content, Size},
    peers::{FILLING, PEERS},
    socket::Socket,
    work::{Case, Contender, Part, Recipe, Work, used},
};
use std::rc::Rc;

const SIZES: [Size; 10] = [
    Size::Of(0),
    Size::Of(16),
    Size::Of(64),
    Size::Of(125),
    Size::Of(126),
    Size::UpTo(125),
    Size::Of(1 << 10),
    Size::Of(16 << 10),
    Size::Of(64 << 10),
    Size::Of(1 << 20),
];
const CONTENTS: [Content; 4] = [Content::Ascii, Content::Mixed, Content::MultiByte, Content::Binary];
const ARRIVALS: [Arrival; 5] =
    [Arrival::InHand, Arrival::Whole, Arrival::Segments, Arrival::Frames, Arrival::Stream];

/// Bytes to messages.
pub(super) fn decode() -> Vec<Recipe> {
    each_arrival(|batch, arrival| {
        let mut contenders: Vec<_> =
            PEERS.iter().filter_map(|peer| peer.decode(batch, arrival, None)).collect();
        if arrival == Arrival::Stream {
            contenders.extend(FILLING.decode(batch, arrival, None));
        }
        if arrival != Arrival::InHand {
            contenders.insert(0, Contender::new("reading alone", Part::Share, Reading::new(batch, arrival)));
        }
        contenders
    })
}

/// Bytes to messages to bytes.
pub(super) fn echo() -> Vec<Recipe> {
    each_arrival(|batch, arrival| PEERS.iter().filter_map(|peer| peer.echo(batch, arrival)).collect())
}

/// Messages to bytes.
pub(super) fn encode() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for content in [Content::Ascii, Content::Binary] {
        for size in SIZES {
            recipes.push(Recipe::new(format!("{}, {}", content.name(), size.name()), move |name| {
                let batch = Batch::to_send(content, size);
                let contenders = PEERS.iter().filter_map(|peer| peer.encode(&batch, None)).collect();
                case(name, &batch, contenders)
            }));
        }
    }
    recipes
}

fn each_arrival(contenders: impl Fn(&Rc<Batch>, Arrival) -> Vec<Contender> + Copy + 'static) -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for arrival in ARRIVALS {
        for content in CONTENTS {
            for size in SIZES {
                // The content makes no difference to how bytes are cut.
                if size == Size::Of(0) && content != Content::Binary
                    || !matches!(arrival, Arrival::InHand | Arrival::Whole) && content == Content::Mixed
                    || arrival == Arrival::Stream && size.max() < 1 << 10
                {
                    continue;
                }
                let name = format!("{}, {}, {}", arrival.name(), content.name(), size.name());
                recipes.push(Recipe::new(name, move |name| {
                    let batch = Batch::new(content, size, None);
                    let contenders = contenders(&batch, arrival);
                    case(name, &batch, contenders)
                }));
            }
        }
    }
    recipes
}

fn case(name: &str, batch: &Batch, contenders: Vec<Contender>) -> Case {
    Case { name: name.into(), messages: batch.payloads.len(), bytes: batch.bytes(), contenders }
}

/// The price of reading, which all contenders pay.
struct Reading {
    socket: Socket,
    rx: Vec<u8>,
}

impl Reading {
    fn new(batch: &Rc<Batch>, arrival: Arrival) -> Self {
        Self { socket: Socket::new(batch, arrival), rx: vec![0; batch.wire.len()] }
    }
}

impl Work for Reading {
    fn prepare(&mut self) {
        self.socket.rewind();
    }

    fn run(&mut self) {
        while self.socket.arrive() {
            let n = self.socket.read(&mut self.rx);
            used(&self.rx[..n]);
        }
    }
}
