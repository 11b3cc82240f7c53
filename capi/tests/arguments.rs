//! Every function with NULL, zero, absurd and misaligned arguments: an error, and nothing has changed.
#![allow(clippy::undocumented_unsafe_blocks, reason = "one comment speaks for many calls")]

use core::{
    ffi::c_int,
    mem::{MaybeUninit, zeroed},
    ptr::{null, null_mut},
};
use framewire_capi::*;

const ABSURD: [usize; 3] = [usize::MAX, isize::MAX as usize + 1, usize::MAX / 2 + 17];
const KEY: *const u8 = [1, 2, 3, 4].as_ptr();

/// A connection, and a check that calls leave its bytes alone.
struct Fixed(fw_connection);

impl Fixed {
    fn new(role: c_int) -> Self {
        // SAFETY: a connection is numbers, and zero is one.
        let mut connection: fw_connection = unsafe { zeroed() };
        // SAFETY: the memory is a connection.
        assert_eq!(unsafe { fw_init(&mut connection, size_of::<fw_connection>(), role, null()) }, FW_OK);
        Self(connection)
    }

    fn bytes(&mut self) -> Vec<MaybeUninit<u8>> {
        let pointer = (&raw mut self.0).cast::<MaybeUninit<u8>>();
        // SAFETY: the memory of the connection, some of which may be padding.
        unsafe { core::slice::from_raw_parts(pointer, size_of::<fw_connection>()) }.to_vec()
    }

    /// The call fails with this error, and nothing has changed but padding.
    #[track_caller]
    fn refuses(&mut self, error: c_int, call: impl FnOnce(*mut fw_connection) -> c_int) {
        // SAFETY: both functions only read.
        let state = |this: &Self| unsafe { (fw_state(&this.0), fw_remaining(&this.0)) };
        let (before, was) = (self.bytes(), state(self));
        assert_eq!(call(&mut self.0), error);
        let after = self.bytes();
        assert_eq!(state(self), was);
        // SAFETY: under Miri padding is uninitialised; elsewhere memory is memory, and `zeroed` has cleared it.
        #[cfg(not(miri))]
        unsafe {
            assert_eq!(
                before.iter().map(|byte| byte.assume_init_read()).collect::<Vec<_>>(),
                after.iter().map(|byte| byte.assume_init_read()).collect::<Vec<_>>()
            );
        }
        let _ = (before, after);
    }
}

/// A pointer that is one byte off.
fn crooked<T>(pointer: *mut T) -> *mut T {
    pointer.cast::<u8>().wrapping_add(1).cast()
}

