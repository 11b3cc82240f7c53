//! Level 2: a stream of bytes, cut anywhere, to the chunks of its frames. Remembers only a header that was cut and
//! where in a payload it stands.

use crate::{
    error::ProtocolError,
    frame::{Header, clamp, split_front},
    mask::{self, Key},
};
use core::mem;

/// Decodes a stream of frames in place; for proxies, sniffers and load generators, which need no protocol state.
///
/// It checks what a header alone can get wrong ([`Header::parse`]) and nothing else: for roles, fragments, UTF-8
/// and limits see [`Connection`](crate::Connection).
///
/// ```
/// use framewire::{Decoder, Opcode};
///
/// let mut wire = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut decoder = Decoder::new();
/// let mut text = Vec::new();
/// for bytes in wire.chunks_mut(4) {
///     let mut input = bytes; // as it happened to arrive
///     while let Some(chunk) = decoder.decode(&mut input)? {
///         assert_eq!(chunk.header.opcode, Opcode::Text);
///         text.extend_from_slice(chunk.bytes);
///     }
/// }
/// assert_eq!(text, b"Hello");
/// # Ok::<(), framewire::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    /// Bytes of the current frame's payload that have not arrived yet.
    remaining: u64,
    /// The current frame's header as it stood on the wire, as far as it has arrived: kept in this form, the one
    /// that was cut and the one that is complete share their place.
    head: [u8; Header::MAX_LEN],
    head_len: u8,
    unmask: bool,
}

/// Bytes of one frame's payload, as they happened to arrive. A frame without payload gives one empty chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk<'b> {
    /// The header of the frame.
    pub header: Header,
    /// Where in the frame's payload the bytes stand: 0 for the first chunk.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'b mut [u8],
}

impl Chunk<'_> {
    /// Whether this is the frame's first chunk.
    #[inline]
    pub const fn is_first(&self) -> bool {
        self.offset == 0
    }

    /// Whether this is the frame's last chunk.
    #[inline]
    pub const fn is_last(&self) -> bool {
        self.header.payload_len.wrapping_sub(self.offset) == self.bytes.len() as u64
    }

    /// The key of these very bytes: the frame's, [advanced](Key::advance) to where they stand in the payload; zero
    /// where the frame is not masked.
    #[inline]
    pub fn key(&self) -> Key {
        advance(self.header.key.unwrap_or_default(), self.offset)
    }

    /// The key that takes these bytes, as they stand on the wire, to what `new` masks the frame with: for a proxy,
    /// which unmasks and masks again in one pass.
    ///
    /// ```
    /// use framewire::{Decoder, mask::{self, Key}};
    ///
    /// let new = Key::new([1, 2, 3, 4]);
    /// let mut wire = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    /// let mut decoder = Decoder::pass_through();
    /// let mut relayed = Vec::new();
    /// for mut input in wire.chunks_mut(8) {
    ///     while let Some(chunk) = decoder.decode(&mut input)? {
    ///         mask::apply(chunk.key_to(new), chunk.bytes);
    ///         relayed.extend_from_slice(chunk.bytes);
    ///     }
    /// }
    /// mask::apply(new, &mut relayed);
    /// assert_eq!(relayed, b"Hello");
    /// # Ok::<(), framewire::ProtocolError>(())
    /// ```
    #[inline]
    pub fn key_to(&self, new: Key) -> Key {
        self.key().combine(advance(new, self.offset))
    }
}

impl Decoder {
    /// A decoder at the start of a stream, which unmasks payload in place.
    #[inline]
    pub const fn new() -> Self {
        Self { remaining: 0, head: [0; Header::MAX_LEN], head_len: 0, unmask: true }
    }

    /// A decoder that leaves payload as it stands on the wire.
    ///
    /// A proxy takes a chunk from one side's key to the other's in one pass: [`Chunk::key_to`].
    #[inline]
    pub const fn pass_through() -> Self {
        Self { unmask: false, ..Self::new() }
    }

