//! The stages after a connection: whole messages from parts, and the slices of a vectored write.

use core::str;
use framewire::{
    Assembled, Assembler, Client, Connection, Event, Kind, Limits, Part, ProtocolError, Role, Rsv, Server,
};
use framewire_testing::{host::*, miri::thin, rfc6455::*, wire::*};
use quickcheck::QuickCheck;

fn part(bytes: &mut [u8], last: bool) -> Part<'_> {
    Part::new(Kind::Binary, Rsv::NONE, bytes, last)
}

fn item(message: Assembled<'_>) -> Item {
    if message.kind == Kind::Text && message.rsv.is_none() {
        assert_eq!(message.as_str().unwrap().as_bytes(), message.bytes());
    }
    Item::Message(message.kind, message.rsv, message.bytes().to_vec())
}

#[test]
fn parts_to_messages() {
    let mut assembler = Assembler::new(10);
    assert_eq!((assembler.len(), assembler.is_empty(), assembler.capacity()), (0, true, 0));
    assert_eq!(assembler.push(part(&mut [1, 2], false)), Ok(None));
    assert_eq!((assembler.len(), assembler.is_empty()), (2, false));
    assert_eq!(assembler.push(part(&mut [3], false)), Ok(None));
    let message = assembler.push(part(&mut [], true)).unwrap().unwrap();
    assert_eq!(item(message), binary(&[1, 2, 3]));
    assert_eq!((assembler.len(), assembler.is_empty()), (0, true));
    // The next message has the kind and bits of its own first part, and only its own bytes.
    let first = assembler.push(Part::new(Kind::Text, Rsv::RSV1, &mut [0xFF], false));
    assert_eq!(first, Ok(None));
    let rest = assembler.push(Part::new(Kind::Text, Rsv::RSV1, &mut [0xC3], true));
    let message = rest.unwrap().unwrap();
    assert!(message.as_str().is_err());
    assert_eq!(item(message), Item::Message(Kind::Text, Rsv::RSV1, vec![0xFF, 0xC3]));
    // An empty message, and a message of one part.
    assert_eq!(assembler.push(part(&mut [], true)).map(|m| m.map(item)), Ok(Some(binary(&[]))));
    assert_eq!(assembler.push(part(&mut [9; 10], true)).map(|m| m.map(item)), Ok(Some(binary(&[9; 10]))));
}

/// A message of exactly the limit is accepted, and one byte more is refused, wherever it is cut. The collected bytes
/// are dropped, the rest of the message is not taken for another, and the next message starts empty.
#[test]
fn the_limit_to_the_byte() {
    for limit in thin(7, 0..20) {
        for cut in 0..=limit {
            let mut assembler = Assembler::new(limit as u64);
            for round in 0..3 {
                let mut bytes = vec![round; limit + 1];
                let (a, b) = bytes.split_at_mut(cut);
                assert_eq!(assembler.push(part(a, false)), Ok(None));
                assert_eq!(assembler.len(), cut);
                let rest = limit - cut;
                let message = assembler.push(part(&mut b[..rest], true)).unwrap().map(item);
                assert_eq!(message, Some(binary(&vec![round; limit])));

                assert_eq!(assembler.push(part(a, false)), Ok(None));
                assert_eq!(assembler.push(part(b, round == 0)), Err(ProtocolError::MessageTooBig));
                assert_eq!((assembler.len(), assembler.is_empty()), (0, true), "dropped");
                if round != 0 {
                    for last in [false, true] {
                        let rest = assembler.push(part(&mut [], last));
                        assert_eq!(rest, Err(ProtocolError::MessageTooBig), "the rest of it");
                    }
                }
            }
        }
    }
}

#[test]
fn a_message_is_taken_without_its_memory_being_copied() {
    let mut assembler = Assembler::new(100);
    assembler.push(part(&mut [1, 2], false)).unwrap();
    let message = assembler.push(part(&mut [3], true)).unwrap().unwrap();
    let at = message.bytes().as_ptr();
    let bytes = message.into_vec();
    assert_eq!((&bytes[..], bytes.as_ptr()), (&[1, 2, 3][..], at));
    assert_eq!((assembler.capacity(), assembler.len(), assembler.is_empty()), (0, 0, true));
    // After longer ones; and changed in place.
    assembler.push(part(&mut [4; 50], true)).unwrap();
    let message = assembler.push(part(&mut [5; 2], true)).unwrap().unwrap();
    assert_eq!(message.into_vec(), [5; 2]);
    let bytes = assembler.push(part(&mut [6; 3], true)).unwrap().unwrap().into_bytes();
    bytes[1] = 7;
    assert_eq!(bytes, [6, 7, 6]);
    // With given memory: it is used, and its old contents do not come out.
    let memory = vec![9; 80];
    let at = memory.as_ptr();
    let mut assembler = Assembler::with_memory(100, memory);
    assert_eq!((assembler.len(), assembler.is_empty(), assembler.spare(80).as_ptr()), (0, true, at));
    let message = assembler.push(part(&mut [8; 60], true)).unwrap().unwrap();
    assert_eq!((message.bytes(), message.bytes().as_ptr()), (&[8; 60][..], at));
    let mut assembler = Assembler::with_memory(100, vec![9; 80]);
    assert_eq!(assembler.push(part(&mut [], true)).unwrap().map(item), Some(binary(&[])));
}

