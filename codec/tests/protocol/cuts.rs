//! The same bytes give the same messages, replies and error, however reads cut them.

use framewire::{Client, Connection, Decoder, Limits, ProtocolError, Role, Rsv, Server};
use framewire_testing::{host::*, rfc6455::*, wire::*};
use quickcheck::{Arbitrary, Gen, QuickCheck};

const LIMITS: Limits = Limits { frame: 1 << 20, message: 1 << 20 };
const RSV1: u8 = 0x40;

/// Plays `wire` whole and in pieces. The outcome must be the same.
fn same<S: Role>(wire: &[u8], cuts: &[usize], whole: &Outcome) {
    let mut conn = connection::<S>();
    let outcome = play(&mut conn, wire, cuts);
    assert_eq!(outcome.items, whole.items, "items, cut at {cuts:?}");
    assert_eq!(outcome, *whole, "cut at {cuts:?}");
}

fn connection<S: Role>() -> Connection<S> {
    Connection::new().with_limits(LIMITS).with_extension_bits(Rsv::RSV1)
}

fn whole<S: Role>(wire: &[u8]) -> Outcome {
    let whole = play(&mut connection::<S>(), wire, &[]);
    assert_eq!(whole, oracle::<S>(wire, LIMITS, Rsv::RSV1), "what the RFC says");
    whole
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7) as u8).collect()
}

/// Every kind of frame, short; a close last.
fn everything<S: Role>() -> Vec<u8> {
    let poem = "κόσμε 𝒳 é – ok".as_bytes();
    let (a, rest) = poem.split_at(3); // inside the second character
    let (b, c) = rest.split_at(9); // inside the 𝒳
    cat(&[
        to::<S>(TEXT, b""),
        to::<S>(TEXT, b"x"),
        to::<S>(BINARY, b""),
        to::<S>(PING, b""),
        to::<S>(TEXT, "é".repeat(62).as_bytes()),
        to::<S>(BINARY, &bytes(125)),
        to::<S>(PONG, &bytes(125)),
        to::<S>(TEXT, "äöü".repeat(21).as_bytes()), // 126
        to::<S>(TEXT & MORE, a),
        to::<S>(PING, b"one"),
        to::<S>(CONTINUATION & MORE, b""),
        to::<S>(CONTINUATION & MORE, b),
        to::<S>(PONG, b"two"),
        to::<S>(PING, b""),
        to::<S>(CONTINUATION, c),
        to::<S>(TEXT & MORE, b""),
        to::<S>(CONTINUATION, b""),
        to::<S>(BINARY & MORE, b""),
        to::<S>(CONTINUATION, b"\xFF"),
        to::<S>(BINARY & MORE, &bytes(5)),
        to::<S>(CONTINUATION, b""),
        to::<S>(TEXT | RSV1, b"\xF2\x48\xCD\xC9\xC9\x07\x00"), // RFC 7692 §7.2.3.1
        to::<S>((TEXT | RSV1) & MORE, b"\xF2\x48\xCD"),
        to::<S>(PING, b"three"),
        to::<S>(CONTINUATION & MORE, b""),
        to::<S>(CONTINUATION, b"\xC9\xC9\x07\x00"),
        to::<S>(BINARY | RSV1, b""),
        to::<S>(TEXT, "nach".as_bytes()),
        to::<S>(CLOSE, &closing(1001, "bis bald, schöne Grüße")),
        to::<S>(TEXT, b"not interpreted"),
        vec![0xFF; 3],
    ])
}

