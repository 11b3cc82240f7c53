//! Sending: what goes out as one message or fragment, compressed in one piece.

use super::{
    MAX_BITS, MIN_BITS,
    deflate_pool::{Context, DeflatePool},
};
use crate::{
    connection::{Client, Connection, Role, Server},
    error::SendError,
    event::Kind,
    extension::Params,
    frame::{HeaderBytes, Rsv},
    mask::{self, Key},
};
use alloc::boxed::Box;
use core::marker::PhantomData;

/// Compresses what goes to one peer (RFC 7692 §7.2.1): a few words of state, and a window only where context takeover
/// was agreed on and a message has gone out.
///
/// Its verbs take the [`Connection`], so that what is compressed is what is sent: no order of calls, and no error,
/// makes the two ends disagree about the window. They may be mixed with the connection's own, which send
/// uncompressed.
///
/// See the [module](super) for the loop that it is part of.
#[derive(Debug)]
pub struct Deflater<R: Role> {
    context: Option<Box<Context>>,
    /// Of our window; `None` where the peer demands one of 8 bits, with which zlib cannot compress: then nothing is,
    /// which is always allowed (RFC 7692 §6).
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
    pub fn new(params: &Params) -> Self {
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

    /// Lets go of the window, if there is one: the next message is compressed by itself. For a connection that will be
    /// silent for a while.
    pub fn release(&mut self) {
        self.context = None;
    }

    /// Our window, where a whole message is worth compressing.
    pub(crate) fn bits_for(&self, payload: &[u8], pool: &DeflatePool) -> Option<u8> {
        self.bits.filter(|_| payload.len() >= pool.min_len())
    }

    /// What was sent compressed by somebody else is in the peer's window.
    #[cfg(feature = "bytes")]
    pub(crate) fn sent(&mut self, payload: &[u8], bits: u8, pool: &mut DeflatePool) {
        if let Some(context) = self.context(bits, pool) {
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

    /// What was compressed, or else what was given, with the header that `header` makes for it. If it may not be sent, the
    /// window would hold what the peer will not know.
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
                self.release();
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

    /// A whole message.
    fn send<'p>(
        &mut self,
        payload: &'p [u8],
        pool: &'p mut DeflatePool,
        key: Option<Key>,
        header: impl FnOnce(Rsv, u64) -> Result<HeaderBytes, SendError>,
    ) -> Result<Outgoing<'p>, SendError> {
        let compressed = self.compress(payload, pool);
        self.finish(payload, compressed, pool, key, header)
    }

    /// A fragment.
    fn send_fragment<'p>(
        &mut self,
        is_first: bool,
        bytes: &'p [u8],
        last: bool,
        pool: &'p mut DeflatePool,
        key: Option<Key>,
        header: impl FnOnce(Rsv, u64) -> Result<HeaderBytes, SendError>,
    ) -> Result<Outgoing<'p>, SendError> {
        let compressed = self.compress_fragment(is_first, bytes, last, pool);
        self.finish(bytes, compressed, pool, key, header)
    }
}

impl Deflater<Server> {
    /// A whole message, compressed if that was agreed on, it is not too short, and it becomes shorter by it. The bytes
    /// of a text must be UTF-8: that is the caller's word.
    ///
    /// # Errors
    /// As [`Connection::message`](Connection#method.message); [`SendError::ReservedBit`] if the connection does not
    /// know of the extension ([`Connection::with_extension_bits`]).
    #[must_use = "the connection counts the message as sent: write what this gives"]
    pub fn message<'p>(
        &mut self,
        connection: &mut Connection<Server>,
        kind: Kind,
        payload: &'p [u8],
        pool: &'p mut DeflatePool,
    ) -> Result<Outgoing<'p>, SendError> {
        self.send(payload, pool, None, |rsv, len| connection.message(kind, rsv, len))
    }

    /// The next fragment of a message: the first starts it, the `last` ends it. The peer can read all of a fragment once
    /// it has arrived. The first fragment decides whether the message is compressed.
    ///
    /// # Errors
    /// As [`Connection::fragment`](Connection#method.fragment), and as for [`message`](Self::message).
    #[must_use = "the connection counts the fragment as sent: write what this gives"]
    pub fn fragment<'p>(
        &mut self,
        connection: &mut Connection<Server>,
        kind: Kind,
        bytes: &'p [u8],
        last: bool,
        pool: &'p mut DeflatePool,
    ) -> Result<Outgoing<'p>, SendError> {
        let is_first = !connection.is_message_open();
        self.send_fragment(is_first, bytes, last, pool, None, |rsv, len| {
            connection.fragment(kind, rsv, len, last)
        })
    }
}

impl Deflater<Client> {
    /// A whole message, compressed if that was agreed on, it is not too short, and it becomes shorter by it; masked
    /// with `key`, in the pool's buffer. The bytes of a text must be UTF-8: that is the caller's word.
    ///
    /// # Errors
    /// As [`Connection::message`](Connection#method.message); [`SendError::ReservedBit`] if the connection does not
    /// know of the extension ([`Connection::with_extension_bits`]).
    #[must_use = "the connection counts the message as sent: write what this gives"]
    pub fn message<'p>(
        &mut self,
        connection: &mut Connection<Client>,
        kind: Kind,
        payload: &'p [u8],
        pool: &'p mut DeflatePool,
        key: Key,
    ) -> Result<Outgoing<'p>, SendError> {
        self.send(payload, pool, Some(key), |rsv, len| connection.message(key, kind, rsv, len))
    }

    /// The next fragment of a message: the first starts it, the `last` ends it. The peer can read all of a fragment once
    /// it has arrived. The first fragment decides whether the message is compressed. Masked as a
    /// [`message`](Self::message) is.
    ///
    /// # Errors
    /// As [`Connection::fragment`](Connection#method.fragment), and as for [`message`](Self::message).
    #[must_use = "the connection counts the fragment as sent: write what this gives"]
    pub fn fragment<'p>(
        &mut self,
        connection: &mut Connection<Client>,
        kind: Kind,
        bytes: &'p [u8],
        last: bool,
        pool: &'p mut DeflatePool,
        key: Key,
    ) -> Result<Outgoing<'p>, SendError> {
        let is_first = !connection.is_message_open();
        self.send_fragment(is_first, bytes, last, pool, Some(key), |rsv, len| {
            connection.fragment(key, kind, rsv, len, last)
        })
    }
}