/// A message that was validated as one text is not validated again. Any other is, whatever its kind and wherever its
/// parts come from.
#[test]
fn only_what_was_validated_is_taken_for_text() {
    /// The parts of a text that a connection receives in these pieces.
    fn parts<'b>(conn: &mut Connection<Client>, frame: &'b mut [u8], cut: usize) -> [Part<'b>; 2] {
        let (mut first, mut rest) = frame.split_at_mut(cut);
        [&mut first, &mut rest].map(|input| match conn.receive(input) {
            Ok(Some(Event::Part(part))) => part,
            other => panic!("{other:?}"),
        })
    }
    let euro = "a\u{20AC}b".as_bytes(); // 61 E2 82 AC 62
    let mut wire = frame(TEXT, None, euro);
    let mut assembler = Assembler::new(100);
    for cut in 3..7 {
        let [first, rest] = parts(&mut Connection::new(), &mut wire, cut);
        assert_eq!(assembler.push(first), Ok(None));
        let message = assembler.push(rest).unwrap().unwrap();
        assert_eq!(message.as_str(), Ok("a\u{20AC}b"));
        assert_eq!(message.into_string().as_deref(), Ok("a\u{20AC}b"));
    }

    // Each part is valid by itself, but they come from two texts, cut inside different characters.
    let mut other = frame(TEXT, None, "a\u{1F980}b".as_bytes()); // 61 F0 9F A6 80 62
    for (cut, other_cut) in (3..7).flat_map(|cut| (3..8).map(move |other| (cut, other))) {
        let [first, _] = parts(&mut Connection::new(), &mut wire, cut);
        let [_, rest] = parts(&mut Connection::new(), &mut other, other_cut);
        let joined = [first.bytes(), rest.bytes()].concat();
        assert_eq!(assembler.push(first), Ok(None));
        let message = assembler.push(rest).unwrap().unwrap();
        assert_eq!(message.as_str().ok(), str::from_utf8(&joined).ok());
        assert_eq!(message.into_string().is_ok(), str::from_utf8(&joined).is_ok());
    }

    // Parts that the host made, or to which it gave the kind `Text`.
    let mut broken = [0xFF];
    let message = assembler.push(Part::new(Kind::Text, Rsv::NONE, &mut broken, true)).unwrap().unwrap();
    assert!(message.as_str().is_err() && message.into_string().is_err());
    let mut wire = frame(BINARY, None, &[0xFF, 0xFE]);
    let [mut first, rest] = parts(&mut Connection::new(), &mut wire, 3);
    first.kind = Kind::Text;
    assert_eq!(assembler.push(first), Ok(None));
    let message = assembler.push(rest).unwrap().unwrap();
    assert!(message.kind == Kind::Text && message.as_str().is_err());

    // Decoded partly in the assembler's memory, and partly pushed.
    let mut conn = Connection::<Client>::new();
    let mut wire = frame(TEXT, None, euro);
    let mut input = &mut wire[..4];
    match conn.receive(&mut input) {
        Ok(Some(Event::Part(part))) => assert_eq!(assembler.push(part), Ok(None)),
        other => panic!("{other:?}"),
    }
    assembler.spare(conn.remaining())[..3].copy_from_slice(&euro[2..]);
    let message = assembler.receive(&mut conn, 3).unwrap().unwrap();
    assert_eq!(message.into_string().as_deref(), Ok("a\u{20AC}b"));
}

/// The most memory that an assembler may hold after `len` bytes of a message, whatever length was declared: twice the
/// sum of those bytes and the spare room (as much again, or 16 KiB), because a vector grows by doubling.
const fn most_memory(len: usize) -> usize {
    let spare = if len < 16 << 10 { 16 << 10 } else { len };
    2 * (len + spare)
}

