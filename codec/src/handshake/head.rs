//! The end of a head, found as its bytes arrive: each byte is looked at once, however the head is cut, and what breaks a
//! limit is refused before memory is spent on it.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use memchr::memchr;

use super::HandshakeError;
use crate::extension::is_token_byte;

/// How much of a head is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The longest head, in bytes, from its first line to its empty one, both included. 8 KiB by default: Chrome sends
    /// some 500 bytes and its cookies, and 8 KiB is what common servers and proxies take.
    pub head_bytes: usize,
    /// The most headers. 64 by default, as many as [`HeaderSlots::new`](super::HeaderSlots::new) has: Chrome sends 14,
    /// proxies add a few.
    pub headers: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head_bytes: 8 * 1024, headers: 64 }
    }
}

/// Collects a head as it arrives, and says where the frames begin. For requests and for responses.
///
/// A head that arrives whole is lent from the input: nothing is copied or allocated. One that is cut is kept here, in
/// never more than [`HeadLimits::head_bytes`] of memory. Once a head was returned, the next bytes begin another, which is
/// what a client needs for responses of status 1xx.
///
/// ```
/// use framewire::handshake::{HandshakeError, HeadBuffer, HeadLimits};
///
/// let mut buffer = HeadBuffer::new(HeadLimits::default());
/// assert_eq!(buffer.push(b"GET / HTTP/1.1\r\nHost: exam")?, None);
/// let received = b"ple.com\r\n\r\n\x81\x80";
/// let head = buffer.push(received)?.unwrap();
/// assert_eq!(head.bytes, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
/// assert_eq!(&received[head.consumed..], b"\x81\x80");
/// # Ok::<(), HandshakeError>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug)]
pub struct HeadBuffer {
    limits: HeadLimits,
    scanner: HeadScanner,
    kept: Vec<u8>,
}

/// A whole head.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The head, with the empty line that ends it.
    pub bytes: &'a [u8],
    /// How many bytes of the last input belong to it. Behind them stand the frames of a peer that did not wait (and of
    /// a response that is not a 101, the body): they are the host's to hand on.
    pub consumed: usize,
}

#[cfg(feature = "alloc")]
impl HeadBuffer {
    /// An empty buffer; it allocates nothing before a head is cut.
    #[must_use]
    pub const fn new(limits: HeadLimits) -> Self {
        Self { limits, scanner: HeadScanner::new(limits), kept: Vec::new() }
    }

    /// Takes the bytes that were received last, up to the end of the head. `None`: all of them were taken and more
    /// are needed.
    ///
    /// # Errors
    /// As [`HeadScanner::feed`], and sticky.
    pub fn push<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Head<'a>>, HandshakeError> {
        if self.scanner.is_done() {
            *self = Self::new(self.limits);
        }
        let end = self.scanner.feed(input)?;
        let taken = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
        if self.kept.is_empty() && end.is_some() {
            return Ok(Some(Head { bytes: taken, consumed: taken.len() }));
        }
        self.keep(taken);
        Ok(end.map(|consumed| Head { bytes: &self.kept, consumed }))
    }

    /// How many bytes of a head that is cut are kept here.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.scanner.is_done() { 0 } else { self.kept.len() }
    }

    /// Whether no head is begun: bytes that arrive now are the first of one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `bytes`, which the scanner let pass. Doubling as ever, but never past the limit.
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.kept.len() + bytes.len();
        if needed > self.kept.capacity() {
            let room = needed.max(2 * self.kept.capacity()).max(512).min(self.limits.head_bytes);
            self.kept.reserve_exact(room.max(needed) - self.kept.len());
        }
        self.kept.extend_from_slice(bytes);
    }
}

