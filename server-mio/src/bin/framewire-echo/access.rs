//! The access log: a line for each response to a request, and one for each end of a WebSocket.

use framewire::handshake::{Headers, Request};
use framewire_mio::{End, Ending, Fault, Peer};
use log::{
    Level, Record,
    kv::{self, Key, Source, Value, VisitSource},
};
use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

/// The target of the lines.
pub(crate) const TARGET: &str = "access";

/// The most bytes of a value that a peer has sent.
const LONGEST: usize = 512;

/// Writes the lines of one loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessLog {
    /// The number of the loop: each loop numbers its connections.
    pub(crate) number: usize,
}

impl AccessLog {
    /// `status`: that of the response, if it has one. `negotiated`: its headers.
    pub(crate) fn responded(
        self,
        peer: Peer,
        request: Option<&Request<'_, '_>>,
        status: Option<u16>,
        negotiated: Option<Headers<'_, '_>>,
    ) {
        let mut fields = self.fields(peer);
        if let Some(request) = request {
            fields.text("method", Some(request.method().as_bytes()));
            fields.text("path", Some(request.target().as_bytes()));
        }
        if let Some(status) = status {
            fields.number("status", status.into());
        }
        if let Some(headers) = negotiated {
            fields.header("subprotocol", headers, "Sec-WebSocket-Protocol");
            fields.header("extensions", headers, "Sec-WebSocket-Extensions");
        }
        if let Some(request) = request {
            fields.header("origin", request.headers(), "Origin");
            fields.header("agent", request.headers(), "User-Agent");
            fields.header("forwarded", request.headers(), "X-Forwarded-For");
        }
        fields.log(if status == Some(101) { "opened" } else { "responded" });
    }

    pub(crate) fn ended(self, peer: Peer, ending: &Ending) {
        match ending.why {
            // The line of the response has said all.
            End::Responded | End::Fault(Fault::Refused | Fault::HandshakeTimeout) => return,
            End::TakenOver => return, // a `Behaving` has the line
            _ => {}
        }
        let mut fields = self.fields(peer);
        fields.text("why", Some(ending.why.name().as_bytes()));
        if let Some(code) = ending.code {
            fields.number("code", code.get().into());
        }
        fields.milliseconds(ending.duration);
        if ending.opened {
            fields.number("messages", ending.messages);
            fields.number("received", ending.bytes);
            fields.number("sent", ending.sent);
        }
        fields.log("ended");
    }

    fn fields<'a>(self, peer: Peer) -> Fields<'a> {
        let mut fields = Fields(Vec::with_capacity(12));
        fields.0.push(("id", Field::Text(format!("{}-{}", self.number, peer.id).into())));
        let address = peer.address.map_or_else(|| "-".into(), |address| address.to_string());
        fields.0.push(("peer", Field::Text(address.into())));
        fields
    }
}

/// Writes the lines of a connection with a behaviour: the last one when it is dropped.
#[derive(Debug)]
pub(crate) struct Behaving {
    log: AccessLog,
    peer: Peer,
    begun: Instant,
}

impl Behaving {
    pub(crate) fn new(log: AccessLog, peer: Peer) -> Self {
        Self { log, peer, begun: Instant::now() }
    }

    /// `response`: the bytes that were sent, which may be no response that can be parsed.
    pub(crate) fn responded(&self, request: &Request<'_, '_>, response: &[u8]) {
        let status = response.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        self.log.responded(self.peer, Some(request), status, None);
    }
}

impl Drop for Behaving {
    fn drop(&mut self) {
        let mut fields = self.log.fields(self.peer);
        fields.text("why", Some(End::TakenOver.name().as_bytes()));
        fields.milliseconds(self.begun.elapsed());
        fields.log("ended");
    }
}

/// The fields of a line.
struct Fields<'a>(Vec<(&'static str, Field<'a>)>);

enum Field<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

impl<'a> Fields<'a> {
    fn number(&mut self, name: &'static str, number: u64) {
        self.0.push((name, Field::Number(number)));
    }

    fn milliseconds(&mut self, time: Duration) {
        self.number("ms", u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Adds a text that may not be UTF-8, if there is one.
    fn text(&mut self, name: &'static str, text: Option<&'a [u8]>) {
        let Some(text) = text else { return };
        let cut = &text[..text.len().min(LONGEST)];
        let mut shown = String::from_utf8_lossy(cut);
        if cut.len() < text.len() {
            shown.to_mut().push('…');
        }
        self.0.push((name, Field::Text(shown)));
    }

    fn header(&mut self, name: &'static str, headers: Headers<'_, 'a>, header: &str) {
        self.text(name, headers.get(header));
    }

    fn log(&self, message: &str) {
        let mut record = Record::builder();
        let record = record.level(Level::Info).target(TARGET).key_values(self);
        log::logger().log(&record.args(format_args!("{message}")).build());
    }
}

impl Source for Fields<'_> {
    fn visit<'k>(&'k self, visitor: &mut dyn VisitSource<'k>) -> Result<(), kv::Error> {
        self.0.iter().try_for_each(|(name, field)| {
            let value = match field {
                Field::Text(text) => Value::from(&**text),
                Field::Number(number) => Value::from(*number),
            };
            visitor.visit_pair(Key::from_str(name), value)
        })
    }
}