/// A frame that declares the largest length takes memory only for the bytes that have arrived.
#[test]
fn memory_follows_what_arrived() {
    let most = if cfg!(miri) { 60_000 } else { 600_000 };
    for limit in [usize::MAX, 1 << 20] {
        let mut conn = Connection::<Server>::new().with_limits(Limits::NONE);
        let mut assembler = Assembler::new(limit as u64);
        let declared = if limit == usize::MAX { i64::MAX as u64 } else { limit as u64 };
        assert_eq!(play(&mut conn, &head_to::<Server>(BINARY, declared), &[]).error, None);
        let mut arrived = 0;
        while arrived < most {
            assert_eq!(assembler.spare(0).len(), 0);
            let room = assembler.spare(conn.remaining()).len();
            assert!((1..=arrived.max(16 << 10)).contains(&room), "{room} behind {arrived}");
            assert!(assembler.capacity() <= most_memory(arrived), "{} for {arrived}", assembler.capacity());
            let n = 1.max(room / 3);
            assert_eq!(assembler.receive(&mut conn, n), Ok(None));
            arrived += n;
            assert_eq!(assembler.len(), arrived);
            assert_eq!(conn.remaining(), declared - arrived as u64);
        }
        assert!(assembler.capacity() <= most_memory(arrived));
    }
    // By push alone as well.
    let mut assembler = Assembler::new(u64::MAX);
    for i in 1..most / 300 {
        assembler.push(part(&mut [0; 97], false)).unwrap();
        assert!(assembler.capacity() <= most_memory(97 * i));
    }
}

/// The memory of one message serves the next.
#[test]
fn memory_is_used_again() {
    let mut assembler = Assembler::new(1 << 20);
    assembler.push(part(&mut vec![1; 100_000], true)).unwrap();
    let (at, capacity) = (assembler.spare(10).as_ptr(), assembler.capacity());
    for _ in 0..10 {
        assembler.push(part(&mut vec![2; 50_000], false)).unwrap();
        let message = assembler.push(part(&mut vec![3; 50_000], true)).unwrap().unwrap();
        assert_eq!(message.bytes().as_ptr(), at);
        assert_eq!(message.bytes(), [vec![2; 50_000], vec![3; 50_000]].concat());
    }
    assert_eq!(assembler.capacity(), capacity);
}

/// Spare room ends at the limit.
#[test]
fn spare_room_ends_with_the_limit() {
    for limit in [0, 1, 100, 20_000] {
        let mut assembler = Assembler::new(limit as u64);
        assert_eq!(assembler.spare(u64::MAX).len(), limit.min(16 << 10));
        assert_eq!(assembler.spare(3).len(), limit.min(3));
        let first = limit / 2;
        assembler.push(part(&mut vec![0; first], false)).unwrap();
        assert_eq!(assembler.spare(u64::MAX).len(), limit - first);
        assembler.push(part(&mut vec![0; limit - first], false)).unwrap();
        assert_eq!(assembler.spare(u64::MAX).len(), 0);
    }
}

/// A host that reads the rest of large frames into the assembler, `rx` bytes at a time into its own buffer and
/// `direct` at a time into the spare room.
fn host<S: Role>(wire: &[u8], rx: usize, direct: usize) -> Outcome {
    let mut conn = Connection::<S>::new().with_extension_bits(Rsv::RSV1);
    let mut assembler = Assembler::new(1 << 20);
    let mut outcome = Outcome::default();
    let mut socket = wire;
    let result = 'host: loop {
        if socket.is_empty() {
            break Ok(());
        }
        let spare = assembler.spare(conn.remaining());
        if !spare.is_empty() {
            let n = spare.len().min(direct).min(socket.len());
            spare[..n].copy_from_slice(&socket[..n]);
            socket = &socket[n..];
            match assembler.receive(&mut conn, n) {
                Ok(message) => outcome.items.extend(message.map(item)),
                Err(error) => break Err(error),
            }
            continue;
        }
        let (read, rest) = socket.split_at(rx.min(socket.len()));
        socket = rest;
        let mut read = read.to_vec();
        let mut input = &mut read[..];
        loop {
            match conn.receive(&mut input) {
                Ok(Some(event)) => {
                    outcome
                        .replies
                        .extend(conn.reply(&event, fixed::<S>).iter().flat_map(|frame| frame.iter()));
                    match event {
                        Event::Part(part) => match assembler.push(part) {
                            Ok(message) => outcome.items.extend(message.map(item)),
                            Err(error) => break 'host Err(error),
                        },
                        event => outcome.items.extend(Joiner::default().push(event)),
                    }
                }
                Ok(None) => break,
                Err(error) => break 'host Err(error),
            }
        }
    };
    if let Err(error) = result {
        outcome.error = Some(error);
        outcome.farewell = conn.fail(error, fixed::<S>).map(|frame| frame.to_vec());
    }
    outcome
}

