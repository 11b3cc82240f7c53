//! Reads a socket, into the shared buffer or directly into the memory of a large message.

use super::{Phase, Session};
use crate::{
    handler::Handler,
    shared::{Buffers, DIRECT_FROM, Shared},
    transport::Transport,
};
use framewire::{Header, outbox::Outbox};
use std::io::{self, IoSliceMut};

/// How many more reads a large message gets before the others have their turn.
const READS_ON: usize = 3;

/// The least that is read of a large message: its header, and enough payload that the rest is read into the message's own
/// memory. (A connection wants little more than the header. But a session has no memory for a message before it begins.)
pub(super) const LARGE_START: usize = DIRECT_FROM + Header::MAX_LEN;

impl<T: Transport> Session<T> {
    /// Reads once, or a few times inside a large message. Returns whether there may be more to read.
    #[inline(always)]
    pub(super) fn read_turn(
        &mut self,
        buffers: &mut Buffers,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        match self.read(buffers, shared) {
            Ok(filled) => {
                let more = self.may_have_more(filled);
                if filled && more { self.read_on(buffers, shared) } else { Ok(more) }
            }
            Err(error) => goes_on(error),
        }
    }

    /// Reads once, handles the frames, and writes the replies. Returns whether the read filled its buffer.
    #[inline(always)]
    fn read(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> io::Result<bool> {
        let room = buffers.room();
        let mut outbox = Outbox::new(&mut buffers.outbox);
        let mut filled = self.read_into(&mut buffers.rx, room, &mut outbox, shared);
        if filled.is_ok() {
            if let Err(error) = self.write(outbox, shared) {
                filled = Err(error);
            }
        }
        filled
    }

    /// Reads more of a large message before the others have their turn, while its memory is in the cache. Returns whether
    /// there may be more to read.
    #[cold]
    fn read_on(&mut self, buffers: &mut Buffers, shared: &mut Shared<impl Handler>) -> io::Result<bool> {
        for _ in 0..READS_ON {
            let inside = self.busy.is_some() && self.connection.remaining() >= DIRECT_FROM as u64;
            if !inside || self.is_paused() || self.phase == Phase::Ended {
                break;
            }
            match self.read(buffers, shared) {
                Ok(true) => {}
                Ok(false) => return Ok(self.may_have_more(false)),
                Err(error) => return goes_on(error),
            }
        }
        Ok(self.may_have_more(true))
    }

    #[inline(always)]
    fn read_into<'b>(
        &mut self,
        rx: &'b mut [u8],
        room: usize,
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        if let Some(busy) = &mut self.busy {
            if busy.assembler.spare_for(&self.connection, room).is_some() {
                return self.read_direct(rx, outbox, shared);
            }
        }
        let want = self.connection.want(room);
        if want < room {
            return self.read_less(&mut rx[..room], want, outbox, shared);
        }
        let n = self.socket.read(&mut rx[..room])?;
        if n == 0 {
            self.end(shared);
            return Ok(false);
        }
        if self.is_open() {
            shared.stats.bytes.add(n as u64);
            self.frames(&mut rx[..n], outbox, shared);
        } else if self.phase <= Phase::Handshake {
            self.handshake(&mut rx[..n], outbox, shared);
        }
        Ok(n == room)
    }

    /// Reads less than there is room for, so that as little as possible of a large message is copied.
    #[cold]
    fn read_less<'b>(
        &mut self,
        rx: &'b mut [u8],
        want: usize,
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        let room = want.max(LARGE_START).min(rx.len());
        let n = self.socket.read(&mut rx[..room])?;
        if n == 0 {
            self.end(shared);
            return Ok(false);
        }
        if self.is_open() {
            shared.stats.bytes.add(n as u64);
            self.more_frames(&mut rx[..n], outbox, shared);
        }
        Ok(n == room)
    }

    /// Reads the missing bytes of a large frame into its message's own memory, and bytes behind the frame into the shared
    /// buffer.
    #[cold]
    pub(super) fn read_direct<'b>(
        &mut self,
        rx: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        let Some(busy) = &mut self.busy else { return Ok(false) };
        let spare = busy.assembler.spare(self.connection.remaining());
        let room = spare.len();
        let behind = if room as u64 == self.connection.remaining() { rx.len() } else { 0 };
        let want = if room < behind { self.connection.want(room + behind) - room } else { 0 };
        let rest = want.max(LARGE_START).min(behind);
        let mut slices = [IoSliceMut::new(spare), IoSliceMut::new(&mut rx[..rest])];
        let n = self.socket.read_vectored(&mut slices)?;
        if n == 0 {
            self.end(shared);
            return Ok(false);
        }
        let direct = n.min(room);
        shared.stats.bytes.add(n as u64);
        let received = busy.assembler.receive(&mut self.connection, direct);
        // An error is final: `more_frames` meets it again, and handles it.
        if let Ok(Some(message)) = received {
            shared.stats.messages.add(1);
            let (kind, payload) = (message.kind, message.into_vec());
            self.handle_owned(kind, payload, outbox, shared);
        }
        self.more_frames(&mut rx[..n - direct], outbox, shared);
        Ok(n == room + rest)
    }

    /// Whether there may be more to read, which no event will report. A read that filled its buffer may have left bytes.
    #[inline]
    pub(super) fn may_have_more(&self, filled: bool) -> bool {
        let rest = self.compression.as_ref().is_some_and(|compression| compression.has_rest());
        (filled || rest || self.short || self.socket.has_left())
            && self.phase != Phase::Ended
            && !self.is_paused()
    }
}

/// Whether there is more to read after an error, if the connection goes on.
#[cold]
pub(super) fn goes_on(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        io::ErrorKind::Interrupted => Ok(true),
        _ => Err(error),
    }
}
