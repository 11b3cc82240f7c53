//! A stage (alloc): assembles the parts of messages, within a limit.
//!
//! A message that arrives whole needs no stage and keeps its place in the host's buffer; only [`Part`]s are pushed here.
//! The memory of a message grows with the bytes that have arrived, never with the length that a header declares.

use crate::{
    connection::Receive,
    error::ProtocolError,
    event::{Event, Kind, Part, Span},
    frame::{Rsv, clamp},
    utf8::{self, Utf8Error, Validator},
};
use alloc::{string::String, vec::Vec};
use core::{fmt, mem, str};

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
/// [`spare`](Self::spare), as much as [is missing](Receive::remaining), and has it decoded there by
/// [`receive`](Self::receive), without a copy.
pub struct Assembler {
    /// All of it initialised, so that it can be lent to a reader; the message is its first `len` bytes.
    memory: Vec<u8>,
    len: usize,
    limit: u64,
    /// The message in `memory`; whole and lent out already if `done`.
    kind: Kind,
    rsv: Rsv,
    done: bool,
    /// The message that is arriving is too big: the rest of it must not pass for another message.
    refused: bool,
    /// The state of validation after the message so far: failed, unless each of its parts was validated and began in the
    /// state in which the one before it ended.
    text: Validator,
}

/// A message that was put together. The [`Assembler`] lends it until the next part is pushed; its bytes can be taken.
pub struct Assembled<'a> {
    /// What the message is.
    pub kind: Kind,
    /// The reserved bits of its first frame. If there are any, an extension must still decode the bytes.
    pub rsv: Rsv,
    /// The assembler's; the message is its first `len` bytes.
    memory: &'a mut Vec<u8>,
    len: usize,
    /// Whether the bytes were validated as one text.
    valid: bool,
}

impl<'a> Assembled<'a> {
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

    /// Takes the bytes and the memory that they are in: nothing is copied, and the assembler starts with no memory. Give
    /// the memory to [`Assembler::with_memory`] to use it again.
    pub fn into_vec(self) -> Vec<u8> {
        let mut bytes = mem::take(self.memory);
        bytes.truncate(self.len);
        bytes
    }

    /// The bytes as text. A text of a connection without an extension, or of an inflater, was validated when it arrived
    /// and is not validated again; other bytes are validated now.
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    #[allow(unsafe_code)]
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        if self.valid {
            // SAFETY: `Assembler::text` followed the validation over all of these bytes, and nobody has had them
            // mutably since.
            Ok(unsafe { str::from_utf8_unchecked(self.bytes()) })
        } else {
            utf8::validate(self.bytes())
        }
    }

    /// Takes the bytes as text, as [`into_vec`](Self::into_vec) does, validated as by [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    #[allow(unsafe_code)]
    pub fn into_string(self) -> Result<String, Utf8Error> {
        self.as_str()?;
        // SAFETY: they are UTF-8, says the line before.
        Ok(unsafe { String::from_utf8_unchecked(self.into_vec()) })
    }
}

/// Without the bytes, which may be many, and private.
impl fmt::Debug for Assembled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembled")
            .field("kind", &self.kind)
            .field("rsv", &self.rsv)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Assembled<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.rsv, self.bytes()) == (other.kind, other.rsv, other.bytes())
    }
}

impl Eq for Assembled<'_> {}

impl Assembler {
    /// The least that [`spare`](Self::spare) lends where so much is missing: a few pages.
    const MIN_SPARE: usize = 16 << 10;

    /// An assembler for messages of at most `limit` bytes. Holds no memory yet.
    ///
    /// A message that arrives whole does not come here. So that one limit holds for all, it should be the connection's
    /// ([`Limits::message`](crate::Limits::message)).
    pub const fn new(limit: u64) -> Self {
        Self {
            memory: Vec::new(),
            len: 0,
            limit,
            kind: Kind::Binary,
            rsv: Rsv::NONE,
            done: true,
            refused: false,
            text: Validator::new(),
        }
    }

    /// An assembler that starts with this memory, for example from [`Assembled::into_vec`]. As much of it as is
    /// initialised, its length, need not be initialised again.
    pub fn with_memory(limit: u64, memory: Vec<u8>) -> Self {
        Self { memory, ..Self::new(limit) }
    }