#[test]
fn everything_cut_at_every_single_place() {
    fn role<S: Role>() {
        let wire = everything::<S>();
        let whole = whole::<S>(&wire);
        assert_eq!((whole.items.len(), whole.error), (21, None));
        for cut in 0..=wire.len() {
            same::<S>(&wire, &[cut], &whole);
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn everything_cut_at_a_grid_of_two_places() {
    fn role<S: Role>() {
        let wire = everything::<S>();
        let whole = whole::<S>(&wire);
        for first in (0..wire.len()).step_by(7) {
            for second in (first..wire.len()).step_by(11) {
                same::<S>(&wire, &[first, second], &whole);
            }
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn everything_in_pieces_of_every_size() {
    fn role<S: Role>() {
        let wire = everything::<S>();
        let whole = whole::<S>(&wire);
        for size in 1..200 {
            let cuts: Vec<usize> = (size..wire.len()).step_by(size).collect();
            same::<S>(&wire, &cuts, &whole);
        }
        let twice: Vec<usize> = (0..wire.len()).flat_map(|cut| [cut, cut]).collect(); // with empty pieces
        same::<S>(&wire, &twice, &whole);
    }
    role::<Server>();
    role::<Client>();
}

/// Lengths of two and eight bytes: cut everywhere near the ends of frames, and at some places inside.
#[test]
fn long_frames_cut_where_it_matters() {
    fn role<S: Role>() {
        let frames = [
            to::<S>(BINARY, &bytes(65535)),
            to::<S>(TEXT, "é".repeat(32768).as_bytes()), // 65536
            to::<S>(TEXT & MORE, &b"x".repeat(65536)),
            to::<S>(PING, b"in between"),
            to::<S>(CONTINUATION, &b"y".repeat(126)),
            to::<S>(CLOSE, b""),
        ];
        let wire = cat(&frames);
        let whole = whole::<S>(&wire);
        assert_eq!((whole.items.len(), whole.error), (5, None));
        let mut end = 0;
        let mut near = vec![];
        for frame in &frames {
            near.extend(end..end + 18);
            end += frame.len();
            near.extend(end - 2..end);
        }
        for &cut in near.iter().filter(|&&cut| cut < wire.len()) {
            same::<S>(&wire, &[cut], &whole);
            same::<S>(&wire, &[cut, cut + 9], &whole);
        }
        for size in [1, 4099, 65536, 65535] {
            let cuts: Vec<usize> = (size..wire.len()).step_by(size).collect();
            same::<S>(&wire, &cuts, &whole);
        }
    }
    role::<Server>();
    role::<Client>();
}

/// Wires with each error, with messages before it and bytes after it.
#[test]
fn every_error_cut_at_every_place() {
    fn role<S: Role>() {
        use ProtocolError as E;
        let mask = if is_client::<S>() { 0 } else { 0x80 };
        let wrong_mask = if is_client::<S>() { E::MaskUnexpected } else { E::MaskMissing };
        let open = to::<S>(TEXT & MORE, "offen é".as_bytes());
        let late = |payload: &[u8]| cat(&[open.clone(), to::<S>(CONTINUATION, payload)]);
        for (bad, error) in [
            (vec![0x83, mask], E::ReservedOpcode),
            (to::<S>(PING & MORE, b"x"), E::FragmentedControl),
            (to::<S>(PING, &bytes(126)), E::ControlTooLong),
            (vec![TEXT, mask | 126, 0, 125], E::LengthNotMinimal),
            (vec![TEXT, mask | 127, 0, 0, 0, 0, 0, 0, 255, 255], E::LengthNotMinimal),
            (vec![TEXT, mask | 127, 128, 0, 0, 0, 0, 0, 0, 0], E::LengthOutOfRange),
            (from::<S>(TEXT, b"mask"), wrong_mask),
            (from::<S>(CLOSE, b""), wrong_mask),
            (to::<S>(TEXT | 0x20, b"x"), E::ReservedBit),
            (to::<S>(PING | RSV1, b"x"), E::ReservedBit),
            (to::<S>(CONTINUATION, b"x"), E::UnexpectedContinuation),
            (cat(&[open.clone(), to::<S>(BINARY, b"x")]), E::ExpectedContinuation),
            (head_to::<S>(BINARY, LIMITS.frame + 1), E::FrameTooBig),
            (cat(&[open.clone(), head_to::<S>(CONTINUATION, LIMITS.message - 7)]), E::MessageTooBig),
            (
                to::<S>(
                    TEXT,
                    "gut \u{10FFFF}".as_bytes().iter().copied().chain([0xFF]).collect::<Vec<_>>().as_slice(),
                ),
                E::InvalidUtf8,
            ),
            (to::<S>(TEXT, b"cut \xF0\x9F\x98"), E::InvalidUtf8),
            (late(b"cut \xF0\x9F\x98"), E::InvalidUtf8),
            (late(b"\x80"), E::InvalidUtf8),
            (late(b"\xED\xA0\x80"), E::InvalidUtf8),
            (to::<S>(CLOSE, b"\x03"), E::CloseTooShort),
            (to::<S>(CLOSE, &closing(1005, "no")), E::InvalidCloseCode),
            (to::<S>(CLOSE, b"\x03\xE8 schoen\xC3"), E::InvalidUtf8),
        ] {
            let good = [to::<S>(TEXT, b"good"), to::<S>(PING, b"ping"), to::<S>(BINARY & MORE, b"a")];
            let wire = cat(&[cat(&good), to::<S>(CONTINUATION, b"b"), bad, to::<S>(TEXT, b"behind")]);
            let whole = whole::<S>(&wire);
            assert_eq!((whole.items.len(), whole.error), (3, Some(error)), "{error:?}");
            for cut in 0..=wire.len() {
                same::<S>(&wire, &[cut], &whole);
                same::<S>(&wire, &[cut, cut + 1], &whole);
                same::<S>(&wire, &[cut, cut + 5, cut + 7], &whole);
            }
            let each: Vec<usize> = (1..wire.len()).collect();
            same::<S>(&wire, &each, &whole);
        }
    }
    role::<Server>();
    role::<Client>();
}

#[test]
fn the_decoder_cut_at_every_place() {
    for wire in [everything::<Server>(), everything::<Client>()] {
        for (decoder, unmask) in decoders() {
            let expected = decoded(&wire, unmask);
            assert!(expected.0.len() == 30 && expected.1.is_some(), "FF FF FF is no frame");
            for cut in 0..=wire.len() {
                assert_eq!(decode(decoder.clone(), &wire, &[cut]), expected, "cut at {cut}");
            }
            let each: Vec<usize> = (1..wire.len()).collect();
            assert_eq!(decode(decoder, &wire, &each), expected);
        }
    }
}

/// A proxy changes each chunk from one side's key to the other's in one pass.
#[test]
fn chunks_are_masked_anew_in_one_pass() {
    let payload = bytes(1000);
    let wire = to::<Server>(BINARY, &payload);
    let new = framewire::mask::Key::new([9, 8, 7, 6]);
    for size in 1..50 {
        let mut decoder = Decoder::pass_through();
        let mut out = vec![];
        for piece in wire.clone().chunks_mut(size) {
            let mut input = piece;
            while let Some(chunk) = decoder.decode(&mut input).unwrap() {
                let key = chunk.header.key.unwrap().combine(new).advance((chunk.offset % 4) as usize);
                framewire::mask::apply(key, chunk.bytes);
                out.extend_from_slice(chunk.bytes);
            }
        }
        assert_eq!(out, masked([9, 8, 7, 6], &payload), "pieces of {size}");
    }
}

/// Frames in an order that is mostly valid, of which sometimes some bytes are changed, in random cuts.
#[derive(Clone, Debug)]
struct Wire {
    bytes: Vec<u8>,
    cuts: Vec<usize>,
}

impl Wire {
    fn arbitrary<S: Role>(g: &mut Gen) -> Self {
        let mut bytes = vec![];
        let mut open = false;
        let below = |g: &mut Gen, n: usize| usize::arbitrary(g) % n;
        for _ in 0..below(g, 12) {
            let len = *g.choose(&[0, 0, 1, 2, 3, 5, 17, 64, 125, 126, 127, 300]).unwrap();
            let mut text = String::new();
            while text.len() < len {
                text.push(*g.choose(&['a', 'z', 'é', '€', '𝒳', '\u{10FFFF}']).unwrap());
            }
            let data = if open { CONTINUATION } else { *g.choose(&[TEXT, BINARY, TEXT | RSV1]).unwrap() };
            let more = *g.choose(&[0xFF, 0xFF, MORE]).unwrap();
            let first = *g.choose(&[data, data, data, PING, PONG]).unwrap();
            if first < 0x88 || (0xC0..0xC8).contains(&first) {
                open = more == MORE;
                bytes.extend(to::<S>(first & more, text.as_bytes()));
            } else {
                bytes.extend(to::<S>(first, &text.as_bytes()[..text.len().min(125)]));
            }
        }
        if below(g, 3) == 0 {
            let payload = closing(*g.choose(&[1000, 1001, 4000, 999]).unwrap(), "bye");
            bytes.extend(to::<S>(CLOSE, &payload[..below(g, payload.len() + 1)]));
        }
        for _ in 0..below(g, 3) {
            if !bytes.is_empty() {
                let at = below(g, bytes.len());
                let any = u8::arbitrary(g);
                bytes[at] = *g.choose(&[0, 0x7E, 0x7F, 0x80, 0x81, 0xFF, any]).unwrap();
            }
        }
        let len = bytes.len();
        let mut cuts: Vec<usize> = (0..below(g, 12)).map(|_| below(g, len + 1)).collect();
        cuts.sort_unstable();
        Self { bytes, cuts }
    }

    fn smaller(&self) -> Box<dyn Iterator<Item = Self>> {
        let (bytes, cuts) = (self.bytes.clone(), self.cuts.clone());
        let fewer = (0..cuts.len()).map({
            let (bytes, cuts) = (bytes.clone(), cuts.clone());
            move |i| {
                let mut cuts = cuts.clone();
                cuts.remove(i);
                Self { bytes: bytes.clone(), cuts }
            }
        });
        let shorter = (0..bytes.len()).rev().take(5).map(move |len| Self {
            bytes: bytes[..len].to_vec(),
            cuts: cuts.iter().map(|&cut| cut.min(len)).collect(),
        });
        Box::new(shorter.chain(fewer))
    }
}

#[derive(Clone, Debug)]
struct ToServer(Wire);
#[derive(Clone, Debug)]
struct ToClient(Wire);

impl Arbitrary for ToServer {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(Wire::arbitrary::<Server>(g))
    }
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.smaller().map(Self))
    }
}

impl Arbitrary for ToClient {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(Wire::arbitrary::<Client>(g))
    }
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.smaller().map(Self))
    }
}

fn holds<S: Role>(Wire { bytes, cuts }: &Wire) {
    let whole = whole::<S>(bytes);
    same::<S>(bytes, cuts, &whole);
    same::<S>(bytes, &(1..bytes.len()).collect::<Vec<_>>(), &whole);
    for (decoder, unmask) in decoders() {
        let expected = decoded(bytes, unmask);
        assert_eq!(decode(decoder.clone(), bytes, &[]), expected);
        assert_eq!(decode(decoder, bytes, cuts), expected);
    }
}

#[test]
fn random_wires_and_cuts() {
    let check = || QuickCheck::new().tests(1500);
    check().quickcheck((|ToServer(wire)| holds::<Server>(&wire)) as fn(ToServer));
    check().quickcheck((|ToClient(wire)| holds::<Client>(&wire)) as fn(ToClient));
}
