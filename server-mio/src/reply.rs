//! How a handler replies.

use crate::compression::{Compression, Pools};
use framewire::{CloseCode, Connection, Kind, SendError, Server, Unmasked, outbox::Outbox};
use std::borrow::Cow;

/// Sends to the peer whose message is being handled.
#[derive(Debug)]
pub struct Reply<'a, 'b> {
    pub(crate) connection: &'a mut Connection<Server>,
    pub(crate) outbox: &'a mut Outbox<'b>,
    /// Where compression was agreed on.
    pub(crate) compression: &'a mut Option<Box<Compression>>,
    pub(crate) pools: &'a mut Option<Box<Pools>>,
}

impl<'b> Reply<'_, 'b> {
    /// Sends a message, compressed if that was agreed on and makes it smaller. A [`Kind::Text`] must be UTF-8, which is not
    /// checked.
    ///
    /// A small payload is copied; a large one is written from where it is. The server writes all replies to what one read
    /// brought at once.
    ///
    /// # Errors
    /// [`SendError::Closed`] after a close was sent. The peer does not wait for more then, so a handler may ignore it.
    #[inline(always)]
    pub fn send(&mut self, kind: Kind, payload: Cow<'b, [u8]>) -> Result<(), SendError> {
        // Both or neither: compression is agreed on only if there are pools.
        if let (Some(compression), Some(pools)) = (&mut *self.compression, &mut *self.pools) {
            return send_compressed(self.connection, self.outbox, compression, pools, kind, payload);
        }
        self.outbox.message(self.connection, kind, payload, Unmasked)
    }

    /// Closes the connection (RFC 6455 §7.1.2): the last frame that is sent. Messages that the peer sends before its own
    /// close are still handled. It has [`close_timeout`](crate::Config::close_timeout) for that.
    ///
    /// # Errors
    /// [`SendError::Closed`] after a close was sent, [`SendError::InvalidCloseCode`], and
    /// [`SendError::ControlTooLong`] for a reason of more than 123 bytes.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let close = self.connection.close(code, reason, Unmasked)?;
        self.outbox.push(&close);
        Ok(())
    }
}

#[inline(never)]
fn send_compressed<'b>(
    connection: &mut Connection<Server>,
    outbox: &mut Outbox<'b>,
    compression: &mut Compression,
    pools: &mut Pools,
    kind: Kind,
    payload: Cow<'b, [u8]>,
) -> Result<(), SendError> {
    outbox.deflated_message(
        connection,
        &mut compression.deflater,
        &mut pools.deflate,
        kind,
        payload,
        Unmasked,
    )
}
