//! The handler: echoes every message, and serves a page to try it in a browser.

use crate::behaviours::{Behaviours, Decision};
use framewire::{
    Kind,
    handshake::{self, Request},
};
use framewire_mio::{Admission, Handler, Reply};
use std::{borrow::Cow, sync::Arc};

/// Echoes every message unchanged, unless its connection has a behaviour.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    /// Present if they are switched on.
    behaviours: Option<Arc<Behaviours>>,
    /// The text of the last response that was made for its request.
    text: String,
}

/// The page for browsers: one file that loads no other.
const PAGE: &str = include_str!("page.html");

impl Echo {
    pub(crate) fn new(behaviours: Option<Arc<Behaviours>>) -> Self {
        Self { behaviours, text: String::new() }
    }
}

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

    fn admit(&mut self, request: &Request<'_, '_>) -> Admission<'_> {
        match self.behaviours.as_ref().map(|behaviours| behaviours.decide(request)) {
            None | Some(Decision::Serve) => Admission::Serve,
            Some(Decision::Play(behaviour)) => Admission::TakeOver(behaviour),
            Some(Decision::Respond(status, text)) => {
                self.text = text;
                Admission::Respond(handshake::PlainResponse::new(status).body(&self.text))
            }
        }
    }

    fn stopping(&mut self) {
        self.behaviours.iter().for_each(|behaviours| behaviours.stop());
    }
}
