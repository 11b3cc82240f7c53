//! Writing heads: into a buffer of the caller's or a new `Vec`, with nothing in them that the caller did not mean.

use core::fmt::{self, Write};

use super::BuildError;
use super::headers::{is_token, is_value};

/// Extra headers, name and value, as callers give them.
pub(super) type Extra<'a> = &'a [(&'a str, &'a str)];

/// A head that can be written.
pub(super) trait Message {
    /// Whether all that the caller put in may be sent.
    fn validate(&self) -> Result<(), BuildError>;

    /// Writes it.
    fn write(&self, out: &mut dyn Write) -> fmt::Result;
}

/// Writes `message` at the start of `buffer`, and returns its length.
pub(super) fn write_to(message: &impl Message, buffer: &mut [u8]) -> Result<usize, BuildError> {
    message.validate()?;
    let mut out = Bounded { buffer, needed: 0 };
    let written = message.write(&mut out);
    debug_assert!(written.is_ok(), "the sink takes everything");
    let Bounded { buffer, needed } = out;
    if needed > buffer.len() { Err(BuildError::BufferTooSmall { needed }) } else { Ok(needed) }
}

/// Writes `message` to a new `Vec`.
#[cfg(feature = "alloc")]
pub(super) fn to_vec(message: &impl Message) -> Result<alloc::vec::Vec<u8>, BuildError> {
    message.validate()?;
    let mut out = alloc::string::String::with_capacity(256);
    let written = message.write(&mut out);
    debug_assert!(written.is_ok(), "the sink takes everything");
    Ok(out.into_bytes())
}

/// Refuses extra headers that are none, or are `reserved`: a name, or, with a `*` at the end, the start of one.
pub(super) fn check_extra(extra: Extra<'_>, reserved: &[&str]) -> Result<(), BuildError> {
    for (name, value) in extra {
        if !is_token(name.as_bytes()) || !is_value(value.as_bytes()) {
            return Err(BuildError::InvalidHeader);
        }
        let is_reserved = |reserved: &&str| match reserved.strip_suffix('*') {
            Some(start) => name.get(..start.len()).is_some_and(|name| name.eq_ignore_ascii_case(start)),
            None => name.eq_ignore_ascii_case(reserved),
        };
        if reserved.iter().any(is_reserved) {
            return Err(BuildError::ReservedHeader);
        }
    }
    Ok(())
}

pub(super) fn write_extra(extra: Extra<'_>, out: &mut dyn Write) -> fmt::Result {
    extra.iter().try_for_each(|(name, value)| write!(out, "{name}: {value}\r\n"))
}

/// Writes one header whose value is a list, unless the list is empty.
pub(super) fn write_list<T: fmt::Display>(
    name: &str,
    list: impl IntoIterator<Item = T>,
    out: &mut dyn Write,
) -> fmt::Result {
    let mut any = false;
    for element in list {
        if any {
            write!(out, ", {element}")?;
        } else {
            write!(out, "{name}: {element}")?;
        }
        any = true;
    }
    if any { out.write_str("\r\n") } else { Ok(()) }
}

/// Writes what fits and counts the rest.
struct Bounded<'a> {
    buffer: &'a mut [u8],
    needed: usize,
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.needed + text.len();
        if let Some(room) = self.buffer.get_mut(self.needed..end) {
            room.copy_from_slice(text.as_bytes());
        }
        self.needed = end;
        Ok(())
    }
}
