//! The twin of bench.c in Rust: decodes the same wire, and makes the same headers, with `Connection`. `examples/bench_table` runs
//! both in turn.

use framewire::{Connection, Event, Header, Kind, Opcode, Rsv, Server, Unmasked, mask::Key};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const WIRE: usize = 64 * 1024;
const ROUNDS: usize = 9;

fn main() {
    for size in [16, 125, 1024, 16384] {
        let header = Header {
            fin: true,
            rsv: Rsv::NONE,
            opcode: Opcode::Text,
            key: Some(Key::new([1, 2, 4, 8])),
            payload_len: size as u64,
        };
        let (mut wire, mut messages) = (Vec::new(), 0);
        while wire.len() + Header::MAX_LEN + size <= WIRE {
            wire.extend_from_slice(&header.encode());
            wire.resize(wire.len() + size, b'p');
            messages += 1;
        }
        let mut connection = Connection::<Server>::new();
        let best = least(messages, || {
            assert_eq!(take(&mut connection, black_box(&mut wire)), messages * size);
        });
        println!("decode-framewire-rust {size} {best:.2}");
        if messages > 9 {
            let best = least(messages, || headers(&mut connection, size, messages));
            println!("header-framewire-rust {size} {best:.2}");
        }
    }
}

/// The least time that a message took in one of the rounds, in ns.
fn least(messages: usize, mut run: impl FnMut()) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let (began, mut turns) = (Instant::now(), 0);
        while began.elapsed() < Duration::from_millis(5) {
            run();
            turns += 1;
        }
        began.elapsed().as_secs_f64() * 1e9 / (turns * messages) as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// Takes the whole wire, and returns how many bytes of text were on it.
#[inline(never)]
fn take(connection: &mut Connection<Server>, wire: &mut [u8]) -> usize {
    let (mut input, mut bytes) = (wire, 0);
    while let Ok(Some(event)) = connection.receive(&mut input) {
        if let Event::Text(text) = event {
            bytes += text.len();
        }
    }
    bytes
}

/// Makes the headers of as many messages, one after the other, as in a buffer for a write.
#[inline(never)]
fn headers(connection: &mut Connection<Server>, size: usize, messages: usize) {
    let mut headers = Vec::with_capacity(1024);
    for _ in 0..messages {
        if headers.len() > 1000 {
            headers.clear();
        }
        let header = connection.message_header(Kind::Text, Rsv::NONE, black_box(size) as u64, Unmasked);
        header.expect("the connection is open").append_to(&mut headers);
        black_box(&mut headers);
    }
}