    /// Appends a part; returns the message if the part is its last.
    ///
    /// # Errors
    /// [`ProtocolError::MessageTooBig`] if the message would be longer than the limit. What was collected of it is
    /// dropped, and its further parts are refused. Give the error to [`Connection::fail`](crate::Connection::fail), like
    /// the connection's own errors.
    pub fn push(&mut self, part: Part<'_>) -> Result<Option<Assembled<'_>>, ProtocolError> {
        let bytes = part.bytes();
        self.begin(part.kind, part.rsv);
        if self.refused || bytes.len() > self.room() {
            return Err(self.refuse(part.last));
        }
        let len = self.len + bytes.len();
        if len <= self.memory.len() {
            self.memory[self.len..len].copy_from_slice(bytes);
        } else {
            self.memory.truncate(self.len);
            self.memory.extend_from_slice(bytes);
        }
        Ok(self.advance(len, part.span(), part.last))
    }

    /// Lends room behind the message so far for bytes of the current frame, of which `missing` are still to arrive
    /// ([`Receive::remaining`]): at most so many, at most as many as have arrived (or some 16 KiB, or the memory that is
    /// there already), and never past the limit. The bytes in it mean nothing.
    ///
    /// It is empty if nothing is missing, or if the limit is reached. Read into the receive buffer then, as for any other
    /// frame; [`push`](Self::push) refuses what is too much. (A read into an empty slice would look like the end of the
    /// stream.)
    pub fn spare(&mut self, missing: u64) -> &mut [u8] {
        let start = self.len();
        let there = self.memory.len().saturating_sub(start);
        let room = start.max(Self::MIN_SPARE).max(there).min(self.room());
        let room = clamp(missing, room);
        if there < room {
            self.memory.resize(start + room, 0);
        }
        &mut self.memory[start..start + room]
    }

    /// Decodes the first `n` bytes of [`spare`](Self::spare), which the host has read into it since, in place; returns
    /// the message if they are its last.
    ///
    /// # Errors
    /// As [`Connection::receive`](crate::Connection::receive).
    pub fn receive(
        &mut self,
        connection: &mut impl Receive,
        n: usize,
    ) -> Result<Option<Assembled<'_>>, ProtocolError> {
        let start = self.len();
        let room = self.memory.len().saturating_sub(start).min(self.room());
        let n = clamp(connection.remaining(), n).min(room);
        let mut input = &mut self.memory[start..start + n];
        // No more than the current frame lacks: one event, or none, and of a data frame.
        let whole = Span { before: Validator::new(), after: Validator::new() };
        let (kind, rsv, last, span, len) = match connection.receive(&mut input)? {
            Some(Event::Part(part)) => (part.kind, part.rsv, part.last, part.span(), part.bytes().len()),
            Some(Event::Text(text)) => (Kind::Text, Rsv::NONE, true, whole, text.len()),
            Some(Event::Binary(bytes)) => (Kind::Binary, Rsv::NONE, true, Span::NONE, bytes.len()),
            _ => return Ok(None),
        };
        if self.refused {
            return Err(self.refuse(last));
        }
        self.begin(kind, rsv);
        debug_assert_eq!(len, n);
        Ok(self.advance(start + len, span, last))
    }

    /// Bytes collected of a message that is not whole yet.
    pub const fn len(&self) -> usize {
        if self.done { 0 } else { self.len }
    }

    /// Whether no message is being collected.
    pub const fn is_empty(&self) -> bool {
        self.done
    }

    /// Bytes of memory held, also between messages. [`Assembled::into_vec`] takes it; dropping the assembler frees it.
    pub fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// Bytes that the message may still grow by.
    fn room(&self) -> usize {
        clamp(self.limit, usize::MAX).saturating_sub(self.len())
    }

    fn begin(&mut self, kind: Kind, rsv: Rsv) {
        if self.done {
            self.len = 0;
            self.done = false;
            self.kind = kind;
            self.rsv = rsv;
            self.text = Validator::new();
        }
    }

    /// Counts what stands behind the message so far as its next part.
    fn advance(&mut self, len: usize, span: Span, last: bool) -> Option<Assembled<'_>> {
        self.len = len;
        self.done = last;
        self.text = if self.text == span.before { span.after } else { Validator::FAILED };
        let valid = self.text.finish().is_ok();
        last.then_some(Assembled { kind: self.kind, rsv: self.rsv, memory: &mut self.memory, len, valid })
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
