//! permessage-deflate through the C functions: both roles with each other, errors, and bad arguments.
#![allow(clippy::undocumented_unsafe_blocks, reason = "one comment speaks for many calls")]

use core::{
    ffi::c_int,
    mem::zeroed,
    ptr::{null, null_mut},
    slice,
};
use framewire_capi::*;

const KEY: *const u8 = [9, 8, 7, 6].as_ptr();

struct End {
    connection: fw_connection,
    inflater: *mut fw_inflater,
    deflater: *mut fw_deflater,
    inflate: *mut fw_inflate_pool,
    deflate: *mut fw_deflate_pool,
    key: *const u8,
}

impl End {
    fn new(role: c_int, inflate: &fw_inflate_config) -> Self {
        // SAFETY: all arguments are valid.
        unsafe {
            let mut end = Self {
                connection: zeroed(),
                inflater: null_mut(),
                deflater: null_mut(),
                inflate: fw_inflate_pool_new(inflate),
                deflate: fw_deflate_pool_new(null()),
                key: if role == FW_CLIENT { KEY } else { null() },
            };
            let config = fw_config { extension_bits: FW_RSV1, ..fw_config::default() };
            assert_eq!(fw_init(&mut end.connection, 256, role, &config), FW_OK);
            let params = fw_deflate::default();
            assert_eq!(fw_inflater_new(role, &params, end.inflate, &mut end.inflater), FW_OK);
            assert_eq!(fw_deflater_new(role, &params, &mut end.deflater), FW_OK);
            end
        }
    }

    fn send(&mut self, data: &[u8], last: Option<bool>) -> Vec<u8> {
        let (mut header, mut payload, mut len) = ([0; 14], null(), 0);
        let out = header.as_mut_ptr();
        // SAFETY: all arguments are valid.
        unsafe {
            let (c, d, p) = (&raw mut self.connection, self.deflater, self.deflate);
            let (from, n, key) = (data.as_ptr(), data.len(), self.key);
            let made = match last {
                None => fw_deflate_message(d, c, p, FW_TEXT, from, n, key, out, 14, &mut payload, &mut len),
                Some(last) => fw_deflate_fragment(
                    d,
                    c,
                    p,
                    FW_TEXT,
                    from,
                    n,
                    last.into(),
                    key,
                    out,
                    14,
                    &mut payload,
                    &mut len,
                ),
            };
            assert!(made >= 2, "{made}");
            [&header[..made as usize], slice::from_raw_parts(payload, len)].concat()
        }
    }

