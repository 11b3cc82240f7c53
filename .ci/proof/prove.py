"""Proves functions of the codec as they were compiled: prove.py LIBRARY

angr executes the machine code on bytes of unknown value, along every path. A solver then shows that no value of these bytes
makes the result differ from a definition that is written here. No byte is chosen; only lengths and alignments are.
"""

import logging
import sys

for name in ("angr", "cle", "pyvex"):
    logging.getLogger(name).setLevel("CRITICAL")

import angr  # noqa: E402
from claripy import BVS, BVV, UGT, ULE, ULT, And, Concat, If, Not, Or  # noqa: E402

BYTES, RESULT = 0x100000, 0x200000  # where the bytes and the result are in the memory of the function
NONE, HEADER, RESERVED, FRAGMENTED, TOO_LONG, NOT_MINIMAL, OUT_OF_RANGE = range(7)


def main():
    project = angr.Project(sys.argv[1], auto_load_libs=False)
    headers(project)
    masking(project)


def ends(project, function, arguments, memory):
    """Runs a function along every path. Returns the states in which it ends."""
    options = {angr.options.ZERO_FILL_UNCONSTRAINED_REGISTERS, angr.options.ZERO_FILL_UNCONSTRAINED_MEMORY}
    address = project.loader.find_symbol(function).rebased_addr
    state = project.factory.call_state(address, *arguments, add_options=options)
    for at, value in memory:
        state.memory.store(at, value)
    run = project.factory.simulation_manager(state)
    run.run()
    left = {name: states for name, states in run.stashes.items() if states and name != "deadended"}
    if left or run.errored or not run.deadended:
        sys.exit(f"{function}{arguments}: some paths do not end: {left} {run.errored}")
    return run.deadended


def prove(state, pairs, where):
    """Ends the program if there are values for which the parts of a pair differ."""
    differ = [Or(*[found != expected for found, expected in pairs])]
    if state.solver.satisfiable(extra_constraints=differ):
        show = [tuple(hex(state.solver.eval(side, extra_constraints=differ)) for side in pair) for pair in pairs]
        sys.exit(f"{where}: wrong, found and expected: {show}")


def headers(project):
    """`Header::parse`, for all inputs: what follows the 14 bytes of the longest header is not read."""
    paths = 0
    for length in range(15):
        wire = [BVS(f"wire{i}", 8) for i in range(length)]
        memory = [(BYTES + i, byte) for i, byte in enumerate(wire)] + [(RESULT, BVV(0, 8 * 32))]
        expected = rfc6455(wire)
        for state in ends(project, "parse", (BYTES, length, RESULT), memory):
            paths += 1
            fields = [(0, 8), (8, 4), (12, 4), (16, 4), (20, 4), (24, 1)]
            found = [state.memory.load(RESULT + at, size, endness="Iend_LE") for at, size in fields]
            prove(state, list(zip(found, expected)), f"a header in {length} bytes")
    print(f"Header::parse: right for every value of 0 to 14 bytes, along {paths} paths", flush=True)


def rfc6455(wire):
    """RFC 6455 section 5.2: length, result, bytes of the header, whether it is masked, key, first byte."""

    def result(number):
        return (BVV(0, 64), BVV(number, 32), BVV(0, 32), BVV(0, 32), BVV(0, 32), BVV(0, 8))

    def choose(condition, yes, no):
        return tuple(If(condition, a, b) for a, b in zip(yes, no))

    def header(end, payload_len):
        def keyed(masked):
            wire_len = end + 4 * masked
            if len(wire) < wire_len:
                return result(NONE)
            key = Concat(*reversed(wire[end:wire_len])) if masked else BVV(0, 32)
            return (payload_len, BVV(HEADER, 32), BVV(wire_len, 32), BVV(masked, 32), key, wire[0])

        return choose(wire[1] & 0x80 != 0, keyed(1), keyed(0))

    if not wire:
        return result(NONE)
    known = Or(*[wire[0] & 15 == opcode for opcode in (0, 1, 2, 8, 9, 10)])
    control = wire[0] & 8 != 0
    rest = result(NONE)
    if len(wire) >= 2:
        length = wire[1] & 0x7F
        of_2_bytes = of_8_bytes = result(NONE)
        if len(wire) >= 4:
            value = Concat(*wire[2:4]).zero_extend(48)
            of_2_bytes = choose(ULT(value, 126), result(NOT_MINIMAL), header(4, value))
        if len(wire) >= 10:
            value = Concat(*wire[2:10])
            of_8_bytes = choose(ULE(value, 0xFFFF), result(NOT_MINIMAL), header(10, value))
            of_8_bytes = choose(value[63:63] == 1, result(OUT_OF_RANGE), of_8_bytes)
        rest = choose(length == 127, of_8_bytes, header(2, length.zero_extend(56)))
        rest = choose(length == 126, of_2_bytes, rest)
        rest = choose(And(control, UGT(length, 125)), result(TOO_LONG), rest)
    rest = choose(And(control, wire[0] & 0x80 == 0), result(FRAGMENTED), rest)
    return choose(Not(known), result(RESERVED), rest)


def masking(project):
    """Masking, for every key and payload, by each kernel that the emulated CPU has; no byte around the payload changes."""
    around = 64
    lengths = [*range(0, 70), 95, 96, 97, 127, 128, 129, 130, 160, 191, 192, 193, 255, 256, 257, 300, 513]
    kernel = 0
    while True:
        for length in lengths:
            align = (7 * length) % 64
            at = BYTES + align
            key = BVS("key", 32)
            before = [BVS(f"byte{i}", 8) for i in range(around + length + around)]
            memory = [(at - around + i, byte) for i, byte in enumerate(before)]
            for state in ends(project, "mask", (kernel, at, length, key), memory):
                if state.solver.eval(state.regs.rax[7:0]) == 0:
                    print(f"mask: right for every key and payload of {len(lengths)} lengths, by {kernel} kernels")
                    return
                after = [state.memory.load(at - around + i, 1) for i in range(len(before))]
                keys = [key[8 * i + 7 : 8 * i] for i in range(4)]
                inside = range(around, around + length)
                masked = [byte ^ keys[(i - around) % 4] if i in inside else byte for i, byte in enumerate(before)]
                prove(state, list(zip(after, masked)), f"{length} bytes at {align}, kernel {kernel}")
        kernel += 1


main()
