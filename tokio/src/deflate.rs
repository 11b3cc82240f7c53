//! permessage-deflate (RFC 7692): what a program may choose, and what connections share.
//!
//! Messages are inflated whole, once all of their bytes have arrived. So a connection needs a decompressor only during a call,
//! and none waits for another's.

use crate::{
    config::Config, error::TrySendError, keys, memory, message::Message, receive::Whole, websocket::WebSocket,
};
use framewire::{
    Kind, Part, ProtocolError, Role, Rsv, Sending, Server,
    deflate::{
        DeflateBudget, DeflateConfig, DeflatePool, Deflater, InflateBudget, InflateConfig, InflatePool,
        Inflater, NoWindow, Ready,
    },
    extension::{DeflateOffer, DeflateParams, DeflatePolicy, DeflateResponse},
    handshake::Upgrade,
    outbox::Outbox,
    owned::PreparedMessage,
};
use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// How messages are compressed, if the peer agrees.
///
/// An acceptor or a connector has some compressors and decompressors for all its connections, at most as many as threads use
/// them at once: 288 KiB and 48 KiB each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compression {
    /// Whether messages may refer to earlier ones (context takeover, RFC 7692 §7.1.1). That makes similar messages much shorter,
    /// and costs a connection up to 64 KiB. Default: no.
    pub takeover: bool,
    /// With takeover, the most bytes that all connections of an acceptor or connector may hold for that, for each direction. At
    /// the limit, messages of further connections do not refer to earlier ones. Default: 64 MiB.
    pub windows: usize,
    /// How hard to compress, 1 to 9. Default: 2.
    pub level: u8,
    /// Messages of fewer bytes are not compressed. Default: 64.
    pub min_len: usize,
}

impl Default for Compression {
    fn default() -> Self {
        let DeflateConfig { level, min_len, windows, .. } = DeflateConfig::default();
        Self { takeover: false, windows, level, min_len }
    }
}

/// What the connections of an acceptor or connector share.
pub(crate) struct Shared {
    compression: Compression,
    /// The limit of an inflated message.
    message: u64,
    inflate: InflateBudget,
    deflate: DeflateBudget,
    /// Pools that no thread uses at the moment.
    pools: Mutex<Vec<Pools>>,
}

struct Pools {
    inflate: InflatePool,
    deflate: DeflatePool,
}

impl Shared {
    fn new(config: &Config) -> Option<Arc<Self>> {
        let compression = config.compression?;
        let Compression { windows, level, min_len, .. } = compression;
        let inflate = InflateConfig { windows, message: config.limits.message, ..InflateConfig::default() };
        let deflate = DeflateConfig { windows, level, min_len, ..DeflateConfig::default() };
        Some(Arc::new(Self {
            compression,
            message: config.limits.message,
            inflate: InflateBudget::new(inflate),
            deflate: DeflateBudget::new(deflate),
            pools: Mutex::default(),
        }))
    }

    /// Answers a client's offers. The connection has its window before the answer is made; if none is left, the client's messages
    /// do not refer to earlier ones.
    pub(crate) fn agree(&self, upgrade: &Upgrade<'_, '_>) -> Option<(DeflateResponse, Box<Deflate<Server>>)> {
        [self.compression.takeover, false].into_iter().find_map(|takeover| {
            let response = upgrade.deflate(&DeflatePolicy {
                client_no_context_takeover: !takeover,
                server_no_context_takeover: !self.compression.takeover,
                ..DeflatePolicy::default()
            })?;
            Some((response, self.start(&response.params()).ok()?))
        })
    }

    /// What a connection needs that has agreed on these parameters.
    pub(crate) fn start<R: Role>(&self, params: &DeflateParams) -> Result<Box<Deflate<R>>, NoWindow> {
        let inflater = self.with_pools(|pools| Inflater::new(params, &pools.inflate))?;
        Ok(Box::new(Deflate { inflater, deflater: Deflater::new(params) }))
    }

    /// What a client offers.
    pub(crate) fn offer(&self) -> DeflateOffer {
        DeflateOffer {
            client_no_context_takeover: !self.compression.takeover,
            server_no_context_takeover: !self.compression.takeover,
            client_max_window_bits: Some(15),
            ..DeflateOffer::default()
        }
    }

    /// Compresses a message for many connections.
    pub(crate) fn prepare(&self, kind: Kind, bytes: &[u8]) -> PreparedMessage {
        // Most peers agree on the largest window. Others get the message uncompressed.
        self.with_pools(|pools| {
            PreparedMessage::new(kind, bytes, [&DeflateParams::default()], &mut pools.deflate)
        })
    }

    /// Uses pools that no other thread uses.
    fn with_pools<T>(&self, work: impl FnOnce(&mut Pools) -> T) -> T {
        let kept = || self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let free = kept().pop();
        let mut pools = free.unwrap_or_else(|| Pools {
            inflate: InflatePool::sharing(&self.inflate),
            deflate: DeflatePool::sharing(&self.deflate),
        });
        let result = work(&mut pools);
        kept().push(pools);
        result
    }
}

