//! A stage (feature `alloc`): puts the parts of a message together, within a limit.
//!
//! A message that arrives whole does not need it, and stays in the host's buffer; only [`Part`]s are pushed here.
//! Memory grows with the bytes that have arrived, never with the length that a header declares.

use crate::{
    connection::Receive,
    error::ProtocolError,
    event::{Event, Kind, Part, Span},
    frame::{Rsv, clamp},
    utf8::{self, Utf8Error, Validator},
};
use alloc::{string::String, vec::Vec};
use core::{fmt, mem, str};

/// Collects the parts of one message at a time (RFC 6455 §5.4).
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
/// If a read ends inside a large frame, the rest of the frame need not go through the receive buffer. Before each read, the
/// host asks [`spare_for`](Self::spare_for) whether to read it into the assembler's memory, and
/// [`receive`](Self::receive) decodes it there, without a copy. [`Receive::want`] says how much to read otherwise.
pub struct Assembler {
    /// All of it is initialised, so that it can be lent to a reader. The message is its first `len` bytes.
    memory: Vec<u8>,
    len: usize,
    limit: u64,
    /// The kind of the message in `memory`. If `done`, the message is whole and was lent to the host.
    kind: Kind,
    rsv: Rsv,
    done: bool,
    /// The message that is arriving is too big: its further parts must not be taken for another message.
    refused: bool,
    /// The state of validation after the message so far. It is failed unless each part was validated and began in the
    /// state in which the part before it ended.
    text: Validator,
}

/// A whole message. The [`Assembler`] lends it until the next part is pushed; the host can also take its memory.
pub struct Assembled<'a> {
    /// Whether the message is text or binary.
    pub kind: Kind,
    /// The reserved bits of its first frame. If there are any, an extension must still decode the bytes.
    pub rsv: Rsv,
    /// The assembler's memory. The message is its first `len` bytes.
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

    /// The bytes, to work on in place until the next part is pushed.
    #[inline]
    pub fn into_bytes(self) -> &'a mut [u8] {
        &mut self.memory[..self.len]
    }

    /// Takes the bytes with their memory. Nothing is copied, and the assembler is left without memory.
    /// [`Assembler::with_memory`] uses a `Vec` again.
    pub fn into_vec(self) -> Vec<u8> {
        let mut bytes = mem::take(self.memory);
        bytes.truncate(self.len);
        bytes
    }

    /// The bytes as text. A text that came from a connection without an extension, or from an inflater, was validated
    /// as it arrived and is not validated again. Other bytes are validated now.
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    #[allow(unsafe_code)]
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        if self.valid {
            // SAFETY: each part brought the record of the validation of exactly its bytes (`Span`, which only validation
            // makes, and `Part::checked`), `Assembler::text` followed them without a gap, and the bytes have not been lent
            // mutably since.
            Ok(unsafe { str::from_utf8_unchecked(self.bytes()) })
        } else {
            utf8::validate(self.bytes())
        }
    }

    /// Takes the bytes with their memory, as a `String`. They are validated as by [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    #[allow(unsafe_code)]
    pub fn into_string(self) -> Result<String, Utf8Error> {
        self.as_str()?;
        // SAFETY: by the line before, they are UTF-8.
        Ok(unsafe { String::from_utf8_unchecked(self.into_vec()) })
    }
}

