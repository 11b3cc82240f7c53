//! Texts that are not UTF-8.

use super::{case::Case, wire::*};

const INVALID: &[u16] = &[1007];

macro_rules! text {
    ($name:literal, $what:literal, $bytes:literal) => {
        Case::frames($name, "RFC 6455 §8.1", $what, INVALID, || frame(TEXT, $bytes))
    };
}

/// RFC 6455 §5.6 and §8.1; RFC 3629 says what is UTF-8.
pub(super) static TEXTS: [Case; 13] = [
    text!("utf8-start", "a text begins with a continuation byte", b"\x80 is not a beginning"),
    text!("utf8-middle", "a text has a byte FF", b"No \xFF is in UTF-8"),
    text!("utf8-latin-1", "a text is Latin-1", b"Gr\xFC\xDFe"),
    text!("utf8-cut", "a text ends inside a character", b"5 \xE2\x82"),
    text!("utf8-cut-4", "a text ends before the last byte of a character", b"\xF0\x9F\x98"),
    text!("utf8-overlong-2", "a slash takes two bytes", b"\xC0\xAF"),
    text!("utf8-overlong-3", "a slash takes three bytes", b"\xE0\x80\xAF"),
    text!("utf8-overlong-4", "a euro takes four bytes", b"\xF0\x82\x82\xAC"),
    text!("utf8-surrogate", "a text has a surrogate", b"\xED\xA0\x80"),
    text!("utf8-surrogates", "a text has a pair of surrogates", b"\xED\xA0\xBD\xED\xB8\x80"),
    text!("utf8-too-large", "a text has a character over U+10FFFF", b"\xF4\x90\x80\x80"),
    Case::frames(
        "utf8-fragments",
        "RFC 6455 §8.1",
        "a character that two fragments share is invalid",
        INVALID,
        || fragments(TEXT, &[b"5 \xE2\x82", b"5"]),
    ),
    Case::frames(
        "utf8-cut-fragments",
        "RFC 6455 §8.1",
        "the last of three fragments ends inside a character",
        INVALID,
        || fragments(TEXT, &["5 €".as_bytes(), b"\xE2", b"\x82"]),
    ),
];
