//! The handshake through the C functions: both roles with each other, heads that are cut, and bad arguments.
#![allow(clippy::undocumented_unsafe_blocks, reason = "one comment speaks for many calls")]

use core::{
    ffi::c_int,
    mem::zeroed,
    ptr::{null, null_mut},
    slice, str,
};
use framewire_capi::*;

const NONE: fw_str = fw_str { data: null(), len: 0 };

fn text(text: &str) -> fw_str {
    fw_str { data: text.as_ptr().cast(), len: text.len() }
}

/// # Safety
/// The bytes of the string are still there.
unsafe fn read<'a>(text: fw_str) -> &'a str {
    // SAFETY: the caller's promise.
    str::from_utf8(unsafe { slice::from_raw_parts(text.data.cast(), text.len) }).unwrap()
}

fn opening() -> fw_opening {
    // SAFETY: an opening is numbers and pointers, and zero is one.
    fw_opening { host: text("example.com:8080"), target: text("/chat?room=1"), ..unsafe { zeroed() } }
}

#[test]
fn client_and_server_agree() {
    let (chats, fields) =
        ([text("mqtt"), text("chat")], [fw_field { name: text("Cookie"), value: text("a=b") }]);
    let offers = [fw_deflate { client_max_window_bits: 15, ..fw_deflate::default() }];
    let opening = fw_opening {
        origin: text("https://good.example"),
        subprotocols: chats.as_ptr(),
        subprotocol_count: 2,
        offers: offers.as_ptr(),
        offer_count: 1,
        headers: fields.as_ptr(),
        header_count: 1,
        nonce: *b"the sample nonce",
        ..opening()
    };
    let mut wire = [0; 1024];
    // SAFETY: all arguments are valid.
    unsafe {
        let len = fw_opening_write(&opening, wire.as_mut_ptr(), wire.len());
        assert!(len > 0, "{len}");
        wire[len as usize..].fill(0x81); // frames of a client that does not wait
        let mut request: fw_request = zeroed();
        for cut in 0..len {
            assert_eq!(fw_request_parse(wire.as_ptr(), cut as usize, &mut request), 0, "cut at {cut}");
        }
        assert_eq!(fw_request_parse(wire.as_ptr(), wire.len(), &mut request), len);
        assert_eq!(request.upgrade, 1);
        assert_eq!(
            (read(request.path), read(request.query), read(request.host)),
            ("/chat", "room=1", "example.com:8080")
        );
        assert_eq!((read(request.method), read(request.target)), ("GET", "/chat?room=1"));
        assert_eq!(read(request.origin), "https://good.example");
        let mut value = NONE;
        assert_eq!(fw_request_header(&request, text("cookie"), &mut value), 1);
        assert_eq!(read(value), "a=b");
        assert_eq!(fw_request_header(&request, text("x"), &mut value), 0);

        let supported = [text("chat")];
        let mut chosen = NONE;
        assert_eq!(fw_request_subprotocol(&request, supported.as_ptr(), 1, &mut chosen), 1);
        let policy = fw_deflate { client_max_window_bits: 10, ..fw_deflate::default() };
        let mut deflate = fw_deflate::default();
        for absurd in [1, 7, 16, 99, 255] {
            let policy = fw_deflate { server_max_window_bits: absurd, ..policy };
            assert_eq!(fw_request_deflate(&request, &policy, &mut deflate), FW_E_ARGUMENT);
        }
        assert_eq!(fw_request_deflate(&request, &policy, &mut deflate), 1);
        let answer = fw_answer { subprotocol: chosen, deflate: &deflate, headers: null(), header_count: 0 };
        let mut reply = [0; 512];
        assert_eq!(fw_answer_write(&request, &answer, reply.as_mut_ptr(), 64), FW_E_ROOM);
        let len = fw_answer_write(&request, &answer, reply.as_mut_ptr(), reply.len());
        assert!(len > 0, "{len}");

        let mut opened: fw_opened = zeroed();
        for cut in 0..len {
            assert_eq!(fw_opening_check(&opening, reply.as_ptr(), cut as usize, &mut opened), 0);
        }
        assert_eq!(fw_opening_check(&opening, reply.as_ptr(), reply.len(), &mut opened), len);
        assert_eq!((opened.status, read(opened.subprotocol), opened.has_deflate), (101, "chat", 1));
        assert_eq!((opened.deflate.client_max_window_bits, opened.deflate.server_max_window_bits), (10, 15));

        let unasked = fw_answer { subprotocol: text("other"), ..answer };
        assert_eq!(fw_answer_write(&request, &unasked, reply.as_mut_ptr(), 512), FW_E_BUILD_SUBPROTOCOL);
        let other = fw_opening { nonce: *b"another nonce 16", ..opening };
        let len = fw_answer_write(&request, null(), reply.as_mut_ptr(), 512) as usize;
        assert_eq!(fw_opening_check(&other, reply.as_ptr(), len, &mut opened), FW_E_INVALID_ACCEPT);
    }
}

