//! Violations that need permessage-deflate.

use super::{
    bits::Bits,
    case::{Case, Needs, Then},
    wire::*,
};
use framewire::{
    Connection, Kind, Rsv, Server, Unmasked,
    deflate::{DeflatePool, Deflater},
    extension::{DeflateParams, DeflatePolicy},
};

/// RFC 7692 §6.1 and §7.2.2.
pub(super) static COMPRESSED: [Case; 15] = [
    deflate("deflate-rsv1-ping", "RFC 7692 §6.1", "a ping has RSV1", &[1002], || frame(PING | RSV1, b"\0")),
    deflate(
        "deflate-rsv1-continuation",
        "RFC 7692 §6.1",
        "the second fragment has RSV1, too",
        &[1002],
        || {
            let hello = hello();
            [frame((TEXT | RSV1) & MORE, &hello[..3]), frame(CONTINUATION | RSV1, &hello[3..])].concat()
        },
    ),
    deflate("deflate-rsv1-late", "RFC 7692 §6.1", "only the second fragment has RSV1", &[1002], || {
        [frame(TEXT & MORE, b"Hello"), frame(CONTINUATION | RSV1, &hello())].concat()
    }),
    deflate("deflate-rsv2", "RFC 6455 §5.2", "a compressed text has RSV2, too", &[1002], || {
        frame(TEXT | RSV1 | RSV2, &hello())
    }),
    deflate("deflate-block-type", "RFC 1951 §3.2.3", "a block has the reserved type", CORRUPT, || {
        frame(TEXT | RSV1, &Bits::default().put(0b110, 3).flush())
    }),
    deflate(
        "deflate-stored-length",
        "RFC 1951 §3.2.4",
        "a stored block's length and its complement differ",
        CORRUPT,
        || {
            let block = Bits::default().stored_header(5, !6).literals(b"Hello").flush();
            frame(BINARY | RSV1, &block)
        },
    ),
    deflate("deflate-distance", "RFC 1951 §3.2.5", "a copy begins before the first byte", CORRUPT, || {
        frame(BINARY | RSV1, &Bits::default().fixed(false).literals(b"Hello").copy(5, 6).end().flush())
    }),
    deflate(
        "deflate-garbage",
        "RFC 7692 §7.2.2",
        "a message is not compressed, and says that it is",
        CORRUPT,
        || frame(TEXT | RSV1, b"this is not a stream of deflate"),
    ),
    deflate("deflate-truncated", "RFC 7692 §7.2.2", "a message ends inside a stored block", CORRUPT, || {
        frame(BINARY | RSV1, &Bits::default().stored_header(100, !100).cut())
    }),
    deflate("deflate-utf8", "RFC 6455 §8.1", "a compressed text is not UTF-8", &[1007], || {
        frame(TEXT | RSV1, &Bits::default().fixed(false).literals(b"No \xFF is in UTF-8").end().flush())
    }),
    deflate(
        "deflate-utf8-cut",
        "RFC 6455 §8.1",
        "a compressed text ends inside a character",
        &[1007],
        || frame(TEXT | RSV1, &Bits::default().fixed(false).literals(b"5 \xE2\x82").end().flush()),
    ),
    // Another window than the one agreed on shows only in what is kept from one message to the next.
    deflate(
        "deflate-window",
        "RFC 7692 §7.1.2.1",
        "a copy begins 600 bytes before, and the window has 512",
        CORRUPT,
        || {
            let copy = Bits::default().fixed(false).copy(10, 600).end().flush();
            [frame(BINARY | RSV1, &Bits::default().stored(&DISTINCT).flush()), frame(BINARY | RSV1, &copy)]
                .concat()
        },
    )
    .needs(Needs::Deflate(DeflatePolicy { server_max_window_bits: 9, ..Needs::POLICY }))
    .echoes(|| vec![DISTINCT.to_vec()]),
    deflate(
        "deflate-takeover",
        "RFC 7692 §7.1.1.1",
        "a message refers to the one before, after server_no_context_takeover",
        CORRUPT,
        || {
            let copy = Bits::default().fixed(false).copy(5, 5).end().flush();
            [frame(TEXT | RSV1, &hello()), frame(TEXT | RSV1, &copy)].concat()
        },
    )
    .needs(Needs::Deflate(DeflatePolicy { server_no_context_takeover: true, ..Needs::POLICY }))
    .echoes(|| vec![b"Hello".to_vec()]),
    deflate(
        "deflate-bomb",
        "RFC 6455 §10.4",
        "128 KiB inflate to 128 MiB: a client SHOULD have a limit",
        &[1009],
        || frame(BINARY | RSV1, &bomb(128)),
    )
    .then(Then::ProbeLong),
    deflate("deflate-bomb-text", "RFC 6455 §10.4", "the same as a text", &[1009], || {
        frame(TEXT | RSV1, &bomb(128))
    })
    .then(Then::ProbeLong),
];

const CORRUPT: &[u16] = &[1007, 1002];

/// Bytes that hardly repeat.
const DISTINCT: [u8; 700] = {
    let mut bytes = [0; 700];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = if at % 3 == 0 { (at / 3) as u8 } else { at as u8 };
        at += 1;
    }
    bytes
};

/// "Hello", in a block with fixed codes.
fn hello() -> Vec<u8> {
    Bits::default().fixed(false).literals(b"Hello").end().flush()
}

/// Compresses this many MiB of zeros: one, and another, which refers only to the window and so can be repeated.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let mut connection = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
    let mut deflater = Deflater::new(&DeflateParams::default());
    let (mut pool, zeros) = (DeflatePool::default(), vec![0; 1 << 20]);
    let mut part = || {
        let part = deflater.fragment(&mut connection, Kind::Binary, &zeros, false, &mut pool, Unmasked);
        part.map(|frame| frame.payload().to_vec()).unwrap_or_default()
    };
    let (mut bomb, next) = (part(), part());
    for _ in 1..mebibytes {
        bomb.extend(&next);
    }
    bomb.truncate(bomb.len().saturating_sub(4)); // RFC 7692 §7.2.1
    bomb
}

const fn deflate(
    name: &'static str,
    rfc: &'static str,
    what: &'static str,
    codes: &'static [u16],
    frames: fn() -> Vec<u8>,
) -> Case {
    Case::frames(name, rfc, what, codes, frames).needs(Needs::DEFLATE)
}
