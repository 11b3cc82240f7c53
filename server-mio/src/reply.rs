//! The way back to the peer, for what handles its messages.

use crate::{
    compression::{Compression, Pools},
    outbox::Outbox,
};
use framewire::{Connection, Kind, Rsv, SendError, Server};
use std::borrow::Cow;

/// The way back to the peer, while one of its messages is handled.
#[derive(Debug)]
pub struct Reply<'a, 'b> {
    pub connection: &'a mut Connection<Server>,
    pub outbox: &'a mut Outbox<'b>,
    /// Where compression was agreed on.
    pub compression: &'a mut Option<Box<Compression>>,
    pub pools: &'a mut Option<Box<Pools>>,
}

impl<'b> Reply<'_, 'b> {
    /// Sends a message: copied where it is small, otherwise written from where it is; compressed where that was agreed
    /// on and is worth it.
    #[inline(always)]
    pub fn send(&mut self, kind: Kind, payload: Cow<'b, [u8]>) -> Result<(), SendError> {
        // Both or neither: who agreed on compression has pools.
        if let (Some(compression), Some(pools)) = (&mut *self.compression, &mut *self.pools) {
            return send_compressed(self.connection, self.outbox, compression, pools, kind, payload);
        }
        let header = self.connection.message(kind, Rsv::NONE, payload.len() as u64)?;
        self.outbox.push_frame(header, payload);
        Ok(())
    }
}

#[inline(never)]
fn send_compressed<'b>(
    connection: &mut Connection<Server>,
    outbox: &mut Outbox<'b>,
    compression: &mut Compression,
    pools: &mut Pools,
    kind: Kind,
    payload: Cow<'b, [u8]>,
) -> Result<(), SendError> {
    let sent = compression.deflater.message(connection, kind, &payload, &mut pools.deflate)?;
    if sent.is_unchanged() {
        let header = sent.header;
        outbox.push_frame(header, payload);
    } else {
        outbox.push_copied(sent.header, sent.payload);
    }
    Ok(())
}
