//! How much a host reads, and where to: `Connection::want` and `Assembler::spare_for`.

use framewire::{Assembler, Client, Connection, Event, Kind, Limits, Part, Role, Rsv, Server};
use framewire_testing::{host::*, miri::thin, wire::*};
use quickcheck::QuickCheck;

const ROOM: usize = 256 << 10;
const START: usize = 16 << 10;
const LEAST: usize = 1 << 10;

/// A connection that has received a header, and this many bytes of the payload.
fn inside<S: Role>(first: u8, payload: usize, arrived: usize) -> Connection<S> {
    let mut conn = Connection::<S>::new().with_limits(Limits::NONE).with_extension_bits(Rsv::RSV1);
    go_on(&mut conn, &head_to::<S>(first, payload as u64));
    go_on(&mut conn, &vec![0; arrived]);
    conn
}

fn go_on<S: Role>(conn: &mut Connection<S>, wire: &[u8]) {
    assert_eq!(play(conn, wire, &[]).error, None);
}

fn assert_wants_all<S: Role>(conn: &Connection<S>) {
    for room in [0, 1, 125, ROOM, usize::MAX] {
        assert_eq!(conn.want(room), room);
    }
}

fn what_is_wanted<S: Role>() {
    // Nothing was cut, or only a shorter frame was.
    let mut conn = Connection::<S>::new();
    assert_wants_all(&conn);
    go_on(&mut conn, &to::<S>(BINARY, &[7; 70_000]));
    assert_wants_all(&conn);
    assert_wants_all(&inside::<S>(BINARY, 65_535, 10));
    assert_wants_all(&inside::<S>(PING, 125, 10));

    // A frame that has room in the buffer, whatever has arrived of it.
    let head = head_to::<S>(BINARY, 65_536).len();
    for payload in [65_536, 100_000, ROOM - head] {
        for arrived in [0, 1, payload / 2, payload - 1, payload] {
            assert_eq!(inside::<S>(BINARY, payload, arrived).want(ROOM), ROOM, "{arrived} of {payload}");
        }
    }

    // Of a frame that has no room, its start, unless that has arrived. Then its rest, and the header of the next; but never so
    // little that short frames would be read one by one.
    let payload = 1 << 20;
    for (arrived, expected) in
        [(0, START), (100, START - 100), (START, ROOM), (payload - 2000, 2000 + head), (payload, LEAST)]
    {
        assert_eq!(inside::<S>(BINARY, payload, arrived).want(ROOM), expected, "{arrived}");
    }
    assert_eq!(inside::<S>(BINARY, payload, payload).want(3), 3);
    for arrived in [0, payload] {
        assert_eq!(inside::<S>(BINARY, payload, arrived).want(0), 0);
        assert_eq!(inside::<S>(BINARY, payload, arrived).want(usize::MAX), usize::MAX);
    }

    // A shorter frame that is cut ends that, and so does an error.
    let mut conn = inside::<S>(BINARY, payload, payload);
    go_on(&mut conn, &head_to::<S>(PING, 2));
    assert_wants_all(&conn);
    let mut conn = inside::<S>(BINARY, payload, payload);
    assert!(play(&mut conn, &[0x83, 0], &[]).error.is_some());
    assert_wants_all(&conn);
}

#[test]
fn what_a_server_wants() {
    what_is_wanted::<Server>();
}

#[test]
fn what_a_client_wants() {
    what_is_wanted::<Client>();
}

/// A host that asks before each read, and what it did.
struct Host {
    conn: Connection<Server>,
    assembler: Assembler,
    rx: Vec<u8>,
    messages: Vec<Vec<u8>>,
    reads: usize,
    /// Bytes that were moved from the buffer to the assembler.
    copied: usize,
}

impl Host {
    fn new(room: usize) -> Self {
        Self {
            conn: Connection::new(),
            assembler: Assembler::new(Limits::SERVER.message),
            rx: vec![0; room],
            messages: vec![],
            reads: 0,
            copied: 0,
        }
    }

    /// Reads all of the wire, at most `most` bytes at a time.
    fn read(&mut self, mut wire: &[u8], most: usize) {
        while !wire.is_empty() {
            self.reads += 1;
            if let Some(spare) = self.assembler.spare_for(&self.conn, self.rx.len()) {
                assert!(spare.len() >= START);
                let n = take(&mut wire, spare, most);
                let message = self.assembler.receive(&mut self.conn, n).unwrap();
                self.messages.extend(message.map(|message| message.bytes().to_vec()));
                continue;
            }
            let want = self.conn.want(self.rx.len());
            let n = take(&mut wire, &mut self.rx[..want], most);
            assert_ne!(n, 0, "at least a byte, and not more than there is room for");
            let mut input = &mut self.rx[..n];
            while let Some(event) = self.conn.receive(&mut input).unwrap() {
                match event {
                    Event::Binary(bytes) => self.messages.push(bytes.to_vec()),
                    Event::Part(part) => {
                        self.copied += part.bytes().len();
                        let message = self.assembler.push(part).unwrap();
                        self.messages.extend(message.map(|message| message.bytes().to_vec()));
                    }
                    event => panic!("{event:?}"),
                }
            }
        }
    }
}

fn take(wire: &mut &[u8], to: &mut [u8], most: usize) -> usize {
    let (read, rest) = wire.split_at(most.min(to.len()).min(wire.len()));
    to[..read.len()].copy_from_slice(read);
    *wire = rest;
    read.len()
}

