//! A message for many peers.

use crate::{accept::Acceptor, error::TrySendError, message::Message, websocket::WebSocket};
#[cfg(feature = "deflate")]
use framewire::owned::PreparedMessage;
use framewire::{
    Connection, Role, Rsv, SendError, Server,
    owned::{EncodedFrame, PreparedFrame},
};

/// A message for many peers, which is encoded once, and compressed once if the acceptor compresses. Any number of tasks can send
/// it without a lock. [`Acceptor::prepare`] makes it.
#[derive(Clone, Debug)]
pub struct Prepared {
    frame: PreparedFrame,
    #[cfg(feature = "deflate")]
    compressed: Option<PreparedMessage>,
}

impl Acceptor {
    /// Prepares a message for many of this acceptor's connections.
    #[must_use]
    pub fn prepare(&self, message: impl Into<Message>) -> Prepared {
        let (kind, bytes) = message.into().into_parts();
        Prepared {
            frame: PreparedFrame::new(kind, Rsv::NONE, &bytes),
            #[cfg(feature = "deflate")]
            compressed: self.config.pools.as_ref().map(|shared| shared.prepare(kind, &bytes)),
        }
    }
}

impl<S> WebSocket<S, Server> {
    /// Queues a message that was encoded, and perhaps compressed, once for many peers. It is written as by
    /// [`try_feed`](Self::try_feed).
    ///
    /// # Errors
    /// As [`try_feed`](Self::try_feed).
    pub fn try_feed_prepared(&mut self, prepared: &Prepared) -> Result<(), TrySendError<()>> {
        if self.is_full() && !self.cannot_send() {
            return Err(TrySendError::Full(()));
        }
        self.queue_encoded(&|encoder| prepared.encode(encoder))
    }
}

/// What encodes a frame for one peer.
pub(crate) struct Encoder<'a, R: Role> {
    connection: &'a mut Connection<R>,
    #[cfg(feature = "deflate")]
    deflate: Option<&'a mut crate::deflate::Deflate<R>>,
}

/// Makes a frame for one peer.
pub(crate) type Encode<'a, R> = &'a dyn Fn(Encoder<'_, R>) -> Result<EncodedFrame, SendError>;

impl Prepared {
    pub(crate) fn encode(&self, encoder: Encoder<'_, Server>) -> Result<EncodedFrame, SendError> {
        #[cfg(feature = "deflate")]
        if let (Some(compressed), Some(deflate)) = (&self.compressed, encoder.deflate) {
            return compressed.send(encoder.connection, deflate.deflater());
        }
        encoder.connection.prepared(&self.frame)
    }
}

impl<S, R: Role> WebSocket<S, R> {
    /// Queues a frame that is encoded already, however much waits.
    pub(crate) fn queue_encoded(&mut self, encode: Encode<'_, R>) -> Result<(), TrySendError<()>> {
        if self.cannot_send() {
            return Err(TrySendError::Closed(()));
        }
        let encoder = Encoder {
            connection: &mut self.connection,
            #[cfg(feature = "deflate")]
            deflate: self.deflate.as_deref_mut(),
        };
        let frame = encode(encoder).map_err(|_| TrySendError::Closed(()))?;
        self.busy().queue.push_bytes(frame);
        Ok(())
    }
}
