//! Control frames by value (RFC 6455 §5.5): at most 125 bytes of payload, so that they need no buffer of the host's.

use crate::{
    close::Close,
    frame::{Header, Opcode, Rsv},
    mask::{self, Key},
};
use core::{fmt, ops};

/// The most bytes that the payload of a control frame may have (RFC 6455 §5.5).
pub(crate) const MAX_PAYLOAD: usize = 125;

/// The payload of a control frame that arrived, unmasked. Dereferences to the bytes.
#[derive(Clone, Copy)]
pub struct Control {
    bytes: [u8; MAX_PAYLOAD],
    len: u8,
}

impl Control {
    /// A copy of `payload`, as far as it fits.
    pub(crate) fn new(payload: &[u8]) -> Self {
        let mut control = Self { bytes: [0; MAX_PAYLOAD], len: 0 };
        control.push(payload);
        control
    }

    /// Appends `payload`, as far as it fits.
    pub(crate) fn push(&mut self, payload: &[u8]) {
        let have = self.len();
        let fits = payload.len().min(MAX_PAYLOAD - have);
        self.bytes[have..have + fits].copy_from_slice(&payload[..fits]);
        self.len += fits as u8;
    }

    /// What a close frame says: its code and reason.
    ///
    /// The payload of an [`Event::Close`](crate::Event::Close) was checked before the event came out; on any
    /// other payload, what does not read as a close is one without a code.
    pub fn as_close(&self) -> Close<'_> {
        Close::parse(self).unwrap_or(Close::NONE)
    }
}

impl ops::Deref for Control {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len).min(MAX_PAYLOAD)]
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Control").field(&&**self).finish()
    }
}

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Control {}

/// Where the payload of a control frame waits while it is cut. Where there is an allocator, an idle connection
/// should not carry 125 bytes for that: the one allocation below the assembler.
#[derive(Clone, Debug)]
pub(crate) struct Spill {
    #[cfg(feature = "alloc")]
    control: Option<alloc::boxed::Box<Control>>,
    #[cfg(not(feature = "alloc"))]
    control: Option<Control>,
}

impl Spill {
    pub(crate) const fn new() -> Self {
        Self { control: None }
    }

    /// Keeps `payload` behind what is kept already.
    pub(crate) fn push(&mut self, payload: &[u8]) {
        match &mut self.control {
            Some(control) => control.push(payload),
            None => self.control = Some(Control::new(payload).into()),
        }
    }

    /// What was kept, and `payload` behind it.
    pub(crate) fn take(&mut self, payload: &[u8]) -> Control {
        match self.control.take() {
            None => Control::new(payload),
            #[cfg_attr(not(feature = "alloc"), allow(unused_mut))]
            Some(mut control) => {
                control.push(payload);
                #[cfg(feature = "alloc")]
                return *control;
                #[cfg(not(feature = "alloc"))]
                control
            }
        }
    }
}

/// A whole control frame for the host to write, header and payload: up to 131 bytes by value. Dereferences to the
/// bytes.
#[derive(Clone, Copy)]
pub struct ControlFrame {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl ControlFrame {
    /// The most bytes that a control frame takes: two of header, four of key, 125 of payload.
    pub const MAX_LEN: usize = 2 + 4 + MAX_PAYLOAD;

    /// A frame with this payload, which is no longer than [`MAX_PAYLOAD`].
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
