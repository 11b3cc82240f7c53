//! Sessions on sockets in memory, with events in any order that a kernel may choose.

mod budget;
mod closing;

use super::*;
use crate::{Reply, config::CompressionConfig};
use framewire::Kind;
use framewire_testing::{
    peer::noise,
    wire::{self, BINARY, CLOSE, KEY, PING, PONG, TEXT},
};
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    io::{self, IoSliceMut, Read, Write},
    rc::Rc,
};

/// The state of a socket in memory.
#[derive(Default)]
struct Ends {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
    /// How many more bytes a write takes.
    room: usize,
    broken: bool,
    /// Whether someone looked for input: that takes the error away.
    looked: Cell<bool>,
    /// A read ends after so many bytes, though more have arrived.
    cut: Option<usize>,
    /// Reads may be cut.
    unix: bool,
    /// Our side was closed, or the socket was.
    shut: bool,
    /// How many bytes are held back until our side is closed.
    held: usize,
    /// Bytes that arrive once the session writes its last.
    late: Vec<u8>,
    /// What the bytes were with TLS.
    encrypted: usize,
}

/// One end is a session's, which closes it when it is dropped; the others are the test's.
struct Wire(Rc<RefCell<Ends>>, bool);

impl Clone for Wire {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0), false)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.1 {
            let mut ends = self.0.borrow_mut();
            if !ends.incoming.is_empty() {
                // The kernel sends a reset instead.
                let sent = ends.outgoing.len() - ends.held;
                ends.outgoing.truncate(sent);
            }
            ends.shut = true;
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    /// As a kernel does, reads all that has arrived if there is room for it: what a shorter read leaves, no event reports.
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut ends = self.0.borrow_mut();
        let end = ends.cut.take().unwrap_or(usize::MAX);
        ends.incoming.make_contiguous();
        let mut read = 0;
        for buffer in buffers {
            let room = buffer.len().min(end - read);
            read += ends.incoming.read(&mut buffer[..room])?;
        }
        if read > 0 { Ok(read) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut ends = self.0.borrow_mut();
        let n = bytes.len().min(ends.room);
        if ends.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        } else if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        ends.outgoing.extend_from_slice(&bytes[..n]);
        ends.room -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        let mut ends = self.0.borrow_mut();
        (ends.shut, ends.held) = (true, 0);
        Ok(())
    }

    fn write_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.write(bytes)?;
        let mut ends = self.0.borrow_mut();
        ends.held += n;
        let late = mem::take(&mut ends.late);
        ends.incoming.extend(late);
        Ok(n)
    }

    fn may_close_at_once(&self) -> bool {
        !self.may_read_short()
    }

    fn encrypted(&mut self) -> usize {
        mem::take(&mut self.0.borrow_mut().encrypted)
    }

    fn may_read_short(&self) -> bool {
        self.0.borrow().unix
    }

    fn check(&self) -> io::Result<()> {
        let ends = self.0.borrow();
        if ends.broken && !ends.looked.get() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    fn has_input(&self) -> bool {
        let ends = self.0.borrow();
        ends.looked.set(ends.broken);
        !ends.incoming.is_empty()
    }
}

/// Echoes each message, and records its length.
struct Log(Rc<RefCell<Vec<usize>>>);

impl Handler for Log {
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        self.0.borrow_mut().push(payload.len());
        let _ = reply.send(kind, payload);
    }
}

/// Peers that negotiated compression and share one decompressor, or a few.
struct Peers<H = Log> {
    sessions: Sessions<H, Wire>,
    wires: Vec<Wire>,
    log: Rc<RefCell<Vec<usize>>>,
}

const BUFFER: usize = 4096;
const TIMEOUT: u32 = 10;
const TOO_LONG: &[u8] = b"a compressed message takes too long";

const READ: Turn = Turn { readable: true, writable: false, short: false };
const HANG_UP: Turn = Turn { readable: true, writable: true, short: true };
const WRITE: Turn = Turn { readable: false, writable: true, short: false };

impl Peers {
    fn new(count: usize) -> Self {
        Self::on(false, count)
    }

    /// Peers on Unix sockets, or not.
    fn on(unix: bool, count: usize) -> Self {
        Self::with(Config::default(), unix, count)
    }

    fn with(config: Config, unix: bool, count: usize) -> Self {
        Self::with_memory(config, 1, unix, count)
    }

