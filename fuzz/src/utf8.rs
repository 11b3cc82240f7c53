//! Every way to validate text agrees with an oracle that reads a byte at a time, with simdutf8, and with the standard
//! library: the same verdict, at the same byte, with the same bytes unmasked, whole and in pieces.

use crate::cost;
use crate::input::{Input, Pieces, repeated};
use crate::room::Room;
use core::str;
use framewire::{
    internal::{Utf8Kernel, utf8_kernels},
    mask::Key,
    utf8::{self, Utf8Error, Validator},
};
use framewire_testing::{utf8::judge, wire::masked};

/// A key, an alignment, pieces, how often the first block is repeated, that block, and the rest.
pub fn check(input: &[u8]) {
    cost::check("utf8", input);
    let mut input = Input::new(input);
    let (key, align, pieces, times) = (input.bytes(), input.byte(), input.pieces(), input.byte());
    let unit = input.block();
    let text = [repeated(unit, unit.len() * usize::from(times % 64)), input.rest().to_vec()].concat();
    let (impossible, complete) = judge(&text);
    assert_eq!(str::from_utf8(&text).is_ok(), complete, "the oracles agree");
    for way in [Way::Public].into_iter().chain(utf8_kernels().map(Way::Kernel)) {
        whole(way, &text, key, align, impossible, complete);
        in_pieces(way, &text, key, align, pieces, impossible, complete);
    }
}

fn whole(way: Way, text: &[u8], key: [u8; 4], align: u8, impossible: Option<usize>, complete: bool) {
    let expected = match impossible {
        Some(position) => Err(position),
        None if !complete => Err(text.len()),
        None => Ok(text),
    };
    let mut room = Room::new(align, text);
    assert_eq!(position(way.validate(room.slice())), expected);
    let mut room = Room::new(align, &masked(key, text));
    assert_eq!(position(way.validate_masked(Key::new(key), room.slice())), expected);
    assert_eq!(room.content(), text, "unmasked, right or wrong");
}

fn in_pieces(
    way: Way,
    text: &[u8],
    key: [u8; 4],
    align: u8,
    pieces: Pieces<'_>,
    impossible: Option<usize>,
    complete: bool,
) {
    let (mut fed, mut unmasked) = (Validator::new(), Validator::new());
    let mut start = 0;
    for piece in pieces.of(text) {
        let end = start + piece.len();
        let expected = match impossible {
            Some(position) if position < end => Err(position - start),
            _ => Ok(()),
        };
        let key = Key::new(key).advance(start);
        assert_eq!(way.feed(&mut fed, piece).map_err(Utf8Error::position), expected);
        let mut room = Room::new(align, &masked(key.to_bytes(), piece));
        assert_eq!(way.feed_masked(&mut unmasked, key, room.slice()).map_err(Utf8Error::position), expected);
        assert_eq!(room.content(), piece, "unmasked, right or wrong");
        if expected.is_err() {
            break;
        }
        start = end;
    }
    assert_eq!((fed.finish().is_ok(), unmasked.finish().is_ok()), (complete, complete));
}

fn position(verdict: Result<&str, Utf8Error>) -> Result<&[u8], usize> {
    verdict.map(str::as_bytes).map_err(Utf8Error::position)
}

/// The public functions, or those of one kernel.
#[derive(Clone, Copy)]
enum Way {
    Public,
    Kernel(Utf8Kernel),
}

impl Way {
    fn validate(self, bytes: &[u8]) -> Result<&str, Utf8Error> {
        match self {
            Self::Public => utf8::validate(bytes),
            Self::Kernel(kernel) => kernel.validate(bytes),
        }
    }

    fn validate_masked(self, key: Key, bytes: &mut [u8]) -> Result<&str, Utf8Error> {
        match self {
            Self::Public => utf8::validate_masked(key, bytes),
            Self::Kernel(kernel) => kernel.validate_masked(key, bytes),
        }
    }

    fn feed(self, validator: &mut Validator, bytes: &[u8]) -> Result<(), Utf8Error> {
        match self {
            Self::Public => validator.feed(bytes),
            Self::Kernel(kernel) => kernel.feed(validator, bytes),
        }
    }

    fn feed_masked(self, validator: &mut Validator, key: Key, bytes: &mut [u8]) -> Result<(), Utf8Error> {
        match self {
            Self::Public => validator.feed_masked(key, bytes),
            Self::Kernel(kernel) => kernel.feed_masked(validator, key, bytes),
        }
    }
}
