//! A connection, and the operations that it has in flight.

use framewire_examples::Echo;
use std::{
    mem,
    net::{Shutdown, TcpStream},
};

/// A peer is not received from while so many bytes or more are unsent. What is in the buffers of the ring when its receive is cancelled
/// is echoed all the same.
const HIGH: usize = 1 << 20;

/// One connection. It is dropped only with nothing in flight, so that the kernel has no address of its memory, and its number is not used
/// again too early.
pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    echo: Echo,
    /// The bytes of the send in flight, or that are about to be sent, of which the first `sent` were. They stay in place until the send
    /// has completed.
    sending: Vec<u8>,
    sent: usize,
    /// Replies for the next send.
    waiting: Vec<u8>,
    /// Operations in flight.
    in_flight: InFlight,
    /// The peer has closed its side.
    finished: bool,
    /// Our side is closed.
    shut: bool,
    failed: bool,
    /// It is in the list of peers that are to go on.
    pub(crate) listed: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct InFlight {
    receive: bool,
    send: bool,
    cancel: bool,
}

/// What a peer needs next.
pub(crate) enum Need {
    /// A receive that completes for each arrival.
    Receive,
    /// The end of that receive.
    Cancel,
    /// [`Peer::to_send`] is to be sent.
    Send,
    /// It has ended, and is to be dropped.
    Drop,
}

impl Peer {
    pub(crate) fn new(socket: TcpStream) -> Self {
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            echo: Echo::new(),
            sending: Vec::new(),
            sent: 0,
            waiting: Vec::new(),
            in_flight: InFlight::default(),
            finished: false,
            shut: false,
            failed: false,
            listed: false,
        }
    }

    /// Bytes have arrived. After the end of the WebSocket they are discarded.
    pub(crate) fn received(&mut self, bytes: &mut [u8]) {
        if !self.echo.has_ended() && !self.failed {
            self.echo.receive(bytes, &mut self.waiting);
        }
    }

    /// The peer has closed its side.
    pub(crate) fn finished(&mut self) {
        self.finished = true;
    }

    /// The connection is lost.
    pub(crate) fn failed(&mut self) {
        self.failed = true;
        let _ = self.socket.shutdown(Shutdown::Both); // a send in flight completes
    }

    /// The receive has ended.
    pub(crate) fn receive_ended(&mut self) {
        self.in_flight.receive = false;
    }

    /// The cancellation has completed.
    pub(crate) fn cancelled(&mut self) {
        self.in_flight.cancel = false;
    }

    /// The send has completed, with so many bytes. An empty buffer goes back, as an idle peer needs none.
    pub(crate) fn sent(&mut self, n: usize, spare: &mut Vec<Vec<u8>>) {
        self.in_flight.send = false;
        self.sent += n;
        if self.sent >= self.sending.len() {
            self.sent = 0;
            self.sending.clear();
            spare.push(mem::take(&mut self.sending));
        }
    }

    /// What is to be sent. It stays where it is until [`sent`](Self::sent).
    pub(crate) fn to_send(&self) -> &[u8] {
        &self.sending[self.sent..]
    }

    /// Replies are appended to such a buffer.
    pub(crate) fn lend(&mut self, spare: &mut Vec<Vec<u8>>) {
        if self.waiting.capacity() == 0 {
            self.waiting = spare.pop().unwrap_or_default();
        }
    }

    /// Takes back the buffer if nothing was appended.
    pub(crate) fn take_back(&mut self, spare: &mut Vec<Vec<u8>>) {
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            spare.push(mem::take(&mut self.waiting));
        }
    }

    /// What is to be submitted now; counts as in flight from here on. `None`: nothing more.
    pub(crate) fn next(&mut self) -> Option<Need> {
        if !self.in_flight.send && !self.failed {
            if self.sending.is_empty() && !self.waiting.is_empty() {
                mem::swap(&mut self.sending, &mut self.waiting);
            }
            if !self.sending.is_empty() {
                self.in_flight.send = true;
                return Some(Need::Send);
            }
            if self.echo.has_ended() && !self.shut {
                self.shut = true;
                // The peer reads the end, and then closes its side: if we closed first, the kernel could discard what we sent last.
                let _ = self.socket.shutdown(Shutdown::Write);
            }
        }
        let all_sent = !self.in_flight.send && self.sending.is_empty();
        let over = self.failed || self.finished && all_sent;
        if over && self.in_flight == InFlight::default() {
            return Some(Need::Drop);
        }
        let unsent = self.sending.len() - self.sent + self.waiting.len();
        let wanted = !over && unsent < HIGH;
        match self.in_flight {
            InFlight { receive: true, cancel: false, .. } if !wanted => {
                self.in_flight.cancel = true;
                Some(Need::Cancel)
            }
            InFlight { receive: false, cancel: false, .. } if wanted && !self.finished => {
                self.in_flight.receive = true;
                Some(Need::Receive)
            }
            _ => None,
        }
    }
}
