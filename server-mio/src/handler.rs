//! What a message gets: the only file that knows that this server echoes.

use crate::outbox::Outbox;
use framewire::{
    Connection, Kind, Rsv, SendError, Server,
    deflate::{DeflatePool, Deflater},
};
use std::borrow::Cow;

/// The way back to the peer, while one of its messages is handled.
#[derive(Debug)]
pub struct Reply<'a, 'b> {
    connection: &'a mut Connection<Server>,
    outbox: &'a mut Outbox<'b>,
    /// Where compression was agreed on.
    deflate: Option<(&'a mut Deflater<Server>, &'a mut DeflatePool)>,
}

impl<'a, 'b> Reply<'a, 'b> {
    pub fn new(
        connection: &'a mut Connection<Server>,
        outbox: &'a mut Outbox<'b>,
        deflate: Option<(&'a mut Deflater<Server>, &'a mut DeflatePool)>,
    ) -> Self {
        Self { connection, outbox, deflate }
    }

    /// Sends a message: copied where it is small, otherwise written from where it is; compressed where that was agreed
    /// on and is worth it.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: Cow<'b, [u8]>) -> Result<(), SendError> {
        let Some((deflater, pool)) = &mut self.deflate else {
            let header = self.connection.message(kind, Rsv::NONE, payload.len() as u64)?;
            self.outbox.push_frame(header, payload);
            return Ok(());
        };
        let sent = deflater.message(self.connection, kind, &payload, pool)?;
        match sent.payload {
            Some(coded) => self.outbox.push_copied(sent.header, coded),
            None => self.outbox.push_frame(sent.header, payload),
        }
        Ok(())
    }
}

/// Handles one whole message. The payload is borrowed from the receive buffer where it arrived at once, and owned
/// where it was put together.
#[inline]
pub fn message<'b>(kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
    // Refused only where we closed already: then the peer no longer waits for an echo.
    let _ = reply.send(kind, payload);
}
