//! Texts that are not UTF-8.

use super::{case::Case, wire::*};

macro_rules! text {
    ($name:literal, $what:literal, $start:literal, $wrong:literal) => {
        Case::text($name, $what, $start, |start| frame(TEXT, &[start, $wrong].concat()))
    };
}

/// RFC 6455 §5.6 and §8.1; RFC 3629 says what is UTF-8.
pub(super) static TEXTS: [Case; 13] = [
    text!("utf8-start", "a text begins with a continuation byte", b"", b"\x80 is not a beginning"),
    text!("utf8-middle", "a text has a byte FF", b"No ", b"\xFF is in UTF-8"),
    text!("utf8-latin-1", "a text is Latin-1", b"Gr", b"\xFC\xDFe"),
    text!("utf8-cut", "a text ends inside a character", b"5 ", b"\xE2\x82"),
    text!("utf8-cut-4", "a text ends before the last byte of a character", b"", b"\xF0\x9F\x98"),
    text!("utf8-overlong-2", "a slash takes two bytes", b"", b"\xC0\xAF"),
    text!("utf8-overlong-3", "a slash takes three bytes", b"", b"\xE0\x80\xAF"),
    text!("utf8-overlong-4", "a euro takes four bytes", b"", b"\xF0\x82\x82\xAC"),
    text!("utf8-surrogate", "a text has a surrogate", b"", b"\xED\xA0\x80"),
    text!("utf8-surrogates", "a text has a pair of surrogates", b"", b"\xED\xA0\xBD\xED\xB8\x80"),
    text!("utf8-too-large", "a text has a character over U+10FFFF", b"", b"\xF4\x90\x80\x80"),
    Case::text("utf8-fragments", "a character that two fragments share is invalid", b"5 ", |start| {
        fragments(TEXT, &[&[start, b"\xE2\x82"].concat(), b"5"])
    }),
    Case::text(
        "utf8-cut-fragments",
        "the last of three fragments ends inside a character",
        "5 €".as_bytes(),
        |start| fragments(TEXT, &[start, b"\xE2", b"\x82"]),
    ),
];
