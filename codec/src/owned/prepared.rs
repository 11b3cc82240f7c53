//! A message encoded once, for any number of peers.

#[cfg(feature = "deflate")]
use crate::deflate::{DeflatePool, Deflater, MIN_BITS};
use crate::{
    connection::{SendHalf, Server, Unmasked},
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

impl SendHalf<Server> {
    /// Returns the bytes of a prepared message, which the host writes unchanged. The state of this connection is checked
    /// as for any other message.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::ReservedBit`].
    #[must_use = "the message is sent by writing these bytes"]
    pub fn prepared(&mut self, frame: &PreparedFrame) -> Result<Bytes, SendError> {
        let _written_already = self.message_header(frame.kind, frame.rsv, frame.payload_len, Unmasked)?;
        Ok(frame.wire.clone())
    }
}

/// A message for many peers, some of whom agreed on permessage-deflate: compressed once for each size of window that is
/// met among them, and sent to the others as it is.
///
/// ```
/// use framewire::deflate::{DeflatePool, Deflater};
/// use framewire::{Connection, Kind, Rsv, Server, extension::DeflateParams, owned::{PreparedMessage, SendQueue}};
///
/// let mut pool = DeflatePool::default();
/// let mut news = PreparedMessage::new(Kind::Text, "no news ".repeat(50).as_bytes());
/// let mut peers = [Some(DeflateParams::default()), None].map(|params| {
///     let bits = if params.is_some() { Rsv::RSV1 } else { Rsv::NONE };
///     let connection = Connection::<Server>::new().with_extension_bits(bits);
///     (connection, params.map(|params| Deflater::new(&params)), SendQueue::new())
/// });
/// for (connection, deflater, queue) in &mut peers {
///     queue.push_bytes(match deflater {
///         Some(deflater) => news.send(connection, deflater, &mut pool)?,
///         None => connection.prepared(news.plain())?,
///     });
/// }
/// # Ok::<(), framewire::SendError>(())
/// ```
#[cfg(feature = "deflate")]
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    plain: PreparedFrame,
    /// For windows of 9 bits and up, as far as they were asked for; `plain` again where that is no longer.
    coded: [Option<PreparedFrame>; 7],
}

#[cfg(feature = "deflate")]
impl PreparedMessage {
    /// A message that is compressed when somebody is to have it so. The bytes of a text must be UTF-8: that is the
    /// caller's word.
    pub fn new(kind: Kind, payload: &[u8]) -> Self {
        Self { plain: PreparedFrame::new(kind, Rsv::NONE, payload), coded: [const { None }; 7] }
    }

    /// The message uncompressed: for peers that did not agree on permessage-deflate.
    pub const fn plain(&self) -> &PreparedFrame {
        &self.plain
    }

    /// The bytes of the message for a peer that did, to be written as they are. It refers to no message before it, so it
    /// is longer than one of the connection's own would be.
    ///
    /// # Errors
    /// As [`SendHalf::prepared`].
    pub fn send(
        &mut self,
        connection: &mut SendHalf<Server>,
        deflater: &mut Deflater<Server>,
        pool: &mut DeflatePool,
    ) -> Result<Bytes, SendError> {
        let payload = &self.plain.wire[self.plain.wire.len() - self.plain.payload_len as usize..];
        let Some(bits) = deflater.bits_for(payload, pool) else { return connection.prepared(&self.plain) };
        let coded = self.coded[usize::from(bits - MIN_BITS)].get_or_insert_with(|| {
            match pool.compress_alone(payload, bits) {
                Some(coded) => PreparedFrame::new(self.plain.kind, Rsv::RSV1, coded),
                None => self.plain.clone(),
            }
        });
        let bytes = connection.prepared(coded)?;
        if !coded.rsv.is_none() {
            deflater.sent(payload, bits, pool);
        }
        Ok(bytes)
    }
}
