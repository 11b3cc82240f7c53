//! Requests that are refused.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use framewire_tokio::{AcceptError, HandshakeError, Rejected};
use http::{HeaderValue, Method, StatusCode, Version, header::ALLOW, request::Parts};
use std::fmt;

/// Why a request is not one for a WebSocket. The status of the response is that of axum's own extractor, and 403 for an origin
/// that may not connect. The response has what RFC 6455 §4.2.2 and RFC 9110 §15.5.6 demand besides: `Sec-WebSocket-Version`,
/// `Allow`.
#[derive(Debug)]
#[must_use = "the client waits for the response"]
pub struct WebSocketUpgradeRejection {
    rejected: Rejected,
    status: StatusCode,
    allow: HeaderValue,
}

impl WebSocketUpgradeRejection {
    pub(crate) fn new(rejected: Rejected, parts: &Parts) -> Self {
        let method = if parts.version > Version::HTTP_11 { Method::CONNECT } else { Method::GET };
        let status = match rejected.error() {
            _ if parts.method != method => StatusCode::METHOD_NOT_ALLOWED,
            AcceptError::Handshake(HandshakeError::UnsupportedVersion) => StatusCode::BAD_REQUEST,
            AcceptError::Handshake(HandshakeError::NotUpgrade) if parts.version > Version::HTTP_10 => {
                StatusCode::BAD_REQUEST
            }
            _ => rejected.response().status(),
        };
        Self {
            rejected,
            status,
            allow: HeaderValue::from_static(if method == Method::GET { "GET" } else { "CONNECT" }),
        }
    }

    /// Why.
    #[must_use]
    pub fn error(&self) -> &AcceptError {
        self.rejected.error()
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body of the response.
    #[must_use]
    pub fn body_text(&self) -> String {
        self.rejected.response().body().clone()
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        let mut response = self.rejected.into_response().map(Body::from);
        *response.status_mut() = self.status;
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, self.allow);
        }
        response
    }
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejected.fmt(f)
    }
}

impl std::error::Error for WebSocketUpgradeRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.rejected.source()
    }
}
