//! The results of functions as numbers, with their names.

use core::ffi::{c_char, c_int};
use framewire::{
    ProtocolError, SendError,
    handshake::{BuildError, HandshakeError},
};

/// Declares the codes once: their numbers, their names as C strings, and what each means.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: c_int = $number;)*

        /// All codes with their names.
        pub const CODES: &[(c_int, &str)] = &[$(($number, stringify!($name))),*];

        /// The name of an error or of `FW_OK`, such as `"FW_E_INVALID_UTF8"`; `"FW_E_?"` for another number.
        #[unsafe(no_mangle)]
        pub extern "C" fn fw_error_name(error: c_int) -> *const c_char {
            let name = match error {
                $($name => concat!(stringify!($name), "\0"),)*
                _ => "FW_E_?\0",
            };
            name.as_ptr().cast()
        }

        /// What an error means, in a few words.
        #[unsafe(no_mangle)]
        pub extern "C" fn fw_error_text(error: c_int) -> *const c_char {
            let text = match error {
                $($name => concat!($text, "\0"),)*
                _ => "no error has this number\0",
            };
            text.as_ptr().cast()
        }
    };
}

codes! {
    FW_OK = 0, "no error";

    FW_E_RESERVED_OPCODE = -1, "a frame has a reserved opcode";
    FW_E_FRAGMENTED_CONTROL = -2, "a control frame is fragmented";
    FW_E_CONTROL_TOO_LONG = -3, "a control frame has more than 125 bytes of payload";
    FW_E_LENGTH_NOT_MINIMAL = -4, "a payload length is not written in the fewest bytes";
    FW_E_LENGTH_OUT_OF_RANGE = -5, "a payload length has its most significant bit set";
    FW_E_MASK_MISSING = -6, "a frame from a client is not masked";
    FW_E_MASK_UNEXPECTED = -7, "a frame from a server is masked";
    FW_E_RESERVED_BIT = -8, "a reserved bit is set that no extension allows here";
    FW_E_UNEXPECTED_CONTINUATION = -9, "a continuation frame has no message to continue";
    FW_E_EXPECTED_CONTINUATION = -10, "a new message starts inside a fragmented message";
    FW_E_FRAME_TOO_BIG = -11, "a frame is larger than the frame limit";
    FW_E_MESSAGE_TOO_BIG = -12, "a message is larger than the message limit";
    FW_E_INVALID_UTF8 = -13, "text is not UTF-8";
    FW_E_CORRUPT_DEFLATE = -14, "a compressed message is corrupt";
    FW_E_CLOSE_TOO_SHORT = -15, "a close frame has a payload of one byte";
    FW_E_INVALID_CLOSE_CODE = -16, "a close frame has a code that may not be sent";
    FW_E_UNEXPECTED_EOF = -17, "the stream ended without a close frame";

    FW_E_CLOSED = -33, "the connection is closed for sending";
    FW_E_MESSAGE_OPEN = -34, "a fragmented message must be finished first";
    FW_E_KIND_CHANGED = -35, "a fragment and its message are not of the same kind";
    FW_E_SEND_RESERVED_BIT = -36, "no extension uses this reserved bit";
    FW_E_SEND_CONTROL_TOO_LONG = -37, "the payload of a control frame is longer than 125 bytes";
    FW_E_PAYLOAD_TOO_LONG = -38, "the payload is too long for a frame";
    FW_E_SEND_CLOSE_CODE = -39, "this close code may not be sent";
    FW_E_SEND_UTF8 = -40, "the text to be sent is not UTF-8";

    FW_E_ARGUMENT = -49, "a pointer is NULL, a length is absurd, or a number has no meaning";
    FW_E_MISALIGNED = -50, "the memory is not aligned";
    FW_E_SIZE = -51, "the memory is smaller than this version of the library needs";
    FW_E_ROOM = -52, "the room for the output is too small";
    FW_E_STATE = -53, "the memory was not initialised";
    FW_E_KEY = -54, "a client passes a key, and a server passes none";
    FW_E_OTHER = -55, "an error that this version of the library has no name for";

    FW_E_HEAD_TOO_LONG = -65, "the head is too long";
    FW_E_TOO_MANY_HEADERS = -66, "there are too many headers";
    FW_E_INVALID_LINE_ENDING = -67, "a line does not end with CR LF";
    FW_E_FOLDED_HEADER = -68, "a header is folded over two lines";
    FW_E_INVALID_HEADER = -69, "a header is malformed";
    FW_E_INVALID_REQUEST_LINE = -70, "the request line is malformed";
    FW_E_UNSUPPORTED_HTTP_VERSION = -71, "the version of HTTP is neither 1.0 nor 1.1";
    FW_E_INVALID_TARGET = -72, "the target is malformed, or not that of a WebSocket";
    FW_E_INVALID_HOST = -73, "Host is missing, repeated or malformed";
    FW_E_HOST_MISMATCH = -74, "the target names another host than Host";
    FW_E_METHOD_NOT_ALLOWED = -75, "the method of an upgrade is not GET";
    FW_E_UNEXPECTED_BODY = -76, "an upgrade has a body";
    FW_E_MISSING_CONNECTION_UPGRADE = -77, "Connection does not list Upgrade";
    FW_E_UNSUPPORTED_VERSION = -78, "Sec-WebSocket-Version is not 13";
    FW_E_INVALID_KEY = -79, "Sec-WebSocket-Key is missing, repeated, or not the base64 of 16 bytes";
    FW_E_INVALID_SUBPROTOCOLS = -80, "Sec-WebSocket-Protocol is malformed";
    FW_E_INVALID_EXTENSIONS = -81, "Sec-WebSocket-Extensions is malformed";
    FW_E_INVALID_ORIGIN = -82, "Origin is repeated or malformed";
    FW_E_ORIGIN_FORBIDDEN = -83, "this origin may not connect";
    FW_E_NOT_UPGRADE = -84, "the request does not ask for a WebSocket";
    FW_E_INVALID_STATUS_LINE = -85, "the status line is malformed";
    FW_E_INVALID_UPGRADE_RESPONSE = -86, "the response does not upgrade to a WebSocket";
    FW_E_INVALID_ACCEPT = -87, "Sec-WebSocket-Accept is not that of the key";
    FW_E_UNEXPECTED_SUBPROTOCOL = -88, "the server chose a subprotocol that the client did not ask for";
    FW_E_UNEXPECTED_EXTENSION = -89, "the server accepted an extension that the client did not offer";
    FW_E_REFUSED = -90, "the server answered with a status other than 101";

    FW_E_BUILD_HEADER = -97, "a header's name or value is invalid";
    FW_E_BUILD_RESERVED_HEADER = -98, "a header is reserved to the handshake";
    FW_E_BUILD_HOST = -99, "the host is invalid";
    FW_E_BUILD_TARGET = -100, "the target is invalid";
    FW_E_BUILD_SUBPROTOCOL = -101, "a subprotocol is invalid, or the client did not ask for it";
    FW_E_BUILD_EXTENSION = -102, "an extension is invalid, or the client did not offer it";
    FW_E_BUILD_STATUS = -103, "the status is not that of a final response with a body";

    FW_E_NO_WINDOW = -113, "the pool has no window left for another peer";
    FW_E_BUSY = -114, "no decompressor is free: try again when another peer's message has ended";
}

