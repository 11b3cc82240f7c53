//! Sends a handler's replies.

use crate::compression::{Compression, Pools};
use framewire::{CloseCode, Connection, Kind, SendError, Server, Unmasked, outbox::Outbox};
use std::borrow::Cow;

/// Replies to the peer whose message is being handled.
#[derive(Debug)]
pub struct Reply<'a, 'b> {
    pub(crate) connection: &'a mut Connection<Server>,
    pub(crate) outbox: &'a mut Outbox<'b>,
    /// Present if compression was negotiated.
    pub(crate) compression: &'a mut Option<Box<Compression>>,
    pub(crate) pools: &'a mut Option<Box<Pools>>,
}

impl<'b> Reply<'_, 'b> {
    /// Sends a message. It is compressed if compression was negotiated and makes it smaller. A [`Kind::Text`] must be UTF-8,
    /// which is not checked.
    ///
    /// A small payload is copied, a large one is not. The server writes the replies to all messages of one read together. It
    /// compresses a long message over several turns of its loop; what is sent after that message waits for it.
    ///
    /// # Errors
    /// [`SendError::Closed`] after a close was sent. A handler may ignore it: the peer does not wait for a reply then.
    #[inline(always)]
    pub fn send(&mut self, kind: Kind, payload: Cow<'b, [u8]>) -> Result<(), SendError> {
        // Both are present or neither: compression is negotiated only if there are pools.
        if let (Some(compression), Some(pools)) = (&mut *self.compression, &mut *self.pools) {
            return compression.send(self.connection, self.outbox, pools, kind, payload);
        }
        self.outbox.message(self.connection, kind, payload, Unmasked)
    }

    /// Sends a close, which is the last frame to the peer (RFC 6455 §7.1.2). Messages that the peer sends before its own
    /// close are still handled. The peer has [`close_timeout`](crate::Config::close_timeout) seconds to close.
    ///
    /// # Errors
    /// [`SendError::Closed`] after a close was sent, [`SendError::InvalidCloseCode`], and
    /// [`SendError::ControlTooLong`] for a reason of more than 123 bytes.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let close = self.connection.close(code, reason, Unmasked)?;
        push_behind(self.compression, self.outbox, &close);
        Ok(())
    }
}

/// Queues a frame behind the replies that wait, if any do.
pub(crate) fn push_behind(compression: &mut Option<Box<Compression>>, outbox: &mut Outbox<'_>, frame: &[u8]) {
    match compression {
        Some(compression) if compression.has_replies() => compression.push_frame(frame),
        _ => outbox.push(frame),
    }
}