/// The bytes are left out: they may be many, and private.
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
    /// The least that [`spare`](Self::spare) lends if as much is missing, and that is worth a read of its own: a few pages.
    const MIN_SPARE: usize = 16 << 10;

    /// An assembler for messages of at most `limit` bytes. It has no memory yet.
    ///
    /// Messages that arrive whole do not come here. So use the limit of the connection
    /// ([`Limits::message`](crate::Limits::message)), which holds for them too.
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

    /// An assembler that uses this memory, for example from [`Assembled::into_vec`]. The bytes up to the length of the
    /// `Vec` need not be initialised again.
    pub fn with_memory(limit: u64, memory: Vec<u8>) -> Self {
        Self { memory, ..Self::new(limit) }
    }

    /// Appends a part. If it is the last of its message, returns the message.
    ///
    /// # Errors
    /// [`ProtocolError::MessageTooBig`] if the message would be longer than the limit. The part is dropped with all
    /// before it, and the parts after it are refused. Give the error to [`Connection::fail`](crate::Connection::fail),
    /// like the connection's own errors.
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

    /// Lends memory behind the message so far, for the host to read the rest of the current frame into. `missing` is
    /// the number of its bytes that have not arrived yet ([`Receive::remaining`]). The length of the slice is the
    /// smallest of three numbers: `missing`; the bytes that the limit still allows; and the length of the message so
    /// far, or if one of these is larger, 16 KiB or the memory that is already allocated. The contents of the slice
    /// mean nothing.
    ///
    /// If the slice is empty, nothing is missing or the limit is reached. Then read into the receive buffer, as for any
    /// other frame; [`push`](Self::push) refuses bytes over the limit. (A read into an empty slice would look like the
    /// end of the stream.)
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

    /// Lends memory for the next read, as [`spare`](Self::spare) does, if the bytes should go there, and not into the
    /// receive buffer, which has room for `room` bytes. After the read, call [`receive`](Self::receive).
    ///
    /// They should if at least 16 KiB of the current frame are missing (to copy less costs less than one more read), and
    /// the assembler has memory for as many, or needs no more of it than the message so far. If nothing of the message was
    /// pushed, they should only if its rest has no room in the buffer.
    ///
    /// `None` also if an inflater makes the parts: the bytes that arrive are not those that are put together. Do not call
    /// this for a message whose parts you do not push.
    #[inline]
    pub fn spare_for(&mut self, connection: &impl Receive, room: usize) -> Option<&mut [u8]> {
        let missing = connection.remaining();
        if missing < Self::MIN_SPARE as u64 || self.done && missing <= room as u64 {
            return None;
        }
        let there = self.memory.len().saturating_sub(self.len());
        let most = self.len().max(there).min(self.room());
        let rsv = if self.done { Rsv::NONE } else { self.rsv };
        let fits = most >= Self::MIN_SPARE && connection.incoming_rsv() == Some(rsv) && !self.refused;
        fits.then(|| self.spare(missing))
    }

    /// Decodes the first `n` bytes of [`spare`](Self::spare), or of [`spare_for`](Self::spare_for), in place, after the
    /// host has read into it. Returns the message if they are its last.
    ///
    /// # Errors
    /// As [`Connection::receive`](crate::Connection::receive) and [`push`](Self::push).
    pub fn receive(
        &mut self,
        connection: &mut impl Receive,
        n: usize,
    ) -> Result<Option<Assembled<'_>>, ProtocolError> {
        let start = self.len();
        let room = self.memory.len().saturating_sub(start).min(self.room());
        let n = clamp(connection.remaining(), n).min(room);
        let mut input = &mut self.memory[start..start + n];
        // These are no more bytes than the current data frame lacks, so they give one event at most.
        let (kind, rsv, last, span, len) = match connection.receive(&mut input)? {
            Some(Event::Part(part)) => (part.kind, part.rsv, part.last, part.span(), part.bytes().len()),
            Some(Event::Text(text)) => (Kind::Text, Rsv::NONE, true, Span::of(text), text.len()),
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

    /// How many bytes of a message that is not whole have been collected.
    pub const fn len(&self) -> usize {
        if self.done { 0 } else { self.len }
    }

    /// Whether no message is being collected.
    pub const fn is_empty(&self) -> bool {
        self.done
    }

    /// How many bytes of memory the assembler holds, also between messages. [`Assembled::into_vec`] takes the memory;
    /// dropping the assembler frees it.
    pub fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// How many bytes the message may still grow by.
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

    /// Makes the bytes behind the message, up to `len`, its next part.
    fn advance(&mut self, len: usize, span: Span, last: bool) -> Option<Assembled<'_>> {
        self.len = len;
        self.done = last;
        self.text = span.after(self.text);
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
