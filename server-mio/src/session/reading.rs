//! Reads a socket, into the shared buffer or directly into the memory of a large message.

use super::{Phase, Session};
use crate::{
    handler::Handler,
    shared::{Buffers, DIRECT_FROM, Shared},
    transport::Transport,
};
use framewire::outbox::Outbox;
use std::io::{self, IoSliceMut};

/// How many more reads a large message gets before the others have their turn.
const READS_ON: usize = 3;

/// How many bytes of an expected large message are read into the shared buffer: its header, and enough payload that the rest
/// is read into the message's own memory.
const LARGE_START: usize = DIRECT_FROM + 14;

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
            let missing = self.connection.remaining();
            if busy.assembler.len() >= DIRECT_FROM && missing >= DIRECT_FROM as u64 {
                return self.read_direct(missing, rx, outbox, shared);
            }
        }
        if self.large {
            return self.read_start(rx, outbox, shared);
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

    /// Reads the start of a message that is expected to be large into the shared buffer: [`LARGE_START`] bytes.
    #[cold]
    fn read_start<'b>(
        &mut self,
        rx: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        let room = rx.len().min(LARGE_START);
        let n = self.socket.read(&mut rx[..room])?;
        if n == 0 {
            self.end(shared);
            return Ok(false);
        }
        if self.is_open() {
            shared.stats.bytes.add(n as u64);
            self.more_frames(&mut rx[..n], outbox, shared);
        }
        // The frame must be large, too: a read may also cut a row of small frames, which cost least in a full buffer.
        self.large = self.connection.remaining() >= DIRECT_FROM as u64;
        Ok(n == room)
    }

    /// Reads the missing bytes of a large frame into its message's own memory, and bytes behind the frame into the shared
    /// buffer.
    #[cold]
    pub(super) fn read_direct<'b>(
        &mut self,
        missing: u64,
        rx: &'b mut [u8],
        outbox: &mut Outbox<'b>,
        shared: &mut Shared<impl Handler>,
    ) -> io::Result<bool> {
        let Some(busy) = &mut self.busy else { return Ok(false) };
        let large = busy.assembler.len() as u64 + missing > rx.len() as u64;
        let behind = if large { rx.len().min(LARGE_START) } else { rx.len() };
        let spare = busy.assembler.spare(missing);
        let room = spare.len();
        let rest = if room as u64 == missing { behind } else { 0 };
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
            self.large = payload.len() > rx.len();
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
