//! A stage (alloc): the parts of messages to whole messages, within a limit.
//!
//! Whole messages need no stage and keep their place in the host's buffer; only [`Part`]s are pushed here. A
//! message's memory grows with the bytes that have arrived, never with what a header declares.

use crate::{
    connection::{Connection, Role},
    error::ProtocolError,
    event::{Event, Kind, Part},
    frame::{Rsv, clamp},
    utf8::{self, Utf8Error},
};
use alloc::vec::Vec;
use core::{fmt, mem};

/// Collects the parts of one message at a time.
///
/// ```
/// use framewire::{Assembler, Connection, Event, Server};
///
/// let mut connection = Connection::<Server>::new();
/// let mut assembler = Assembler::new(1 << 20);
/// // "Hel" and "lo", each masked with a key of zero bytes
/// let mut rx = *b"\x01\x83\0\0\0\0Hel\x80\x82\0\0\0\0lo";
/// let mut input = &mut rx[..];
/// let mut texts = Vec::new();
/// while let Some(event) = connection.receive(&mut input)? {
///     if let Event::Part(part) = event {
///         if let Some(message) = assembler.push(part)? {
///             texts.push(message.as_str().unwrap().to_owned());
///         }
///     }
/// }
/// assert_eq!(texts, ["Hello"]);
/// # Ok::<(), framewire::ProtocolError>(())
/// ```
///
/// # Large frames
/// What a read did not bring of a frame need not go through the receive buffer: the host reads it straight into
/// [`spare`](Self::spare), as much as the connection says [is missing](Connection::remaining), and has it decoded
/// there by [`receive`](Self::receive), without a copy.
pub struct Assembler {
    /// All of it initialised, so that it can be lent to a reader; the message is its first `len` bytes.
    memory: Vec<u8>,
    len: usize,
    limit: usize,
    /// The message in `memory`; whole and lent out already where `done`.
    kind: Kind,
    rsv: Rsv,
    done: bool,
    /// The message that is arriving is too big: the rest of it is not to pass for another.
    refused: bool,
}

/// A message that was put together. Lent by the [`Assembler`] until the next part is pushed; or taken, for good.
pub struct Message<'a> {
    /// What it is.
    pub kind: Kind,
    /// The reserved bits of its first frame: an extension's, which is still to decode the bytes.
    pub rsv: Rsv,
    /// The assembler's; the message is its first `len` bytes.
    memory: &'a mut Vec<u8>,
    len: usize,
}

impl<'a> Message<'a> {
    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    /// The bytes, to be worked on in place, for as long as the assembler lends them.
    #[inline]
    pub fn into_bytes(self) -> &'a mut [u8] {
        &mut self.memory[..self.len]
    }

    /// The bytes for good, with the memory that they are in: nothing is copied, and the assembler starts anew.
    /// [`Assembler::with_memory`] has use for it later.
    pub fn into_vec(self) -> Vec<u8> {
        let mut bytes = mem::take(self.memory);
        bytes.truncate(self.len);
        bytes
    }

    /// The bytes as text, checked once more in one pass: they are text for as far as the compiler can know. For a
    /// text that a [`Connection`] received without an extension this does not fail.
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        utf8::validate(self.bytes())
    }
}

/// Without the bytes: they may be many, and nobody's business.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("rsv", &self.rsv)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Message<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.rsv, self.bytes()) == (other.kind, other.rsv, other.bytes())
    }
}

impl Eq for Message<'_> {}

impl Assembler {
    /// The least that [`spare`](Self::spare) lends where so much is missing: a few pages.
    const MIN_SPARE: usize = 16 << 10;

    /// An assembler for messages of at most `limit` bytes. Holds no memory yet.
    ///
    /// Messages that are whole in hand do not come here: so that the same limit holds for them, it should be that of
    /// the connection ([`Limits::message`](crate::Limits::message)).
    pub const fn new(limit: usize) -> Self {
        Self {
            memory: Vec::new(),
            len: 0,
            limit,
            kind: Kind::Binary,
            rsv: Rsv::NONE,
            done: true,
            refused: false,
        }
    }

