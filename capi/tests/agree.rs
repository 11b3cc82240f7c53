//! The C functions and the Rust `Connection` agree, on wires that the fuzz target also draws.

use framewire_testing::wire::*;

#[path = "../../fuzz/src/capi.rs"]
#[expect(unreachable_pub, reason = "public in the crate of the fuzz targets")]
mod capi;

#[test]
fn on_every_cut_of_a_wire_with_everything() {
    let wire = |to: fn(u8, &[u8]) -> Vec<u8>| {
        cat(&[
            to(TEXT, b"x"),
            to(BINARY, &[7; 200]),
            to(PING, b"ping"),
            to(TEXT & MORE, "gr\u{f6}".as_bytes().split_at(3).0),
            to(PONG, &[b'p'; 125]),
            to(CONTINUATION, b"\xb6\xc3\x9fer"),
            to(TEXT | 0x40, b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
            to(CLOSE, b"\x03\xe9bis bald"),
        ])
    };
    for (role, wire) in [(0, wire(to::<framewire::Server>)), (1, wire(to::<framewire::Client>))] {
        for piece in 1..=wire.len().min(255) {
            capi::check(&[&[role | 2, piece as u8][..], &wire].concat());
        }
        // Each byte changed, in pieces of three lengths: errors of every kind.
        for at in 0..wire.len() {
            let mut wire = wire.clone();
            wire[at] ^= 1 << (at % 8);
            for piece in [1, 5, 255] {
                capi::check(&[&[role, piece][..], &wire].concat());
            }
        }
    }
}