    /// Peers that share so much memory for compression.
    fn with_memory(config: Config, memory: usize, unix: bool, count: usize) -> Self {
        let log = Rc::default();
        Self { log: Rc::clone(&log), ..Self::serving(Log(log), config, memory, unix, count) }
    }
}

impl<H: Handler> Peers<H> {
    fn serving(handler: H, config: Config, memory: usize, unix: bool, count: usize) -> Self {
        let compression = CompressionConfig { memory, message_timeout: TIMEOUT, ..Default::default() };
        let config = Config { compression: Some(compression), receive_buffer: BUFFER, ..config };
        let sessions = Sessions::new(Arc::new(config), handler);
        let mut peers = Self { sessions, wires: Vec::new(), log: Rc::default() };
        (0..count).for_each(|key| peers.connect(key, unix));
        peers
    }

    fn connect(&mut self, key: usize, unix: bool) {
        let wire = Wire(Rc::default(), true);
        (wire.0.borrow_mut().room, wire.0.borrow_mut().unix) = (usize::MAX, unix);
        self.wires.push(wire.clone());
        assert_eq!(self.sessions.insert(Accepted::Plain(wire)), key);
        let head = "GET / HTTP/1.1\r\nHost: test.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        self.arrives(key, head.as_bytes());
        self.sessions.ready(key, READ);
        let answer = String::from_utf8(self.sent(key)).unwrap();
        assert!(answer.contains("101") && answer.contains("permessage-deflate"), "{answer}");
    }

    /// Bytes arrive, without an event.
    fn arrives(&self, key: usize, bytes: &[u8]) {
        self.wires[key].0.borrow_mut().incoming.extend(bytes);
    }

    /// The bytes that were sent since the last call.
    fn sent(&self, key: usize) -> Vec<u8> {
        mem::take(&mut self.wires[key].0.borrow_mut().outgoing)
    }

    /// Runs turns without events until the loop would sleep.
    fn settle(&mut self) {
        for _ in 0..1000 {
            self.sessions.end_turn();
            if !self.sessions.has_more() {
                return;
            }
        }
        panic!("the loop never sleeps");
    }

    fn sweep_at(&mut self, now: u32) {
        self.sessions.begin_turn(Duration::from_secs(now.into()), true);
        (0..SWEEPS_FOR_ALL).for_each(|_| self.sessions.sweep());
    }

    fn waiting(&self) -> usize {
        self.sessions.shared.compression.as_ref().unwrap().line.len()
    }
}

/// A compressed message of less than 64 KiB in one frame. Its payload is a stored block (RFC 1951 §3.2.4), its mask zero.
fn message(len: u16) -> Vec<u8> {
    let mut compressed = [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes()].concat();
    compressed.resize(compressed.len() + usize::from(len), b'x');
    compressed.push(0); // the first byte of an empty block, whose other bytes are left out (RFC 7692 §7.2.1)
    let mut frame = vec![0x80 | 0x40 | 0x02];
    match compressed.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&compressed);
    frame
}

/// After a storm, the room of the sessions that are gone is given back; those that stay keep their keys.
#[test]
fn room_is_given_back() {
    let mut peers = Peers::new(3000);
    let short = wire::frame(BINARY, Some(KEY), b"short");
    let room = peers.sessions.sessions.capacity();
    assert!(room >= 3000);
    for key in 10..3000 {
        peers.wires[key].0.borrow_mut().broken = true; // the reply fails
        peers.arrives(key, &short);
        peers.sessions.ready(key, READ);
    }
    peers.settle();
    peers.log.borrow_mut().clear();
    assert_eq!((peers.sessions.len(), peers.sessions.sessions.capacity()), (10, room));
    peers.sweep_at(1);
    assert!(peers.sessions.sessions.capacity() <= KEPT);
    peers.arrives(9, &short);
    peers.sessions.ready(9, READ);
    assert_eq!(*peers.log.borrow(), [5]);
    assert_eq!(peers.sessions.next_key(), 10);
}

