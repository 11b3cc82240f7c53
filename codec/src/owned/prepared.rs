//! A message encoded once, for any number of peers.

use crate::{
    connection::{Connection, Server},
    error::SendError,
    event::Kind,
    frame::{Header, Opcode, Rsv},
};
use bytes::{Bytes, BytesMut};

/// A message that a server encodes once and sends to any number of peers: header and payload in one piece of shared
/// memory. A clone costs a reference count.
///
/// ```
/// use framewire::{Connection, Server, owned::{PreparedFrame, SendQueue}};
///
/// let news = PreparedFrame::text("news");
/// let mut peers = [(); 3].map(|()| (Connection::<Server>::new(), SendQueue::new()));
/// for (connection, queue) in &mut peers {
///     queue.push_bytes(connection.prepared(&news)?); // in order with what else this peer is sent
/// }
/// # Ok::<(), framewire::SendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedFrame {
    wire: Bytes,
    kind: Kind,
    rsv: Rsv,
    payload_len: u64,
}

impl PreparedFrame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(Kind::Text, Rsv::NONE, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::new(Kind::Binary, Rsv::NONE, payload)
    }

    /// A message that an extension has coded. The bytes of a text must be UTF-8 once decoded: that is the caller's
    /// word.
    pub fn new(kind: Kind, rsv: Rsv, payload: &[u8]) -> Self {
        let opcode = match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        let payload_len = payload.len() as u64;
        let header = Header { fin: true, rsv, opcode, key: None, payload_len }.encode();
        let mut wire = BytesMut::with_capacity(header.len() + payload.len());
        wire.extend_from_slice(&header);
        wire.extend_from_slice(payload);
        Self { wire: wire.freeze(), kind, rsv, payload_len }
    }

    /// What the message is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

impl Connection<Server> {
    /// The bytes of a prepared message, to be written as they are: the state of this connection is checked as for
    /// any other message.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`].
    pub fn prepared(&mut self, frame: &PreparedFrame) -> Result<Bytes, SendError> {
        self.message(frame.kind, frame.rsv, frame.payload_len)?;
        Ok(frame.wire.clone())
    }
}
