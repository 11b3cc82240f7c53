//! Levels 2 and 3, both roles: the same bytes, whole, cut, and byte by byte, give the same frames, messages, replies and
//! error, and those that a slow reader of RFC 6455 demands.

use crate::cost;
use crate::input::{Input, Pieces};
use framewire::{Client, Connection, Limits, Role, Server};
use framewire_testing::{
    host::{Outcome, decode, decoders, play},
    rfc6455::{decoded, oracle, rsv},
    wire::to,
};

/// Options, pieces, and bytes: as they are on the wire, or as the frames that the peer of a role would send.
pub fn check(input: &[u8]) {
    cost::check("decoder", input);
    let mut input = Input::new(input);
    let options = input.byte();
    let pieces = input.pieces();
    let limits = [
        Limits::NONE,
        Limits::SERVER,
        Limits { frame: 16, message: u64::MAX },
        Limits { frame: u64::MAX, message: 100 },
    ][usize::from(options & 3)];
    let rest = input.rest();
    if options & 0x80 == 0 {
        levels(rest, pieces);
        same::<Server>(rest, pieces, limits, options);
        same::<Client>(rest, pieces, limits, options);
    } else {
        same::<Server>(&frames::<Server>(rest), pieces, limits, options);
        same::<Client>(&frames::<Client>(rest), pieces, limits, options);
    }
}

/// Frames, each of a first byte, a length and a payload, so that the fuzzer need not find valid masks and lengths.
pub(crate) fn frames<S: Role>(plan: &[u8]) -> Vec<u8> {
    let mut plan = Input::new(plan);
    let mut wire = Vec::new();
    while !plan.is_empty() {
        let first = plan.byte();
        wire.extend(to::<S>(first, plan.block()));
    }
    wire
}

/// Level 2.
fn levels(wire: &[u8], pieces: Pieces<'_>) {
    for (decoder, unmask) in decoders() {
        let expected = decoded(wire, unmask);
        for cuts in ways(wire.len(), pieces) {
            assert_eq!(decode(decoder.clone(), wire, &cuts), expected, "cut at {cuts:?}");
        }
    }
}

/// Level 3. Options at the place of the reserved bits say which of these an extension may set.
fn same<S: Role>(wire: &[u8], pieces: Pieces<'_>, limits: Limits, options: u8) {
    let expected: Outcome = oracle::<S>(wire, limits, rsv(options));
    for cuts in ways(wire.len(), pieces) {
        let mut conn = Connection::<S>::new().with_limits(limits).with_extension_bits(rsv(options));
        assert_eq!(play(&mut conn, wire, &cuts), expected, "cut at {cuts:?}");
    }
}

/// Whole, in the given pieces, and byte by byte (unless that takes too long).
fn ways(len: usize, pieces: Pieces<'_>) -> [Vec<usize>; 3] {
    [Vec::new(), pieces.cuts(len), (1..len.min(1 << 10)).collect()]
}
