//! Level 2: turns a stream of bytes, cut anywhere, into the chunks of its frames. It remembers only the current header
//! and its position in the payload.

use crate::{
    error::ProtocolError,
    frame::{Header, clamp, split_front},
    mask::{self, Key},
};
use core::mem;

/// Decodes a stream of frames in place, for proxies, sniffers and load generators, which need no protocol state.
///
/// It checks each header by itself, as [`Header::parse`] does. [`Connection`](crate::Connection) also checks roles,
/// fragments, UTF-8 and limits.
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
    /// How many bytes of the current frame's payload have not arrived yet.
    remaining: u64,
    /// The bytes of the current frame's header that have arrived. As bytes, an incomplete header and a complete one
    /// share this place.
    head: [u8; Header::MAX_LEN],
    head_len: u8,
    unmask: bool,
}

/// Bytes of one frame's payload, as they arrived. A frame without payload gives one empty chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk<'b> {
    /// The header of the frame.
    pub header: Header,
    /// The position of the bytes in the frame's payload: 0 for the first chunk.
    pub offset: u64,
    /// The bytes: unmasked, or as they are on the wire if the decoder is a [pass-through](Decoder::pass_through).
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

    /// The key of these bytes: the frame's key, [advanced](Key::advance) to their position in the payload. It is zero
    /// if the frame is not masked.
    #[inline]
    pub fn key(&self) -> Key {
        advance(self.header.key.unwrap_or_default(), self.offset)
    }

    /// The key that changes the mask of these bytes, as they are on the wire, to the frame key `new`. With it, a proxy
    /// unmasks and masks again in one pass.
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
    /// How many bytes of a payload that has no room in the receive buffer are read there: enough that the rest can be read
    /// into memory of its own, which is no larger than what has arrived.
    const START: u64 = 16 << 10;

    /// The least that is wanted. If it were a header alone, a peer could send one large frame, and then have its short frames
    /// read one by one.
    const LEAST: u64 = 1 << 10;

    /// A decoder at the start of a stream. It unmasks payload in place.
    #[inline]
    pub const fn new() -> Self {
        Self { remaining: 0, head: [0; Header::MAX_LEN], head_len: 0, unmask: true }
    }

    /// A decoder at the start of a stream that leaves payload as it is on the wire, for example for a proxy that
    /// changes the key in one pass ([`Chunk::key_to`]).
    #[inline]
    pub const fn pass_through() -> Self {
        Self { unmask: false, ..Self::new() }
    }

    /// Takes the next chunk off the front of `input`. After `Ok(None)`, `input` is empty.
    ///
    /// # Errors
    /// As [`Header::parse`]. The start of the next frame is then unknown, so the rest of the stream is useless. `input`
    /// is unchanged, and a further call with it returns the same error.
    #[inline]
    pub fn decode<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Chunk<'b>>, ProtocolError> {
        // The straight path: nothing to remember, and the next frame is whole in `input`.
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

    /// How many bytes of the current frame's payload have not arrived yet; 0 between frames.
    #[inline]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether the next byte is the first of a frame.
    #[inline]
    pub const fn is_between_frames(&self) -> bool {
        self.head_len == 0
    }

    /// Everything but the straight path: continues a frame that was cut, and remembers one that is cut now.
    #[cold]
    #[inline(never)]
    fn resume<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Chunk<'b>>, ProtocolError> {
        let header = match self.current() {
            Some(header) => Some(header),
            None => self.next_header(input)?,
        };
        Ok(header.and_then(|header| self.next_chunk(header, input)))
    }

    /// How many bytes of the current frame's payload have not arrived yet, if it is a data frame. The first byte of the
    /// header says so.
    #[inline]
    pub(crate) const fn remaining_data(&self) -> u64 {
        if self.head[0] & 0x08 == 0 { self.remaining } else { 0 }
    }

    /// How many bytes the next read should ask for: see [`Connection::want`](crate::Connection::want). `masked` says whether
    /// frames have a key.
    ///
    /// `head` has the header of the last frame that was cut. One byte of it says whether the length took eight more.
    #[inline]
    pub(crate) fn want(&self, masked: bool, room: usize) -> usize {
        if self.head[1] == if masked { 0xFF } else { 0x7F } { self.want_frames(masked, room) } else { room }
    }

    /// A header that is cut itself has some bytes of an older one: the advice may be poor then, once.
    #[cold]
    #[inline(never)]
    fn want_frames(&self, masked: bool, room: usize) -> usize {
        let [_, _, len @ .., _, _, _, _] = self.head;
        let (head, payload) = (if masked { 14 } else { 10 }, u64::from_be_bytes(len));
        let has_room = payload.saturating_add(head) <= room as u64;
        let arrived = payload.saturating_sub(self.remaining);
        if has_room || self.remaining > room as u64 && arrived >= Self::START {
            return room;
        }
        let want = if self.remaining > room as u64 { Self::START - arrived } else { self.remaining + head };
        clamp(want.max(Self::LEAST), room)
    }

    /// Takes all of `input` and returns it with its key, if it is less than the current frame still lacks; otherwise
    /// returns `None`. `masked` says whether the frame has a key.
    ///
    /// A few bytes of the header are enough for this, so it is not parsed.
    #[inline]
    pub(crate) fn inside<'b>(
        &mut self,
        masked: bool,
        input: &mut &'b mut [u8],
    ) -> Option<(Key, &'b mut [u8])> {
        let remaining = self.remaining.checked_sub(input.len() as u64).filter(|&left| left > 0)?;
        let key = if masked {
            // The key is at the end of the header. The byte before it is the last of the length: its lowest bits say
            // which byte of the key is next.
            let (rest, key) = self.head.get(..self.head_len.into())?.split_last_chunk()?;
            Key::new(*key).advance(rest.last()?.wrapping_sub(self.remaining as u8).into())
        } else {
            Key::default()
        };
        self.remaining = remaining;
        Some((key, mem::take(input)))
    }

    /// The header of the current frame, if some of its payload has not arrived yet.
    pub(crate) fn current(&self) -> Option<Header> {
        if self.remaining == 0 {
            return None;
        }
        Header::parse(&self.head).ok().flatten()
    }

    /// Takes the next header: the bytes of it that were kept, and those at the front of `input`. Keeps it if it, or its
    /// payload, is cut.
    ///
    /// If it returns a header, the caller must take the frame's first chunk at once, from the same input.
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

    /// Takes the bytes of the current frame's payload that `input` has. `header` is the current frame's.
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

