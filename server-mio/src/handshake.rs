//! The responses to requests: a 101 if the configuration allows it, the handler's response, or an error.

use crate::{
    config::{Config, Subprotocols},
    handler::{Admission, Handler, Taken},
};
use framewire::{
    extension::{self, DeflateParams},
    handshake::{HandshakeError, HeaderSlots, PlainResponse, Request, Upgrade},
};

/// A response, and the state of the connection after it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// The connection is a WebSocket now.
    pub(crate) open: bool,
    /// The parameters of compression, if it was negotiated.
    pub(crate) deflate: Option<DeflateParams>,
    /// The request was wrong.
    pub(crate) error: bool,
    /// The handler takes the connection over: nothing is sent.
    pub(crate) taken: Option<Taken>,
}

impl Answer {
    /// The error response to a wrong request.
    pub(crate) fn refuse(error: HandshakeError) -> Self {
        log::debug!("a handshake was refused: {error}");
        Self { error: true, ..Self::close(&PlainResponse::from(error)) }
    }

    fn close(reply: &PlainResponse<'_>) -> Self {
        let bytes = reply.to_vec().unwrap_or_else(|error| {
            log::error!("the handler's response to a request is not valid: {error}");
            INTERNAL_ERROR.to_vec()
        });
        Self { bytes, open: false, deflate: None, error: false, taken: None }
    }
}

/// A constant, because building a response can fail.
const INTERNAL_ERROR: &[u8] =
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// The response to a request, unless the handler takes the connection over. Compression is negotiated only if `deflate` is present.
pub(crate) fn answer(
    config: &Config,
    handler: &mut impl Handler,
    head: &[u8],
    deflate: Option<&extension::DeflatePolicy>,
) -> Answer {
    let mut slots = HeaderSlots::<{ Config::MAX_HEADERS }>::new();
    let request = Request::parse(head, &mut slots);
    match request.and_then(|request| respond(config, handler, &request, head, deflate)) {
        Ok(answer) => answer,
        Err(error) => Answer::refuse(error),
    }
}

/// The response to a peer whose request takes too long.
pub(crate) fn too_slow() -> Vec<u8> {
    Answer::close(&PlainResponse::new(408)).bytes
}

fn respond(
    config: &Config,
    handler: &mut impl Handler,
    request: &Request<'_, '_>,
    head: &[u8],
    deflate: Option<&extension::DeflatePolicy>,
) -> Result<Answer, HandshakeError> {
    let upgrade = request.upgrade()?;
    if let Some(upgrade) = &upgrade {
        check_origin(config, upgrade)?;
    }
    let plain = |response: PlainResponse<'_>| Answer::close(&response.head_only(request.method() == "HEAD"));
    match handler.admit(request) {
        Admission::Serve => {}
        Admission::Respond(response) => return Ok(plain(response)),
        Admission::TakeOver(by) => {
            let taken = Some(Taken { by, peer: None, head: head.to_vec(), rest: Vec::new() });
            return Ok(Answer { bytes: Vec::new(), open: false, deflate: None, error: false, taken });
        }
    }
    Ok(match upgrade {
        Some(upgrade) => accept(config, &upgrade, deflate),
        None => plain(handler.request(request)),
    })
}

/// A page of any origin can make a browser connect, so browsers send the page's origin. Other clients need not.
fn check_origin(config: &Config, upgrade: &Upgrade<'_, '_>) -> Result<(), HandshakeError> {
    match upgrade.origin() {
        Some(origin) if !config.origins.is_empty() => {
            let allowed = config.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
            if allowed { Ok(()) } else { Err(HandshakeError::OriginForbidden) }
        }
        _ => Ok(()),
    }
}

fn accept(config: &Config, upgrade: &Upgrade<'_, '_>, deflate: Option<&extension::DeflatePolicy>) -> Answer {
    let subprotocol = match &config.subprotocols {
        Subprotocols::Any => upgrade.subprotocols().next(),
        Subprotocols::Only(ours) => upgrade.subprotocols().find(|name| ours.iter().any(|our| our == name)),
    };
    let deflate = deflate.and_then(|config| upgrade.deflate(config));
    let deflate_params = deflate.map(|answer| answer.params());
    match upgrade.accept().subprotocol(subprotocol).deflate(deflate).to_vec() {
        Ok(bytes) => Answer { bytes, open: true, deflate: deflate_params, error: false, taken: None },
        Err(error) => {
            log::error!("a handshake's response is not valid: {error}"); // not reached: each value is one that the client sent
            Answer::close(&PlainResponse::new(500))
        }
    }
}