/// The code for a close frame that says `error` to the peer (RFC 6455 §7.4.1); 0 if `error` is not a peer's.
#[unsafe(no_mangle)]
pub extern "C" fn fw_error_close_code(error: c_int) -> u16 {
    protocol_error(error).map_or(0, |error| error.close_code().get())
}

/// The peer's errors with their numbers.
const PROTOCOL: [(ProtocolError, c_int); 17] = [
    (ProtocolError::ReservedOpcode, FW_E_RESERVED_OPCODE),
    (ProtocolError::FragmentedControl, FW_E_FRAGMENTED_CONTROL),
    (ProtocolError::ControlTooLong, FW_E_CONTROL_TOO_LONG),
    (ProtocolError::LengthNotMinimal, FW_E_LENGTH_NOT_MINIMAL),
    (ProtocolError::LengthOutOfRange, FW_E_LENGTH_OUT_OF_RANGE),
    (ProtocolError::MaskMissing, FW_E_MASK_MISSING),
    (ProtocolError::MaskUnexpected, FW_E_MASK_UNEXPECTED),
    (ProtocolError::ReservedBit, FW_E_RESERVED_BIT),
    (ProtocolError::UnexpectedContinuation, FW_E_UNEXPECTED_CONTINUATION),
    (ProtocolError::ExpectedContinuation, FW_E_EXPECTED_CONTINUATION),
    (ProtocolError::FrameTooBig, FW_E_FRAME_TOO_BIG),
    (ProtocolError::MessageTooBig, FW_E_MESSAGE_TOO_BIG),
    (ProtocolError::InvalidUtf8, FW_E_INVALID_UTF8),
    (ProtocolError::CorruptDeflate, FW_E_CORRUPT_DEFLATE),
    (ProtocolError::CloseTooShort, FW_E_CLOSE_TOO_SHORT),
    (ProtocolError::InvalidCloseCode, FW_E_INVALID_CLOSE_CODE),
    (ProtocolError::UnexpectedEof, FW_E_UNEXPECTED_EOF),
];

