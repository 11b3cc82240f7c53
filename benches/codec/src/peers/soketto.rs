//! soketto, buffered on both sides, as its users do it. It does not validate text. It sends text only as a `&str`, so sending
//! one back requires validation.

use crate::{
    peer::{About, Outcome, Peer, Sink, Validation},
    socket::{Socket, ready},
    work::Part,
};
use ::soketto::{
    Data, Receiver, Sender,
    connection::{Builder, Mode},
};
use bytes::Bytes;
use framewire::Kind;
use futures_util::io::{BufReader, BufWriter};

pub(super) struct Soketto {
    socket: Socket,
    sender: Sender<Buffered>,
    receiver: Receiver<Buffered>,
    message: Vec<u8>,
}

type Buffered = BufReader<BufWriter<Socket>>;

impl Peer for Soketto {
    const ABOUT: About =
        About { name: "soketto", package: "soketto", part: Part::Peer, validates: Validation::Never };

    type Outgoing = (Kind, Bytes, String);

    fn new(socket: Socket) -> Self {
        let buffered = BufReader::new(BufWriter::new(socket.clone()));
        let (sender, receiver) = Builder::new(buffered, Mode::Server).finish();
        Self { socket, sender, receiver, message: Vec::new() }
    }

    fn fill(&mut self) -> bool {
        self.socket.arrive_all()
    }

    #[inline]
    fn decode(&mut self, sink: &mut impl Sink) -> Outcome {
        for _ in 0..self.socket.messages() {
            let kind = self.next()?;
            sink.message(kind, &self.message);
        }
        Ok(())
    }

    fn outgoing(kind: Kind, payload: &Bytes) -> Self::Outgoing {
        match kind {
            Kind::Text => (kind, Bytes::new(), String::from_utf8(payload.to_vec()).expect("sound text")),
            Kind::Binary => (kind, payload.clone(), String::new()),
        }
    }

    #[inline]
    fn encode(&mut self, messages: &mut Vec<Self::Outgoing>) {
        for (kind, bytes, text) in &*messages {
            match kind {
                Kind::Text => ready(self.sender.send_text(text)),
                Kind::Binary => ready(self.sender.send_binary(bytes)),
            }
            .expect("an open connection");
        }
        ready(self.sender.flush()).expect("an open connection");
    }

    #[inline]
    fn echo(&mut self) -> Outcome {
        for _ in 0..self.socket.messages() {
            match self.next()? {
                Kind::Text => ready(self.sender.send_text(std::str::from_utf8(&self.message)?))?,
                Kind::Binary => ready(self.sender.send_binary(&self.message))?,
            }
        }
        Ok(ready(self.sender.flush())?)
    }
}

impl Soketto {
    #[inline]
    fn next(&mut self) -> Outcome<Kind> {
        self.message.clear();
        match ready(self.receiver.receive_data(&mut self.message))? {
            Data::Text(_) => Ok(Kind::Text),
            Data::Binary(_) => Ok(Kind::Binary),
        }
    }
}
