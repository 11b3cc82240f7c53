//! What a client must accept, so that a client that refuses everything does not pass.

use super::{
    bits::Bits,
    case::{Case, Expected, Needs, Then},
    wire::*,
};

/// RFC 6455.
pub(super) static GOOD: [Case; 22] = [
    Case::good("good-text", "RFC 6455 §5.6", "a text", || frame(TEXT, WAVE), || vec![WAVE.to_vec()]),
    Case::good(
        "good-binary",
        "RFC 6455 §5.6",
        "a binary with every byte",
        || frame(BINARY, &EVERY),
        || vec![EVERY.to_vec()],
    ),
    Case::good(
        "good-empty",
        "RFC 6455 §5.6",
        "an empty text and an empty binary",
        || [frame(TEXT, b""), frame(BINARY, b"")].concat(),
        || vec![Vec::new(); 2],
    ),
    Case::good(
        "good-length-125",
        "RFC 6455 §5.2",
        "the longest length in 7 bits",
        || binary(125),
        || vec![x(125)],
    ),
    Case::good(
        "good-length-126",
        "RFC 6455 §5.2",
        "the shortest length in 16 bits",
        || binary(126),
        || vec![x(126)],
    ),
    Case::good(
        "good-length-65535",
        "RFC 6455 §5.2",
        "the longest length in 16 bits",
        || binary(65_535),
        || vec![x(65_535)],
    ),
    Case::good(
        "good-length-65536",
        "RFC 6455 §5.2",
        "the shortest length in 64 bits",
        || binary(65_536),
        || vec![x(65_536)],
    ),
    Case::good(
        "good-fragments",
        "RFC 6455 §5.4",
        "a text in fragments, which cut its characters",
        || fragments(TEXT, &[&WAVE[..1], &WAVE[1..3], &WAVE[3..]]),
        || vec![WAVE.to_vec()],
    ),
    Case::good(
        "good-pings-between",
        "RFC 6455 §5.4",
        "fragments with pings and a pong between them",
        || {
            [
                frame(TEXT & MORE, b"Hel"),
                frame(PING, b"1"),
                frame(CONTINUATION & MORE, b"l"),
                frame(PONG, b""),
                frame(PING, b"2"),
                frame(CONTINUATION, b"o"),
            ]
            .concat()
        },
        || vec![b"Hello".to_vec()],
    ),
    Case::good(
        "good-empty-fragments",
        "RFC 6455 §5.4",
        "fragments of which some, or all, are empty",
        || [fragments(TEXT, &[b"", b"Hello", b"", b""]), fragments(BINARY, &[b"", b""])].concat(),
        || vec![b"Hello".to_vec(), Vec::new()],
    ),
    Case::good(
        "good-many-fragments",
        "RFC 6455 §5.4",
        "a binary of 1,000 fragments",
        || fragments(BINARY, &[&b"x"[..]; 1000]),
        || vec![x(1000)],
    ),
    Case::good("good-ping-0", "RFC 6455 §5.5.2", "a ping without payload", || frame(PING, b""), Vec::new),
    Case::good("good-ping-125", "RFC 6455 §5.5", "a ping of 125 bytes", || frame(PING, &x(125)), Vec::new),
    Case::good(
        "good-pong",
        "RFC 6455 §5.5.3",
        "a pong that answers no ping",
        || frame(PONG, b"unasked"),
        Vec::new,
    ),
    Case::good(
        "good-head-case",
        "RFC 9110 §5.1",
        "names of headers, and values, in another case",
        || frame(TEXT, b"Hello"),
        || vec![b"Hello".to_vec()],
    )
    .head(|head| {
        head.remove("Upgrade");
        head.remove("Connection");
        head.add("UPGRADE", "WebSocket");
        head.add("connection", "keep-alive, upgrade");
    }),
    Case::good(
        "good-head-reason",
        "RFC 9112 §4",
        "a status without a reason, and headers of others",
        || frame(TEXT, b"Hello"),
        || vec![b"Hello".to_vec()],
    )
    .head(|head| {
        head.status("HTTP/1.1 101 ");
        head.add("Date", "Sun, 29 Nov 2026 12:00:00 GMT");
        head.add("Server", "framewire-echo");
        head.add("X-Framewire", "");
    }),
    answer("good-close-empty", "a close without a code", &[1005, 1000], || frame(CLOSE, b"")),
    answer("good-close-1000", "a close with code 1000", &[1000, 1005], || close(1000, b"")),
    answer(
        "good-close-1012",
        "a close with code 1012, which the registry added",
        &[1012, 1000, 1005],
        || close(1012, b""),
    ),
    answer("good-close-3000", "a close with code 3000 and a reason", &[3000, 1000, 1005], || {
        close(3000, WAVE)
    }),
    answer(
        "good-close-4999",
        "a close with code 4999 and a reason of 123 bytes",
        &[4999, 1000, 1005],
        || close(4999, &x(123)),
    ),
    answer("good-close-inside", "a close inside a fragmented message", &[1000, 1005], || {
        [frame(TEXT & MORE, b"never ends"), close(1000, b"")].concat()
    }),
];

