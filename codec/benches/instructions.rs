//! Counts the instructions for a message, and compares them with budgets: `cargo bench --bench instructions`. It needs
//! valgrind.
//!
//! The count is the same in each run, whatever else the machine does. So a change of one percent shows, which timing
//! would lose in noise. Callgrind counts only inside [`measured`], which runs the host's loop but does not prepare its
//! input.
//!
//! The budgets are the counts of the recorded compiler on x86-64 with AVX2. If a path takes more, the run fails. If it
//! takes less, lower its budget.

use framewire::{Assembler, Client, Connection, Event, Kind, Rsv, Server, Unmasked, mask::Key};
use framewire_testing::{
    callgrind,
    wire::{self, KEY},
};
use std::{env, hint::black_box, process};

/// The name of a path, its budget in instructions a message, the number of messages, and the code for that many.
type Path = (&'static str, u64, usize, fn(usize));

const PATHS: [Path; 16] = [
    ("decode binary, 16 B", 101, 4000, |n| decode(n, &binary(16))),
    ("decode binary, 125 B", 101, 4000, |n| decode(n, &binary(125))),
    ("decode binary, 64 KiB", 4661, 20, |n| decode(n, &binary(65536))),
    ("decode text, 16 B", 88, 4000, |n| decode(n, &text("a", 16))),
    ("decode text, 125 B", 124, 4000, |n| decode(n, &text("a", 125))),
    ("decode text, 1 KiB", 261, 1000, |n| decode(n, &text("a", 1024))),
    ("decode text of 3 bytes a letter, 126 B", 254, 4000, |n| decode(n, &text("字", 126))),
    ("decode text of 3 bytes a letter, 16 KiB", 13991, 100, |n| decode(n, &text("字", 16383))),
    ("decode a message in three fragments", 1069, 2000, |n| decode(n, &fragments())),
    ("decode binary, 16 KiB in reads of 1,448 B", 7371, 100, |n| collect(n, &binary(16384))),
    ("decode text, 16 KiB in reads of 1,448 B", 8812, 100, |n| collect(n, &text("a", 16384))),
    ("decode a ping and reply", 386, 2000, |n| decode(n, &frame(0x89, b"ping"))),
    ("encode a server's header", 30, 4000, encode_server),
    ("encode a client's header and mask 125 B", 61, 4000, encode_client),
    ("echo in memory, 16 B", 157, 4000, |n| echo(n, &binary(16))),
    ("echo in memory, 125 B", 192, 4000, |n| echo(n, &text("a", 125))),
];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, run, path, count] = &arguments[..] {
        if run == "--run" {
            let count = count.parse().expect("a number");
            let (.., run) = PATHS.iter().find(|(name, ..)| name == path).expect("a path");
            return run(count);
        }
    }
    let this = env::current_exe().expect("a file");
    let mut gate = callgrind::Gate::open();
    for (name, budget, count, _) in PATHS {
        let mut command = callgrind::command(&this, &["--toggle-collect=*measured*"]);
        command.args(["--run", name, &count.to_string()]);
        let taken = callgrind::instructions(&mut command.spawn().expect("valgrind is installed"));
        gate.judge(name, taken as f64 / count as f64, budget);
    }
    process::exit(gate.verdict());
}

/// Decodes this frame `count` times, in reads of up to 64 KiB or of one frame.
fn decode(count: usize, frame: &[u8]) {
    let mut connection = Connection::<Server>::new();
    each_read(count, frame, |mut input| {
        while let Some(event) = connection.receive(&mut input).expect("sound frames") {
            if let Some(frame) = connection.reply(&event, Unmasked) {
                used(&frame);
            }
            match &event {
                Event::Text(text) => used(text.as_bytes()),
                Event::Binary(bytes) => used(bytes),
                Event::Part(part) => used(part.bytes()),
                _ => {}
            }
        }
    });
}

/// Puts messages together that reads cut. The rest of a frame is read into the assembler's memory.
fn collect(count: usize, frame: &[u8]) {
    let mut connection = Connection::<Server>::new();
    let mut assembler = Assembler::new(1 << 20);
    let wire = frame.repeat(count);
    let mut rx = [0; 1448];
    measured(|| {
        for bytes in wire.chunks(1448) {
            let missing = connection.remaining();
            let spare = assembler.spare(missing);
            let direct = spare.len().min(bytes.len());
            let (bytes, rest) = bytes.split_at(direct);
            spare[..direct].copy_from_slice(bytes);
            if let Some(message) = assembler.receive(&mut connection, direct).expect("sound frames") {
                used(message.bytes());
            }
            rx[..rest.len()].copy_from_slice(rest);
            let mut input = &mut rx[..rest.len()];
            while let Some(event) = connection.receive(&mut input).expect("sound frames") {
                if let Event::Part(part) = event {
                    if let Some(message) = assembler.push(part).expect("few bytes") {
                        used(message.bytes());
                    }
                }
            }
        }
    });
}

fn echo(count: usize, frame: &[u8]) {
    let mut connection = Connection::<Server>::new();
    let mut tx = Vec::with_capacity(1 << 20);
    each_read(count, frame, |mut input| {
        tx.clear();
        while let Some(event) = connection.receive(&mut input).expect("sound frames") {
            let (kind, payload) = match &event {
                Event::Text(text) => (Kind::Text, text.as_bytes()),
                Event::Binary(bytes) => (Kind::Binary, &**bytes),
                _ => continue,
            };
            let header = connection
                .message_header(kind, Rsv::NONE, payload.len() as u64, Unmasked)
                .expect("it is open");
            header.append_to(&mut tx);
            tx.extend_from_slice(payload);
        }
        used(&tx);
    });
}

fn encode_server(count: usize) {
    let mut connection = Connection::<Server>::new();
    let payload = [b'a'; 300];
    measured(|| {
        for i in 0..count {
            used(&connection.binary_header(black_box(&payload[..i % 300]), Unmasked).expect("it is open"));
        }
    });
}

fn encode_client(count: usize) {
    let mut connection = Connection::<Client>::new();
    let mut payload = [b'a'; 125];
    measured(|| {
        for i in 0..count {
            let key = Key::new((i as u32).wrapping_mul(0x9E37_79B9).to_ne_bytes());
            used(
                &connection.header_in_place(Kind::Binary, black_box(&mut payload), key).expect("it is open"),
            );
        }
    });
}

/// Makes reads of up to 64 KiB, or of one frame, from `count` frames.
fn each_read(count: usize, frame: &[u8], mut read: impl FnMut(&mut [u8])) {
    let at_once = (65536 / frame.len()).clamp(1, count);
    let wire = frame.repeat(at_once);
    let mut left = count;
    while left > 0 {
        let now = left.min(at_once);
        let mut rx = wire[..now * frame.len()].to_vec();
        measured(|| read(black_box(&mut rx)));
        left -= now;
    }
}

/// Runs the code that callgrind counts: the option `--toggle-collect` names this function.
#[inline(never)]
fn measured(mut run: impl FnMut()) {
    run();
}

fn binary(len: usize) -> Vec<u8> {
    frame(0x82, &vec![7; len])
}

fn text(letter: &str, len: usize) -> Vec<u8> {
    frame(0x81, letter.repeat(len / letter.len()).as_bytes())
}

fn fragments() -> Vec<u8> {
    [frame(0x01, b"What is"), frame(0x00, " naïve".as_bytes()), frame(0x80, b" here?")].concat()
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::frame(first, Some(KEY), payload)
}

fn used(payload: &[u8]) {
    black_box((payload.as_ptr(), payload.len()));
}
