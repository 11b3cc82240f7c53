//! Control frames by value (RFC 6455 §5.5): with at most 125 bytes of payload, they need no buffer of the host.

use crate::{
    close::Close,
    frame::{Header, Opcode, Rsv},
    mask::{self, Key},
};
use core::{fmt, mem, ops};

/// The most bytes that the payload of a control frame may have (RFC 6455 §5.5).
pub(crate) const MAX_PAYLOAD: usize = 125;

/// The unmasked payload of a control frame that arrived. It dereferences to the bytes.
///
/// It borrows the host's receive buffer, as data does. If the frame was split across reads, it owns the bytes.
#[derive(Clone)]
pub struct Control<'b>(Bytes<'b>);

#[derive(Clone)]
enum Bytes<'b> {
    Lent(&'b [u8]),
    Kept(Kept),
}

// Events are passed by value. One control frame in a million is split across reads, and it must not make every event
// 125 bytes longer. Without an allocator there is no other place.
#[cfg(feature = "alloc")]
type Kept = alloc::boxed::Box<Payload>;
#[cfg(not(feature = "alloc"))]
type Kept = Payload;

#[cfg(feature = "alloc")]
fn keep(payload: &[u8]) -> Kept {
    Kept::new(Payload::new(payload))
}
#[cfg(not(feature = "alloc"))]
fn keep(payload: &[u8]) -> Kept {
    Payload::new(payload)
}

impl<'b> Control<'b> {
    pub(crate) const fn lent(payload: &'b [u8]) -> Self {
        Self(Bytes::Lent(payload))
    }

    /// The code and reason of a close frame (RFC 6455 §5.5.1).
    ///
    /// The payload of an [`Event::Close`](crate::Event::Close) is known to be valid. For a payload that is not, such as
    /// that of a ping, this returns a close without a code.
    pub fn as_close(&self) -> Close<'_> {
        Close::parse(self).unwrap_or(Close::NONE)
    }

    /// The same payload without the borrow of the receive buffer. With alloc, it is in a small box.
    pub fn into_owned(self) -> Control<'static> {
        Control(Bytes::Kept(match self.0 {
            Bytes::Lent(payload) => keep(payload),
            Bytes::Kept(kept) => kept,
        }))
    }
}

impl ops::Deref for Control<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Lent(payload) => payload,
            Bytes::Kept(kept) => kept.as_slice(),
        }
    }
}

impl fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Control").field(&&**self).finish()
    }
}

impl PartialEq for Control<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Control<'_> {}

/// The first bytes of a control frame's payload that is split across reads. A role says who has the memory for them.
#[expect(unnameable_types, reason = "only roles name it")]
pub trait Spill: Clone + Send + Sync + Unpin + 'static {
    /// The memory that the host lends for a call, if it is the host's.
    type Room<'b>: Default;

    /// No bytes.
    const EMPTY: Self;

    /// Appends `payload` to the bytes kept so far.
    fn push(&mut self, room: &mut Self::Room<'_>, payload: &[u8]);

    /// Takes the bytes kept so far, followed by `payload`.
    fn take<'b>(&mut self, room: Self::Room<'b>, payload: &'b [u8]) -> Control<'b>;
}

/// In the connection. With alloc, they are in a box, so that an idle connection does not hold 125 bytes for them.
#[derive(Clone, Debug)]
#[expect(unnameable_types, reason = "only roles name it")]
pub struct OwnSpill(Option<Kept>);

impl Spill for OwnSpill {
    type Room<'b> = ();

    const EMPTY: Self = Self(None);

    #[cold]
    #[inline(never)]
    fn push(&mut self, (): &mut (), payload: &[u8]) {
        match &mut self.0 {
            Some(kept) => kept.push(payload),
            None => self.0 = Some(keep(payload)),
        }
    }

