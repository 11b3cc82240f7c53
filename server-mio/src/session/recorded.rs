//! What a session does for an access log, if the handler keeps one.

use super::{RECORDED, Session};
use crate::{
    config::Config,
    handler::Handler,
    records::{Counts, End, Peer, Place, Records},
    shared::Shared,
    stats::Fault,
    transport::Transport,
};
use framewire::{
    CloseCode,
    handshake::{HeaderSlots, Request, Response},
};

impl<T: Transport> Session<T> {
    /// Begins the record of a connection that was just accepted.
    #[inline(never)]
    pub(crate) fn begin_record(&mut self, shared: &mut Shared<impl Handler>) {
        if let Some(records) = &mut shared.records {
            let peer = Peer { id: shared.stats.accepted.get(), address: self.socket.peer() };
            self.record = records.begin(peer, shared.time);
            if self.record.is_some() {
                self.aside |= RECORDED;
            }
        }
    }

    /// Does this, and adds what it counts to the session's record, if there is one.
    pub(super) fn recorded<H: Handler, R>(
        &mut self,
        shared: &mut Shared<H>,
        what: impl FnOnce(&mut Self, &mut Shared<H>) -> R,
    ) -> R {
        let before = self.record.map(|_| Counts::of(&shared.stats, shared.sent));
        let outcome = what(self, shared);
        if let Some(before) = before {
            let counts = Counts::of(&shared.stats, shared.sent).since(before);
            if let Some((records, place)) = self.record(shared) {
                records.add(place, counts);
            }
        }
        outcome
    }

    /// Counts a fault, and notes that the connection ends because of it.
    #[cold]
    pub(super) fn fault(&self, fault: Fault, shared: &mut Shared<impl Handler>) {
        shared.stats.faults.add(fault);
        self.ends(End::Fault(fault), shared);
    }

    /// Notes why the connection will end.
    pub(super) fn ends(&self, why: End, shared: &mut Shared<impl Handler>) {
        if let Some((records, place)) = self.record(shared) {
            records.ends(place, why);
        }
    }

    /// Notes the code of a close frame.
    pub(super) fn closes(&self, code: CloseCode, shared: &mut Shared<impl Handler>) {
        if let Some((records, place)) = self.record(shared) {
            records.closes(place, code);
        }
    }

    /// Tells the handler of the end.
    #[inline(never)]
    pub(crate) fn end_record(&mut self, shared: &mut Shared<impl Handler>) {
        let place = self.record.take();
        if let (Some(place), Some(records)) = (place, &mut shared.records) {
            if let Some((peer, ending)) = records.end(place, shared.time) {
                shared.handler.ended(peer, &ending);
            }
        }
    }

    /// The connection, as its record knows it.
    pub(super) fn peer(&self, shared: &mut Shared<impl Handler>) -> Option<Peer> {
        self.record(shared).and_then(|(records, place)| records.peer(place))
    }

    fn record<'s, H>(&self, shared: &'s mut Shared<H>) -> Option<(&'s mut Records, Place)> {
        shared.records.as_deref_mut().zip(self.record)
    }
}

/// Tells the handler of a response. `head` is that of the request, if it is complete.
#[cold]
pub(super) fn responded<H: Handler>(
    place: Place,
    head: Option<&[u8]>,
    response: &[u8],
    opened: bool,
    shared: &mut Shared<H>,
) {
    let Some(records) = &mut shared.records else { return };
    if opened {
        records.opened(place);
    }
    // Parsed once more, so that nothing of it is kept if there is no access log.
    let mut slots = HeaderSlots::<{ Config::MAX_HEADERS }>::new();
    let request = head.and_then(|head| Request::parse(head, &mut slots).ok());
    let mut slots = HeaderSlots::<{ Config::MAX_HEADERS }>::new();
    if let (Some(peer), Ok(response)) = (records.peer(place), Response::parse(response, &mut slots)) {
        shared.handler.responded(peer, request.as_ref(), &response);
    }
}