    /// Takes the next chunk off the front of `input`; after `None`, `input` is empty.
    ///
    /// # Errors
    /// As [`Header::parse`]. The stream has lost its frames then: nothing that follows means anything. Nothing is
    /// taken off `input`, and whoever presents it again gets the same error.
    #[inline]
    pub fn decode<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Chunk<'b>>, ProtocolError> {
        // The straight path: nothing to remember, and the next frame is here whole.
        if self.head_len == 0 {
            if let Some(header) = Header::parse(input)? {
                let head = header.wire_len();
                if header.payload_len <= (input.len() - head) as u64 {
                    split_front(input, head);
                    let bytes = split_front(input, clamp(header.payload_len, input.len()));
                    return Ok(Some(self.chunk(header, 0, bytes)));
                }
            }
        }
        if input.is_empty() {
            return Ok(None);
        }
        self.resume(input)
    }

    /// Bytes of the current frame's payload that have not arrived yet: 0 between frames.
    #[inline]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether the stream stands between two frames.
    #[inline]
    pub const fn is_between_frames(&self) -> bool {
        self.head_len == 0
    }

    /// Everything but the straight path: finishes what was cut, remembers what is cut now.
    #[cold]
    #[inline(never)]
    fn resume<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Chunk<'b>>, ProtocolError> {
        let header = match self.current() {
            Some(header) => Some(header),
            None => self.next_header(input)?,
        };
        Ok(header.and_then(|header| self.next_chunk(header, input)))
    }

    /// Bytes that the current frame still lacks, where it is a frame of data: its opcode is in the header's first byte,
    /// which can be asked without the rest.
    #[inline]
    pub(crate) const fn remaining_data(&self) -> u64 {
        if self.head[0] & 0x08 == 0 { self.remaining } else { 0 }
    }

    /// Takes all of `input`, which is less than the current frame lacks, and gives the key that masks it; nothing where it
    /// is not less. `masked`: the frame is known to have a key.
    ///
    /// It does without the header, of which a few bytes are enough.
    #[inline]
    pub(crate) fn inside<'b>(
        &mut self,
        masked: bool,
        input: &mut &'b mut [u8],
    ) -> Option<(Key, &'b mut [u8])> {
        let remaining = self.remaining.checked_sub(input.len() as u64).filter(|&left| left > 0)?;
        let key = if masked {
            // Behind the length, whose lowest bits are in the byte before, and say which byte of the key is next.
            let (rest, key) = self.head.get(..self.head_len.into())?.split_last_chunk()?;
            Key::new(*key).advance(rest.last()?.wrapping_sub(self.remaining as u8).into())
        } else {
            Key::default()
        };
        self.remaining = remaining;
        Some((key, mem::take(input)))
    }

    /// The header of the frame in whose payload the stream stands.
    pub(crate) fn current(&self) -> Option<Header> {
        if self.remaining == 0 {
            return None;
        }
        Header::parse(&self.head).ok().flatten()
    }

    /// Takes the next header, from what was kept of it and the front of `input`, and keeps it where it, or
    /// its payload, is cut.
    ///
    /// Once it is whole, the frame's first chunk is to be taken at once, from the same input: until then, nothing else
    /// knows the header.
    pub(crate) fn next_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, ProtocolError> {
        if self.head_len == 0 {
            if let Some(header) = Header::parse(input)? {
                let head = split_front(input, header.wire_len());
                if header.payload_len > input.len() as u64 {
                    self.head[..head.len()].copy_from_slice(head); // for the chunks that are still to come
                }
                self.head_len = head.len() as u8;
                self.remaining = header.payload_len;
                return Ok(Some(header));
            }
        }
        let kept = usize::from(self.head_len);
        let fresh = input.len().min(Header::MAX_LEN - kept);
        self.head[kept..kept + fresh].copy_from_slice(&input[..fresh]);
        let header = Header::parse(&self.head[..kept + fresh])?;
        let head_len = header.map_or(kept + fresh, |header| header.wire_len());
        split_front(input, head_len - kept);
        self.head_len = head_len as u8;
        self.remaining = header.map_or(0, |header| header.payload_len);
        Ok(header)
    }

    /// Takes what `input` holds of the payload of the frame with this header, the current one.
    pub(crate) fn next_chunk<'b>(&mut self, header: Header, input: &mut &'b mut [u8]) -> Option<Chunk<'b>> {
        if input.is_empty() && self.remaining != 0 {
            return None;
        }
        let offset = header.payload_len - self.remaining;
        let bytes = split_front(input, clamp(self.remaining, input.len()));
        self.remaining -= bytes.len() as u64;
        if self.remaining == 0 {
            self.head_len = 0;
        }
        Some(self.chunk(header, offset, bytes))
    }

    #[inline]
    fn chunk<'b>(&self, header: Header, offset: u64, bytes: &'b mut [u8]) -> Chunk<'b> {
        let chunk = Chunk { header, offset, bytes };
        if self.unmask && header.key.is_some() {
            mask::apply(chunk.key(), chunk.bytes);
        }
        chunk
    }
}

/// The key for what stands `offset` bytes into a payload that may be longer than memory.
#[inline]
fn advance(key: Key, offset: u64) -> Key {
    key.advance((offset % 4) as usize)
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}