/// Each function that makes a frame, with a key, output and room.
type Maker = (&'static str, usize, fn(*mut fw_connection, *const u8, *mut u8, usize) -> c_int);

fn makers() -> Vec<Maker> {
    fn ping() -> fw_event {
        fw_event {
            data: null_mut(),
            len: 0,
            code: 0,
            r#type: FW_EVENT_PING,
            kind: 0,
            last: 0,
            rsv: 0,
            reserved: [0; 2],
        }
    }
    // SAFETY, of all: the tests pass a connection or a pointer that must be refused; output has the room that they say.
    unsafe {
        vec![
            ("message", FW_HEADER_MAX, |c, key, out, room| fw_message(c, FW_TEXT, 0, 5, key, out, room)),
            ("fragment", FW_HEADER_MAX, |c, key, out, room| {
                fw_fragment(c, FW_BINARY, 0, 5, 0, key, out, room)
            }),
            ("ping", FW_CONTROL_MAX, |c, key, out, room| fw_ping(c, null(), 0, key, out, room)),
            ("pong", FW_CONTROL_MAX, |c, key, out, room| fw_pong(c, null(), 0, key, out, room)),
            ("close", FW_CONTROL_MAX, |c, key, out, room| fw_close(c, 1000, null(), 0, key, out, room)),
            ("fail", FW_CONTROL_MAX, |c, key, out, room| fw_fail(c, FW_E_INVALID_UTF8, key, out, room)),
            ("fail_with", FW_CONTROL_MAX, |c, key, out, room| {
                fw_fail_with(c, 1008, null(), 0, key, out, room)
            }),
            ("reply", FW_CONTROL_MAX, |c, key, out, room| fw_reply(c, &ping(), key, out, room)),
        ]
    }
}

#[test]
fn what_makes_frames() {
    for (name, room, make) in makers() {
        for (role, key, wrong) in [(FW_SERVER, null(), KEY), (FW_CLIENT, KEY, null())] {
            let mut out = [0xAA_u8; 256];
            let mut fixed = Fixed::new(role);
            fixed.refuses(FW_E_KEY, |c| make(c, wrong, out.as_mut_ptr(), out.len()));
            fixed.refuses(FW_E_ARGUMENT, |c| make(c, key, null_mut(), 256));
            for short in [0, 1, room - 1] {
                fixed.refuses(FW_E_ROOM, |c| make(c, key, out.as_mut_ptr(), short));
            }
            assert_eq!(make(null_mut(), key, out.as_mut_ptr(), room), FW_E_ARGUMENT, "{name}");
            assert_eq!(make(crooked(&mut fixed.0), key, out.as_mut_ptr(), room), FW_E_MISALIGNED, "{name}");
            // SAFETY: a connection is numbers, and zero is one.
            let mut zero: fw_connection = unsafe { zeroed() };
            assert_eq!(make(&mut zero, key, out.as_mut_ptr(), room), FW_E_STATE, "{name}");
            assert_eq!(out, [0xAA; 256], "{name} writes nothing with an error");

            let made = make(&mut fixed.0, key, out.as_mut_ptr(), room);
            assert!((2..=room as c_int).contains(&made), "{name}: {made}");
            assert_eq!(out[1] & 0x80 != 0, role == FW_CLIENT, "{name}");
            assert!(out[made as usize..].iter().all(|&byte| byte == 0xAA), "{name} writes what it says");
        }
    }
}

#[test]
fn a_ping_in_the_connection_lasts_until_the_next_receive() {
    let mut fixed = Fixed::new(FW_SERVER);
    let connection = &raw mut fixed.0; // one pointer, as in C
    let mut wire = *b"\x89\x84\0\0\0\0ping";
    let mut out = [0; FW_CONTROL_MAX];
    // SAFETY: all arguments are valid.
    unsafe {
        let mut event: fw_event = zeroed();
        for (range, result) in [(0..8, 0), (8..10, 1)] {
            let (mut data, mut len) = (wire.as_mut_ptr().add(range.start), range.len());
            assert_eq!(fw_receive(connection, &mut data, &mut len, &mut event), result);
        }
        wire.fill(0xAA); // the next read
        assert_eq!(fw_message(connection, FW_TEXT, 0, 1, null(), out.as_mut_ptr(), out.len()), 2);
        event.data.write(b'P'); // the caller may write there
        assert_eq!(fw_reply(connection, &event, null(), out.as_mut_ptr(), out.len()), 6);
    }
    assert_eq!(out[..6], *b"\x8a\x04Ping");
}

#[test]
fn numbers_without_a_meaning() {
    let mut out = [0; 131];
    let out = out.as_mut_ptr();
    let mut fixed = Fixed::new(FW_SERVER);
    for kind in [0, 3, 8, -1, c_int::MIN, c_int::MAX] {
        // SAFETY, here and below: the connection is one, and the output has the room that is said.
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_message(c, kind, 0, 1, null(), out, 14) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_fragment(c, kind, 0, 1, 1, null(), out, 14) });
    }
    for rsv in [1, 0x80, 0x41, 0x100, -1, c_int::MIN, c_int::MAX] {
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_message(c, FW_TEXT, rsv, 1, null(), out, 14) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_fragment(c, FW_TEXT, rsv, 1, 1, null(), out, 14) });
    }
    fixed.refuses(FW_E_SEND_RESERVED_BIT, |c| unsafe { fw_message(c, FW_TEXT, 0x40, 1, null(), out, 14) });
    for len in [1 << 63, u64::MAX] {
        fixed.refuses(FW_E_PAYLOAD_TOO_LONG, |c| unsafe { fw_message(c, FW_TEXT, 0, len, null(), out, 14) });
        fixed.refuses(FW_E_PAYLOAD_TOO_LONG, |c| unsafe {
            fw_fragment(c, FW_TEXT, 0, len, 1, null(), out, 14)
        });
    }
    for code in [0, 999, 1004, 1006, 1015, 2999, 5000, u16::MAX] {
        fixed.refuses(FW_E_SEND_CLOSE_CODE, |c| unsafe { fw_close(c, code, null(), 0, null(), out, 131) });
        fixed
            .refuses(FW_E_SEND_CLOSE_CODE, |c| unsafe { fw_fail_with(c, code, null(), 0, null(), out, 131) });
    }
    for error in [0, 1, -18, FW_E_CLOSED, FW_E_ARGUMENT, FW_E_INVALID_HOST, c_int::MIN, c_int::MAX] {
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_fail(c, error, null(), out, 131) });
    }
    for r#type in [3, 7, 11, 255] {
        let event = fw_event {
            data: null_mut(),
            len: 0,
            code: 0,
            r#type,
            kind: 0,
            last: 0,
            rsv: 0,
            reserved: [0; 2],
        };
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_reply(c, &event, null(), out, 131) });
    }
    for role in [0, 3, -1, c_int::MAX] {
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_init(c, size_of::<fw_connection>(), role, null()) });
    }
    for config in [
        fw_config { extension_bits: 1, ..fw_config::default() },
        fw_config { extension_bits: 0x80, ..fw_config::default() },
        fw_config { reserved: [0, 0, 0, 0, 0, 0, 1], ..fw_config::default() },
    ] {
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe {
            fw_init(c, size_of::<fw_connection>(), FW_SERVER, &config)
        });
    }
}

