//! The handler: echoes every message, and serves a page to try it in a browser.

use crate::{
    access::AccessLog,
    behaviours::{Behaviours, Decision},
    log_queue::LogQueue,
    metrics::{Format, Metrics},
};
use framewire::{
    Kind,
    handshake::{self, Request, Response},
};
use framewire_mio::{Admission, Ending, Handler, Peer, Reply};
use std::{borrow::Cow, sync::Arc};

/// Echoes every message unchanged, unless its connection has a behaviour.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    /// Present if they are switched on.
    pub(crate) behaviours: Option<Arc<Behaviours>>,
    /// Present if there is a page of metrics.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// Present if there is an access log.
    pub(crate) access: Option<AccessLog>,
    pub(crate) log: Option<LogQueue>,
    /// The text of the last response that was made for its request.
    pub(crate) text: String,
}

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
            "/metrics" if self.metrics.is_some() => self.write_metrics(request),
            "/healthz" => handshake::PlainResponse::new(200).body("ok\n"),
            _ => return handshake::PlainResponse::new(404),
        };
        match request.method() {
            "GET" | "HEAD" => page,
            _ => handshake::PlainResponse::new(405).extra_headers(READ_ONLY),
        }
    }

    fn admit(&mut self, request: &Request<'_, '_>) -> Admission<'_> {
        match self.behaviours.as_ref().map(|behaviours| behaviours.decide(request, self.access)) {
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

    fn responded(&mut self, peer: Peer, request: Option<&Request<'_, '_>>, response: &Response<'_, '_>) {
        if let Some(access) = self.access {
            access.responded(peer, request, Some(response.status()), Some(response.headers()));
        }
    }

    fn ended(&mut self, peer: Peer, ending: &Ending) {
        if let Some(access) = self.access {
            access.ended(peer, ending);
        }
    }
}

impl Echo {
    fn write_metrics(&mut self, request: &Request<'_, '_>) -> handshake::PlainResponse<'_> {
        let format = Format::accepted(request.headers().get_all("Accept"));
        if let Some(metrics) = &self.metrics {
            metrics.write(&mut self.text, format, self.log.as_ref().map(LogQueue::dropped));
        }
        handshake::PlainResponse::new(200).extra_headers(format.headers()).body(&self.text)
    }
}