impl Config {
    /// The configuration of a new acceptor or connector, whose connections share its compressors.
    pub(crate) fn with_pools(mut self) -> Arc<Self> {
        self.pools = Shared::new(&self);
        Arc::new(self)
    }
}

/// What one connection has of compression.
pub(crate) struct Deflate<R: Role> {
    inflater: Inflater<R>,
    deflater: Deflater<R>,
}

// docs/tokio.md says how much an idle connection with compression takes.
const _: () = assert!(size_of::<Deflate<framewire::Server>>() <= 48);

impl<R: Role> Deflate<R> {
    pub(crate) fn deflater(&mut self) -> &mut Deflater<R> {
        &mut self.deflater
    }

    /// Compresses a message, and adds it to the outbox.
    pub(crate) fn send<'b>(
        &mut self,
        shared: &Shared,
        connection: &mut Sending<R>,
        outbox: &mut Outbox<'b>,
        kind: Kind,
        payload: Cow<'b, [u8]>,
    ) -> Result<(), framewire::SendError> {
        let deflater = &mut self.deflater;
        shared.with_pools(|pools| {
            outbox.deflated_message(connection, deflater, &mut pools.deflate, kind, payload, keys::key::<R>())
        })
    }
}

impl<S, R: Role> WebSocket<S, R> {
    /// Turns compression on, as it was negotiated.
    pub(crate) fn with_deflate(mut self, shared: &Arc<Shared>, deflate: Box<Deflate<R>>) -> Self {
        self.deflate = Some(deflate);
        if !self.config.pools.as_ref().is_some_and(|pools| Arc::ptr_eq(pools, shared)) {
            // The program has replaced the configuration since the handshake was decided.
            Arc::make_mut(&mut self.config).pools = Some(shared.clone());
        }
        self.connection = self.connection.with_extension_bits(Rsv::RSV1);
        self
    }

    /// Compresses and queues a message. The caller has asked whether messages may be sent.
    #[inline(never)]
    pub(crate) fn queue_deflated(&mut self, message: Message) -> Result<(), TrySendError<Message>> {
        // Not reached: a connection with compression has both.
        let (Some(deflate), Some(shared)) = (self.deflate.as_deref_mut(), &self.config.pools) else {
            return Err(TrySendError::Closed(message));
        };
        let (kind, bytes) = message.clone().into_parts();
        let queue = &mut memory::busy(&mut self.busy).queue;
        let connection = &mut self.connection;
        let deflater = &mut deflate.deflater;
        let queued = shared.with_pools(|pools| {
            let frame = deflater.message(connection, kind, &bytes, &mut pools.deflate, keys::key::<R>())?;
            queue.push_outgoing(frame);
            Ok::<_, framewire::SendError>(())
        });
        queued.map_err(|_| TrySendError::Closed(message))
    }

    /// Inflates a whole message.
    #[inline(never)]
    pub(crate) fn inflate(&mut self, kind: Kind, compressed: &[u8]) -> Result<Whole, ProtocolError> {
        let most = self.config.limits.message;
        // Not reached: without compression, the reserved bit is an error of the connection.
        let (Some(deflate), Some(shared)) = (self.deflate.as_deref_mut(), &self.config.pools) else {
            return Err(ProtocolError::CorruptDeflate);
        };
        let inflater = &mut deflate.inflater;
        shared.with_pools(|pools| {
            // Not reached: each pool can always begin a message.
            let Some(mut ready) = inflater.ready(&mut pools.inflate) else {
                return Err(ProtocolError::CorruptDeflate);
            };
            if most < shared.message {
                return inflate_within(&mut ready, kind, compressed, most);
            }
            match kind {
                Kind::Text => ready.inflate_text(compressed).map(Whole::Text),
                Kind::Binary => ready.inflate_binary(compressed).map(Whole::Binary),
            }
        })
    }
}

/// Inflates a whole message of a connection whose limit is lower than the pool's.
fn inflate_within(
    ready: &mut Ready<'_>,
    kind: Kind,
    compressed: &[u8],
    most: u64,
) -> Result<Whole, ProtocolError> {
    let mut compressed = compressed.to_vec();
    let mut parts = ready.feed(Part::new(kind, Rsv::RSV1, &mut compressed, true));
    let mut inflated = Vec::new();
    while let Some(part) = parts.next_part()? {
        if (inflated.len() + part.bytes().len()) as u64 > most {
            return Err(ProtocolError::MessageTooBig);
        }
        inflated.extend_from_slice(part.bytes());
    }
    match kind {
        Kind::Text => String::from_utf8(inflated).map(Whole::Text).map_err(|_| ProtocolError::InvalidUtf8),
        Kind::Binary => Ok(Whole::Binary(inflated)),
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.compression.fmt(f)
    }
}
