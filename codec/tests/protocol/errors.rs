//! People read errors, in logs and in the response to a refused client. So each has a text of its own, and it tells the
//! peer the right code or status.
use framewire::{CloseCode, ProtocolError, SendError};
use std::{collections::HashSet, error::Error};

/// Each has a text of its own: one line that is short enough for the reason of a close.
fn told_apart(errors: &[&dyn Error]) {
    let texts: HashSet<_> = errors.iter().map(|error| error.to_string()).collect();
    assert_eq!(texts.len(), errors.len(), "{texts:?}");
    assert!(texts.iter().all(|text| (10..=123).contains(&text.len()) && !text.contains('\n')), "{texts:?}");
}

#[test]
fn of_the_protocol() {
    use ProtocolError as E;
    let breaches = [
        E::ReservedOpcode,
        E::FragmentedControl,
        E::ControlTooLong,
        E::LengthNotMinimal,
        E::LengthOutOfRange,
        E::MaskMissing,
        E::MaskUnexpected,
        E::ReservedBit,
        E::UnexpectedContinuation,
        E::ExpectedContinuation,
        E::CloseTooShort,
        E::InvalidCloseCode,
    ];
    let others = [
        (E::FrameTooBig, CloseCode::TOO_BIG),
        (E::MessageTooBig, CloseCode::TOO_BIG),
        (E::InvalidUtf8, CloseCode::INVALID_DATA),
        (E::UnexpectedEof, CloseCode::ABNORMAL),
    ];
    assert!(breaches.iter().all(|error| error.close_code() == CloseCode::PROTOCOL));
    assert!(others.iter().all(|(error, code)| error.close_code() == *code));
    let errors = breaches.iter().chain(others.iter().map(|(error, _)| error));
    told_apart(&errors.map(|error| error as &dyn Error).collect::<Vec<_>>());
}

#[test]
fn of_the_sender() {
    use SendError as E;
    told_apart(&[
        &E::Closed,
        &E::MessageOpen,
        &E::KindChanged,
        &E::ReservedBit,
        &E::ControlTooLong,
        &E::PayloadTooLong,
        &E::InvalidCloseCode,
        &E::InvalidUtf8,
    ]);
}

#[test]
fn of_extensions() {
    use framewire::extension::ExtensionError as E;
    told_apart(&[&E::Malformed, &E::InvalidParameter, &E::Unexpected]);
}

#[cfg(all(feature = "handshake", feature = "alloc"))]
#[test]
fn of_the_handshake() {
    use framewire::handshake::{BuildError, HandshakeError as E, PlainResponse};
    let errors = [
        (E::Incomplete, 400),
        (E::HeadTooLong, 431),
        (E::TooManyHeaders, 431),
        (E::InvalidLineEnding, 400),
        (E::FoldedHeader, 400),
        (E::InvalidHeader, 400),
        (E::InvalidRequestLine, 400),
        (E::UnsupportedHttpVersion, 505),
        (E::InvalidHost, 400),
        (E::HostMismatch, 400),
        (E::InvalidTarget, 400),
        (E::MethodNotAllowed, 405),
        (E::UnexpectedBody, 400),
        (E::MissingConnectionUpgrade, 400),
        (E::UnsupportedVersion, 426),
        (E::InvalidKey, 400),
        (E::InvalidSubprotocols, 400),
        (E::InvalidExtensions, 400),
        (E::InvalidOrigin, 400),
        (E::OriginForbidden, 403),
        (E::NotUpgrade, 426),
        (E::InvalidStatusLine, 502),
        (E::InvalidUpgradeResponse, 502),
        (E::InvalidAccept, 502),
        (E::UnexpectedSubprotocol, 502),
        (E::UnexpectedExtension, 502),
    ];
    told_apart(&errors.each_ref().map(|(error, _)| error as &dyn Error));
    for (error, status) in errors {
        let reply = PlainResponse::from(error);
        assert_eq!((error.status(), reply.status()), (status, status));
        let text = String::from_utf8(reply.to_vec().unwrap()).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.ends_with(&format!("\r\n\r\n{error}\n")), "{text}");
    }
    told_apart(&[
        &BuildError::BufferTooSmall { needed: 1 },
        &BuildError::InvalidHeader,
        &BuildError::ReservedHeader,
        &BuildError::InvalidHost,
        &BuildError::InvalidTarget,
        &BuildError::InvalidSubprotocol,
        &BuildError::InvalidExtension,
        &BuildError::InvalidStatus,
    ]);
}

/// Each status has its phrase of RFC 9110, or at least that of its class.
#[cfg(all(feature = "handshake", feature = "alloc"))]
#[test]
fn of_any_status() {
    use framewire::handshake::PlainResponse;
    for (status, reason) in [
        (200, "OK"),
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (406, "Not Acceptable"),
        (408, "Request Timeout"),
        (410, "Gone"),
        (414, "URI Too Long"),
        (421, "Misdirected Request"),
        (426, "Upgrade Required"),
        (429, "Too Many Requests"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (505, "HTTP Version Not Supported"),
        (299, "Success"),
        (399, "Redirection"),
        (499, "Client Error"),
        (599, "Server Error"),
    ] {
        let text = String::from_utf8(PlainResponse::new(status).to_vec().unwrap()).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} {reason}\r\n")), "{text}");
    }
    assert!(
        [0, 101, 199, 204, 205, 304, 600].iter().all(|&status| PlainResponse::new(status).to_vec().is_err())
    );
}