/// The key at `offset` in a payload, which may be longer than memory.
#[inline]
fn advance(key: Key, offset: u64) -> Key {
    key.advance((offset % 4) as usize)
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framewire_testing::miri::thin;

    /// `inside` does not parse the header. At every place in a payload, and with every form of the header, it gives the key
    /// that the definition gives; it takes all of the input if the frame goes on behind it, and else nothing.
    #[test]
    fn the_key_inside_a_frame_at_every_place() {
        let short = (1..=125).map(|len| (len, 0..len));
        let long = [126, 127, 255, 256, 300, 65_535, 65_536, 65_791, 1 << 32, i64::MAX as u64];
        let long = long.map(|len| (len, 0..len.min(600))).into_iter();
        let ends = [65_536, 1 << 32, i64::MAX as u64].map(|len| (len, len - 600..len)).into_iter();
        let key = Key::new([0x37, 0xfa, 0x21, 0x3d]);
        for (payload_len, places) in thin(23, short.chain(long).chain(ends)) {
            for (frame_key, place) in places.flat_map(|place| [(None, place), (Some(key), place)]) {
                let header = Header {
                    fin: true,
                    rsv: crate::Rsv::NONE,
                    opcode: crate::Opcode::Binary,
                    key: frame_key,
                    payload_len,
                };
                let mut decoder = Decoder::new();
                let mut head = [0; Header::MAX_LEN];
                let head = &mut head[..header.wire_len()];
                head.copy_from_slice(&header.encode());
                assert_eq!(decoder.next_header(&mut &mut head[..]), Ok(Some(header)));
                decoder.remaining = payload_len - place;
                let left = decoder.remaining;
                for len in [1, 2, 3, 5, 8, 127] {
                    let mut decoder = decoder.clone();
                    let mut bytes = [7; 127];
                    let mut input = &mut bytes[..len];
                    let taken = decoder.inside(frame_key.is_some(), &mut input);
                    if len as u64 >= left {
                        assert!(taken.is_none() && input.len() == len && decoder.remaining == left);
                        continue;
                    }
                    let (found, taken) = taken.expect("the frame goes on behind the input");
                    assert_eq!(
                        found,
                        advance(frame_key.unwrap_or_default(), place),
                        "{payload_len} at {place}"
                    );
                    assert_eq!((taken.len(), input.len(), decoder.remaining), (len, 0, left - len as u64));
                }
            }
        }
    }
}
