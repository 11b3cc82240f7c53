//! Sending: compresses each message or fragment in one piece.

use super::{
    deflate_pool::{Context, DeflatePool},
    format::{MAX_BITS, MIN_BITS},
};
use crate::{
    connection::{Role, Sending},
    error::SendError,
    event::Kind,
    extension::DeflateParams,
    frame::{HeaderBytes, Rsv},
    mask::{self, Key},
};
use alloc::{boxed::Box, vec::Vec};
use core::marker::PhantomData;

/// Compresses the messages to one peer (RFC 7692 §7.2.1). It is a few words of state; it has a window only with context
/// takeover, once a message has been compressed.
///
/// Its send methods take the connection, and so compress only what is sent: no order of calls, and no error, makes the
/// two ends disagree about the window. They may be mixed with the connection's own send methods, which do not compress;
/// but a message that [`fragment`](Self::fragment) began must be continued by it.
/// A call may use another pool than the one before, such as another thread's: see [the costs](super#threads).
///
/// The [module](super) shows the host's loop.
#[derive(Debug)]
pub struct Deflater<R: Role> {
    context: Option<Box<Context>>,
    /// The bits of our window. `None` if the peer demands 8 bits, with which zlib cannot compress: then nothing is
    /// compressed, which is always allowed (RFC 7692 §6).
    bits: Option<u8>,
    takes_over: bool,
    /// Whether the message whose fragments are being sent is compressed.
    is_compressed: bool,
    /// Whether a message that is compressed in steps has the window.
    is_away: bool,
    /// Whether the window was released while it was away.
    is_released: bool,
    /// The number of the next message that is begun, to be compressed in steps.
    next: u32,
    /// The first begun message that may still refer to the window. Those before it precede, on the wire, a message that was
    /// compressed already.
    first: u32,
    role: PhantomData<R>,
}

/// A frame to be written.
#[derive(Debug)]
#[must_use = "the connection counts this frame as sent: write all of it"]
pub struct Outgoing<'p> {
    header: HeaderBytes,
    payload: &'p [u8],
    is_unchanged: bool,
}

impl Outgoing<'_> {
    /// Appends the frame to a buffer that is to be written.
    pub fn append_to(self, buffer: &mut Vec<u8>) {
        self.header.append_to(buffer);
        buffer.extend_from_slice(self.payload);
    }

    /// The header of the frame, for a vectored write.
    #[must_use = "write it, and the payload after it"]
    pub const fn header(&self) -> &HeaderBytes {
        &self.header
    }

    /// The payload as it goes on the wire: compressed or not, and masked by a client. It is written after the header.
    #[must_use = "write it after the header"]
    pub const fn payload(&self) -> &[u8] {
        self.payload
    }

    /// Whether [`payload`](Self::payload) is the slice that the host passed in, neither compressed nor masked.
    /// Otherwise it is in the pool's buffer, which the next message overwrites.
    pub const fn is_unchanged(&self) -> bool {
        self.is_unchanged
    }
}

