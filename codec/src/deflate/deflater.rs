//! Sending: what goes out as one message or fragment, compressed in one piece.

use super::{
    MAX_BITS, MIN_BITS,
    deflate_pool::{Context, DeflatePool},
};
use crate::{
    connection::{Role, SendHalf},
    error::SendError,
    event::Kind,
    extension::DeflateParams,
    frame::{HeaderBytes, Rsv},
    mask::{self, Key},
};
use alloc::boxed::Box;
use core::marker::PhantomData;

/// Compresses what goes to one peer (RFC 7692 §7.2.1): a few words of state, and a window only if context takeover was
/// agreed on and a message has gone out.
///
/// Its send methods take the connection, so that what is compressed is what is sent: no order of calls, and no error,
/// makes the two ends disagree about the window. They may be mixed with the connection's own, which send
/// uncompressed. Each call may take another pool, such as another thread's: [what that costs](super#threads).
///
/// See the [module](super) for the loop that it is part of.
#[derive(Debug)]
pub struct Deflater<R: Role> {
    context: Option<Box<Context>>,
    /// Of our window; `None` if the peer demands one of 8 bits, with which zlib cannot compress: then nothing is
    /// compressed, which is always allowed (RFC 7692 §6).
    bits: Option<u8>,
    takes_over: bool,
    /// Whether the message whose fragments are being sent is compressed.
    is_compressed: bool,
    role: PhantomData<R>,
}

/// A frame to be written: `header`, and then `payload`.
#[derive(Debug)]
#[must_use = "the connection counts this frame as sent: write its header, and then its payload"]
pub struct Outgoing<'p> {
    /// The header of the frame.
    pub header: HeaderBytes,
    /// The payload as it goes on the wire: compressed or not, and masked if the role is a client's.
    pub payload: &'p [u8],
    is_unchanged: bool,
}

impl Outgoing<'_> {
    /// Whether [`payload`](Self::payload) is the very slice that was given, because it is neither compressed nor masked: a
    /// host may then refer to it where it is. If not, it is in the pool's buffer until the next message is sent.
    pub const fn is_unchanged(&self) -> bool {
        self.is_unchanged
    }
}

impl<R: Role> Deflater<R> {
    /// A deflater for a connection of this role that agreed on these parameters.
    pub fn new(params: &DeflateParams) -> Self {
        let (no_takeover, bits) = if R::UNMASKS {
            (params.server_no_context_takeover, params.server_max_window_bits)
        } else {
            (params.client_no_context_takeover, params.client_max_window_bits)
        };
        Self {
            context: None,
            bits: (bits >= MIN_BITS).then_some(bits.min(MAX_BITS)),
            takes_over: !no_takeover,
            is_compressed: false,
            role: PhantomData,
        }
    }