#[test]
fn lengths() {
    let mut out = [0; 131];
    let out = out.as_mut_ptr();
    let mut fixed = Fixed::new(FW_SERVER);
    let mut bytes = [b'x'; 126];
    let data = bytes.as_mut_ptr();
    // SAFETY, here and below: what is absurd is refused before it is read; the rest is valid.
    for len in ABSURD {
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_ping(c, data, len, null(), out, 131) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_pong(c, data, len, null(), out, 131) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_close(c, 1000, data, len, null(), out, 131) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_fail_with(c, 1000, data, len, null(), out, 131) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe {
            fw_init(c, len.max(isize::MAX as usize + 1), FW_SERVER, null())
        });
    }
    for len in [1, 125] {
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_ping(c, null(), len, null(), out, 131) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_pong(c, null(), len, null(), out, 131) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_close(c, 1000, null(), len, null(), out, 131) });
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_fail_with(c, 1000, null(), len, null(), out, 131) });
    }
    fixed.refuses(FW_E_SEND_CONTROL_TOO_LONG, |c| unsafe { fw_ping(c, data, 126, null(), out, 131) });
    fixed.refuses(FW_E_SEND_CONTROL_TOO_LONG, |c| unsafe { fw_pong(c, data, 126, null(), out, 131) });
    fixed.refuses(FW_E_SEND_CONTROL_TOO_LONG, |c| unsafe { fw_close(c, 1000, data, 124, null(), out, 131) });
    fixed.refuses(FW_E_SEND_UTF8, |c| unsafe { fw_close(c, 1000, b"\xff".as_ptr(), 1, null(), out, 131) });
    fixed
        .refuses(FW_E_SEND_UTF8, |c| unsafe { fw_fail_with(c, 1000, b"\xc3".as_ptr(), 1, null(), out, 131) });
    for size in [0, 1, fw_connection_size() - 1] {
        fixed.refuses(FW_E_SIZE, |c| unsafe { fw_init(c, size, FW_SERVER, null()) });
    }
    for (data, len) in [(null_mut(), 1), (data, 126), (data, usize::MAX)] {
        let event = fw_event {
            data,
            len,
            code: 0,
            r#type: FW_EVENT_PING,
            kind: 0,
            last: 0,
            rsv: 0,
            reserved: [0; 2],
        };
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_reply(c, &event, null(), out, 131) });
    }
}

