//! Level 1: a frame header as a value (RFC 6455 §5.2).
//!
//! ```text
//!  0               1               2               3
//!  7 6 5 4 3 2 1 0 7 6 5 4 3 2 1 0 7 6 5 4 3 2 1 0 7 6 5 4 3 2 1 0
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R|opcode |M|   length    |  length, if 126: 16 bits       |
//! |I|S|S|S| (4)   |A|    (7)      |          if 127: 64 bits       |
//! |N|V|V|V|       |S|             |  in network order, fewest bytes|
//! | |1|2|3|       |K|             +-------------------------------+
//! +-+-+-+-+-------+-+-------------+  key, if MASK: 4 bytes         |
//! +-------------------------------+-------------------------------+
//! ```

use crate::{
    error::ProtocolError,
    mask::{self, Key},
};
use core::{fmt, mem, ops};

/// The kind of a frame (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// The next fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake (RFC 6455 §5.5.1).
    Close = 0x8,
    /// A ping (RFC 6455 §5.5.2).
    Ping = 0x9,
    /// A pong (RFC 6455 §5.5.3).
    Pong = 0xA,
}

impl Opcode {
    /// The opcode with these four bits; `None` if they are reserved.
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// The four bits on the wire.
    #[inline]
    pub const fn to_bits(self) -> u8 {
        self as u8
    }

    /// Whether this is a close, a ping or a pong (RFC 6455 §5.5).
    #[inline]
    pub const fn is_control(self) -> bool {
        self.to_bits() & 0x8 != 0
    }
}

/// The three reserved bits of a frame, which extensions give a meaning (RFC 6455 §5.2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit, for a frame without an extension.
    pub const NONE: Self = Self(0);
    /// The bit that permessage-deflate uses (RFC 7692 §6).
    pub const RSV1: Self = Self(0x40);
    /// The second bit.
    pub const RSV2: Self = Self(0x20);
    /// The third bit.
    pub const RSV3: Self = Self(0x10);

    const ALL: u8 = 0x70;

    /// Whether no bit is set.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `other` is set here.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl ops::BitOr for Rsv {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Rsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rsv({:03b})", self.0 >> 4)
    }
}

/// A frame header (RFC 6455 §5.2).
///
/// The RFC demands that the length is written in the fewest bytes, so the values of a header determine its size on the
/// wire.
///
/// ```
/// use framewire::{Header, Opcode, Rsv, mask::Key};
///
/// let wire = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let header = Header::parse(&wire)?.expect("a whole header");
/// assert_eq!(
///     header,
///     Header {
///         fin: true,
///         rsv: Rsv::NONE,
///         opcode: Opcode::Text,
///         key: Some(Key::new([0x37, 0xfa, 0x21, 0x3d])),
///         payload_len: 5,
///     }
/// );
/// assert_eq!(header.encode()[..], wire[..header.wire_len()]);
/// # Ok::<(), framewire::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// The kind of the frame.
    pub opcode: Opcode,
    /// The key that masks the payload. Frames from a client have one, frames from a server do not.
    pub key: Option<Key>,
    /// How many bytes of payload follow: less than 2⁶³.
    pub payload_len: u64,
}

impl Header {
    /// The most bytes of a header on the wire.
    pub const MAX_LEN: usize = 14;

    /// Parses the header at the start of `bytes`, which takes [`wire_len`](Self::wire_len) of them. Returns `None` if
    /// more bytes are needed.
    ///
    /// Bytes that are an error stay that error, whatever follows them. So the error does not depend on how the stream
    /// is cut.
    ///
    /// # Errors
    /// The header breaks a rule that needs neither the role nor the frames before it (RFC 6455 §5.2, §5.5):
    /// [`ProtocolError::ReservedOpcode`], [`ProtocolError::FragmentedControl`], [`ProtocolError::ControlTooLong`],
    /// [`ProtocolError::LengthNotMinimal`], [`ProtocolError::LengthOutOfRange`].
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let &[first, ref bytes @ ..] = bytes else { return Ok(None) };
        let Some(opcode) = Opcode::from_bits(first & 0xF) else { return Err(ProtocolError::ReservedOpcode) };
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl);
        }

        let &[second, ref bytes @ ..] = bytes else { return Ok(None) };
        let (payload_len, bytes) = match second & 0x7F {
            126.. if opcode.is_control() => return Err(ProtocolError::ControlTooLong),
            126 => {
                let Some((len, bytes)) = bytes.split_first_chunk() else { return Ok(None) };
                let len = u16::from_be_bytes(*len);
                if len < 126 {
                    return Err(ProtocolError::LengthNotMinimal);
                }
                (u64::from(len), bytes)
            }
            127 => {
                let Some((len, bytes)) = bytes.split_first_chunk() else { return Ok(None) };
                let len = u64::from_be_bytes(*len);
                if len >> 63 != 0 {
                    return Err(ProtocolError::LengthOutOfRange);
                }
                if len <= u64::from(u16::MAX) {
                    return Err(ProtocolError::LengthNotMinimal);
                }
                (len, bytes)
            }
            len => (u64::from(len), bytes),
        };

        let key = match second & 0x80 {
            0 => None,
            _ => match bytes.first_chunk() {
                Some(&key) => Some(Key::new(key)),
                None => return Ok(None),
            },
        };
        Ok(Some(Self { fin, rsv: Rsv(first & Rsv::ALL), opcode, key, payload_len }))
    }

    /// How many bytes the header takes on the wire: 2 to 14.
    #[inline]
    pub const fn wire_len(&self) -> usize {
        let length = match self.payload_len {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        };
        if self.key.is_some() { length + 4 } else { length }
    }

    /// The header as it goes on the wire (RFC 6455 §5.2). Its values are not checked.
    // Always inlined, like `message_header` and `fragment_header`: a call would return it through memory, stored in parts and
    // loaded as a whole, which stalls the CPU.
    #[inline(always)]
    pub const fn encode(&self) -> HeaderBytes {
        let first = ((self.fin as u8) << 7 | self.rsv.0 | self.opcode.to_bits()) as u64;
        let masked = (self.key.is_some() as u64) << 7;
        let len = self.payload_len;
        // Two numbers, in each of which the first byte is the lowest.
        let (mut low, mut high, mut end) = match len {
            0..=125 => (first | (masked | len) << 8, 0, 2),
            126..=0xFFFF => (first | (masked | 126) << 8 | ((len as u16).swap_bytes() as u64) << 16, 0, 4),
            _ => (first | (masked | 127) << 8 | len.swap_bytes() << 16, len.swap_bytes() >> 48, 10),
        };
        if let Some(key) = self.key {
            let key = u32::from_le_bytes(key.to_bytes()) as u64;
            match end {
                2 => low |= key << 16,
                4 => low |= key << 32,
                _ => high |= key << 16,
            }
            end += 4;
        }
        high |= end << 56;
        let mut bytes = [0; HeaderBytes::LEN + 1];
        [bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]] = low.to_le_bytes();
        [bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]] =
            high.to_le_bytes();
        HeaderBytes(bytes)
    }
}