    /// Makes a whole message: compressed if that was agreed on, the payload is not too short, and it becomes shorter; masked
    /// if this is a client. The caller promises that a text is UTF-8.
    ///
    /// # Errors
    /// As [`SendHalf::message_header`]; [`SendError::ReservedBit`] if the connection does not know of the extension
    /// ([`Connection::with_extension_bits`](crate::Connection::with_extension_bits)).
    pub fn message<'p>(
        &mut self,
        connection: &mut SendHalf<R>,
        kind: Kind,
        payload: &'p [u8],
        pool: &'p mut DeflatePool,
        key: R::Key,
    ) -> Result<Outgoing<'p>, SendError> {
        let compressed = self.compress(payload, pool);
        self.finish(payload, compressed, pool, key.into(), |rsv, len| {
            connection.message_header(kind, rsv, len, key)
        })
    }

    /// Makes the next fragment of a message: the first fragment starts the message, the `last` one ends it. The peer can
    /// read all of a fragment once it has arrived. The first fragment decides whether the message is compressed.
    ///
    /// # Errors
    /// As [`SendHalf::fragment_header`], and as [`message`](Self::message).
    pub fn fragment<'p>(
        &mut self,
        connection: &mut SendHalf<R>,
        kind: Kind,
        bytes: &'p [u8],
        last: bool,
        pool: &'p mut DeflatePool,
        key: R::Key,
    ) -> Result<Outgoing<'p>, SendError> {
        let is_first = !connection.is_message_open();
        let compressed = self.compress_fragment(is_first, bytes, last, pool);
        self.finish(bytes, compressed, pool, key.into(), |rsv, len| {
            connection.fragment_header(kind, rsv, len, last, key)
        })
    }

    /// Lets go of the window, if there is one: the next message is compressed by itself. For a connection that will be
    /// silent for a while.
    pub fn release(&mut self) {
        self.context = None;
    }

    /// The bits of our window, if a whole message is worth compressing.
    pub(crate) fn bits_for(&self, payload: &[u8], pool: &DeflatePool) -> Option<u8> {
        self.bits.filter(|_| payload.len() >= pool.min_len())
    }

    /// The bits of our window, if we may compress at all.
    #[cfg(feature = "bytes")]
    pub(crate) const fn bits(&self) -> Option<u8> {
        self.bits
    }

    /// A message that went out compressed, but not by us, is in the peer's window.
    #[cfg(feature = "bytes")]
    pub(crate) fn sent(&mut self, payload: &[u8]) {
        if let Some(context) = &mut self.context {
            context.window.push(payload);
        }
    }

    /// Compresses a whole message: to how many bytes; `None` if it is to go uncompressed.
    fn compress(&mut self, payload: &[u8], pool: &mut DeflatePool) -> Option<usize> {
        let bits = self.bits_for(payload, pool)?;
        let context = self.context(bits, pool);
        pool.compress(payload, bits, context, true)
    }

    /// Compresses a fragment, if its message is compressed. Whether the connection may send it is asked later.
    fn compress_fragment(
        &mut self,
        is_first: bool,
        bytes: &[u8],
        last: bool,
        pool: &mut DeflatePool,
    ) -> Option<usize> {
        if is_first && last {
            self.is_compressed = false;
            return self.compress(bytes, pool);
        }
        if is_first {
            self.is_compressed = self.bits.is_some();
        }
        let bits = self.bits.filter(|_| self.is_compressed)?;
        let context = self.context(bits, pool);
        let compressed = pool.compress(bytes, bits, context, last);
        Some(compressed.unwrap_or_else(|| pool.store(bytes, self.context.as_deref_mut(), last)))
    }

    fn context(&mut self, bits: u8, pool: &mut DeflatePool) -> Option<&mut Context> {
        if self.takes_over && self.context.is_none() {
            self.context = pool.context(bits);
        }
        self.context.as_deref_mut()
    }

    /// The compressed bytes, or else the given ones, with the header that `header` makes for them.
    fn finish<'p>(
        &mut self,
        given: &'p [u8],
        compressed: Option<usize>,
        pool: &'p mut DeflatePool,
        key: Option<Key>,
        header: impl FnOnce(Rsv, u64) -> Result<HeaderBytes, SendError>,
    ) -> Result<Outgoing<'p>, SendError> {
        let rsv = if compressed.is_some() { Rsv::RSV1 } else { Rsv::NONE };
        let header = match header(rsv, compressed.unwrap_or(given.len()) as u64) {
            Ok(header) => header,
            Err(error) => {
                self.release(); // otherwise the window would hold what the peer will not know
                return Err(error);
            }
        };
        let payload = match (compressed, key) {
            (Some(len), None) => pool.compressed(len),
            (Some(len), Some(key)) => {
                let payload = pool.compressed(len);
                mask::apply(key, payload);
                payload
            }
            (None, Some(key)) => pool.masked(key, given),
            (None, None) => given,
        };
        Ok(Outgoing { header, payload, is_unchanged: compressed.is_none() && key.is_none() })
    }
}