    /// An assembler that starts with this memory, such as [`Message::into_vec`] gave. Its length, not its capacity,
    /// is what saves initialising it again.
    pub fn with_memory(limit: usize, memory: Vec<u8>) -> Self {
        Self { memory, ..Self::new(limit) }
    }

    /// Appends a part; gives the message once the part is its last.
    ///
    /// # Errors
    /// [`ProtocolError::MessageTooBig`] where the message would be longer than the limit; what was collected of it is
    /// dropped, and its further parts are refused. It is for [`fail`](Connection#method.fail), as the connection's own
    /// errors are.
    pub fn push(&mut self, part: Part<'_>) -> Result<Option<Message<'_>>, ProtocolError> {
        self.begin(part.kind, part.rsv);
        if self.refused || part.bytes.len() > self.limit.saturating_sub(self.len) {
            return Err(self.refuse(part.last));
        }
        let len = self.len + part.bytes.len();
        if len <= self.memory.len() {
            self.memory[self.len..len].copy_from_slice(part.bytes);
        } else {
            self.memory.truncate(self.len);
            self.memory.extend_from_slice(part.bytes);
        }
        Ok(self.advance(len, part.last))
    }

    /// Room behind the message so far for bytes of the current frame, of which `missing` are still to arrive
    /// ([`Connection::remaining`]). At most so many, at most as many as have arrived (or some 16 KiB, or what memory
    /// is there anyway), and never past the limit. What is in it does not matter.
    ///
    /// Empty where nothing is missing, and where the limit is reached: read into the receive buffer then, as ever;
    /// what is too much, [`push`](Self::push) refuses. (A read into an empty slice would look like the end of the
    /// stream.)
    pub fn spare(&mut self, missing: u64) -> &mut [u8] {
        let start = self.len();
        let there = self.memory.len().saturating_sub(start);
        let room = start.max(Self::MIN_SPARE).max(there).min(self.limit.saturating_sub(start));
        let room = clamp(missing, room);
        if there < room {
            self.memory.resize(start + room, 0);
        }
        &mut self.memory[start..start + room]
    }

    /// Decodes the first `n` bytes of [`spare`](Self::spare), which the host has read into it since, in place;
    /// gives the message once they are its last.
    ///
    /// # Errors
    /// As [`Connection::receive`].
    pub fn receive<R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        n: usize,
    ) -> Result<Option<Message<'_>>, ProtocolError> {
        let start = self.len();
        let room = self.memory.len().min(self.limit).saturating_sub(start);
        let n = clamp(connection.remaining(), n).min(room);
        let mut input = &mut self.memory[start..start + n];
        // No more than the current frame lacks: one event, or none, and of a data frame.
        let (kind, rsv, last) = match connection.receive(&mut input)? {
            Some(Event::Part(part)) => (part.kind, part.rsv, part.last),
            Some(Event::Text(_)) => (Kind::Text, Rsv::NONE, true),
            Some(Event::Binary(_)) => (Kind::Binary, Rsv::NONE, true),
            _ => return Ok(None),
        };
        if self.refused {
            return Err(self.refuse(last));
        }
        self.begin(kind, rsv);
        Ok(self.advance(start + n, last))
    }

    /// Bytes collected of a message that is not whole yet.
    pub const fn len(&self) -> usize {
        if self.done { 0 } else { self.len }
    }

    /// Whether no message is being collected: what the assembler holds is of use for the next one only.
    pub const fn is_empty(&self) -> bool {
        self.done
    }

    /// Bytes of memory held, also between messages. [`Message::into_vec`], or dropping the assembler, lets go of it.
    pub fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    fn begin(&mut self, kind: Kind, rsv: Rsv) {
        if self.done {
            self.len = 0;
            self.done = false;
            self.kind = kind;
            self.rsv = rsv;
        }
    }

    fn advance(&mut self, len: usize, last: bool) -> Option<Message<'_>> {
        self.len = len;
        self.done = last;
        last.then_some(Message { kind: self.kind, rsv: self.rsv, memory: &mut self.memory, len })
    }

    fn refuse(&mut self, last: bool) -> ProtocolError {
        self.len = 0;
        self.done = true;
        self.refused = !last;
        ProtocolError::MessageTooBig
    }
}

impl fmt::Debug for Assembler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembler")
            .field("len", &self.len())
            .field("limit", &self.limit)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
