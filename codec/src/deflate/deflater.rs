//! Sending: what goes out as one message or fragment, compressed in one piece.

use super::{
    MAX_BITS, MIN_BITS,
    deflate_pool::{Context, DeflatePool},
};
use crate::{
    connection::{Client, Connection, Role, Server, Unmasked},
    error::SendError,
    event::Kind,
    extension::DeflateParams,
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
    is_coded: bool,
    role: PhantomData<R>,
}

/// What is to be written: `header`, and behind it `payload`, or where that is `None` what was given, as it stands.
#[derive(Debug)]
pub struct Outgoing<'p> {
    /// The header of the frame.
    pub header: HeaderBytes,
    /// The compressed payload, in the pool's buffer until the next is compressed; `None` where it goes uncompressed.
    pub payload: Option<&'p mut [u8]>,
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
            is_coded: false,
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

    /// Compresses a whole message: to how many bytes; `None` where it is to go uncompressed.
    fn code(&mut self, payload: &[u8], pool: &mut DeflatePool) -> Option<usize> {
        let bits = self.bits_for(payload, pool)?;
        let context = self.context(bits, pool);
        pool.compress(payload, bits, context, true)
    }

    /// Compresses a fragment, if its message is; where it does not fit, an error comes later.
    fn code_fragment(
        &mut self,
        is_first: bool,
        bytes: &[u8],
        last: bool,
        pool: &mut DeflatePool,
    ) -> Option<usize> {
        if is_first && last {
            self.is_coded = false;
            return self.code(bytes, pool);
        }
        if is_first {
            self.is_coded = self.bits.is_some();
        }
        let bits = self.bits.filter(|_| self.is_coded)?;
        let context = self.context(bits, pool);
        let coded = pool.compress(bytes, bits, context, last);
        Some(coded.unwrap_or_else(|| pool.store(bytes, self.context.as_deref_mut(), last)))
    }

    fn context(&mut self, bits: u8, pool: &mut DeflatePool) -> Option<&mut Context> {
        if self.takes_over && self.context.is_none() {
            self.context = pool.context(bits);
        }
        self.context.as_deref_mut()
    }

    /// What was coded, with the header that `send` makes for it. Where it may not be sent, the window holds what the
    /// peer will not know.
    fn finish<'p>(
        &mut self,
        coded: Option<usize>,
        len: usize,
        pool: &'p mut DeflatePool,
        send: impl FnOnce(Rsv, u64) -> Result<HeaderBytes, SendError>,
    ) -> Result<Outgoing<'p>, SendError> {
        let rsv = if coded.is_some() { Rsv::RSV1 } else { Rsv::NONE };
        match send(rsv, coded.unwrap_or(len) as u64) {
            Ok(header) => Ok(Outgoing { header, payload: coded.map(|len| &mut pool.out[..len]) }),
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }
}

impl Deflater<Server> {
    /// A whole message, compressed if that is agreed on, it is not too short, and it becomes shorter by it. The bytes
    /// of a text must be UTF-8: that is the caller's word.
    ///
    /// # Errors
    /// As [`Connection::message`](Connection#method.message); [`SendError::ReservedBit`] where the connection does not
    /// know of the extension ([`Connection::with_extension_bits`]).
    pub fn message<'p>(
        &mut self,
        connection: &mut Connection<Server>,
        kind: Kind,
        payload: &[u8],
        pool: &'p mut DeflatePool,
    ) -> Result<Outgoing<'p>, SendError> {
        let coded = self.code(payload, pool);
        self.finish(coded, payload.len(), pool, |rsv, len| {
            connection.message_header(kind, rsv, len, Unmasked)
        })
    }

    /// The next fragment of a message: the first starts it, the `last` ends it. All of it can be read by the peer once
    /// it is there. The first fragment decides whether the message is compressed.
    ///
    /// # Errors
    /// As [`Connection::fragment`](Connection#method.fragment).
    pub fn fragment<'p>(
        &mut self,
        connection: &mut Connection<Server>,
        kind: Kind,
        bytes: &[u8],
        last: bool,
        pool: &'p mut DeflatePool,
    ) -> Result<Outgoing<'p>, SendError> {
        let coded = self.code_fragment(!connection.is_message_open(), bytes, last, pool);
        self.finish(coded, bytes.len(), pool, |rsv, len| {
            connection.fragment_header(kind, rsv, len, last, Unmasked)
        })
    }
}

impl Deflater<Client> {
    /// A whole message, compressed if that is agreed on, it is not too short, and it becomes shorter by it; masked
    /// with `key` where it is: in the pool's buffer or, uncompressed, in place. The bytes of a text must be UTF-8:
    /// that is the caller's word.
    ///
    /// # Errors
    /// As [`Connection::message`](Connection#method.message); `payload` is as it was then.
    pub fn message<'p>(
        &mut self,
        connection: &mut Connection<Client>,
        key: Key,
        kind: Kind,
        payload: &mut [u8],
        pool: &'p mut DeflatePool,
    ) -> Result<Outgoing<'p>, SendError> {
        let coded = self.code(payload, pool);
        let out = self
            .finish(coded, payload.len(), pool, |rsv, len| connection.message_header(kind, rsv, len, key))?;
        Ok(out.mask(key, payload))
    }

    /// The next fragment of a message: the first starts it, the `last` ends it. All of it can be read by the peer once
    /// it is there. The first fragment decides whether the message is compressed. Masked as a
    /// [`message`](Self::message) is.
    ///
    /// # Errors
    /// As [`Connection::fragment`](Connection#method.fragment); `bytes` are as they were then.
    pub fn fragment<'p>(
        &mut self,
        connection: &mut Connection<Client>,
        key: Key,
        kind: Kind,
        bytes: &mut [u8],
        last: bool,
        pool: &'p mut DeflatePool,
    ) -> Result<Outgoing<'p>, SendError> {
        let coded = self.code_fragment(!connection.is_message_open(), bytes, last, pool);
        let out = self.finish(coded, bytes.len(), pool, |rsv, len| {
            connection.fragment_header(kind, rsv, len, last, key)
        })?;
        Ok(out.mask(key, bytes))
    }
}

impl<'p> Outgoing<'p> {
    fn mask(mut self, key: Key, given: &mut [u8]) -> Self {
        mask::apply(key, self.payload.as_deref_mut().unwrap_or(given));
        self
    }
}
