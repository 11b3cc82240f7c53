//! The device: a lamp that is switched by WebSocket, without std or an allocator, and with three fixed buffers.
//!
//! The host owns the link and the buffers, and decides what happens if something does not fit into a buffer. Without an
//! allocator, a connection takes 184 bytes; the codec also uses the stack.

use framewire::{
    Connection, Event, Kind, Limits, Part, ProtocolError, Server, State, Unmasked,
    handshake::{self, HandshakeError, HeadScanner, HeaderSlots, PlainResponse, Request},
};

/// A link that carries the bytes: a TCP stack such as smoltcp, or a modem behind a UART.
pub(crate) trait Link {
    type Error;
    /// Waits for some bytes. Returns 0 at the end of the stream.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error>;
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// All memory of the device. It serves one connection after the other, and may be a `static`.
pub(crate) struct Device {
    lamp: bool,
    /// The bytes of a read. A message that arrives whole is not copied.
    rx: [u8; 512],
    /// The head of the request.
    head: [u8; HEAD],
    /// A message that arrives in parts.
    message: [u8; MESSAGE],
    message_len: usize,
}

const HEAD: usize = 1024;
const MESSAGE: usize = 64;

impl Device {
    pub(crate) const fn new() -> Self {
        Self { lamp: false, rx: [0; 512], head: [0; HEAD], message: [0; MESSAGE], message_len: 0 }
    }

    /// Serves one connection, from its first byte to its last.
    pub(crate) fn serve<L: Link>(&mut self, link: &mut L) -> Result<(), L::Error> {
        let Some((mut start, mut end)) = self.open(link)? else { return Ok(()) };
        // Longer messages are refused on their header, so every message fits into its buffer.
        let limits = Limits { frame: MESSAGE as u64, message: MESSAGE as u64 };
        let mut connection = Connection::<Server>::new().with_limits(limits);
        self.message_len = 0;
        loop {
            if let Err(error) = self.exchange(&mut connection, link, start, end)? {
                if let Some(frame) = connection.fail(error, Unmasked) {
                    link.write_all(&frame)?;
                }
            }
            if connection.state() == State::Closed {
                return Ok(());
            }
            (start, end) = (0, link.read(&mut self.rx)?);
            if end == 0 {
                return Ok(()); // `Connection::receive_eof` tells whether the peer sent a close before
            }
        }
    }

    /// Does the opening handshake. Returns the range of `rx` that has frames already; `None` if the request was
    /// refused.
    fn open<L: Link>(&mut self, link: &mut L) -> Result<Option<(usize, usize)>, L::Error> {
        let mut scanner = HeadScanner::new(handshake::HeadLimits { head_bytes: HEAD, headers: 24 });
        let mut len = 0;
        let (head, start, end) = loop {
            let n = link.read(&mut self.rx)?;
            if n == 0 {
                return Ok(None);
            }
            let ends = scanner.feed(&self.rx[..n]);
            let belongs = ends.map_or(0, |end| end.unwrap_or(n)); // together at most HEAD bytes: the scanner counts them
            self.head[len..len + belongs].copy_from_slice(&self.rx[..belongs]);
            len += belongs;
            match ends {
                Ok(None) => {}
                Ok(Some(consumed)) => break (Ok(&self.head[..len]), consumed, n),
                Err(error) => break (Err(error), 0, 0),
            }
        };
        let mut answer = [0; 512];
        let accepted = head.map_err(PlainResponse::from).and_then(|head| {
            let mut slots = HeaderSlots::<24>::with_slots();
            let upgrade = Request::parse(head, &mut slots)?.upgrade()?.ok_or(HandshakeError::NotUpgrade)?;
            Ok(upgrade.accept().write_to(&mut answer)?)
        });
        let open = accepted.is_ok();
        let Ok(written) = accepted.or_else(|refusal| refusal.write_to(&mut answer)) else {
            return Ok(None); // the refusal does not fit into the buffer: just close
        };
        link.write_all(&answer[..written])?;
        Ok(open.then_some((start, end)))
    }

    /// Handles the bytes of one read, and writes all replies.
    fn exchange<L: Link>(
        &mut self,
        connection: &mut Connection<Server>,
        link: &mut L,
        start: usize,
        end: usize,
    ) -> Result<Result<(), ProtocolError>, L::Error> {
        let Self { lamp, rx, message, message_len, .. } = self;
        let mut input = &mut rx[start..end];
        loop {
            let event = match connection.receive(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            if let Some(frame) = connection.reply(&event, Unmasked) {
                link.write_all(&frame)?;
            }
            let answer = match event {
                Event::Text(text) => command(lamp, text),
                Event::Part(part) if part.kind == Kind::Text => {
                    let len = *message_len + part.bytes().len(); // within the limits, so within the buffer
                    message[*message_len..len].copy_from_slice(part.bytes());
                    *message_len = if part.last { 0 } else { len };
                    if !part.last {
                        continue;
                    }
                    command(lamp, core::str::from_utf8(&message[..len]).unwrap_or_default())
                }
                Event::Binary(_) | Event::Part(Part { last: true, .. }) => "text only",
                _ => continue,
            };
            if let Ok(header) = connection.text_header(answer, Unmasked) {
                link.write_all(&header)?;
                link.write_all(answer.as_bytes())?;
            }
        }
    }
}

fn command(lamp: &mut bool, text: &str) -> &'static str {
    match text {
        "lamp on" => *lamp = true,
        "lamp off" => *lamp = false,
        "lamp?" => {}
        _ => return "lamp on, lamp off or lamp?",
    }
    if *lamp { "the lamp is on" } else { "the lamp is off" }
}