/// A waiting session gets an event just after the decompressor became free: it is neither forgotten nor overtaken.
#[test]
fn an_event_does_not_change_the_line() {
    let mut peers = Peers::new(3);
    let (first, second, third) = (message(3000), message(20_000), message(30_000));
    peers.arrives(0, &first[..1000]);
    peers.sessions.ready(0, READ);
    peers.settle();
    for (key, message) in [(1, &second), (2, &third)] {
        peers.arrives(key, &message[..10_000]);
        peers.sessions.ready(key, READ);
    }
    peers.settle();
    assert_eq!(peers.waiting(), 2);

    // All of these are events of one turn.
    peers.arrives(0, &first[1000..]);
    peers.sessions.ready(0, READ);
    for (key, message) in [(2, &third), (1, &second)] {
        peers.arrives(key, &message[10_000..]);
        peers.sessions.ready(key, READ);
    }
    peers.settle();
    assert_eq!(*peers.log.borrow(), [3000, 20_000, 30_000]);
    assert_eq!(peers.waiting(), 0);
}

/// A key that is in the queue for one more turn may be that of another session by then: it does not enter the line twice.
#[test]
fn a_key_that_was_reused_gets_no_turn() {
    let mut peers = Peers::new(2);
    for key in 0..2 {
        peers.arrives(key, &message(20_000)[..10_000]);
        peers.sessions.ready(key, READ);
    }
    assert_eq!(peers.waiting(), 1);
    peers.sessions.again.push_back(1);
    peers.settle();
    assert_eq!(peers.waiting(), 1);
}

/// Peers that send message after message take turns, also if one read ends a message and begins the next.
#[test]
fn peers_take_turns() {
    const ROUNDS: usize = 8;
    const LEN: u16 = 40_000;
    let mut peers = Peers::new(4);
    for key in 0..4 {
        (0..ROUNDS).for_each(|_| peers.arrives(key.into(), &message(LEN + key)));
    }
    while peers.log.borrow().len() < 4 * ROUNDS {
        let before = peers.log.borrow().len();
        for _ in 0..1000 {
            (0..4).for_each(|key| peers.sessions.ready(key, READ)); // more events than a kernel would send
            peers.sessions.end_turn();
        }
        assert_ne!(peers.log.borrow().len(), before, "no message was handled");
    }
    let log = peers.log.borrow();
    for end in 0..=log.len() {
        let count = |key| log[..end].iter().filter(|&&len| len == usize::from(LEN + key)).count();
        let counts = [0, 1, 2, 3].map(count);
        // A share is two of these messages.
        assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 2, "{counts:?}");
    }
}

/// A dropped session leaves the line, so no other session is closed because it waits.
#[test]
fn a_dropped_session_does_not_wait() {
    let mut peers = Peers::new(2);
    let first = message(3000);
    // The socket of peer 1 does not take its echo.
    peers.wires[1].0.borrow_mut().room = 0;
    peers.arrives(1, &message(10));
    peers.sessions.ready(1, READ);
    peers.settle();
    peers.arrives(0, &first[..1000]);
    peers.sessions.ready(0, READ);
    peers.arrives(1, &message(10));
    peers.sessions.ready(1, READ);
    peers.settle();
    assert_eq!(peers.waiting(), 1);

    peers.wires[1].0.borrow_mut().broken = true;
    peers.sessions.ready(1, WRITE);
    peers.settle();
    assert_eq!((peers.sessions.len(), peers.waiting()), (1, 0));
    peers.sweep_at(2 * TIMEOUT);
    assert_eq!(peers.sent(0), b"");
    peers.arrives(0, &first[1000..]);
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!(*peers.log.borrow(), [10, 3000]);
}

/// A reset is noticed when it comes, although the session is in the line, and not read.
#[test]
fn a_reset_in_the_line_is_noticed() {
    let mut peers = Peers::new(3);
    peers.arrives(0, &message(3000)[..1000]);
    peers.sessions.ready(0, READ);
    for key in [1, 2] {
        peers.arrives(key, &message(10));
        peers.sessions.ready(key, READ);
    }
    peers.settle();
    assert_eq!(peers.waiting(), 2);
    peers.wires[1].0.borrow_mut().broken = true;
    peers.sessions.ready(1, HANG_UP);
    assert_eq!((peers.sessions.len(), peers.waiting()), (2, 1));
    // The end of the stream is no reset: the peer's message is still echoed.
    peers.sessions.ready(2, HANG_UP);
    peers.arrives(0, &message(3000)[1000..]);
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!(*peers.log.borrow(), [3000, 10]);
}

