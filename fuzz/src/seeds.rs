//! The seeds, by target and name: small inputs, each of which shows one thing. `tests/seeds.rs` writes them to `seeds/`.

use framewire::{Client, Server};
use framewire_testing::{
    miniz::compress,
    payload::{noise, prose},
    wire::*,
};

/// The bytes of each.
#[must_use]
pub fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |target, name, bytes: &[&[u8]]| all.push((target, name, bytes.concat()));

    // header: bytes on the wire.
    add("header", "text-masked-rfc", &[b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"]);
    add("header", "ping-empty", &[b"\x89\x00"]);
    add("header", "length-of-2-bytes", &[&head(BINARY, None, 65535)]);
    add("header", "length-of-8-bytes-masked", &[&head(BINARY & MORE, Some(KEY), 1 << 40)]);
    add("header", "length-not-minimal", &[b"\x82\x7e\x00\x7d"]);
    add("header", "length-with-bit-63", &[b"\x82\x7f\x80\0\0\0\0\0\0\0"]);
    add("header", "control-over-125", &[b"\x88\xfe\x00\x7e"]);
    add("header", "two-frames", &[&frame(TEXT & MORE, None, b"a"), &frame(CONTINUATION, Some(KEY), b"b")]);

    // decoder and tungstenite: options, pieces, then bytes on the wire or frames.
    for (name, options, pieces, frames) in frames() {
        add("decoder", name, &[&[options, pieces.len() as u8], pieces, &frames]);
        add("tungstenite", name, &[&[options & 0x80, pieces.len() as u8], pieces, &frames]);
    }
    let to_client = [to::<Client>(TEXT, "größer".as_bytes()), to::<Client>(PING, b"")].concat();
    add("decoder", "wire-to-client", &[b"\0\x01\x01", &to_client]);
    add("decoder", "over-the-frame-limit", &[b"\x02\x00", &to::<Server>(BINARY, &[7; 17])]);
    add(
        "decoder",
        "over-the-message-limit",
        &[b"\x83\x01\x30", b"\x02\x30", &[7; 48], b"\x80\x40", &[7; 64]],
    );
    add("decoder", "rsv1-allowed", &[b"\xc0\x01\x02", b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"]);

    add("tungstenite", "ping-length-not-minimal", &[b"\0\0", b"\x89\xff", &[0; 12], b"\x82\x4e"]);

    // capi: flags, the length of the reads, then what the peer sends.
    let to_server = [to::<Server>(TEXT, "größer".as_bytes()), to::<Server>(BINARY, &[7; 200])].concat();
    let fragments = [to::<Server>(TEXT & MORE, b"gr\xc3"), to::<Server>(CONTINUATION, b"\xb6n")].concat();
    let controls = [to::<Server>(PING, &[b'p'; 125]), to::<Server>(CLOSE, b"\x03\xe9bye")].concat();
    add("capi", "messages", &[b"\0\xff", &to_server]);
    add("capi", "messages-in-pieces", &[b"\0\x07", &to_server]);
    add("capi", "fragments-and-split-controls", &[b"\0\x03", &fragments, &controls]);
    add("capi", "a-client", &[b"\x01\x05", &to_client, &to::<Client>(CLOSE, b"")]);
    add("capi", "compressed", &[b"\x02\x04", &to::<Server>(TEXT | 0x40, b"\xf2\x48\xcd\xc9\xc9\x07\x00")]);
    add("capi", "not-masked", &[b"\0\x09", &to_client]);
    add("capi", "a-frame-too-big", &[b"\0\x09", &head(BINARY, Some(KEY), 1 << 40)]);

    // connection: calls.
    add(
        "connection",
        "texts-both-ways",
        &[b"\x00\x05hello", b"\x80\x06gr\xc3\xbc\xc3\x9f", b"\x8c\0\xff\x03\x0c\0\xff\0"],
    );
    add(
        "connection",
        "fragments-with-pings-between",
        &[b"\x03\x08\xe2\x82\xac\xf0\x9f\x98\x80!\x02\x07\x01p\x05\x01\x8c\0\xff\x00\x05\xff\x8c\0\xff\x09"],
    );
    add(
        "connection",
        "read-into-the-message",
        &[b"\x02\x80\x07\x8c\x00\x10\x07\x8b\x10\x00\x8b\xff\xff\x8c\xff\xff\xff"],
    );
    add(
        "connection",
        "sends-that-are-refused",
        &[b"\x04\x10\0\x05\x01\x01x\x06\x09\x03\xed\x01r\x07\x7e", &[0; 126]],
    );
    add("connection", "closes-that-cross", &[b"\x0a\x9a\x07\0\x0c\0\xff\0\x8c\0\xff\0"]);
    add(
        "connection",
        "close-inside-a-message",
        &[b"\x83\x04text\x02\x89\x03\xe8\x03bye\x85\x01\x0c\0\xff\x01"],
    );

    // mask: two keys, two alignments, pieces, a length, bytes.
    for (name, aligns, pieces, len) in [
        ("short", [0, 1], &[1, 2][..], [5, 0]),
        ("a-vector-and-one", [1, 31], &[16], [33, 0]),
        ("aligned-stores", [3, 0], &[255, 13], [156, 7]),
        ("key-phases", [5, 7], &[1, 2, 3], [129, 1]),
    ] {
        add(
            "mask",
            name,
            &[&KEY, b"\x01\x02\x03\x04", &aligns, &[pieces.len() as u8], pieces, &len, b"0123456"],
        );
    }
    add("mask", "nothing", &[]);

    // utf8: a key, an alignment, pieces, how often the first block is repeated, that block, the rest.
    for (name, pieces, times, unit, rest) in [
        ("ascii", &[5][..], 20, &b"plain old ASCII, "[..], &b""[..]),
        ("two-bytes-cut-inside", &[3], 9, "Съешь".as_bytes(), b"!"),
        ("four-bytes-cut-inside", &[1, 2], 9, "😀".as_bytes(), b""),
        ("a-surrogate-after-a-vector", &[40], 2, b"0123456789abcdef", b"\xed\xa0\x80"),
        ("overlong", &[], 1, b"aaaaaaaaaaaaaaa", b"\xc0\x80"),
        ("beyond-the-last", &[31], 2, b"0123456789abcde", b"\xf4\x90\x80\x80"),
        ("ends-inside", &[], 3, "日本語".as_bytes(), b"\xe6\x97"),
    ] {
        add("utf8", name, &[&KEY, &[3, pieces.len() as u8], pieces, &[times, unit.len() as u8], unit, rest]);
    }

    handshake(&mut add);
    inflate(&mut add);
    deflate(&mut add);
    all
}

/// Name, options, pieces, and the received bytes: on the wire to a server, or as frames (options with the first bit).
fn frames() -> Vec<(&'static str, u8, &'static [u8], Vec<u8>)> {
    let plan = |frames: &[(u8, &[u8])]| {
        frames
            .iter()
            .flat_map(|(first, payload)| [&[*first, payload.len() as u8], *payload].concat())
            .collect()
    };
    let text = "κόσμε 😀".as_bytes();
    vec![
        ("hello-masked", 0, &[4], to::<Server>(TEXT, b"Hello")),
        ("binary-of-126", 0, &[130], to::<Server>(BINARY, &[9; 126])),
        ("bare-to-a-server", 0, &[], frame(TEXT, None, b"x")),
        ("close-1014", 0, &[], to::<Server>(CLOSE, &closing(1014, "bad gateway"))),
        ("close-999", 0, &[], to::<Server>(CLOSE, &closing(999, ""))),
        ("close-1002-in-those-words", 0, &[], to::<Server>(CLOSE, &closing(1002, "Protocol violation"))),
        ("length-not-minimal", 0, &[], b"\x82\xfe\x00\x01\0\0\0\0\x07".to_vec()),
        ("length-of-exabytes", 0, &[1], [head(BINARY, Some(KEY), 1 << 62), vec![0; 9]].concat()),
        ("reserved-opcode", 0, &[], b"\x83".to_vec()),
        ("fragments-with-a-ping-between", 0x80, &[3, 5], {
            plan(&[
                (0x01, &text[..3]),
                (PING, b"between"),
                (0x00, &text[3..12]),
                (0x00, b""),
                (0x80, &text[12..]),
            ])
        }),
        ("data-inside-a-message", 0x80, &[], plan(&[(0x01, b"a"), (TEXT, b"b")])),
        ("continuation-of-nothing", 0x80, &[], plan(&[(CONTINUATION, b"a")])),
        ("not-utf8-in-a-fragment", 0x80, &[2], plan(&[(0x01, b"ok\xc3"), (0x00, b"("), (0x80, b"late")])),
        (
            "pings-then-close",
            0x80,
            &[1],
            plan(&[(PING, b"1"), (PONG, b""), (PING, b"2"), (CLOSE, b"\x03\xe8bye"), (TEXT, b"late")]),
        ),
        ("rsv-not-agreed-on", 0x80, &[], plan(&[(TEXT | 0x20, b"x")])),
        ("ping-over-125", 0x80, &[], plan(&[(PING, &[0; 126])])),
        ("close-of-one-byte", 0x80, &[], plan(&[(CLOSE, b"\x03")])),
    ]
}

type Add<'a> = dyn FnMut(&'static str, &'static str, &[&[u8]]) + 'a;

/// Which check, its options, and for heads the pieces.
fn handshake(add: &mut Add<'_>) {
    let request = b"GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let more = b"Origin: http://example.com\r\nSec-WebSocket-Protocol: soap, chat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    add("handshake", "request", &[b"\x00\x00\x01\x40", request, b"\r\n"]);
    add("handshake", "request-with-everything", &[b"\x00\xfc\x02\x03\x50", request, more, b"\r\n\x81\x80"]);
    add("handshake", "request-small-limits", &[b"\x00\x04\x00", request, more, b"\r\n"]);
    let behind_target = request.split_at(13).1;
    let start = b"\x00\x00\x00GET http://EXAMPLE.COM:80/chat";
    add("handshake", "request-for-a-whole-uri", &[start, behind_target, b"\r\n"]);
    add("handshake", "request-for-another-host", &[b"\x00\x00\x00GET wss://b:444/", behind_target, b"\r\n"]);
    add("handshake", "request-for-a-page", &[b"\x00\x00\x00GET / HTTP/1.0\r\n\r\n"]);
    add(
        "handshake",
        "request-for-an-upgrade-of-http-1.0",
        &[b"\x00\x00\x00GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"],
    );
    add("handshake", "request-with-a-body", &[b"\x00\x00\x00", request, b"Content-Length: 5\r\n\r\nhello"]);
    add("handshake", "request-version-8", &[
        b"\x00\x00\x00GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n\r\n",
    ]);
    let response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    add("handshake", "response", &[b"\x01\x00\x01\x20", response, b"\r\n\x81\x00"]);
    add("handshake", "response-with-deflate", &[
        b"\x01\x01\x00", response,
        b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n\r\n",
    ]);
    let reason = b"HTTP/1.1 101 \xe9\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    add("handshake", "response-with-a-reason-in-latin1", &[b"\x01\x00\x00", reason]);
    add("handshake", "response-404", &[b"\x01\x00\x00HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]);
    add("handshake", "extensions-offers", &[
        b"\x02\xe0permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits; server_no_context_takeover",
    ]);
    add(
        "handshake",
        "extensions-quoted",
        &[b"\x02\x00, x; a=\"b\\c\" ;d = e ,, permessage-deflate;client_max_window_bits=\"1\\2\""],
    );
    add("handshake", "extensions-malformed", &[b"\x02\x00permessage-deflate; =1"]);
    add("handshake", "both-roles", &[
        b"\x03\x82\x0bexample.com\x05/chat0123456789abcdef\x08http://a\x06chat x\x06cookie\x03a=b\x0c\xaa\x0f\xff",
    ]);
    add(
        "handshake",
        "both-roles-injection",
        &[b"\x03\x80\x01a\x01/0123456789abcdef\x00\x00\x04name\x05a\r\nb:"],
    );
}

/// Options, then for each part: the peer and the kind of part, and a block.
fn inflate(add: &mut Add<'_>) {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    // 64 KiB a message, parts of 4 KiB: 0x..c0 + 16; takeover with 15 bits: 0x1c.
    let options = |first: u8| [first, 0xc0 | 4];
    let part = |what: u8, bytes: &[u8]| [&[what, bytes.len() as u8], bytes].concat();
    let mut named =
        |name, options: [u8; 2], parts: &[Vec<u8>]| add("inflate", name, &[&options, &parts.concat()]);
    named("hello", options(0x1e), &[part(4, hello)]);
    named(
        "hello-again-by-reference",
        options(0x1c),
        &[part(0x44, hello), part(0x44, b"\xf2\x00\x11\x00\x00")],
    );
    named("reference-to-nothing", options(0x1e), &[part(4, hello), part(4, b"\xf2\x00\x11\x00\x00")]);
    named("stored", options(0x1c), &[part(4, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")]);
    named("final", options(0x1c), &[part(4, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")]);
    named(
        "final-and-a-reference-over-it",
        options(0x1c),
        &[part(4, b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00")],
    );
    named("empty-messages", options(0x1c), &[part(4, b""), part(4, b"\0"), part(0x84, b"plain")]);
    named(
        "two-peers-one-decompressor",
        options(0x1c),
        &[part(0, &hello[..3]), part(5, hello), part(4, &hello[3..]), part(5, hello)],
    );
    named(
        "between-two-pools",
        options(0x3c),
        &[part(1, &hello[..2]), part(9, &hello[2..4]), part(5, &hello[4..])],
    );
    named("not-text", options(0x1c), &[part(0x44, b"\x00\x02\x00\xfd\xff\xc3\x28\x00")]);
    named("truncated-over-the-limit", [0x01, 0x00], &[part(4, b"\xf8\xff")]);
    named("bomb", [0x1d, 0xca], &[[&[0x34, 8], &b"AAAAAAAA"[..], &[255, 9]].concat()]);
    named("windows-of-9-bits", [0x05, 0x8c], &[part(0x64, &prose(200, 1)), part(0x64, &prose(200, 1))]);
    let dynamic = compress(&prose(600, 2));
    named(
        "dynamic-codes-in-parts",
        [0x1d, 0x3c],
        &dynamic.chunks(100).map(|c| part(0x40, c)).chain([part(0x44, b"")]).collect::<Vec<_>>(),
    );
    named("too-many-final-blocks", options(0x1c), &[part(4, &b"\x03\x00".repeat(100))]);
}

/// Options, pieces, the parameters of each connection, then calls: which call on which connection, and a payload.
fn deflate(add: &mut Add<'_>) {
    let text = &prose(150, 3);
    let message = |call: u8| [&[call, text.len() as u8], &text[..]].concat();
    let mut named = |name, options: [u8; 3], pieces: &[u8], links: [u8; 3], calls: &[Vec<u8>]| {
        add("deflate", name, &[&options, &[pieces.len() as u8], pieces, &links, &calls.concat()]);
    };
    named("with-takeover", [0x24, 20, 0xff], &[50], [7, 7, 7], &[message(0x80), message(0x80), message(0)]);
    named("without-takeover", [0x25, 20, 0xff], &[7], [15, 15, 15], &[message(0x80), message(0x80)]);
    named(
        "one-compressor-all-windows",
        [0x22, 0, 0x4f],
        &[],
        [1, 4, 8],
        &[message(0x80), message(0x81), message(0x82), message(0x80)],
    );
    named("fragments", [0x24, 20, 0x3f], &[3, 90], [7, 1, 0], &[message(0x98), message(0xa0), message(0xa4)]);
    named(
        "fragments-of-both",
        [0x24, 20, 0x3f],
        &[90],
        [7, 1, 0],
        &[
            message(0x98),
            message(0xa4),
            message(0xb4),
            message(0xa0),
            message(0xb8),
            message(0xb4),
            message(0xa4),
        ],
    );
    named(
        "refused-inside-a-message",
        [0x24, 20, 0xf2],
        &[],
        [7, 1, 9],
        &[message(0x98), message(0x80), message(0x18), message(0xa4), message(0x80)],
    );
    named(
        "broadcast",
        [0x28, 20, 0xf8],
        &[],
        [7, 1, 9],
        &[message(0x80), message(0xbc), message(0x80), message(0xbc)],
    );
    named("incompressible", [0x24, 0, 0xff], &[100], [7, 7, 7], &[vec![0, 40], noise(40, 1), message(0x80)]);
    named(
        "large",
        [0x24, 20, 0x7f],
        &[255, 254],
        [7, 1, 1],
        &[[&[0x41, 9], &b"123456789"[..], &[0x90, 9]].concat()],
    );
}