/// The peer's error with this number.
pub(crate) fn protocol_error(code: c_int) -> Option<ProtocolError> {
    PROTOCOL.iter().find(|&&(_, number)| number == code).map(|&(error, _)| error)
}

/// An error as a number.
pub(crate) trait Code {
    fn code(self) -> c_int;
}

impl Code for ProtocolError {
    #[cold]
    fn code(self) -> c_int {
        PROTOCOL.iter().find(|&&(error, _)| error == self).map_or(FW_E_OTHER, |&(_, number)| number)
    }
}

impl Code for SendError {
    #[cold]
    fn code(self) -> c_int {
        match self {
            Self::Closed => FW_E_CLOSED,
            Self::MessageOpen => FW_E_MESSAGE_OPEN,
            Self::KindChanged => FW_E_KIND_CHANGED,
            Self::ReservedBit => FW_E_SEND_RESERVED_BIT,
            Self::ControlTooLong => FW_E_SEND_CONTROL_TOO_LONG,
            Self::PayloadTooLong => FW_E_PAYLOAD_TOO_LONG,
            Self::InvalidCloseCode => FW_E_SEND_CLOSE_CODE,
            Self::InvalidUtf8 => FW_E_SEND_UTF8,
            _ => FW_E_OTHER,
        }
    }
}

