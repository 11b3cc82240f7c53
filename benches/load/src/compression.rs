//! permessage-deflate, if it was agreed on.

use crate::{corpus::Corpus, failure::Failure, outgoing::Outgoing};
use framewire::{
    Client, Connection, Part, ProtocolError,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater},
    extension::DeflateParams,
};
use std::io;

/// The pools that all connections share.
pub(crate) struct Pools {
    inflate: InflatePool,
    deflate: DeflatePool,
}

/// The state of one connection.
pub(crate) struct Compression {
    inflater: Inflater<Client>,
    deflater: Deflater<Client>,
    /// Frames that the socket has not taken yet. A compressed message cannot be made a second time.
    coded: Vec<u8>,
}

impl Pools {
    /// One for each connection, so that none has to read a window in. This takes a hundred megabytes of windows.
    const COMPRESSORS: usize = 256;

    /// Pools that are large enough for this many connections.
    pub(crate) fn new(connections: usize) -> Self {
        let windows = connections * (32 << 10);
        Self {
            inflate: InflatePool::new(InflateConfig {
                messages: connections,
                windows,
                message: u64::MAX,
                ..InflateConfig::default()
            }),
            deflate: DeflatePool::new(DeflateConfig {
                compressors: connections.min(Self::COMPRESSORS),
                windows: 2 * windows,
                ..DeflateConfig::default()
            }),
        }
    }
}

impl Compression {
    pub(crate) fn new(params: &DeflateParams, pools: &Pools) -> Result<Self, Failure> {
        let inflater = Inflater::new(params, &pools.inflate)
            .map_err(|error| Failure::Own(io::Error::other(format!("{error:?}"))))?;
        Ok(Self { inflater, deflater: Deflater::new(params), coded: Vec::new() })
    }

    /// The bytes that wait to be written.
    pub(crate) fn coded(&mut self) -> &mut Vec<u8> {
        &mut self.coded
    }

    /// Appends further messages to the waiting bytes, until they are enough for a write.
    pub(crate) fn gather(
        &mut self,
        connection: &mut Connection<Client>,
        outgoing: &mut Outgoing,
        corpus: &Corpus,
        pools: &mut Pools,
        enough: usize,
    ) {
        while self.coded.len() < enough {
            let Some(flight) = outgoing.next_whole() else { break };
            let payload = corpus.payload(&flight);
            let sent =
                self.deflater.message(connection, corpus.kind(), payload, &mut pools.deflate, flight.key);
            let Ok(sent) = sent else { break }; // the server closes, which is reported elsewhere
            sent.append_to(&mut self.coded);
        }
    }

    /// Passes each part that the given part inflates to, to `check`.
    pub(crate) fn inflate<E>(
        &mut self,
        part: Part<'_>,
        pools: &mut Pools,
        mut check: impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, ProtocolError> {
        // There are as many decompressors as connections.
        let mut ready = self.inflater.ready(&mut pools.inflate).expect("a decompressor");
        let mut parts = ready.feed(part);
        while let Some(part) = parts.next_part()? {
            if let Err(error) = check(part) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}
