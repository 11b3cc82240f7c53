//! A stage (std): frames and the bytes of them already written, to the slices of one vectored write.

use crate::frame::HeaderBytes;
use std::io::IoSlice;

/// A frame to be written: its header by value, its payload where it is.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The header.
    pub header: HeaderBytes,
    /// The payload, as it goes on the wire: a client's is masked already.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes that the frame takes on the wire.
    pub fn wire_len(&self) -> usize {
        self.header.len() + self.payload.len()
    }

    /// The bytes of the frame, in two pieces.
    pub fn pieces(&self) -> [&[u8]; 2] {
        [&self.header, self.payload]
    }
}

/// Fills `slices` with what is left of `pieces` when `written` of their bytes are on the wire, and gives the part of
/// it that was filled: right for every partial write. Empty pieces take no slice.
///
/// Where `slices` runs out first, the rest is the next call's. The count of written bytes is all the state there is.
///
/// ```
/// use framewire::{Connection, Server, vectored::{Frame, io_slices}};
/// use std::io::{IoSlice, Write};
///
/// let mut connection = Connection::<Server>::new();
/// let frames = ["one", "two"].map(|text| Frame {
///     header: connection.text(text).unwrap(),
///     payload: text.as_bytes(),
/// });
/// let total = frames.iter().map(Frame::wire_len).sum();
///
/// let mut socket = Vec::new(); // one that takes all; others take less
/// let mut written = 0;
/// while written < total {
///     let mut slices = [IoSlice::new(&[]); 64];
///     let slices = io_slices(frames.iter().flat_map(Frame::pieces), written, &mut slices);
///     written += socket.write_vectored(slices)?;
/// }
/// assert_eq!(socket, b"\x81\x03one\x81\x03two");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn io_slices<'a, 's>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    written: usize,
    slices: &'s mut [IoSlice<'a>],
) -> &'s [IoSlice<'a>] {
    let mut skip = written;
    let mut filled = 0;
    for piece in pieces {
        if filled == slices.len() {
            break;
        }
        if skip >= piece.len() {
            skip -= piece.len();
            continue;
        }
        slices[filled] = IoSlice::new(&piece[skip..]);
        skip = 0;
        filled += 1;
    }
    &slices[..filled]
}