    /// The payload of all messages on the wire, or an error.
    fn receive(&mut self, wire: &mut [u8], piece: usize) -> Result<Vec<u8>, c_int> {
        let mut all = Vec::new();
        for piece in wire.chunks_mut(piece) {
            let (mut data, mut len) = (piece.as_mut_ptr(), piece.len());
            // SAFETY: all arguments are valid.
            unsafe {
                let (mut event, mut part): (fw_event, fw_event) = (zeroed(), zeroed());
                assert_eq!(fw_inflater_ready(self.inflater, self.inflate), 1);
                loop {
                    match fw_receive(&mut self.connection, &mut data, &mut len, &mut event) {
                        0 => break,
                        1 => {}
                        error => return Err(error),
                    }
                    loop {
                        match fw_inflate(self.inflater, self.inflate, &mut event, &mut part) {
                            0 => break,
                            1 => all.extend_from_slice(slice::from_raw_parts(part.data, part.len)),
                            error => return Err(error),
                        }
                    }
                    assert_eq!(event.r#type, FW_EVENT_NONE);
                }
            }
        }
        Ok(all)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: each is of the function that makes it, and nothing uses it after this.
        unsafe {
            fw_inflater_free(self.inflater);
            fw_deflater_free(self.deflater);
            fw_inflate_pool_free(self.inflate);
            fw_deflate_pool_free(self.deflate);
        }
    }
}

#[test]
fn both_roles_in_pieces() {
    let text = "größer, immer größer; ".repeat(50);
    for (from, to) in [(FW_SERVER, FW_CLIENT), (FW_CLIENT, FW_SERVER)] {
        for (piece, part) in [(1, 7), (13, 64 << 10), (usize::MAX, 100)] {
            let config = fw_inflate_config { part, ..fw_inflate_config::default() };
            let (mut sender, mut receiver) = (End::new(from, &config), End::new(to, &config));
            let (head, tail) = text.as_bytes().split_at(500);
            let mut wire = sender.send(text.as_bytes(), None);
            assert!(wire.len() < 200, "it is compressed");
            wire.extend(sender.send(text.as_bytes(), None)); // by reference to the first
            wire.extend(sender.send(b"short", None));
            wire.extend(sender.send(head, Some(false)));
            wire.extend(sender.send(tail, Some(true)));
            let expected = [text.as_str(), &text, "short", &text].concat();
            assert_eq!(receiver.receive(&mut wire, piece).as_deref(), Ok(expected.as_bytes()));
        }
    }
}

#[test]
fn corrupt_and_too_big() {
    let mut receiver = End::new(FW_CLIENT, &fw_inflate_config::default());
    assert_eq!(receiver.receive(&mut b"\xc2\x03\xff\xff\xff".to_vec(), 9), Err(FW_E_CORRUPT_DEFLATE));
    let config = fw_inflate_config { max_message: 1000, ..fw_inflate_config::default() };
    let (mut sender, mut receiver) = (End::new(FW_SERVER, &config), End::new(FW_CLIENT, &config));
    let mut bomb = sender.send(&[b'x'; 100_000], None);
    assert_eq!(receiver.receive(&mut bomb, usize::MAX), Err(FW_E_MESSAGE_TOO_BIG));
    let mut out = [0; 131];
    // SAFETY: all arguments are valid.
    let len = unsafe { fw_fail(&mut receiver.connection, FW_E_MESSAGE_TOO_BIG, KEY, out.as_mut_ptr(), 131) };
    assert!(len > 8 && out[0] == 0x88);
}

/// One decompressor for several peers: those that wait for it lose nothing, and get it once it is free.
#[test]
fn busy() {
    let one = fw_inflate_config { messages: 1, ..fw_inflate_config::default() };
    let text = "größer, immer größer; ".repeat(50);
    let (mut sender, mut other) = (
        End::new(FW_SERVER, &fw_inflate_config::default()),
        End::new(FW_SERVER, &fw_inflate_config::default()),
    );
    let mut wire = sender.send(text.as_bytes(), None);
    let mut rest = wire.split_off(wire.len() - 20);
    let (mut first, mut second) = (End::new(FW_CLIENT, &one), End::new(FW_CLIENT, &one));
    assert_eq!(first.receive(&mut wire, usize::MAX).map(|some| some.len() < text.len()), Ok(true));
    // SAFETY: all arguments are valid.
    unsafe {
        // The pool of the first, whose message is open.
        let pool = first.inflate;
        assert_eq!(
            (fw_inflater_ready(second.inflater, pool), fw_inflater_ready(first.inflater, pool)),
            (0, 1)
        );
        let (mut event, mut part): (fw_event, fw_event) = (zeroed(), zeroed());
        let mut wire = other.send(text.as_bytes(), None);
        let (mut data, mut len) = (wire.as_mut_ptr(), wire.len());
        assert_eq!(fw_receive(&mut second.connection, &mut data, &mut len, &mut event), 1);
        let before = (event.data, event.len, event.r#type, event.rsv);
        assert_eq!(fw_inflate(second.inflater, pool, &mut event, &mut part), FW_E_BUSY);
        assert_eq!((event.data, event.len, event.r#type, event.rsv), before, "nothing has changed");

        // What is not compressed needs none, and comes out unchanged.
        let mut plain = *b"\x82\x02ab";
        let mut third = End::new(FW_CLIENT, &one);
        let (mut data, mut len) = (plain.as_mut_ptr(), plain.len());
        let mut whole: fw_event = zeroed();
        assert_eq!(fw_receive(&mut third.connection, &mut data, &mut len, &mut whole), 1);
        assert_eq!(fw_inflate(third.inflater, pool, &mut whole, &mut part), 1);
        assert_eq!((part.r#type, part.kind, part.last, part.len), (FW_EVENT_MESSAGE, FW_BINARY as u8, 1, 2));
        assert_eq!((part.data, whole.r#type), (plain.as_mut_ptr().add(2), FW_EVENT_NONE));
        assert_eq!(fw_inflate(third.inflater, pool, &mut whole, &mut part), 0);

        assert!(first.receive(&mut rest, usize::MAX).is_ok());
        assert_eq!(fw_inflater_ready(second.inflater, pool), 1);
        let mut inflated = Vec::new();
        while fw_inflate(second.inflater, pool, &mut event, &mut part) == 1 {
            inflated.extend_from_slice(slice::from_raw_parts(part.data, part.len));
        }
        assert_eq!(inflated, text.as_bytes());

        // A message that never ends keeps its place until its inflater is freed, which may outlive the pool.
        let mut wire = other.send(text.as_bytes(), None);
        let half = wire.len() / 2;
        let (mut data, mut len) = (wire.as_mut_ptr(), half);
        assert_eq!(fw_receive(&mut second.connection, &mut data, &mut len, &mut event), 1);
        while fw_inflate(second.inflater, pool, &mut event, &mut part) == 1 {}
        assert_eq!(fw_inflater_ready(third.inflater, pool), 0);
        fw_inflater_free(second.inflater);
        second.inflater = null_mut();
        assert_eq!(fw_inflater_ready(third.inflater, pool), 1);
        fw_inflate_pool_free(third.inflate);
        third.inflate = null_mut();
    }
}

/// A pointer to no bytes is the caller's own.
#[test]
fn no_bytes() {
    let config = fw_inflate_config::default();
    let (mut sender, mut receiver) = (End::new(FW_SERVER, &config), End::new(FW_CLIENT, &config));
    let (mut header, mut payload, mut len, nothing) = ([0; 14], null(), 1, [7]);
    let mut wire = *b"\xc1\x01\0"; // an empty message, compressed
    // SAFETY: all arguments are valid.
    unsafe {
        let (c, d, p) = (&raw mut sender.connection, sender.deflater, sender.deflate);
        let (to, data) = (header.as_mut_ptr(), nothing.as_ptr());
        let made = fw_deflate_message(d, c, p, FW_TEXT, data, 0, null(), to, 14, &mut payload, &mut len);
        assert_eq!((made, payload, len), (2, data, 0));
        let (mut event, mut part): (fw_event, fw_event) = (zeroed(), zeroed());
        let (mut data, mut len) = (wire.as_mut_ptr(), wire.len());
        assert_eq!(fw_receive(&mut receiver.connection, &mut data, &mut len, &mut event), 1);
        assert_eq!(fw_inflate(receiver.inflater, receiver.inflate, &mut event, &mut part), 1);
        assert_eq!((part.len, part.last), (0, 1));
        assert!(wire.as_ptr_range().contains(&part.data.cast_const()));
    }
}

#[test]
fn bad_arguments() {
    let default = fw_inflate_config::default();
    let (mut server, mut client) = (End::new(FW_SERVER, &default), End::new(FW_CLIENT, &default));
    let params = fw_deflate::default();
    let mut header = [0; 14];
    // SAFETY: what must be refused is; the rest is valid.
    unsafe {
        let (mut inflater, mut deflater, mut payload, mut len) = (null_mut(), null_mut(), null(), 0);
        let wrong = fw_deflate { server_max_window_bits: 16, ..params };
        assert_eq!(fw_inflater_new(0, &params, server.inflate, &mut inflater), FW_E_ARGUMENT);
        assert_eq!(fw_inflater_new(1, null(), server.inflate, &mut inflater), FW_E_ARGUMENT);
        assert_eq!(fw_inflater_new(1, &params, null(), &mut inflater), FW_E_ARGUMENT);
        assert_eq!(fw_inflater_new(1, &params, server.inflate, null_mut()), FW_E_ARGUMENT);
        assert_eq!(fw_inflater_new(1, &wrong, server.inflate, &mut inflater), FW_E_ARGUMENT);
        assert_eq!(fw_deflater_new(3, &params, &mut deflater), FW_E_ARGUMENT);
        assert_eq!(fw_deflater_new(1, null(), &mut deflater), FW_E_ARGUMENT);
        assert_eq!(fw_deflater_new(1, &params, null_mut()), FW_E_ARGUMENT);
        assert_eq!(fw_deflater_new(1, &wrong, &mut deflater), FW_E_ARGUMENT);
        assert!(inflater.is_null() && deflater.is_null());
        assert!(fw_inflate_pool_new(&fw_inflate_config { part: usize::MAX, ..default }).is_null());
        for level in [-1, 10, c_int::MAX] {
            assert!(
                fw_deflate_pool_new(&fw_deflate_config { level, ..fw_deflate_config::default() }).is_null()
            );
        }
        let tiny = fw_inflate_pool_new(&fw_inflate_config { windows: 100, ..default });
        assert_eq!(fw_inflater_new(1, &params, tiny, &mut inflater), FW_E_NO_WINDOW);
        fw_inflate_pool_free(tiny);
        fw_inflater_free(null_mut());
        fw_deflater_free(null_mut());
        fw_inflate_pool_free(null_mut());
        fw_deflate_pool_free(null_mut());

        let mut part: fw_event = zeroed();
        let mut out: fw_event = zeroed();
        assert_eq!(fw_inflater_ready(null_mut(), server.inflate), FW_E_ARGUMENT);
        assert_eq!(fw_inflater_ready(server.inflater, null_mut()), FW_E_ARGUMENT);
        assert_eq!(fw_inflate(null_mut(), server.inflate, &mut part, &mut out), FW_E_ARGUMENT);
        assert_eq!(fw_inflate(server.inflater, null_mut(), &mut part, &mut out), FW_E_ARGUMENT);
        assert_eq!(fw_inflate(server.inflater, server.inflate, null_mut(), &mut out), FW_E_ARGUMENT);
        assert_eq!(fw_inflate(server.inflater, server.inflate, &mut part, null_mut()), FW_E_ARGUMENT);
        let same = &raw mut part;
        assert_eq!(fw_inflate(server.inflater, server.inflate, same, same), FW_E_ARGUMENT);
        assert_eq!(fw_inflate(server.inflater, server.inflate, &mut part, &mut out), 0);
        for (r#type, kind, len) in
            [(FW_EVENT_PING, 1, 0), (FW_EVENT_PART, 3, 0), (FW_EVENT_PART, 1, 5), (3, 1, 0)]
        {
            part = fw_event { r#type, kind, len, ..part };
            assert_eq!(fw_inflate(server.inflater, server.inflate, &mut part, &mut out), FW_E_ARGUMENT);
        }

        let (to, data) = (header.as_mut_ptr(), b"hello".as_ptr());
        let (c, d, p) = (&raw mut server.connection, server.deflater, server.deflate);
        let mut send = |d, c, p, kind, data, n, key, to, room| {
            let made = fw_deflate_message(d, c, p, kind, data, n, key, to, room, &mut payload, &mut len);
            let fragment =
                fw_deflate_fragment(d, c, p, kind, data, n, 1, key, to, room, &mut payload, &mut len);
            assert_eq!(made, fragment);
            made
        };
        assert_eq!(send(null_mut(), c, p, FW_TEXT, data, 5, null(), to, 14), FW_E_ARGUMENT);
        assert_eq!(send(d, null_mut(), p, FW_TEXT, data, 5, null(), to, 14), FW_E_ARGUMENT);
        assert_eq!(send(d, c, null_mut(), FW_TEXT, data, 5, null(), to, 14), FW_E_ARGUMENT);
        assert_eq!(send(d, c, p, 0, data, 5, null(), to, 14), FW_E_ARGUMENT);
        assert_eq!(send(d, c, p, FW_TEXT, null(), 5, null(), to, 14), FW_E_ARGUMENT);
        assert_eq!(send(d, c, p, FW_TEXT, data, usize::MAX, null(), to, 14), FW_E_ARGUMENT);
        assert_eq!(send(d, c, p, FW_TEXT, data, 5, KEY, to, 14), FW_E_KEY);
        assert_eq!(send(d, c, p, FW_TEXT, data, 5, null(), null_mut(), 14), FW_E_ARGUMENT);
        assert_eq!(send(d, c, p, FW_TEXT, data, 5, null(), to, 13), FW_E_ROOM);
        let other = &raw mut client.connection;
        assert_eq!(send(d, other, p, FW_TEXT, data, 5, KEY, to, 14), FW_E_ARGUMENT, "the roles differ");
        let made = fw_deflate_message(d, c, p, FW_TEXT, data, 5, null(), to, 14, null_mut(), &mut len);
        assert_eq!((made, payload.is_null(), len), (FW_E_ARGUMENT, true, 0));
    }
}
