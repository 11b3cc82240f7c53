//! The outbox and the backlog: every byte is written once and in order, whatever the socket takes. Also their memory.

use framewire::{
    Client, Connection, Kind, SendError, Server, Unmasked,
    mask::Key,
    outbox::{Backlog, Memory, Outbox, Written},
};
use framewire_testing::miri::thin;
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
        for room in thin(199, (0..total).step_by(13).chain(0..total.min(300)).chain([total])) {
            let mut memory = Memory::default();
            let (outbox, wire) = replies(&mut memory, &rx, sizes);
            let mut sink = Sink::new(room, usize::MAX);
            let mut backlog = Backlog::default();
            match outbox.write(&mut sink, Some(&mut backlog), drop).unwrap() {
                Written::Rest(rest) => rest.keep(&mut backlog, drop),
                Written::All => assert_eq!(room, total),
            }
            assert_eq!((sink.taken.len(), backlog.len()), (room, total - room));
            // What comes meanwhile goes behind it.
            let (outbox, _) = replies(&mut memory, &rx, &[3]);
            let mut expected = [&wire[..], b"\x82\x03", &rx[..3]].concat();
            if room < total {
                sink.room = usize::MAX;
                assert!(matches!(outbox.write(&mut sink, Some(&mut backlog), drop).unwrap(), Written::All));
                assert_eq!(sink.taken.len(), room, "nothing overtakes what waits");
            } else {
                drop(outbox);
                expected.truncate(total);
            }
            sink.room = usize::MAX;
            backlog.flush(&mut sink, drop).unwrap();
            assert!(sink.taken == expected, "{sizes:?} after {room}");
        }
    }
}

#[test]
fn more_pieces_than_one_write_takes() {
    let rx = vec![5; L + 200];
    let mut memory = Memory::default();
    let (outbox, wire) = replies(&mut memory, &rx, &[L; 200]);
    let mut sink = Sink::new(usize::MAX, usize::MAX);
    assert!(matches!(outbox.write(&mut sink, None, drop).unwrap(), Written::All));
    assert!(sink.taken == wire);
}

/// A writer that takes little at once, and never blocks, is written to the end: no event would tell that it takes more.
#[test]
fn short_writes_go_on() {
    /// It takes the first slice alone, and at most 100 bytes of it.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(100);
            self.0.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let rx = vec![5; 6 * L];
    for sizes in MIXES {
        let mut memory = Memory::default();
        let (outbox, wire) = replies(&mut memory, &rx, sizes);
        let mut slow = Slow(vec![]);
        assert!(matches!(outbox.write(&mut slow, None, drop).unwrap(), Written::All));
        assert!(slow.0 == wire);
        let mut backlog = Backlog::default();
        backlog.push(wire[..].into(), 0);
        backlog.push(wire[..].into(), 0);
        backlog.flush(&mut slow, drop).unwrap();
        assert!(backlog.is_empty() && slow.0 == wire.repeat(3));
    }
}

/// A client's payloads are masked, small and large, borrowed and owned; the borrowed ones do not change.
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
    assert!(client.fail_with(framewire::CloseCode::POLICY, "", key).is_ok());
    let refused = outbox.message(&mut client, Kind::Text, b"late"[..].into(), key);
    assert_eq!((refused, outbox.len()), (Err(SendError::Closed), wire.len()));

    let mut sink = Sink::new(usize::MAX, usize::MAX);
    assert!(matches!(outbox.write(&mut sink, None, drop).unwrap(), Written::All));
    assert!(sink.taken == wire && rx == vec![5; 2 * L]);
}

/// The memory is used again and comes back empty, whatever became of the outbox; owned payloads are handed back.
#[test]
fn recycling() {
    let rx = vec![5; L + 9];
    let mut memory = Memory::default();
    let mut at = Vec::new();
    for _ in 0..2 {
        let (outbox, _) = replies(&mut memory, &rx, &[L; 9]);
        let mut sink = Sink::new(usize::MAX, usize::MAX);
        let mut freed = 0;
        assert!(matches!(outbox.write(&mut sink, None, |bytes| freed += bytes.len()).unwrap(), Written::All));
        at.push(sink.at);
        assert_eq!(freed, 3 * L);
    }
    assert_eq!(at[0], at[1]);
    drop(replies(&mut memory, &rx, &[3; 9]).0);
    assert!(Outbox::new(&mut memory).is_empty());
}

#[test]
fn every_order_of_pushes_and_writes() {
    let bytes: Vec<u8> = (0..3 * PIECE).map(|i| (i * 5 + i / 253) as u8).collect();
    for at_once in thin(3, [1000, 4096, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, usize::MAX]) {
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
    for i in thin(101, 0..100_000_usize) {
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
    assert_eq!(outbox.write(&mut broken(), None, drop).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// An error after some bytes were written does not lose count of them.
#[test]
fn a_socket_that_fails_later() {
    /// It takes one write.
    struct Once(Option<Vec<u8>>);

    impl Write for Once {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.0.as_mut().filter(|taken| taken.is_empty());
            let taken = taken.ok_or(io::ErrorKind::ConnectionReset)?;
            taken.extend_from_slice(&bytes[..5]);
            Ok(5)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (mut memory, mut once, mut backlog) = (Memory::default(), Once(Some(vec![])), Backlog::default());
    let (outbox, wire) = replies(&mut memory, &[5; 9], &[9]);
    let Written::Rest(rest) = outbox.write(&mut once, None, drop).unwrap() else { panic!("it took 5 bytes") };
    rest.keep(&mut backlog, drop);
    assert_eq!((once.0.as_deref(), backlog.len()), (Some(&wire[..5]), wire.len() - 5));
    assert_eq!(backlog.flush(&mut once, drop).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// A socket that would block is not called again, and owned payloads that the backlog copied are handed back.
#[test]
fn a_full_socket() {
    /// It counts the calls.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Err(io::ErrorKind::WouldBlock.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    for sizes in [&[3][..], &[L, L, L, 3]] {
        let (mut memory, mut full, mut backlog) = (Memory::default(), Full(0), Backlog::default());
        let (outbox, wire) = replies(&mut memory, &[5; 2 * L], sizes);
        let Written::Rest(rest) = outbox.write(&mut full, None, drop).unwrap() else { panic!("it is full") };
        let mut freed = 0;
        rest.keep(&mut backlog, |bytes| freed += bytes.len());
        assert_eq!((full.0, backlog.len()), (1, wire.len()));
        assert_eq!(freed, if sizes.len() > 2 { L } else { 0 });
    }
}

/// A backlog keeps no allocation of which it needs less than half.
#[test]
fn a_backlog_copies_from_a_large_allocation() {
    for (capacity, kept) in [(2 * PIECE, true), (100 * PIECE, false)] {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.resize(PIECE, 7);
        let address = bytes.as_ptr();
        let mut backlog = Backlog::default();
        backlog.push(bytes.into(), 0);
        let mut sink = Sink::new(usize::MAX, usize::MAX);
        backlog.flush(&mut sink, drop).unwrap();
        assert_eq!((sink.taken.len(), sink.at[0] == address), (PIECE, kept));
    }
}

/// Nothing to keep takes no memory.
#[test]
fn an_empty_backlog() {
    let mut backlog = Backlog::default();
    backlog.push(b""[..].into(), 0);
    backlog.push(b"written"[..].into(), 7);
    assert!(backlog.is_empty());
    let mut freed = 0;
    backlog.flush(&mut Sink::new(9, 9), |piece| freed += piece.capacity()).unwrap();
    assert_eq!(freed, 0);
}
