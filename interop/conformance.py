"""Autobahn's cases, run by PyPI's kosoku: against framewire-echo, and against autobahn_client (testing/), a client on
the codec; and against the echo server (in its three ways to receive) and the client of framewire-tokio, and the echo of framewire-axum. A case must be OK both in its messages and in how the connection was closed; NON-STRICT does not pass. Three
cases leave the behaviour to the implementation, and can only be INFORMATIONAL.

With `--subject`, also against the programs in C of capi/examples, which `.ci/run capi_peers` builds.

--without CASE leaves cases out (`--without '12.*'`); it may be given several times."""

import argparse
import asyncio
import collections
import os
import sys
import time

import kosoku
from kosoku import _caseindex
from harness import BIN, echo_of_axum, echo_of_tokio, end_all, framewire, grid, in_c, publish

# The number of cases in each section: fewer means that some were not run.
SECTIONS = {
    "1": (16, "framing"),
    "2": (11, "pings and pongs"),
    "3": (7, "reserved bits"),
    "4": (10, "opcodes"),
    "5": (20, "fragmentation"),
    "6": (145, "UTF-8"),
    "7": (37, "closing"),
    "9": (54, "limits and speed"),
    "10": (1, "auto-fragmentation"),
    "12": (90, "compression, message sizes"),
    "13": (126, "compression, parameters"),
}
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
# How many cases run at a time against the server.
CONCURRENCY = 4


# These need permessage-deflate; all others run without it.
COMPRESSION = ["12.*", "13.*"]


def mend():
    """kosoku 0.1.0 passes uncompressed messages to a case as `str`. The cases of 12 and 13 hash them, and fail with a
    TypeError. A peer may leave any message uncompressed (RFC 7692 section 6), and framewire does so if it would not become
    shorter."""
    _caseindex.initialize_shims()
    import case12_x_x as compression

    def on_message(self, message, binary, original=compression.onMessage):
        if isinstance(message, str):
            message = message.encode("latin-1" if binary else "utf-8")
        original(self, message, binary)

    for case in compression.Case12_X_X + compression.Case13_X_X:
        case.onMessage = on_message


async def patiently(running, seconds):
    try:
        return await asyncio.wait_for(running, seconds)
    except kosoku.FailureError as failure:
        return failure.results


async def against_server(without):
    """The server with its default limits; and for the cases that need it, with compression."""
    results = []
    for options, only, but, seconds in ([], None, COMPRESSION, 120), (["--compression"], COMPRESSION, [], 480):
        if only and set(only) <= set(without):
            continue
        results += await cases_of_client(framewire(*options), "/", only, without + but, seconds)
    return results


async def against_tokio_server(without, path="/"):
    """The same of framewire-tokio, which accepts compression always, and uses it if it is offered."""
    return await cases_of_client(echo_of_tokio(), path, None, without, 600)


async def against_tokio_lent(without):
    return await against_tokio_server(without, "/lent")


async def against_tokio_split(without):
    return await against_tokio_server(without, "/split")


async def against_axum(without):
    """A route of axum, which also always accepts compression."""
    return await cases_of_client(echo_of_axum(), "/", None, without, 600)


async def cases_of_client(server, path, only, without, seconds):
    try:
        cases = kosoku.run_fuzzingclient(f"ws://{server.address}{path}", only, without, CONCURRENCY)
        results = await patiently(cases, seconds)
    finally:
        if (status := server.stop()) != 0:
            raise RuntimeError(f"the server ended with status {status}")
    return results


async def against_client(without, program=BIN / "autobahn_client"):
    async with kosoku.run_fuzzingserver(None, without, port=0) as server:
        url = f"ws://{server.address}:{server.port}"
        client = await asyncio.create_subprocess_exec(program, url)
        try:
            if status := await asyncio.wait_for(client.wait(), 600):
                raise RuntimeError(f"the client ended with status {status}")
            return await patiently(server.get_result(), 10)
        finally:
            if client.returncode is None:
                client.kill()


async def against_tokio_client(without):
    return await against_client(without, BIN / "examples" / "autobahn_client")


async def against_c_server(without):
    """The example on epoll, which does not compress."""
    return await cases_of_client(in_c("echo_server"), "/", None, without + COMPRESSION, 300)