#[test]
fn receiving() {
    let mut fixed = Fixed::new(FW_SERVER);
    let mut wire = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    // SAFETY: an event is numbers and a pointer, and zero is one.
    let mut event: fw_event = unsafe { zeroed() };
    let event: *mut fw_event = &mut event;
    let (base, all) = (wire.as_mut_ptr(), wire.len());
    let (mut data, mut len) = (base, all);
    // SAFETY, here and below: what must be refused is; the rest is valid.
    fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_receive(c, null_mut(), &mut len, event) });
    fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_receive(c, &mut data, null_mut(), event) });
    fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_receive(c, &mut data, &mut len, null_mut()) });
    fixed.refuses(FW_E_MISALIGNED, |c| unsafe { fw_receive(c, crooked(&mut data), &mut len, event) });
    fixed.refuses(FW_E_MISALIGNED, |c| unsafe { fw_receive(c, &mut data, crooked(&mut len), event) });
    fixed.refuses(FW_E_MISALIGNED, |c| unsafe { fw_receive(c, &mut data, &mut len, crooked(event)) });
    for mut absurd in ABSURD {
        fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_receive(c, &mut data, &mut absurd, event) });
    }
    let mut nothing = null_mut();
    fixed.refuses(FW_E_ARGUMENT, |c| unsafe { fw_receive(c, &mut nothing, &mut len, event) });
    let mut zero = 0;
    fixed.refuses(0, |c| unsafe { fw_receive(c, &mut nothing, &mut zero, event) });
    assert_eq!((data, len), (base, all), "the cursor has not moved");

    // SAFETY: as above; a connection is numbers, and zero is one.
    unsafe {
        let mut empty: fw_connection = zeroed();
        assert_eq!(fw_receive(&mut empty, &mut data, &mut len, event), FW_E_STATE);
        assert_eq!(
            (fw_state(&empty), fw_remaining(&empty), fw_want(&empty, 7), fw_receive_eof(&mut empty)),
            (FW_E_STATE, 0, 7, FW_E_STATE)
        );
        assert_eq!(
            (fw_state(null()), fw_remaining(null()), fw_want(null(), 7), fw_receive_eof(null_mut())),
            (FW_E_ARGUMENT, 0, 7, FW_E_ARGUMENT)
        );
        let off = crooked(&mut fixed.0);
        assert_eq!(
            (fw_state(off), fw_remaining(off), fw_want(off, 7), fw_receive_eof(off)),
            (FW_E_MISALIGNED, 0, 7, FW_E_MISALIGNED)
        );
        assert_eq!(fw_receive(null_mut(), &mut data, &mut len, event), FW_E_ARGUMENT);
        assert_eq!(fw_receive(off, &mut data, &mut len, event), FW_E_MISALIGNED);
        assert_eq!(fw_init(null_mut(), 256, FW_SERVER, null()), FW_E_ARGUMENT);
        assert_eq!(fw_init(off, 256, FW_SERVER, null()), FW_E_MISALIGNED);

        assert_eq!(fw_receive(&mut fixed.0, &mut data, &mut len, event), 1);
        assert_eq!(((*event).data, (*event).len, len), (base.add(6), 5, 0));
        *(*event).data = b'J'; // the bytes are the caller's
        assert_eq!(&wire[6..], b"Jello");
    }
}

