//! Violations in headers, control frames and fragments.

use super::{
    case::{Case, Expected, Then},
    wire::*,
};

const PROTOCOL: &[u16] = &[1002];

macro_rules! opcode {
    ($name:literal, $opcode:literal) => {
        Case::frames(
            $name,
            "RFC 6455 §5.2",
            concat!("a frame has the reserved opcode ", $opcode),
            PROTOCOL,
            || frame(0x80 | $opcode, b"reserved"),
        )
    };
}

/// RFC 6455 §5.1 and §5.2.
pub(super) static HEADERS: [Case; 29] = [
    Case::frames("masked-text", "RFC 6455 §5.1", "a text is masked", PROTOCOL, || {
        masked(TEXT, *b"\x37\xfa\x21\x3d", b"masked")
    }),
    Case::frames(
        "masked-zero",
        "RFC 6455 §5.1",
        "a binary is masked, with a key of zeros",
        PROTOCOL,
        || masked(BINARY, [0; 4], b"masked"),
    ),
    Case::frames("masked-empty", "RFC 6455 §5.1", "a text without payload is masked", PROTOCOL, || {
        masked(TEXT, *b"\x37\xfa\x21\x3d", b"")
    }),
    Case::frames("masked-ping", "RFC 6455 §5.1", "a ping is masked", PROTOCOL, || {
        masked(PING, *b"\x37\xfa\x21\x3d", b"masked")
    }),
    Case::frames("masked-close", "RFC 6455 §5.1", "a close is masked", PROTOCOL, || {
        masked(CLOSE, *b"\x37\xfa\x21\x3d", b"\x03\xe8")
    })
    .then(Then::Wait),
    // The server has declined compression if the client has offered it.
    Case::frames("rsv1-text", "RFC 6455 §5.2", "a text has RSV1, without an extension", PROTOCOL, || {
        frame(TEXT | RSV1, b"reserved")
    }),
    Case::frames("rsv2-text", "RFC 6455 §5.2", "a text has RSV2", PROTOCOL, || {
        frame(TEXT | RSV2, b"reserved")
    }),
    Case::frames("rsv3-text", "RFC 6455 §5.2", "a text has RSV3", PROTOCOL, || {
        frame(TEXT | RSV3, b"reserved")
    }),
    Case::frames("rsv1-continuation", "RFC 6455 §5.2", "a continuation has RSV1", PROTOCOL, || {
        [frame(TEXT & MORE, b"re"), frame(CONTINUATION | RSV1, b"served")].concat()
    }),
    Case::frames("rsv1-ping", "RFC 6455 §5.2", "a ping has RSV1", PROTOCOL, || {
        frame(PING | RSV1, b"reserved")
    }),
    Case::frames("rsv2-pong", "RFC 6455 §5.2", "a pong has RSV2", PROTOCOL, || {
        frame(PONG | RSV2, b"reserved")
    }),
    Case::frames("rsv3-close", "RFC 6455 §5.2", "a close has RSV3", PROTOCOL, || {
        frame(CLOSE | RSV3, b"\x03\xe8")
    })
    .then(Then::Wait),
    opcode!("opcode-3", 3),
    opcode!("opcode-4", 4),
    opcode!("opcode-5", 5),
    opcode!("opcode-6", 6),
    opcode!("opcode-7", 7),
    opcode!("opcode-11", 11),
    opcode!("opcode-12", 12),
    opcode!("opcode-13", 13),
    opcode!("opcode-14", 14),
    opcode!("opcode-15", 15),
    Case::frames("length-16-of-5", "RFC 6455 §5.2", "a length of 5 takes 16 bits", PROTOCOL, || {
        [header_16(TEXT, 5), b"Hello".to_vec()].concat()
    }),
    Case::frames("length-16-of-125", "RFC 6455 §5.2", "a length of 125 takes 16 bits", PROTOCOL, || {
        [header_16(BINARY, 125), vec![b'x'; 125]].concat()
    }),
    Case::frames("length-64-of-5", "RFC 6455 §5.2", "a length of 5 takes 64 bits", PROTOCOL, || {
        [header_64(TEXT, 5), b"Hello".to_vec()].concat()
    }),
    Case::frames(
        "length-64-of-65535",
        "RFC 6455 §5.2",
        "a length of 65,535 takes 64 bits",
        PROTOCOL,
        || [header_64(BINARY, 65_535), vec![b'x'; 65_535]].concat(),
    ),
    Case::frames(
        "length-bit-63",
        "RFC 6455 §5.2",
        "a length has its most significant bit set",
        &[1002, 1009],
        || [header_64(BINARY, 1 << 63 | 5), b"Hello".to_vec()].concat(),
    ),
    // No probe would be seen behind these: all that follows is payload.
    Case::frames(
        "length-2-62",
        "RFC 6455 §10.4",
        "a binary of 2^62 bytes begins: a client SHOULD have a limit",
        &[1009],
        || [header_64(BINARY, 1 << 62), b"Hello".to_vec()].concat(),
    )
    .then(Then::Wait),
    Case::frames(
        "length-2-62-text",
        "RFC 6455 §10.4",
        "a text of 2^62 bytes begins: a client SHOULD have a limit",
        &[1009],
        || [header_64(TEXT, 1 << 62), b"Hello".to_vec()].concat(),
    )
    .then(Then::Wait),
];

