//! Finding the end of a head while its bytes arrive. Each byte is read once, however the head is cut, and a head that
//! exceeds a limit is refused before memory is spent on it.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use memchr::memchr;

use super::error::HandshakeError;
use crate::extension::is_token_byte;

/// Limits on the head of a request or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The most bytes, from the first line to the empty line, both included. The default is 8 KiB, like that of common
    /// servers and proxies; Chrome sends some 500 bytes and its cookies.
    pub head_bytes: usize,
    /// The most headers. The default is 64, like that of [`HeaderSlots::new`](super::HeaderSlots::new); Chrome sends
    /// 14, and proxies add a few.
    pub headers: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head_bytes: 8 * 1024, headers: 64 }
    }
}

/// Collects the head of a request or a response as it arrives, and says where the frames begin.
///
/// A head that arrives whole is returned as a part of the input: nothing is copied or allocated. A head that is cut is
/// collected in at most [`HeadLimits::head_bytes`] of memory. After a whole head, the next bytes begin another: a
/// client needs that for responses with status 1xx.
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

/// A whole head, which [`HeadBuffer::push`] returns.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The head with its empty line.
    pub bytes: &'a [u8],
    /// How many bytes of the last input belong to the head. The bytes after them are frames of a peer that did not
    /// wait, or the body of a response other than 101; the host passes them on.
    pub consumed: usize,
}

#[cfg(feature = "alloc")]
impl HeadBuffer {
    /// An empty buffer. It allocates only if a head is cut.
    #[must_use]
    pub const fn new(limits: HeadLimits) -> Self {
        Self { limits, scanner: HeadScanner::new(limits), kept: Vec::new() }
    }

    /// Takes bytes that were received, up to the end of the head. `None`: it took all of them and needs more.
    ///
    /// # Errors
    /// Those of [`HeadScanner::feed`]. Every further call returns the same error.
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

    /// How many bytes of a head that is cut have been collected.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.scanner.is_done() { 0 } else { self.kept.len() }
    }

    /// Whether the next byte is the first of a head.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `bytes`, which the scanner accepted. Capacity doubles, but not beyond the limit.
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.kept.len() + bytes.len();
        if needed > self.kept.capacity() {
            let room = needed.max(2 * self.kept.capacity()).max(512).min(self.limits.head_bytes);
            self.kept.reserve_exact(room.max(needed) - self.kept.len());
        }
        self.kept.extend_from_slice(bytes);
    }
}

/// Finds the end of a head that arrives in pieces, without keeping them: for a host with a buffer of its own. Each
/// piece is passed in once, in order.
///
/// Before the head is whole, it already checks the limits, the line endings, and that each line begins like a token. So
/// a peer that does not speak HTTP is refused at once. A TLS client on a plain port is refused by its first byte.
///
/// ```
/// use framewire::handshake::{HandshakeError, HeadScanner, HeadLimits};
///
/// let mut scanner = HeadScanner::new(HeadLimits::default());
/// assert_eq!(scanner.feed(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r")?, None);
/// assert_eq!(scanner.feed(b"\n\x81\x80")?, Some(1)); // frames begin after the first byte
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
    /// Its complete lines, without the empty ones before the first.
    lines: usize,
    /// Bytes of the incomplete line.
    line: usize,
    /// The last byte so far.
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

    /// Reads the next bytes. `Some(n)`: the head ends with the first `n` of them. `None`: all of them belong to the
    /// head. After the end, every further call returns `Some(0)`.
    ///
    /// # Errors
    /// Every further call returns the same error.
    ///
    /// - [`HandshakeError::HeadTooLong`], [`HandshakeError::TooManyHeaders`]: the head exceeds the limits.
    /// - [`HandshakeError::InvalidLineEnding`]: a line does not end with CR LF (RFC 9112 §2.2).
    /// - [`HandshakeError::InvalidRequestLine`], [`HandshakeError::FoldedHeader`], [`HandshakeError::InvalidHeader`]:
    ///   the first line, or a header, does not begin with a token (RFC 9112 §3, §5.2, §5.1).
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

    /// The length of the head so far, in bytes; of the whole head once its end was found.
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
        // A head that fills the limit without ending cannot end within it.
        if within == room { Err(HandshakeError::HeadTooLong) } else { Ok(None) }
    }

    /// Takes the rest of a line, and returns whether the line ends the head.
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

    /// Takes bytes of a line, but not its LF.
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
