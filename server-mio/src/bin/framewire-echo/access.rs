//! The access log: a line for each response to a request, and one for each end of a WebSocket.

use framewire::handshake::{Headers, Request, Response};
use framewire_mio::{End, Ending, Fault, Peer};
use log::{
    Level, Record,
    kv::{self, Key, Source, Value, VisitSource},
};
use std::borrow::Cow;

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
    pub(crate) fn responded(
        self,
        peer: Peer,
        request: Option<&Request<'_, '_>>,
        response: &Response<'_, '_>,
    ) {
        let mut fields = self.fields(peer);
        if let Some(request) = request {
            fields.text("method", Some(request.method().as_bytes()));
            fields.text("path", Some(request.target().as_bytes()));
        }
        fields.number("status", response.status().into());
        fields.header("subprotocol", response.headers(), "Sec-WebSocket-Protocol");
        fields.header("extensions", response.headers(), "Sec-WebSocket-Extensions");
        if let Some(request) = request {
            fields.header("origin", request.headers(), "Origin");
            fields.header("agent", request.headers(), "User-Agent");
            fields.header("forwarded", request.headers(), "X-Forwarded-For");
        }
        fields.log(if response.status() == 101 { "opened" } else { "responded" });
    }

    pub(crate) fn ended(self, peer: Peer, ending: &Ending) {
        if matches!(ending.why, End::Responded | End::Fault(Fault::Refused | Fault::HandshakeTimeout)) {
            return; // the line of the response has said all
        }
        let mut fields = self.fields(peer);
        fields.text("why", Some(ending.why.name().as_bytes()));
        if let Some(code) = ending.code {
            fields.number("code", code.get().into());
        }
        fields.number("ms", u64::try_from(ending.duration.as_millis()).unwrap_or(u64::MAX));
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
