//! The codec's responses as responses of hyper.

use crate::accept::{AcceptError, Denied};
use framewire::handshake::{BuildError, HandshakeError, HeaderValue, PlainResponse};
use http::{HeaderName, Response, StatusCode};
use std::fmt;

/// A request that was refused. It has the response for hyper to send.
#[derive(Debug)]
#[must_use = "the client waits for the response"]
pub struct Rejected {
    error: AcceptError,
    response: Box<Response<String>>,
}

impl Rejected {
    pub(super) fn new(denied: Denied, is_http2: bool) -> Self {
        let (response, error) = denied.respond(false, |response| plain(response, is_http2));
        Self::with(error, response)
    }

    /// For a request from which the upgrade was taken, or which never had one.
    pub(super) fn not_upgradable(is_http2: bool) -> Self {
        let error = AcceptError::NotUpgradable;
        let body = format!("{error}\n");
        let response = PlainResponse::from(HandshakeError::NotUpgrade).body(&body);
        Self::with(error, plain(&response, is_http2))
    }

    fn with(error: AcceptError, response: Result<Response<String>, BuildError>) -> Self {
        #[cfg(feature = "tracing")]
        tracing::debug!(%error, "a handshake was refused");
        let response = response.unwrap_or_else(|_| {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        Self { error, response: Box::new(response) }
    }

    /// Why.
    #[must_use]
    pub fn error(&self) -> &AcceptError {
        &self.error
    }

    /// The response.
    #[must_use]
    pub fn response(&self) -> &Response<String> {
        &self.response
    }

    /// The response, to send.
    pub fn into_response(self) -> Response<String> {
        *self.response
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Rejected {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// The response that opens a WebSocket: 101, or 200 for HTTP/2 (RFC 8441 §5).
pub(super) fn opening<'a>(
    headers: impl Iterator<Item = (&'a str, HeaderValue<'a>)>,
    is_http2: bool,
) -> Result<Response<()>, BuildError> {
    let status = if is_http2 { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
    with_headers(status, headers, (), is_http2)
}

/// A response that refuses.
fn plain(response: &PlainResponse<'_>, is_http2: bool) -> Result<Response<String>, BuildError> {
    let status = match StatusCode::from_u16(response.status()) {
        Ok(StatusCode::UPGRADE_REQUIRED) if is_http2 => StatusCode::BAD_REQUEST, // it has no upgrade (RFC 9113 §8.6)
        Ok(status) => status,
        Err(_) => return Err(BuildError::InvalidStatus),
    };
    with_headers(status, response.headers()?, response.body_text().to_string(), is_http2)
}

fn with_headers<'a, B>(
    status: StatusCode,
    headers: impl Iterator<Item = (&'a str, HeaderValue<'a>)>,
    body: B,
    is_http2: bool,
) -> Result<Response<B>, BuildError> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        let mut value = value.to_string();
        match name {
            // Not in HTTP/2 (RFC 9113 §8.2.2, RFC 8441 §5).
            "Connection" | "Upgrade" | "Sec-WebSocket-Accept" if is_http2 => continue,
            // hyper knows the length of a body, and whether the connection goes on.
            "Content-Length" => continue,
            "Connection" if !value.starts_with("Upgrade") => continue,
            "Connection" => value.truncate("Upgrade".len()),
            _ => {}
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| BuildError::InvalidHeader)?;
        let value = http::HeaderValue::try_from(value).map_err(|_| BuildError::InvalidHeader)?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}
