//! What a head gets: a 101, the page, a health check, or the error that it asks for.

use crate::options::Config;
use framewire::{
    extension::{self, DeflateParams},
    handshake::{HandshakeError, HeaderSlots, PlainResponse, Request, Upgrade},
};

/// The page that a browser gets: one file, nothing from elsewhere.
const PAGE: &str = include_str!("page.html");

/// What to send, and what is next.
#[derive(Debug)]
pub struct Answer {
    pub bytes: Vec<u8>,
    /// Frames follow.
    pub open: bool,
    /// What was agreed on about compression.
    pub deflate: Option<DeflateParams>,
    /// The peer is to blame.
    pub error: bool,
}

/// Which subprotocols are chosen of those that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subprotocols {
    /// The client's first: many clients give up where they ask and none is chosen.
    Any,
    /// The client's first of these; none of an empty list.
    Only(Vec<String>),
}

impl Answer {
    /// The answer to a head that is not even one.
    pub fn refuse(error: HandshakeError) -> Self {
        log::debug!("a handshake was refused: {error}");
        Self { error: true, ..Self::close(PlainResponse::from(error)) }
    }

    fn close(response: PlainResponse<'_>) -> Self {
        let bytes = response.to_vec().unwrap_or_else(|error| {
            log::error!("a response could not be written: {error}"); // the peer sees the connection close
            Vec::new()
        });
        Self { bytes, open: false, deflate: None, error: false }
    }
}

/// The answer to a head; `deflate`: what may be agreed on about compression.
pub fn answer(config: &Config, head: &[u8], deflate: Option<&extension::DeflatePolicy>) -> Answer {
    let mut slots = HeaderSlots::<{ Config::MAX_HEADERS }>::new();
    match Request::parse(head, &mut slots).and_then(|request| respond(config, &request, deflate)) {
        Ok(answer) => answer,
        Err(error) => Answer::refuse(error),
    }
}

/// The answer to a peer that took too long over its head.
pub fn too_slow() -> Vec<u8> {
    Answer::close(PlainResponse::new(408)).bytes
}

fn respond(
    config: &Config,
    request: &Request<'_, '_>,
    deflate: Option<&extension::DeflatePolicy>,
) -> Result<Answer, HandshakeError> {
    match request.upgrade()? {
        Some(upgrade) => accept(config, &upgrade, deflate),
        None => Ok(Answer::close(serve(request).head_only(request.method() == "HEAD"))),
    }
}

fn accept(
    config: &Config,
    upgrade: &Upgrade<'_, '_>,
    deflate: Option<&extension::DeflatePolicy>,
) -> Result<Answer, HandshakeError> {
    // Only browsers send an origin, and only they can be made to connect by a page that their user did not mean.
    if let (Some(origin), false) = (upgrade.origin(), config.origins.is_empty()) {
        if !config.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            return Err(HandshakeError::OriginForbidden);
        }
    }
    let subprotocol = match &config.subprotocols {
        Subprotocols::Any => upgrade.subprotocols().next(),
        Subprotocols::Only(ours) => upgrade.subprotocols().find(|name| ours.iter().any(|our| our == name)),
    };
    let deflate = deflate.and_then(|config| upgrade.deflate(config));
    let deflate_params = deflate.map(|answer| answer.params());
    Ok(match upgrade.accept().subprotocol(subprotocol).deflate(deflate).to_vec() {
        Ok(bytes) => Answer { bytes, open: true, deflate: deflate_params, error: false },
        Err(error) => {
            log::error!("a 101 could not be written: {error}"); // not reached: all of it was the client's own choice
            Answer::close(PlainResponse::from(error))
        }
    })
}

fn serve(request: &Request<'_, '_>) -> PlainResponse<'static> {
    const HTML: &[(&str, &str)] =
        &[("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")];
    const READ_ONLY: &[(&str, &str)] = &[("Allow", "GET, HEAD")];
    let page = match request.path() {
        "/" => PlainResponse::new(200).extra_headers(HTML).body(PAGE),
        "/healthz" => PlainResponse::new(200).body("ok\n"),
        _ => return PlainResponse::new(404),
    };
    match request.method() {
        "GET" | "HEAD" => page,
        _ => PlainResponse::new(405).extra_headers(READ_ONLY),
    }
}
