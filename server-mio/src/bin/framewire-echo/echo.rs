//! What this server does: it sends every message back, and gives a browser a page to try that with.

use framewire::{
    Kind,
    handshake::{self, Request},
};
use framewire_mio::{Handler, Reply};
use std::borrow::Cow;

/// Sends every message back.
#[derive(Debug)]
pub(crate) struct Echo;

/// The page that a browser gets: one file, which loads nothing else.
const PAGE: &str = include_str!("page.html");

impl Handler for Echo {
    #[inline(always)]
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        // Refused only if a close was sent already: then the peer does not wait for an echo.
        let _ = reply.send(kind, payload);
    }

    fn request(&mut self, request: &Request<'_, '_>) -> handshake::PlainResponse<'_> {
        const HTML: &[(&str, &str)] =
            &[("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")];
        const READ_ONLY: &[(&str, &str)] = &[("Allow", "GET, HEAD")];
        let page = match request.path() {
            "/" => handshake::PlainResponse::new(200).extra_headers(HTML).body(PAGE),
            "/healthz" => handshake::PlainResponse::new(200).body("ok\n"),
            _ => return handshake::PlainResponse::new(404),
        };
        match request.method() {
            "GET" | "HEAD" => page,
            _ => handshake::PlainResponse::new(405).extra_headers(READ_ONLY),
        }
    }
}
