//! Writes a socket: replies at once, and the backlog when the socket takes more.

use super::{Next, PAUSED, Phase, Session};
use crate::{
    handler::Handler,
    shared::Shared,
    stats::Fault,
    transport::{Last, Transport},
};
use framewire::outbox::{Outbox, Rest, Written};
use std::io;

/// How many close timeouts a closing peer has to take the backlog, if it takes bytes now and then. By default, a peer that reads
/// 115 KiB a second gets the largest backlog.
const CLOSE_TIMEOUTS: u32 = 60;

impl<T: Transport> Session<T> {
    /// Writes the replies. The backlog keeps what the socket does not take.
    #[inline(always)]
    pub(super) fn write(&mut self, outbox: Outbox<'_>, shared: &mut Shared<impl Handler>) -> io::Result<()> {
        let len = outbox.len();
        if len == 0 {
            return Ok(());
        }
        shared.sent += len as u64;
        if self.busy.is_some() {
            return self.write_behind(outbox, shared);
        }
        if let Written::Rest(rest) =
            outbox.write(&mut self.socket, None, |bytes| shared.pool.put_buffer(bytes))?
        {
            self.keep(Some(rest), shared);
        }
        Ok(())
    }

    /// Writes the replies, behind the backlog if there is one.
    #[inline(never)]
    fn write_behind(&mut self, outbox: Outbox<'_>, shared: &mut Shared<impl Handler>) -> io::Result<()> {
        let waiting = self.busy.as_mut().map(|busy| &mut busy.backlog);
        let freed = |bytes| shared.pool.put_buffer(bytes);
        let written = if self.phase < Phase::Draining {
            outbox.write(&mut self.socket, waiting, freed)?
        } else {
            outbox.write(&mut Last(&mut self.socket), waiting, freed)?
        };
        let rest = match written {
            Written::All => None,
            Written::Rest(rest) => Some(rest),
        };
        self.keep(rest, shared);
        Ok(())
    }

    #[cold]
    fn keep(&mut self, rest: Option<Rest<'_>>, shared: &mut Shared<impl Handler>) {
        let backlog = &mut shared.busy(&mut self.busy).backlog;
        if let Some(rest) = rest {
            rest.keep(backlog, |bytes| shared.pool.put_buffer(bytes));
        }
        let high = !backlog.is_empty() && backlog.len() >= shared.config.high_water;
        if high && self.is_open() {
            self.set_paused(true, shared);
        }
    }

    /// Writes the backlog when the socket takes bytes again. Returns whether that ends a pause, so that the peer is read again.
    #[cold]
    pub(super) fn write_backlog(&mut self, shared: &mut Shared<impl Handler>) -> io::Result<bool> {
        let Some(busy) = &mut self.busy else { return Ok(false) };
        let before = busy.backlog.len();
        busy.backlog.flush(&mut self.socket, |bytes| shared.pool.put_buffer(bytes))?;
        let now = busy.backlog.len();
        if now < before {
            self.alive(shared); // the peer takes bytes
        }
        let resumed = self.is_paused() && now <= shared.config.high_water / 2;
        if resumed {
            self.set_paused(false, shared);
        }
        Ok(resumed)
    }

    /// Writes the backlog of a closing session without an event. An event comes only when much of the kernel's buffer is free
    /// (on Linux a third of up to 4 MiB), and an honest peer may take longer than the close timeout to read so much.
    pub(super) fn retry_backlog(&mut self, shared: &mut Shared<impl Handler>) -> Next {
        let Some(busy) = self.busy.as_mut().filter(|busy| !busy.backlog.is_empty()) else {
            return Next::Wait;
        };
        let begun = *busy.closing_since.get_or_insert(shared.now);
        if shared.now - begun > shared.config.close_timeout.saturating_mul(CLOSE_TIMEOUTS) {
            self.fault(Fault::CloseTimeout, shared);
            return Next::Drop;
        }
        match self.write_backlog(shared) {
            Ok(resumed) => {
                let next = self.settle(Next::Wait, shared);
                if resumed { self.again_after(next) } else { next }
            }
            Err(error) => self.lost(&error, shared),
        }
    }

    pub(super) fn set_paused(&mut self, paused: bool, shared: &Shared<impl Handler>) {
        if self.is_paused() != paused {
            self.aside ^= PAUSED;
            if paused { shared.stats.paused.add(1) } else { shared.stats.paused.subtract(1) }
        }
    }
}