#[test]
fn kernels() {
    let mut bytes = *b"Hello, world";
    let data = bytes.as_mut_ptr();
    let mut position = 7;
    // SAFETY: what must be refused is; the rest is valid.
    unsafe {
        for len in ABSURD {
            assert_eq!(fw_mask(data, data, len, KEY, 0), FW_E_ARGUMENT);
            assert_eq!(fw_utf8_check(data, len, &mut position), FW_E_ARGUMENT);
            assert_eq!(fw_utf8_feed(&mut fw_utf8::default(), data, len, &mut position), FW_E_ARGUMENT);
            assert_eq!(fw_header_parse(data, len, &mut fw_header::default()), FW_E_ARGUMENT);
        }
        assert_eq!(fw_mask(data, data, 1, null(), 0), FW_E_ARGUMENT);
        assert_eq!(fw_mask(null_mut(), data, 1, KEY, 0), FW_E_ARGUMENT);
        assert_eq!(fw_mask(data, null(), 1, KEY, 0), FW_E_ARGUMENT);
        assert_eq!(fw_mask(null_mut(), null(), 0, KEY, 0), FW_OK);
        assert_eq!(fw_mask(data.add(1), data, 4, KEY, 0), FW_E_ARGUMENT, "they overlap");
        assert_eq!(fw_mask(data, data.add(3), 4, KEY, 0), FW_E_ARGUMENT, "they overlap");
        assert_eq!(&bytes, b"Hello, world");
        assert_eq!(fw_mask(data.add(4), data, 4, KEY, usize::MAX), FW_OK);
        assert_eq!(bytes[4..8], [b'H' ^ 4, b'e' ^ 1, b'l' ^ 2, b'l' ^ 3]);

        assert_eq!(fw_utf8_check(null(), 1, &mut position), FW_E_ARGUMENT);
        assert_eq!(fw_utf8_feed(null_mut(), data, 1, &mut position), FW_E_ARGUMENT);
        assert_eq!(fw_utf8_finish(null()), FW_E_ARGUMENT);
        let mut state = fw_utf8::default();
        assert_eq!(fw_utf8_feed(crooked(&mut state), data, 1, &mut position), FW_E_MISALIGNED);
        for wrong in [1, 7, 54, 60, 256, u32::MAX] {
            let mut wrong = fw_utf8 { state: wrong };
            assert_eq!(fw_utf8_feed(&mut wrong, data, 1, &mut position), FW_E_STATE);
            assert_eq!(fw_utf8_finish(&wrong), FW_E_STATE);
        }
        let off = crooked(&mut position);
        assert_eq!(fw_utf8_check(b"\xff".as_ptr(), 1, off), FW_E_MISALIGNED);
        assert_eq!(fw_utf8_feed(&mut state, b"\xff".as_ptr(), 1, off), FW_E_MISALIGNED);
        assert_eq!(state.state, 0);
        assert_eq!(position, 7, "nothing was written");
        assert_eq!(fw_utf8_check(b"ab\xff".as_ptr(), 3, &mut position), FW_E_INVALID_UTF8);
        assert_eq!(position, 2);
        assert_eq!(fw_utf8_check(b"ab\xe2\x82".as_ptr(), 4, &mut position), FW_E_INVALID_UTF8);
        assert_eq!(position, 4, "the length: the text ends inside a character");
        assert_eq!(fw_utf8_check(b"ab\xff".as_ptr(), 3, null_mut()), FW_E_INVALID_UTF8);
        assert_eq!(fw_utf8_feed(&mut state, b"\xc3".as_ptr(), 1, null_mut()), FW_OK);
        assert_eq!(fw_utf8_finish(&state), FW_E_INVALID_UTF8);
        assert_eq!(fw_utf8_feed(&mut state, b"\xa9".as_ptr(), 1, null_mut()), FW_OK);
        assert_eq!(fw_utf8_finish(&state), FW_OK);
        assert_eq!(fw_utf8_feed(&mut state, b"\xff".as_ptr(), 1, null_mut()), FW_E_INVALID_UTF8);
        for further in [0, 1] {
            assert_eq!(fw_utf8_feed(&mut state, data, further, &mut position), FW_E_INVALID_UTF8);
            assert_eq!((position, fw_utf8_finish(&state)), (0, FW_E_INVALID_UTF8));
        }

        let mut header = fw_header::default();
        assert_eq!(fw_header_parse(data, 2, null_mut()), FW_E_ARGUMENT);
        assert_eq!(fw_header_parse(data, 2, crooked(&mut header)), FW_E_MISALIGNED);
        assert_eq!(fw_header_parse(null(), 2, &mut header), FW_E_ARGUMENT);
        assert_eq!(fw_header_parse(null(), 0, &mut header), 0);
        assert_eq!(fw_header_parse([0x83, 0].as_ptr(), 2, &mut header), FW_E_RESERVED_OPCODE);
        let mut out = [0; 14];
        assert_eq!(fw_header_write(null(), out.as_mut_ptr(), 14), FW_E_ARGUMENT);
        assert_eq!(fw_header_write(&header, null_mut(), 14), FW_E_ARGUMENT);
        assert_eq!(fw_header_write(&header, out.as_mut_ptr(), 13), FW_E_ROOM);
        for wrong in [
            fw_header { opcode: 3, ..header },
            fw_header { rsv: 1, ..header },
            fw_header { opcode: 9, fin: 1, payload_len: 126, ..header },
            fw_header { opcode: 9, fin: 0, ..header },
        ] {
            assert_eq!(fw_header_write(&wrong, out.as_mut_ptr(), 14), FW_E_ARGUMENT);
        }
        let wrong = fw_header { payload_len: 1 << 63, ..header };
        assert_eq!(fw_header_write(&wrong, out.as_mut_ptr(), 14), FW_E_PAYLOAD_TOO_LONG);
        assert_eq!(out, [0; 14]);
        let wire = b"\xc2\xfe\x01\x00\x01\x02\x03\x04";
        assert_eq!(fw_header_parse(wire.as_ptr(), 8, &mut header), 8);
        assert_eq!(
            (header.payload_len, header.rsv, header.masked, header.key),
            (256, FW_RSV1, 1, [1, 2, 3, 4])
        );
        assert_eq!(fw_header_write(&header, out.as_mut_ptr(), 14), 8);
        assert_eq!(&out[..8], wire);
    }
}