#[test]
fn refusals() {
    // SAFETY: all arguments are valid.
    unsafe {
        let mut request: fw_request = zeroed();
        let mut parse = |head: &str| fw_request_parse(head.as_ptr(), head.len(), &mut request);
        assert_eq!(parse("\x16\x03\x01"), FW_E_INVALID_REQUEST_LINE);
        assert_eq!(parse(&"x".repeat(9000)), FW_E_HEAD_TOO_LONG);
        assert_eq!(parse("GET / HTTP/1.1\r\n\r\n"), FW_E_INVALID_HOST);
        let upgrade = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
        assert_eq!(parse(&format!("{upgrade}\r\n")), FW_E_UNSUPPORTED_VERSION);
        let plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(parse(plain), plain.len() as c_int);
        let mut out = [0; 512];
        assert_eq!(fw_answer_write(&request, null(), out.as_mut_ptr(), 512), FW_E_NOT_UPGRADE);

        let len = fw_refusal_write(FW_E_UNSUPPORTED_VERSION, out.as_mut_ptr(), 512);
        assert!(out[..len as usize].starts_with(b"HTTP/1.1 426 Upgrade Required\r\n"));
        let fields = [fw_field { name: text("Location"), value: text("/x") }];
        let len = fw_response_write(302, NONE, fields.as_ptr(), 1, out.as_mut_ptr(), 512);
        assert!(out[..len as usize].windows(14).any(|part| part == b"Location: /x\r\n"));
        out.fill(0);
        let len = fw_response_write(200, text("ok"), null(), 0, out.as_mut_ptr(), 512) as usize;
        assert!(out[..len].ends_with(b"\r\n\r\nok"));
        assert_eq!(out[len..], [0; 512][len..], "nothing is written behind the answer");
        let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        let mut opened: fw_opened = zeroed();
        assert_eq!(fw_opening_check(&opening(), head.as_ptr(), head.len(), &mut opened), FW_E_REFUSED);
        assert_eq!(opened.status, 503);
        let tls = b"\x16\x03\x01";
        let not_http = fw_opening_check(&opening(), tls.as_ptr(), tls.len(), &mut opened);
        assert_eq!(not_http, FW_E_INVALID_STATUS_LINE);
    }
}

