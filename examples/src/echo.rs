//! An echo without I/O, which `mio_loop` (readiness) and `io_uring_echo` (completions) share: it takes received bytes, and
//! appends the bytes to be written.

use framewire::{
    Assembler, Connection, Event, Server, State, Unmasked,
    handshake::{HandshakeError, HeadBuffer, HeadLimits, HeaderSlots, PlainResponse, Request},
};

/// One connection, from its handshake to its end.
pub struct Echo {
    /// Until the handshake is done.
    head: Option<HeadBuffer>,
    connection: Connection<Server>,
    /// It keeps its memory for the next message. To give that back after a large one, replace it.
    assembler: Assembler,
    /// Nothing more will be received. Close the socket once everything is written.
    ended: bool,
}

impl Echo {
    /// The longest message.
    const MAX_MESSAGE: u64 = 16 << 20; // as in `Connection::<Server>::new()`

    pub fn new() -> Self {
        Self {
            head: Some(HeadBuffer::new(HeadLimits::default())),
            connection: Connection::new(),
            assembler: Assembler::new(Self::MAX_MESSAGE),
            ended: false,
        }
    }

    /// Whether to close the socket once everything is written.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes all bytes of a read, and appends the replies to `out`.
    pub fn receive(&mut self, mut input: &mut [u8], out: &mut Vec<u8>) {
        if let Some(head) = &mut self.head {
            let (answer, consumed) = match head.push(input) {
                Ok(None) => return,
                Ok(Some(head)) => (accept(head.bytes), head.consumed),
                Err(error) => (Err(error.into()), 0),
            };
            self.ended = answer.is_err();
            match answer.or_else(|refusal| refusal.to_vec()) {
                Ok(answer) => out.extend(answer),
                Err(_) => self.ended = true, // the refusal cannot be written: just close
            }
            self.head = None;
            input = &mut input[consumed..]; // frames may follow the head
        }
        if !self.ended {
            self.exchange(input, out);
        }
    }

    /// The host's loop.
    fn exchange(&mut self, mut input: &mut [u8], out: &mut Vec<u8>) {
        let Self { connection, assembler, .. } = self;
        let outcome = loop {
            match connection.receive(&mut input) {
                Ok(Some(event)) => {
                    if let Some(frame) = connection.reply(&event, Unmasked) {
                        out.extend_from_slice(&frame);
                    }
                    // An echo is refused only after our own close, when the peer's is still to come.
                    let _ = match event {
                        Event::Text(text) => connection.append_text(out, text, Unmasked),
                        Event::Binary(bytes) => connection.append_binary(out, bytes, Unmasked),
                        Event::Part(part) => match assembler.push(part) {
                            Ok(Some(message)) => {
                                connection.append_message(out, message.kind, message.bytes(), Unmasked)
                            }
                            Ok(None) => Ok(()),
                            Err(error) => break Err(error),
                        },
                        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()),
                    };
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = outcome {
            out.extend(connection.fail(error, Unmasked).iter().flat_map(|frame| frame.iter()));
        }
        self.ended = connection.state() == State::Closed;
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}

fn accept(head: &[u8]) -> Result<Vec<u8>, PlainResponse<'static>> {
    let mut slots = HeaderSlots::new();
    let upgrade = Request::parse(head, &mut slots)?.upgrade()?.ok_or(HandshakeError::NotUpgrade)?;
    Ok(upgrade.accept().to_vec()?)
}