impl<R: Role> Deflater<R> {
    /// A deflater for a connection of this role with these negotiated parameters.
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
            is_away: false,
            is_released: false,
            next: 0,
            first: 0,
            role: PhantomData,
        }
    }

    /// Makes the frame of a whole message (RFC 7692 §7.2.1). It is compressed unless the payload is [too
    /// short](super::DeflateConfig::min_len), would not become shorter, or the peer demands a window of 8 bits, with
    /// which zlib cannot compress. A client's frame is masked. The caller promises that a text is UTF-8.
    ///
    /// # Errors
    /// As [`Sending::message_header`]: [`SendError::Closed`], [`SendError::MessageOpen`], before anything is
    /// compressed; [`SendError::PayloadTooLong`]; and [`SendError::ReservedBit`] if the connection was not told of the
    /// extension, with [`with_extension_bits`](crate::Connection::with_extension_bits).
    pub fn message<'p>(
        &mut self,
        connection: &mut Sending<R>,
        kind: Kind,
        payload: &'p [u8],
        pool: &'p mut DeflatePool,
        key: R::Key,
    ) -> Result<Outgoing<'p>, SendError> {
        connection.may_send_message()?;
        let compressed = self.compress(payload, pool);
        self.finish(payload, compressed, pool, key.into(), |rsv, len| {
            connection.message_header(kind, rsv, len, key)
        })
    }

    /// Makes the frame of the next fragment of a message (RFC 7692 §7.2.1). The first fragment starts the message, and
    /// the `last` one ends it. All fragments of a message are compressed, or none: none if the peer demands a window of
    /// 8 bits. The peer can inflate each fragment as soon as it has arrived. The caller promises that the fragments of
    /// a text together are UTF-8.
    ///
    /// # Errors
    /// As [`Sending::fragment_header`]: [`SendError::Closed`], [`SendError::KindChanged`], before anything is
    /// compressed; [`SendError::PayloadTooLong`]; and [`SendError::ReservedBit`], as for [`message`](Self::message).
    pub fn fragment<'p>(
        &mut self,
        connection: &mut Sending<R>,
        kind: Kind,
        bytes: &'p [u8],
        last: bool,
        pool: &'p mut DeflatePool,
        key: R::Key,
    ) -> Result<Outgoing<'p>, SendError> {
        connection.may_send_fragment(kind)?;
        let is_first = !connection.is_message_open();
        let compressed = self.compress_fragment(is_first, bytes, last, pool);
        let frame = self.finish(bytes, compressed, pool, key.into(), |rsv, len| {
            connection.fragment_header(kind, rsv, len, last, key)
        });
        // The next message may be begun by the connection, uncompressed, and continued here.
        self.is_compressed &= connection.is_message_open();
        frame
    }

    /// Frees the window, if there is one: the next message is then compressed without references to earlier ones. This
    /// is for a connection that will send nothing for a while.
    pub fn release(&mut self) {
        self.context = None;
        self.is_released = self.is_away;
    }

    /// The bits of our window, if this message is long enough to be compressed.
    pub(crate) fn bits_for(&self, payload: &[u8], pool: &DeflatePool) -> Option<u8> {
        self.bits().filter(|_| payload.len() >= pool.min_len())
    }

    /// The bits of our window, if we can compress now.
    pub(crate) const fn bits(&self) -> Option<u8> {
        if self.is_away { None } else { self.bits }
    }

    /// The number of a message that is compressed in steps.
    pub(super) fn number(&mut self) -> u32 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        number
    }

    /// Lends the window to a message that is compressed in steps, and returns its bits. `None` if the message is to be
    /// sent uncompressed.
    pub(super) fn lend(
        &mut self,
        number: u32,
        payload: &[u8],
        pool: &mut DeflatePool,
    ) -> Option<(u8, Option<Box<Context>>)> {
        let bits = self.bits_for(payload, pool)?;
        if self.takes_over {
            if number.wrapping_sub(self.first) >= self.next.wrapping_sub(self.first) {
                return None; // the peer inflates it before what is in the window
            }
            self.first = number.wrapping_add(1);
        }
        self.context(bits, pool);
        self.is_away = self.takes_over;
        Some((bits, self.context.take()))
    }

    /// Takes the window back.
    pub(super) fn take_back(&mut self, context: Option<Box<Context>>) {
        self.context = context.filter(|_| !self.is_released);
        (self.is_away, self.is_released) = (false, false);
    }

    /// Records a message that was sent compressed, but not by this deflater: it is in the peer's window.
    #[cfg(feature = "bytes")]
    pub(crate) fn sent(&mut self, payload: &[u8]) {
        self.first = self.next;
        if let Some(context) = &mut self.context {
            context.window.push(payload);
        }
    }

    /// Compresses a whole message, and returns its new length. `None` if it is to be sent uncompressed.
    fn compress(&mut self, payload: &[u8], pool: &mut DeflatePool) -> Option<usize> {
        let bits = self.bits_for(payload, pool)?;
        let context = self.context(bits, pool);
        let compressed = pool.compress(payload, bits, context, true)?;
        self.first = self.next;
        Some(compressed)
    }

    /// Compresses a fragment, if its message is compressed.
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
            self.is_compressed = self.bits().is_some();
        }
        let bits = self.bits.filter(|_| self.is_compressed)?;
        debug_assert!(!self.is_away, "no message in steps is lent the window inside another");
        self.first = self.next;
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

    /// The frame of the compressed bytes, or else of the given ones. `header` makes its header.
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
                if compressed.is_some() {
                    self.release(); // otherwise the window would have bytes that the peer's does not have
                }
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
