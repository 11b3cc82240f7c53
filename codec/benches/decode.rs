//! What a message costs: `Connection<Server>` over a buffer of masked frames, beside what one would write by hand and
//! beside copying the bytes. `cargo bench --bench decode [PART OF A NAME]`, best pinned to a core (`taskset -c 1 …`).
//!
//! The contenders take turns, each on a fresh copy of the same bytes, with a key of its own for each frame; printed is
//! the fastest of many rounds, and the median of ours.

use framewire::{Connection, Event, Header, Kind, Opcode, Rsv, Server, mask};
use std::{env, hint::black_box, time::Instant};

const LATIN: &str = "abcdefghijklmnopqrstuvwxyz ABCDEFGH0123456789";
const MIXED: &str = "äöüабвгд日本語漢字😀 abc";

fn main() {
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("{:<26} {:>9} {:>9} {:>11} {:>9}", "ns a message", "memcpy", "by hand", "Connection", "median");
    for (kind, letters, name) in
        [(Kind::Binary, LATIN, "binary"), (Kind::Text, LATIN, "ASCII"), (Kind::Text, MIXED, "multi-byte")]
    {
        for (low, high) in [
            (0, 0),
            (16, 16),
            (125, 125),
            (1, 32),
            (1, 125),
            (1000, 1000),
            (16 << 10, 16 << 10),
            (1 << 20, 1 << 20),
        ] {
            let name = if low == high {
                format!("{name}, {low} B")
            } else {
                format!("{name}, random {low}–{high} B")
            };
            if name.contains(&filter) {
                measure(&name, kind, letters, low, high);
            }
        }
    }
}

type Contender<'a> = &'a dyn Fn(&mut [u8]);

fn measure(name: &str, kind: Kind, letters: &str, low: usize, high: usize) {
    let count = (200_000 / (high + 20)).clamp(1, 2000);
    let wire = frames(kind, letters, low, high, count);
    let mut rx = wire.clone();
    let contenders: [Contender<'_>; 3] =
        [&|rx| rx.copy_from_slice(black_box(&wire)), &|rx| by_hand(rx, kind), &|rx| connection(rx)];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..(40_000_000 / (wire.len() + 2000)).clamp(30, 400) {
        for (contender, times) in contenders.iter().zip(&mut times) {
            rx.copy_from_slice(&wire);
            let began = Instant::now();
            contender(black_box(&mut rx));
            times.push(began.elapsed().as_nanos() as f64 / count as f64);
        }
    }
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    let [memcpy, hand, ours] = &times;
    let median = ours[ours.len() / 2];
    println!("{name:<26} {:>9.1} {:>9.1} {:>11.1} {median:>9.1}", memcpy[0], hand[0], ours[0]);
}

/// So many frames of a client, one behind the other.
fn frames(kind: Kind, letters: &str, low: usize, high: usize, count: usize) -> Vec<u8> {
    let letters: Vec<char> = letters.chars().collect();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    let opcode = if kind == Kind::Text { Opcode::Text } else { Opcode::Binary };
    let mut wire = Vec::new();
    for _ in 0..count {
        let len = low + random() % (high - low + 1);
        let mut text = String::new();
        while text.len() < len {
            let letter = letters[random() % letters.len()];
            text.push(if text.len() + letter.len_utf8() > len { 'x' } else { letter });
        }
        let key = mask::Key::new((random() as u32).to_ne_bytes());
        let header = Header { fin: true, rsv: Rsv::NONE, opcode, key: Some(key), payload_len: len as u64 };
        wire.extend_from_slice(&header.encode());
        let start = wire.len();
        wire.extend_from_slice(text.as_bytes());
        mask::apply(key, &mut wire[start..]);
    }
    wire
}

#[inline(never)]
fn connection(rx: &mut [u8]) {
    let mut connection = Connection::<Server>::new();
    let mut input = rx;
    loop {
        match connection.receive(&mut input) {
            Ok(Some(event)) => {
                if let Some(frame) = connection.reply(&event) {
                    black_box(&frame);
                }
                match event {
                    Event::Text(text) => used(text.as_bytes()),
                    Event::Binary(bytes) => used(bytes),
                    _ => unreachable!("there are no other frames"),
                }
            }
            Ok(None) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The same kernel to unmask, simdutf8 to validate, and no check that is not needed to find the next frame.
#[inline(never)]
fn by_hand(rx: &mut [u8], kind: Kind) {
    let mut at = 0;
    while at + 6 <= rx.len() {
        assert!(rx[at] & 0x70 == 0 && rx[at + 1] & 0x80 != 0);
        let (len, head) = match rx[at + 1] & 0x7F {
            126 => (usize::from(u16::from_be_bytes([rx[at + 2], rx[at + 3]])), 4),
            127 => (u64::from_be_bytes(rx[at + 2..at + 10].try_into().expect("eight bytes")) as usize, 10),
            len => (usize::from(len), 2),
        };
        let key: [u8; 4] = rx[at + head..at + head + 4].try_into().expect("four bytes");
        let payload = &mut rx[at + head + 4..at + head + 4 + len];
        mask::apply(key.into(), payload);
        if kind == Kind::Text {
            used(simdutf8::basic::from_utf8(payload).expect("sound text").as_bytes());
        } else {
            used(payload);
        }
        at += head + 4 + len;
    }
}

/// Pointer and length apart, as a host uses them. Both at once would be written to memory as two words and read back as
/// one, for which a CPU waits longer than the rest of the message takes.
fn used(payload: &[u8]) {
    black_box(payload.as_ptr());
    black_box(payload.len());
}
