//! Closes that may not be sent, and what may not follow a close.

use super::{
    case::{Case, Expected, Then},
    wire::*,
};

macro_rules! code {
    ($name:literal, $rfc:literal, $code:literal, $what:literal) => {
        Case::frames($name, $rfc, $what, &[1002], || close($code, b"")).then(Then::Wait)
    };
}

/// What a server sends behind its close. The client has its own close to send, and no more.
macro_rules! after {
    ($name:literal, $what:literal, $frames:expr) => {
        Case::frames($name, "RFC 6455 §5.5.1", $what, &[], || $frames.concat())
            .expected(Expected::Discard)
            .then(Then::Wait)
    };
}

/// RFC 6455 §5.5.1, §7.4.
pub(super) static CLOSES: [Case; 18] = [
    Case::frames("close-1-byte", "RFC 6455 §5.5.1", "a close has one byte", &[1002], || {
        frame(CLOSE, b"\x03")
    })
    .then(Then::Wait),
    code!("close-0", "RFC 6455 §7.4.2", 0, "a close has code 0"),
    code!("close-999", "RFC 6455 §7.4.2", 999, "a close has code 999, which nobody defines"),
    code!("close-1004", "RFC 6455 §7.4.1", 1004, "a close has code 1004, which is reserved"),
    code!("close-1005", "RFC 6455 §7.4.1", 1005, "a close has code 1005, which stands for none"),
    code!("close-1006", "RFC 6455 §7.4.1", 1006, "a close has code 1006, which stands for no close"),
    code!("close-1015", "RFC 6455 §7.4.1", 1015, "a close has code 1015, which stands for a failure of TLS"),
    code!("close-1016", "RFC 6455 §7.4.2", 1016, "a close has code 1016, which is not registered"),
    code!("close-2000", "RFC 6455 §7.4.2", 2000, "a close has code 2000, which no extension defines"),
    code!("close-2999", "RFC 6455 §7.4.2", 2999, "a close has code 2999, which no extension defines"),
    code!("close-5000", "RFC 6455 §7.4.2", 5000, "a close has code 5000, which nobody defines"),
    code!("close-65535", "RFC 6455 §7.4.2", 65535, "a close has code 65535, which nobody defines"),
    Case::frames("close-utf8", "RFC 6455 §5.5.1", "a close's reason is not UTF-8", &[1007, 1002], || {
        close(1000, b"because \xFF")
    })
    .then(Then::Wait),
    Case::frames(
        "close-utf8-cut",
        "RFC 6455 §5.5.1",
        "a close's reason ends inside a character",
        &[1007, 1002],
        || close(1000, b"5 \xE2\x82"),
    )
    .then(Then::Wait),
    after!("text-after-close", "a text follows the close", [close(1000, b""), frame(TEXT, b"late")]),
    after!("ping-after-close", "a ping follows the close", [close(1000, b""), frame(PING, b"late")]),
    after!(
        "fragment-after-close",
        "the rest of a text follows the close",
        [frame(TEXT & MORE, b"too "), close(1000, b""), frame(CONTINUATION, b"late")]
    ),
    after!("close-after-close", "another close follows the close", [close(1000, b""), close(1001, b"")]),
];
