//! The outbox and the backlog: every byte is written once and in order, whatever the socket takes. Also their memory.

use framewire::{
    Client, Connection, Kind, SendError, Server, Unmasked,
    mask::Key,
    outbox::{Backlog, Memory, Outbox},
};
use std::io::{self, IoSlice, Write};

const L: usize = Outbox::REFERENCE_FROM;
const PIECE: usize = 16 << 10;

/// A socket that takes a limited number of bytes, and at most some at once.
#[derive(Debug, Default)]
struct Sink {
    taken: Vec<u8>,
    room: usize,
    at_once: usize,
    /// The address of the first slice of each write.
    at: Vec<*const u8>,
}

impl Sink {
    fn new(room: usize, at_once: usize) -> Self {
        Self { room, at_once, ..Self::default() }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered = slices.iter().map(|slice| slice.len()).sum::<usize>();
        assert!(offered > 0 && slices.len() <= 64, "a write of nothing, or of too many slices");
        let n = offered.min(self.room).min(self.at_once);
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.at.push(slices[0].as_ptr());
        let end = self.taken.len() + n;
        slices.iter().for_each(|slice| self.taken.extend_from_slice(slice));
        self.taken.truncate(end);
        self.room -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket of which a signal interrupts each write, and which fails in the end.
struct Broken {
    interruptions: usize,
}

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        let next = self.interruptions.checked_sub(1);
        self.interruptions = next.unwrap_or(0);
        Err(if next.is_some() { io::ErrorKind::Interrupted } else { io::ErrorKind::BrokenPipe }.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Replies of every kind, and their bytes.
fn replies<'b>(memory: &'b mut Memory, rx: &'b [u8], sizes: &[usize]) -> (Outbox<'b>, Vec<u8>) {
    let mut connection = Connection::<Server>::new();
    let (mut outbox, mut wire) = (Outbox::new(memory), Vec::new());
    for (i, &len) in sizes.iter().enumerate() {
        let payload = &rx[i..i + len];
        connection.append_binary(&mut wire, payload, Unmasked).unwrap();
        let payload = if i % 3 == 2 { payload.to_vec().into() } else { payload.into() };
        outbox.message(&mut connection, Kind::Binary, payload, Unmasked).unwrap();
        if i % 4 == 1 {
            outbox.push(b"pong");
            wire.extend_from_slice(b"pong");
        }
    }
    assert_eq!((outbox.len(), outbox.is_empty()), (wire.len(), wire.is_empty()));
    (outbox, wire)
}

const MIXES: [&[usize]; 6] =
    [&[], &[0, 1, 125], &[L], &[L, L + 1, 5 * L], &[7, L, 0, L - 1, L, L, 300, 5 * L], &[5 * L, 5]];

#[test]
fn every_partial_write() {
    let rx: Vec<u8> = (0..6 * L).map(|i| (i * 7 + i / 251) as u8).collect();
    for sizes in MIXES {
        let total = replies(&mut Memory::default(), &rx, sizes).1.len();
        for room in (0..total).step_by(13).chain(0..total.min(300)).chain([total]) {
            let mut memory = Memory::default();
            let (mut outbox, wire) = replies(&mut memory, &rx, sizes);
            let mut sink = Sink::new(room, usize::MAX);
            let written = outbox.write(&mut sink).unwrap();
            assert_eq!(written, room);
            let mut backlog = Backlog::default();
            outbox.take_rest(written, |bytes, skip| backlog.push(bytes, skip));
            assert_eq!((outbox.len(), backlog.len()), (0, wire.len() - written));
            sink.room = usize::MAX;
            backlog.flush(&mut sink, drop).unwrap();
            assert!(sink.taken == wire, "{sizes:?} after {room}");
        }
    }
}

#[test]
fn more_pieces_than_one_write_takes() {
    let rx = vec![5; L + 200];
    let mut memory = Memory::default();
    let (outbox, wire) = replies(&mut memory, &rx, &[L; 200]);
    let mut sink = Sink::new(usize::MAX, usize::MAX);
    assert_eq!(outbox.write(&mut sink).unwrap(), wire.len());
    assert!(sink.taken == wire);
}

/// A client's payloads are masked: small and large, borrowed and owned. Borrowed ones do not change.
#[test]
fn a_client_masks() {
    let key = Key::new([1, 2, 3, 4]);
    let rx = vec![5; 2 * L];
    let (mut client, mut memory, mut wire) = (Connection::<Client>::new(), Memory::default(), Vec::new());
    let mut outbox = Outbox::new(&mut memory);
    for len in [0, 1, L - 1, L, 2 * L] {
        for owned in [false, true] {
            client.append_binary(&mut wire, &rx[..len], key).unwrap();
            let payload = if owned { rx[..len].to_vec().into() } else { rx[..len].into() };
            outbox.message(&mut client, Kind::Binary, payload, key).unwrap();
        }
    }
    let mut sink = Sink::new(usize::MAX, usize::MAX);
    assert_eq!(outbox.write(&mut sink).unwrap(), wire.len());
    assert!(sink.taken == wire && rx == vec![5; 2 * L]);

    let refused = client.fail_with(framewire::CloseCode::POLICY, "", key).map(drop);
    assert_eq!(refused, Ok(()));
    let len = outbox.len();
    let refused = outbox.message(&mut client, Kind::Text, b"late"[..].into(), key);
    assert_eq!((refused, outbox.len()), (Err(SendError::Closed), len));
}

/// The memory is used again and comes back empty, even if the outbox was dropped. Owned payloads are returned.
#[test]
fn recycling() {
    let rx = vec![5; L + 9];
    let mut memory = Memory::default();
    let mut at = Vec::new();
    for _ in 0..2 {
        let (outbox, _) = replies(&mut memory, &rx, &[L; 9]);
        let mut sink = Sink::new(usize::MAX, usize::MAX);
        let _ = outbox.write(&mut sink).unwrap();
        at.push(sink.at);
        let mut freed = 0;
        outbox.recycle(|bytes| freed += bytes.len());
        assert_eq!(freed, 3 * L);
    }
    assert_eq!(at[0], at[1]);
    drop(replies(&mut memory, &rx, &[3; 9]).0);
    assert!(Outbox::new(&mut memory).is_empty());
}

#[test]
fn every_order_of_pushes_and_writes() {
    let bytes: Vec<u8> = (0..3 * PIECE).map(|i| (i * 5 + i / 253) as u8).collect();
    for at_once in [1000, 4096, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, usize::MAX] {
        let (mut backlog, mut sink, mut wire) = (Backlog::default(), Sink::new(0, at_once), Vec::new());
        for (i, len) in [1, 3000, PIECE, 7, 2 * PIECE, PIECE - 1, 0, 5, PIECE, 100].into_iter().enumerate() {
            let piece = &bytes[i..i + len];
            wire.extend_from_slice(piece);
            let skip = if backlog.is_empty() { len / 3 } else { 0 };
            sink.taken.extend_from_slice(&piece[..skip]); // the write before wrote it
            backlog.push(if i % 2 == 0 { piece.into() } else { piece.to_vec().into() }, skip);
            assert_eq!(backlog.len(), wire.len() - sink.taken.len());
            sink.room = at_once.min(i * 3001);
            backlog.flush(&mut sink, drop).unwrap();
        }
        while !backlog.is_empty() {
            sink.room = at_once;
            backlog.flush(&mut sink, drop).unwrap();
        }
        assert!(sink.taken == wire, "{at_once} at once");
    }
}

/// Many small pieces wait in few large ones, which are returned once they are written.
#[test]
fn the_pieces_of_a_backlog() {
    let mut backlog = Backlog::default();
    for i in 0..100_000_usize {
        backlog.push((&[7; 90][..i % 90]).into(), 0);
    }
    backlog.push(vec![8; 10 * PIECE].into(), 0);
    backlog.push((&[9; 5][..]).into(), 0);
    let waits = backlog.len();
    let (mut freed, mut memory) = (0, 0);
    backlog
        .flush(&mut Sink::new(usize::MAX, usize::MAX), |piece| {
            freed += piece.len();
            memory += piece.capacity();
        })
        .unwrap();
    assert_eq!((backlog.len(), freed), (0, waits));
    assert!(memory < waits + waits / 100 + 2 * PIECE, "{memory} for {waits}");
}

#[test]
fn a_socket_that_fails() {
    let broken = || Broken { interruptions: 3 };
    let mut backlog = Backlog::default();
    backlog.push(b"x"[..].into(), 0);
    assert_eq!(backlog.flush(&mut broken(), drop).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(backlog.len(), 1);
    let mut memory = Memory::default();
    let (outbox, _) = replies(&mut memory, &[5; 9], &[9]);
    assert_eq!(outbox.write(&mut broken()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(outbox.len(), 11);
}