/// Finds the end of a head in bytes that arrive in any number of pieces, without keeping them: for hosts with a buffer
/// of their own. It remembers what it has seen, so the pieces are fed once each and in order.
///
/// Beside the end it looks at what can be judged line by line, so that a peer which does not speak HTTP is refused at
/// once and not at the limit: the limits, the line endings, and that a line begins like a token (a TLS client on a
/// plain port is seen by its first byte).
///
/// ```
/// use framewire::handshake::{HandshakeError, HeadScanner, HeadLimits};
///
/// let mut scanner = HeadScanner::new(HeadLimits::default());
/// assert_eq!(scanner.feed(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r")?, None);
/// assert_eq!(scanner.feed(b"\n\x81\x80")?, Some(1)); // frames begin behind the first byte
/// assert_eq!(scanner.head_len(), 37);
///
/// let tls = HeadScanner::new(HeadLimits::default()).feed(&[0x16, 0x03, 0x01]);
/// assert_eq!(tls, Err(HandshakeError::InvalidRequestLine));
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeadScanner {
    limits: HeadLimits,
    /// Bytes of the head so far.
    len: usize,
    /// Lines of it that are complete, empty ones before the first not counted.
    lines: usize,
    /// Bytes of the line that is not complete yet.
    line: usize,
    /// The byte before the next.
    last: u8,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Open,
    Done,
    Failed(HandshakeError),
}

impl HeadScanner {
    /// A scanner at the first byte of a head.
    #[must_use]
    pub const fn new(limits: HeadLimits) -> Self {
        Self { limits, len: 0, lines: 0, line: 0, last: 0, state: State::Open }
    }

    /// Looks at the next bytes. `Some(n)`: the head ends with the first `n` of them. `None`: all of them belong to it.
    /// Once it has ended, every further call says `Some(0)`.
    ///
    /// # Errors
    /// [`HandshakeError::HeadTooLong`], [`TooManyHeaders`](HandshakeError::TooManyHeaders),
    /// [`InvalidLineEnding`](HandshakeError::InvalidLineEnding), [`FoldedHeader`](HandshakeError::FoldedHeader),
    /// [`InvalidHeader`](HandshakeError::InvalidHeader) or
    /// [`InvalidRequestLine`](HandshakeError::InvalidRequestLine). Every further call says the same.
    pub fn feed(&mut self, input: &[u8]) -> Result<Option<usize>, HandshakeError> {
        match self.state {
            State::Open => {}
            State::Done => return Ok(Some(0)),
            State::Failed(error) => return Err(error),
        }
        let end = self.scan(input);
        match end {
            Ok(Some(_)) => self.state = State::Done,
            Ok(None) => {}
            Err(error) => self.state = State::Failed(error),
        }
        end
    }

    /// The bytes of the head so far: all of it, once its end was found.
    #[must_use]
    pub const fn head_len(&self) -> usize {
        self.len
    }

    /// Whether the end of the head was found.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, HandshakeError> {
        let room = self.limits.head_bytes.saturating_sub(self.len);
        let mut rest = input.get(..room).unwrap_or(input);
        let within = rest.len();
        while let Some(at) = memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(at + 1);
            rest = behind;
            if self.line(line)? {
                return Ok(Some(within - rest.len()));
            }
        }
        self.piece(rest)?;
        // A head that fills the limit and has not ended yet cannot end within it.
        if within == room { Err(HandshakeError::HeadTooLong) } else { Ok(None) }
    }

    /// Takes what completes a line, and says whether it ends the head.
    fn line(&mut self, rest_and_lf: &[u8]) -> Result<bool, HandshakeError> {
        let (rest, lf) = rest_and_lf.split_at(rest_and_lf.len().saturating_sub(1));
        self.piece(rest)?;
        let (len, last) = (self.line, self.last);
        self.len += lf.len();
        self.line = 0;
        if len == 0 || last != b'\r' {
            return Err(HandshakeError::InvalidLineEnding);
        }
        if len == 1 {
            return Ok(self.lines > 0); // empty lines before the first: RFC 9112 §2.2
        }
        self.lines += 1;
        if self.lines - 1 > self.limits.headers {
            return Err(HandshakeError::TooManyHeaders);
        }
        Ok(false)
    }

    /// Takes bytes of a line that are not its end.
    fn piece(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return Ok(()) };
        if self.line == 0 && first != b'\r' && !is_token_byte(first) {
            return Err(match first {
                _ if self.lines == 0 => HandshakeError::InvalidRequestLine,
                b' ' | b'\t' => HandshakeError::FoldedHeader,
                _ => HandshakeError::InvalidHeader,
            });
        }
        self.len += bytes.len();
        self.line += bytes.len();
        self.last = last;
        Ok(())
    }
}