    #[inline]
    fn take<'b>(&mut self, (): (), payload: &'b [u8]) -> Control<'b> {
        match self.0.take() {
            None => Control::lent(payload),
            Some(kept) => join(kept, payload),
        }
    }
}

/// A payload whose first bytes were kept.
#[cold]
#[inline(never)]
fn join<'b>(mut kept: Kept, payload: &[u8]) -> Control<'b> {
    kept.push(payload);
    Control(Bytes::Kept(kept))
}

/// In memory that the host lends to each call: for the C library, whose hosts have all memory. Says whether there are any.
#[derive(Clone, Debug)]
#[expect(unnameable_types, reason = "only roles name it")]
pub struct LentSpill(bool);

/// The memory that a host lends for a connection that has none of its own.
#[derive(Debug)]
pub struct ControlRoom(Payload);

impl ControlRoom {
    /// Room without bytes.
    pub const fn new() -> Self {
        Self(Payload { bytes: [0; MAX_PAYLOAD], len: 0 })
    }
}

impl Default for ControlRoom {
    fn default() -> Self {
        Self::new()
    }
}

impl Spill for LentSpill {
    type Room<'b> = Option<&'b mut ControlRoom>;

    const EMPTY: Self = Self(false);

    fn push(&mut self, room: &mut Self::Room<'_>, payload: &[u8]) {
        let Some(ControlRoom(kept)) = room else { return };
        if !self.0 {
            (self.0, kept.len) = (true, 0);
        }
        kept.push(payload);
    }

    fn take<'b>(&mut self, room: Self::Room<'b>, payload: &'b [u8]) -> Control<'b> {
        match room {
            Some(ControlRoom(kept)) if mem::take(&mut self.0) => {
                kept.push(payload);
                Control::lent(kept.as_slice())
            }
            _ => Control::lent(payload),
        }
    }
}

/// The payload of a control frame by value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload {
    bytes: [u8; MAX_PAYLOAD],
    len: u8,
}

impl Payload {
    /// A copy of as much of `payload` as fits.
    pub(crate) fn new(payload: &[u8]) -> Self {
        let mut copy = Self { bytes: [0; MAX_PAYLOAD], len: 0 };
        copy.push(payload);
        copy
    }

    /// Appends as much of `payload` as fits.
    pub(crate) fn push(&mut self, payload: &[u8]) {
        let have = self.as_slice().len();
        let fits = payload.len().min(MAX_PAYLOAD - have);
        self.bytes[have..have + fits].copy_from_slice(&payload[..fits]);
        self.len += fits as u8;
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len).min(MAX_PAYLOAD)]
    }
}

/// A whole control frame for the host to write, with header and payload: up to 131 bytes by value. It dereferences to
/// the bytes.
#[derive(Clone)]
#[must_use = "the peer waits for this frame: write it"]
pub struct ControlFrame {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl ControlFrame {
    /// The most bytes of a control frame: two of header, four of key, 125 of payload.
    pub const MAX_LEN: usize = 2 + 4 + MAX_PAYLOAD;

    /// A frame with this payload of at most [`MAX_PAYLOAD`] bytes.
    pub(crate) fn new(opcode: Opcode, key: Option<Key>, payload: &[u8]) -> Self {
        let len = payload.len().min(MAX_PAYLOAD);
        let head = Header { fin: true, rsv: Rsv::NONE, opcode, key, payload_len: len as u64 }.encode();
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..head.len()].copy_from_slice(&head);
        let body = &mut bytes[head.len()..head.len() + len];
        body.copy_from_slice(&payload[..len]);
        if let Some(key) = key {
            mask::apply(key, body);
        }
        Self { bytes, len: (head.len() + len) as u8 }
    }
}

impl ops::Deref for ControlFrame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len).min(Self::MAX_LEN)]
    }
}

impl AsRef<[u8]> for ControlFrame {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for ControlFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ControlFrame").field(&&**self).finish()
    }
}

impl PartialEq for ControlFrame {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ControlFrame {}
