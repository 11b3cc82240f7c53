//! The functions for C do what the Rust `Connection` does: the same events, replies, errors and states for the same reads.
//! And they leave the memory around a connection alone.

#![allow(unsafe_code)] // the functions are those of C

use core::{mem::zeroed, ptr::null, slice};
use framewire::{Client, Connection, Event, Kind, Limits, Role, Rsv, Server, State, mask::Key};
use framewire_capi::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const LIMITS: Limits = Limits { frame: 1 << 16, message: 1 << 17 };

/// The input is a byte of flags (1: a client, 2: permessage-deflate), the length of the reads, and what the peer sends.
pub fn check(input: &[u8]) {
    let &[flags, piece, ref wire @ ..] = input else { return };
    match flags & 1 {
        0 => run::<Server>(flags, piece, wire, FW_SERVER, null()),
        _ => run::<Client>(flags, piece, wire, FW_CLIENT, KEY.as_ptr()),
    }
}

/// Memory of C, with guards around it.
#[repr(C)]
struct Guarded {
    before: [u8; 64],
    connection: fw_connection,
    after: [u8; 64],
}

fn run<R: Role>(flags: u8, piece: u8, wire: &[u8], role: i32, key: *const u8) {
    let bits = if flags & 2 != 0 { FW_RSV1 } else { 0 };
    // SAFETY: numbers, and zero is one.
    let mut memory = Guarded { before: [0xA5; 64], connection: unsafe { zeroed() }, after: [0xA5; 64] };
    let c = &raw mut memory.connection;
    let config = fw_config {
        max_frame: LIMITS.frame,
        max_message: LIMITS.message,
        extension_bits: bits,
        ..fw_config::default()
    };
    // SAFETY: all arguments are valid.
    assert_eq!(unsafe { fw_init(c, size_of::<fw_connection>(), role, &config) }, FW_OK);
    let mut rust = Connection::<R>::new().with_limits(LIMITS);
    if bits != 0 {
        rust = rust.with_extension_bits(Rsv::RSV1);
    }
    let draw = || R::key(|| Key::new(KEY));

    for read in wire.chunks(usize::from(piece).max(1)) {
        let (mut ours, mut theirs) = (read.to_vec(), read.to_vec());
        let (mut data, mut len) = (theirs.as_mut_ptr(), theirs.len());
        let mut input = &mut ours[..];
        loop {
            // SAFETY: an event is numbers and a pointer, and zero is one.
            let mut event: fw_event = unsafe { zeroed() };
            // SAFETY: all arguments are valid.
            let result = unsafe { fw_receive(c, &mut data, &mut len, &mut event) };
            let expected = rust.receive(&mut input);
            assert_eq!(len, input.len(), "the cursors");
            let mut out = [0; FW_CONTROL_MAX];
            match expected {
                Ok(Some(item)) => {
                    assert_eq!(result, 1);
                    same(&item, &event);
                    let reply = rust.reply(&item, draw).map(|frame| frame.to_vec()).unwrap_or_default();
                    // SAFETY: all arguments are valid, and the event is the last one.
                    let n = unsafe { fw_reply(c, &event, key, out.as_mut_ptr(), out.len()) };
                    assert_eq!(usize::try_from(n).map(|n| &out[..n]), Ok(&reply[..]), "the replies");
                }
                Ok(None) => {
                    assert_eq!((result, len), (0, 0));
                    break;
                }
                Err(error) => {
                    assert_eq!(fw_error_close_code(result), error.close_code().get());
                    let close = rust.fail(error, draw).map(|frame| frame.to_vec()).unwrap_or_default();
                    // SAFETY: all arguments are valid.
                    let n = unsafe { fw_fail(c, result, key, out.as_mut_ptr(), out.len()) };
                    assert_eq!(usize::try_from(n).map(|n| &out[..n]), Ok(&close[..]), "the closes");
                    break;
                }
            }
        }
        // SAFETY: the connection is initialised.
        let (state, remaining, want) = unsafe { (fw_state(c), fw_remaining(c), fw_want(c, 4096)) };
        let expected = match rust.state() {
            State::Open => FW_STATE_OPEN,
            State::CloseSent => FW_STATE_CLOSE_SENT,
            State::CloseReceived => FW_STATE_CLOSE_RECEIVED,
            State::Closed => FW_STATE_CLOSED,
        };
        assert_eq!((state, remaining, want), (expected, rust.remaining(), rust.want(4096)));
    }
    // SAFETY: the connection is initialised.
    assert_eq!(unsafe { fw_receive_eof(c) } == FW_OK, rust.receive_eof().is_ok());
    assert_eq!((memory.before, memory.after), ([0xA5; 64], [0xA5; 64]), "the memory around it");
}

/// The event of C is that of Rust.
fn same(item: &Event<'_>, event: &fw_event) {
    // SAFETY: an event points to bytes that are there.
    let data = if event.len == 0 { &[] } else { unsafe { slice::from_raw_parts(event.data, event.len) } };
    let kind = |kind: Kind| if kind == Kind::Text { FW_TEXT as u8 } else { FW_BINARY as u8 };
    let fields = (event.r#type, event.kind, event.last, event.rsv, event.code);
    match item {
        Event::Text(text) => {
            assert_eq!((fields, data), ((FW_EVENT_MESSAGE, FW_TEXT as u8, 1, 0, 0), text.as_bytes()));
        }
        Event::Binary(bytes) => {
            assert_eq!((fields, data), ((FW_EVENT_MESSAGE, FW_BINARY as u8, 1, 0, 0), &bytes[..]));
        }
        Event::Part(part) => {
            let rsv = if part.rsv.is_none() { 0 } else { FW_RSV1 };
            let expected = (FW_EVENT_PART, kind(part.kind), part.last.into(), rsv, 0);
            assert_eq!((fields, data), (expected, part.bytes()));
        }
        Event::Ping(payload) => assert_eq!((fields, data), ((FW_EVENT_PING, 0, 0, 0, 0), &payload[..])),
        Event::Pong(payload) => assert_eq!((fields, data), ((FW_EVENT_PONG, 0, 0, 0, 0), &payload[..])),
        Event::Close(payload) => {
            let close = payload.as_close();
            let expected = (FW_EVENT_CLOSE, 0, 0, 0, close.code.get());
            assert_eq!((fields, data), (expected, close.reason.as_bytes()));
        }
    }
}