/// Frames that have no room in the buffer: a read brings the header, and the next the payload. Hardly anything is copied.
#[test]
fn frames_of_one_length() {
    for payload in thin(2, [ROOM, 300_000, 1 << 20]) {
        let frame = to::<Server>(BINARY, &vec![7; payload]);
        let count = if cfg!(miri) { 3 } else { 9 };
        let mut host = Host::new(ROOM);
        host.read(&frame.repeat(4), usize::MAX); // one of these is cut
        (host.reads, host.copied) = (0, 0);
        host.read(&frame.repeat(count), usize::MAX);
        assert!(host.messages.iter().all(|message| *message == vec![7; payload]));
        assert_eq!(host.messages.len(), count + 4);
        assert!(host.copied <= count * LEAST, "{} of {payload}", host.copied);
        assert!(host.reads <= 2 * count + 1, "{} reads of {payload}", host.reads);
    }
}

/// Frames of any lengths, and reads that bring less than was asked for: the messages are those that were sent.
#[test]
fn frames_of_all_lengths() {
    fn check(sizes: Vec<u16>, room: u16, most: u16, large: u8) {
        let sizes = sizes.iter().take(6).map(|&n| usize::from(n) << (large % 3));
        let payloads: Vec<Vec<u8>> = sizes.map(|n| vec![n as u8; n]).collect();
        let wire: Vec<u8> = payloads.iter().flat_map(|payload| to::<Server>(BINARY, payload)).collect();
        let mut host = Host::new(usize::from(room) + 1);
        host.read(&wire, usize::from(most) + 1);
        assert_eq!(host.messages, payloads);
    }
    let tests = if cfg!(miri) { 2 } else { 60 };
    QuickCheck::new().tests(tests).quickcheck(check as fn(Vec<u16>, u16, u16, u8));
}

/// The rest of a frame goes to the assembler if much is missing, and as much has arrived, or the memory is there.
#[test]
fn what_is_read_directly() {
    let mut conn = inside::<Server>(BINARY, 100_000, 0);
    let mut assembler = Assembler::new(1 << 20);
    let mut arrived = 0;
    for (n, expected) in [
        (START - 1, None),
        (1, Some(START)),
        (5000, Some(START + 5000)),
        (50_000, Some(100_000 - START - 55_000)),
        (100_000 - 2 * START - 55_000, Some(START)),
        (1, None),
    ] {
        push(&mut assembler, &mut conn, n);
        arrived += n;
        assert_eq!(lent(&mut assembler, &conn), expected, "behind {arrived}");
        assert!(assembler.capacity() <= 4 * arrived, "{} behind {arrived}", assembler.capacity());
    }

    // Memory that is there is lent, however little has arrived; but nothing past the limit.
    for (limit, expected) in [(1 << 20, Some(100_000)), (START, Some(START)), (START - 1, None)] {
        let mut assembler = Assembler::with_memory(limit as u64, vec![0; 200_000]);
        let mut conn = inside::<Server>(BINARY, 100_000, 0);
        assert_eq!(lent(&mut assembler, &conn), expected, "{limit}");
        push(&mut assembler, &mut conn, 1);
        let expected = (limit > START).then(|| 99_999.min(limit - 1));
        assert_eq!(lent(&mut assembler, &conn), expected, "{limit}, behind a byte");
    }
    // A length takes no memory, and a message that has room in the buffer goes there, if it has not begun elsewhere.
    let mut conn = inside::<Server>(BINARY, 100_000, 0);
    assert_eq!(lent(&mut Assembler::new(1 << 20), &conn), None);
    let mut assembler = Assembler::with_memory(1 << 20, vec![0; 200_000]);
    assert!(assembler.spare_for(&conn, 99_999).is_some());
    assert!(assembler.spare_for(&conn, 100_000).is_none());
    push(&mut assembler, &mut conn, 1);
    assert!(assembler.spare_for(&conn, 100_000).is_some());
}

/// Bytes that are not those of the message that is put together are not read directly.
#[test]
fn what_is_not_read_directly() {
    // An inflater makes the parts. (If a host collects a message as it is, compressed, it gets the memory.)
    let conn = inside::<Server>(BINARY | RSV1, 100_000, 50_000);
    for (rsv, expected) in [(Rsv::NONE, None), (Rsv::RSV1, Some(50_000))] {
        let mut assembler = Assembler::new(1 << 20);
        let mut bytes = vec![0; 50_000];
        assert_eq!(assembler.push(Part::new(Kind::Binary, rsv, &mut bytes, false)), Ok(None));
        assert_eq!(lent(&mut assembler, &conn), expected);
    }
    let mut memory = Assembler::with_memory(1 << 20, vec![0; 100_000]);
    assert_eq!(lent(&mut memory, &inside::<Server>(BINARY | RSV1, 100_000, 0)), None);

    // The message was refused.
    let mut conn = inside::<Server>(BINARY, 100_000, 0);
    let mut assembler = Assembler::with_memory(START as u64, vec![0; 100_000]);
    let mut bytes = vec![0; START + 1];
    let Ok(Some(Event::Part(part))) = conn.receive(&mut &mut bytes[..]) else { panic!("a part") };
    assert!(assembler.push(part).is_err());
    assert_eq!(lent(&mut assembler, &conn), None);
}

fn lent(assembler: &mut Assembler, conn: &Connection<Server>) -> Option<usize> {
    assembler.spare_for(conn, 0).map(|spare| spare.len())
}

/// So many bytes arrive, and are pushed.
fn push(assembler: &mut Assembler, conn: &mut Connection<Server>, n: usize) {
    let mut bytes = vec![0; n];
    let Ok(Some(Event::Part(part))) = conn.receive(&mut &mut bytes[..]) else { panic!("a part") };
    assert_eq!(assembler.push(part), Ok(None));
}