/// The errors of a handshake with their numbers.
const HANDSHAKE: [(HandshakeError, c_int); 25] = [
    (HandshakeError::HeadTooLong, FW_E_HEAD_TOO_LONG),
    (HandshakeError::TooManyHeaders, FW_E_TOO_MANY_HEADERS),
    (HandshakeError::InvalidLineEnding, FW_E_INVALID_LINE_ENDING),
    (HandshakeError::FoldedHeader, FW_E_FOLDED_HEADER),
    (HandshakeError::InvalidHeader, FW_E_INVALID_HEADER),
    (HandshakeError::InvalidRequestLine, FW_E_INVALID_REQUEST_LINE),
    (HandshakeError::UnsupportedHttpVersion, FW_E_UNSUPPORTED_HTTP_VERSION),
    (HandshakeError::InvalidTarget, FW_E_INVALID_TARGET),
    (HandshakeError::InvalidHost, FW_E_INVALID_HOST),
    (HandshakeError::HostMismatch, FW_E_HOST_MISMATCH),
    (HandshakeError::MethodNotAllowed, FW_E_METHOD_NOT_ALLOWED),
    (HandshakeError::UnexpectedBody, FW_E_UNEXPECTED_BODY),
    (HandshakeError::MissingConnectionUpgrade, FW_E_MISSING_CONNECTION_UPGRADE),
    (HandshakeError::UnsupportedVersion, FW_E_UNSUPPORTED_VERSION),
    (HandshakeError::InvalidKey, FW_E_INVALID_KEY),
    (HandshakeError::InvalidSubprotocols, FW_E_INVALID_SUBPROTOCOLS),
    (HandshakeError::InvalidExtensions, FW_E_INVALID_EXTENSIONS),
    (HandshakeError::InvalidOrigin, FW_E_INVALID_ORIGIN),
    (HandshakeError::OriginForbidden, FW_E_ORIGIN_FORBIDDEN),
    (HandshakeError::NotUpgrade, FW_E_NOT_UPGRADE),
    (HandshakeError::InvalidStatusLine, FW_E_INVALID_STATUS_LINE),
    (HandshakeError::InvalidUpgradeResponse, FW_E_INVALID_UPGRADE_RESPONSE),
    (HandshakeError::InvalidAccept, FW_E_INVALID_ACCEPT),
    (HandshakeError::UnexpectedSubprotocol, FW_E_UNEXPECTED_SUBPROTOCOL),
    (HandshakeError::UnexpectedExtension, FW_E_UNEXPECTED_EXTENSION),
];

/// The error of a handshake with this number.
pub(crate) fn handshake_error(code: c_int) -> Option<HandshakeError> {
    HANDSHAKE.iter().find(|&&(_, number)| number == code).map(|&(error, _)| error)
}

impl Code for HandshakeError {
    fn code(self) -> c_int {
        HANDSHAKE.iter().find(|&&(error, _)| error == self).map_or(FW_E_OTHER, |&(_, number)| number)
    }
}

impl Code for BuildError {
    fn code(self) -> c_int {
        match self {
            Self::BufferTooSmall { .. } => FW_E_ROOM,
            Self::InvalidHeader => FW_E_BUILD_HEADER,
            Self::ReservedHeader => FW_E_BUILD_RESERVED_HEADER,
            Self::InvalidHost => FW_E_BUILD_HOST,
            Self::InvalidTarget => FW_E_BUILD_TARGET,
            Self::InvalidSubprotocol => FW_E_BUILD_SUBPROTOCOL,
            Self::InvalidExtension => FW_E_BUILD_EXTENSION,
            Self::InvalidStatus => FW_E_BUILD_STATUS,
            _ => FW_E_OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ffi::CStr;

    fn text(text: *const c_char) -> &'static str {
        // SAFETY: both functions return constants that end with a zero byte.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap()
    }

    #[test]
    fn the_texts_are_those_of_the_codec() {
        for (error, code) in PROTOCOL {
            assert_eq!((error.code(), protocol_error(code)), (code, Some(error)));
            assert_eq!(text(fw_error_text(code)), error.to_string());
            assert_eq!(fw_error_close_code(code), error.close_code().get());
        }
        for (error, code) in HANDSHAKE {
            assert_eq!((error.code(), handshake_error(code)), (code, Some(error)));
            assert_eq!(text(fw_error_text(code)), error.to_string());
            assert_eq!(fw_error_close_code(code), 0);
        }
    }

    #[test]
    fn each_number_has_one_name() {
        for (i, &(code, name)) in CODES.iter().enumerate() {
            assert_eq!(text(fw_error_name(code)), name);
            assert!(CODES[..i].iter().all(|&(other, _)| other != code), "{name}");
        }
        for code in [1, -18, c_int::MIN, c_int::MAX] {
            assert_eq!((text(fw_error_name(code)), fw_error_close_code(code)), ("FW_E_?", 0));
        }
    }
}
