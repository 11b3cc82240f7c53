//! Records of connections, for a handler that keeps an access log. They exist only if the configuration asks for them.

use crate::stats::{Fault, Stats};
use framewire::CloseCode;
use slab::Slab;
use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

/// A connection, for an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its number among the connections that the server has accepted, from 1.
    pub id: u64,
    /// The address of the other end; `None` on a Unix socket, and if it had gone when it was accepted.
    pub address: Option<SocketAddr>,
}

/// The end of a connection, for an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// Why it ended.
    pub why: End,
    /// The code of the first close frame, from the peer or from the server, if there was one.
    pub code: Option<CloseCode>,
    /// Whether it was a WebSocket.
    pub opened: bool,
    /// The time from accepting it to its end.
    pub duration: Duration,
    /// Whole messages received.
    pub messages: u64,
    /// Bytes of frames received.
    pub bytes: u64,
    /// Bytes of the response and of frames sent, or queued. If the connection was lost, the peer may not have got all of them.
    pub sent: u64,
}

/// Why a connection ended: the first reason that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// After the response to a request that asked for no WebSocket.
    Responded,
    /// After the closing handshake.
    Closed,
    /// The peer ended the stream before a close frame or, if it was not a WebSocket yet, before the end of its request.
    Left,
    /// It left the server, because the handler has [taken it over](crate::Admission::TakeOver).
    TakenOver,
    /// The server stopped, and the peer did not close in time.
    Stopped,
    /// Because something went wrong.
    Fault(Fault),
}

impl End {
    /// A short name, of the letters a to z and underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Responded => "responded",
            Self::Closed => "closed",
            Self::Left => "left",
            Self::TakenOver => "taken_over",
            Self::Stopped => "stopped",
            Self::Fault(fault) => fault.name(),
        }
    }
}

/// The records of all open connections of a loop.
#[derive(Debug, Default)]
pub(crate) struct Records(Slab<Record>);

/// The place of a record: its key in the slab, plus one. So an optional place takes four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU32);

#[derive(Debug)]
struct Record {
    peer: Peer,
    began: Duration,
    opened: bool,
    why: Option<End>,
    code: Option<CloseCode>,
    counts: Counts,
}

/// Numbers of which a connection has a part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    messages: u64,
    bytes: u64,
    sent: u64,
}

impl Records {
    /// Begins a record; `None` if there are too many.
    pub(crate) fn begin(&mut self, peer: Peer, began: Duration) -> Option<Place> {
        let place = Place(u32::try_from(self.0.vacant_key() + 1).ok().and_then(NonZeroU32::new)?);
        self.0.insert(Record {
            peer,
            began,
            opened: false,
            why: None,
            code: None,
            counts: Counts::default(),
        });
        Some(place)
    }

    pub(crate) fn peer(&self, place: Place) -> Option<Peer> {
        self.0.get(place.key()).map(|record| record.peer)
    }

    /// Notes that the connection is a WebSocket now.
    pub(crate) fn opened(&mut self, place: Place) {
        self.change(place, |record| record.opened = true);
    }

    /// Notes why the connection will end, if nothing was noted before.
    pub(crate) fn ends(&mut self, place: Place, why: End) {
        self.change(place, |record| _ = record.why.get_or_insert(why));
    }

    /// Notes the code of a close frame, if there was none before.
    pub(crate) fn closes(&mut self, place: Place, code: CloseCode) {
        self.change(place, |record| _ = record.code.get_or_insert(code));
    }

    /// Adds to the numbers of a connection.
    pub(crate) fn add(&mut self, place: Place, more: Counts) {
        self.change(place, |Record { counts, .. }| {
            counts.messages += more.messages;
            counts.bytes += more.bytes;
            counts.sent += more.sent;
        });
    }

    /// Ends a record.
    pub(crate) fn end(&mut self, place: Place, now: Duration) -> Option<(Peer, Ending)> {
        let Record { peer, began, opened, why, code, counts } = self.0.try_remove(place.key())?;
        let ending = Ending {
            why: why.unwrap_or(End::Stopped),
            code,
            opened,
            duration: now.saturating_sub(began),
            messages: counts.messages,
            bytes: counts.bytes,
            sent: counts.sent,
        };
        Some((peer, ending))
    }

    fn change(&mut self, place: Place, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.0.get_mut(place.key()) {
            change(record);
        }
    }
}

impl Place {
    const fn key(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Counts {
    /// `sent` is the number of bytes sent.
    pub(crate) fn of(stats: &Stats, sent: u64) -> Self {
        Self { messages: stats.messages.get(), bytes: stats.bytes.get(), sent }
    }

    /// What was counted since then.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            messages: self.messages.wrapping_sub(before.messages),
            bytes: self.bytes.wrapping_sub(before.bytes),
            sent: self.sent.wrapping_sub(before.sent),
        }
    }
}
