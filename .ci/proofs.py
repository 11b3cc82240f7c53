#!/usr/bin/env python3
"""Proves, for every value there is, what the arithmetic of masking and headers claims: `.ci/run proofs`.

Models of the code, a line of Rust for a line here, against the words of RFC 6455. A solver looks for a value for which
they differ. That the code is what is modelled, and the rest of it, is for the tests to show.
"""

import sys
from z3 import (And, BitVec, BitVecVal, Concat, Extract, If, Implies, LShR, Not, Or, RotateRight, Solver, UGE, ULE, ULT,
                ZeroExt, unsat)


def byte(word, i):
    """Byte `i` of a word as it lies in memory, little-endian."""
    return Extract(8 * i + 7, 8 * i, word)


def swap(word):
    """`swap_bytes`."""
    return Concat(*[byte(word, i) for i in range(word.size() // 8)])


def proves(what, claim):
    solver = Solver()
    solver.add(Not(claim))
    outcome = solver.check()
    print(f"{'proved' if outcome == unsat else 'NOT PROVED'}: {what}")
    if outcome != unsat:
        print(solver.model())
        sys.exit(1)


key, at = BitVec("key", 32), BitVec("at", 32)
phase = at & 3


def rfc_mask(i):
    """Byte `i` of the payload is masked with byte `i` mod 4 of the key (RFC 6455 §5.3)."""
    i = i & 3
    return If(i == 0, byte(key, 0), If(i == 1, byte(key, 1), If(i == 2, byte(key, 2), byte(key, 3))))


# Key::advance
advanced = RotateRight(key, 8 * phase)
proves("a key that is advanced masks what follows", And([byte(advanced, i) == rfc_mask(at + i) for i in range(4)]))

# Vector::masked: a register at any place, the key repeated.
for width in (4, 8, 16, 32):
    data = BitVec("data", 8 * width)
    masked = data ^ (Concat(*[advanced] * (width // 4)) if width > 4 else advanced)
    claim = And([byte(masked, i) == byte(data, i) ^ rfc_mask(at + i) for i in range(width)])
    proves(f"a vector of {width} bytes is masked as its bytes are, wherever it stands", claim)

# overlap: both vectors are loaded before either is stored, so bytes that both reach are masked once.
length = BitVec("length", 32)
tail = RotateRight(key, 8 * (length & 3))
proves(
    "the vector that ends where the payload ends takes the key that is advanced by the payload's length",
    And([byte(tail, i) == rfc_mask(length - 32 + i) for i in range(4)]),
)

# Key::combine
other, plain = BitVec("other", 32), BitVec("plain", 32)
proves("one pass takes a payload from one key to another", (plain ^ key) ^ (key ^ other) == plain ^ other)

# Header::encode, two words and a length; Header::parse of what it wrote.
first, masks, payload = BitVec("first", 8), BitVec("masks", 1), BitVec("payload", 64)
short, medium = ULE(payload, 125), ULE(payload, 0xFFFF)
bit = ZeroExt(63, masks) << 7
swapped16 = ZeroExt(48, swap(Extract(15, 0, payload)))
low = ZeroExt(56, first) | If(
    short,
    (bit | payload) << 8,
    If(medium, (bit | 126) << 8 | swapped16 << 16, (bit | 127) << 8 | swap(payload) << 16),
)
high = If(medium, BitVecVal(0, 64), LShR(swap(payload), 48))
wide = ZeroExt(32, key)
low = If(And(masks == 1, short), low | wide << 16, If(And(masks == 1, medium), low | wide << 32, low))
high = If(And(masks == 1, Not(medium)), high | wide << 16, high)
bytes_ = [byte(low, i) for i in range(8)] + [byte(high, i) for i in range(8)]
end = If(short, BitVecVal(2, 8), If(medium, BitVecVal(4, 8), BitVecVal(10, 8)))


def starting(at, n):
    """The `n` bytes from `at`, in network order."""
    return Concat(*bytes_[at : at + n])


sound = ULT(payload, 1 << 63)
proves("the first byte is the first byte", bytes_[0] == first)
proves("the mask bit is the second's first", Extract(7, 7, bytes_[1]) == masks)
seven = ZeroExt(1, Extract(6, 0, bytes_[1]))
read = If(seven == 126, ZeroExt(48, starting(2, 2)), If(seven == 127, starting(2, 8), ZeroExt(56, seven)))
proves("a length is read as it was written", Implies(sound, read == payload))
proves(
    "it is written in the fewest bytes",
    Implies(sound, And(Implies(seven == 126, UGE(payload, 126)), Implies(seven == 127, UGE(payload, 0x10000)))),
)
proves("its first bit is not set", Implies(And(sound, seven == 127), Extract(7, 7, bytes_[2]) == 0))
wire = swap(key)
proves(
    "the key stands behind it",
    Implies(
        And(sound, masks == 1),
        Or(
            And(end == 2, starting(2, 4) == wire),
            And(end == 4, starting(4, 4) == wire),
            And(end == 10, starting(10, 4) == wire),
        ),
    ),
)
