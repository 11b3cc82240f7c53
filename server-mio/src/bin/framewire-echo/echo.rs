//! The handler: echoes every message, and serves a page to try it in a browser.

use framewire::{
    Kind,
    handshake::{self, Request},
};
use framewire_mio::{Handler, Reply};
use std::borrow::Cow;

/// Echoes every message unchanged.
#[derive(Debug)]
pub(crate) struct Echo;

/// The page for browsers: one file that loads no other.
const PAGE: &str = include_str!("page.html");

impl Handler for Echo {
    #[inline(always)]
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        // Fails only after a close was sent: the peer does not wait for an echo then.
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
