//! The C functions and the Rust `Connection` agree, on wires that the fuzz target also draws.

use framewire::{Header, Opcode, Rsv, mask::Key};
use framewire_capi::*;
use framewire_testing::wire::*;
use std::{
    mem::{size_of, zeroed},
    ptr::null,
};

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

#[test]
fn on_headers_of_every_length() {
    for (role, key) in [(FW_SERVER, None), (FW_CLIENT, Some([1, 2, 3, 4]))] {
        for payload_len in [0, 1, 125, 126, 0xFFFF, 0x1_0000, u64::MAX >> 1] {
            for fin in [true, false] {
                let (made, out) = header(role, fin, payload_len, key.as_ref());
                let key = key.map(Key::new);
                let header = Header { fin, rsv: Rsv::NONE, opcode: Opcode::Text, key, payload_len };
                assert_eq!(out[..made], header.encode()[..]);
                assert_eq!(out[made..], [0xAA; 20][made..], "writes no more than it says");
            }
        }
    }
}

/// The header of a whole text or of a first fragment: its length, and the output.
fn header(role: i32, fin: bool, len: u64, key: Option<&[u8; 4]>) -> (usize, [u8; 20]) {
    let mut out = [0xAA; 20];
    let (at, key) = (out.as_mut_ptr(), key.map_or(null(), |key| key.as_ptr()));
    // SAFETY: a connection is numbers, and zero is one. It is initialised before it is used. The key has four bytes, and the
    // output more than FW_HEADER_MAX.
    let made = unsafe {
        let mut connection: fw_connection = zeroed();
        assert_eq!(fw_init(&mut connection, size_of::<fw_connection>(), role, null()), FW_OK);
        match fin {
            true => fw_message(&mut connection, FW_TEXT, 0, len, key, at, FW_HEADER_MAX),
            false => fw_fragment(&mut connection, FW_TEXT, 0, len, 0, key, at, FW_HEADER_MAX),
        }
    };
    (made as usize, out)
}