/// A reset is noticed although its event came before the session joined the line, and the read then took bytes before the reset.
#[test]
fn a_reset_before_the_line_is_noticed() {
    let mut peers = Peers::new(2);
    let unanswered = wire::frame(PONG, Some(KEY), b"");
    peers.wires[1].0.borrow_mut().cut = Some(unanswered.len());
    peers.wires[1].0.borrow_mut().broken = true;
    peers.arrives(1, &[unanswered, message(10)].concat());
    peers.sessions.ready(1, HANG_UP);
    peers.arrives(0, &message(3000)[..1000]);
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!((peers.sessions.len(), peers.waiting()), (1, 0));
}

/// So is one whose event makes the session join the line.
#[test]
fn a_reset_on_joining_the_line_is_noticed() {
    let mut peers = Peers::new(2);
    peers.arrives(0, &message(3000)[..1000]);
    peers.sessions.ready(0, READ);
    peers.arrives(1, &message(10));
    peers.wires[1].0.borrow_mut().broken = true;
    peers.sessions.ready(1, HANG_UP);
    peers.settle();
    assert_eq!((peers.sessions.len(), peers.waiting()), (1, 0));
}

/// A session that keeps others waiting for too long is closed, not before its time, and the others are served.
#[test]
fn a_session_that_keeps_others_waiting_is_closed() {
    let mut peers = Peers::new(2);
    peers.arrives(0, &message(3000)[..1000]);
    peers.sessions.ready(0, READ);
    peers.settle();
    peers.arrives(1, &message(10));
    peers.sessions.ready(1, READ);
    peers.settle();
    peers.sweep_at(TIMEOUT); // the times are rounded down, so the last second may not be over
    assert_eq!((peers.sent(0), peers.log.borrow().len()), (vec![], 0));
    peers.sweep_at(TIMEOUT + 1);
    peers.settle();
    assert!(peers.sent(0).ends_with(TOO_LONG));
    assert_eq!(*peers.log.borrow(), [10]);
}

/// A peer whose messages each begin in the read in which the last one ends does not keep its decompressor for that.
#[test]
fn a_trickle_of_messages_gives_way() {
    let mut peers = Peers::new(2);
    let message = message(3000);
    let (start, end) = message.split_at(1000);
    peers.arrives(0, start);
    peers.sessions.ready(0, READ);
    peers.arrives(1, &message);
    peers.sessions.ready(1, READ);
    peers.settle();
    assert_eq!((peers.waiting(), peers.log.borrow().len()), (1, 0));
    peers.arrives(0, &[end, start].concat());
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!((peers.waiting(), peers.log.borrow().len()), (0, 2));
    peers.arrives(0, end);
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!(*peers.log.borrow(), [3000; 3]);
}

/// A limit of nothing pauses a peer only while bytes wait for it.
#[test]
fn nothing_may_wait() {
    let mut peers = Peers::with(Config { high_water: 0, ..Config::default() }, false, 1);
    for len in [10, 40_000, 20, 30] {
        peers.wires[0].0.borrow_mut().room = if len == 20 { 1 } else { usize::MAX };
        peers.arrives(0, &message(len));
        peers.sessions.ready(0, READ);
        peers.settle();
        assert_eq!(peers.sessions.stats().paused.get(), u64::from(len == 20));
        peers.wires[0].0.borrow_mut().room = usize::MAX;
        peers.sessions.ready(0, WRITE);
        peers.settle();
    }
    assert_eq!(*peers.log.borrow(), [10, 40_000, 20, 30]);
}

/// A read of a Unix socket may end early (behind a file descriptor). What it leaves is read, too, although no event comes.
#[test]
fn a_cut_read_is_continued() {
    let mut peers = Peers::on(true, 1);
    let messages = [message(10), message(2000), message(30)];
    peers.wires[0].0.borrow_mut().cut = Some(messages[0].len() + 100);
    peers.arrives(0, &messages.concat());
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!(*peers.log.borrow(), [10, 2000, 30]);
}

/// A session that may have more to read, but has not, does not wait for a decompressor.
#[test]
fn nothing_to_read_is_no_reason_to_wait() {
    let mut peers = Peers::on(true, 2);
    peers.arrives(0, &message(10));
    peers.sessions.ready(0, READ);
    peers.arrives(1, &message(3000)[..1000]);
    peers.sessions.ready(1, READ);
    peers.settle();
    assert_eq!(peers.waiting(), 0);
    peers.sweep_at(2 * TIMEOUT);
    assert_eq!(peers.sent(1), b"");
    peers.arrives(0, &message(20));
    peers.sessions.ready(0, READ);
    peers.settle();
    assert_eq!((peers.waiting(), peers.log.borrow().len()), (1, 1));
}