/// What an event of a split frame has lent is in the memory of the connection, and may be passed back to it.
#[test]
fn lent_by_the_connection() {
    let mut fixed = Fixed::new(FW_SERVER);
    let connection = &raw mut fixed.0; // one pointer, as in C
    // SAFETY: all arguments are valid.
    unsafe {
        let mut event: fw_event = zeroed();
        let mut wire = *b"\x89\x84\0\0\0\0ping";
        for piece in wire.chunks_mut(3) {
            let (mut data, mut len) = (piece.as_mut_ptr(), piece.len());
            while fw_receive(connection, &mut data, &mut len, &mut event) == 1 {}
        }
        assert_eq!((event.r#type, event.len), (FW_EVENT_PING, 4));
        let mut out = [0; FW_CONTROL_MAX];
        for (make, first) in [(fw_ping as unsafe extern "C" fn(_, _, _, _, _, _) -> _, 0x89), (fw_pong, 0x8A)]
        {
            assert_eq!(
                make(
                    connection,
                    event.data.cast_const(),
                    event.len,
                    null(),
                    out.as_mut_ptr(),
                    FW_CONTROL_MAX
                ),
                6
            );
            assert_eq!((out[0], &out[1..6]), (first, &b"\x04ping"[..]));
        }
        assert_eq!(
            fw_close(connection, 1000, event.data, event.len, null(), out.as_mut_ptr(), FW_CONTROL_MAX),
            8
        );
        assert_eq!(&out[..8], b"\x88\x06\x03\xe8ping");
    }
}
