//! A message encoded once, for any number of peers.

use crate::{
    connection::{Sending, Server, Unmasked},
    error::SendError,
    event::Kind,
    frame::{Header, Opcode, Rsv},
};
#[cfg(feature = "deflate")]
use crate::{
    deflate::{DeflatePool, Deflater, MIN_BITS},
    extension::DeflateParams,
};
use bytes::{Bytes, BytesMut};
#[cfg(feature = "deflate")]
use core::mem;
use core::ops;

/// A message that a server encodes once and sends to any number of peers. Its header and payload are one piece of
/// shared memory, so a clone copies no bytes.
///
/// ```
/// use framewire::{Connection, Server, owned::{PreparedFrame, SendQueue}};
///
/// let news = PreparedFrame::text("news");
/// let mut peers = [(); 3].map(|()| (Connection::<Server>::new(), SendQueue::new()));
/// for (connection, queue) in &mut peers {
///     queue.push_bytes(connection.prepared(&news)?); // in order with the other messages to this peer
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

    /// A message that an extension encoded if `rsv` has its bits. The caller promises that a text is UTF-8 once
    /// decoded.
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

    /// Whether the message is text or binary.
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

/// A whole frame as it goes on the wire, in shared memory. It dereferences to the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the connection counts this message as sent: write it"]
pub struct EncodedFrame(Bytes);

impl EncodedFrame {
    /// The bytes, in the same memory.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<EncodedFrame> for Bytes {
    fn from(frame: EncodedFrame) -> Self {
        frame.0
    }
}

impl ops::Deref for EncodedFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Sending<Server> {
    /// Returns a prepared message, which the host writes unchanged. The state of the connection is checked as for any
    /// other message.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::MessageOpen`], [`SendError::ReservedBit`].
    pub fn prepared(&mut self, frame: &PreparedFrame) -> Result<EncodedFrame, SendError> {
        let _it_has_one = self.message_header(frame.kind, frame.rsv, frame.payload_len, Unmasked)?;
        Ok(EncodedFrame(frame.wire.clone()))
    }
}

/// A message for many peers, some of which agreed on permessage-deflate (RFC 7692). It is compressed once for each size
/// of window, and does not change afterwards, so any number of tasks and threads can send it without a lock.
///
/// ```
/// use framewire::deflate::{DeflatePool, Deflater};
/// use framewire::{Connection, Kind, Rsv, Server, extension::DeflateParams, owned::{PreparedMessage, SendQueue}};
///
/// let mut pool = DeflatePool::default();
/// let agreed = DeflateParams::default(); // with the peers that compress
/// let news = PreparedMessage::new(Kind::Text, "no news ".repeat(50).as_bytes(), [&agreed], &mut pool);
///
/// let mut peers = [Some(agreed), None].map(|params| {
///     let bits = if params.is_some() { Rsv::RSV1 } else { Rsv::NONE };
///     let connection = Connection::<Server>::new().with_extension_bits(bits);
///     (connection, params.map(|params| Deflater::new(&params)), SendQueue::new())
/// });
/// for (connection, deflater, queue) in &mut peers {
///     queue.push_bytes(match deflater {
///         Some(deflater) => news.send(connection, deflater)?,
///         None => connection.prepared(news.plain())?,
///     });
/// }
/// # Ok::<(), framewire::SendError>(())
/// ```
#[cfg(feature = "deflate")]
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    plain: PreparedFrame,
    /// The compressed message for each window of 9 to 15 bits that was asked for, if it is shorter than `plain`.
    compressed: [Option<PreparedFrame>; 7],
}

#[cfg(feature = "deflate")]
impl PreparedMessage {
    /// A message, compressed for peers that agreed on these parameters. Of the parameters, only
    /// [`server_max_window_bits`](DeflateParams::server_max_window_bits) counts; each different value takes one more
    /// copy. Other peers get the message uncompressed, and so do all peers if it is [too
    /// short](crate::deflate::DeflateConfig::min_len) or does not become shorter. The caller promises that a text is
    /// UTF-8.
    pub fn new<'a>(
        kind: Kind,
        payload: &[u8],
        params: impl IntoIterator<Item = &'a DeflateParams>,
        pool: &mut DeflatePool,
    ) -> Self {
        let plain = PreparedFrame::new(kind, Rsv::NONE, payload);
        let mut compressed = [const { None }; 7];
        let mut tried = [false; 7];
        for params in params {
            let Some(bits) = Deflater::<Server>::new(params).bits_for(payload, pool) else { continue };
            let index = usize::from(bits - MIN_BITS);
            if !mem::replace(&mut tried[index], true) {
                let bytes = pool.compress_alone(payload, bits);
                compressed[index] = bytes.map(|bytes| PreparedFrame::new(kind, Rsv::RSV1, bytes));
            }
        }
        Self { plain, compressed }
    }

    /// The uncompressed message, for peers that did not agree on permessage-deflate.
    pub const fn plain(&self) -> &PreparedFrame {
        &self.plain
    }

    /// Returns the message for a peer that agreed on permessage-deflate. The host writes it unchanged.
    ///
    /// The compressed message does not refer to earlier messages, so it is longer than one that [`Deflater::message`]
    /// makes for this peer. Later messages may refer to it only if the deflater has a window already. So a peer that is
    /// sent nothing but prepared messages needs no window.
    ///
    /// # Errors
    /// As [`Sending::prepared`].
    pub fn send(
        &self,
        connection: &mut Sending<Server>,
        deflater: &mut Deflater<Server>,
    ) -> Result<EncodedFrame, SendError> {
        let compressed =
            deflater.bits().and_then(|bits| self.compressed[usize::from(bits - MIN_BITS)].as_ref());
        let Some(compressed) = compressed else { return connection.prepared(&self.plain) };
        let bytes = connection.prepared(compressed)?;
        deflater.sent(&self.plain.wire[self.plain.wire.len() - self.plain.payload_len as usize..]);
        Ok(bytes)
    }
}

/// Checks that tasks can share one without a lock.
#[cfg(feature = "deflate")]
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<PreparedMessage>();
};