/// Interim answers come before the one that counts (RFC 9110 §15.2).
#[test]
fn interim_answers() {
    let opening = fw_opening { nonce: *b"the sample nonce", ..opening() };
    let mut reply = [0; 512];
    // SAFETY: all arguments are valid.
    unsafe {
        let mut wire = [0; 512];
        let len = fw_opening_write(&opening, wire.as_mut_ptr(), wire.len());
        let mut request: fw_request = zeroed();
        assert_eq!(fw_request_parse(wire.as_ptr(), len as usize, &mut request), len);
        let len = fw_answer_write(&request, null(), reply.as_mut_ptr(), reply.len()) as usize;
        let mut opened: fw_opened = zeroed();
        let mut check = |head: &[u8]| {
            let result = fw_opening_check(&opening, head.as_ptr(), head.len(), &mut opened);
            (result, opened.status)
        };
        let hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
        let answer = [&hints[..], &reply[..len]].concat();
        for cut in 0..answer.len() {
            assert_eq!(check(&answer[..cut]), (0, 0), "cut at {cut}");
        }
        assert_eq!(check(&[&answer[..], b"\x81\0"].concat()), (answer.len() as c_int, 101));
        let refused = [&hints[..], b"HTTP/1.1 404 Not Found\r\n\r\n"].concat();
        assert_eq!(check(&refused), (FW_E_REFUSED, 404));
        let many = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
        assert_eq!(check(&many), (FW_E_HEAD_TOO_LONG, 404));
    }
}