/// RFC 7692.
pub(super) static GOOD_DEFLATE: [Case; 9] = [
    deflate(
        "good-deflate",
        "RFC 7692 §7.2.3.1",
        "a compressed text",
        || message(bits().fixed(false).literals(b"Hello").end()),
        || vec![b"Hello".to_vec()],
    ),
    deflate(
        "good-deflate-none",
        "RFC 7692 §6",
        "a text that is not compressed",
        || frame(TEXT, b"Hello"),
        || vec![b"Hello".to_vec()],
    ),
    deflate(
        "good-deflate-empty",
        "RFC 7692 §7.2.3.6",
        "an empty message, compressed",
        || message(bits()),
        || vec![Vec::new()],
    ),
    deflate(
        "good-deflate-stored",
        "RFC 7692 §7.2.3.3",
        "a stored block",
        || message(bits().stored(b"Hello")),
        || vec![b"Hello".to_vec()],
    ),
    deflate(
        "good-deflate-final",
        "RFC 7692 §7.2.3.4",
        "a block with BFINAL",
        || message(bits().fixed(true).literals(b"Hello").end().aligned()),
        || vec![b"Hello".to_vec()],
    ),
    deflate(
        "good-deflate-blocks",
        "RFC 7692 §7.2.3.5",
        "several blocks of different types",
        || {
            message(
                bits()
                    .fixed(false)
                    .literals(b"He")
                    .end()
                    .stored(b"l")
                    .stored(b"")
                    .fixed(false)
                    .copy(3, 1)
                    .literals(b"o")
                    .end(),
            )
        },
        || vec![b"Hellllo".to_vec()],
    ),
    deflate(
        "good-deflate-fragments",
        "RFC 7692 §6.1",
        "a compressed text in fragments, with a ping between",
        || {
            let hello = bits().fixed(false).literals(b"Hello").end().flush();
            [
                frame((TEXT | RSV1) & MORE, &hello[..2]),
                frame(CONTINUATION & MORE, b""),
                frame(PING, b"1"),
                frame(CONTINUATION, &hello[2..]),
            ]
            .concat()
        },
        || vec![b"Hello".to_vec()],
    ),
    deflate(
        "good-deflate-takeover",
        "RFC 7692 §7.2.3.2",
        "a text that refers to the one before",
        || {
            [
                message(bits().fixed(false).literals(b"Hello").end()),
                message(bits().fixed(false).copy(5, 5).end()),
            ]
            .concat()
        },
        || vec![b"Hello".to_vec(); 2],
    )
    .needs(Needs::Takeover),
    deflate(
        "good-deflate-close",
        "RFC 7692 §6.1",
        "a close after a compressed text",
        || [message(bits().fixed(false).literals(b"Hello").end()), close(1000, b"")].concat(),
        || vec![b"Hello".to_vec()],
    )
    .expected(Expected::Answer(&[1000, 1005]))
    .then(Then::Wait),
];

/// Text of characters that take four bytes, and two.
const WAVE: &[u8] = "\u{1F44B} gr\u{fc}\u{df} Gott".as_bytes();

const EVERY: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

fn x(len: usize) -> Vec<u8> {
    vec![b'x'; len]
}

fn binary(len: usize) -> Vec<u8> {
    frame(BINARY, &x(len))
}

fn bits() -> Bits {
    Bits::default()
}

fn message(bits: Bits) -> Vec<u8> {
    frame(TEXT | RSV1, &bits.flush())
}

const fn answer(
    name: &'static str,
    what: &'static str,
    codes: &'static [u16],
    frames: fn() -> Vec<u8>,
) -> Case {
    Case::good(name, "RFC 6455 §5.5.1", what, frames, Vec::new)
        .expected(Expected::Answer(codes))
        .then(Then::Wait)
}

const fn deflate(
    name: &'static str,
    rfc: &'static str,
    what: &'static str,
    frames: fn() -> Vec<u8>,
    echoes: fn() -> Vec<Vec<u8>>,
) -> Case {
    Case::good(name, rfc, what, frames, echoes).needs(Needs::DEFLATE)
}