/// The messages are those of the connection alone, whatever the sizes of the reads into either buffer.
#[test]
fn large_frames_read_in_place() {
    fn role<S: Role>() {
        let n = if cfg!(miri) { 500 } else { 5000 };
        let poem = "aé€𝒳".repeat(n); // ten bytes each
        let (a, b) = poem.as_bytes().split_at(4 * n + 7); // inside the 𝒳
        let good = cat(&[
            to::<S>(TEXT, b"short"),
            to::<S>(TEXT & MORE, a),
            to::<S>(PING, b"between"),
            to::<S>(CONTINUATION & MORE, b""),
            to::<S>(CONTINUATION, b),
            to::<S>(BINARY, &vec![7; 14 * n]),
            to::<S>(TEXT, poem.as_bytes()),
            to::<S>(TEXT, b""),
            to::<S>(BINARY | 0x40, &vec![9; 6 * n]),
            to::<S>(PING, &[1; 125]),
            to::<S>(BINARY, &[8; 200]),
        ]);
        let broken = [poem.as_bytes(), b"\xFF"].concat();
        let (a, b) = broken.split_at(5 * n);
        let ends = [
            to::<S>(CLOSE, &closing(1000, "")),
            to::<S>(TEXT, &broken),
            cat(&[to::<S>(TEXT & MORE, a), to::<S>(CONTINUATION, b)]),
            cat(&[to::<S>(TEXT & MORE, &a[..5 * n - 1]), to::<S>(CONTINUATION, b"")]), // inside the 𝒳
            cat(&[to::<S>(BINARY & MORE, &vec![1; 6 * n]), to::<S>(BINARY, b"")]),
        ];
        for bad in thin(2, ends) {
            let wire = cat(&[good.clone(), bad]);
            let limits = Limits { frame: 1 << 20, message: 1 << 20 };
            let expected = oracle::<S>(&wire, limits, Rsv::RSV1);
            assert!(expected.items.len() >= 9);
            let sizes = [
                (1 << 20, 1),
                (7, 1 << 20),
                (14, 1000),
                (15, 33),
                (100, 16 << 10),
                (1, usize::MAX),
                (4096, 4097),
                (16 << 10, 70_000),
                (4096, 4096),
            ];
            for (rx, direct) in thin(4, sizes) {
                assert_eq!(host::<S>(&wire, rx, direct), expected, "{rx} {direct}");
            }
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn reads_of_random_sizes() {
    fn check(sizes: Vec<u16>, rx: u8, direct: u16) {
        let large = |n: u16| n % 16 == 0 && !cfg!(miri);
        let sizes: Vec<u16> = sizes.into_iter().map(|n| if large(n) { n } else { n % 300 }).collect();
        let frames: Vec<Vec<u8>> =
            sizes.iter().map(|&n| to::<Server>(BINARY, &vec![n as u8; n.into()])).collect();
        let outcome = host::<Server>(&cat(&frames), usize::from(rx) + 1, usize::from(direct) + 1);
        let expected: Vec<Item> = sizes.iter().map(|&n| binary(&vec![n as u8; n.into()])).collect();
        assert_eq!(outcome.items, expected);
    }
    let tests = if cfg!(miri) { 3 } else { 100 };
    QuickCheck::new().tests(tests).quickcheck(check as fn(Vec<u16>, u8, u16));
}

/// A message that is over the assembler's limit, but within the connection's: no room is lent past the limit, and the
/// part that exceeds it is refused.
#[test]
fn a_limit_tighter_than_the_connections() {
    let mut conn = Connection::<Client>::new();
    let mut assembler = Assembler::new(1000);
    let mut wire = to::<Client>(BINARY, &[5; 1001]);
    let (head, payload) = wire.split_at_mut(4);
    let mut input = head;
    assert_eq!(conn.receive(&mut input), Ok(None));
    let spare = assembler.spare(conn.remaining());
    assert_eq!(spare.len(), 1000);
    spare.copy_from_slice(&payload[..1000]);
    assert_eq!(assembler.receive(&mut conn, 1000), Ok(None));
    assert_eq!((assembler.spare(conn.remaining()).len(), conn.remaining()), (0, 1));
    let mut input = &mut payload[1000..];
    let Ok(Some(Event::Part(part))) = conn.receive(&mut input) else { panic!("a part") };
    assert_eq!(assembler.push(part), Err(ProtocolError::MessageTooBig));
}

/// Wrong calls of the host do not panic.
#[test]
fn misuse() {
    // If nothing is missing, nothing is lent.
    let mut conn = Connection::<Server>::new();
    let mut assembler = Assembler::new(100);
    for n in [0, 1, usize::MAX] {
        assert_eq!(assembler.receive(&mut conn, n), Ok(None));
    }
    assert_eq!(assembler.spare(0), b"");

    // More than was lent counts as what was lent.
    play(&mut conn, &head_to::<Server>(BINARY, 50), &[]);
    assert_eq!(assembler.receive(&mut conn, 10), Ok(None), "nothing was lent");
    assert_eq!(conn.remaining(), 50);
    assert_eq!(assembler.spare(20).len(), 20);
    assert_eq!(assembler.receive(&mut conn, usize::MAX), Ok(None));
    assert_eq!((conn.remaining(), assembler.len()), (30, 20));
    assert_eq!(assembler.receive(&mut conn, usize::MAX), Ok(None));
    assert_eq!((conn.remaining(), assembler.len()), (30, 20));
    // More than is missing counts as what is missing.
    assert_eq!(assembler.spare(u64::MAX).len(), 80);
    let message = assembler.receive(&mut conn, 80).unwrap().unwrap();
    assert_eq!((message.kind, message.bytes().len()), (Kind::Binary, 50));
    assert_eq!(assembler.receive(&mut conn, 80), Ok(None));

    // Room is lent, and then the memory is taken.
    play(&mut conn, &head_to::<Server>(BINARY, 50), &[]);
    assembler.spare(50);
    assembler = Assembler::new(100);
    assert_eq!(assembler.receive(&mut conn, 50), Ok(None));
    assert_eq!(conn.remaining(), 50);

    // A connection that failed returns its error.
    let mut conn = Connection::<Server>::new();
    play(&mut conn, &[0x83], &[]);
    assembler.spare(50);
    assert_eq!(assembler.receive(&mut conn, 50), Err(ProtocolError::ReservedOpcode));
}

#[cfg(feature = "std")]
mod vectored {
    use framewire::vectored::io_slices;
    use framewire_testing::{miri::thin, wire::*};
    use std::io::IoSlice;

    fn joined(slices: &[IoSlice<'_>]) -> Vec<u8> {
        slices.iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    /// After every number of written bytes, with every number of slices: as much of the rest as fits, and no empty
    /// slice.
    #[test]
    fn every_partial_write() {
        let payloads: [&[u8]; 7] = [b"", b"one", b"", b"a longer payload", &[7; 126], b"", b"z"];
        let frames = payloads.map(|payload| [head(BINARY, None, payload.len() as u64), payload.to_vec()]);
        let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(BINARY, None, payload)).collect();
        let pieces = || {
            [&b""[..]].into_iter().chain(frames.iter().flatten().map(|piece| &piece[..])).chain([&b""[..]; 2])
        };
        let full = pieces().filter(|piece| !piece.is_empty()).count();

        for written in thin(17, 0..=wire.len() + 3) {
            let mut more = 0;
            for room in 0..=full + 2 {
                let mut slices = vec![IoSlice::new(b"stale"); room];
                let filled = io_slices(pieces(), written, &mut slices);
                assert!(filled.len() <= room && filled.iter().all(|slice| !slice.is_empty()));
                let bytes = joined(filled);
                assert_eq!(bytes, wire[written.min(wire.len())..][..bytes.len()]);
                assert!(room == 0 || bytes.len() > more || bytes.len() == wire.len().saturating_sub(written));
                more = bytes.len();
            }
            assert_eq!(more, wire.len().saturating_sub(written), "all of the rest, where there is room");
        }
    }

    /// A socket that takes `most` bytes at a time gets every byte once, in order.
    #[test]
    fn every_speed_of_a_socket() {
        let payloads: Vec<Vec<u8>> = (0..10).map(|i| vec![i; usize::from(i) * 13 % 50]).collect();
        let frames: Vec<_> = payloads
            .iter()
            .map(|payload| [head(BINARY, None, payload.len() as u64), payload.clone()])
            .collect();
        let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(BINARY, None, payload)).collect();
        for most in thin(41, 1..=wire.len()) {
            for room in thin(3, 1..6) {
                let mut socket: Vec<u8> = vec![];
                while socket.len() < wire.len() {
                    let mut slices = vec![IoSlice::new(b""); room];
                    let bytes = joined(io_slices(
                        frames.iter().flatten().map(|piece| &piece[..]),
                        socket.len(),
                        &mut slices,
                    ));
                    assert!(!bytes.is_empty());
                    socket.extend(&bytes[..bytes.len().min(most)]);
                }
                assert_eq!(socket, wire);
            }
        }
    }
}