/// RFC 6455 §5.5.
pub(super) static CONTROL: [Case; 7] = [
    Case::frames("ping-fragment", "RFC 6455 §5.5", "a ping is a fragment", PROTOCOL, || {
        frame(PING & MORE, b"ping")
    }),
    Case::frames("pong-fragment", "RFC 6455 §5.5", "a pong is a fragment", PROTOCOL, || {
        frame(PONG & MORE, b"pong")
    }),
    Case::frames("close-fragment", "RFC 6455 §5.5", "a close is a fragment", PROTOCOL, || {
        frame(CLOSE & MORE, b"\x03\xe8")
    })
    .then(Then::Wait),
    Case::frames("ping-126", "RFC 6455 §5.5", "a ping has 126 bytes", PROTOCOL, || {
        frame(PING, &[b'x'; 126])
    }),
    Case::frames("pong-126", "RFC 6455 §5.5", "a pong has 126 bytes", PROTOCOL, || {
        frame(PONG, &[b'x'; 126])
    }),
    Case::frames("close-126", "RFC 6455 §5.5", "a close has 126 bytes", PROTOCOL, || {
        close(1000, &[b'x'; 124])
    })
    .then(Then::Wait),
    Case::frames("ping-65536", "RFC 6455 §5.5", "a ping has 65,536 bytes", PROTOCOL, || {
        frame(PING, &[b'x'; 65_536])
    }),
];

/// RFC 6455 §5.4, and streams that end too early.
pub(super) static FRAGMENTS: [Case; 10] = [
    Case::frames(
        "continuation-alone",
        "RFC 6455 §5.4",
        "a last fragment has no message to continue",
        PROTOCOL,
        || frame(CONTINUATION, b"what?"),
    ),
    Case::frames(
        "continuation-first",
        "RFC 6455 §5.4",
        "a fragment has no message to continue",
        PROTOCOL,
        || [frame(CONTINUATION & MORE, b"what"), frame(CONTINUATION, b"?")].concat(),
    ),
    Case::frames("continuation-after", "RFC 6455 §5.4", "a fragment follows the last one", PROTOCOL, || {
        [fragments(TEXT, &[b"who", b"le"]), frame(CONTINUATION, b"more")].concat()
    })
    .echoes(|| vec![b"whole".to_vec()]),
    Case::frames("text-inside-text", "RFC 6455 §5.4", "a text begins inside a text", PROTOCOL, || {
        [frame(TEXT & MORE, b"be"), frame(TEXT, b"inside"), frame(CONTINUATION, b"gun")].concat()
    }),
    Case::frames("binary-inside-text", "RFC 6455 §5.4", "a binary begins inside a text", PROTOCOL, || {
        [frame(TEXT & MORE, b"be"), frame(BINARY, b"inside"), frame(CONTINUATION, b"gun")].concat()
    }),
    Case::frames(
        "text-inside-binary",
        "RFC 6455 §5.4",
        "a fragmented text begins inside a binary",
        PROTOCOL,
        || [frame(BINARY & MORE, b"be"), fragments(TEXT, &[b"in", b"side"])].concat(),
    ),
    Case::frames(
        "message-open",
        "RFC 6455 §5.4",
        "a text begins where the last fragment of another is missing",
        PROTOCOL,
        || [frame(BINARY & MORE, b""), frame(TEXT, b"")].concat(),
    ),
    Case::frames("header-cut", "RFC 6455 §7.1.5", "the stream ends inside a header", PROTOCOL, || {
        vec![TEXT, 126, 0]
    })
    .expected(Expected::End)
    .then(Then::End),
    Case::frames("frame-cut", "RFC 6455 §7.1.5", "the stream ends inside a frame", PROTOCOL, || {
        vec![TEXT, 100, b'c', b'u', b't']
    })
    .expected(Expected::End)
    .then(Then::End),
    Case::frames(
        "message-cut",
        "RFC 6455 §7.1.5",
        "the stream ends inside a fragmented message",
        PROTOCOL,
        || frame(TEXT & MORE, b"cut"),
    )
    .expected(Expected::End)
    .then(Then::End),
];