/// An encoded header: up to 14 bytes by value. It dereferences to the bytes.
// The last byte is the length. Aligned, they are two numbers to the compiler, which keeps them in registers.
#[derive(Clone, Copy)]
#[must_use = "the connection counts this frame as sent: write the header, and then the payload"]
#[repr(align(8))]
pub struct HeaderBytes([u8; Self::LEN + 1]);

impl HeaderBytes {
    const LEN: usize = 15;

    /// Appends the bytes to `buffer`, faster than `extend_from_slice`: it copies a fixed number of bytes and then
    /// removes the surplus. So `buffer` grows unless it has room for 16 bytes.
    ///
    /// ```
    /// use framewire::{Connection, Server, Unmasked};
    ///
    /// let mut connection = Connection::<Server>::new();
    /// let mut tx = Vec::new();
    /// connection.text_header("Hello", Unmasked)?.append_to(&mut tx);
    /// tx.extend_from_slice(b"Hello");
    /// assert_eq!(tx, b"\x81\x05Hello");
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append_to(&self, buffer: &mut alloc::vec::Vec<u8>) {
        let end = buffer.len() + self.len();
        buffer.extend_from_slice(&self.0);
        buffer.truncate(end);
    }
}

impl ops::Deref for HeaderBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0[..usize::from(self.0[Self::LEN]).min(Header::MAX_LEN)]
    }
}

impl AsRef<[u8]> for HeaderBytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeaderBytes").field(&&**self).finish()
    }
}

impl PartialEq for HeaderBytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for HeaderBytes {}

/// Takes one whole frame off the front of `input`, and unmasks its payload in place. If the frame is not whole yet,
/// returns `None` and leaves `input` unchanged.
///
/// Only the header is checked, as by [`Header::parse`]. A [`Connection`](crate::Connection) also checks the rules that
/// depend on the role, on earlier frames and on limits.
///
/// ```
/// use framewire::{Opcode, frame};
///
/// let mut wire = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut input = &mut wire[..];
/// let (header, payload) = frame::take(&mut input)?.expect("a whole frame");
/// assert_eq!((header.opcode, &*payload), (Opcode::Text, &b"Hello"[..]));
/// assert!(input.is_empty());
/// # Ok::<(), framewire::ProtocolError>(())
/// ```
///
/// # Errors
/// As [`Header::parse`]; `input` is unchanged then.
#[inline]
pub fn take<'b>(input: &mut &'b mut [u8]) -> Result<Option<(Header, &'b mut [u8])>, ProtocolError> {
    let Some(header) = Header::parse(input)? else { return Ok(None) };
    let behind = (input.len() - header.wire_len()) as u64;
    if header.payload_len > behind {
        return Ok(None);
    }
    split_front(input, header.wire_len());
    let payload = split_front(input, clamp(header.payload_len, input.len()));
    if let Some(key) = header.key {
        mask::apply(key, payload);
    }
    Ok(Some((header, payload)))
}

/// Takes the first `n` bytes off the front of `input`, or all if there are fewer.
#[inline]
pub(crate) fn split_front<'b>(input: &mut &'b mut [u8], n: usize) -> &'b mut [u8] {
    let all = mem::take(input);
    let n = n.min(all.len());
    let (front, rest) = all.split_at_mut(n);
    *input = rest;
    front
}

/// The smaller of a length from the wire and a length in memory.
#[inline]
pub(crate) fn clamp(wire: u64, memory: usize) -> usize {
    usize::try_from(wire).map_or(memory, |wire| wire.min(memory))
}