#[test]
fn bad_arguments() {
    let upgrade = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut out = [0; 512];
    let mut accept = [0x55; FW_ACCEPT_SIZE];
    let to = out.as_mut_ptr();
    // SAFETY: what must be refused is; the rest is valid.
    unsafe {
        let mut request: fw_request = zeroed();
        let mut value = NONE;
        let mut deflate = fw_deflate::default();
        let mut opened: fw_opened = zeroed();
        assert_eq!(fw_request_parse(null(), 5, &mut request), FW_E_ARGUMENT);
        assert_eq!(fw_request_parse(null(), 0, &mut request), 0);
        assert_eq!(fw_request_parse(upgrade.as_ptr(), usize::MAX, &mut request), FW_E_ARGUMENT);
        assert_eq!(fw_request_parse(upgrade.as_ptr(), upgrade.len(), null_mut()), FW_E_ARGUMENT);
        assert_eq!(fw_request_header(null(), text("a"), &mut value), FW_E_ARGUMENT);
        assert_eq!(fw_answer_write(null(), null(), to, 512), FW_E_ARGUMENT);
        assert_eq!(fw_answer_write(&request, null(), to, 512), FW_E_ARGUMENT, "it was never parsed");
        assert_eq!(fw_request_header(&request, text("a"), &mut value), FW_E_ARGUMENT);
        assert_eq!(fw_request_parse(upgrade.as_ptr(), upgrade.len(), &mut request), upgrade.len() as c_int);
        assert_eq!(fw_request_header(&request, NONE, &mut value), FW_E_ARGUMENT);
        assert_eq!(fw_request_header(&request, text("a"), null_mut()), FW_E_ARGUMENT);
        assert_eq!(fw_request_subprotocol(&request, null(), 1, &mut value), FW_E_ARGUMENT);
        assert_eq!(fw_request_subprotocol(&request, &text("a"), 17, &mut value), FW_E_ARGUMENT);
        assert_eq!(fw_request_subprotocol(&request, null(), usize::MAX, &mut value), FW_E_ARGUMENT);
        assert_eq!(fw_request_subprotocol(&request, null(), 0, &mut value), 0);
        assert_eq!(fw_request_deflate(null(), null(), &mut deflate), FW_E_ARGUMENT);
        assert_eq!(fw_request_deflate(&request, null(), null_mut()), FW_E_ARGUMENT);
        assert_eq!(fw_request_deflate(&request, null(), &mut deflate), 0);
        assert_eq!(fw_answer_write(&request, null(), null_mut(), 512), FW_E_ARGUMENT);
        assert_eq!(fw_answer_write(&request, null(), to, usize::MAX), FW_E_ARGUMENT);
        for room in [0, 1, 128] {
            assert_eq!(fw_answer_write(&request, null(), to, room), FW_E_ROOM);
        }
        let split = [fw_field { name: text("X"), value: text("a\r\nSet-Cookie: b") }];
        let answer =
            fw_answer { subprotocol: NONE, deflate: null(), headers: split.as_ptr(), header_count: 1 };
        assert_eq!(fw_answer_write(&request, &answer, to, 512), FW_E_BUILD_HEADER);
        for answer in [
            fw_answer { header_count: 17, ..answer },
            fw_answer { header_count: usize::MAX, ..answer },
            fw_answer { headers: null(), ..answer },
            fw_answer { subprotocol: fw_str { data: null(), len: 3 }, ..answer },
            fw_answer { subprotocol: fw_str { data: split.as_ptr().cast(), len: usize::MAX }, ..answer },
        ] {
            assert_eq!(fw_answer_write(&request, &answer, to, 512), FW_E_ARGUMENT);
        }
        for error in [0, 1, FW_E_INVALID_UTF8, FW_E_BUILD_HOST, FW_E_REFUSED, c_int::MIN] {
            assert_eq!(fw_refusal_write(error, to, 512), FW_E_ARGUMENT);
        }
        assert_eq!(fw_refusal_write(FW_E_INVALID_HOST, null_mut(), 512), FW_E_ARGUMENT);
        for status in [-1, 65536, c_int::MAX] {
            assert_eq!(fw_response_write(status, NONE, null(), 0, to, 512), FW_E_ARGUMENT);
        }
        assert_eq!(fw_response_write(204, NONE, null(), 0, to, 512), FW_E_BUILD_STATUS);
        assert_eq!(fw_opening_write(null(), to, 512), FW_E_ARGUMENT);
        assert_eq!(fw_opening_write(&opening(), null_mut(), 512), FW_E_ARGUMENT);
        assert_eq!(fw_opening_write(&fw_opening { host: NONE, ..opening() }, to, 512), FW_E_BUILD_HOST);
        assert_eq!(
            fw_opening_write(&fw_opening { target: text("x"), ..opening() }, to, 512),
            FW_E_BUILD_TARGET
        );
        assert_eq!(
            fw_opening_write(&fw_opening { host: text("a b"), ..opening() }, to, 512),
            FW_E_BUILD_HOST
        );
        for opening in [
            fw_opening { offer_count: 17, ..opening() },
            fw_opening { offer_count: 1, ..opening() },
            fw_opening { subprotocol_count: usize::MAX, ..opening() },
            fw_opening { header_count: 1, ..opening() },
        ] {
            assert_eq!(fw_opening_write(&opening, to, 512), FW_E_ARGUMENT);
        }
        let head = b"HTTP/1.1 101 x\r\n\r\n";
        assert_eq!(fw_opening_check(null(), head.as_ptr(), 18, &mut opened), FW_E_ARGUMENT);
        assert_eq!(fw_opening_check(&opening(), null(), 18, &mut opened), FW_E_ARGUMENT);
        assert_eq!(fw_opening_check(&opening(), head.as_ptr(), 18, null_mut()), FW_E_ARGUMENT);
        assert_eq!(
            fw_opening_check(&opening(), head.as_ptr(), 18, &mut opened),
            FW_E_INVALID_UPGRADE_RESPONSE
        );

        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        assert_eq!(fw_accept_key(null(), 24, accept.as_mut_ptr()), FW_E_ARGUMENT);
        assert_eq!(fw_accept_key(key.as_ptr().cast(), 24, null_mut()), FW_E_ARGUMENT);
        for len in [0, 23] {
            assert_eq!(fw_accept_key(key.as_ptr().cast(), len, accept.as_mut_ptr()), FW_E_INVALID_KEY);
        }
        assert_eq!(accept, [0x55; FW_ACCEPT_SIZE]);
        assert_eq!(fw_accept_key(key.as_ptr().cast(), 24, accept.as_mut_ptr()), FW_OK);
        assert_eq!(accept.map(|c| c as u8), *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\0");
    }
}