async def against_c_deflate_server(without):
    return await cases_of_client(in_c("deflate_server"), "/", None, without, 600)


async def against_cpp_server(without):
    return await cases_of_client(in_c("echo_server_cpp"), "/", None, without + COMPRESSION, 300)


async def against_c_client(without):
    """The client runs a case, so it is started for each."""
    program, agent = in_c("client", start=False), "framewire-c"

    async def client(*words, seconds=60):
        child = await asyncio.create_subprocess_exec(
            program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        return (await asyncio.wait_for(child.communicate(), seconds))[0].decode()

    async with kosoku.run_fuzzingserver(None, without, port=0) as server:
        url = f"ws://{server.address}:{server.port}"
        for case in range(1, int(await client(f"{url}/getCaseCount")) + 1):
            await client("--echo", f"{url}/runCase?case={case}&agent={agent}")
        await client(f"{url}/updateReports?agent={agent}")
        return await patiently(server.get_result(), 10)


ROLES = {
    "server": against_server,
    "client": against_client,
    "tokio server": against_tokio_server,
    "tokio server, lent": against_tokio_lent,
    "tokio server, split": against_tokio_split,
    "axum": against_axum,
    "tokio client": against_tokio_client,
}

# Only if `--subject` names them.
IN_C = {
    "C server": against_c_server,
    "C server, deflate": against_c_deflate_server,
    "C client": against_c_client,
    "C++ server": against_cpp_server,
}
NOT_ALL = {"C server", "C++ server"}


def run(role, without):
    began = time.monotonic()
    try:
        results = asyncio.run(role(without))
    except Exception as error:  # whatever the error, no case has passed
        print(f"FAILED: {role.__name__}: {type(error).__name__}: {error}")
        results = []
    return results, time.monotonic() - began


def verdict(result):
    """OK if both parts are; otherwise both."""
    seen = {result.behavior.value, result.behavior_close.value}
    if result.case_id in INFORMATIONAL and seen <= {"OK", "INFORMATIONAL"}:
        return "INFORMATIONAL"
    return "OK" if seen == {"OK"} else " / ".join((result.behavior.value, result.behavior_close.value))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", metavar="CASE", action="append", default=[])
    parser.add_argument("--subject", choices=[*ROLES, *IN_C], action="append", help="only this one; several times")
    arguments = parser.parse_args()
    without = arguments.without
    mend()

    good, data, columns = True, {}, {}
    for name in arguments.subject or ROLES:
        role = (ROLES | IN_C)[name]
        results, seconds = run(role, without)
        counts = collections.defaultdict(collections.Counter)
        for result in results:
            counts[result.case_id.split(".")[0]][verdict(result)] += 1
            if verdict(result) not in ("OK", "INFORMATIONAL"):
                good = False
                print(f"FAILED: {name}, case {result.case_id}: {verdict(result)}. {result.result}"
                      f" {result.result_close} (closed with {result.remote_close_code})")
        for section, (expected, _) in SECTIONS.items():
            whole = not any(pattern.split(".")[0] == section for pattern in without)
            left_out = name in NOT_ALL and section in ("12", "13")
            if whole and not left_out and (seen := counts[section].total()) != expected:
                good = False
                print(f"FAILED: {name}, section {section}: {seen} of {expected} cases were run")
        columns[name] = counts
        total = sum(counts.values(), collections.Counter())
        data[name] = {"seconds": round(seconds, 1), "cases": total.total(), "verdicts": total}
        print(f"{name}: {total.total()} cases in {seconds:.1f} s: "
              + ", ".join(f"{count} {verdict}" for verdict, count in total.items()))

    def cell(row, column):
        counts = columns[column][row.split(" ")[0]]
        return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items(), reverse=True)) or "not run"

    rows = [f"{section} {what}" for section, (_, what) in SECTIONS.items()]
    publish("conformance_c" if set(columns) & set(IN_C) else "conformance", grid(rows, list(columns), cell), data)
    return good


if __name__ == "__main__":
    status = 0 if main() else 1
    # kosoku's threads may abort the interpreter while it shuts down in the ordinary way.
    end_all()
    sys.stdout.flush()
    os._exit(status)
