//! A stage (feature `std`): the slices of a vectored write that continues after a partial write.

use std::io::{self, IoSlice};

/// Fills `slices` with the bytes of `pieces` that follow the first `written` ones, and returns the slices that it
/// filled. Empty pieces take no slice.
///
/// If `slices` is too short, write what was returned, and call again for the rest. The host only has to keep the count
/// of the bytes written.
///
/// ```
/// use framewire::{Connection, Server, Unmasked, vectored::io_slices};
/// use std::io::{IoSlice, Write};
///
/// let mut connection = Connection::<Server>::new();
/// let texts = ["one", "two"];
/// let headers = [connection.text_header(texts[0], Unmasked)?, connection.text_header(texts[1], Unmasked)?];
/// let pieces = [&headers[0][..], texts[0].as_bytes(), &headers[1][..], texts[1].as_bytes()];
/// let total: usize = pieces.iter().map(|piece| piece.len()).sum();
///
/// let mut socket = Vec::new(); // it takes all; others take less
/// let mut written = 0;
/// while written < total {
///     let mut slices = [IoSlice::new(&[]); 64];
///     let slices = io_slices(pieces, written, &mut slices);
///     written += socket.write_vectored(slices)?;
/// }
/// assert_eq!(socket, b"\x81\x03one\x81\x03two");
/// # Ok::<(), Box<dyn std::error::Error>>(())
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

/// Calls again if a signal interrupted the call.
#[inline(always)]
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
